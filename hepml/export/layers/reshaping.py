"""Layers that move numbers, or do nothing outside training."""

from __future__ import annotations

import math
from typing import Any

from hepml.export.network import Network, Value, refuse

__all__ = ["flatten", "identity", "reshape"]


def identity(_layer: Any, values: list[Value], _network: Network) -> Value:
    """Nothing is written."""
    (value,) = values
    return value


def flatten(layer: Any, values: list[Value], network: Network) -> Value:
    """`flatten`: an image to a vector, row by row, channels fastest, as Keras."""
    (value,) = values
    if value.is_vector:
        return value
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise refuse(layer, "data_format", repr(layer.data_format), "'channels_last'")
    shape = (math.prod(value.sizes),)
    return network.apply(layer, value, shape, lambda: {"architecture": "flatten"})


def reshape(layer: Any, values: list[Value], network: Network) -> Value:
    """A Reshape that changes nothing, or that is a Flatten."""
    (value,) = values
    size = math.prod(value.sizes)
    known = math.prod(n for n in layer.target_shape if n != -1)
    target = tuple(size // max(known, 1) if n == -1 else int(n) for n in layer.target_shape)
    if target == value.shape:
        return value
    if target != (size,):
        raise refuse(layer, "target_shape", target, f"({size},), which is a Flatten")
    return flatten(layer, values, network)
