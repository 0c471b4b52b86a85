"""Generated C++ source: the numbers of the evaluator, on its own, and whole or not at all."""

import json

import keras
import numpy as np
import pytest
from compiled import COMPILERS, Compiled, chain, events, graph, randomised
from keras import layers as kl
from keras import ops

import hepml
from hepml.export.source.activations import FUNCTIONS, ROWS

PRESETS = ["hl", "mass", "hl_and_mass", "et", "ht", "et_and_ht", "et_and_ht_and_hl"]


@pytest.fixture(scope="module")
def compiled(everything, tmp_path_factory):
    return Compiled(everything, tmp_path_factory.mktemp("compiled"))


@pytest.mark.parametrize("features", PRESETS)
def test_published_networks(features, network, tmp_path):
    compiled = Compiled(network(features), tmp_path)
    given = events(compiled.evaluator)
    compiled.compare(given)
    assert [*compiled.written.inputs] == [record.name for record in compiled.evaluator.inputs]
    assert compiled.library.reproduces()


LAYERS = {
    "dense": lambda: chain((9,), kl.Dense(150, activation="relu"), kl.Dense(12, use_bias=False), kl.Dense(1)),
    "convolutions": lambda: chain(
        (8, 9, 2),
        kl.Conv2D(13, (3, 2), strides=2, padding="same", activation="elu"),
        kl.Conv2D(50, 2, dilation_rate=2),
        kl.GlobalAveragePooling2D(),
    ),
    **{
        f"{filters} filters": lambda filters=filters: chain(
            (21, 28, 1), kl.Conv2D(filters, 3, strides=(2, 1), activation="relu", padding="same"), kl.MaxPooling2D(2)
        )
        for filters in (1, 2, 4)
    },
    "few filters and a long kernel": lambda: chain(
        (9, 61, 1), kl.Conv2D(4, (2, 35), activation="tanh"), kl.MaxPooling2D((3, 2), strides=(2, 2), padding="same")
    ),
    "batch normalization": lambda: chain(
        (6, 7, 2), kl.Conv2D(5, 3, use_bias=False), kl.BatchNormalization(), kl.ReLU(), kl.GlobalMaxPooling2D()
    ),
    "poolings": lambda: chain(
        (9, 11, 3), kl.AveragePooling2D(3, padding="same", strides=2), kl.MaxPooling2D(2), kl.Flatten()
    ),
    "conv1d": lambda: chain(
        (None, 4),
        kl.Conv1D(20, 4, padding="same", strides=2, activation="relu"),
        kl.Conv1D(9, 3, padding="causal", dilation_rate=2),
        kl.MaxPooling1D(2, padding="same"),
        kl.AveragePooling1D(3, padding="same"),
        kl.Dense(2),
    ),
    "layer normalization": lambda: chain(
        (None, 4), kl.Dense(12, activation="gelu"), kl.LayerNormalization(), kl.GlobalAveragePooling1D(), kl.Dense(3)
    ),
    "recurrent": lambda: chain(
        (None, 4),
        kl.LSTM(6, return_sequences=True),
        kl.GRU(9, return_sequences=True),
        kl.GRU(5, reset_after=False, go_backwards=True, return_sequences=True),
        kl.SimpleRNN(3),
    ),
    "gates of one vector and of several": lambda: graph(
        (None, 4),
        lambda x: [
            kl.GRU(units, reset_after=after, use_bias=after)(x)
            for units in (1, 17, 40, 64, 70)
            for after in (True, False)
        ],
    ),
    "panels of gates": lambda: graph(
        (None, 4),
        lambda x: (
            [kl.LSTM(units)(x) for units in (1, 7, 11, 16, 17, 32, 61, 80, 128)]
            + [kl.LSTM(64, go_backwards=True, activation="softsign", return_sequences=True)(kl.Masking()(x))]
        ),
    ),
    "fixed steps": lambda: chain(
        (8, 4), kl.Masking(), kl.Bidirectional(kl.LSTM(6, return_sequences=True)), kl.GRU(4), kl.Dense(3)
    ),
    "every step": lambda: chain((None, 3), kl.SimpleRNN(6, return_sequences=True), kl.TimeDistributed(kl.Dense(4))),
    "moves": lambda: chain(
        (6, 4),
        kl.Permute((2, 1)),
        kl.Reshape((8, 3)),
        kl.ZeroPadding1D((1, 2)),
        kl.Cropping1D((2, 1)),
        kl.UpSampling1D(2),
        kl.Flatten(),
        kl.RepeatVector(3),
        kl.Softmax(axis=1),
    ),
    "merges": lambda: graph(
        (5,),
        lambda x: [
            kl.Add()([kl.Dense(5, activation="relu")(x), x]),
            kl.Multiply()([x, kl.Dense(5)(x)]),
            kl.Average()([x, kl.Dense(5)(x), x]),
            kl.Maximum()([x, kl.Dense(1)(x)]),
            kl.Concatenate()([x, ops.mean(x, axis=-1, keepdims=True)]),
        ],
    ),
    "operations": lambda: graph(
        (5, 4),
        lambda x: [
            ops.sum(x, axis=1),
            ops.max(x, axis=2),
            x[:, ::-1, 1:],
            ops.logsumexp(x, axis=1),
            ops.std(x, axis=2),
            x / (ops.square(x) + 0.5),
            ops.where(x > 0.1, x, -x),
        ],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, tmp_path):
    hepml.export_model(randomised(LAYERS[name]()), tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    for steps in (1, 2, 15) if compiled.evaluator.inputs[0].shape[0] is None else (1,):
        given = events(compiled.evaluator, steps=steps)
        if name == "fixed steps":
            given["x"][:, 2:4] = 0
        compiled.compare(given)


@pytest.mark.parametrize("width", [8, 16, "plain"])
@pytest.mark.parametrize("name", [name for name in LAYERS if "gates" in name])
def test_gates_in_vectors_of_every_size(name, width, tmp_path):
    hepml.export_model(randomised(LAYERS[name]()), tmp_path / "net.json")
    how = {"flags": ["-O1", "-DHEPML_SOURCE_PLAIN"]} if width == "plain" else {"width": width}
    compiled = Compiled(tmp_path / "net.json", tmp_path, **how)
    compiled.compare(events(compiled.evaluator, steps=7))


def activation(name):
    """As it is written in a file."""
    parameters = FUNCTIONS[name][2] if name in FUNCTIONS else ()
    values = {"alpha": 0.7, "low": 0.1 if name == "relu" else -0.5, "high": 1.5}
    return {"function": name, "alpha": 0.7, **{key: values[key] for key in parameters}} if parameters else name


def test_activations(tmp_path):
    n, names = 40, [*FUNCTIONS, *ROWS]
    nodes, layers = [{"type": "input", "sources": [0], "size": n}], []
    for name in names:
        layers.append({"architecture": "dense", "weights": [], "bias": [], "activation": activation(name)})
        nodes.append({"type": "feed_forward", "sources": [0], "layer_index": len(layers) - 1})
    labels = [str(k) for k in range(n)]
    document = {
        "inputs": [{"name": "x", "variables": [{"name": label, "offset": 0, "scale": 1} for label in labels]}],
        "nodes": nodes,
        "layers": layers,
        "outputs": {name: {"labels": labels, "node_index": k + 1} for k, name in enumerate(names)},
    }
    (tmp_path / "net.json").write_text(json.dumps(document))
    rng = np.random.default_rng(0)
    scales = [1, 10, 100, 10 ** rng.uniform(-38, 38, (20, n)), -(10 ** rng.uniform(-38, 38, (20, n)))]
    x = np.concatenate([scale * rng.normal(size=(20, n)) for scale in scales]).astype(np.float32)
    x[-1, :4] = 0.0, -0.0, 0.5, -1.5
    Compiled(tmp_path / "net.json", tmp_path).compare({"x": x[np.all(np.isfinite(x), axis=1)]})


def test_roots_of_negative_numbers(tmp_path):
    """The NaN of the library, and of Keras."""
    activation = {"function": "squareplus", "alpha": -4}
    layer = {"architecture": "dense", "weights": [], "bias": [], "activation": activation}
    variables = [{"name": name, "offset": 0, "scale": 1} for name in "abcd"]
    document = {"inputs": variables, "layers": [layer], "outputs": list("abcd")}
    (tmp_path / "net.json").write_text(json.dumps(document))
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    x = np.array([[-1, 1, 0, 5]], np.float32)
    right = ops.convert_to_numpy(ops.squareplus(x, -4))
    assert np.isnan(right).tolist() == [[True, True, True, False]]
    for found in (compiled.evaluator(x)["outputs"], compiled({"inputs": x})[0]["outputs"]):
        assert np.allclose(found, right, rtol=1e-6, equal_nan=True)


def test_reference_events_of_more_steps_than_the_memory(tmp_path):
    """They are left out: a Network cannot reproduce them, however right it is."""
    model = randomised(chain((None, 2), kl.GRU(3)))
    hepml.export_model(model, tmp_path / "net.json")
    document = json.loads((tmp_path / "net.json").read_text())
    steps = [len(event) // 2 for event in document["hepml"]["reference"]["inputs"]["x"]]
    assert set(steps) == {12}
    assert Compiled(tmp_path / "net.json", tmp_path, max_steps=12).library.reproduces()
    written = hepml.export_source(tmp_path / "net.json", tmp_path / "net.hpp", max_steps=11, overwrite=True)
    assert "reproduces_reference" not in written.path.read_text()
    reference = document["hepml"]["reference"]
    short = np.zeros((1, 3, 2), np.float32)
    reference["inputs"]["x"].append(short.ravel().tolist())
    reference["outputs"]["output"].append(np.asarray(model(short)).ravel().tolist())
    del document["hepml"]["model_id"]
    (tmp_path / "net.json").write_text(json.dumps(document))
    assert Compiled(tmp_path / "net.json", tmp_path, ["-O3"], max_steps=3).library.reproduces()


def forests():
    from sklearn.datasets import make_classification
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
    )

    x, y = make_classification(300, 6, n_informative=5, n_classes=3, n_redundant=0, random_state=1)
    x = x.astype(np.float32)
    holes = x.copy()
    holes[::7, 2] = np.nan
    return [
        (RandomForestClassifier(11, max_depth=5, random_state=0).fit(x, y), x),
        (GradientBoostingClassifier(n_estimators=7, random_state=0).fit(x, y > 0), x),
        (HistGradientBoostingClassifier(max_iter=5).fit(holes, y), holes),
        (HistGradientBoostingRegressor(max_iter=5, loss="poisson").fit(x, y), x),
    ]


@pytest.mark.parametrize("which", range(4), ids=["softmax of leaves", "sigmoid", "missing values", "exp"])
def test_trees_are_the_same_bits(which, tmp_path):
    model, x = forests()[which]
    hepml.export_model(model, tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    found, _ = compiled({"x": x})
    assert np.array_equal(found["output"], compiled.evaluator({"x": x})["output"], equal_nan=True)
    hole = x[:50].copy()
    hole[::2, 1] = np.nan  # a missing value, where the library knows those
    found, _ = compiled({"x": hole})
    assert np.array_equal(found["output"], compiled.evaluator({"x": hole})["output"], equal_nan=True)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("width", [4, 8, 16, "plain"])
def test_vectors_of_every_size(width, compiler, everything, tmp_path):
    how = {"flags": ["-O1", "-DHEPML_SOURCE_PLAIN"]} if width == "plain" else {"width": width}
    compiled = Compiled(everything, tmp_path, compiler=compiler, **how)
    for steps in (1, 2, 16):
        compiled.compare(events(compiled.evaluator, steps=steps))


def test_an_event_does_not_depend_on_those_before(compiled):
    given = events(compiled.evaluator, n=40)
    filled = np.random.default_rng(1).random(40) ** 4  # from empty images to full ones, in no order
    rng = np.random.default_rng(2)
    given["image"] = (
        rng.normal(size=(40, 9, 8, 1)) * (rng.random((40, 9, 8, 1)) < filled[:, None, None, None])
    ).astype(np.float32)
    compiled.compare(given)
    order = rng.permutation(40)
    forward, _ = compiled(given)
    shuffled, _ = compiled({name: array[order] for name, array in given.items()})
    assert np.array_equal(forward["output"][order], shuffled["output"])


def test_what_is_no_number_gives_nan(compiled):
    given = events(compiled.evaluator, n=5)
    given["image"][1, 3, 3] = np.nan
    given["steps"][2, 0, 0] = np.inf
    found, status = compiled(given)
    assert status.tolist() == [0, 1, 1, 0, 0]
    assert np.isnan(found["output"]).all(axis=1).tolist() == [False, True, True, False, False]
    compiled.compare(given)


def test_steps_that_do_not_fit(tmp_path):
    hepml.export_model(randomised(chain((None, 2), kl.Conv1D(3, 4), kl.GlobalMaxPooling1D())), tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path, max_steps=6)
    for steps, right in ((3, 2), (4, 0), (6, 0), (7, 2)):
        found, status = compiled(events(compiled.evaluator, n=1, steps=steps))
        assert status.tolist() == [right], steps
        assert np.isnan(found["output"]).all() == (right != 0)


def test_no_steps(tmp_path):
    """An event without particles has an answer wherever the library has one: a dense layer once refused it."""

    def outputs(x):
        y = kl.Dense(4, activation="relu")(x)
        attention = kl.MultiHeadAttention(1, 2)(x, x)
        pooled = [kl.GlobalAveragePooling1D()(y), kl.GlobalMaxPooling1D()(attention), ops.sum(y, axis=1)]
        return [kl.GRU(3)(y), kl.LSTM(2)(kl.TimeDistributed(kl.Dense(3, activation="softmax"))(x)), *pooled]

    hepml.export_model(randomised(graph((None, 2), outputs)), tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    for steps in (0, 1, 16, 0):
        given = events(compiled.evaluator, steps=steps)
        compiled.compare(given)
        assert not compiled(given)[1].any()


@pytest.mark.parametrize("merge", [kl.Concatenate, kl.Add])
def test_sequences_that_meet_have_as_many_steps(merge, tmp_path):
    """A concatenation once took what an earlier event had left behind the shorter one."""
    a, b = keras.Input((None, 2), name="a"), keras.Input((None, 2), name="b")
    model = keras.Model([a, b], kl.GRU(3)(merge()([kl.Dense(2)(a), b])))
    hepml.export_model(randomised(model), tmp_path / "net.json")
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    for n_a, n_b in ((3, 5), (5, 3), (4, 4), (0, 2)):
        given = {name: events(compiled.evaluator, steps=n)[name] for name, n in (("a", n_a), ("b", n_b))}
        compiled.compare(given)
        assert set(compiled(given)[1]) == {0 if n_a == n_b else 2}


def test_lwtnn_files(tmp_path):
    """Sequential, with maxout and highway."""
    rng = np.random.default_rng(0)

    def part(n_out, n_in=4):
        return {"weights": rng.normal(size=n_in * n_out).tolist(), "bias": rng.normal(size=n_out).tolist()}

    document = {
        "inputs": [{"name": name, "offset": 0.5, "scale": 2.0} for name in "abcd"],
        "layers": [
            {"architecture": "highway", "components": {"t": part(4), "carry": part(4)}, "activation": "tanh"},
            {"architecture": "maxout", "sublayers": [part(5), part(5), part(5)]},
            {"architecture": "normalization", "weights": [2, 1, 1, 1, 3], "bias": [0, 1, 2, 3, 4]},
            {"architecture": "dense", **part(2, 5), "activation": "softmax"},
        ],
        "outputs": ["signal", "background"],
    }
    (tmp_path / "net.json").write_text(json.dumps(document))
    compiled = Compiled(tmp_path / "net.json", tmp_path)
    compiled.compare(events(compiled.evaluator, n=20))
    text = (tmp_path / "net.hpp").read_text()
    assert 'inputs_variables[] = {"a", "b", "c", "d"}' in text
    assert 'outputs_labels[] = {"signal", "background"}' in text
