"""Layers that move numbers, or do nothing outside training."""

from __future__ import annotations

import math
from typing import Any

from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = ["flatten", "identity", "permute", "repeat_vector", "reshape"]


def identity(_layer: Any, values: list[Value], _network: Network) -> Value:
    """Nothing is written."""
    (value,) = values
    return value


def flatten(layer: Any, values: list[Value], network: Network) -> Value:
    """`flatten`: any tensor to a vector, the last axis fastest; channels first are moved behind, as Keras does."""
    (value,) = values
    steps = Steps(layer, network)
    rank = len(value.shape)
    if rank > 1 and layer.data_format == "channels_first":
        value = steps.transpose(value, [*range(1, rank), 0])
    return steps.reshape(value, [math.prod(steps.fixed(value))])


def reshape(layer: Any, values: list[Value], network: Network) -> Value:
    """`reshape`: the same numbers in the same order."""
    (value,) = values
    steps = Steps(layer, network)
    if tuple(layer.target_shape) == value.shape:
        return value
    size = math.prod(steps.fixed(value))
    known = math.prod(n for n in layer.target_shape if n != -1)
    target = [size // max(known, 1) if n == -1 else int(n) for n in layer.target_shape]
    if not target:
        raise refuse(layer, "target_shape", layer.target_shape, "at least one axis")
    return steps.reshape(value, target)


def permute(layer: Any, values: list[Value], network: Network) -> Value:
    """`transpose`."""
    (value,) = values
    return Steps(layer, network).transpose(value, [int(axis) - 1 for axis in layer.dims])


def repeat_vector(layer: Any, values: list[Value], network: Network) -> Value:
    """A vector as the step of a sequence, `broadcast` to n of them."""
    (value,) = values
    return Steps(layer, network).broadcast(value, [int(layer.n), *value.sizes])
