"""Layers that move numbers."""

import itertools

import keras
import pytest
from keras import layers

SHAPES = [(1,), (6,), (12,), (1, 1), (4, 6), (6, 4), (1, 7, 2), (3, 1, 4), (4, 5, 17), (2, 3, 4, 2)]


def tensor(shape):
    return keras.Input(shape, name="x")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_flatten_reshape_permute_repeat(parity, shape):
    x = tensor(shape)
    outputs = [layers.Flatten()(x), layers.Flatten(data_format="channels_first")(x), layers.Reshape((-1,))(x)]
    outputs += [layers.Reshape((-1, shape[0]))(x), layers.Reshape((shape[0], 1, -1))(x), layers.Identity()(x)]
    orders = itertools.permutations(range(1, len(shape) + 1))
    outputs += [layers.Permute(order)(x) for order in list(orders)[:8]]
    if len(shape) == 1:
        outputs += [layers.RepeatVector(n)(x) for n in (1, 3)]
    parity(keras.Model(x, outputs))


def test_reshape_behind_a_convolution_with_a_border(parity):
    x = tensor((5, 4, 2))
    y = layers.Conv2D(6, 2, activation="relu")(x)  # another convolution reads it with zeros around
    z = layers.Conv2D(3, 3, padding="same")(y)
    outputs = [layers.Reshape((6, 12))(y), layers.Permute((3, 1, 2))(y), layers.Flatten()(y), z]
    outputs += [layers.LayerNormalization(axis=(1, 2))(y), layers.Add()([y, y]), layers.Concatenate(axis=1)([y, y])]
    parity(keras.Model(x, outputs))


def test_layers_without_effect_on_tensors_of_any_rank(parity):
    for shape in [(4,), (None, 4), (3, 4), (3, 4, 2), (2, 3, 4, 2)]:
        x = tensor(shape)
        y = layers.Identity()(layers.GaussianNoise(1.0)(layers.Dropout(0.5)(x)))
        document = parity(keras.Model(x, layers.ActivityRegularization(0.1)(layers.GaussianDropout(0.2)(y))))
        assert document["layers"] == []
