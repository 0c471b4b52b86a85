"""Batches for Keras: every epoch in another order, which (seed, epoch) and the memory for images decide.

Images that do not fit into that memory stay in the file and are read once an epoch, a window of rows at a time: blocks
of consecutive rows from all over the file, whose rows are then shuffled together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.training.source import Source

__all__ = ["order", "training_feed", "validation_feed"]


BLOCKS = 256  # in a window: data sorted by class are mixed to 3 % of a class
_LEAST = 64  # rows in a block: shorter ones take longer to find than to read


def order(rows: NDArray[np.int64], seed: int, epoch: int, window: int = 0) -> NDArray[np.int64]:
    """The rows in the order of an epoch; a run that is resumed sees the same one.

    Keras itself, once seeded, shuffles arrays in the same order in every epoch.

    Args:
        rows: ascending.
        window: how many rows can be in memory at a time; 0 for all.

    Example:
        >>> order(np.arange(5), 0, 0), order(np.arange(5), 0, 1)
        (array([2, 4, 3, 0, 1]), array([1, 4, 3, 0, 2]))
    """
    rng = np.random.default_rng([seed, epoch])
    if not 0 < window < len(rows):
        return np.asarray(rng.permutation(rows))
    block = max(_LEAST, window // BLOCKS)
    starts = rng.permutation(np.arange(0, len(rows), block))
    mixed = np.concatenate([rows[start : start + block] for start in starts])
    for start in range(0, len(mixed), window):
        rng.shuffle(mixed[start : start + window])
    return np.asarray(mixed)


def _feed_class() -> Any:
    import keras

    class Feed(keras.utils.PyDataset):  # type: ignore[misc]
        """Rows of a source in batches; `start` gives the order of an epoch."""

        def __init__(
            self,
            source: Source,
            rows: NDArray[np.int64],
            weight: NDArray[np.float32],
            names: list[str],
            *,
            batch_size: int,
            seed: int | None,
        ) -> None:
            super().__init__()
            self._source, self._rows, self._weight, self._names = source, rows, weight, names
            self.batch_size, self._seed = batch_size, seed
            self.positions = np.arange(len(rows))  # in `rows`, in the order of the epoch
            # whole batches; 0 where all rows are in memory, or are read in their order
            self._window = 0 if seed is None else max(source.window // batch_size, source.window > 0) * batch_size
            self._held: tuple[int, Any] = (-1, None)  # number of the window, how to take rows of it

        def start(self, epoch: int) -> None:
            """Take the order of an epoch."""
            if self._seed is not None:
                self.positions = order(np.arange(len(self._rows)), self._seed, epoch, self._window)
                self._held = (-1, None)

        def table(self) -> list[NDArray[Any]]:
            """All rows, not shuffled: the inputs, y and weight."""
            return self._take(self._rows, self._source.batches)

        def __len__(self) -> int:
            return (len(self._rows) + self.batch_size - 1) // self.batch_size

        def __getitem__(self, index: int) -> Any:
            batch = self.positions[index * self.batch_size : (index + 1) * self.batch_size]
            *x, y, weight = self._take(self._rows[batch], self._batches(index))
            return x[0] if len(x) == 1 else tuple(x), y, weight

        def _batches(self, index: int) -> Any:
            """How to take the inputs of a batch; a window that is not held yet replaces the one that is."""
            if not self._window:
                return self._source.batches
            number = index * self.batch_size // self._window
            if number != self._held[0]:
                self._held = (-1, None)  # before the next one is read
                window = self.positions[number * self._window : (number + 1) * self._window]
                self._held = (number, self._source.held(self._rows[np.sort(window)]))
            return self._held[1]

        def _take(self, rows: NDArray[np.int64], batches: Any) -> list[NDArray[Any]]:
            y = self._source.y[rows]
            return [*batches(rows, self._names), y[:, None] if y.ndim == 1 else y, self._weight[rows]]

    return Feed


def training_feed(
    source: Source,
    rows: NDArray[np.int64],
    weight: NDArray[np.float32],
    names: list[str],
    *,
    batch_size: int,
    seed: int,
) -> Any:
    """Shuffled batches; call `.start(epoch)` before each epoch."""
    return _feed_class()(source, rows, weight, names, batch_size=batch_size, seed=seed)


def validation_feed(
    source: Source, rows: NDArray[np.int64], weight: NDArray[np.float32], names: list[str], *, most: int = 65_536
) -> Any:
    """Batches in the order of the rows, of at most `most`."""
    images = any(spec.is_image for spec in source.specs)
    return _feed_class()(source, rows, weight, names, batch_size=256 if images else most, seed=None)
