"""Sparse images in memory and dense views of them, a batch at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
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

    def load(self, rows: NDArray[np.int64]) -> Pixels:
        """The given images; all of them are not copied."""
        whole = len(rows) == len(self)
        return self if whole else Pixels(self.images.take(rows), self._token, self._geometry)

    def dense(self, rows: NDArray[Any] | slice = slice(None)) -> NDArray[np.float32]:
        """The given images, shape (n, rows, columns, 1), GeV."""
        if isinstance(rows, slice) or np.asarray(rows).dtype == bool:
            rows = np.arange(len(self))[rows]
        images = self.images
        expand = self._geometry.hcal_expand if IMAGES[self._token].calorimeter == "hcal" else 1
        wanted = np.ascontiguousarray(rows, np.int64)
        pixels = _core.dense(self._offsets, images.index, images.value, wanted, images.shape[0], expand)
        return np.asarray(pixels)
