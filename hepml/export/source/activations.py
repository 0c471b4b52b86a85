"""Activations as function objects of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.source.program import Layer, Local, Program, Tensor

__all__ = ["FUNCTIONS", "ROWS", "activate", "function_of", "hexadecimal"]

# of single elements: name in the file -> name in the kernels, file of kernels, parameters
FUNCTIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "linear": ("Linear", "functions", ()),
    "rectified": ("Rectified", "functions", ()),
    "sigmoid": ("Sigmoid", "functions", ()),
    "hard_sigmoid": ("HardSigmoid", "functions", ()),
    "tanh": ("Tanh", "functions", ()),
    "abs": ("Absolute", "functions", ()),
    "leakyrelu": ("LeakyRelu", "functions", ("alpha",)),
    "swish": ("Swish", "functions", ("alpha",)),
    "elu": ("Elu", "more", ("alpha",)),
    "relu": ("Relu", "more", ("alpha", "low", "high")),
    "clip": ("Clip", "more", ("low", "high")),
    "keras_hard_sigmoid": ("KerasHardSigmoid", "more", ()),
    "hard_silu": ("HardSilu", "more", ()),
    "selu": ("Selu", "more", ()),
    "celu": ("Celu", "more", ("alpha",)),
    "gelu": ("Gelu", "more", ()),
    "gelu_tanh": ("GeluTanh", "more", ()),
    "mish": ("Mish", "more", ()),
    "softplus": ("Softplus", "more", ()),
    "softsign": ("Softsign", "more", ()),
    "log_sigmoid": ("LogSigmoid", "more", ()),
    "hard_shrink": ("HardShrink", "more", ("alpha",)),
    "soft_shrink": ("SoftShrink", "more", ("alpha",)),
    "tanh_shrink": ("TanhShrink", "more", ()),
    "squareplus": ("Squareplus", "more", ("alpha",)),
    "sparse_plus": ("SparsePlus", "more", ()),
    "sparse_sigmoid": ("SparseSigmoid", "more", ()),
    "threshold": ("Threshold", "more", ("alpha", "low")),
    "exp": ("Exp", "more", ()),
    "expm1": ("Expm1", "more", ()),
    "log": ("Log", "more", ()),
    "log1p": ("Log1p", "more", ()),
    "sqrt": ("Sqrt", "more", ()),
    "rsqrt": ("Rsqrt", "more", ()),
    "square": ("Square", "more", ()),
    "reciprocal": ("Reciprocal", "more", ()),
    "negative": ("Negative", "more", ()),
    "sign": ("Sign", "more", ()),
    "erf": ("Erf", "more", ()),
    "sinh": ("Sinh", "more", ()),
    "cosh": ("Cosh", "more", ()),
    "arcsinh": ("Arcsinh", "more", ()),
    "round": ("Round", "more", ()),
    "floor": ("Floor", "more", ()),
    "ceil": ("Ceil", "more", ()),
    "sin": ("Sin", "angles", ()),
    "cos": ("Cos", "angles", ()),
    "tan": ("Tan", "angles", ()),
    "arctan": ("Arctan", "angles", ()),
}
# of whole rows
ROWS = {"softmax": "Softmax", "log_softmax": "LogSoftmax", "sparsemax": "Sparsemax"}


def hexadecimal(value: float, kind: str = "float") -> str:
    """A C++ literal of exactly this number.

    Example:
        >>> hexadecimal(0.1), hexadecimal(-3.0, "double"), hexadecimal(0.0)
        ('0x1.99999ap-4F', '-0x1.8p1', '0')
    """
    value = float(np.float32(value) if kind == "float" else value)
    if value == 0.0:
        return "0" if str(value) == "0.0" else "-0.0F"
    if np.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    mantissa, power = value.hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{int(power)}{'F' if kind == 'float' else ''}"


def function_of(program: Program, layer: Layer, key: str = "activation") -> tuple[str, bool]:
    """C++ text of the function object of an activation, and whether it is one of whole rows."""
    given: Any = layer.data.get(key, "linear")
    name = given["function"] if isinstance(given, dict) else given
    if name in ROWS:
        program.kernels.add("rows" if name == "softmax" else "tensors")
        return f"{ROWS[name]}{{}}", True
    functor, kernels, parameters = FUNCTIONS[name]
    program.kernels.add(kernels)
    values = given if isinstance(given, dict) else {}
    absent = {"alpha": 1.0, "low": -np.inf if name == "clip" else 0.0, "high": np.inf}
    texts = [hexadecimal(float(values.get(parameter, absent[parameter]))) for parameter in parameters]
    return f"{functor}{{{', '.join(texts)}}}", False


def activate(program: Program, x: Tensor, function: str, rows: bool) -> Tensor:
    """An activation as a step of its own; none for the linear one."""
    if function == "Linear{}":
        return x
    y = program.tensor(x.shape, x.steps)

    def text() -> list[str]:
        if not rows and x.is_packed and y.is_packed:
            return [f"each({x.at}, {y.at}, {x.n}, {function});"]
        call = f"{function}" if rows else ""
        n = x.channels
        body = (
            f"{call}(x + c * {n}, y + c * {n}, {n});" if rows else f"each(x + c * {n}, y + c * {n}, {n}, {function});"
        )
        return [
            f"for (std::size_t r = 0; r < {x.rows}; ++r) {{",
            f"  const float* x = {x.at} + r * {x.row_stride};",
            f"  float* y = {y.at} + r * {y.row_stride};",
            f"  for (std::size_t c = 0; c < {x.columns}; ++c) {body}",
            "}",
        ]

    from hepml.export.source.elementwise import pixels

    n = x.channels
    one = f"{function}(x, y, {n});" if rows else f"each(x, y, {n}, {function});"
    local = Local((1, 1, 0), (1, 1, 0), lambda: pixels(x, y, one)) if len(x.shape) == 3 else None
    return program.step([x], y, text, local=local)
