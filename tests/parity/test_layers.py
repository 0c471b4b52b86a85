"""Every supported layer, argument and shape: Keras, the C++ evaluator and slow NumPy agree."""

import keras
import numpy as np
import pytest
from keras import layers

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "elu", "leaky_relu", "silu"]
# odd, 1-sized, not square, several channels
IMAGES = [
    (1, 1, 1),
    (2, 2, 1),
    (1, 7, 2),
    (7, 1, 3),
    (5, 4, 1),
    (8, 8, 2),
    (9, 6, 17),
    (13, 16, 1),
    (3, 31, 2),
    (11, 5, 4),
]


def image_model(shape, *stack):
    return keras.Sequential([keras.Input(shape, name="image"), *stack, layers.Flatten()])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(parity, activation, use_bias):
    for n_in, n_out in [(1, 1), (1, 3), (7, 1), (16, 16), (17, 33), (5, 64), (100, 9), (31, 15), (64, 2), (3, 150)]:
        if activation == "softmax" and n_out == 1:
            continue  # always 1, and Keras warns
        x = keras.Input((n_in,), name="x")
        parity(keras.Model(x, layers.Dense(n_out, activation=activation, use_bias=use_bias)(x)), n=3)


@pytest.mark.parametrize(
    "layer",
    [
        *[layers.Activation(name) for name in ACTIVATIONS],
        layers.ReLU(),
        layers.ReLU(negative_slope=0.3),
        layers.LeakyReLU(),
        layers.LeakyReLU(negative_slope=0.01),
        layers.ELU(),
        layers.ELU(alpha=0.4),
        layers.Softmax(),
        layers.Activation(layers.LeakyReLU(negative_slope=0.7)),
    ],
    ids=lambda layer: f"{type(layer).__name__}-{layer.get_config().get('activation', '')}",
)
def test_activation_layers_on_vectors_and_behind_convolutions(parity, layer):
    again = layer.__class__.from_config
    config = layer.get_config()
    for n in (2, 7, 16, 33):
        x = keras.Input((n,), name="x")
        parity(keras.Model(x, again(config)(layers.Dense(n)(x))))
    document = parity(image_model((6, 5, 2), layers.Conv2D(3, 2), again(config)))
    assert [entry["architecture"] for entry in document["layers"]] == ["conv2d", "flatten"]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (1, 4), (5, 2)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 3), (3, 2)])
def test_conv2d(parity, padding, kernel, strides):
    for number, shape in enumerate(IMAGES):
        if padding == "valid" and (shape[0] < kernel[0] or shape[1] < kernel[1]):
            continue
        reach = shape[1] if padding == "same" else shape[1] - kernel[1] + 1
        if shape[2] == 1 and strides[1] > strides[0] and reach <= strides[1]:
            continue  # oneDNN in TensorFlow 2.21 itself is wrong for one channel and one column of results
        filters = (1, 2, 5, 16, 19)[number % 5]
        convolution = layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=number % 2 == 0)
        parity(image_model(shape, convolution), n=2)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [(2, 2), (1, 3), (3, 1)])
