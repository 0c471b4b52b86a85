"""Batches for Keras: every epoch in another order, which (seed, epoch) alone decides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.training.source import Source

__all__ = ["order", "training_feed", "validation_feed"]


def order(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows in the order of an epoch; a run that is resumed sees the same one.

    Keras itself, once seeded, shuffles arrays in the same order in every epoch.
    """
    return np.asarray(np.random.default_rng([seed, epoch]).permutation(rows))


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

        def start(self, epoch: int) -> None:
            """Take the order of an epoch."""
            if self._seed is not None:
                self.positions = order(np.arange(len(self._rows)), self._seed, epoch)

        def table(self) -> list[NDArray[Any]]:
            """All rows, not shuffled: the inputs, y and weight."""
            return self._take(self._rows)

        def __len__(self) -> int:
            return (len(self._rows) + self.batch_size - 1) // self.batch_size

        def __getitem__(self, index: int) -> Any:
            batch = self.positions[index * self.batch_size : (index + 1) * self.batch_size]
            *x, y, weight = self._take(self._rows[batch])
            return x[0] if len(x) == 1 else tuple(x), y, weight

        def _take(self, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
            y = self._source.y[rows]
            return [*self._source.batches(rows, self._names), y[:, None] if y.ndim == 1 else y, self._weight[rows]]

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
