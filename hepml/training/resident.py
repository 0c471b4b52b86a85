"""Trains on rows that lie in TensorFlow's memory: a graph takes the batches of many steps without a look of Python.

Keras' fit hands every batch over from Python. For a dense network on vectors that costs as much as its arithmetic; for
one with images it is nothing. The steps are Keras' own `train_step` on the same batches in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["STEPS", "resident_steps"]

STEPS = 16  # between two looks of Python


def resident_steps(network: Any, feed: Any, steps: int) -> Any:
    """A function that trains an epoch on the rows of a feed, as long as its backend and size allow it; else None.

    Args:
        network: compiled, not fitted by Keras yet.
        feed: of `hepml.training.feed`; its `positions` are read when an epoch begins.
        steps: batches between two looks of Python.

    Returns:
        epoch() -> iterator of (batches done, {"loss": mean so far}).
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    *inputs, y, weight = (tf.constant(array) for array in feed.table())
    size = feed.batch_size
    if not network.optimizer.built:
        network.optimizer.build(network.trainable_variables)

    whole = tf.TensorSpec([], tf.int32)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.int64), whole, whole])  # type: ignore[untyped-decorator]
    def run(order: Any, first: Any, last: Any) -> Any:
        def step(number: Any) -> Any:
            rows = order[number * size : (number + 1) * size]
            x = tuple(tf.gather(one, rows) for one in inputs)
            network.train_step((x[0] if len(x) == 1 else x, tf.gather(y, rows), tf.gather(weight, rows)))
            return (number + 1,)

        return tf.while_loop(lambda number: number < last, step, (first,), parallel_iterations=1)

    traced = run.get_concrete_function()

    def epoch() -> Iterator[tuple[int, Any]]:
        order = tf.constant(feed.positions.astype(np.int64))
        network.reset_metrics()
        for first in range(0, len(feed), steps):
            last = min(first + steps, len(feed))
            traced(order, tf.constant(first), tf.constant(last))
            yield last, network.get_metrics_result()

    return epoch
