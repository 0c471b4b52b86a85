"""Weights of reduced precision: what is stored, what it is evaluated as, and when it is refused."""

import json

import keras
import numpy as np
import pytest

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, SchemaError, VerificationError
from hepml.evaluator import cpus
from hepml.export import compact, reduce_weights, validate
from hepml.export.packing import encoded, expanded
from hepml.export.precision import PRECISIONS, _encoded, _rounded
from hepml.metrics import make_events
from hepml.metrics.rejection import rejection_at

KINDS = {"bf16": "bfloat16", "fp16": "float16", "int8": "int8"}


def labelled(n=4000, seed=0):
    """Two overlapping classes in the plane."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, 2, n)
    return (generator.normal(size=(n, 2)) + 0.8 * y[:, None]).astype(np.float32), y


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A network that tells them apart, with random hidden units."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((2,), name="x"),
            keras.layers.Dense(40, "tanh"),
            keras.layers.Dense(30, "relu"),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    x, y = labelled(seed=1)
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    path = tmp_path_factory.mktemp("plain") / "net.json"
    hepml.export_model(model, path)
    return path


def events(names):
    x, y = labelled()
    yield {names[0]: x[:1500]}, y[:1500], None
    yield {names[0]: x[1500:]}, y[1500:], None


def rounded(weights, precision, channels):
    """The rounded weights, [channel][input], by another way than the product's."""
    rows = np.array(weights, np.float64).reshape(channels, -1)
    if precision == "int8":
        step = np.float32(np.abs(rows).max(axis=1, keepdims=True).astype(np.float32) / np.float32(127))
        return np.round(rows.astype(np.float32) / step).astype(np.float32) * step
    digits = 8 if precision == "bf16" else 11  # of the significand
    size = 2.0 ** (np.floor(np.log2(np.abs(rows))) + 1 - digits)
    return np.round(rows / size) * size


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_network_is_that_of_rounded_weights(plain, tmp_path, precision):
    done = reduce_weights(plain, tmp_path / "net.json", precision, events, tolerance=1.0)
    before, after = json.loads(plain.read_text()), json.loads(done.path.read_text())
    validate(after)
    assert all(KINDS[precision] in layer["weights"] for layer in after["layers"])
    wide = expanded(after)
    for old, new in zip(before["layers"], wide["layers"], strict=True):
        assert new["bias"] == pytest.approx(old["bias"], abs=0, rel=1e-7)
        right = rounded(old["weights"], precision, len(old["bias"]))
        assert np.array_equal(np.array(new["weights"]).reshape(right.shape), right)
    wide["hepml"].pop("reference")
    (tmp_path / "wide.json").write_text(json.dumps(wide))
    x, _ = labelled(500)
    found, right = (hepml.Evaluator(path)(x)["output"] for path in (done.path, tmp_path / "wide.json"))
    assert found.tobytes() == right.tobytes()
    assert found.tobytes() != hepml.Evaluator(plain)(x)["output"].tobytes()
    assert done.path.stat().st_size < compact(plain, tmp_path / "compact.json").stat().st_size


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_is_told_is_what_happens(plain, tmp_path, precision):
    done = reduce_weights(plain, tmp_path / "net.json", precision, events, tolerance=1.0)
    x, y = labelled()
    old, new = (hepml.Evaluator(path)(x)["output"][:, 0] for path in (plain, done.path))
    assert done.events == 4000
    assert done.difference == np.abs(old.astype(float) - new).max() > 0
    assert (done.rounded, done.kept) == (80 + 1200 + 30, 40 + 30 + 1)
    for change in done.changes:
        cut = np.sort(old[y == 1])[::-1][int(np.ceil(change.signal_efficiency * (y == 1).sum())) - 1]
        assert change.threshold == cut
        assert change.flipped == tuple(np.mean(((old >= cut) != (new >= cut))[y == label]) for label in (1, 0))
        assert change.efficiency == tuple(np.mean(score[y == 1] >= cut) for score in (old, new))
        targets = np.array([change.signal_efficiency])
        assert change.rejection == tuple(rejection_at(make_events(score, y), targets)[1][0] for score in (old, new))
    assert any(max(change.flipped) > 0 for change in done.changes)
    loaded = hepml.Evaluator(done.path)
    assert loaded.model_id == done.model_id != hepml.Evaluator(plain).model_id
    origin = loaded.metadata["provenance"]
    assert (origin["precision"], origin["reduced_from"]) == (precision, hepml.Evaluator(plain).model_id)


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("precision", PRECISIONS)
def test_layers_that_stay_narrow(tmp_path, cpu, precision):
    """301 x 303 weights; with bf16 they are kept in 16 bits where the processor gains by it."""
    generator = np.random.default_rng(2)
    matrices = [generator.normal(0, n**-0.5, (m, n)).astype(np.float32) for n, m in ((2, 301), (301, 303), (303, 1))]
    layers = [
        {"architecture": "dense", "weights": matrix.ravel().tolist(), "bias": [0.1] * len(matrix), "activation": name}
        for matrix, name in zip(matrices, ("tanh", "rectified", "sigmoid"), strict=True)
    ]
    document = {
        "inputs": [{"name": name, "offset": 0, "scale": 1} for name in "ab"],
        "layers": layers,
        "outputs": ["score"],
    }
    small = _rounded(document, precision)[0]
    x, _ = labelled(200)
    found = hepml.Evaluator.from_text(json.dumps(small), cpu=cpu)(x)["outputs"]
    single = hepml.Evaluator.from_text(json.dumps(small), cpu=cpu)
    assert found.tobytes() == b"".join(single(row[None])["outputs"].tobytes() for row in x)
    hidden = x.astype(np.float64)
    for layer, function in zip(
        expanded(small)["layers"], (np.tanh, lambda v: np.maximum(v, 0), lambda v: 1 / (1 + np.exp(-v))), strict=True
    ):
        hidden = function(hidden @ np.reshape(layer["weights"], (len(layer["bias"]), -1)).T + 0.1)
    assert np.abs(found - hidden).max() < 1e-6


