"""Keras 3 layers as lwtnn reads them: by lwtnn's own rules they give what Keras gives; others are refused by name."""

import json

import keras
import numpy as np
import pytest
from keras import layers
from lwtnn_reference import evaluate_graph

from hepml.errors import UnsupportedLayerError
from hepml.export import export_model
from hepml.export.keras2.functions import SumOverSteps

N_EVENTS, STEPS = 5, 6


def vector(n=4, name="v"):
    return keras.Input((n,), name=name)


def sequence(n=3, name="s"):
    return keras.Input((None, n), name=name)


def chain(start, *following):
    x = start
    for one in following:
        x = one(x)
    return keras.Model(start, x)


def mlp():
    x = vector()
    h = layers.Dense(5, activation="elu")(x)
    h = layers.LeakyReLU(negative_slope=0.25)(layers.Dense(5, use_bias=False)(h))
    h = layers.BatchNormalization()(layers.Add()([h, layers.Dense(5, activation="tanh")(x)]))
    h = layers.Concatenate()([layers.ELU(alpha=0.5)(h), layers.Dense(2, activation="silu")(h), x])
    return keras.Model(x, [layers.Dense(3, activation="softmax")(h), layers.Dense(1, activation="sigmoid")(h)])


def shared():
    a, b = vector(name="a"), vector(name="b")
    twice = layers.Dense(3, activation="relu")
    return keras.Model([a, b], layers.Dense(2)(layers.Concatenate()([twice(a), twice(b), twice(a)])))


def scaled():
    return chain(
        vector(),
        layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 0.5]),
        layers.Dense(3),
        layers.Rescaling(2.0, offset=-1.0),
        layers.BatchNormalization(scale=False),
        layers.BatchNormalization(center=False),
    )


def mixed():
    s, v = sequence(), vector()
    h = layers.TimeDistributed(layers.Dense(4, activation="relu"))(s)
    h = layers.TimeDistributed(layers.Activation("tanh"))(layers.TimeDistributed(layers.BatchNormalization())(h))
    h = layers.GRU(4, reset_after=False, return_sequences=True)(h)
    h = layers.LSTM(3)(h)
    return keras.Model([s, v], layers.Dense(2, activation="softmax")(layers.Concatenate()([h, layers.Dropout(0.5)(v)])))


def deep_set():
    s = sequence()
    return chain(s, layers.Dense(4, activation="relu"), SumOverSteps(), layers.Dense(2))


def deep_set_of_operations():
    s = sequence()
    return keras.Model(s, layers.Dense(2)(keras.ops.sum(layers.Dense(4, activation="tanh")(s), axis=1)))


MODELS = {
    "deep_set_of_operations": deep_set_of_operations,
    "mlp": mlp,
    "shared": shared,
    "scaled": scaled,
    "mixed": mixed,
    "deep_set": deep_set,
    "lstm": lambda: chain(sequence(), layers.LSTM(4, recurrent_activation="tanh", return_sequences=True)),
    "lstm_no_bias": lambda: chain(sequence(), layers.LSTM(4, use_bias=False), layers.Dense(1)),
    "gru": lambda: chain(sequence(), layers.GRU(4, reset_after=False, activation="elu"), layers.Dense(2)),
    "gru_no_bias": lambda: chain(sequence(), layers.GRU(2, reset_after=False, use_bias=False, return_sequences=True)),
    "simplernn": lambda: chain(sequence(), layers.SimpleRNN(4, return_sequences=True), layers.SimpleRNN(2)),
    "conv1d_no_bias": lambda: chain(sequence(), layers.Conv1D(4, 2, use_bias=False), layers.SimpleRNN(2)),
    "two_sequences": lambda: keras.Model(
        inputs := [sequence(), sequence(2, "u")],
        layers.Add()([layers.SimpleRNN(3)(inputs[0]), layers.GRU(3, reset_after=False)(inputs[1])]),
    ),
    **{
        f"conv1d_{padding}_{kernel}_{dilation}": lambda p=padding, k=kernel, d=dilation: chain(
            sequence(), layers.Conv1D(4, k, padding=p, dilation_rate=d, activation="tanh"), layers.Dense(2)
        )
        for padding in ("causal", "same", "valid")
        for kernel in (1, 2, 3, 4)
        for dilation in (1, 2)
        if kernel * dilation < 8
    },
}


