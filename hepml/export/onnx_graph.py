"""A network file as an ONNX graph: its inputs, then node by node an ONNX operator or a few.

Operators: https://onnx.ai/onnx/operators, opset 20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export.onnx_layers import LAYERS
from hepml.export.onnx_parts import FIX, Graph, Value, activated

__all__ = ["IR_VERSION", "OPSET", "build_graph"]

OPSET = 20
IR_VERSION = 9  # of the first ONNX with this opset, so that older runtimes read it
_FLOAT, _DOUBLE = 1, 11  # onnx.TensorProto


def build_graph(document: Mapping[str, Any], helper: Any, numpy_helper: Any) -> Graph:
    """The graph of a network file.

    Args:
        document: a file in the graph form, read by `json.loads`.
        helper, numpy_helper: of the onnx package.

    Raises:
        UnsupportedLayerError: sequences, trees, or another layer or activation that has no entry here.
        DataError: an output has the name of an input.
    """
    if "nodes" not in document:
        raise UnsupportedLayerError(
            "lwtnn's sequential form is not written as ONNX", expected="the graph form", fix=FIX
        )
    if document["input_sequences"]:
        raise UnsupportedLayerError(
            "sequences are not written as ONNX", where="input_sequences", expected="vectors and images", fix=FIX
        )
    graph = Graph(helper, numpy_helper)
    raw = [_input(graph, record) for record in document["inputs"]]
    values: dict[int, Value] = {}
    for name, record in document["outputs"].items():
        if any(name == one["name"] for one in document["inputs"]):
            raise DataError(f"an input and an output are both called {name!r}", fix="rename one")
        value = _value(graph, document, raw, values, int(record["node_index"]))
        graph.nodes.append(helper.make_node("Identity", [value.name], [name]))
        graph.outputs.append(helper.make_tensor_value_info(name, _FLOAT, ["events", *value.shape]))
    return graph


def _input(graph: Graph, record: Mapping[str, Any]) -> Value:
    """(x + offset) * scale in double precision, rounded once, as hepml does it."""
    shape = tuple(int(n) for n in record.get("shape") or [len(record["variables"])])
    graph.inputs.append(graph.helper.make_tensor_value_info(record["name"], _FLOAT, ["events", *shape]))
    value = Value(record["name"], shape)
    if record["variables"]:
        offset, scale = ([variable[key] for variable in record["variables"]] for key in ("offset", "scale"))
    else:
        offset, scale = record["offset"], record["scale"]
    if not np.any(offset) and np.all(np.asarray(scale) == 1):
        return value
    wide = graph.add("Cast", [value], shape, to=_DOUBLE)
    for kind, numbers in (("Add", offset), ("Mul", scale)):
        wide = graph.add(kind, [wide, graph.constant(numbers, np.float64)], shape)
    return graph.add("Cast", [wide], shape, to=_FLOAT)


def _value(graph: Graph, document: Mapping[str, Any], raw: list[Value], values: dict[int, Value], index: int) -> Value:
    """The value of a node; each is computed once. A stack instead of recursion: networks may be deep."""
    waiting = [index]
    while waiting:
        at = waiting[-1]
        node = document["nodes"][at]
        if node["type"] == "input":
            values[at] = raw[node["sources"][0]]
        missing = [] if at in values else [one for one in node["sources"] if one not in values]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if at not in values:
            values[at] = _node(graph, document, node, [values[one] for one in node["sources"]])
    return values[index]


def _node(graph: Graph, document: Mapping[str, Any], node: Mapping[str, Any], sources: list[Value]) -> Value:
    if node["type"] in ("concatenate", "add"):
        return LAYERS[node["type"]](graph, {"axis": len(sources[0].shape) - 1}, sources)
    if node["type"] == "sum":
        return LAYERS["reduce"](graph, {"function": "sum", "axes": [0]}, sources)
    if node["type"] not in ("feed_forward", "layer"):
        raise UnsupportedLayerError(f"nodes of type {node['type']!r} are not written as ONNX", fix=FIX)
    layer = document["layers"][node["layer_index"]]
    kind = layer["architecture"]
    if kind not in LAYERS:
        raise UnsupportedLayerError(
            f"the layer {kind!r} is not written as ONNX",
            where=f"layers[{node['layer_index']}]",
            expected=", ".join(sorted(LAYERS)),
            found=kind,
            fix=FIX,
        )
    return activated(graph, layer.get("activation", "linear"), LAYERS[kind](graph, layer, sources))
