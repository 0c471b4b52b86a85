"""Keras activations under the names of the file: lwtnn's where it has the same function, else hepml's own.

lwtnn and Keras disagree about `hard_sigmoid` (clip(0.2 x + 0.5) there, relu6(x + 3) / 6 in Keras 3), so that of Keras
is called `keras_hard_sigmoid`. Functions with a parameter are always written in lwtnn's object form, because its string
form leaves the parameter of `leakyrelu` and `swish` undefined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hepml.errors import UnsupportedLayerError, nearest

__all__ = ["ON_ROWS", "OPERATIONS", "SUPPORTED", "Activation", "activation_of", "layer_activation", "name_of"]

Activation = str | dict[str, Any]

ON_ROWS = ("softmax", "log_softmax", "sparsemax")  # functions of a row; the others are of single elements


def _alpha(function: str, alpha: Any, **more: Any) -> dict[str, Any]:
    return {"function": function, "alpha": float(alpha), **{key: float(value) for key, value in more.items()}}


def _clip(low: Any, high: Any) -> dict[str, Any]:
    limits = {"low": low, "high": high}
    return {"function": "clip", **{key: float(value) for key, value in limits.items() if value is not None}}


def _relu(negative_slope: Any = 0.0, max_value: Any = None, threshold: Any = 0.0) -> Activation:
    slope, low = float(negative_slope), float(threshold)
    if max_value is None and low == 0.0:
        return "rectified" if slope == 0.0 else _alpha("leakyrelu", slope)
    return _alpha("relu", slope, low=low, **({} if max_value is None else {"high": max_value}))


# Keras name -> form in the file, with the default arguments of the function
SUPPORTED: dict[str, Activation] = {
    "linear": "linear",
    "relu": "rectified",
    "relu6": _relu(max_value=6.0),
    "leaky_relu": _alpha("leakyrelu", 0.2),
    "elu": _alpha("elu", 1.0),
    "selu": "selu",
    "celu": _alpha("celu", 1.0),
    "gelu": "gelu",
    "silu": _alpha("swish", 1.0),
    "mish": "mish",
    "sigmoid": "sigmoid",
    "hard_sigmoid": "keras_hard_sigmoid",
    "hard_silu": "hard_silu",
    "log_sigmoid": "log_sigmoid",
    "sparse_sigmoid": "sparse_sigmoid",
    "tanh": "tanh",
    "hard_tanh": _clip(-1.0, 1.0),
    "tanh_shrink": "tanh_shrink",
    "hard_shrink": _alpha("hard_shrink", 0.5),
    "soft_shrink": _alpha("soft_shrink", 0.5),
    "softplus": "softplus",
    "softsign": "softsign",
    "sparse_plus": "sparse_plus",
    "squareplus": _alpha("squareplus", 4.0),
    "exponential": "exp",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "sparsemax": "sparsemax",
}

# Keras operation (a call of keras.activations or keras.ops on a symbolic tensor) -> form, from its arguments
OPERATIONS: dict[str, Callable[[Any], Activation]] = {
    "Identity": lambda _: "linear",
    "Relu": lambda _: "rectified",
    "ReLU": lambda op: _relu(op.negative_slope, op.max_value, op.threshold),
    "Relu6": lambda _: SUPPORTED["relu6"],
    "LeakyRelu": lambda op: _alpha("leakyrelu", op.negative_slope),
    "Elu": lambda op: _alpha("elu", op.alpha),
    "Selu": lambda _: "selu",
    "Celu": lambda op: _alpha("celu", op.alpha),
    "Gelu": lambda op: "gelu_tanh" if op.approximate else "gelu",
    "Silu": lambda _: SUPPORTED["silu"],
    "Mish": lambda _: "mish",
    "Sigmoid": lambda _: "sigmoid",
    "HardSigmoid": lambda _: "keras_hard_sigmoid",
    "HardSilu": lambda _: "hard_silu",
    "LogSigmoid": lambda _: "log_sigmoid",
    "SparseSigmoid": lambda _: "sparse_sigmoid",
    "Tanh": lambda _: "tanh",
    "HardTanh": lambda _: _clip(-1.0, 1.0),
    "TanhShrink": lambda _: "tanh_shrink",
    "HardShrink": lambda op: _alpha("hard_shrink", op.threshold),
    "SoftShrink": lambda op: _alpha("soft_shrink", op.threshold),
    "Softplus": lambda _: "softplus",
    "Softsign": lambda _: "softsign",
    "SparsePlus": lambda _: "sparse_plus",
    "Squareplus": lambda op: _alpha("squareplus", op.b),
    "Threshold": lambda op: _alpha("threshold", op.default_value, low=op.threshold),
    "Softmax": lambda _: "softmax",
    "LogSoftmax": lambda _: "log_softmax",
    "Sparsemax": lambda _: "sparsemax",
    "Absolute": lambda _: "abs",
    "Arcsinh": lambda _: "arcsinh",
    "Arctan": lambda _: "arctan",
    "Ceil": lambda _: "ceil",
    "Clip": lambda op: _clip(op.x_min, op.x_max),
    "Cos": lambda _: "cos",
    "Cosh": lambda _: "cosh",
    "Erf": lambda _: "erf",
    "Exp": lambda _: "exp",
    "Expm1": lambda _: "expm1",
    "Floor": lambda _: "floor",
    "Log": lambda _: "log",
    "Log1p": lambda _: "log1p",
    "Negative": lambda _: "negative",
    "Reciprocal": lambda _: "reciprocal",
    "Round": lambda op: "round" if getattr(op, "decimals", 0) == 0 else _no_decimals(op),
    "Rsqrt": lambda _: "rsqrt",
    "Sign": lambda _: "sign",
    "Sin": lambda _: "sin",
    "Sinh": lambda _: "sinh",
    "Sqrt": lambda _: "sqrt",
    "Square": lambda _: "square",
    "Tan": lambda _: "tan",
}

_LAYERS = ("ReLU", "LeakyReLU", "ELU", "Softmax", "Activation")


def _no_decimals(op: Any) -> Activation:
    raise UnsupportedLayerError(
        f"decimals={op.decimals} of operation {op.name!r} cannot be exported",
        where=f"operation {op.name!r} (Round), argument 'decimals'",
        expected=0,
        found=op.decimals,
    )


def name_of(function: Any) -> str:
    """The name of an activation, for messages and for the table.

    Example:
        >>> name_of(None)
        'linear'
    """
    return "linear" if function is None else str(getattr(function, "__name__", None) or type(function).__name__)


def activation_of(layer: Any, function: Any, argument: str = "activation") -> Activation:
    """The form of a Keras activation function, or of an activation layer given as one.

    Raises:
        UnsupportedLayerError: the function is not one of Keras' own that the file has too.
    """
    import keras

    if isinstance(function, keras.layers.Layer):
        return layer_activation(function)
    if getattr(function, "__module__", None) == "hepml.export.keras2.functions":
        from hepml.export.keras2.functions import FORMS

        return FORMS[function]
    name = name_of(function)
    if name in SUPPORTED and (function is None or function is getattr(keras.activations, name)):
        return SUPPORTED[name]
    same_name = name in SUPPORTED
    raise UnsupportedLayerError(
        f"the activation {name!r} of layer {layer.name!r} cannot be exported",
        where=f"layer {layer.name!r} ({type(layer).__name__}), argument {argument!r}",
        expected="one of " + ", ".join(sorted(SUPPORTED)),
        found=f"a function of your own named {name!r}" if same_name else name,
        nearest=() if same_name else nearest(name, SUPPORTED),
        fix="keras.ops.glu(x) in a functional model: Keras knows its shape there" if name == "glu" else None,
    )


def layer_activation(layer: Any) -> Activation:
    """The form of one of Keras' activation layers.

    Raises:
        UnsupportedLayerError: another layer, or a softmax over other axes than the last.
    """
    import keras

    kind = type(layer).__name__
    if kind not in _LAYERS or type(layer) is not getattr(keras.layers, kind):
        raise UnsupportedLayerError(
            f"the layer {layer.name!r} is not an activation that can be exported",
            where=f"layer {layer.name!r}",
            expected="one of " + ", ".join(_LAYERS),
            found=kind,
            nearest=nearest(kind, _LAYERS),
        )
    if kind == "Activation":
        return activation_of(layer, layer.activation)
    if kind == "ReLU":
        return _relu(layer.negative_slope, layer.max_value, layer.threshold)
    if kind == "LeakyReLU":
        return _alpha("leakyrelu", layer.negative_slope)
    if kind == "ELU":
        return _alpha("elu", layer.alpha)
    if layer.axis not in (-1, (-1,), [-1]):
        raise UnsupportedLayerError(
            f"axis={layer.axis!r} of layer {layer.name!r} cannot be exported as an activation",
            where=f"layer {layer.name!r} ({type(layer).__name__}), argument 'axis'",
            expected=-1,
            found=repr(layer.axis),
            fix="put it behind the layer, not into its argument activation",
        )
    return "softmax"
