"""Layers that shift and scale: y = (x + offset) * scale, lwtnn's `normalization`.

Directly behind an input, Normalization and Rescaling become the input's own offset and scale (`hepml.export.inputs`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.layers.dense import require_vector
from hepml.export.network import Network, Value, refuse

__all__ = ["affine_of", "batch_normalization", "normalization", "rescaling"]

Array = NDArray[np.float64]
_HUGE = 1e30  # beyond it, offsets leave the range of float32


def affine_of(layer: Any, shape: tuple[int, ...]) -> tuple[Array, Array] | None:
    """Offset and scale of a Normalization or Rescaling, each of `shape`; None if it has no such form (scale 0).

    Raises:
        UnsupportedLayerError: the layer's constants are not known.
    """
    import keras

    if isinstance(layer, keras.layers.Rescaling):
        scale, shift = (np.asarray(part, dtype=np.float32).astype(np.float64) for part in (layer.scale, layer.offset))
        if np.any(scale == 0.0):
            return None
        offset = shift / scale
    else:
        if layer.mean is None or layer.variance is None:
            raise refuse(layer, "mean", "not known before the layer is adapted", "mean= and variance=, or adapt()")
        mean = np.asarray(layer.mean, dtype=np.float64)
        root = np.sqrt(np.asarray(layer.variance, dtype=np.float32))  # rounded as in Keras, which divides by it
        deviation = np.maximum(root, np.float32(keras.config.epsilon())).astype(np.float64)
        scale = deviation if layer.invert else 1.0 / deviation
        offset = mean / deviation if layer.invert else -mean
        offset, scale = np.broadcast_arrays(offset, scale)
        if offset.ndim:  # Keras keeps an axis of length 1 for the events
            offset, scale = offset[0], scale[0]
    if not (np.all(np.isfinite(offset)) and np.all(np.isfinite(scale)) and np.max(np.abs(offset)) < _HUGE):
        raise refuse(layer, "scale", "so extreme that float32 cannot hold offset and scale", "moderate constants")
    return np.broadcast_to(offset, shape).astype(np.float64), np.broadcast_to(scale, shape).astype(np.float64)


def _write(layer: Any, value: Value, network: Network, affine: tuple[Array, Array], shift: Array) -> Value:
    """Writes y = (x + offset) * scale; `shift`, its value at x = 0, serves where no offset gives it."""
    require_vector(layer, value)
    offset, scale = affine

    def as_normalization() -> dict[str, Any]:
        return {"architecture": "normalization", "weights": scale, "bias": offset}

    def as_dense() -> dict[str, Any]:
        return {"architecture": "dense", "weights": np.diag(scale), "bias": shift, "activation": "linear"}

    exact = bool(np.all(scale != 0.0) and np.all(np.abs(offset) < _HUGE))
    return network.apply(layer, value, value.shape, as_normalization if exact else as_dense)


def normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """A Normalization that is not directly behind an input."""
    (value,) = values
    require_vector(layer, value)
    affine = affine_of(layer, value.sizes)
    assert affine is not None  # its scale is never 0
    return _write(layer, value, network, affine, affine[0] * affine[1])


def rescaling(layer: Any, values: list[Value], network: Network) -> Value:
    """A Rescaling that is not directly behind an input."""
    (value,) = values
    require_vector(layer, value)
    scale = np.broadcast_to(np.asarray(layer.scale, dtype=np.float32), value.sizes).astype(np.float64)
    shift = np.broadcast_to(np.asarray(layer.offset, dtype=np.float32), value.sizes).astype(np.float64)
    offset = np.divide(shift, scale, out=np.zeros_like(shift), where=scale != 0.0)
    return _write(layer, value, network, (offset, scale), shift)


def batch_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """BatchNormalization with its moving mean and variance, as in inference."""
    (value,) = values
    require_vector(layer, value)
    if layer.axis not in (-1, 1):
        raise refuse(layer, "axis", layer.axis, -1)
    mean = np.asarray(layer.moving_mean, dtype=np.float64)
    deviation = np.sqrt(np.asarray(layer.moving_variance, dtype=np.float64) + layer.epsilon)
    gamma = np.asarray(layer.gamma, dtype=np.float64) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta, dtype=np.float64) if layer.center else np.zeros_like(mean)
    scale = gamma / deviation
    with np.errstate(over="ignore"):
        offset = np.divide(beta, scale, out=np.zeros_like(beta), where=scale != 0.0) - mean
    return _write(layer, value, network, (offset, scale), beta - mean * scale)
