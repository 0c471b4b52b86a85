"""Images that stay in the file until they are asked for: data larger than memory."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.layout import SPLITS
from hepml.dataset.pixels import Pixels
from hepml.dataset.reader import Dataset
from hepml.images import SparseImages

__all__ = ["StoredPixels"]

_GAP = 16  # rows that are read and dropped rather than read around
_ROWS = 512  # that are read at once
_CELL = 6  # bytes of a cell in memory
_IMAGE = 10  # bytes of an image besides: its count, and where it begins


class StoredPixels:
    """The images of a data.h5, left in the file; the rows of train, valid and test one after another.

    Args:
        dataset: the open file.
        token: et, ht, ee or he.
    """

    def __init__(self, dataset: Dataset, token: str) -> None:
        self._dataset, self._token = dataset, token
        self._starts = np.cumsum([0, *(dataset.n(split) for split in SPLITS)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def size(self) -> int:
        """Bytes that all images would take in memory; for a dense file, as many as with a cell in ten filled."""
        if self._dataset.layout == "sparse":
            cells = sum(int(self._dataset.offsets(self._token, split)[-1]) for split in SPLITS)
        else:
            cells = len(self) * int(np.prod(self._dataset.shape(self._token))) // 10
        return _CELL * cells + _IMAGE * len(self)

    def load(self, rows: NDArray[np.int64]) -> Pixels:
        """Some images in memory, of ascending rows."""
        gaps, splits = np.flatnonzero(np.diff(rows) > _GAP) + 1, np.searchsorted(rows, self._starts)
        steps = np.searchsorted(rows, np.arange(0, len(self), _ROWS))
        cuts = np.unique(np.concatenate([gaps, splits, steps, [0, len(rows)]]))
        chosen = [rows[start:stop] for start, stop in pairwise(cuts)] or [rows]
        parts = zip(chosen, self._dataset.parts(self._token, [*map(self._range, chosen)]), strict=True)
        images = [all_of if len(all_of) == len(one) else all_of.take(one - one[0]) for one, all_of in parts]
        return Pixels(SparseImages.concatenate(images), self._token, self._dataset.geometry)

    def _range(self, rows: NDArray[np.int64]) -> tuple[str, int, int]:
        """The range of a split that holds these rows of it; an empty one for none."""
        if not len(rows):
            return SPLITS[0], 0, 0
        split = int(np.searchsorted(self._starts, rows[0], side="right")) - 1
        first = int(self._starts[split])
        return SPLITS[split], int(rows[0]) - first, int(rows[-1]) + 1 - first

    def dense(self, rows: NDArray[Any] | slice = slice(None)) -> NDArray[np.float32]:
        """The given images, shape (n, rows, columns, 1), GeV, read for this call."""
        wanted = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows, np.int64)
        chosen, place = np.unique(wanted, return_inverse=True)
        return self.load(chosen).dense(place)