def test_too_many_flips_are_refused_and_nothing_is_written(plain, tmp_path):
    with pytest.raises(VerificationError, match="int8 change too many decisions"):
        reduce_weights(plain, tmp_path / "net.json", "int8", events, tolerance=0.0)
    assert not list(tmp_path.iterdir())


def test_a_rare_class_is_not_drowned(plain, tmp_path):
    """Half of the signal flips, of all events 1 in 800."""
    x, _ = labelled()
    done = reduce_weights(plain, tmp_path / "all.json", "int8", events, tolerance=1.0)
    old, new = (hepml.Evaluator(path)(x)["output"][:, 0] for path in (plain, done.path))
    falls = x[np.flatnonzero(new < old)[:1]]
    lowest, highest = x[np.argsort(old)[:1]], x[np.argsort(old)[-1:]]

    def rare(_names):
        inputs = np.concatenate([np.repeat(falls, 50, axis=0), np.repeat(highest, 50, axis=0)])
        inputs = np.concatenate([inputs, np.repeat(lowest, 40000, axis=0)])
        yield {"x": inputs}, np.arange(len(inputs)) < 100, None

    with pytest.raises(VerificationError, match=r"50.000% of the signal and 0.000% of the background at 80%"):
        reduce_weights(plain, tmp_path / "rare.json", "int8", rare, tolerance=0.1)


@pytest.mark.parametrize("options", [{"precision": "float16"}, {"precision": None}, {"tolerance": -0.1}])
def test_what_is_no_precision_or_tolerance(plain, tmp_path, options):
    given = {"precision": "bf16", "tolerance": 1.0, **options}
    with pytest.raises(DataError, match="no such precision" if "precision" in options else "tolerance"):
        reduce_weights(plain, tmp_path / "net.json", given["precision"], events, tolerance=given["tolerance"])
    with pytest.raises(DataError, match="tolerance"):
        reduce_weights(plain, tmp_path / "net.json", "bf16", events, tolerance=float("nan"))
    assert not list(tmp_path.iterdir())


