"""Write small network files, one or more for every layer, from which the fuzzers start.

python cpp/fuzz/seeds.py FOLDER        # and malformed ones into the folder `hostile` beside it
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import sklearn.ensemble
from keras import layers

from hepml.evaluator import Evaluator
from hepml.export import export_model, reduce_weights
from hepml.export.precision import PRECISIONS
from hepml.geometry import PAPER
from hepml.models import InputSpec

VECTOR, SEQUENCE, ANY, IMAGE, VOLUME = (4,), (4, 3), (None, 3), (5, 6, 2), (3, 4, 4, 2)
CHAINS: dict[str, tuple[tuple[int | None, ...], list[Any]]] = {
    "dense": (VECTOR, [layers.Dense(3, "relu"), layers.Dense(2, "softmax")]),
    "activations": (VECTOR, [layers.LeakyReLU(), layers.ELU(), layers.Activation("gelu"), layers.PReLU()]),
    "conv1d": (SEQUENCE, [layers.Conv1D(2, 2, padding="causal", dilation_rate=2), layers.MaxPooling1D(2)]),
    "conv1d_any": (ANY, [layers.Conv1D(2, 3, strides=2, padding="same"), layers.GlobalAveragePooling1D()]),
    "conv2d": (IMAGE, [layers.Conv2D(2, 3, padding="same", activation="relu"), layers.MaxPooling2D(2, padding="same")]),
    "conv2d_valid": (IMAGE, [layers.Conv2D(3, 2, strides=2), layers.Flatten(), layers.Dense(1, "sigmoid")]),
    "conv2d_groups": (IMAGE, [layers.Conv2D(4, 2, groups=2), layers.AveragePooling2D(2)]),
    "conv2d_transpose": (IMAGE, [layers.Conv2DTranspose(2, 3, strides=2, padding="same")]),
    "conv1d_transpose": (ANY, [layers.Conv1DTranspose(2, 3, strides=2)]),
    "depthwise": (IMAGE, [layers.DepthwiseConv2D(2, depth_multiplier=2), layers.SeparableConv2D(2, 2)]),
    "conv3d": (VOLUME, [layers.Conv3D(2, 2), layers.AveragePooling3D(2, padding="same")]),
    "pooling3d": (VOLUME, [layers.MaxPooling3D(2), layers.GlobalMaxPooling3D(keepdims=True)]),
    "margins": (IMAGE, [layers.ZeroPadding2D(1), layers.Cropping2D(((1, 0), (0, 2))), layers.UpSampling2D((1, 2))]),
    "reshape": (IMAGE, [layers.Permute((2, 1, 3)), layers.Reshape((6, 10)), layers.Flatten()]),
    "normalizing": (SEQUENCE, [layers.LayerNormalization(), layers.BatchNormalization(), layers.UnitNormalization()]),
    "groups": (IMAGE, [layers.GroupNormalization(2), layers.RMSNormalization(), layers.Softmax(axis=[1, 2])]),
    "lstm": (ANY, [layers.LSTM(2, return_sequences=True), layers.LSTM(2)]),
    "gru": (SEQUENCE, [layers.GRU(2, return_sequences=True), layers.GRU(2, reset_after=False)]),
    "simplernn": (ANY, [layers.SimpleRNN(2, go_backwards=True)]),
    "bidirectional": (SEQUENCE, [layers.Masking(0.0), layers.Bidirectional(layers.LSTM(2))]),
    "time_distributed": (ANY, [layers.TimeDistributed(layers.Dense(2, "tanh")), layers.GRU(2)]),
    "repeat": (VECTOR, [layers.RepeatVector(3), layers.GlobalMaxPooling1D()]),
    "einsum": (SEQUENCE, [layers.EinsumDense("abc,cd->abd", output_shape=(None, 2), bias_axes="d")]),
}


def functional() -> Iterator[tuple[str, Any]]:
    """Networks that are no chain."""
    a, b = keras.Input((4, 3), name="a"), keras.Input((4, 3), name="b")
    yield "attention", keras.Model([a, b], layers.Attention(use_scale=True)([a, b]))
    yield "additive", keras.Model([a, b], layers.AdditiveAttention()([a, b]))
    c = keras.Input((None, 3), name="c")
    yield "multi_head", keras.Model(c, layers.MultiHeadAttention(2, 2)(c, c, use_causal_mask=True))
    yield "dot", keras.Model([a, b], layers.Dot(axes=2, normalize=True)([a, b]))
    d = keras.Input((None, 3), name="d")
    yield "merged", keras.Model([c, d], layers.LSTM(2)(layers.Multiply()([layers.Add()([c, d]), d])))
    v, w = keras.Input((3,), name="v"), keras.Input((2,), name="w")
    joined = layers.Concatenate()([layers.Dense(2)(v), w])
    yield "outputs", keras.Model([v, w], {"one": layers.Dense(1)(joined), "two": layers.Maximum()([w, w * 2.0])})
    codes = keras.Input((3,), dtype="int32", name="codes")
    yield "embedding", keras.Model(codes, layers.GRU(2)(layers.Embedding(4, 2, mask_zero=True)(codes)))


def monitored(path: Path) -> None:
    """A network that says what its inputs were in training, of every kind, and what it is valid for."""
    sizes = {"image": (2, 3, 1), "steps": (3, 2), "vector": (2,)}
    image, vector = (keras.Input(sizes[name], name=name) for name in ("image", "vector"))
    steps = keras.Input((None, 2), name="steps")
    joined = layers.Concatenate()([layers.Flatten()(image), layers.GRU(1)(steps), vector])
    model = keras.Model([image, steps, vector], layers.Dense(1, "sigmoid")(joined))
    generator = np.random.default_rng(0)
    batch = {name: generator.normal(0, 4, (40, *size)).round() / 4 for name, size in sizes.items()}
    fold = {"number": 0, "of": 2, "group": None}
    export_model(model, path, ranges=lambda _names: [batch], validity={"runs": "1-9"}, fold=fold, overwrite=True)


def polynomials(path: Path) -> None:
    """A network of energy-flow polynomials of images."""
    names = ("et_efp_3_3_1_k_0.5_b_2", "ht_efp_2_1_0x2_2_0_k_-1_b_1")
    model = keras.Sequential([keras.Input((2,), name="efp"), layers.Dense(1, "sigmoid")])
    export_model(model, path, inputs=[InputSpec("efp", (2,), names, PAPER.to_dict())], overwrite=True)


def float64(path: Path) -> None:
    """The layers of double precision, of every kind, as files of TMVA need them."""
    joins = ("sum", "square_sum", "absolute_sum", "sum", "sum", "sum", "sum")
    activations = ("linear", "sigmoid", "tanh", "rational_tanh", "rectified", "gaussian", "softmax")
    units = [
        {"weights": [0.5, -1, 1, 0.25], "bias": [0, 1], "join": join, "activation": activation}
        for join, activation in zip(joins, activations, strict=True)
    ]
    bins = {"feature": 0, "form": "linear", "low": -1, "high": 1, "values": [0.25, 0.5, 0.125]}
    steps = {"feature": 1, "form": "step", "knots": [-1, 0, 2], "values": [0.75, 0.5], "minimum": -1, "maximum": 1.5}
    jump = {"feature": 0, "form": "linear", "knots": [0, 0.5, 0.5, 1], "values": [0.2, 0.3, 0.6, 0.9]}
    limits = {"before": "identity", "least": 1e-9, "most": 0.99}
    found = [
        {"architecture": "tables", **limits, "function": "ratio", "tables": [bins, steps]},
        {"architecture": "tables", **limits, "function": "logit", "tables": [bins, steps]},
        {"architecture": "tables", **limits, "function": "quantile", "tables": [bins, jump]},
        {"architecture": "tables", **limits, "function": "identity", "before": "normal_cdf", "tables": [jump]},
    ]
    stack = [{"architecture": "gather", "index": [1, 0]}]
    stack += [{"architecture": "perceptron", "precision": f"float{bits}", "sublayers": units} for bits in (64, 32)]
    middle = {"architecture": "weighted_median", "weights": [0.5, 1, 0.25, 1, 2], "reach": 1}
    nodes: list[dict[str, Any]] = [{"type": "input", "sources": [0], "size": 2}]
    nodes += [{"type": "feed_forward", "sources": [k], "layer_index": k} for k in range(3)]
    nodes += [{"type": "feed_forward", "sources": [3], "layer_index": 3 + k} for k in range(4)]
    nodes += [
        {"type": "concatenate", "sources": [4, 5, 6, 7]},
        {"type": "feed_forward", "sources": [8], "layer_index": 7},
    ]
    document = {
        "inputs": [{"name": "x", "variables": [{"name": name, "offset": 0, "scale": 1} for name in "ab"]}],
        "input_sequences": [],
        "nodes": nodes,
        "layers": [*stack, *found, middle],
        "outputs": {"output": {"labels": ["signal"], "node_index": 9}},
        "hepml": {"format_version": 1},
    }
    path.write_text(json.dumps(document, separators=(",", ":")))
    Evaluator(path)


def malformed(path: Path, folder: Path) -> None:
    """Definitions of polynomials that cannot be."""
    changes: dict[str, dict[str, Any]] = {
        "vertex": {"edges": [[0, 1], [0, 2], [1, 3]]},
        "loop": {"edges": [[0, 1], [0, 2], [1, 1]]},
        "alone": {"edges": [[0, 1], [0, 1], [0, 1]]},
        "dense": {"n": 5, "edges": [[i, j] for j in range(5) for i in range(j)]},
        "many": {"edges": [[0, 1]] * 100},
        "calorimeter": {"calorimeter": "muon"},
        "kappa": {"kappa": 1e308},
        "name": {"beta": 1},
        "image": {"calorimeter": "hcal"},
    }
    text = path.read_text()
    for name, change in changes.items():
        document = json.loads(text)
        document["hepml"]["efps"]["columns"][0] |= change
        (folder / f"{path.stem}_{name}.json").write_text(json.dumps(document, separators=(",", ":")))


def shorten(path: Path) -> None:
    """Two reference events are enough, and what the evaluator does not read is left out."""
    document = json.loads(path.read_text())
    block = document["hepml"]
    del block["provenance"], block["model_id"]
    for side in ("inputs", "outputs"):
        block["reference"][side] = {name: events[:2] for name, events in block["reference"][side].items()}
    path.write_text(json.dumps(document, separators=(",", ":")))
    Evaluator(path)


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    for name, (shape, stack) in CHAINS.items():
        model = keras.Sequential([keras.Input(shape, name="x"), *stack])
        export_model(model, folder / f"{name}.json", overwrite=True)
    for name, model in functional():
        export_model(model, folder / f"{name}.json", overwrite=True)
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int) + (x[:, 2] > 1)
    for name, trees in {
        "forest": sklearn.ensemble.RandomForestClassifier(2, max_depth=3, random_state=0),
        "boosted": sklearn.ensemble.HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4, random_state=0),
    }.items():
        export_model(trees.fit(x, y), folder / f"{name}.json", overwrite=True)
    spec = InputSpec("mass", (1,), ("mass",), PAPER.to_dict())
    model = keras.Sequential([keras.Input((1,), name="mass"), layers.Dense(1, "sigmoid")])
    threshold = {"signal_efficiency": 0.8, "threshold": 0.5, "pt": [10, None], "eta": None}
    given = {"thresholds": [threshold], "towers": {"max": 40, "not_finite": "keep"}}
    export_model(model, folder / "tagger.json", inputs=[spec], **given, overwrite=True)
    model = keras.Sequential([keras.Input(VECTOR, name="x"), layers.Dense(5, "relu"), layers.Dense(1, "sigmoid")])
    export_model(model, folder / "plain.json", overwrite=True)
    events = np.random.default_rng(1).normal(size=(50, 4)), np.arange(50) % 2, None
    for precision in PRECISIONS:
        path = folder / f"weights_{precision}.json"
        reduce_weights(
            folder / "plain.json",
            path,
            precision,
            lambda _: [({"x": events[0]}, *events[1:])],
            tolerance=1,
            overwrite=True,
        )
    (folder / "plain.json").unlink()
    monitored(folder / "monitored.json")
    polynomials(folder / "efp.json")
    for path in folder.glob("*.json"):
        shorten(path)
    float64(folder / "float64.json")
    hostile = folder.with_name("hostile")
    hostile.mkdir(exist_ok=True)
    malformed(folder / "efp.json", hostile)


if __name__ == "__main__":
    main()
