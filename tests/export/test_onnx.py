"""ONNX files: ONNX Runtime gives hepml's numbers, layer by layer; what is not written is named."""

import json
import subprocess
import sys

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers, ops

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, MissingExtraError, OutputError, UnsupportedLayerError, VerificationError
from hepml.export import export_model
from hepml.export import onnx as exporter
from hepml.export.onnx import export_onnx


@pytest.fixture
def written(tmp_path):
    """A Keras model as a network file and as ONNX; (evaluator, ONNX Runtime session, largest difference)."""

    def write(model):
        export_model(model, tmp_path / "net.json", overwrite=True)
        done = export_onnx(tmp_path / "net.json", tmp_path / "net.onnx", overwrite=True)
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
        return hepml.Evaluator(tmp_path / "net.json"), session, done.difference

    return write


def image(*shape):
    return keras.Input(shape, name="x")


IMAGES = [
    layers.Conv2D(3, 3, padding="same"),
    layers.Conv2D(3, (2, 3), padding="valid", use_bias=False),
    layers.Conv2D(2, (4, 3), strides=(2, 3), padding="same", activation="relu"),
    layers.Conv2D(2, 3, dilation_rate=2, padding="same"),
    layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same"),
    layers.MaxPooling2D(2),
    layers.MaxPooling2D((3, 2), strides=2, padding="same"),
    layers.AveragePooling2D(3, strides=2, padding="same"),
    layers.GlobalAveragePooling2D(),
    layers.GlobalMaxPooling2D(keepdims=True),
    layers.BatchNormalization(),
    layers.Flatten(),
    layers.Permute((2, 3, 1)),
    layers.Reshape((6, -1)),
    layers.Dense(4, activation="softmax"),
    layers.Rescaling(0.5, offset=0.25),
]


@pytest.mark.parametrize("layer", IMAGES, ids=lambda layer: layer.name)
def test_layers_on_images(written, layer):
    x = image(7, 6, 2)
    model = keras.Model(x, layers.Flatten()(layer(x)))
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.2, 1, w.shape) for w in model.get_weights()])
    evaluator, session, difference = written(model)
    assert difference <= 1e-6
    for n in (1, 5):  # any number of events
        events = generator.normal(size=(n, 7, 6, 2)).astype(np.float32)
        (found,) = session.run(["output"], {"x": events})
        right = evaluator(events)["output"]
        assert found.shape == right.shape
        assert np.abs(found - right).max() <= 1e-5 * max(1, np.abs(right).max())


@pytest.mark.parametrize(
    "name",
    [
        *("relu", "sigmoid", "tanh", "softmax", "log_softmax", "elu", "selu", "gelu", "silu", "mish", "softplus"),
        *("softsign", "exponential", "hard_sigmoid", "hard_silu", "leaky_relu", "relu6", "celu", "linear"),
    ],
)
def test_activations(written, name):
    x = keras.Input((5,), name="x")
    model = keras.Model(x, layers.Dense(4, activation=name)(x))
    evaluator, session, _ = written(model)
    events = 3 * np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    (found,) = session.run(None, {"x": events})
    right = evaluator(events)["output"]
    assert np.abs(found - right).max() <= 1e-5 * max(1, np.abs(right).max())


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / (ops.abs(b) + 1.5),
        lambda a, b: 2.0 - a * b,
        ops.maximum,
        ops.minimum,
        lambda a, b: ops.concatenate([a, b, a], axis=-1),
        lambda a, b: ops.square(a) + ops.clip(b, -0.5, 0.25),
        lambda a, b: ops.expand_dims(a, 1) * ops.expand_dims(b, 2),
        lambda a, b: ops.sum(ops.expand_dims(a, 1) * ops.expand_dims(b, 2), axis=1),
    ],
    ids=range(11),
)
def test_two_vectors(written, function):
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    result = function(a, b)
    model = keras.Model([a, b], layers.Flatten()(result) if len(result.shape) > 2 else result)
    evaluator, session, _ = written(model)
    generator = np.random.default_rng(0)
    events = {name: generator.normal(size=(20, 3)).astype(np.float32) for name in "ab"}
    (found,) = session.run(None, events)
    assert np.abs(found - evaluator(events)["output"]).max() <= 1e-5