def test_a_file_of_lwtnn_and_one_without_provenance(plain, tmp_path):
    document = json.loads(plain.read_text())
    del document["hepml"]["provenance"]
    (tmp_path / "bare.json").write_text(json.dumps(document))
    done = reduce_weights(tmp_path / "bare.json", tmp_path / "net.json", "bf16", events, tolerance=1.0)
    assert hepml.Evaluator(done.path).metadata["provenance"]["precision"] == "bf16"
    validate(json.loads(done.path.read_text()))
    del document["hepml"]
    (tmp_path / "bare.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="a file of lwtnn"):
        reduce_weights(tmp_path / "bare.json", tmp_path / "other.json", "bf16", events, tolerance=1.0)


def test_halves_are_rounded_to_even():
    """Between two neighbours of 8 digits, just beside the middle, and without a bias either way."""
    values = [1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 1 + 2**-8 + 2**-23, 1 + 2**-8 - 2**-23, 2 - 2**-9, 0.0, 2.0**-149]
    right = [1, 1 + 2**-6, -1, 1 + 2**-7, 1, 2, 0, 0]
    found = expanded(_encoded(np.array(values, np.float32), "bf16", "first", 1))
    assert found == right


@pytest.mark.parametrize(("precision", "weight"), [("bf16", 3.4e38), ("fp16", 65520.0), ("fp16", -1e6)])
def test_weights_beyond_the_precision(precision, weight):
    with pytest.raises(DataError, match=r"beyond b?float16"):
        _encoded(np.array([1, weight], np.float32), precision, "first", 1)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("scale", [-0.5] * 20, "negative size"),
        ("scale", [3e38] * 20, "not a number of float32"),
        ("scale", [0.5] * 19, "do not fit"),
        ("int8", encoded("int8", np.full(20, -128, "i1")), "too many steps"),
        ("int8", encoded("int8", np.full(19, 1, "i1")), "do not fit"),
        ("axis", "middle", "no such axis"),
        ("crc32", 7, "damaged"),
    ],
)
def test_a_malformed_file(key, value, problem):
    stored = encoded("int8", np.full(20, 100, "i1"), scale=[0.5] * 20, axis="first")
    stored |= value if key == "int8" else {key: value}
    layer = {"architecture": "dense", "weights": stored, "bias": [], "activation": "linear"}
    inputs = [{"name": "x", "offset": 0, "scale": 1}]
    document = {"inputs": inputs, "layers": [layer], "outputs": [str(i) for i in range(20)]}
    with pytest.raises(SchemaError, match=problem):
        hepml.Evaluator.from_text(json.dumps(document))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_convolutions_and_recurrences(tmp_path, precision):
    keras.utils.set_random_seed(1)
    image, sequence = keras.Input((6, 6, 2), name="et"), keras.Input((5, 3), name="tracks")
    a = keras.layers.Flatten()(keras.layers.Conv2D(7, 3, activation="relu")(image))
    b = keras.layers.GRU(6)(keras.layers.Conv1D(8, 2)(sequence))
    merged = keras.layers.Concatenate()([a, b])
    model = keras.Model([image, sequence], keras.layers.Dense(1, "sigmoid")(merged))
    hepml.export_model(model, tmp_path / "plain.json")

    def batches(_names):
        generator = np.random.default_rng(0)
        shapes = {"et": (300, 6, 6, 2), "tracks": (300, 5, 3)}
        yield {name: generator.normal(size=shape) for name, shape in shapes.items()}, np.arange(300) % 2, np.ones(300)

    done = reduce_weights(tmp_path / "plain.json", tmp_path / "net.json", precision, batches, tolerance=1.0)
    assert 0 < done.difference < 0.05
    assert done.rounded == sum(
        int(np.prod(w.shape)) for w in model.weights if len(w.shape) > 1 and "bias" not in w.path
    )
    wide = json.loads((tmp_path / "plain.json").read_text())
    small = expanded(json.loads(done.path.read_text()))
    for old, new in zip(wide["layers"], small["layers"], strict=True):
        if old["architecture"] == "conv2d" and precision == "int8":
            largest = np.abs(np.reshape(old["weights"], (-1, 7))).max(axis=0)
            assert np.allclose(np.abs(np.reshape(new["weights"], (-1, 7))).max(axis=0), largest, rtol=1e-6)


