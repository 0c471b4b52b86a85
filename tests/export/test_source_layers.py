"""Generated C++ source of what works in space, between tensors and on categories: the numbers of the evaluator.

Each network has many layers, so that a compiler runs once for all of them.
"""

import json
import re

import keras
import numpy as np
import pytest
from compiled import Compiled
from keras import layers as kl
from keras import ops

import hepml
from hepml.errors import HepmlError
from hepml.export.source.activations import FUNCTIONS, ROWS
from hepml.export.source.network import HANDLERS, REFUSED

IMAGES = [(1, 1, 1), (5, 4, 2), (9, 1, 4), (3, 3, 17), (6, 11, 6)]
VOLUMES = [(4, 5, 6, 2), (3, 3, 3, 1), (2, 7, 1, 4)]
SEQUENCES = [(1, 1), (7, 8), (None, 4)]
pytestmark = pytest.mark.filterwarnings("ignore:(.|\n)*You are using a softmax over axis")


def numbers(evaluator, n=4, steps=7, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {record.name: [steps if size is None else size for size in record.shape] for record in evaluator.inputs}
    return {name: rng.normal(size=(n, *shape)).astype(np.float32) for name, shape in shapes.items()}


def compared(make, shapes, folder, steps=(7,), **how):
    """`make` gives the outputs of a network from an input of each shape; source and library agree on all."""
    inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]
    model = keras.Model(inputs, make(*inputs))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.dtype == "float32":
            values = rng.normal(0, 1 / np.sqrt(max(np.prod(weight.shape[:-1]), 1)), weight.shape)
            weight.assign(np.abs(values) + 0.1 if "variance" in weight.path else values)
    hepml.export_model(model, folder / "net.json")
    compiled = Compiled(folder / "net.json", folder, **how)
    for n in steps:
        compiled.compare(numbers(compiled.evaluator, steps=n))
    return compiled


def fits(shape, layer):
    """Whether a window without padding is inside."""
    return layer.padding != "valid" or all(n is None or n >= 3 for n in shape[:-1])


def on_each(inputs, make):
    return [layer(x) for x in inputs for layer in make(x.shape[-1]) if fits(x.shape[1:], layer)]


def groups(channels):
    return next(k for k in (3, 2, channels) if channels % k == 0)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_images(padding, tmp_path):
    def make(c):
        return [
            kl.Conv2D(2 * c, 2, groups=c, padding=padding, activation="relu"),
            kl.Conv2D(5 * groups(c), (3, 2), strides=(2, 1), groups=groups(c), padding=padding),
            kl.Conv2D(20 * groups(c), 2, dilation_rate=2, groups=groups(c), padding=padding, activation="softmax"),
            kl.DepthwiseConv2D(3, padding=padding, depth_multiplier=3, activation="tanh"),
            kl.DepthwiseConv2D(2, strides=2, padding=padding, use_bias=False),
            kl.DepthwiseConv2D((1, 2), dilation_rate=2, padding=padding),
            kl.Conv2DTranspose(3, 2, strides=3, padding=padding, activation="relu"),
            kl.Conv2DTranspose(19, (3, 4), strides=(2, 1), padding=padding, activation="softmax"),
            kl.Conv2DTranspose(4, 3, strides=2, padding=padding, use_bias=False),
        ]

    shapes = IMAGES if padding == "same" else [shape for shape in IMAGES if min(shape[:2]) >= 3]
    compared(lambda *x: on_each(x, make), shapes, tmp_path, width={"same": 8, "valid": None}[padding])