def randomized(model, generator):
    for variable in model.weights:
        positive = "variance" in variable.path or "gamma" in variable.path
        low = 0.5 if positive else -1.0
        variable.assign(generator.uniform(low, 1.5 if positive else 1.0, variable.shape).astype(np.float32))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_lwtnn_evaluates_what_keras_does(name, tmp_path):
    generator = np.random.default_rng(len(name))
    keras.backend.clear_session()
    model = randomized(MODELS[name](), generator)
    export_model(model, tmp_path / "net.json", lwtnn=True)
    document = json.loads((tmp_path / "net.json").read_text())
    arrays = [
        generator.normal(size=(N_EVENTS, *(STEPS if n is None else n for n in tensor.shape[1:]))).astype(np.float32)
        for tensor in model.inputs
    ]
    results = model(arrays if len(arrays) > 1 else arrays[0], training=False)
    rights = [np.asarray(one) for one in (results if isinstance(results, list) else [results])]
    vectors = [array for array in arrays if array.ndim == 2]
    sequences = [array for array in arrays if array.ndim == 3]
    for event in range(N_EVENTS):
        found = evaluate_graph(document, [a[event] for a in vectors], [a[event] for a in sequences])
        for value, right in zip(found.values(), rights, strict=True):
            # lwtnn's map interface takes the last step of a recurrent layer that gives all of them
            last = value if value.shape == right[event].shape else value[-1]
            assert np.abs(last - right[event]).max() < 1e-5 * max(1, np.abs(right[event]).max())


REFUSED = {
    "reset_after": lambda: chain(sequence(), layers.GRU(2, name="bad")),
    "go_backwards": lambda: chain(sequence(), layers.LSTM(2, go_backwards=True, name="bad")),
    "Masking": lambda: chain(sequence(), layers.Masking(name="bad"), layers.LSTM(2)),
    "backward_bad": lambda: chain(sequence(), layers.Bidirectional(layers.LSTM(2, name="bad"))),
    "strides": lambda: chain(sequence(), layers.Conv1D(2, 3, strides=2, name="bad")),
    "even window": lambda: chain(sequence(), layers.Conv1D(2, 2, padding="same", dilation_rate=3, name="bad")),
    "softmax": lambda: chain(sequence(), layers.Conv1D(2, 2, activation="softmax", name="bad")),
    "hard_sigmoid": lambda: chain(sequence(), layers.LSTM(2, recurrent_activation="hard_sigmoid", name="bad")),
    "gelu": lambda: chain(vector(), layers.Dense(2, activation="gelu", name="bad")),
    "GlobalMaxPooling1D": lambda: chain(sequence(), layers.GlobalMaxPooling1D(name="bad")),
    "Multiply": lambda: keras.Model(x := vector(), layers.Multiply(name="bad")([x, x])),
    "Add": lambda: keras.Model(x := sequence(), layers.Add(name="bad")([x, x])),
    "Concatenate": lambda: keras.Model(x := sequence(), layers.Concatenate(name="bad")([x, x])),
    "LayerNormalization": lambda: chain(vector(), layers.LayerNormalization(name="bad")),
    "Reshape": lambda: chain(vector(), layers.Reshape((2, 2), name="bad")),
    "Flatten": lambda: chain(keras.Input((2, 3)), layers.Flatten(name="bad")),
    "image": lambda: chain(keras.Input((4, 4, 1), name="bad"), layers.Flatten()),
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_lwtnn_lacks_is_refused_by_name(word, tmp_path):
    keras.backend.clear_session()
    with pytest.raises(UnsupportedLayerError) as error:
        export_model(REFUSED[word](), tmp_path / "net.json", lwtnn=True)
    assert word in str(error.value)
    assert "bad" in str(error.value)
    assert not (tmp_path / "net.json").exists()