def test_dilated_conv2d(parity, padding, dilation):
    for shape in [(9, 8, 1), (7, 7, 3), (13, 11, 2)]:
        parity(image_model(shape, layers.Conv2D(4, 3, dilation_rate=dilation, padding=padding)), n=2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_conv2d_activations(parity, activation):
    for shape in IMAGES[3:7]:
        parity(image_model(shape, layers.Conv2D(6, 3, padding="same", activation=activation)), n=2)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pool", [(1, 1), (2, 2), (3, 3), (2, 1), (1, 3)])
@pytest.mark.parametrize("strides", [None, (1, 1), (2, 2), (3, 1)])
def test_max_pooling(parity, padding, pool, strides):
    for shape in IMAGES:
        if padding == "valid" and (shape[0] < pool[0] or shape[1] < pool[1]):
            continue
        parity(image_model(shape, layers.MaxPooling2D(pool, strides=strides, padding=padding)), n=2)


def test_pooling_of_negative_images_ignores_the_border(parity):
    image = keras.Input((5, 5, 1), name="image")
    x = layers.Conv2D(2, 1, bias_initializer=keras.initializers.Constant(-50.0))(image)
    parity(keras.Model(image, layers.Flatten()(layers.MaxPooling2D(2, padding="same")(x))), weights=False)


def test_flatten_keeps_keras_order(parity):
    for shape in IMAGES:
        image = keras.Input(shape, name="image")
        parity(keras.Model(image, layers.Dense(3)(layers.Flatten()(image))))
        parity(keras.Model(image, layers.Dense(3)(layers.Reshape((-1,))(image))))


def test_concatenate_keeps_the_order_it_is_given(parity):
    a, b, c = keras.Input((3,), name="a"), keras.Input((4, 3, 2), name="b"), keras.Input((1,), name="c")
    joined = layers.Concatenate()([c, layers.Flatten()(b), a, c])
    document = parity(keras.Model([a, b, c], layers.Dense(4)(joined)))
    assert [record["name"] for record in document["inputs"]] == ["a", "b", "c"]


def test_add(parity):
    for n in (1, 5, 16, 35):
        a, b = keras.Input((n,), name="a"), keras.Input((n,), name="b")
        parity(keras.Model([a, b], layers.Add()([a, layers.Dense(n)(b), a])))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_batch_normalization(parity, center, scale):
    for n in (1, 7, 32):
        x = keras.Input((n,), name="x")
        y = layers.BatchNormalization(center=center, scale=scale, epsilon=1e-2)(layers.Dense(n)(x))
        parity(keras.Model(x, layers.Dense(2)(y)))


def test_batch_normalization_with_vanishing_gamma(parity):
    x = keras.Input((3,), name="x")
    layer = layers.BatchNormalization()
    model = keras.Model(x, layer(x))
    layer.set_weights([np.float32(v) for v in ([0, 2, 1e-38], [1, 2, 3], [0.5, 0, 1], [1, 2, 3])])
    document = parity(model, weights=False)
    assert [entry["architecture"] for entry in document["layers"]] == ["dense"]


def test_normalization_behind_an_input_becomes_its_offset_and_scale(parity):
    for n in (1, 7, 20):
        mean, variance = np.linspace(-3, 5, n), np.linspace(0.01, 9, n)
        x = keras.Input((n,), name="x")
        y = layers.Normalization(mean=mean, variance=variance)(x)
        document = parity(keras.Model(x, layers.Dense(3)(y)))
        assert len(document["layers"]) == 1
        offsets = [variable["offset"] for variable in document["inputs"][0]["variables"]]
        assert offsets == pytest.approx(-mean, rel=1e-6, abs=1e-12)


def test_inverse_normalization(parity):
    x = keras.Input((3,), name="x")
    layer = layers.Normalization(mean=[1.0, -2.0, 0.0], variance=[4.0, 0.25, 1.0], invert=True)
    parity(keras.Model(x, layers.Dense(2)(layer(x))))


def test_adapted_normalization(parity):
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32))
    x = keras.Input((4,), name="x")
    parity(keras.Model(x, layers.Dense(2)(layer(x))), weights=False)


def test_normalization_of_an_input_with_two_users_is_a_layer(parity):
    x = keras.Input((4,), name="x")
    y = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 4, 9, 16])(x)
    document = parity(keras.Model(x, layers.Dense(2)(layers.Concatenate()([x, y]))))
    assert [entry["architecture"] for entry in document["layers"]] == ["normalization", "dense"]
    assert {variable["scale"] for variable in document["inputs"][0]["variables"]} == {1}


@pytest.mark.parametrize(("scale", "offset"), [(0.05, 0.0), (1 / 255, -0.5), (2.0, 3.0), ([0.1, 3.0], [0.0, -2.0])])
def test_rescaling(parity, scale, offset):
    width = 2
    for shape in [(width,), (5, 3, width)]:
        x = keras.Input(shape, name="x")
        y = layers.Flatten()(layers.Rescaling(scale, offset=offset)(x))
        document = parity(keras.Model(x, layers.Dense(3)(y)))
        assert not any(entry["architecture"] == "normalization" for entry in document["layers"])


def test_rescaling_inside_a_network_and_by_zero(parity):
    x = keras.Input((3,), name="x")
    y = layers.Rescaling([2.0, 0.0, -1.0], offset=[1.0, 5.0, 0.0])(layers.Dense(3)(x))
    parity(keras.Model(x, layers.Dense(2)(y)))
    parity(keras.Model(x, layers.Rescaling(0.0, offset=1.5)(x)))


def test_normalization_of_an_image_by_channel(parity):
    x = keras.Input((4, 5, 2), name="x")
    y = layers.Normalization(axis=-1, mean=[1.0, -3.0], variance=[4.0, 0.5])(x)
    document = parity(keras.Model(x, layers.Flatten()(y)))
    assert len(document["inputs"][0]["offset"]) == 2


def test_normalization_of_all_values_together(parity):
    for shape in [(6,), (4, 5, 1)]:
        x = keras.Input(shape, name="x")
        y = layers.Normalization(axis=None, mean=0.5, variance=4.0)(x)
        parity(keras.Model(x, layers.Dense(2)(layers.Flatten()(y))))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dropout(0.5),
        layers.GaussianDropout(0.5),
        layers.GaussianNoise(0.5),
        layers.AlphaDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.Identity(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_without_effect_are_left_out(parity, layer):
    x = keras.Input((4,), name="x")
    document = parity(keras.Model(x, layers.Dense(2)(layer(layers.Dense(3)(x)))))
    assert len(document["layers"]) == 2
    document = parity(image_model((5, 5, 2), layers.Conv2D(3, 2), layers.SpatialDropout2D(0.3)))
    assert len(document["layers"]) == 2
