"""The rows of a data file in the order in which they were read: what the splits have parted is joined again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepml.dataset.blocks import Block
from hepml.dataset.guard import checked, guarded, has_own, open_hdf5
from hepml.dataset.layout import COLUMNS, EVENT_WEIGHT, SPLITS
from hepml.dataset.pixels import folded
from hepml.dataset.reader import Dataset
from hepml.dataset.tokens import FLATS, IMAGES
from hepml.errors import InputFileError
from hepml.images import SparseImages

__all__ = ["replay"]

_ORDER = ("file_id", "entry", "index")
Key = tuple[int, ...]


def replay(data: Dataset, sample_id: int, rows: int = 8192) -> Iterator[Block]:
    """The rows of one sample, in the order of files, entries and objects; weights as they were read.

    Args:
        data: a file that `hepml convert` wrote.
        sample_id: number of the sample.
        rows: of each split that are in memory at a time.

    Raises:
        InputFileError: damaged, or its rows are in another order.
    """
    with open_hdf5(data.path) as file:
        cursors = [_Cursor(file, data, split, sample_id, rows) for split in SPLITS]
        while cursors := [cursor for cursor in cursors if cursor.fill()]:
            # rows beyond this one may have to wait for rows that another split has not read yet
            limit = min((cursor.last for cursor in cursors if cursor.more), default=None)
            block = Block.concatenate([cursor.take(limit) for cursor in cursors])
            yield block.take(np.lexsort([block.columns[name] for name in reversed(_ORDER)]))


class _Cursor:
    """Reads the rows of one sample in one split, from the first on."""

    def __init__(self, file: h5py.File, data: Dataset, split: str, sample_id: int, rows: int) -> None:
        self._file, self._data, self._split, self._rows = file, data, split, rows
        self._nodes: dict[str, h5py.Dataset] = {}
        samples = self._node(f"candidate/{split}/sample_id", "<i4")[()]
        if (np.diff(samples) < 0).any():
            raise InputFileError("rows that are not in the order of samples", where=f"{data.path}, split {split!r}")
        self._next, self._end = (int(np.searchsorted(samples, sample_id, side)) for side in ("left", "right"))
        self._tokens = [token for token in IMAGES if token in data.tokens]
        self._flats = [token for token in FLATS if token in data.tokens]
        normalised = has_own(guarded(file, f"candidate/{split}/sample_id").parent, EVENT_WEIGHT)
        self._columns = dict.fromkeys(COLUMNS) | {"weight": EVENT_WEIGHT if normalised else None}
        sparse = self._tokens if data.layout == "sparse" else []
        self._pixels = {token: self._pixels_before(f"{token}/{split}/counts") for token in sparse}
        self._block: Block | None = None

    def _node(self, name: str, dtype: str, tail: tuple[int, ...] = ()) -> h5py.Dataset:
        if name not in self._nodes:
            self._nodes[name] = checked(self._file, name, dtype, (self._data.n(self._split), *tail))
        return self._nodes[name]

    def _pixels_before(self, name: str) -> int:
        node = self._node(name, "<u2")
        starts = range(0, self._next, self._rows)
        return sum(int(node[start : min(start + self._rows, self._next)].sum(dtype=np.int64)) for start in starts)

    @property
    def more(self) -> bool:
        """Whether rows are left in the file."""
        return self._next < self._end

    @property
    def last(self) -> Key:
        """Place of the last row in memory."""
        assert self._block is not None
        return tuple(int(self._block.columns[name][-1]) for name in _ORDER)

    def fill(self) -> bool:
        """Has at least a row in memory, if there is one."""
        if self._block is None and self.more:
            stop = min(self._next + self._rows, self._end)
            self._block = self._read(slice(self._next, stop))
            self._next = stop
        return self._block is not None

    def take(self, limit: Key | None) -> Block:
        """The rows in memory up to a place, or all."""
        assert self._block is not None
        block = self._block
        n = len(block) if limit is None else _up_to([block.columns[name] for name in _ORDER], limit)
        self._block = block.take(np.arange(n, len(block))) if n < len(block) else None
        return block.take(np.arange(n))

    def _read(self, rows: slice) -> Block:
        data, split = self._data, self._split
        targets = len(data.task["names"]) if data.task["kind"] == "regression" else 1
        y = self._node(f"y/{split}", "<f4", () if targets == 1 else (targets,))[rows]
        flats = {token: self._node(f"{token}/{split}", "<f4", data.shape(token))[rows] for token in self._flats}
        columns: dict[str, NDArray[Any]] = {}
        for name, (dtype, width) in COLUMNS.items():
            stored = self._columns[name] or name
            columns[name] = self._node(f"candidate/{split}/{stored}", dtype, (width,) if width else ())[rows]
        return Block(
            y=y, flats=flats, images={token: self._images(token, rows) for token in self._tokens}, columns=columns
        )

    def _images(self, token: str, rows: slice) -> SparseImages:
        data, name = self._data, f"{token}/{self._split}"
        if data.layout == "dense":
            dense = self._node(name, "<f4", data.shape(token))[rows][..., 0]
            return SparseImages.from_dense(folded(dense, token, data.geometry))
        side = data.geometry.ecal_window if IMAGES[token].calorimeter == "ecal" else data.geometry.hcal_window
        counts = self._node(f"{name}/counts", "<u2")[rows]
        pixels = slice(self._pixels[token], self._pixels[token] + int(counts.sum(dtype=np.int64)))
        self._pixels[token] = pixels.stop
        for part in ("index", "value"):
            if f"{name}/{part}" not in self._nodes:
                self._nodes[f"{name}/{part}"] = guarded(self._file, f"{name}/{part}")
        index, value = (self._nodes[f"{name}/{part}"][pixels] for part in ("index", "value"))
        return SparseImages(counts, index, value, (side, side))


def _up_to(columns: list[NDArray[Any]], limit: Key) -> int:
    """How many rows, sorted by their columns, are not beyond a place."""
    beyond = np.zeros(len(columns[0]), bool)
    for column, value in zip(reversed(columns), reversed(limit), strict=True):
        beyond = (column > value) | ((column == value) & beyond)
    return int(np.count_nonzero(~beyond))
