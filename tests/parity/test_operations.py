"""keras.ops in functional models."""

import keras
import numpy as np
import pytest
from keras import layers, ops

SHAPES = [(1,), (6,), (35,), (1, 1), (5, 6), (None, 4), (1, 7, 2), (3, 1, 6), (4, 4, 18), (2, 3, 4, 2)]
FIXED = [shape for shape in SHAPES if None not in shape]
ELEMENTS = [
    *("abs", "arcsinh", "arctan", "ceil", "celu", "cos", "cosh", "elu", "erf", "exp", "expm1", "floor", "gelu"),
    *("hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log", "log1p", "log_sigmoid"),
    *("negative", "reciprocal", "relu", "relu6", "round", "rsqrt", "selu", "sigmoid", "sign", "silu", "sin", "sinh"),
    *("soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sqrt", "square", "squareplus", "tan"),
    *("tanh", "tanh_shrink"),
]
pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis")


def tensors(*shapes):
    return [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_functions_of_elements(parity, shape):
    (given,) = tensors(shape)
    x = ops.tanh(ops.abs(given)) + 0.1  # where all of them are defined, and none amplifies rounding
    outputs = [getattr(ops, name)(x) for name in ELEMENTS]
    outputs += [
        ops.clip(x, 0.3, 0.9),
        ops.threshold(x, 0.4, -0.2),
        ops.gelu(x, approximate=False),
        ops.elu(x, alpha=0.3),
        keras.activations.relu(x, threshold=0.5, max_value=0.8, negative_slope=0.1),
        ops.softmax(x),
        ops.log_softmax(x),
        ops.normalize(x),
        ops.cast(x, "float32"),
    ]
    parity(keras.Model(given, outputs))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_arithmetic_with_numbers_and_arrays(parity, shape):
    (given,) = tensors(shape)
    x = ops.abs(given) + 0.1
    array = np.linspace(0.5, 2, shape[-1]).astype(np.float32)
    outputs = [x + 1, 1 + x, x - 2, 2.0 - x, 3 * x, x / 4, 1 / x, x**2, 1.5**x, -x, abs(x), x * array, x - array]
    outputs += [x + array[None], ops.maximum(x, 0.5), ops.minimum(0.6, x), ops.arctan2(x, array), ops.power(x, 0.5)]
    parity(keras.Model(given, outputs))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_arithmetic_between_tensors(parity, shape):
    x, y = tensors(shape, shape)
    p, q = ops.abs(x) + 0.1, ops.abs(y) + 0.1
    parity(keras.Model([x, y], [x + y, x - y, x * y, x / q, p**y, p / q, ops.maximum(x, y), ops.arctan2(x, y)]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions(parity, shape):
    (x,) = tensors(shape)
    outputs = []
    for name in ("sum", "mean", "max", "min", "prod", "var", "std", "logsumexp", "norm"):
        function = getattr(ops, name)
        outputs.append(function(x, axis=-1, keepdims=True))
        if len(shape) > 1:
            outputs.append(function(x, axis=1))
        if len(shape) > 2:
            outputs += [function(x, axis=(1, 3)), function(x, axis=(2, 3), keepdims=True), function(x, axis=2)]
    parity(keras.Model(x, outputs))


@pytest.mark.parametrize("shape", FIXED, ids=str)
def test_moving_axes(parity, shape):
    (x,) = tensors(shape)
    rank = len(shape)
    outputs = [
        ops.transpose(x, (0, *range(rank, 0, -1))),
        ops.swapaxes(x, 1, -1),
        ops.moveaxis(x, 1, -1),
        ops.expand_dims(x, 1),
        ops.expand_dims(x, -1),
        ops.squeeze(ops.expand_dims(x, -1), -1),
        ops.reshape(x, (-1, shape[-1], int(np.prod(shape[:-1])))),
        ops.flip(x, axis=-1),
        ops.repeat(x, 2, axis=1),
        ops.tile(x, (1,) * rank + (3,)),
        ops.concatenate([x, x * 2], axis=-1),
        ops.stack([x, x * 2], axis=1),
        ops.stack([x, x * 2], axis=-1),
        ops.take(x, [0, shape[0] - 1, 0], axis=1),
    ]
    parity(keras.Model(x, outputs))


def test_cutting(parity):
    (x,) = tensors((5, 6, 3))
    outputs = [
        x[:, 1:4],
        x[:, ::2, ::-1],
        x[..., 0],
        x[..., 1:],
        x[:, -1],
        x[:, 2, 3:, None],
        x[:, :, None, 4, :],
        ops.take(x, 2, axis=-1),
        *ops.split(x, 3, axis=2),
        *ops.split(x, [1, 4], axis=1),
        ops.unstack(x, axis=3)[1],
        ops.glu(x, axis=2),
    ]
    parity(keras.Model(x, outputs))


def test_the_variables_of_a_sequence_of_any_length(parity):
    (x,) = tensors((None, 5))
    parity(keras.Model(x, [x[..., 1:4], x[:, :, ::2] * 2, x[:, :, -1:]]), slow=False)


def test_momenta_from_pt_eta_phi(parity):
    (x,) = tensors((3,))
    pt, eta, phi = x[:, 0], x[:, 1], x[:, 2]
    momenta = ops.stack([pt * ops.cos(phi), pt * ops.sin(phi), pt * ops.sinh(eta)], axis=-1)
    parity(keras.Model(x, [momenta, layers.Dense(2)(momenta), ops.expand_dims(pt * eta, -1)]))


def test_products_of_matrices(parity):
    x, y = tensors((5, 3), (3, 4))
    a, b = ops.matmul(x, y), ops.transpose(y, (0, 2, 1)) @ ops.transpose(x, (0, 2, 1))
    outputs = [a, b, x @ np.ones((3, 2), np.float32), ops.dot(x, np.eye(3, dtype=np.float32))]
    parity(keras.Model([x, y], outputs))
    x, y = tensors((2, 5, 3), (1, 3, 17))
    parity(keras.Model([x, y], ops.matmul(x, y)))
    x, y = tensors((None, 3), (3, 17))
    parity(keras.Model([x, y], [ops.matmul(x, y), x @ np.ones((3, 2), np.float32)]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_comparisons_and_choices(parity, shape):
    x, y = tensors(shape, shape)
    conditions = [x > y, x >= 0.1, x < y, y >= 0.3, ops.equal(x, x), ops.not_equal(x, 0.0)]
    conditions += [ops.logical_and(x > 0, y > 0), ops.logical_or(x > 0, y > 0), ops.logical_not(x > y)]
    outputs = [ops.cast(condition, "float32") for condition in conditions]
    outputs += [ops.where(x > y, x, y), ops.where(x > 0, ops.sqrt(ops.maximum(x, 0.0)), -1.0), ops.where(y < x, 2.0, y)]
    padding = ops.any(ops.not_equal(x, 0.0), axis=-1, keepdims=True)
    outputs += [x * ops.cast(padding, "float32"), ops.cast(ops.all(x > -1, axis=-1, keepdims=True), "float32")]
    parity(keras.Model([x, y], outputs))


def test_einsum_of_two_tensors(parity):
    x, y = tensors((2, 3, 4), (2, 5, 4))
    outputs = [
        ops.einsum("bhqd,bhkd->bhqk", x, y),
        ops.einsum("bhqd,bhkd->bkhq", x, y),
        ops.einsum("bhqd,bhqd->bhq", x, x),
        ops.einsum("bhqd,bhkd->bqk", x, y),
        ops.einsum("bhqd,bgkd->bgqhk", x, y),
    ]
    parity(keras.Model([x, y], outputs))


def test_deep_sets_on_any_number_of_particles(parity):
    (x,) = tensors((None, 4))
    y = layers.Dense(8, activation="relu")(x)
    pooled = ops.concatenate([ops.sum(y, axis=1), ops.mean(y, axis=1), ops.max(y, axis=1)], axis=-1)
    parity(keras.Model(x, layers.Dense(2, activation="softmax")(pooled)))
