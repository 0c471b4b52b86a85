"""Recurrent layers, in lwtnn's form with keys that lwtnn ignores for what it does not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.activations import ON_ROWS, Activation, activation_of
from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = ["bidirectional", "embedding", "masking", "recurrent", "time_distributed"]

# Layers that work along the last axis, and so on every step of a sequence alike
_LAST_AXIS = frozenset(
    {
        *("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "BatchNormalization", "LayerNormalization"),
        *("RMSNormalization", "UnitNormalization", "Rescaling", "Dropout", "GaussianDropout", "GaussianNoise"),
        *("AlphaDropout", "Identity", "ActivityRegularization"),
    }
)
_GATES = {"LSTM": "ifco", "GRU": "zrh", "SimpleRNN": "h"}  # in Keras' order


def recurrent(layer: Any, values: list[Value], network: Network) -> Value:
    """LSTM, GRU and SimpleRNN; a second value is a mask."""
    if layer.return_state:
        raise refuse(layer, "return_state", True, False)
    return _recurrent(layer, values, network)


def _recurrent(layer: Any, values: list[Value], network: Network, part: str = "") -> Value:
    kind = type(layer).__name__
    if layer.stateful:
        raise refuse(layer, "stateful", True, False, "every event begins with zeros")
    if len(values[0].shape) != 2:
        raise refuse(layer, "input shape", values[0].shape, "(steps, variables)")
    units = int(layer.units)
    shape = (values[0].shape[0], units) if layer.return_sequences else (units,)

    def write() -> dict[str, Any]:
        entry: dict[str, Any] = {"architecture": kind.lower(), "components": _components(layer, kind)}
        entry["activation"] = _activation(layer, "activation")
        if kind != "SimpleRNN":
            entry["inner_activation"] = _activation(layer, "recurrent_activation")
        extras = {
            "return_sequences": None if layer.return_sequences else False,
            "reset_after": (kind == "GRU" and layer.reset_after) or None,
            "go_backwards": layer.go_backwards or None,
            "zero_output_for_mask": (len(values) > 1 and layer.zero_output_for_mask) or None,
        }
        return {**entry, **{key: value for key, value in extras.items() if value is not None}}

    return network.apply(layer, values, shape, write, part)


def _activation(layer: Any, argument: str) -> Activation:
    form = activation_of(layer, getattr(layer, argument), argument)
    if form in ON_ROWS:
        raise refuse(layer, argument, repr(form), "an activation of single elements")
    return form


def _components(layer: Any, kind: str) -> dict[str, dict[str, Any]]:
    """Matrices row-major (units, inputs), the transpose of Keras'; no bias is written as zeros, which lwtnn needs."""
    cell, n = layer.cell, int(layer.units)
    bias = np.asarray(cell.bias, np.float32) if layer.use_bias else None
    after = kind == "GRU" and layer.reset_after
    components = {}
    for k, gate in enumerate(_GATES[kind]):
        columns = slice(k * n, (k + 1) * n)
        component: dict[str, Any] = {
            "weights": np.asarray(cell.kernel, np.float32)[:, columns].T,
            "bias": np.zeros(n, np.float32) if bias is None else (bias[0] if after else bias)[columns],
            "U": np.asarray(cell.recurrent_kernel, np.float32)[:, columns].T,
        }
        if after:
            component["recurrent_bias"] = np.zeros(n, np.float32) if bias is None else bias[1][columns]
        components[gate] = component
    return components


def bidirectional(layer: Any, values: list[Value], network: Network) -> Value:
    """The layer forwards, another one backwards, its steps turned round again, and a merge of the two."""
    halves = []
    for part, half in (("forward", layer.forward_layer), ("backward", layer.backward_layer)):
        if type(half).__name__ not in _GATES:
            raise refuse(layer, "layer", type(half).__name__, "LSTM, GRU or SimpleRNN")
        if half.go_backwards != (part == "backward"):
            raise refuse(layer, "go_backwards", half.go_backwards, part == "backward")
        value = _recurrent(half, values, network, part)
        if part == "backward" and half.return_sequences:
            value = network.apply(half, value, value.shape, lambda: {"architecture": "reverse"}, "reverse")
        halves.append(value)
    kinds = {"concat": "", "sum": "add", "mul": "multiply", "ave": "average"}
    if layer.merge_mode not in kinds:
        raise refuse(layer, "merge_mode", repr(layer.merge_mode), ", ".join(map(repr, kinds)))
    steps = Steps(layer, network)
    if layer.merge_mode == "concat":
        return steps.concatenate(halves, len(halves[0].shape) - 1)
    return steps.combine(kinds[layer.merge_mode], halves)


def time_distributed(layer: Any, values: list[Value], network: Network) -> Value:
    """The inner layer, where it works along the last axis of each step anyway."""
    from hepml.export.layers import handler_of

    inner = layer.layer
    if type(inner).__name__ not in _LAST_AXIS:
        raise refuse(layer, "layer", type(inner).__name__, "one of " + ", ".join(sorted(_LAST_AXIS)))
    if getattr(inner, "axis", -1) not in (-1, (-1,), [-1]):  # another number counts the axes of one step
        raise refuse(layer, "axis", inner.axis, -1)
    return handler_of(inner)(inner, values[:1], network)  # a mask does not change the steps that count


def masking(layer: Any, values: list[Value], network: Network) -> Value:
    """`masking`: zeros in the steps that do not count; who uses the mask has it as a second value."""
    (value,) = values
    if len(value.shape) != 2:
        raise refuse(layer, "input shape", value.shape, "(steps, variables)")
    entry = {"architecture": "masking", "mask_value": float(layer.mask_value)}
    return network.apply(layer, value, value.shape, lambda: entry)


def embedding(layer: Any, values: list[Value], network: Network) -> Value:
    """`embedding`: weights (categories, width), a row for every number."""
    (value,) = values
    width = int(layer.output_dim)

    def write() -> dict[str, Any]:
        return {"architecture": "embedding", "n_out": width, "weights": np.asarray(layer.embeddings, np.float32)}

    return network.apply(layer, value, (*value.shape, width), write)
