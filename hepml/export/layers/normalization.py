"""Layers that shift and scale: y = (x + offset) * scale, lwtnn's `normalization`.

Directly behind an input, Normalization and Rescaling become the input's own offset and scale (`hepml.export.inputs`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = [
    "affine_of",
    "batch_normalization",
    "group_normalization",
    "layer_normalization",
    "normalization",
    "rescaling",
    "rms_normalization",
    "unit_normalization",
]

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


def _write(steps: Steps, value: Value, affine: tuple[Array, Array], shift: Array, axis: int | None = None) -> Value:
    """Writes y = (x + offset) * scale; `shift`, its value at x = 0, serves where no offset gives it.

    Args:
        steps: writes them.
        value: x.
        affine: offset and scale, for each element along `axis`, or with as many axes as x.
        shift: offset * scale.
        axis: of x.
    """
    rank = len(value.shape)
    offset, scale = affine
    last = rank - 1
    exact = bool(np.all(scale != 0.0) and np.all(np.abs(offset) < _HUGE))
    if axis == last:
        if exact:
            return steps.put([value], value.shape, {"architecture": "normalization", "weights": scale, "bias": offset})
        if value.is_vector:
            return steps.dense(value, np.diag(scale), shift)
    if axis is not None:
        scale, shift = (part.reshape([-1 if k == axis else 1 for k in range(rank)]) for part in (scale, shift))
    return steps.affine(value, scale, shift)


def normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """A Normalization that is not directly behind an input."""
    (value,) = values
    affine = affine_of(layer, value.sizes[-1:]) if value.is_vector else _affine_on_axes(layer, len(value.shape))
    assert affine is not None  # its scale is never 0
    return _write(Steps(layer, network), value, affine, affine[0] * affine[1], 0 if value.is_vector else None)


def _affine_on_axes(layer: Any, rank: int) -> tuple[Array, Array]:
    """Offset and scale of a Normalization, with axes of length 1 where they are the same."""
    shape = np.shape(layer.mean)[1:] if np.ndim(layer.mean) > rank else np.shape(layer.mean)
    affine = affine_of(layer, tuple(shape) if shape else (1,) * rank)
    assert affine is not None
    return affine


def rescaling(layer: Any, values: list[Value], network: Network) -> Value:
    """A Rescaling that is not directly behind an input."""
    (value,) = values
    scale, shift = (np.asarray(part, dtype=np.float32).astype(np.float64) for part in (layer.scale, layer.offset))
    steps = Steps(layer, network)
    if not value.is_vector:
        return steps.affine(value, scale, shift)
    scale, shift = np.broadcast_to(scale, value.sizes), np.broadcast_to(shift, value.sizes)
    offset = np.divide(shift, scale, out=np.zeros_like(shift), where=scale != 0.0)
    return _write(steps, value, (offset, scale), shift, 0)


def batch_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """BatchNormalization with its moving mean and variance, as in inference."""
    (value,) = values
    steps = Steps(layer, network)
    axis = steps.axis(layer.axis, len(value.shape))
    mean = np.asarray(layer.moving_mean, dtype=np.float64)
    deviation = np.sqrt(np.asarray(layer.moving_variance, dtype=np.float64) + layer.epsilon)
    gamma = np.asarray(layer.gamma, dtype=np.float64) if layer.scale else np.ones_like(mean)
    beta = np.asarray(layer.beta, dtype=np.float64) if layer.center else np.zeros_like(mean)
    scale = gamma / deviation
    with np.errstate(over="ignore"):
        offset = np.divide(beta, scale, out=np.zeros_like(beta), where=scale != 0.0) - mean
    return _write(steps, value, (offset, scale), beta - mean * scale, axis)


def layer_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """`standardize` over the axes, then gamma and beta."""
    (value,) = values
    steps = Steps(layer, network)
    axes = steps.axes(layer.axis, len(value.shape))
    if getattr(layer, "rms_scaling", False):
        raise refuse(layer, "rms_scaling", True, False, "RMSNormalization is the layer of that name")
    result = steps.standardize("layer", value, axes, layer.epsilon)
    return _gain(steps, result, axes, layer.gamma, layer.beta)


def rms_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """`standardize` by the root of the mean square over the axes, then the scale."""
    (value,) = values
    steps = Steps(layer, network)
    axes = steps.axes(layer.axis, len(value.shape))
    return _gain(steps, steps.standardize("rms", value, axes, layer.epsilon), axes, layer.scale, None)


def _gain(steps: Steps, value: Value, axes: list[int], gamma: Any, beta: Any) -> Value:
    shape = [n if n is not None and k in axes else 1 for k, n in enumerate(value.shape)]
    scale, shift = (
        np.full((), empty) if part is None else np.asarray(part, dtype=np.float64).reshape(shape)
        for part, empty in ((gamma, 1.0), (beta, 0.0))
    )
    return steps.affine(value, scale, shift)


def group_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """`standardize` of an axis in groups, over all other axes; then gamma and beta."""
    (value,) = values
    steps = Steps(layer, network)
    axis = steps.axis(layer.axis, len(value.shape))
    sizes = steps.fixed(value)
    groups = int(layer.groups)
    grouped = steps.reshape(value, [*sizes[:axis], groups, sizes[axis] // groups, *sizes[axis + 1 :]])
    others = [k for k in range(len(grouped.shape)) if k != axis]
    result = steps.reshape(steps.standardize("layer", grouped, others, layer.epsilon), sizes)
    return _gain(steps, result, [axis], layer.gamma, layer.beta)


def unit_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """`standardize` to unit length over the axes."""
    (value,) = values
    steps = Steps(layer, network)
    return steps.standardize("unit", value, steps.axes(layer.axis, len(value.shape)), 1e-24)  # 1e-12 squared
