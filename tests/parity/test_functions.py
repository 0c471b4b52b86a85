"""Activations on vectors, sequences and tensors of any rank; softmax over any axes."""

import keras
import pytest
from keras import layers

from hepml.export.activations import SUPPORTED

SHAPES = [(1,), (2,), (17,), (40,), (1, 1), (5, 3), (None, 4), (1, 7, 2), (3, 1, 5), (2, 3, 4, 2)]
ACTIVATIONS = list(SUPPORTED)
pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
SEQUENCES = [(1, 1), (5, 3), (None, 4), (1, 7), (7, 1), (2, 2), (9, 17), (3, 40), (16, 16), (2, 33)]


def input_of(shape):
    return keras.Input(shape, name="x")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_activation(parity, shape):
    x = input_of(shape)
    parity(keras.Model(x, [layers.Activation(name)(x) for name in ACTIVATIONS]))


@pytest.mark.parametrize("shape", [(3,), (None, 4), (2, 5, 3)], ids=str)
def test_every_activation_of_a_dense_layer(parity, shape):
    x = input_of(shape)
    parity(keras.Model(x, [layers.Dense(5, activation=name)(x) for name in ACTIVATIONS]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_logits_of_every_activation(parity, activation):
    x = input_of((4,))
    parity(keras.Model(x, layers.Dense(3, activation=activation)(x)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_activation_layers_with_their_arguments(parity, shape):
    x = input_of(shape)
    own = [
        layers.ReLU(max_value=0.7),
        layers.ReLU(max_value=6.0),
        layers.ReLU(negative_slope=0.3),
        layers.ReLU(threshold=0.4),
        layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.3),
        layers.LeakyReLU(negative_slope=0.05),
        layers.ELU(alpha=1.7),
        layers.Softmax(),
        layers.Activation(layers.ELU(alpha=0.2)),
    ]
    if None not in shape:
        own.append(layers.PReLU())
        own.append(layers.PReLU(shared_axes=list(range(1, len(shape) + 1))))
        own.append(layers.PReLU(shared_axes=[1]))
    parity(keras.Model(x, [layer(x) for layer in own]))


def test_prelu_shared_by_the_steps_of_a_sequence_of_any_length(parity):
    x = input_of((None, 4))
    parity(keras.Model(x, layers.PReLU(shared_axes=[1])(x)))


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (None, 4), (1, 7, 2), (3, 1, 5), (2, 3, 4, 2)], ids=str)
def test_softmax_over_other_axes(parity, shape):
    x = input_of(shape)
    over = [1, -2, (1, len(shape)), tuple(range(1, len(shape) + 1))]
    parity(keras.Model(x, [layers.Softmax(axis=axis)(x) for axis in over]))
    parity(keras.Model(x, layers.Softmax(axis=1)(x)))  # with its logits


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dense_on_the_last_axis(parity, shape):
    x = input_of(shape)
    outputs = [layers.Dense(n, use_bias=bias)(x) for n in (1, 3, 20) for bias in (True, False)]
    parity(keras.Model(x, outputs))


@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 3), (None, 4), (1, 7), (7, 1), (2, 2), (9, 17), (3, 40), (16, 16), (2, 33)]
)
def test_einsum_dense_on_sequences(parity, shape):
    x = input_of(shape)
    outputs = [
        layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", activation="relu")(x),
        layers.EinsumDense("...x,xy->...y", (5,))(x),
    ]
    if None not in shape:
        outputs += [
            layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de")(x),
            layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="e", activation="tanh")(x),
            layers.EinsumDense("abc,bd->adc", (4, None), bias_axes="d")(x),
            layers.EinsumDense("abc,bcd->ad", 3, bias_axes="d")(x),
            layers.EinsumDense("abc,dc->adb", (2, None))(x),
            layers.EinsumDense("abc,cd->abd", (shape[0], 3), bias_axes="bd", activation="softmax")(x),
        ]
    parity(keras.Model(x, outputs))
