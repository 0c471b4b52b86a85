"""What Keras 1 and 2 compute and Keras 3 has no name for, as functions and layers of Keras 3.

Importing this module imports Keras.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["FORMS", "Highway", "MaxoutDense", "SumOverSteps", "Swish", "absolute", "hard_sigmoid"]

_register: Any = keras.saving.register_keras_serializable(package="hepml.keras2")


def hard_sigmoid(x: Any) -> Any:
    """clip(0.2 x + 0.5, 0, 1), as in Keras 1 and 2; Keras 3 has relu6(x + 3) / 6 under this name."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def absolute(x: Any) -> Any:
    """lwtnn's `abs`."""
    return ops.absolute(x)


# lwtnn's names of these functions
FORMS: dict[Any, str] = {_register(hard_sigmoid): "hard_sigmoid", _register(absolute): "abs"}


@_register
class Highway(keras.layers.Layer):  # type: ignore[misc]
    """Keras 1: t = sigmoid(W_carry x + b_carry); y = t activation(W x + b) + (1 - t) x."""

    def __init__(self, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = keras.activations.get(activation)

    def build(self, shape: Any) -> None:
        n = shape[-1]
        for suffix in ("", "_carry"):
            setattr(self, f"W{suffix}", self.add_weight(shape=(n, n), name=f"W{suffix}"))
            setattr(self, f"b{suffix}", self.add_weight(shape=(n,), name=f"b{suffix}"))

    def call(self, x: Any) -> Any:
        carry = ops.sigmoid(ops.matmul(x, self.W_carry) + self.b_carry)
        return carry * self.activation(ops.matmul(x, self.W) + self.b) + (1.0 - carry) * x

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}


@_register
class MaxoutDense(keras.layers.Layer):  # type: ignore[misc]
    """Keras 1: the largest of `nb_feature` dense layers, unit by unit."""

    def __init__(self, units: int, nb_feature: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.nb_feature = units, nb_feature

    def build(self, shape: Any) -> None:
        self.W = self.add_weight(shape=(self.nb_feature, shape[-1], self.units), name="W")
        self.b = self.add_weight(shape=(self.nb_feature, self.units), name="b")

    def call(self, x: Any) -> Any:
        return ops.max(ops.einsum("ei,kio->eko", x, self.W) + self.b, axis=1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "nb_feature": self.nb_feature}


@_register
class SumOverSteps(keras.layers.Layer):  # type: ignore[misc]
    """The sum over the steps of a sequence: lwtnn's node `sum`, which its users train as a layer `Sum`."""

    def call(self, x: Any) -> Any:
        return ops.sum(x, axis=1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], shape[2])


@_register
class Swish(keras.layers.Layer):  # type: ignore[misc]
    """x sigmoid(beta x), which Keras 3 has for beta = 1 only."""

    def __init__(self, beta: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.beta = beta

    def call(self, x: Any) -> Any:
        return x * ops.sigmoid(self.beta * x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}
