"""Keras activations under lwtnn's names.

lwtnn and Keras disagree about `hard_sigmoid` (clip(0.2 x + 0.5) there, relu6(x + 3) / 6 in Keras 3), so that one is
refused. Functions with a parameter are always written in lwtnn's object form, because its string form leaves the
parameter of `leakyrelu` and `swish` undefined.
"""

from __future__ import annotations

from typing import Any

from hepml.errors import UnsupportedLayerError, nearest

__all__ = ["SUPPORTED", "activation_of", "layer_activation", "name_of"]

Activation = str | dict[str, Any]

# Keras name -> lwtnn form
SUPPORTED: dict[str, Activation] = {
    "linear": "linear",
    "relu": "rectified",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "elu": {"function": "elu", "alpha": 1.0},
    "leaky_relu": {"function": "leakyrelu", "alpha": 0.2},
    "silu": {"function": "swish", "alpha": 1.0},
}
_LAYERS = ("ReLU", "LeakyReLU", "ELU", "Softmax", "Activation")


def name_of(function: Any) -> str:
    """The name of an activation, for messages and for the table.

    Example:
        >>> name_of(None)
        'linear'
    """
    return "linear" if function is None else str(getattr(function, "__name__", None) or type(function).__name__)


def activation_of(layer: Any, function: Any, argument: str = "activation") -> Activation:
    """lwtnn's form of a Keras activation function, or of an activation layer given as one.

    Raises:
        UnsupportedLayerError: the function is not one of Keras' own that lwtnn has too.
    """
    import keras

    if isinstance(function, keras.layers.Layer):
        return layer_activation(function)
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
        fix="lwtnn's hard_sigmoid is another function than Keras'" if name == "hard_sigmoid" else None,
    )


def layer_activation(layer: Any) -> Activation:
    """lwtnn's form of one of Keras' activation layers.

    Raises:
        UnsupportedLayerError: another layer, or a parameter that lwtnn's function does not have.
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
        _require(layer, "max_value", layer.max_value is None, "None")
        _require(layer, "threshold", float(layer.threshold) == 0.0, "0")
        slope = float(layer.negative_slope)
        return "rectified" if slope == 0.0 else {"function": "leakyrelu", "alpha": slope}
    if kind == "LeakyReLU":
        return {"function": "leakyrelu", "alpha": float(layer.negative_slope)}
    if kind == "ELU":
        return {"function": "elu", "alpha": float(layer.alpha)}
    _require(layer, "axis", layer.axis in (-1, (-1,), [-1]), "-1")
    return "softmax"


def _require(layer: Any, argument: str, good: bool, expected: str) -> None:
    if not good:
        raise UnsupportedLayerError(
            f"{argument}={getattr(layer, argument)!r} of layer {layer.name!r} cannot be exported",
            where=f"layer {layer.name!r} ({type(layer).__name__}), argument {argument!r}",
            expected=expected,
            found=repr(getattr(layer, argument)),
        )
