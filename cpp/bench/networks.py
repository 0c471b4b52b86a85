"""Write the seven published networks with random weights as network files, to measure the evaluator with.

    python cpp/bench/networks.py FOLDER

The sizes are those of arXiv:2011.01984; the weights are Glorot-uniform from a fixed seed, biases small.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGES = {"et": 31, "ht": 32}
# name -> (inputs in the order of the model, convolution blocks, filters, dense layers, units)
PRESETS: dict[str, tuple[tuple[str, ...], int, int, int, int]] = {
    "hl": (("hl",), 0, 0, 5, 149),
    "mass": (("mass",), 0, 0, 3, 10),
    "hl_and_mass": (("hl", "mass"), 0, 0, 3, 109),
    "et": (("et",), 3, 117, 2, 160),
    "ht": (("ht",), 2, 27, 2, 84),
    "et_and_ht": (("et", "ht"), 3, 47, 2, 146),
    "et_and_ht_and_hl": (("et", "ht", "hl"), 3, 34, 2, 154),
}


def _numbers(values: NDArray[np.float32]) -> list[float]:
    """The shortest decimals that give the float32 back."""
    return [float(str(value)) for value in values.ravel()]


class Writer:
    """Collects layers and nodes of one network."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers: list[dict[str, Any]] = []
        self.nodes: list[dict[str, Any]] = []

    def node(self, kind: str, sources: list[int], **more: int) -> int:
        self.nodes.append({"type": kind, "sources": sources, **more})
        return len(self.nodes) - 1

    def layer(self, source: int, **layer: Any) -> int:
        self.layers.append(layer)
        return self.node("feed_forward", [source], layer_index=len(self.layers) - 1)

    def weights(self, shape: tuple[int, ...], fan: int) -> NDArray[np.float32]:
        limit = np.sqrt(6 / fan)
        return self.rng.uniform(-limit, limit, shape).astype(np.float32)

    def dense(self, source: int, n_in: int, n_out: int, activation: str) -> int:
        kernel, bias = self.weights((n_out, n_in), n_in + n_out), self.weights((n_out,), 600)
        return self.layer(
            source, architecture="dense", weights=_numbers(kernel), bias=_numbers(bias), activation=activation
        )

    def conv(self, source: int, n_in: int, filters: int) -> int:
        kernel, bias = self.weights((3, 3, n_in, filters), 9 * (n_in + filters)), self.weights((filters,), 600)
        return self.layer(
            source,
            architecture="conv2d",
            kernel_size=[3, 3],
            filters=filters,
            strides=[1, 1],
            dilation_rate=[1, 1],
            padding="same",
            weights=_numbers(kernel),
            bias=_numbers(bias),
            activation="rectified",
        )


def network(preset: str, seed: int = 0) -> dict[str, Any]:
    """The network file of a preset as an object."""
    tokens, blocks, filters, n_dense, units = PRESETS[preset]
    writer = Writer(seed)
    inputs: list[dict[str, Any]] = []
    flats: list[int] = []
    towers: list[int] = []
    width = 0
    for index, token in enumerate(tokens):
        if token not in IMAGES:
            n = 7 if token == "hl" else 1
            variables = [{"name": f"{token}_{i}", "offset": -0.1 * i, "scale": 1.0 + 0.1 * i} for i in range(n)]
            inputs.append({"name": token, "variables": variables})
            flats.append(writer.node("input", [index], size=n))
            width += n
            continue
        side, channels = IMAGES[token], 1
        inputs.append({"name": token, "shape": [side, side, 1], "offset": 0.0, "scale": 0.05, "variables": []})
        at = writer.node("input", [index], size=side * side)
        for _ in range(blocks):
            at = writer.conv(writer.conv(at, channels, filters), filters, filters)
            at = writer.layer(at, architecture="maxpooling2d", pool_size=[2, 2], strides=[2, 2], padding="same")
            side, channels = (side + 1) // 2, filters
        towers.append(writer.layer(at, architecture="flatten"))
        width += side * side * channels
    sources = flats + towers
    at = sources[0] if len(sources) == 1 else writer.node("concatenate", sources)
    for _ in range(n_dense):
        at = writer.dense(at, width, units, "rectified")
        width = units
    at = writer.dense(at, width, 1, "sigmoid")
    return {
        "inputs": inputs,
        "input_sequences": [],
        "nodes": writer.nodes,
        "layers": writer.layers,
        "outputs": {"output": {"labels": ["signal"], "node_index": at}},
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in PRESETS:
        (folder / f"{name}.json").write_text(json.dumps(network(name)))
