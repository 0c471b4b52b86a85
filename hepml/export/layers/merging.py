"""Merging several values into one."""

from __future__ import annotations

from typing import Any

from hepml.export.layers.dense import require_vector
from hepml.export.network import Network, Value, refuse

__all__ = ["add", "concatenate"]


def concatenate(layer: Any, values: list[Value], network: Network) -> Value:
    """`concatenate`: vectors stacked in the order in which Keras is given them."""
    for value in values:
        require_vector(layer, value, "put a Flatten before it")
    if layer.axis not in (-1, 1):
        raise refuse(layer, "axis", layer.axis, -1)
    return network.merge("concatenate", values, (sum(value.width for value in values),))


def add(layer: Any, values: list[Value], network: Network) -> Value:
    """`add`: the element-wise sum of vectors of one width (no broadcasting)."""
    for value in values:
        require_vector(layer, value)
    widths = [value.shape[0] for value in values]
    if len(set(widths)) != 1:
        raise refuse(layer, "input widths", widths, "equal widths")
    return network.merge("add", values, values[0].shape)
