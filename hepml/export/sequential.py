"""lwtnn's sequential form of a network that is a chain: `inputs`, `layers`, `outputs`, `defaults`.

lwtnn's classes for this form evaluate the recurrent layers first and the others, in their order, on the last step; a
chain in another order has to be written as a graph.
"""

from __future__ import annotations

from typing import Any

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export.network import Network, Value

__all__ = ["sequential_document"]

_RECURRENT = frozenset({"lstm", "gru", "simplernn", "embedding"})


def sequential_document(
    network: Network, results: list[Value], labels: list[str], misc: dict[str, str]
) -> dict[str, Any]:
    """The document of a network.

    Args:
        network: what `add_model` made: one input, and a node for each layer.
        results: the values of its outputs.
        labels: of the units of the only output.
        misc: texts of the user.

    Raises:
        UnsupportedLayerError: the network is no chain of layers, or of layers in another order.
        DataError: labels that do not fit the output.
    """
    fix = "write the graph form: a variables file with input_sequences and outputs instead of class_labels"
    inputs = network.inputs + network.input_sequences
    chain = [node for node in network.nodes if node["type"] not in ("input", "input_sequence")]
    straight = all(len(node["sources"]) == 1 and "layer_index" in node for node in chain)
    following = [node["sources"][0] for node in chain] == list(range(len(chain)))
    if len(inputs) != 1 or len(results) != 1 or not straight or not following or results[0].node != len(chain):
        raise UnsupportedLayerError(
            "the network is no chain of layers, so lwtnn's sequential form cannot hold it", fix=fix
        )
    layers = [network.layers[node["layer_index"]] for node in chain]
    kinds = [str(layer["architecture"]) for layer in layers]
    recurrent = [kind in _RECURRENT for kind in kinds]
    in_order = sorted(recurrent, reverse=True) == recurrent and (
        bool(network.input_sequences) == (recurrent[:1] == [True])
    )
    if not in_order or "conv1d" in kinds or any(node["type"] == "time_distributed" for node in chain):
        raise UnsupportedLayerError(
            "lwtnn's sequential form evaluates recurrent layers first, then layers on the last step",
            expected="recurrent layers, then dense ones",
            found=", ".join(kinds),
            fix=fix,
        )
    if len(results[0].shape) != 1:
        raise UnsupportedLayerError(
            "lwtnn's sequential form gives the last step only", expected="return_sequences=False", fix=fix
        )
    if len(labels) != results[0].width or len(set(labels)) != len(labels):
        raise DataError(
            "the class_labels do not fit the model",
            expected=f"{results[0].width} different names",
            found=", ".join(labels),
        )
    variables = inputs[0]["variables"]
    document: dict[str, Any] = {
        "inputs": [{key: value for key, value in one.items() if key != "default"} for one in variables],
        "layers": layers,
        "outputs": labels,
        "defaults": {one["name"]: one["default"] for one in variables if "default" in one},
    }
    return {**document, "miscellaneous": misc} if misc else document
