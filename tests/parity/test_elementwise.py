"""Activations, merges and normalizations on tensors of every rank: Keras and the C++ evaluator agree."""

import keras
import numpy as np
import pytest
from keras import layers

from hepml.export.activations import SUPPORTED

SHAPES = [(1,), (7,), (33,), (5, 3), (None, 4), (1, 1), (5, 4, 2), (1, 1, 1), (7, 3, 17), (2, 3, 4, 2)]


def on(shape, *stack):
    return keras.Sequential([keras.Input(shape, name="x"), *stack])


@pytest.mark.parametrize("activation", SUPPORTED)
def test_activations(parity, activation):
    for n in (2, 7, 16, 33):
        parity(on((n,), layers.Dense(n, activation=activation)), slow=False)
    parity(on((5, 4, 3), layers.Activation(activation)), slow=False)
    parity(on((None, 3), layers.Activation(activation)), slow=False)


@pytest.mark.parametrize("activation", [name for name in SUPPORTED if "softmax" not in name])
def test_activations_far_out(activation, tmp_path):
    from hepml import Evaluator
    from hepml.export import export_model

    x = np.float32([[-1e30, -1e4, -90, -20, -3, -1e-20, 0, 1e-20, 0.01, 3, 20, 85, 1e4, 1e30]])
    if activation == "exponential":
        x = np.minimum(x, 85)
    model = on(x.shape[1:], layers.Activation(activation))
    export_model(model, tmp_path / "net.json")
    found = Evaluator(tmp_path / "net.json")(x)["output"]
    right = np.asarray(keras.activations.get(activation)(x.astype(np.float64)))
    assert np.all(np.abs(found - right) <= 2e-6 * np.maximum(1, np.abs(right)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(5, activation="tanh"),
        layers.BatchNormalization(),
        layers.BatchNormalization(center=False),
        layers.BatchNormalization(scale=False),
        layers.LayerNormalization(),
        layers.LayerNormalization(center=False, scale=False, epsilon=0.1),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.GroupNormalization(groups=-1),
        layers.GroupNormalization(groups=1, center=False),
        layers.Rescaling(0.5, 1.0),
        layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3),
        layers.ReLU(max_value=6),
        layers.PReLU(),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_along_the_last_axis(parity, shape, layer):
    kind = type(layer).__name__
    if (kind == "PReLU" and None in shape) or (kind == "GroupNormalization" and (len(shape) == 1 or None in shape)):
        return
    again = type(layer).from_config(layer.get_config())
    parity(on(shape, layers.Dense(shape[-1]), again), slow=False)


def test_prelu_shared_over_pixels(parity):
    parity(on((5, 4, 3), layers.PReLU(shared_axes=[1, 2])), slow=False)
    parity(on((None, 3), layers.PReLU(shared_axes=[1])), slow=False)
    parity(on((5, 4, 3), layers.PReLU(shared_axes=[1])), slow=False)


@pytest.mark.parametrize("shape", SHAPES[:-1], ids=str)
@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merges(parity, shape, kind):
    x = keras.Input(shape, name="x")
    other = layers.Dense(shape[-1])(x)
    sources = [x, other] if kind == "Subtract" else [x, other, x]
    parity(keras.Model(x, getattr(layers, kind)()(sources)), slow=False)


@pytest.mark.parametrize("kind", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"])
def test_merges_that_broadcast(parity, kind):
    x = keras.Input((5, 4, 2), name="x")
    merge = getattr(layers, kind)()
    parity(keras.Model(x, merge([x, layers.GlobalMaxPooling2D(keepdims=True)(x)])), slow=False)
    parity(keras.Model(x, getattr(layers, kind)()([layers.Dense(1)(x), x])), slow=False)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_concatenation_along_every_axis(parity, axis):
    x = keras.Input((4, 3, 2), name="x")
    parity(keras.Model(x, layers.Concatenate(axis=axis)([x, layers.ReLU()(x), x])), slow=False)
    if abs(axis) < 3:
        y = keras.Input((4, 3), name="y")
        parity(keras.Model(y, layers.Concatenate(axis=axis)([y, layers.ReLU()(y)])), slow=False)


def test_arithmetic_on_tensors(parity):
    x = keras.Input((6,), name="x")
    parity(keras.Model(x, (x * 2.0 + 1.0 - 0.5) * layers.Dense(6)(x) + (1.0 - x) - layers.Dense(6)(x)), slow=False)
    s = keras.Input((None, 3), name="s")
    parity(keras.Model(s, layers.GRU(2)(s * 0.5 + layers.Dense(3)(s))), slow=False)
