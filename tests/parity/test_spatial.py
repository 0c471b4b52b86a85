"""Convolutions, poolings and layers that move pixels: Keras and the C++ evaluator agree."""

import keras
import pytest
from keras import layers

IMAGES = [
    (1, 1, 1),
    (2, 2, 1),
    (5, 4, 2),
    (7, 6, 3),
    (9, 1, 4),
    (1, 8, 2),
    (3, 3, 17),
    (6, 11, 1),
    (12, 5, 2),
    (4, 4, 8),
]
STEPS = [7, 1, None]
VOLUMES = [(4, 5, 6, 2), (3, 3, 3, 1), (2, 7, 1, 3)]


def on(shape, *stack):
    return keras.Sequential([keras.Input(shape, name="x"), *stack])


def fits(shape, size, padding):
    return padding != "valid" or all(n is None or n >= size for n in shape[:-1])


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("padding", ["same", "valid", "causal"])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_conv1d(parity, steps, padding, size):
    if not fits((steps, 3), 2 * size, padding):
        return
    for strides, dilation in [(1, 1), (2, 1), (1, 2), (3, 1)]:
        layer = layers.Conv1D(5, size, strides=strides, dilation_rate=dilation, padding=padding, activation="relu")
        parity(on((steps, 3), layer), slow=False)
    parity(on((steps, 4), layers.Conv1D(6, size, groups=2, padding=padding, use_bias=False)), slow=False)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_other_layers_on_sequences(parity, steps, padding):
    stack = [
        layers.SeparableConv1D(5, 3, padding=padding, depth_multiplier=2, activation="tanh"),
        layers.DepthwiseConv1D(3, padding=padding, depth_multiplier=2),
        layers.DepthwiseConv1D(2, strides=2, padding=padding, activation="relu"),
        layers.MaxPooling1D(2, padding=padding),
        layers.MaxPooling1D(3, strides=1, padding=padding),
        layers.AveragePooling1D(3, strides=2, padding=padding),
    ]
    for layer in stack:
        if fits((steps, 4), 3, padding):
            parity(on((steps, 4), layer), slow=False)
    for strides in (1, 2, 3):
        parity(on((steps, 4), layers.Conv1DTranspose(5, 3, strides=strides, padding=padding)), slow=False)


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_convolutions_of_images(parity, shape, padding):
    channels = shape[2]
    stack = [
        layers.Conv2D(2 * channels, 2, groups=channels, padding=padding, activation="relu"),
        layers.DepthwiseConv2D(2, padding=padding, depth_multiplier=3),
        layers.DepthwiseConv2D(2, strides=2, padding=padding, use_bias=False),
        layers.DepthwiseConv2D(2, dilation_rate=1, padding=padding, activation="sigmoid"),
        layers.SeparableConv2D(4, (2, 1), padding=padding, activation="elu"),
    ]
    for layer in stack:
        if fits(shape, 2, padding):
            parity(on(shape, layer), slow=False)
    for strides in (1, 2, 3):
        for size in (1, 2, 3, 4):
            layer = layers.Conv2DTranspose(3, size, strides=strides, padding=padding, activation="relu")
            parity(on(shape, layer), slow=False, n=2)


@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_poolings_of_images(parity, shape):
    for padding in ("same", "valid"):
        if fits(shape, 3, padding):
            parity(on(shape, layers.AveragePooling2D((3, 2), strides=2, padding=padding)), slow=False)
            parity(on(shape, layers.AveragePooling2D(2, padding=padding)), slow=False)
    for layer in (layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D):
        parity(on(shape, layer()), slow=False)
        parity(on(shape, layer(keepdims=True)), slow=False)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("layer", [layers.GlobalMaxPooling1D, layers.GlobalAveragePooling1D])
def test_global_poolings_of_sequences(parity, steps, layer):
    for keepdims in (True, False):
        parity(on((steps, 4), layer(keepdims=keepdims)), slow=False)


@pytest.mark.parametrize("shape", VOLUMES, ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_volumes(parity, shape, padding):
    stack = [
        layers.Conv3D(3, 2, padding=padding, activation="relu"),
        layers.Conv3D(3, (2, 1, 1), strides=2, padding=padding),
        layers.Conv3D(2 * shape[3], 1, groups=shape[3], padding=padding),
        layers.Conv3DTranspose(3, 2, strides=2, padding=padding),
        layers.MaxPooling3D(2, padding=padding),
        layers.AveragePooling3D((2, 1, 1), padding=padding),
    ]
    for layer in stack:
        if fits(shape, 2, padding):
            parity(on(shape, layer), slow=False)


@pytest.mark.parametrize("shape", [(6, 2), *IMAGES, *VOLUMES], ids=str)
def test_layers_that_move_pixels(parity, shape):
    n = len(shape) - 1
    axes = [*range(2, n + 2), 1]
    named = {1: "1D", 2: "2D", 3: "3D"}[n]
    padding = [(k, k + 1) for k in range(n)]
    cropping = [(int(size > 2), int(size > 1)) for size in shape[:-1]]
    stack = [
        getattr(layers, "ZeroPadding" + named)(padding[0] if n == 1 else tuple(padding)),
        getattr(layers, "ZeroPadding" + named)(1),
        getattr(layers, "Cropping" + named)(cropping[0] if n == 1 else tuple(cropping)),
        getattr(layers, "UpSampling" + named)(2 if n == 1 else tuple(range(1, n + 1))),
        layers.Permute(axes),
        layers.Reshape((shape[-1], -1)),
        layers.Flatten(),
    ]
    for layer in stack:
        parity(on(shape, layer), slow=False)


def test_a_network_of_many_kinds(parity):
    x = keras.Input((12, 10, 2), name="x")
    y = layers.SeparableConv2D(6, 3, padding="same", activation="relu")(x)
    y = layers.Add()([y, layers.Conv2D(6, 1)(x)])
    y = layers.MaxPooling2D()(layers.BatchNormalization()(y))
    y = layers.Conv2DTranspose(4, 2, strides=2)(y)
    y = layers.Concatenate()([y, x])
    parity(keras.Model(x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y))), slow=False)
