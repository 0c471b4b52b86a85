"""Rows on their way from the trees into the file: a block of candidates with everything stored of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.layout import COLUMNS
from hepml.images import SparseImages

__all__ = ["Block", "Reblocker"]


@dataclass(frozen=True)
class Block:
    """The rows of some candidates, in order of reading.

    Attributes:
        y: labels or targets, shape (n,) or (n, targets), float32.
        flats: token -> (n, variables) float32.
        images: token -> sparse images; those of the HCal as cells, not expanded.
        columns: candidate column -> (n,) or (n, 2), types as in `COLUMNS`.
    """

    y: NDArray[np.float32]
    flats: Mapping[str, NDArray[np.float32]]
    images: Mapping[str, SparseImages]
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        sizes = {len(part) for group in (self.flats, self.images, self.columns) for part in group.values()}
        if sizes - {len(self.y)} or set(self.columns) != set(COLUMNS):
            raise AssertionError(f"rows of different length {sizes} or columns missing: {set(self.columns)}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.int64] | slice) -> Block:
        """The given rows, in the given order; a slice is not copied."""
        return Block(
            y=self.y[rows],
            flats={token: values[rows] for token, values in self.flats.items()},
            images={token: images.take(rows) for token, images in self.images.items()},
            columns={name: values[rows] for name, values in self.columns.items()},
        )

    @classmethod
    def concatenate(cls, blocks: Sequence[Block]) -> Block:
        """The rows of several blocks, one after another; there must be at least one."""
        if len(blocks) == 1:
            return blocks[0]
        first = blocks[0]
        return cls(
            y=np.concatenate([block.y for block in blocks]),
            flats={token: np.concatenate([block.flats[token] for block in blocks]) for token in first.flats},
            images={
                token: SparseImages.concatenate([block.images[token] for block in blocks]) for token in first.images
            },
            columns={name: np.concatenate([block.columns[name] for block in blocks]) for name in first.columns},
        )


class Reblocker:
    """Cuts a stream of blocks into blocks of one size.

    What is written then depends on the rows alone, not on how they were read: the step size, the number of processes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: list[Block] = []

    def add(self, block: Block) -> Iterator[Block]:
        """The blocks that are full now."""
        if len(block):
            self._waiting.append(block)
        if sum(map(len, self._waiting)) < self._size:
            return
        whole = Block.concatenate(self._waiting)
        n_full = len(whole) - len(whole) % self._size
        for start in range(0, n_full, self._size):
            yield whole.take(slice(start, start + self._size))
        # copied, so that the whole can go
        self._waiting = [whole.take(np.arange(n_full, len(whole)))] if n_full < len(whole) else []

    def rest(self) -> Iterator[Block]:
        """What is left, at the end."""
        if self._waiting:
            yield Block.concatenate(self._waiting)
            self._waiting = []
