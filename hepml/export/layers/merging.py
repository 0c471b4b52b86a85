"""Merging several values into one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from hepml.export.network import Network, Value
from hepml.export.steps import Steps

__all__ = ["concatenate", "dot", "merge"]


def concatenate(layer: Any, values: list[Value], network: Network) -> Value:
    """`concatenate`: values after each other along an axis, in the order in which Keras is given them."""
    steps = Steps(layer, network)
    return steps.concatenate(values, steps.axis(layer.axis, len(values[0].shape)))


def merge(kind: str) -> Callable[[Any, list[Value], Network], Value]:
    """The handler of an element-wise merge; shapes are matched from the last axis, as in Keras."""

    def handler(layer: Any, values: list[Value], network: Network) -> Value:
        """Element by element, axes of length 1 repeated; sums of equal vectors are lwtnn's node `add`."""
        if len(values) == 1:  # of itself
            return values[0]
        same = len({value.shape for value in values}) == 1
        if kind == "add" and same and len(values[0].shape) != 2:  # lwtnn's kind of node
            return network.merge("add", values, values[0].shape)
        return Steps(layer, network).combine(kind, values)

    return handler


def dot(layer: Any, values: list[Value], network: Network) -> Value:
    """`matmul` of the two inputs with the axes to be summed moved to the end."""
    import keras

    steps = Steps(layer, network)
    fronts: list[int] = []
    matrices = []
    for k, value in enumerate(values):
        rank = len(value.shape)
        axis = steps.axis(layer.axes if isinstance(layer.axes, int) else layer.axes[k], rank, "axes")
        unit = value
        if layer.normalize:  # Keras divides by at least its epsilon
            unit = steps.standardize("unit", value, [axis], keras.config.epsilon() ** 2)
        moved = steps.transpose(unit, [*(i for i in range(rank) if i != axis), axis])
        *front, inner = steps.fixed(moved)
        matrices.append(steps.reshape(moved, [math.prod(front), inner]))
        fronts += front
    product = steps.matmul(matrices[0], matrices[1], transposed=True)
    return steps.reshape(product, fronts or [1])
