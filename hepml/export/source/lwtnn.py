"""Layers that lwtnn has and Keras 3 has not: maxout and highway; and Masking."""

from __future__ import annotations

from hepml.export.source.activations import activate, function_of, hexadecimal
from hepml.export.source.dense import linear
from hepml.export.source.program import Layer, Matrix, Program, Tensor

__all__ = ["highway", "masking", "maxout"]


def _part(layer: Layer, data: dict[str, list[float]], x: Tensor) -> Matrix:
    return Matrix.of(Layer(data, layer.where), x.channels)


def maxout(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """The largest of several dense layers, unit by unit."""
    (x,) = inputs
    parts = [linear(program, _part(layer, data, x), x, "Linear{}") for data in layer.data["sublayers"]]
    if len(parts) == 1:
        return parts[0]
    y = program.tensor(parts[0].shape, parts[0].steps)

    def text() -> list[str]:
        lines = [f"combine<1, 1>({parts[1].at}, {parts[0].at}, {y.at}, {y.n}, Maximum{{}});"]
        return lines + [f"combine<1, 1>({part.at}, {y.at}, {y.at}, {y.n}, Maximum{{}});" for part in parts[2:]]

    return program.step(parts, y, text, kernels=["tensors"])


def highway(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """c t + (1 - c) x, where t = activation(W_t x + b_t), c = sigmoid(W_c x + b_c)."""
    (x,) = inputs
    function, rows = function_of(program, layer)
    components = layer.data["components"]
    transform = linear(program, _part(layer, components["t"], x), x, "Linear{}" if rows else function)
    transform = activate(program, transform, function, rows) if rows else transform
    carry = linear(program, _part(layer, components["carry"], x), x, "Sigmoid{}")
    y = program.tensor(x.shape, x.steps)

    def text() -> list[str]:
        return [f"highway({carry.at}, {transform.at}, {x.at}, {y.at}, {y.n});"]

    return program.step([carry, transform, x], y, text, kernels=["elementwise"])


def masking(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Zeros in the steps whose numbers all are the mask's."""
    (x,) = inputs
    y = program.tensor(x.shape, x.steps)
    value = hexadecimal(layer.data["mask_value"])

    def text() -> list[str]:
        return [f"mask_steps({x.at}, {y.at}, {x.columns}, {x.channels}, {value});"]

    return program.step([x], y, text, kernels=["elementwise"])
