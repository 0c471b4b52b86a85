"""From the JSON of a network to a program: nodes in the order of the computation, a handler for each layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.evaluator import Evaluator
from hepml.export.source.axes import COMBINATIONS, MOVES, combine, concatenate_axis, gather, move, on_axes, reduce
from hepml.export.source.convolution import conv1d, conv2d
from hepml.export.source.dense import dense
from hepml.export.source.elementwise import add, concatenate, flatten, last_step, normalization, sum_of_steps
from hepml.export.source.lwtnn import highway, masking, maxout
from hepml.export.source.matrices import attention, embedding, matmul
from hepml.export.source.names import Names
from hepml.export.source.pooling import global_pooling, pooling
from hepml.export.source.program import Layer, Program, Tensor
from hepml.export.source.recurrent import gru, lstm, simplernn
from hepml.export.source.spaces import by_channel, in_groups, pool_volume
from hepml.export.source.trees import trees

__all__ = ["HANDLERS", "REFUSED", "Port", "Result", "build"]

Handler = Callable[[Program, Layer, list[Tensor]], Tensor]

HANDLERS: dict[str, Handler] = {  # with REFUSED every layer of the library: it has read the file before
    **dict.fromkeys(COMBINATIONS, combine),
    **dict.fromkeys(MOVES, move),
    "attention": attention,
    "averagepooling1d": pooling,
    "averagepooling2d": pooling,
    "averagepooling3d": pool_volume,
    "concatenate": concatenate_axis,
    "conv1d": conv1d,
    "conv1dtranspose": in_groups,
    "conv2d": conv2d,
    "conv2dtranspose": in_groups,
    "conv3d": in_groups,
    "conv3dtranspose": in_groups,
    "dense": dense,
    "depthwiseconv1d": by_channel,
    "depthwiseconv2d": by_channel,
    "embedding": embedding,
    "flatten": flatten,
    "gather": gather,
    "globalaveragepooling": global_pooling,
    "globalmaxpooling": global_pooling,
    "groupedconv1d": in_groups,
    "gru": gru,
    "highway": highway,
    "lstm": lstm,
    "masking": masking,
    "matmul": matmul,
    "maxout": maxout,
    "maxpooling1d": pooling,
    "maxpooling2d": pooling,
    "maxpooling3d": pool_volume,
    "normalization": normalization,
    "reduce": reduce,
    "simplernn": simplernn,
    "softmax": on_axes,
    "standardize": on_axes,
    "trees": trees,
}
REFUSED = {  # layer -> why; source has no mathematical library of float64
    "perceptron": "units in double precision",
    "tables": "functions by their tables in double precision",
    "weighted_median": "a median of weighted values",
}
ON_LAST_AXIS = {"dense", "highway", "maxout", "normalization"}  # what lwtnn may apply to each step

KEPT = 1 << 62  # a step after all others: the memory of outputs is not used again


@dataclass(eq=False)
class Port:
    """An input.

    Attributes:
        name: as in the file.
        variables: their names, of a vector or a step.
        tensor: what the network sees.
        offset, scale: one number, or one an element (of a sequence: of a step).
        missing: whether NaN is a missing value that every reader has an answer for.
    """

    name: str
    variables: tuple[str, ...]
    tensor: Tensor
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    missing: bool = False


@dataclass(eq=False)
class Result:
    """An output: its name, its labels and where it is computed."""

    name: str
    labels: tuple[str, ...]
    tensor: Tensor


@dataclass(eq=False)
class _Graph:
    """What both forms of a file have in common."""

    ports: list[Port] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[tuple[str, int, bool]] = field(default_factory=list)  # name, node, only its last step
    n_vectors: int = 0  # inputs that are no sequences come first


def build(
    document: dict[str, Any], evaluator: Evaluator, names: Names, max_steps: int
) -> tuple[Program, list[Port], list[Result]]:
    """The program of a network, its inputs and its outputs.

    Args:
        document: a file that `evaluator` has loaded, so that it is known to be right.
        evaluator: of the same file.
        names: of the parameters.
        max_steps: of sequences whose steps differ by event.

    Raises:
        UnsupportedLayerError: a layer of `REFUSED`, or on each step of a sequence one that lwtnn has not there; the
            message names it.
    """
    program = Program(max_steps)
    sequential = "nodes" not in document and not isinstance(document["outputs"], dict)
    graph = _sequential(document) if sequential else _graph(document)
    items = [{}] if sequential else [*document["inputs"], *document.get("input_sequences", [])]
    _add_inputs(program, graph, items, evaluator, names)
    values: dict[int, Tensor] = {}
    last: dict[Tensor, Tensor] = {}
    for node in _order(graph):
        values[node] = _node(program, graph, node, values, last)
    results = []
    for (name, node, only_last), record in zip(graph.outputs, evaluator.outputs, strict=True):
        tensor = values[node]
        if only_last and len(tensor.shape) == 2:
            tensor = _last(program, tensor, last)
        if tensor.shape != record.shape:
            raise AssertionError(f"output {name!r}: shape {tensor.shape}, but {record.shape} in the evaluator")
        tensor.last = KEPT
        results.append(Result(name, record.labels, tensor))
    _find_missing(program, graph.ports, results)
    program.mark_sparse([port.tensor for port in graph.ports])
    return program, graph.ports, results


def _graph(document: dict[str, Any]) -> _Graph:
    outputs = [(name, output["node_index"], False) for name, output in document["outputs"].items()]
    n_vectors = len(document["inputs"])
    return _Graph(nodes=document["nodes"], layers=document["layers"], outputs=outputs, n_vectors=n_vectors)


def _sequential(document: dict[str, Any]) -> _Graph:
    """lwtnn's sequential form as a chain of nodes."""
    layers = document["layers"]
    steps = {"lstm", "gru", "simplernn", "embedding"}
    recurrent = bool(layers) and layers[0]["architecture"] in steps
    nodes: list[dict[str, Any]] = [{"type": "input_sequence" if recurrent else "input", "sources": [0]}]
    for i, layer in enumerate(layers):
        kind = "sequence" if layer["architecture"] in steps else "feed_forward"
        nodes.append({"type": kind, "sources": [i], "layer_index": i})
    return _Graph(nodes=nodes, layers=layers, outputs=[("outputs", len(layers), recurrent)])


