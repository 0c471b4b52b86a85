"""The safe reader of Keras 2: published networks, networks written by hand, and files that it must not trust."""

import json

import h5py
import numpy as np
import pytest
from keras2_files import dense, functional, given, kernel_and_bias, layer, sequential, write, write_arrays

import hepml
from hepml.errors import HepmlError, InputFileError, UnsupportedLayerError
from hepml.export.keras2 import read_keras2
from hepml.export.keras2.files import read_architecture, read_arrays
from hepml.export.runs import export_keras2_file


@pytest.fixture
def random():
    return np.random.default_rng(5)


@pytest.mark.parametrize("name", ["ht", "et_and_ht_and_hl"])
def test_the_published_convolutions_load_and_export(shared, tmp_path, name):
    """Their stored outputs are saturated (ht is dead, 0.49970 for all events), so the weights are compared as well;
    the export itself compares logits."""
    folder = shared / "lwtnn" / "cnn"
    path = tmp_path / "net.json"
    files = folder / f"{name}.arch.json", folder / f"{name}.weights.h5"
    model = read_keras2(*files)
    with h5py.File(files[1]) as file:
        for one in model.layers:
            for variable in one.weights:
                assert np.array_equal(variable, file[f"{one.name}/{one.name}/{variable.name}:0"])
    assert model.count_params() == json.loads((folder / f"{name}.meta.json").read_text())["params"]
    written = export_keras2_file(files[0], path, weights=files[1])
    assert written.differences.logits < 2e-5
    with np.load(folder / f"{name}.npz") as stored:
        arrays = {key.split("_", 1)[1]: stored[key] for key in stored.files if key.startswith("x")}
        right = stored["y_keras"]
    evaluator = hepml.Evaluator(path)
    assert np.abs(evaluator(arrays)["output"] - right).max() <= 1e-6
    if name != "ht":
        assert evaluator(arrays, logits=True)["output"].std() > 1


def test_a_flipped_bit_anywhere_is_read_or_refused(shared, tmp_path):
    """Some end the HDF5 library, in the process that meets the file first; the others it tells in many words."""
    whole = (shared / "lwtnn" / "upstream" / "unsplit-model" / "model.h5").read_bytes()
    path, refused = tmp_path / "model.h5", set()
    for byte in range(0, 2400, 49):
        damaged = bytearray(whole)
        damaged[byte] ^= 1 << byte % 8
        path.write_bytes(damaged)
        try:
            read_architecture(path)
            read_arrays(path)
        except InputFileError as error:
            refused.add(error.problem)
    assert {"not an HDF5 file, or a truncated one", "a damaged HDF5 file"} <= refused


def test_a_whole_model_in_one_file(shared, tmp_path):
    folder = shared / "lwtnn" / "upstream" / "unsplit-model"
    parts = read_keras2(folder / "architecture.json", folder / "weights.h5")
    whole = read_keras2(folder / "model.h5")
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        assert np.array_equal(a, b)
    export_keras2_file(folder / "model.h5", tmp_path / "net.json")
    x = np.random.default_rng(0).normal(size=(9, 10)).astype(np.float32)
    assert np.abs(hepml.Evaluator(tmp_path / "net.json")(x)["output"] - np.asarray(whole(x))).max() < 1e-6


def test_a_functional_network_with_shared_and_nested_layers(tmp_path, random):
    """Calls are numbered, an inner model from 1 on; arrays go to the layers that their paths name."""
    inner = functional([given("i", 3), dense("d", ["i"], 2, "tanh")], ["i"], ["d"], "inner")
    layers = [
        given("a", 3),
        given("b", 3),
        # an inner model, called twice, and a layer, called twice, before their sources in the list
        layer("Add", "sum", (("once", 0), ("once", 1))),
        {**layer("Functional", "inner", [("a",), ("b",)]), "config": inner["config"]},
        layer("Dense", "once", [(("inner", 1),), (("inner", 2),)], units=2, activation="elu", use_bias=False),
    ]
    w1, b1, w2 = random.normal(size=(3, 2)), random.normal(size=2), random.normal(size=(2, 2))
    arrays = {"inner": kernel_and_bias("d", w1, b1), "once": {"once/kernel:0": w2}}
    files = write(tmp_path, functional(layers, ["a", "b"], ["sum"]), arrays)
    export_keras2_file(files[0], tmp_path / "net.json", weights=files[1], lwtnn=True)
    a, b = random.normal(size=(2, 20, 3))

    def branch(x):
        h = np.tanh(x @ w1 + b1) @ w2
        return np.where(h > 0, h, np.expm1(h))

    found = hepml.Evaluator(tmp_path / "net.json")({"a": a, "b": b})["output"]
    assert np.abs(found - branch(a) - branch(b)).max() < 1e-5
    assert len(json.loads((tmp_path / "net.json").read_text())["layers"]) == 2


