"""Free networks, several classes and regressions train through the same call."""

import numpy as np
import pytest

from hepml.errors import HepmlError
from hepml.training import train

from .conftest import SMALL, plane

XOR = {"arrays": {"x": [[0, 0], [0, 1], [1, 0], [1, 1]]}, "y": [0, 1, 1, 0], "split": "all"}


@pytest.mark.parametrize(("hidden", "activation"), [(2, "tanh"), (4, "relu")])
def test_xor_by_a_list_of_layers(tmp_path, hidden, activation):
    import keras

    layers = [keras.layers.Dense(hidden, activation=activation), keras.layers.Dense(1, activation="sigmoid")]
    changes = {"epochs": 100, "learning_rate": 0.1, "patience": 0, "plateau_patience": 0}
    run = train(model=layers, output=tmp_path / "xor", progress=False, seeds=4, **XOR, **changes)
    np.testing.assert_array_equal(np.round(run.model(np.float32(XOR["arrays"]["x"]))[:, 0]), [0, 1, 1, 0])
    assert run.record["parameters"] == 4 * hidden + 1  # 9 for two units
    assert run.scores().held_out.all()
    assert run.record["config"]["network"]["layers"]


def test_a_functional_model_with_two_inputs(tmp_path):
    import keras

    toy = plane()
    x = toy["arrays"]["x"]
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Rescaling(0.1, -10.0)(b), a])
    out = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dense(4, activation="tanh")(joined))
    model = keras.Model([b, a], out)
    before = model.get_weights()
    arrays = {"a": x[:, 1:], "b": x[:, :1]}
    run = train(arrays=arrays, y=toy["y"], model=model, output=tmp_path / "run", progress=False, **SMALL)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # the user's model is a recipe
    assert [spec.name for spec in run.inputs] == ["a", "b"]
    assert all(spec.scale is None for spec in run.inputs)
    expected = run.model.predict([x[:, :1], x[:, 1:]], verbose=0)
    np.testing.assert_allclose(run.scores().score, expected, rtol=1e-5)
    again = train(arrays=arrays, y=toy["y"], model=model, output=tmp_path / "again", progress=False, **SMALL)
    assert again.record["members"] == run.record["members"]


def test_three_classes(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    x = rng.normal(size=(600, 2)) + 3 * np.stack([y == 1, y == 2], axis=1)
    run = train(arrays={"x": x}, y=y, output=tmp_path / "run", progress=False, **SMALL | {"epochs": 15})
    scores = run.scores()
    assert run.task == "multiclass"
    assert scores.score.shape == (600, 1, 3)
    np.testing.assert_allclose(scores.score.sum(axis=2), 1, rtol=1e-5)
    held_out = scores.held_out
    assert np.mean(scores.score[held_out, 0].argmax(axis=1) == y[held_out]) > 0.8


def test_regression_on_two_targets(tmp_path):
    x = np.random.default_rng(0).normal(size=(600, 2))
    y = np.stack([x[:, 0] + x[:, 1], 5 * x[:, 0]], axis=1)
    changes = SMALL | {"epochs": 20, "learning_rate": 0.05, "units": 16}
    run = train(arrays={"x": x}, y=y, output=tmp_path / "run", progress=False, folds=2, **changes)
    assert run.task == "regression"
    assert run.model.layers[-1].activation.__name__ == "linear"
    score = run.scores().score[:, 0]
    assert np.mean((score - y) ** 2, axis=0).max() < 0.5


def test_decorrelated_training_gives_the_plain_architecture(tmp_path):
    rng = np.random.default_rng(0)
    common = rng.normal(size=(600, 1))
    x = common + 0.1 * rng.normal(size=(600, 2))
    y = x[:, 0] > x[:, 1]
    run = train(arrays={"x": x}, y=y, output=tmp_path / "run", progress=False, **SMALL)
    plain = train(arrays={"x": x}, y=y, output=tmp_path / "plain", decorrelate=False, progress=False, **SMALL)
    assert [type(layer) for layer in run.model.layers] == [type(layer) for layer in plain.model.layers]
    assert run.record["parameters"] == plain.record["parameters"]
    assert run.record["members"][0]["val_loss"] < plain.record["members"][0]["val_loss"] - 0.05


@pytest.mark.parametrize("names", [("hl",), ("hl", "mass"), ("et", "hl"), ("et", "hl", "mass")])
@pytest.mark.parametrize("layers", [0, 2])
def test_the_decorrelation_is_folded_exactly(names, layers):
    from hepml.models import InputSpec, Settings, build_model
    from hepml.training.decorrelate import fold

    rng = np.random.default_rng(0)
    known = {
        "et": InputSpec("et", (8, 8, 1)),
        "hl": InputSpec("hl", (2,), offset=[1.0, 2.0], scale=[3.0, 4.0]),
        "mass": InputSpec("mass", (1,), offset=[0.5], scale=[2.0]),
    }
    specs, settings = [known[name] for name in names], Settings(filters=2, layers=layers, dropout=0.1)
    columns = sum(spec.shape[0] for spec in specs if not spec.is_image)
    matrix = rng.normal(size=(columns, columns))
    trained, network = build_model(specs, settings, mixing=matrix), build_model(specs, settings, seed=1)
    fold(trained, network, matrix)
    batch = [rng.random((5, *spec.shape), dtype=np.float32) for spec in specs]
    x = batch if len(batch) > 1 else batch[0]
    np.testing.assert_allclose(network(x), trained(x), rtol=1e-4)
    assert network.count_params() == trained.count_params() - columns**2


@pytest.mark.parametrize(
    ("last", "message"),
    [({"units": 1, "activation": "tanh"}, "sigmoid"), ({"units": 3, "activation": "sigmoid"}, "does not fit")],
)
def test_a_network_that_cannot_give_the_labels_is_refused(tmp_path, last, message):
    import keras

    with pytest.raises(HepmlError, match=message):
        train(model=[keras.layers.Dense(**last)], output=tmp_path / "run", progress=False, **plane(), **SMALL)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    with pytest.raises(HepmlError, match="inputs are not the data's"):
        train(model=model, output=tmp_path / "run", progress=False, **plane(), **SMALL)
    assert not (tmp_path / "run").exists()
