"""Dense layers and activations."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError
from hepml.export.activations import activation_of, layer_activation
from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = ["activation", "dense", "einsum_dense", "prelu", "require_vector", "softmax"]


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
    """`dense`: activation(W x + b) on the last axis; weights (units, inputs), the transpose of Keras' kernel."""
    (value,) = values

    def write() -> dict[str, Any]:
        kernel = np.asarray(layer.kernel, dtype=np.float32)
        return {
            "architecture": "dense",
            "weights": kernel.T,
            "bias": np.asarray(layer.bias, dtype=np.float32) if layer.use_bias else np.zeros(0, np.float32),
            "activation": activation_of(layer, layer.activation),
        }

    return network.apply(layer, value, (*value.shape[:-1], int(layer.units)), write)


def einsum_dense(layer: Any, values: list[Value], network: Network) -> Value:
    """`dense`, where the equation is axes of the input times a matrix; other axes are moved out of the way."""
    (value,) = values
    steps = Steps(layer, network)
    inputs, weights, outputs = _letters(layer, len(value.shape) + 1)
    free = [c for c in inputs[1:] if c in outputs and c not in weights]
    summed = [c for c in inputs[1:] if c in weights and c not in outputs]
    made = [c for c in outputs[1:] if c in weights and c not in inputs]
    letters = [len(set(letters)) == len(letters) for letters in (inputs, weights, outputs)]
    if (
        not all(letters)
        or inputs[0] != outputs[0]
        or inputs[0] in weights
        or len(free) + len(summed) != len(inputs) - 1
        or len(free) + len(made) != len(outputs) - 1
        or not summed
    ):
        raise refuse(layer, "equation", layer.equation, "axes of the input times a matrix, such as 'abc,cd->abd'")
    sizes = dict(zip(inputs[1:], value.shape, strict=True))
    kernel = np.asarray(layer.kernel, dtype=np.float32)
    units = {c: kernel.shape[weights.index(c)] for c in made}
    matrix = kernel.transpose([weights.index(c) for c in (*summed, *made)])
    matrix = matrix.reshape(int(np.prod(matrix.shape[: len(summed)])), -1)
    form = activation_of(layer, layer.activation)
    x = steps.transpose(value, [inputs.index(c) - 1 for c in (*free, *summed)])
    if len(summed) > 1:
        x = steps.reshape(x, [*(sizes[c] for c in free), matrix.shape[0]])
    bias = None if layer.bias is None else np.asarray(layer.bias, dtype=np.float32)
    plain = outputs[1:] == [*free, *made] and len(made) == 1
    if plain and (bias is None or bias.size == matrix.shape[1]):
        return steps.dense(x, matrix, None if bias is None else bias.ravel(), form)
    x = steps.dense(x, matrix, None)
    if len(made) != 1:
        x = steps.reshape(x, [*(sizes[c] for c in free), *(units[c] for c in made)])
    x = steps.transpose(x, [[*free, *made].index(c) for c in outputs[1:]])
    if bias is not None:
        x = steps.constant("add", x, bias)
    return steps.activate(x, form)


def _letters(layer: Any, rank: int) -> tuple[list[str], list[str], list[str]]:
    """The letters of input, weights and output, an ellipsis replaced by letters of its own."""
    match = re.fullmatch(r"\s*([a-zA-Z.]+)\s*,\s*([a-zA-Z]+)\s*->\s*([a-zA-Z.]+)\s*", layer.equation)
    if match is None:
        raise refuse(layer, "equation", layer.equation, "'input,weights->output'")
    given, weights, result = match.groups()
    hidden = "".join(f"{k}" for k in range(rank - len(given.replace("...", "")))) if "..." in given else ""
    inputs, outputs = given.replace("...", hidden), result.replace("...", hidden)
    if len(inputs) != rank or "." in inputs + outputs:
        raise refuse(layer, "equation", layer.equation, f"{rank} axes of the input")
    return list(inputs), list(weights), list(outputs)


def activation(layer: Any, values: list[Value], network: Network) -> Value:
    """An activation of its own: a `dense` without weights, as lwtnn's converters write it.

    On an image it becomes the activation of the convolution that made the image, if nothing else uses that.
    """
    (value,) = values
    form = layer_activation(layer)
    if not value.is_vector and form != "linear" and network.set_activation(value, form):
        return value
    return Steps(layer, network).activate(value, form)


def softmax(layer: Any, values: list[Value], network: Network) -> Value:
    """`dense` without weights; over other axes than the last a `softmax` of its own."""
    (value,) = values
    steps = Steps(layer, network)
    axes = steps.axes(layer.axis, len(value.shape))
    if axes == [len(value.shape) - 1]:
        if not value.is_vector and network.set_activation(value, "softmax"):
            return value
        return steps.activate(value, "softmax")
    return steps.activate(value, "softmax", axes)


def prelu(layer: Any, values: list[Value], network: Network) -> Value:
    """`prelu`: x > 0 ? x : alpha x, alpha with axes of length 1 where it is shared."""
    (value,) = values
    return Steps(layer, network).constant("prelu", value, np.asarray(layer.alpha))