def test_functions_that_keras_3_no_longer_has(tmp_path, random):
    layers = [
        dense("one", (), 4, "hard_sigmoid", batch_input_shape=[None, 3]),
        layer("Swish", "two", beta=1.5),
        dense("three", (), 4, "swish"),
        layer("LeakyReLU", "four", alpha=0.3),
        dense("five", (), 2, "abs"),
    ]
    shapes = {"one": (3, 4), "three": (4, 4), "five": (4, 2)}
    arrays = {
        name: kernel_and_bias(name, random.normal(size=s), random.normal(size=s[1])) for name, s in shapes.items()
    }
    files = write(tmp_path, sequential(layers), arrays)
    export_keras2_file(files[0], tmp_path / "net.json", weights=files[1], lwtnn=True)
    x = random.normal(size=(30, 3)) * 3

    def apply(name, h):
        return h @ arrays[name][f"{name}/kernel:0"] + arrays[name][f"{name}/bias:0"]

    h = np.clip(0.2 * apply("one", x) + 0.5, 0, 1)
    h = apply("three", h / (1 + np.exp(-1.5 * h)))
    h = h / (1 + np.exp(-h))
    right = np.abs(apply("five", np.where(h > 0, h, 0.3 * h)))
    assert np.abs(hepml.Evaluator(tmp_path / "net.json")(x)["output"] - right).max() < 1e-5


@pytest.mark.parametrize("axis", [-1, 1, [1]])
def test_the_axis_of_a_layer_in_each_step(tmp_path, random, axis):
    """Keras counts the axes of one step: 1 is the last, and Keras 2 writes it as a list."""
    config = {"name": "bn", "axis": axis, "epsilon": 0.01, "center": True, "scale": True}
    inner = {"class_name": "BatchNormalization", "config": config}
    layers = [layer("TimeDistributed", "each", layer=inner, batch_input_shape=[None, 4, 3])]
    parts = {"gamma": random.normal(size=3), "beta": random.normal(size=3), "moving_mean": random.normal(size=3)}
    parts["moving_variance"] = 0.5 + random.random(3)
    arrays = {"each": {f"each/{name}:0": array for name, array in parts.items()}}
    files = write(tmp_path, sequential(layers), arrays)
    export_keras2_file(files[0], tmp_path / "net.json", weights=files[1])
    x = random.normal(size=(5, 4, 3))
    right = (x - parts["moving_mean"]) / np.sqrt(parts["moving_variance"] + 0.01) * parts["gamma"] + parts["beta"]
    assert np.abs(hepml.Evaluator(tmp_path / "net.json")(x)["output"] - right).max() < 1e-5


def test_weights_have_to_be_those_of_the_network(tmp_path):
    chain = sequential([dense("d", (), 2, batch_input_shape=[None, 3])])
    good = kernel_and_bias("d", np.ones((3, 2)), np.zeros(2))
    cases = [
        ({"d": {"d/kernel:0": np.ones((3, 2))}}, UnsupportedLayerError, "'d'"),
        ({"d": {**good, "d/more:0": np.ones(2)}}, UnsupportedLayerError, "more"),
        ({"d": kernel_and_bias("d", np.ones((4, 2)), np.zeros(2))}, UnsupportedLayerError, "(4, 2)"),
        ({"d": kernel_and_bias("d", np.ones((3, 2)), np.zeros(3))}, UnsupportedLayerError, "(3,)"),
        ({"e": good}, UnsupportedLayerError, "'d'"),
        ({"d": good, "e": kernel_and_bias("e", np.ones((2, 2)), np.zeros(2))}, InputFileError, "e"),
    ]
    for k, (arrays, kind, words) in enumerate(cases):
        files = write(tmp_path / str(k), chain, arrays)
        with pytest.raises(kind) as error:
            read_keras2(*files)
        assert words in str(error.value)
    read_keras2(*write(tmp_path / "good", chain, {"d": good}))