def _add_inputs(
    program: Program, graph: _Graph, items: list[dict[str, Any]], evaluator: Evaluator, names: Names
) -> None:
    for record, item in zip(evaluator.inputs, items, strict=True):
        steps = ("", 0)
        if len(record.shape) == 2 and record.shape[0] is None:
            steps = (names.steps[len(graph.ports)], program.max_steps)  # a parameter of run()
        tensor = program.tensor(record.shape, steps)
        if record.variables:
            offset = np.array([variable.offset for variable in record.variables])
            scale = np.array([variable.scale for variable in record.variables])
        else:
            offset, scale = np.atleast_1d(item.get("offset", 0.0)), np.atleast_1d(item.get("scale", 1.0))
            n = max(len(offset), len(scale))
            offset, scale = np.resize(offset, n).astype(np.float64), np.resize(scale, n).astype(np.float64)
        graph.ports.append(
            Port(record.name, tuple(variable.name for variable in record.variables), tensor, offset, scale)
        )


def _order(graph: _Graph) -> list[int]:
    """The nodes, sources first; the evaluator has refused cycles."""
    order: list[int] = []
    seen: set[int] = set()
    for _, output, _ in graph.outputs:
        stack = [(output, False)]
        while stack:
            node, done = stack.pop()
            if done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))
                record = graph.nodes[node]
                if not record["type"].startswith("input"):
                    stack.extend((source, False) for source in reversed(record["sources"]) if source not in seen)
    return order


def _last(program: Program, tensor: Tensor, known: dict[Tensor, Tensor]) -> Tensor:
    if tensor not in known:
        known[tensor] = last_step(program, tensor)
    return known[tensor]


def _node(program: Program, graph: _Graph, node: int, values: dict[int, Tensor], last: dict[Tensor, Tensor]) -> Tensor:
    record = graph.nodes[node]
    kind: str = record["type"]
    sources: list[int] = record["sources"]
    if kind == "input":
        return graph.ports[sources[0]].tensor
    if kind == "input_sequence":
        return graph.ports[graph.n_vectors + sources[0]].tensor
    inputs = []
    for source in sources:
        tensor = values[source]
        takes_last = kind in ("feed_forward", "concatenate", "add") and graph.nodes[source]["type"] == "sequence"
        inputs.append(_last(program, tensor, last) if takes_last and len(tensor.shape) == 2 else tensor)
    if kind == "concatenate":
        return concatenate(program, inputs)
    if kind == "add":
        return add(program, inputs)
    if kind == "sum":
        return sum_of_steps(program, inputs[0])
    index = record["layer_index"]
    layer = Layer(graph.layers[index], f"layers[{index}]")
    name = layer.data["architecture"]
    if name in REFUSED:
        raise UnsupportedLayerError(
            f"generated source has no layer {name!r}: {REFUSED[name]}; nothing was written",
            where=layer.where,
            found=name,
            fix="evaluate the JSON file with the C++ library",
        )
    if kind == "time_distributed" and name not in ON_LAST_AXIS:
        raise UnsupportedLayerError(
            f"generated source cannot have the layer {name!r} on each step of a sequence; nothing was written",
            where=layer.where,
            expected=f"what lwtnn has there: {', '.join(sorted(ON_LAST_AXIS))}",
            found=name,
            fix="evaluate the JSON file with the C++ library",
        )
    return HANDLERS[name](program, layer, inputs)


def _find_missing(program: Program, ports: list[Port], results: list[Result]) -> None:
    """The inputs whose every reader has an answer to missing values."""
    good = dict.fromkeys(program.tensors, True)
    read: set[Tensor] = set()
    for result in results:
        good[result.tensor] = False
    for step in reversed(program.steps):
        answered = step.missing == "answered" or (step.missing == "passed" and good[step.target])
        for source in step.sources:
            read.add(source)
            good[source] = good[source] and answered
    for port in ports:
        port.missing = port.tensor in read and good[port.tensor]
