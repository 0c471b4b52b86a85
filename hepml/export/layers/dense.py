"""Dense layers and activations."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError
from hepml.export.activations import activation_of, layer_activation
from hepml.export.network import Network, Value

__all__ = ["activation", "dense", "require_vector"]


def require_vector(layer: Any, value: Value, fix: str | None = None) -> None:
    """Raises UnsupportedLayerError unless the layer is applied to a vector."""
    if not value.is_vector:
        raise UnsupportedLayerError(
            f"layer {layer.name!r} ({type(layer).__name__}) on an input of shape {value.shape} cannot be exported",
            where=f"layer {layer.name!r}",
            expected="a vector for each event",
            found=f"shape {value.shape}",
            fix=fix,
        )


def dense(layer: Any, values: list[Value], network: Network) -> Value:
    """`dense`: activation(W x + b); weights row-major (units, inputs), the transpose of Keras' kernel."""
    (value,) = values
    require_vector(layer, value, "put a Flatten before it")

    def write() -> dict[str, Any]:
        kernel = np.asarray(layer.kernel, dtype=np.float32)
        return {
            "architecture": "dense",
            "weights": kernel.T,
            "bias": np.asarray(layer.bias, dtype=np.float32) if layer.use_bias else np.zeros(0, np.float32),
            "activation": activation_of(layer, layer.activation),
        }

    return network.apply(layer, value, (int(layer.units),), write)


def activation(layer: Any, values: list[Value], network: Network) -> Value:
    """An activation of its own: a `dense` without weights, as lwtnn's converters write it.

    On an image it becomes the activation of the convolution that made the image, if nothing else uses that.
    """
    (value,) = values
    form = layer_activation(layer)
    if form == "linear":
        return value
    if not value.is_vector and network.set_activation(value, form):
        return value
    require_vector(layer, value, "give it to the layer before: Conv2D(..., activation=...)")

    def write() -> dict[str, Any]:
        nothing = np.zeros(0, np.float32)
        return {"architecture": "dense", "weights": nothing, "bias": nothing, "activation": form}

    return network.apply(layer, value, value.shape, write)