NORM = {"axis": 1, "epsilon": 1e-3, "center": True, "scale": True}
POOL = {"pool_size": 2, "strides": 2, "padding": "same"}
RNN = {"units": 2, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "return_sequences": False}
REFUSED = [
    (layer("Lambda", "evil", ("x",), function="boom"), ("'evil'", "Lambda", "never run")),
    (layer("MyLayer", "mine", ("x",)), ("'mine'", "MyLayer")),
    (dense("d1", ("x",), 2, "my_function"), ("'d1'", "my_function", "activation")),
    (dense("d2", ("x",), 2, {"class_name": "function", "config": "x"}), ("'d2'", "activation")),
    (dense("d3", ("x",), 2, lora_rank=4), ("'d3'", "lora_rank")),
    (dense("d4", ("x",), 2, dtype="mixed_float16"), ("'d4'", "mixed_float16")),
    (layer("Dense", "d5", ("x",), units=2, activation="relu"), ("'d5'", "use_bias", "missing")),
    (dense("d6", ("x",), -1), ("'d6'", "units")),
    (layer("BatchNormalization", "b", ("x",), **NORM, renorm=True), ("'b'", "renorm")),
    (layer("MaxPooling2D", "p", ("x",), **POOL, data_format="channels_first"), ("'p'", "channels_first")),
    (layer("Reshape", "r", ("x",), target_shape=[7]), ("'r'",)),
    (layer("LSTM", "l", ("x",), **RNN, stateful=True), ("'l'", "stateful")),
    (layer("LSTM", "m", ("x",), **RNN), ("'m'",)),
]


@pytest.mark.parametrize(("bad", "words"), REFUSED, ids=[bad["name"] for bad, _ in REFUSED])
def test_whatever_is_not_in_the_list_is_refused_by_name(tmp_path, bad, words):
    files = write(tmp_path, functional([given("x", 3), bad], ["x"], [bad["name"]]), {})
    with pytest.raises(UnsupportedLayerError) as error:
        read_keras2(*files)
    for word in words:
        assert word in str(error.value)


def test_calls_that_cannot_be_read(tmp_path):
    called = dense("d", ("x",), 2)
    called["inbound_nodes"][0][0][3] = {"training": True}
    with pytest.raises(UnsupportedLayerError, match="called with arguments"):
        read_keras2(*write(tmp_path / "0", functional([given("x", 3), called], ["x"], ["d"]), {}))
    loop = [given("x", 3), dense("a", ("b",), 2), dense("b", ("a",), 2)]
    with pytest.raises(InputFileError, match="not closed"):
        read_keras2(*write(tmp_path / "1", functional(loop, ["x"], ["b"]), {}))
    with pytest.raises(InputFileError, match="output_layers"):
        read_keras2(*write(tmp_path / "2", functional([given("x", 3)], ["x"], ["absent"]), {}))
    with pytest.raises(InputFileError, match="batch_input_shape"):
        read_keras2(*write(tmp_path / "3", sequential([dense("d", (), 2)]), {}))


