"""Recurrent layers, masks and embeddings: Keras and the C++ evaluator agree, whatever the number of steps."""

import keras
import numpy as np
import pytest
from keras import layers

import hepml
from hepml.errors import VerificationError
from hepml.export import export_model
from hepml.export.layers import HANDLERS

STEPS = [7, 1, None]
KINDS = {"lstm": layers.LSTM, "gru": layers.GRU, "simplernn": layers.SimpleRNN}


def on_sequence(*stack, steps=7, n=3):
    return keras.Sequential([keras.Input((steps, n), name="x"), *stack])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"return_sequences": True},
        {"go_backwards": True},
        {"go_backwards": True, "return_sequences": True},
        {"use_bias": False},
        {"activation": "relu"},
        {"activation": "softsign"},
    ],
    ids=str,
)
def test_arguments(parity, kind, steps, arguments):
    document = parity(on_sequence(KINDS[kind](5, **arguments), steps=steps), slow=False)
    (layer,) = document["layers"]
    assert layer["architecture"] == kind
    assert layer.get("return_sequences", True) == arguments.get("return_sequences", False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n", "units"), [(1, 1), (1, 2), (2, 1), (3, 5), (6, 25), (4, 16), (17, 33), (8, 8), (2, 64), (31, 3)]
)
def test_widths(parity, kind, n, units):
    parity(on_sequence(KINDS[kind](units), steps=4, n=n), slow=False)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_gru_with_the_reset_before_the_matrix(parity, steps, use_bias):
    model = on_sequence(layers.GRU(9, reset_after=False, use_bias=use_bias, return_sequences=True), steps=steps)
    assert "reset_after" not in parity(model, slow=False)["layers"][0]


@pytest.mark.parametrize("inner", ["hard_sigmoid", "tanh", "softsign"])
def test_inner_activations(parity, inner):
    parity(on_sequence(layers.LSTM(4, recurrent_activation=inner)), slow=False)
    parity(on_sequence(layers.GRU(4, recurrent_activation=inner)), slow=False)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional(parity, steps, merge, sequences):
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=sequences), merge_mode=merge)
    parity(on_sequence(layer, steps=steps), slow=False)
    other = layers.SimpleRNN(3, go_backwards=True, return_sequences=sequences)
    layer = layers.Bidirectional(layers.GRU(3, return_sequences=sequences), merge_mode=merge, backward_layer=other)
    parity(on_sequence(layer, steps=steps), slow=False)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    "inner",
    [
        layers.Dense(6, activation="tanh"),
        layers.BatchNormalization(),
        layers.Activation("softmax"),
        layers.Dropout(0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_time_distributed(parity, steps, inner):
    again = type(inner).from_config(inner.get_config())
    parity(on_sequence(layers.TimeDistributed(again), layers.GRU(3), steps=steps), slow=False)


def masked_events(n, steps, width):
    """Events whose masked steps are at the start, in the middle, at the end, everywhere and nowhere."""
    x = np.random.default_rng(3).normal(size=(n, steps, width)).astype(np.float32)
    x[0, :2] = x[1, 2:4] = x[2, -2:] = x[3] = 0
    return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [6, None])
@pytest.mark.parametrize(
    "arguments", [{}, {"return_sequences": True}, {"go_backwards": True, "return_sequences": True}], ids=str
)
def test_masking(tmp_path, kind, steps, arguments):
    more = [layers.Bidirectional(layers.GRU(2))] if arguments else []
    model = on_sequence(layers.Masking(0.0), KINDS[kind](4, **arguments), *more, steps=steps)
    export_model(model, tmp_path / "net.json")
    x = masked_events(6, 6, 3)
    right = np.asarray(model(x, training=False))
    assert np.abs(hepml.Evaluator(tmp_path / "net.json")(x)["output"] - right).max() <= 2e-6


def test_a_mask_that_is_lost_is_found_by_the_verification(tmp_path, monkeypatch):
    """The random events of an export have masked steps."""
    handler = HANDLERS["GRU"]
    monkeypatch.setitem(HANDLERS, "GRU", lambda layer, values, network: handler(layer, values[:1], network))
    x = keras.Input((None, 3), name="x")
    inner = keras.Sequential([keras.Input((None, 3)), layers.Masking(-9.0), layers.GRU(4)])
    nested = keras.Model(x, layers.Dense(2)(inner(x)))
    for model in (on_sequence(layers.Masking(0.5), layers.GRU(4)), nested):
        with pytest.raises(VerificationError, match="does not reproduce Keras"):
            export_model(model, tmp_path / "net.json")


def test_zero_output_for_mask(tmp_path):
    x = keras.Input((6, 3), name="x")
    layer = layers.LSTM(4, return_sequences=True)
    layer.zero_output_for_mask = True
    model = keras.Model(x, layer(layers.Masking(0.0)(x)))
    export_model(model, tmp_path / "net.json")
    events = masked_events(6, 6, 3)
    found = hepml.Evaluator(tmp_path / "net.json")(events)["output"]
    assert np.abs(found - np.asarray(model(events, training=False))).max() <= 2e-6
    assert not found[3].any()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("mask_zero", [True, False])
def test_embedding(parity, steps, mask_zero):
    x = keras.Input((steps,), dtype="int32", name="codes")
    embedded = layers.Embedding(6, 4, mask_zero=mask_zero)(x)
    parity(keras.Model(x, layers.LSTM(3)(embedded)), slow=False)


@pytest.mark.parametrize("steps", [4, None])
def test_embedding_of_a_float_input(tmp_path, steps):
    x = keras.Input((steps,), name="codes")
    model = keras.Model(x, layers.LSTM(3)(layers.Embedding(6, 4)(x)))
    export_model(model, tmp_path / "net.json")
    codes = np.random.default_rng(0).integers(0, 6, (5, 4)).astype(np.float32)
    found = hepml.Evaluator(tmp_path / "net.json")(codes[..., None] if steps is None else codes)["output"]
    assert np.abs(found - np.asarray(model(codes, training=False))).max() <= 2e-6


def test_embedding_of_a_vector_and_numbers_that_are_no_category(parity, tmp_path):
    x = keras.Input((4,), dtype="int32", name="codes")
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Embedding(6, 3)(x))))
    parity(model, slow=False)
    export_model(model, tmp_path / "again.json")
    found = hepml.Evaluator(tmp_path / "again.json")([[0, 1, 2, 5], [0, 1, 2, 6], [0, 1, 2, -1], [0, 1, 2, 0.5]])[
        "output"
    ]
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1:]).all()


def test_sequences_beside_vectors(parity):
    a, b = keras.Input((None, 4), name="a"), keras.Input((3,), name="b")
    joined = layers.Concatenate()([layers.GRU(3)(a), b])
    parity(keras.Model([b, a], layers.Dense(2)(joined)), slow=False)
    c = keras.Input((None, 4), name="c")
    parity(keras.Model([a, c], layers.LSTM(2)(layers.Add()([a, c]))), slow=False)


@pytest.mark.parametrize("steps", [2, 3, 40])
def test_any_number_of_steps(parity, steps):
    parity(on_sequence(layers.GRU(5, return_sequences=True), layers.LSTM(3), steps=None), slow=False, steps=steps)
