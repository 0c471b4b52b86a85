"""Keras models as chains of affine maps and activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError, nearest
from hepml.export.activations import activation_of, layer_activation
from hepml.export.graph import calls_of, key_of, traced
from hepml.export.layers.normalization import affine_of
from hepml.export.reference import in_float64
from tmva_bridge.models.model import Written
from tmva_bridge.models.networks import Step, written_network

__all__ = ["written_keras"]

Array = NDArray[np.float64]


def written_keras(model: Any, analysis: str | None, signal: int) -> Written:
    """What the file of a Keras model says.

    Raises:
        UnsupportedLayerError: a layer, activation or graph that TMVA's MLP cannot express, with the reason.
        DataError: not a model, not built, or weights that are not finite.
    """
    graph = traced(model)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(graph.inputs[0].shape) != 2:
        raise UnsupportedLayerError(
            f"the model {model.name!r} cannot be written for TMVA: its MLP is a chain from one vector to one vector",
            expected="one input of shape (variables,) and one output",
            found=f"{len(graph.inputs)} inputs of {[tuple(one.shape[1:]) for one in graph.inputs]}, "
            f"{len(graph.outputs)} outputs",
        )
    steps = _steps(graph)
    for step in steps:
        if isinstance(step, tuple) and not all(np.isfinite(part).all() for part in step):
            raise DataError(f"the model {model.name!r} has weights that are not finite", fix="train it again")
    exact = in_float64(graph) or graph

    def judge(x: Array) -> Array:
        return np.asarray(exact.predict(x, verbose=0, batch_size=4096), np.float64)

    return written_network(model.name, steps, graph.inputs[0].shape[1], judge, analysis=analysis, signal=signal)


def _steps(model: Any) -> list[Step]:
    steps: list[Step] = []
    at = key_of(model.inputs[0])
    for call in calls_of(model):
        if len(call.inputs) != 1 or len(call.outputs) != 1 or key_of(call.inputs[0]) != at:
            raise UnsupportedLayerError(
                f"the model {model.name!r} cannot be written for TMVA: its layers are no chain",
                where=f"layer {call.layer.name!r}",
                expected="each layer applied to the one before",
                found=f"{len(call.inputs)} inputs, or a branch",
            )
        at = key_of(call.outputs[0])
        steps += _of_layer(call.layer, int(call.inputs[0].shape[-1]))
    return steps


def _of_layer(layer: Any, width: int) -> list[Step]:
    import keras

    if isinstance(layer, keras.Model):
        return _steps(traced(layer))
    kind = type(layer).__name__
    if kind in _ACTIVATIONS:
        return [layer_activation(layer)]
    if kind not in _LAYERS or type(layer) is not getattr(keras.layers, kind):
        raise UnsupportedLayerError(
            f"the layer {layer.name!r} cannot be written for TMVA",
            where=f"layer {layer.name!r}",
            expected=", ".join([*_LAYERS, *_ACTIVATIONS]),
            found=kind,
            nearest=nearest(kind, _LAYERS),
        )
    return _LAYERS[kind](layer, width)


def _dense(layer: Any, width: int) -> list[Step]:
    kernel = np.asarray(layer.kernel, np.float64)
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else np.zeros(kernel.shape[1])
    return [(kernel, bias), activation_of(layer, layer.activation)]


def _scaled(layer: Any, width: int) -> list[Step]:
    found = affine_of(layer, (width,))
    if found is None:
        raise UnsupportedLayerError(f"the layer {layer.name!r} has a scale of 0", where=f"layer {layer.name!r}")
    offset, scale = found
    return [(np.diag(scale), offset * scale)]


def _batch(layer: Any, width: int) -> list[Step]:
    mean, variance = (np.asarray(one, np.float64) for one in (layer.moving_mean, layer.moving_variance))
    scale = (np.asarray(layer.gamma, np.float64) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    shift = (np.asarray(layer.beta, np.float64) if layer.center else 0.0) - mean * scale
    return [(np.diag(scale), shift)]


def _nothing(layer: Any, width: int) -> list[Step]:
    """Outside of training it does nothing."""
    return []


_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "Softmax")
_LAYERS: dict[str, Callable[[Any, int], list[Step]]] = {
    "Dense": _dense,
    "Normalization": _scaled,
    "Rescaling": _scaled,
    "BatchNormalization": _batch,
    "Dropout": _nothing,
    "GaussianDropout": _nothing,
    "GaussianNoise": _nothing,
    "AlphaDropout": _nothing,
    "ActivityRegularization": _nothing,
    "Identity": _nothing,
    "Flatten": _nothing,
}