def test_files_that_are_no_networks(tmp_path):
    """Every kind of file ends in one hepml error, and nothing outside the file is read."""
    good = sequential([dense("d", (), 2, batch_input_shape=[None, 3])])
    architecture, weights = write(tmp_path, good, {"d": kernel_and_bias("d", np.ones((3, 2)), np.zeros(2))})
    texts = ["", "[1]", "{}", '{"class_name": "Sequential", "config": 5}', "[" * 100_000, "\x00"]
    texts.append(json.dumps({**good, "keras_version": "3.1.0"}))
    texts.append(json.dumps({**good, "class_name": "MyModel"}))
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.json").write_text(text)
        with pytest.raises(HepmlError):
            read_keras2(tmp_path / f"{k}.json", weights)
    with pytest.raises(InputFileError, match="needs weights"):
        read_keras2(architecture)
    with pytest.raises(InputFileError, match="no architecture"):
        read_keras2(weights)
    for path in (tmp_path / "absent.h5", architecture):
        with pytest.raises(InputFileError):
            read_keras2(architecture, path)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(weights.read_bytes()[:900])
    with pytest.raises(InputFileError):
        read_keras2(architecture, cut)

    def changed(name, change):
        path = tmp_path / name
        path.write_bytes(weights.read_bytes())
        with h5py.File(path, "r+") as file:
            del file["d/d/bias:0"]
            change(file["d/d"])
        with pytest.raises(InputFileError) as error:
            read_keras2(architecture, path)
        return str(error.value)

    def external(group):
        group["bias:0"] = h5py.ExternalLink(weights, "/d/d/bias:0")

    def text(group):
        group["bias:0"] = ["a", "b"]

    def outside(group):
        group.create_dataset("bias:0", (2,), "f4", external=[(str(architecture), 0, 8)])

    def huge(group):
        group.create_dataset("bias:0", (1 << 40,), "f4", chunks=(1024,))

    assert "ExternalLink" in changed("external.h5", external)
    assert "not an array of numbers" in changed("text.h5", text)
    assert "another file" in changed("outside.h5", outside)
    assert "too large" in changed("huge.h5", huge)
    assert "nothing" in changed("missing.h5", lambda _: None)


def test_a_whole_model_is_read_without_its_training(tmp_path):
    chain = sequential([dense("d", (), 1, "sigmoid", batch_input_shape=[None, 2])])
    with h5py.File(tmp_path / "model.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({key: chain[key] for key in ("class_name", "config")})
        file.attrs["training_config"] = "not even JSON"
        file.attrs["keras_version"], file.attrs["backend"] = "2.4.0", "tensorflow"
        write_arrays(file.create_group("model_weights"), {"d": kernel_and_bias("d", [[1.0], [-2.0]], [0.5])})
    export_keras2_file(tmp_path / "model.h5", tmp_path / "net.json")
    found = hepml.Evaluator(tmp_path / "net.json")([[1.0, 0.25]])["output"]
    assert found == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-6)


def places(document, path=()):
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


WRONG = (None, -1, 0, 2.5, 10**12, "relu", "a/b", [], {}, [1, 2], [[["x", 0, 0, {}]]], float("nan"), True)


def test_a_changed_architecture_is_read_or_refused(tmp_path, random):
    """Whatever stands in the JSON: a model, or one hepml error; nothing else, and no memory for a number in it."""
    inner = functional([given("i", 2), dense("d", ["i"], 2, "tanh")], ["i"], ["d"], "inner")
    layers = [
        given("x", 3),
        dense("first", ("x",), 2, "relu"),
        {**layer("Functional", "inner", [("first",), ("last",)]), "config": inner["config"]},
        layer("BatchNormalization", "norm", (("inner", 1),), **NORM),
        dense("last", ("norm",), 2),
        layer("Concatenate", "both", ("first", ("inner", 2)), axis=-1),
    ]
    document = functional(layers, ["x"], ["both"])
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    arrays = {
        "first": kernel_and_bias("first", np.ones((3, 2)), np.zeros(2)),
        "inner": kernel_and_bias("d", np.ones((2, 2)), np.zeros(2)),
        "norm": {f"norm/{name}:0": np.ones(2) for name in names},
        "last": kernel_and_bias("last", np.ones((2, 2)), np.zeros(2)),
    }
    architecture, weights = write(tmp_path, document, arrays)
    read_keras2(architecture, weights)
    paths = list(places(document))
    refused = 0
    for _ in range(150):
        changed = json.loads(json.dumps(document))
        place = paths[random.integers(len(paths))]
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        if random.random() < 0.3:
            del holder[place[-1]]
        else:
            holder[place[-1]] = WRONG[random.integers(len(WRONG))]
        architecture.write_text(json.dumps(changed))
        try:
            read_keras2(architecture, weights)
        except HepmlError:
            refused += 1
    assert refused > 50
