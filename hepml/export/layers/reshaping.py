"""Layers that move numbers, or do nothing outside training."""

from __future__ import annotations

import math
from typing import Any

from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = ["cropping", "flatten", "identity", "permute", "repeat_vector", "reshape", "upsampling", "zero_padding"]


def identity(_layer: Any, values: list[Value], _network: Network) -> Value:
    """Nothing is written."""
    return values[0]


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


def _resized(layer: Any, value: Value, network: Network, key: str, sign: int) -> Value:
    given = getattr(layer, key)
    margins = [[int(n) for n in pair] for pair in ([given] if isinstance(given[0], int) else given)]
    sizes = _places(layer, value, network)
    axes = tuple(n + sign * sum(margin) for n, margin in zip(sizes, margins, strict=False))
    if min(axes) < 1:
        raise refuse(layer, key, margins, f"less than {value.shape}")
    name = type(layer).__name__[:-2].lower()
    return network.apply(layer, value, (*axes, value.width), lambda: {"architecture": name, key: margins})


def _places(layer: Any, value: Value, network: Network) -> tuple[int, ...]:
    if getattr(layer, "data_format", "channels_last") not in ("channels_last", None):
        raise refuse(layer, "data_format", repr(layer.data_format), "'channels_last'")
    return Steps(layer, network).fixed(value)


def zero_padding(layer: Any, values: list[Value], network: Network) -> Value:
    """`zeropadding`: zeros before and after each axis."""
    return _resized(layer, values[0], network, "padding", 1)


def cropping(layer: Any, values: list[Value], network: Network) -> Value:
    """`cropping`: without the first and last places of each axis."""
    return _resized(layer, values[0], network, "cropping", -1)


def upsampling(layer: Any, values: list[Value], network: Network) -> Value:
    """`upsampling`: every place repeated."""
    (value,) = values
    sizes = _places(layer, value, network)
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise refuse(layer, "interpolation", repr(layer.interpolation), "'nearest'")
    size = [int(layer.size)] if isinstance(layer.size, int) else [int(n) for n in layer.size]
    axes = tuple(n * k for n, k in zip(sizes, size, strict=False))
    return network.apply(layer, value, (*axes, value.width), lambda: {"architecture": "upsampling", "size": size})