@pytest.mark.parametrize("features", ["hl", "et_and_ht_and_hl"])
def test_published_networks(network, tmp_path, features):
    path = network(features)
    done = export_onnx(path, tmp_path / "net.onnx")
    assert (done.events, done.path) == (256, tmp_path / "net.onnx")
    assert done.difference <= 1e-6
    model = onnx.load(tmp_path / "net.onnx")
    evaluator = hepml.Evaluator(path)
    assert {one.key: one.value for one in model.metadata_props} == {
        "hepml.model_id": evaluator.model_id,
        "hepml.format_version": "1",
    }
    assert [one.name for one in model.graph.input] == [record.name for record in evaluator.inputs]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [one.shape[1:] for one in session.get_inputs()] == [list(record.shape) for record in evaluator.inputs]
    assert {one.type for one in (*session.get_inputs(), *session.get_outputs())} == {"tensor(float)"}
    first = (tmp_path / "net.onnx").read_bytes()
    export_onnx(path, tmp_path / "net.onnx", overwrite=True)
    assert (tmp_path / "net.onnx").read_bytes() == first


def test_what_is_not_written_is_named(tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    x = keras.Input((4, 3), name="x")
    v = keras.Input((3,), name="v")
    forest = RandomForestClassifier(n_estimators=2, max_depth=2, random_state=0)
    forest.fit(np.random.default_rng(0).random((50, 3)), np.arange(50) % 2)
    cases = {
        "sequences": keras.Model(x, layers.LSTM(2)(x)),
        "'trees'": forest,
        "'squareplus'": keras.Model(v, layers.Dense(2, activation="squareplus")(v)),
        "'standardize'": keras.Model(v, layers.LayerNormalization()(v)),
    }
    for number, (words, model) in enumerate(cases.items()):
        path = tmp_path / f"{number}.json"
        export_model(model, path)
        with pytest.raises(UnsupportedLayerError, match=words):
            export_onnx(path, tmp_path / "net.onnx")
    same = keras.Model(v, layers.Dense(2)(v))
    export_model(same, tmp_path / "same.json")
    document = json.loads((tmp_path / "same.json").read_text())
    text = json.dumps(document).replace('"output"', '"v"')
    (tmp_path / "same.json").write_text(text)
    with pytest.raises(DataError, match="both called 'v'"):
        export_onnx(tmp_path / "same.json", tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_a_file_that_does_not_reproduce_is_not_written(network, tmp_path, monkeypatch):
    real = exporter.build_graph

    def wrong(*arguments):
        graph = real(*arguments)
        bias = onnx.numpy_helper.to_array(graph.constants[-1])
        graph.constants[-1].CopyFrom(onnx.numpy_helper.from_array(bias + np.float32(1e-3), graph.constants[-1].name))
        return graph

    monkeypatch.setattr(exporter, "build_graph", wrong)
    with pytest.raises(VerificationError, match="was not written"):
        export_onnx(network("hl"), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_runtime_the_command_says_what_to_install(network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hepml\[onnx\]'"):
        export_onnx(network("hl"), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


def test_hepml_is_imported_without_onnx():
    code = "import sys, hepml.export, hepml.export.onnx; assert not {'onnx', 'onnxruntime'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_the_command(make, tmp_path, capsys):
    model, _ = make("hl")
    model.save(tmp_path / "model.keras")
    net, other = tmp_path / "net.json", tmp_path / "net.onnx"
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(tmp_path / "model.keras"), "-o", str(net), "--onnx", str(other), "--json"])
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)["max_onnx_difference"] <= 1e-6
    with pytest.raises(OutputError, match="exists"):
        export_onnx(net, other)
    for wrong in (["-o", str(tmp_path / "a.json"), "--onnx", str(tmp_path / "a.json")], ["--onnx", str(other)]):
        with pytest.raises(SystemExit) as stopped:
            main(["export", str(tmp_path / "model.keras"), *wrong])
        assert stopped.value.code == 2
