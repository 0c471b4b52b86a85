"""Sparse images in memory and dense views of them, a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.tokens import IMAGES
from hepml.geometry import Geometry
from hepml.images import SparseImages, expand_hcal

__all__ = ["Pixels", "expanded", "folded"]


def expanded(cells: NDArray[np.float32], token: str, geometry: Geometry) -> NDArray[np.float32]:
    """Images as networks take them, without the channel axis: HCal cells are divided into pixels of equal energy."""
    return expand_hcal(cells, geometry.hcal_expand) if IMAGES[token].calorimeter == "hcal" else cells


def folded(images: NDArray[np.float32], token: str, geometry: Geometry) -> NDArray[np.float32]:
    """The inverse of `expanded`."""
    step = geometry.hcal_expand
    if IMAGES[token].calorimeter == "ecal":
        return images
    return np.ascontiguousarray(images[:, ::step, ::step]) * np.float32(step * step)


class Pixels:
    """Images kept sparse in memory, made dense for the rows that are asked for.

    Args:
        images: the sparse images; those of the HCal as cells.
        token: et, ht, ee or he.
        geometry: of the images.
    """

    def __init__(self, images: SparseImages, token: str, geometry: Geometry) -> None:
        self.images = images
        self._token = token
        self._geometry = geometry
        self._offsets = np.concatenate([[0], np.cumsum(images.counts, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self.images.counts)

    def dense(self, rows: NDArray[Any] | slice = slice(None)) -> NDArray[np.float32]:
        """The given images, shape (n, rows, columns, 1), GeV."""
        counts = self.images.counts[rows].astype(np.int64)
        first = self._offsets[:-1][rows]
        before = np.cumsum(counts) - counts
        position = np.arange(counts.sum()) + np.repeat(first - before, counts)
        height, width = self.images.shape
        index, value = self.images.index[position], self.images.value[position]
        image = np.repeat(np.arange(len(counts)), counts)
        if IMAGES[self._token].calorimeter == "ecal":
            cells = np.zeros((len(counts), height, width, 1), np.float32)
            cells.reshape(-1)[image * (height * width) + index] = value
            return cells
        # every cell becomes step x step pixels; few hold energy, so only these are written
        step = self._geometry.hcal_expand
        pixels = np.zeros((len(counts), height, step, width, step), np.float32)
        pixels[image, index // width, :, index % width, :] = (value / np.float32(step * step))[:, None, None]
        return pixels.reshape(len(counts), height * step, width * step, 1)
