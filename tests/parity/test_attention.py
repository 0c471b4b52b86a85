"""Attention within a sequence and between two, of fixed and of any length."""

import keras
import pytest
from keras import layers

from hepml.errors import UnsupportedLayerError
from hepml.export import export_model

pytestmark = pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
SEQUENCES = [(1, 1), (1, 5), (2, 4), (5, 3), (7, 8), (16, 17), (3, 1), (9, 2), (None, 4), (None, 1)]


def tensors(*shapes):
    return [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]


@pytest.mark.parametrize("shape", SEQUENCES, ids=str)
def test_attention_within_a_sequence(parity, shape):
    (x,) = tensors(shape)
    outputs = [
        layers.MultiHeadAttention(1, 1)(x, x),
        layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=4)(x, x),
        layers.MultiHeadAttention(3, 4, use_bias=False, dropout=0.2)(x, x, use_causal_mask=True),
        layers.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True)(x, x),
        layers.MultiHeadAttention(2, 3, sliding_window=3)(x, x, use_causal_mask=True),
        layers.GroupQueryAttention(3, 4, 2)(x, x),
        layers.GroupQueryAttention(2, 2, 1, use_bias=False, use_gate=True)(x, x, use_causal_mask=True),
        layers.GroupQueryAttention(2, 2, 2, sliding_window=1)(x, x),
    ]
    parity(keras.Model(x, outputs), n=3)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ((1, 1), (1, 1)),
        ((1, 4), (5, 3)),
        ((5, 3), (1, 4)),
        ((5, 4), (5, 4)),
        ((7, 2), (3, 9)),
        ((2, 16), (17, 16)),
        ((None, 4), (None, 4)),
        ((None, 4), (5, 3)),
        ((5, 4), (None, 3)),
        ((None, 4), (None, 3)),
        ((3, 8), (4, 1)),
    ],
    ids=str,
)
def test_attention_between_sequences(parity, query, value):
    x, y = tensors(query, value)
    outputs = [
        layers.MultiHeadAttention(2, 3)(x, y),
        layers.MultiHeadAttention(2, 3)(query=x, key=y, value=layers.Activation("tanh")(y)),
        layers.MultiHeadAttention(2, 3)(y, x, use_causal_mask=True),
    ]
    if query[1] == value[1]:  # which Keras wants
        outputs.append(layers.GroupQueryAttention(3, 4, 2)(x, y))
    parity(keras.Model([x, y], outputs), n=3)


@pytest.mark.parametrize("shape", SEQUENCES, ids=str)
def test_attention_without_projections(parity, shape):
    x, y = tensors(shape, (6, shape[1]))
    key = layers.Activation("tanh")(y)
    outputs = []
    for inputs in ([x, y], [x, y, key], [y, x]):
        outputs += [
            layers.Attention()(inputs),
            layers.Attention(use_scale=True)(inputs, use_causal_mask=True),
            layers.Attention(score_mode="concat", dropout=0.3)(inputs),
            layers.Attention(score_mode="concat", use_scale=True)(inputs),
            layers.AdditiveAttention()(inputs),
            layers.AdditiveAttention(use_scale=False)(inputs, use_causal_mask=True),
        ]
    parity(keras.Model([x, y], outputs), n=3)


def test_attention_over_the_pixels_of_an_image(parity):
    (x,) = tensors((3, 4, 6))
    parity(keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x)))


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_a_transformer_on_particles(parity, steps):
    """Blocks of attention and of dense layers with residuals, as in jet taggers."""
    (x,) = tensors((None, 5))
    y = layers.Dense(8)(x)
    for _ in range(2):
        z = layers.LayerNormalization()(y)
        y = layers.Add()([y, layers.MultiHeadAttention(2, 4)(z, z)])
        z = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(y))
        y = layers.Add()([y, layers.Dense(8)(z)])
    pooled = keras.ops.mean(y, axis=1)
    parity(keras.Model(x, layers.Dense(3, activation="softmax")(pooled)), steps=steps)


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"])
def test_masks_of_the_inputs_are_refused(tmp_path, name):
    """Keras looks at them when the layer runs: on random events without a masked step they change nothing."""
    x = keras.Input((None, 4), name="x")
    masked = layers.Dense(4)(layers.Masking()(x))
    sizes = {"MultiHeadAttention": (2, 2), "GroupQueryAttention": (2, 4, 2)}.get(name, ())
    layer = getattr(layers, name)(*sizes, name="a")
    y = layer(masked, masked) if sizes else layer([masked, masked])
    with pytest.raises(UnsupportedLayerError, match=r"mask=.*layer 'a'"):
        export_model(keras.Model(x, y), tmp_path / "net.json")
