"""Merges of tensors of any rank, with and without repeated axes."""

import keras
import pytest
from keras import layers

SHAPES = [(1,), (16,), (35,), (1, 1), (5, 3), (None, 4), (1, 7, 2), (3, 1, 5), (4, 4, 17), (2, 3, 4, 2)]
MERGES = [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum]
PAIRS = [
    ((4,), (1,)),
    ((1,), (4,)),
    ((5, 3), (3,)),
    ((5, 3), (5, 1)),
    ((5, 1), (1, 3)),
    ((None, 4), (4,)),
    ((None, 4), (None, 1)),
    ((None, 4), (1, 1)),
    ((2, 3, 4), (4,)),
    ((2, 3, 4), (2, 1, 4)),
    ((3, 1), (2, 3, 4)),
    ((2, 3, 4, 2), (3, 1, 1)),
]


def inputs(*shapes):
    return [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_merges_of_equal_shapes(parity, shape):
    x = inputs(shape, shape)
    three = [merge()([*x, layers.Activation("tanh")(x[0])]) for merge in MERGES if merge is not layers.Subtract]
    parity(keras.Model(x, [merge()(x) for merge in MERGES] + three))


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=str)
def test_merges_that_repeat_axes(parity, a, b):
    x = inputs(a, b)
    parity(keras.Model(x, [merge()(x) for merge in MERGES]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_concatenate_along_every_axis(parity, shape):
    x = inputs(shape, shape)
    fixed = [axis for axis in range(1, len(shape) + 1) if shape[axis - 1] is not None]
    parity(keras.Model(x, [layers.Concatenate(axis=axis)([*x, x[0]]) for axis in [-1, *fixed]]))


def test_concatenate_of_different_sizes(parity):
    x = inputs((2, 3, 4), (5, 3, 4), (2, 3, 1))
    parity(keras.Model(x, [layers.Concatenate(axis=1)(x[:2]), layers.Concatenate()([x[2], x[0]])]))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((4,), (4,), 1),
        ((1,), (1,), -1),
        ((5, 3), (3,), (2, 1)),
        ((3,), (5, 3), (1, 2)),
        ((5, 3), (7, 3), 2),
        ((5, 3), (5, 2), 1),
        ((5, 3), (2, 5), (1, 2)),
        ((1, 1), (1, 1), -1),
        ((2, 3, 4), (5, 4), (3, 2)),
        ((2, 3, 4), (3, 5), (2, 1)),
        ((2, 3, 4), (5, 2, 3), (1, 2)),
    ],
)
def test_dot(parity, a, b, axes, normalize):
    x = inputs(a, b)
    parity(keras.Model(x, layers.Dot(axes, normalize=normalize)(x)))