def test_what_cannot_be_reduced(plain, tmp_path, network):
    from sklearn.tree import DecisionTreeClassifier

    x, y = labelled()
    hepml.export_model(DecisionTreeClassifier(max_depth=3).fit(x, y), tmp_path / "trees.json")
    with pytest.raises(DataError, match="no weights to round"):
        reduce_weights(tmp_path / "trees.json", tmp_path / "net.json", "bf16", events)
    with pytest.raises(DataError, match="no events"):
        reduce_weights(plain, tmp_path / "net.json", "bf16", lambda _names: [])
    document = json.loads(plain.read_text())
    document["layers"][1]["weights"][3] = 1e5
    document["hepml"].pop("reference")
    (tmp_path / "large.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="beyond float16"):
        reduce_weights(tmp_path / "large.json", tmp_path / "net.json", "fp16", events)
    assert not (tmp_path / "net.json").exists()


def test_damage_is_told(plain, tmp_path):
    done = reduce_weights(plain, tmp_path / "net.json", "int8", events, tolerance=1.0)
    document = json.loads(done.path.read_text())
    weights = document["layers"][1]["weights"]
    weights["scale"] = expanded(weights["scale"])
    for change, said in [
        ({"scale": weights["scale"][1:]}, "the scales do not fit"),
        ({"scale": []}, "the scales do not fit"),
        ({"axis": "second"}, "no such axis"),
        ({"crc32": 1}, "the numbers are damaged"),
    ]:
        document["layers"][1]["weights"] = weights | change
        (tmp_path / "bad.json").write_text(json.dumps(document))
        with pytest.raises(SchemaError, match=said):
            hepml.Evaluator(tmp_path / "bad.json")


def test_a_compact_file_and_a_header_of_it(plain, tmp_path):
    x, _ = labelled(100)
    for precision in PRECISIONS:
        done = reduce_weights(plain, tmp_path / f"{precision}.json", precision, events, tolerance=1.0)
        again = compact(done.path, tmp_path / f"{precision}.compact.json")
        assert hepml.Evaluator(again)(x)["output"].tobytes() == hepml.Evaluator(done.path)(x)["output"].tobytes()
        hepml.export_source(done.path, tmp_path / f"{precision}.hpp")


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_every_finite_number_of_16_bits(kind):
    bits = np.arange(65536, dtype="<u2")
    values = (bits.astype("<u4") << 16).view("<f4") if kind == "bfloat16" else bits.view("<f2").astype(np.float32)
    good = np.isfinite(values)
    layer = {"architecture": "dense", "weights": encoded(kind, bits[good]), "bias": [], "activation": "linear"}
    document = {
        "inputs": [{"name": "x", "offset": 0, "scale": 1}],
        "layers": [layer],
        "outputs": [str(i) for i in range(good.sum())],
    }
    found = hepml.Evaluator.from_text(json.dumps(document))([[1.0]])["outputs"][0]
    assert np.array_equal(found, values[good])
    layer["weights"] = encoded(kind, bits[~good])
    with pytest.raises(SchemaError, match="not finite"):
        hepml.Evaluator.from_text(json.dumps(document))


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return stopped.value.code, captured.out, captured.err


@pytest.fixture
def keras_file(tmp_path):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(40, "tanh"), keras.layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    x, y = labelled()
    np.savez(tmp_path / "events.npz", x=x, y=y)
    return tmp_path / "model.keras"


def test_the_command(keras_file, tmp_path, capsys):
    net, data = tmp_path / "net.json", tmp_path / "events.npz"
    options = ("export", keras_file, "-o", net, "--precision", "bf16", "--data", data)
    code, out, _ = call(capsys, *options, "--tolerance", "0.1")
    assert code == 0
    assert "120 weights in bf16, 41 in float32; on 4000 events" in out
    assert [line.split()[0] for line in out.splitlines() if line.endswith("%")] == ["50%", "80%", "90%"]
    code, out, _ = call(capsys, *options, "--overwrite", "--json", "--tolerance", "0.1")
    told = json.loads(out)
    assert told["model_id"] == hepml.Evaluator(net).model_id
    assert [point["signal_efficiency"] for point in told["precision"]["working_points"]] == [0.5, 0.8, 0.9]
    before = net.read_text()
    code, _, err = call(capsys, *options, "--overwrite", "--tolerance", "0")
    assert (code, net.read_text()) == (3, before)
    assert "change too many decisions" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.npz", "model.keras", "net.json"]


def test_precision_is_never_unmeasured(keras_file, tmp_path, capsys):
    for options in (
        ("--precision", "bf16"),
        ("--data", tmp_path / "events.npz"),
        ("--precision", "bf16", "--data", tmp_path / "events.npz", "--lwtnn"),
        ("--precision", "bf16", "--data", tmp_path / "events.npz", "--source", tmp_path / "net.hpp"),
    ):
        code, _, err = call(capsys, "export", keras_file, "-o", tmp_path / "net.json", *options)
        assert (code, "--precision" in err) == (2, True)
    np.savez(tmp_path / "events.npz", x=np.zeros((4, 2)))
    options = ("--precision", "bf16", "--data", tmp_path / "events.npz")
    code, _, err = call(capsys, "export", keras_file, "-o", tmp_path / "net.json", *options)
    assert (code, "'y' is missing" in err) == (1, True)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"y": np.array(["1", "0"] * 20)}, "the array 'y' is not one number"),
        ({"y": np.zeros((40, 1))}, "the array 'y' is not one number"),
        ({"y": np.int64(1)}, "the array 'y' is not one number"),
        ({"y": np.ones(40) + 1j}, "the array 'y' is not one number"),
        ({"y": np.arange(40) % 2, "weight": np.array(["a"] * 40)}, "the array 'weight' is not one number"),
        ({"y": np.arange(40) % 2, "weight": np.float64(1)}, "the array 'weight' is not one number"),
        ({"y": np.arange(39) % 2}, "wrong shape"),
        ({"y": np.ones(40)}, "label 0: 0, label 1: 40"),
        ({"y": np.arange(40) % 2, "x": np.full((40, 2), np.nan)}, "no score for some events"),
    ],
)
def test_data_that_cannot_be_compared_on(keras_file, tmp_path, capsys, more, problem):
    np.savez(tmp_path / "events.npz", **({"x": np.zeros((40, 2))} | more))
    options = ("--precision", "bf16", "--data", tmp_path / "events.npz")
    code, _, err = call(capsys, "export", keras_file, "-o", tmp_path / "net.json", *options)
    assert (code, problem in err, (tmp_path / "net.json").exists()) == (1, True, False)


def test_a_new_folder_and_a_tolerance_that_is_none(keras_file, tmp_path, capsys):
    options = ("--precision", "bf16", "--data", tmp_path / "events.npz")
    net = tmp_path / "new" / "net.json"
    code, _, err = call(capsys, "export", keras_file, "-o", net, *options, "--tolerance", "nan")
    assert (code, "--tolerance" in err, net.parent.exists()) == (2, True, False)
    code, _, err = call(capsys, "export", keras_file, "-o", net, *options, "--tolerance", "0")
    assert (code, net.parent.exists()) == (3, False)
    code, _, _ = call(capsys, "export", keras_file, "-o", net, *options, "--tolerance", "0.1")
    assert (code, [path.name for path in net.parent.iterdir()]) == (0, ["net.json"])
