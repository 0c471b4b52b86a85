"""Networks without a published preset, with random weights, to measure the evaluator with."""

from __future__ import annotations

from typing import Any

from networks import Writer

GATES = {"gru": "zrh", "lstm": "ifco"}


def unscaled(file: dict[str, Any]) -> dict[str, Any]:
    """The network without scaling of its inputs, as its peer sees them."""
    for item in file["inputs"]:
        if "shape" in item:
            item.update(offset=0.0, scale=1.0)
        for variable in item["variables"]:
            variable.update(offset=0.0, scale=1.0)
    return file


def deep(n_in: int, layers: int, units: int) -> dict[str, Any]:
    """A chain of dense layers."""
    writer = Writer(0)
    at, width = writer.node("input", [0], size=n_in), n_in
    for _ in range(layers):
        at, width = writer.dense(at, width, units, "rectified"), units
    at = writer.dense(at, width, 1, "sigmoid")
    variables = [{"name": f"v{i}", "offset": 0.0, "scale": 1.0} for i in range(n_in)]
    return {
        "inputs": [{"name": "x", "variables": variables}],
        "input_sequences": [],
        "nodes": writer.nodes,
        "layers": writer.layers,
        "outputs": {"output": {"labels": ["signal"], "node_index": at}},
    }


def mnist() -> dict[str, Any]:
    """The small convolutional network of the MNIST example: 11,042 parameters."""
    writer = Writer(0)
    at = writer.conv(writer.node("input", [0], size=784), 1, 4)
    writer.layers[0]["padding"] = "valid"
    at = writer.layer(at, architecture="maxpooling2d", pool_size=[2, 2], strides=[2, 2], padding="same")
    at = writer.layer(at, architecture="flatten")
    at = writer.dense(writer.dense(at, 676, 16, "rectified"), 16, 10, "softmax")
    return {
        "inputs": [{"name": "x", "shape": [28, 28, 1], "offset": 0.0, "scale": 1.0, "variables": []}],
        "input_sequences": [],
        "nodes": writer.nodes,
        "layers": writer.layers,
        "outputs": {"output": {"labels": [str(i) for i in range(10)], "node_index": at}},
    }


def recurrent(kind: str, *, units: int = 25, reset_after: bool = False) -> dict[str, Any]:
    """Units on 15 steps of 6 variables, and 4 classes; of a GRU, Keras' reset_after."""
    writer = Writer(0)
    writer.node("input_sequence", [0], size=6)

    def component() -> dict[str, Any]:
        parts = {"weights": ((units, 6), 6 + units), "U": ((units, units), 2 * units), "bias": ((units,), 600)}
        if reset_after:
            parts["recurrent_bias"] = ((units,), 600)
        return {key: writer.weights(*size).ravel().tolist() for key, size in parts.items()}

    components = {gate: component() for gate in GATES[kind]}
    cell = {"architecture": kind, "components": components, "activation": "tanh", "inner_activation": "sigmoid"}
    if reset_after:
        cell["reset_after"] = True
    writer.layers.append({**cell, "return_sequences": False})
    at = writer.dense(writer.node("sequence", [0], layer_index=0), units, 4, "softmax")
    variables = [{"name": f"v{i}", "offset": 0.0, "scale": 1.0} for i in range(6)]
    return {
        "inputs": [],
        "input_sequences": [{"name": "x", "steps": 15, "variables": variables}],
        "nodes": writer.nodes,
        "layers": writer.layers,
        "outputs": {"output": {"labels": list("abcd"), "node_index": at}},
    }