def test_sequences(tmp_path):
    def make(c):
        layers = []
        for padding in ("same", "valid", "causal"):
            layers += [
                kl.Conv1D(3 * groups(c), 3, groups=groups(c), padding=padding, activation="elu"),
                kl.Conv1D(17 * c, 2, groups=c, padding=padding, dilation_rate=2),
                kl.Conv1D(2 * c, 2, groups=c, padding=padding, strides=2, use_bias=False),
            ]
        for padding in ("same", "valid"):
            layers += [
                kl.DepthwiseConv1D(3, padding=padding, depth_multiplier=2, activation="relu"),
                kl.DepthwiseConv1D(2, padding=padding, strides=2),
                kl.Conv1DTranspose(5, 3, strides=2, padding=padding, activation="tanh"),
                kl.Conv1DTranspose(2, 2, strides=3, padding=padding),
                kl.Conv1DTranspose(17, 3, padding=padding),
            ]
        return layers

    compared(lambda *x: on_each(x, make), SEQUENCES, tmp_path, steps=(3, 7, 16), width=16)


def test_volumes(tmp_path):
    def make(c):
        layers = []
        for padding in ("same", "valid"):
            layers += [
                kl.Conv3D(3, 2, padding=padding, activation="relu"),
                kl.Conv3D(18, (2, 1, 1), strides=2, padding=padding, activation="softmax"),
                kl.Conv3D(2 * c, (1, 2, 1), groups=c, dilation_rate=(1, 2, 1), padding=padding),
                kl.Conv3DTranspose(3, 2, strides=2, padding=padding),
                kl.Conv3DTranspose(2, (1, 3, 2), strides=(1, 2, 1), padding=padding, activation="tanh"),
                kl.MaxPooling3D((1, 2, 1), padding=padding),
                kl.AveragePooling3D((2, 1, 1), strides=1, padding=padding),
                kl.AveragePooling3D((1, 3, 1), strides=2, padding=padding),
            ]
        return layers

    compared(lambda *x: on_each(x, make), VOLUMES, tmp_path)


def test_windows_between_other_layers(tmp_path):
    """Images with a border, and those that are mostly empty."""

    def make(x):
        y = kl.SeparableConv2D(6, 3, padding="same", activation="relu")(kl.Conv2D(4, 3, padding="same")(x))
        y = kl.Add()([y, kl.Conv2D(6, 1)(x)])
        y = kl.Conv2DTranspose(4, 2, strides=2)(kl.MaxPooling2D()(kl.BatchNormalization()(y)))
        y = kl.Conv2D(8, 3, padding="same", groups=2)(y)
        return kl.Dense(3, activation="softmax")(kl.GlobalAveragePooling2D()(kl.Concatenate()([y, x])))

    compared(make, [(12, 10, 2)], tmp_path)


@pytest.mark.parametrize("shape", [(1, 1), (7, 8), (9, 17), (None, 4)], ids=str)
def test_attention_within_a_sequence(shape, tmp_path):
    def make(x):
        return [
            kl.MultiHeadAttention(1, 1)(x, x),
            kl.MultiHeadAttention(2, 3, value_dim=5, output_shape=4)(x, x),
            kl.MultiHeadAttention(3, 20, use_bias=False, dropout=0.2)(x, x, use_causal_mask=True),
            kl.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True)(x, x),
            kl.MultiHeadAttention(2, 3, sliding_window=3)(x, x, use_causal_mask=True),
            kl.GroupQueryAttention(3, 4, 2)(x, x),
            kl.GroupQueryAttention(2, 2, 1, use_bias=False, use_gate=True)(x, x, use_causal_mask=True),
            kl.Attention(use_scale=True)([x, x], use_causal_mask=True),
            kl.Attention(score_mode="concat", use_scale=True)([x, x]),
            kl.AdditiveAttention()([x, x]),
        ]

    compared(make, [shape], tmp_path, steps=(1, 7, 16), width=8 if shape == (9, 17) else None)


