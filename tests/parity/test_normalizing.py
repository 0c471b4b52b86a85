"""Normalizations of tensors of any rank, over any axes."""

import keras
import numpy as np
import pytest
from keras import layers

SHAPES = [(1,), (6,), (35,), (1, 2), (5, 6), (None, 4), (1, 7, 2), (3, 1, 6), (4, 4, 18), (2, 3, 4, 2)]


def tensor(shape):
    return keras.Input(shape, name="x")


def on_axes(shape, make):
    """One output for each axis of fixed length, counted from either end, and all of them together."""
    axes = [axis for axis in range(1, len(shape) + 1) if shape[axis - 1] is not None]
    return [make(axis) for axis in [-1, *axes]] + ([make(axes)] if len(axes) > 1 else [])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_layer_normalization(parity, shape):
    x = tensor(shape)
    outputs = on_axes(shape, lambda axis: layers.LayerNormalization(axis=axis)(x))
    outputs += [
        layers.LayerNormalization(center=False, epsilon=0.1)(x),
        layers.LayerNormalization(scale=False)(x),
        layers.LayerNormalization(center=False, scale=False)(x),
    ]
    parity(keras.Model(x, outputs))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rms_and_unit_normalization(parity, shape):
    x = tensor(shape)
    axes = [axis for axis in range(1, len(shape) + 1) if shape[axis - 1] is not None]
    outputs = on_axes(shape, lambda axis: layers.UnitNormalization(axis=axis)(x))
    outputs += [layers.RMSNormalization()(x), layers.RMSNormalization(axis=[axes[-1]], epsilon=0.01)(x)]
    parity(keras.Model(x, outputs))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if None not in shape], ids=str)
def test_group_normalization(parity, shape):
    x = tensor(shape)
    outputs = [layers.GroupNormalization(groups=-1, axis=axis)(x) for axis in (-1, 1)]
    outputs.append(layers.GroupNormalization(groups=1, center=False, scale=False)(x))
    for axis in range(1, len(shape) + 1):
        groups = 3 if shape[axis - 1] % 3 == 0 else 1
        outputs.append(layers.GroupNormalization(groups=groups, axis=axis, epsilon=0.01)(x))
        if shape[axis - 1] % 2 == 0:
            outputs.append(layers.GroupNormalization(groups=2, axis=axis - len(shape) - 1)(x))
    parity(keras.Model(x, outputs))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_normalization(parity, shape):
    x = tensor(shape)
    axes = [axis for axis in range(1, len(shape) + 1) if shape[axis - 1] is not None]
    outputs = [layers.BatchNormalization(axis=axis)(x) for axis in [-1, *axes]]
    outputs += [
        layers.BatchNormalization(center=False, epsilon=0.1)(x),
        layers.BatchNormalization(scale=False)(x),
        layers.BatchNormalization(center=False, scale=False)(x),
    ]
    parity(keras.Model(x, outputs))


def test_batch_normalization_with_vanishing_gamma(parity):
    x = tensor((5, 3))
    layer = layers.BatchNormalization()
    model = keras.Model(x, layer(layers.ReLU()(x)))
    layer.set_weights([np.float32(v) for v in ([0, 2, 1e-38], [1, 2, 3], [0.5, 0, 1], [1, 2, 3])])
    parity(model, weights=False)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normalization_and_rescaling_inside_of_a_network(parity, shape):
    x = tensor(shape)
    y = layers.Activation("tanh")(x)
    n = shape[-1]
    mean, variance = np.linspace(-1, 2, n), np.linspace(0.1, 3, n)
    outputs = [
        layers.Normalization(mean=mean, variance=variance)(y),
        layers.Normalization(mean=mean, variance=variance, invert=True)(y),
        layers.Normalization(axis=None, mean=0.3, variance=2.0)(y),
        layers.Rescaling(0.5, offset=-2.0)(y),
        layers.Rescaling(np.linspace(0, 1, n).tolist(), offset=np.linspace(-1, 1, n).tolist())(y),
    ]
    if len(shape) == 3:
        means, variances = np.ones((shape[0], n)), np.full((shape[0], n), 2.0)
        outputs.append(layers.Normalization(axis=(1, 3), mean=means, variance=variances)(y))
    parity(keras.Model(x, outputs))


def test_normalization_of_each_pixel_behind_an_input(parity):
    layer = layers.Normalization(axis=(1, 2, 3))
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4, 3, 2)).astype(np.float32))
    x = tensor((4, 3, 2))
    parity(keras.Model(x, layer(x)), weights=False)


def test_spectral_normalization_is_the_layer_inside(parity):
    x = tensor((5, 3))
    document = parity(keras.Model(x, layers.SpectralNormalization(layers.Dense(4, activation="relu"))(x)))
    assert [entry["architecture"] for entry in document["layers"]] == ["dense"]
