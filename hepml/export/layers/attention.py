"""Attention: projections as `dense` layers on each step, and the `attention` between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.network import Network, Value, refuse
from hepml.export.steps import Steps

__all__ = ["attention", "group_query_attention", "multi_head_attention"]


def multi_head_attention(layer: Any, call: dict[str, Any], network: Network) -> Value:
    """Heads of query, key and value next to each other; several axes of steps are taken as one."""
    query, value, key = _three(call)
    steps = Steps(layer, network)
    axes = tuple(range(1, len(query.shape)))
    if tuple(layer._attention_axes) != axes:
        raise refuse(layer, "attention_axes", layer._attention_axes, f"{axes}, all axes of steps")
    causal = _causal(layer, call)
    if len(axes) > 1 and (causal or layer._sliding_window is not None):
        raise refuse(layer, "use_causal_mask", causal, "no mask between steps of several axes")
    if layer._output_shape is not None and len(layer._output_shape) > 1:
        raise refuse(layer, "output_shape", layer._output_shape, "one axis")
    heads = {"heads": int(layer._num_heads), "scale": float(layer._inverse_sqrt_key_dim)}
    entry = heads | _mask(layer, causal, layer._sliding_window, query, key)
    gate = layer._gate_dense if layer._use_gate else None
    result = _attend(steps, [_as_sequence(steps, part) for part in (query, key, value)], entry, gate)
    return steps.reshape(result, [*query.shape[:-1], result.width]) if len(axes) > 1 else result


def group_query_attention(layer: Any, call: dict[str, Any], network: Network) -> Value:
    """Attention with fewer heads of key and value, each serving several of the query."""
    query, value, key = _three(call)
    heads = {"heads": int(layer.num_query_heads), "key_heads": int(layer.num_key_value_heads)}
    entry = heads | {"scale": float(layer._inverse_sqrt_head_dim)}
    entry |= _mask(layer, _causal(layer, call), layer.sliding_window, query, key)
    return _attend(Steps(layer, network), [query, key, value], entry, layer._gate_dense if layer.use_gate else None)


def _mask(layer: Any, causal: bool, window: int | None, query: Value, key: Value) -> dict[str, Any]:
    """Which steps of the key a step of the query sees."""
    if window is not None and query.node != key.node:  # it could see none
        raise refuse(layer, "sliding_window", window, "None, but in self-attention")
    return ({"causal": True} if causal else {}) | ({} if window is None else {"window": int(window)})


def _attend(steps: Steps, parts: list[Value], entry: dict[str, Any], gate: Any) -> Value:
    layer = steps.layer
    projections = (layer._query_dense, layer._key_dense, layer._value_dense)
    query, key, value = (_project(steps, part, by) for part, by in zip(parts, projections, strict=True))
    width = value.width // entry.get("key_heads", entry["heads"]) * entry["heads"]
    mixed = steps.put([query, key, value], (query.shape[0], width), {"architecture": "attention", **entry})
    if gate is not None:
        mixed = steps.combine("multiply", [mixed, _project(steps, parts[0], gate, "sigmoid")])
    return _project(steps, mixed, layer._output_dense)


def _project(steps: Steps, value: Value, by: Any, form: str = "linear") -> Value:
    """An EinsumDense of the layer's own: its kernel is (inputs, heads, size) or (heads, size, units)."""
    kernel = np.asarray(by.kernel, dtype=np.float32).reshape(value.width, -1)
    bias = None if by.bias is None else np.asarray(by.bias, dtype=np.float32).ravel()
    return steps.dense(value, kernel, bias, form)


def attention(layer: Any, call: dict[str, Any], network: Network) -> Value:
    """Attention and AdditiveAttention: one head, without projections."""
    query, value, *more = call["inputs"]
    key = more[0] if more else value
    for part in (query, value, key):
        if len(part.shape) != 2:
            raise refuse(layer, "input shape", part.shape, "(steps, variables)")
    causal = _causal(layer, call)
    entry: dict[str, Any] = {"architecture": "attention", "heads": 1, "scale": 1.0}
    additive = type(layer).__name__ == "AdditiveAttention"
    if additive:
        entry["weights"] = np.asarray(layer.scale if layer.use_scale else np.ones(query.width), dtype=np.float32)
    elif layer.scale is not None:
        entry["scale"] = float(np.asarray(layer.scale))
    if not additive and layer.score_mode == "concat":
        entry["weights"] = np.full(query.width, float(np.asarray(layer.concat_score_weight)), np.float32)
    if causal:
        entry["causal"] = True
    return Steps(layer, network).put([query, key, value], (query.shape[0], value.width), entry)


def _three(call: dict[str, Any]) -> tuple[Value, Value, Value]:
    """Query, value and key of a call."""
    query, value = call["query"], call["value"]
    key = call.get("key")
    return query, value, value if key is None else key


def _as_sequence(steps: Steps, value: Value) -> Value:
    if len(value.shape) == 2:
        return value
    sizes = steps.fixed(value)
    return steps.reshape(value, [int(np.prod(sizes[:-1])), sizes[-1]])


def _causal(layer: Any, call: dict[str, Any]) -> bool:
    for name, given in call.items():
        plain = name in ("inputs", "query", "value", "key", "use_causal_mask", "training")
        if not plain and given is not None and given is not False:
            raise refuse(layer, name, given, f"a call without {name}")
    if call.get("training"):
        raise refuse(layer, "training", True, "a call without training")
    return bool(call.get("use_causal_mask"))
