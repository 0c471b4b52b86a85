"""Layers that Keras 3 no longer has and lwtnn does: of `hepml.export.keras2.functions`."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.activations import activation_of
from hepml.export.network import Network, Value, refuse

__all__ = ["highway", "maxout", "sum_over_steps", "swish"]


def highway(layer: Any, values: list[Value], network: Network) -> Value:
    """`highway`: components `t` (the transform) and `carry`, matrices transposed."""
    (value,) = values

    def write() -> dict[str, Any]:
        return {
            "architecture": "highway",
            "components": {
                gate: {"weights": np.asarray(kernel, np.float32).T, "bias": np.asarray(bias, np.float32)}
                for gate, kernel, bias in (("t", layer.W, layer.b), ("carry", layer.W_carry, layer.b_carry))
            },
            "activation": activation_of(layer, layer.activation),
        }

    return network.apply(layer, value, value.shape, write)


def maxout(layer: Any, values: list[Value], network: Network) -> Value:
    """`maxout`: a dense sublayer for each feature, of which the largest counts."""
    (value,) = values

    def write() -> dict[str, Any]:
        kernels, biases = np.asarray(layer.W, np.float32), np.asarray(layer.b, np.float32)
        sublayers = [
            {"architecture": "dense", "weights": kernel.T, "bias": bias}
            for kernel, bias in zip(kernels, biases, strict=True)
        ]
        return {"architecture": "maxout", "sublayers": sublayers, "activation": "linear"}

    return network.apply(layer, value, (*value.shape[:-1], int(layer.units)), write)


def sum_over_steps(layer: Any, values: list[Value], network: Network) -> Value:
    """lwtnn's node `sum`."""
    (value,) = values
    if len(value.shape) != 2:
        raise refuse(layer, "input shape", value.shape, "(steps, variables)")
    return network.merge("sum", [value], (value.width,))


def swish(layer: Any, values: list[Value], network: Network) -> Value:
    """The activation `swish` with a slope of its own."""
    (value,) = values

    def write() -> dict[str, Any]:
        nothing, form = np.zeros(0, np.float32), {"function": "swish", "alpha": float(layer.beta)}
        return {"architecture": "dense", "weights": nothing, "bias": nothing, "activation": form}

    return network.apply(layer, value, value.shape, write)