def test_attention_between_sequences(tmp_path):
    shapes = [((1, 4), (5, 3)), ((5, 3), (1, 4)), ((2, 16), (17, 16)), ((None, 4), (None, 3)), ((5, 4), (None, 4))]

    def make(*x):
        outputs = []
        for query, value in zip(x[::2], x[1::2], strict=True):
            key = kl.Activation("tanh")(value)
            outputs.append(kl.MultiHeadAttention(2, 3)(query=query, key=key, value=value))
            outputs.append(kl.MultiHeadAttention(2, 3)(value, query, use_causal_mask=True))
            if query.shape[-1] == value.shape[-1]:
                outputs.append(kl.AdditiveAttention(use_scale=False)([query, value, key]))
        return outputs

    compared(make, [shape for pair in shapes for shape in pair], tmp_path, steps=(1, 7))


def test_a_transformer(tmp_path):
    def make(x):
        y = kl.Dense(8)(x)
        for _ in range(2):
            z = kl.LayerNormalization()(y)
            y = kl.Add()([y, kl.MultiHeadAttention(2, 4)(z, z)])
            y = kl.Add()([y, kl.Dense(8)(kl.Dense(16, activation="gelu")(kl.LayerNormalization()(y)))])
        return kl.Dense(3, activation="softmax")(kl.GlobalAveragePooling1D()(y))

    compared(make, [(None, 5)], tmp_path, steps=(1, 9, 16))


def test_products_of_tensors(tmp_path):
    def make(*inputs):
        x, y, z, w, u, v = inputs
        return [
            ops.matmul(x, y),
            ops.matmul(ops.transpose(y, (0, 2, 1)), ops.transpose(x, (0, 2, 1))),
            ops.matmul(z, np.random.default_rng(0).normal(size=(3, 70)).astype(np.float32)),
            ops.matmul(w, u),
            ops.einsum("bhqd,bhkd->bhqk", w, w),
            ops.einsum("bhqd,bgkd->bgqhk", w, w),
            ops.matmul(v, ops.transpose(v, (0, 2, 1))),
            ops.arctan2(x, ops.sin(x)),
            ops.power(ops.abs(x), x),
            ops.power(x, 3.0),
        ]

    compared(make, [(5, 3), (3, 7), (None, 3), (2, 4, 3), (1, 3, 7), (1, 150)], tmp_path, width=8)


def test_slices_of_sequences_of_any_length(tmp_path):
    compared(lambda x: [x[:, :, 1:3] * x[:, :, :1], x[:, :, 3:]], [(None, 4)], tmp_path, steps=(1, 9))


def combined(tmp_path, name, a, b):
    """A header of one function of two numbers, on arrays of them."""
    n = len(a)
    labels = [str(k) for k in range(n)]
    variables = [{"name": label, "offset": 0, "scale": 1} for label in labels]
    document = {
        "inputs": [{"name": "a", "variables": variables}, {"name": "b", "variables": variables}],
        "nodes": [{"type": "input", "sources": [0], "size": n}, {"type": "input", "sources": [1], "size": n}],
        "layers": [{"architecture": one} for one in name],
        "outputs": {one: {"labels": labels, "node_index": 2 + k} for k, one in enumerate(name)},
    }
    document["nodes"] += [{"type": "layer", "sources": [0, 1], "layer_index": k} for k, _ in enumerate(name)]
    (tmp_path / "net.json").write_text(json.dumps(document))
    return Compiled(tmp_path / "net.json", tmp_path), {"a": np.float32([a]), "b": np.float32([b])}


def test_powers_and_angles_of_all_sizes(tmp_path):
    rng = np.random.default_rng(0)
    special = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, 1e-45, 3.4e38, -3.4e38, 16777217.0, 128.0, -149.0]
    a, b = (grid.ravel() for grid in np.meshgrid(special, special))
    far = 10 ** rng.uniform(-38, 38, (2, 200)) * rng.choice([-1, 1], (2, 200))
    near = np.exp(2 * rng.normal(size=(2, 400))) * rng.choice([-1, 1], (2, 400), p=[0.2, 0.8])
    compiled, given = combined(tmp_path, ["power", "arctan2"], [*a, *far[0], *near[0]], [*b, *far[1], *near[1]])
    with np.errstate(all="ignore"):
        x, y = (array.astype(np.float64) + 0.0 for array in given.values())  # -0 becomes 0 in every network
        exact = {"power": np.power(x, y).astype(np.float32), "arctan2": np.arctan2(x, y).astype(np.float32)}
    for found in (compiled(given)[0], compiled.evaluator(given)):
        for name, value in exact.items():
            good = np.isfinite(value)
            assert np.array_equal(found[name][~good], value[~good], equal_nan=True), name
            assert np.all(np.abs(found[name][good] - value[good]) <= np.maximum(2e-7 * np.abs(value[good]), 3e-45))


