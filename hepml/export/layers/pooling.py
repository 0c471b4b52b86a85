"""Poolings of sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from hepml.export.layers.convolution import places, require_axes
from hepml.export.network import Network, Value

__all__ = ["global_pooling", "pooling"]


def pooling(layer: Any, values: list[Value], network: Network) -> Value:
    """`maxpooling2d` and the others; padding `same` adds places that do not count, the odd one at the high end."""
    (value,) = values
    kind = type(layer).__name__
    n = int(kind[-2])
    require_axes(layer, value, n)
    window, strides = (tuple(int(k) for k in getattr(layer, key)) for key in ("pool_size", "strides"))
    shape = (*places(layer, value, window, strides), value.width)
    entry = {
        "architecture": kind.lower(),
        "pool_size": list(window),
        "strides": list(strides),
        "padding": layer.padding,
    }
    return network.apply(layer, value, shape, lambda: entry)


def global_pooling(layer: Any, values: list[Value], network: Network) -> Value:
    """The largest value or the mean of every channel."""
    (value,) = values
    kind = type(layer).__name__
    require_axes(layer, value, int(kind[-2]))
    shape = (1,) * (len(value.shape) - 1) if layer.keepdims else ()
    entry: dict[str, Any] = {"architecture": kind[:-2].lower()}
    if layer.keepdims:
        entry["keepdims"] = True
    return network.apply(layer, value, (*shape, value.width), lambda: entry)