def test_embeddings(tmp_path):
    """Of Keras, for whole numbers; of no category there is no answer."""
    inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate([(5,), (None,), (2, 3)])]
    outputs = [kl.Embedding(7, n)(x) for x, n in zip(inputs, (4, 17, 1), strict=True)]
    model = keras.Model(inputs, outputs)
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    hepml.export_model(model, tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    rng = np.random.default_rng(0)
    given = {
        record.name: rng.integers(0, 7, (6, *(9 if size is None else size for size in record.shape)))
        for record in compiled.evaluator.inputs
    }
    compiled.compare(given)
    given["x0"] = given["x0"].astype(np.float32)
    for event, wrong in enumerate([7, -1, 2.5, 1e30]):
        given["x0"][event, 3] = wrong
    compiled.compare(given)
    _, status = compiled(given)
    assert status.tolist() == [1, 1, 1, 1, 0, 0]


def test_embeddings_of_lwtnn(tmp_path):
    """Some variables of each step give way to their columns."""
    rng = np.random.default_rng(0)
    parts = [{"index": 2, "n_out": 3, "weights": rng.normal(size=15).tolist(), "bias": []}]
    parts.append({"index": 0, "n_out": 2, "weights": rng.normal(size=8).tolist(), "bias": []})
    gate = {"weights": rng.normal(size=28).tolist(), "U": rng.normal(size=16).tolist(), "bias": rng.normal(size=4)}
    gate["bias"] = gate["bias"].tolist()
    document = {
        "inputs": [{"name": name, "offset": 0, "scale": 1} for name in "abcd"],
        "layers": [
            {"architecture": "embedding", "sublayers": parts, "activation": "linear"},
            {"architecture": "simplernn", "components": {"h": gate}, "activation": "tanh"},
        ],
        "outputs": ["v", "w", "x", "y"],
    }
    (tmp_path / "net.json").write_text(json.dumps(document))
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    for steps in (1, 9):
        x = rng.normal(size=(4, steps, 4))
        x[..., 2], x[..., 0] = rng.integers(0, 5, (4, steps)), rng.integers(0, 4, (4, steps))
        compiled.compare({compiled.evaluator.inputs[0].name: x.astype(np.float32)})


@pytest.mark.parametrize("width", [16, "plain"])
def test_vectors_of_every_size(width, further, tmp_path):
    how = {"flags": ["-O1", "-DHEPML_SOURCE_PLAIN"]} if width == "plain" else {"width": width}
    compiled = Compiled(further, tmp_path, **how)
    for steps in (1, 16):
        compiled.compare(numbers(compiled.evaluator, steps=steps))


def known_to_the_library(layer):
    """The names that the library lists where it knows no other."""
    document = {
        "inputs": [{"name": "x", "offset": 0, "scale": 1}],
        "layers": [{"weights": [1], "bias": [0], "architecture": "dense", "activation": "linear", **layer}],
        "outputs": ["y"],
    }
    with pytest.raises(HepmlError) as caught:
        hepml.Evaluator.from_text(json.dumps(document))
    (listed,) = re.findall(r"expected:? (.*)", str(caught.value))
    return set(listed.split(", "))


def test_everything_that_the_library_has():
    assert known_to_the_library({"architecture": "?"}) == {*HANDLERS, *REFUSED}
    assert known_to_the_library({"activation": "?"}) == {*FUNCTIONS, *ROWS}
