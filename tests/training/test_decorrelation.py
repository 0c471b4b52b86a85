"""Planing and the distance-correlation penalty: what they promise, and that they reach the training."""

import json
import logging

import numpy as np
import pytest

from hepml.errors import DataError, SchemaError
from hepml.metrics import distance_correlation as exact
from hepml.models import Settings
from hepml.training import train
from hepml.training.decorrelation import strengths
from hepml.training.disco import distance_correlation, penalised_loss
from hepml.training.planing import fit_planing

from .conftest import SMALL


def toy(n=4000, seed=0):
    """One useful variable, and one that carries the class only through its own spectrum."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    useful = rng.normal(1.0 * y, 1.0)
    mass = rng.normal(2.0 * y, 1.0)
    return {"arrays": {"x": np.stack([useful, mass], axis=1)}, "y": y}


def test_planed_classes_have_one_spectrum():
    rng = np.random.default_rng(1)
    n = 20_000
    y = np.arange(n) % 2
    columns = {"pt": rng.gamma(2 + y, 10.0), "eta": rng.normal(0, 1 + 0.3 * y)}
    weight = rng.choice([0.5, 2.0, -0.2], n)
    planing = fit_planing(columns, y, weight)
    factor = planing.weights(columns, y)
    assert factor.min() >= 0
    assert factor.max() <= 1
    place = [np.searchsorted(edges[1:-1], columns[name], side="right") for name, edges in planing.edges.items()]
    shapes = []
    for code in (0, 1):
        own = y == code
        table = np.histogram2d(place[0][own], place[1][own], bins=13, weights=(weight * factor)[own])[0]
        shapes.append(table / table.sum())
    np.testing.assert_allclose(*shapes, atol=1e-12)
    before, after = planing.n_effective
    assert 0.3 < after[0] / before[0] < 1
    others = {name: values * 3 for name, values in columns.items()}  # far outside: the outer bins
    assert np.isfinite(planing.weights(others, y)).all()
    assert len(planing.edges["pt"]) == 15
    json.dumps(planing.to_dict(), allow_nan=False)


def test_a_bin_that_one_class_alone_reaches_counts_for_nothing():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(0, 1, 4000), rng.uniform(0.5, 1.5, 4000)])
    y = np.repeat([0, 1], 4000)
    planing = fit_planing({"x": x}, y, np.ones(8000))
    rows = {"x": np.array([0.1, 0.1, 1.4, 1.4, 0.75, 0.75])}
    weights = planing.weights(rows, np.array([0, 1, 0, 1, 0, 1]))
    assert weights[:4].tolist() == [0, 0, 0, 0]
    assert (weights[4:] > 0).all()


def test_a_bin_whose_weights_sum_to_less_than_nothing_counts_for_nothing():
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 1, 4000), np.arange(4000) % 2
    weight = np.where((y == 1) & (x > 0.5) & (x < 0.6) & (rng.random(4000) < 0.7), -1.0, 1.0)
    planing = fit_planing({"x": x}, y, weight)
    planed = weight * planing.weights({"x": x}, y)
    edges = planing.edges["x"]
    shares = [np.histogram(x[y == c], edges, weights=planed[y == c])[0] / planed[y == c].sum() for c in (0, 1)]
    np.testing.assert_allclose(shares[0], shares[1], atol=1e-12)
    assert (shares[0] == 0).any()


def test_planing_that_cannot_be_is_refused():
    y = np.repeat([0, 1], 500)
    with pytest.raises(DataError, match="share no bin"):
        fit_planing({"x": np.where(y == 1, 10.0, 0.0)}, y, np.ones(1000))
    with pytest.raises(DataError, match="not finite"):
        fit_planing({"x": np.where(y == 1, np.nan, 0.0)}, y, np.ones(1000))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_penalty_is_the_distance_correlation_of_the_background(weighted):
    rng = np.random.default_rng(2)
    n = 200
    y = np.arange(n) % 2
    x, score = rng.normal(size=n), rng.uniform(0.01, 0.99, n)
    score[y == 0] = np.clip(0.5 + 0.2 * x[y == 0] ** 2, 0.01, 0.99)
    weight = rng.choice([0.5, 2.0, -0.5], n) if weighted else np.ones(n)
    wanted = exact(x[y == 0], score[y == 0], weight[y == 0])  # itself compared with the definition in tests/metrics
    background = (np.abs(weight) * (y == 0)).astype(np.float32)
    found = float(distance_correlation(x.astype(np.float32), score.astype(np.float32), background))
    assert found == pytest.approx(wanted, abs=1e-5)
    target = np.stack([y, weight, x], axis=1).astype(np.float32)
    loss = np.asarray(penalised_loss((7.0,))(target, score[:, None].astype(np.float32)))
    entropy = -weight * (y * np.log(score) + (1 - y) * np.log(1 - score))
    np.testing.assert_allclose(loss, entropy + 7.0 * wanted * np.abs(weight).mean(), rtol=1e-4, atol=1e-4)
    signal_only = np.stack([np.ones(n), weight, x], axis=1).astype(np.float32)
    assert np.isfinite(np.asarray(penalised_loss((7.0,))(signal_only, score[:, None].astype(np.float32)))).all()


@pytest.mark.parametrize("factor", [1e-3, 40.0])
def test_the_size_of_all_weights_scales_the_loss_as_that_of_keras(factor):
    """Keras: mean of weight x loss. The share of the penalty must not depend on the normalisation of the weights."""
    import keras

    rng = np.random.default_rng(6)
    n = 300
    y, x, weight = np.arange(n) % 2, rng.normal(size=n), rng.choice([0.5, 2.0], n)
    score = (1 / (1 + np.exp(-x - rng.normal(size=n))))[:, None].astype(np.float32)

    def penalised(w, strength):
        target = np.stack([y, w, x], axis=1).astype(np.float32)
        return float(np.mean(np.asarray(penalised_loss((strength,))(target, score))))

    stock = keras.losses.BinaryCrossentropy()(y[:, None].astype(np.float32), score, sample_weight=weight)
    assert penalised(weight, 1e-9) == pytest.approx(float(stock), rel=1e-5)
    assert penalised(factor * weight, 5.0) == pytest.approx(factor * penalised(weight, 5.0), rel=1e-5)
    assert penalised(weight, 5.0) > 1.5 * float(stock)


def test_the_penalty_has_gradients_where_it_is_flat():
    import tensorflow as tf

    for score in (np.full(64, 0.5), np.linspace(0.1, 0.9, 64)):
        s = tf.Variable(score[:, None].astype(np.float32))
        target = np.stack([np.arange(64) % 2, np.ones(64), np.linspace(-1, 1, 64)], axis=1).astype(np.float32)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(penalised_loss((5.0,))(tf.constant(target), s))
        assert np.isfinite(tape.gradient(loss, s).numpy()).all()


def dependence(run):
    scores = run.scores()
    own = scores.held_out & (scores.y == 0)
    mass = toy()["arrays"]["x"][:, 1]
    return exact(mass[own], scores.score[own, 0])


def test_training_forgets_what_it_must_not_know(tmp_path):
    settings = SMALL | {"epochs": 15, "units": 20, "batch_size": 512, "progress": False}
    plain = train(output=tmp_path / "plain", **toy(), **settings)
    planed = train(output=tmp_path / "planed", plane="x_1", **toy(), **settings)
    disco = train(output=tmp_path / "disco", disco="x_1=20", **toy(), **settings)
    before = dependence(plain)
    assert before > 0.3
    assert dependence(planed) < 0.1 * before  # the mass tells the classes apart by its spectrum alone
    assert dependence(disco) < 0.1 * before
    record = planed.record["members"][0]["planing"]
    assert list(record["edges"]) == ["x_1"]
    assert record["n_effective"]["after"][0] < record["n_effective"]["before"][0]
    assert "planing" not in plain.record["members"][0]
    assert disco.config.disco == "x_1=20"
    assert disco.record["members"][0]["val_loss"] > plain.record["members"][0]["val_loss"]
    assert disco.record["config_hash"] != plain.record["config_hash"]


def test_planing_is_fitted_on_the_training_rows_of_each_fold(tmp_path):
    settings = SMALL | {"epochs": 1, "progress": False}
    run = train(output=tmp_path / "run", plane="x_1", folds=2, **toy(1500), **settings)
    edges = [member["planing"]["edges"]["x_1"] for member in run.record["members"]]
    assert edges[0] != edges[1]


def test_variables_come_from_the_data(data, tmp_path, caplog):
    settings = {"epochs": 1, "units": 8, "layers": 1, "progress": False}
    with caplog.at_level(logging.WARNING):
        run = train(data, "hl", tmp_path / "run", plane="pt,abs_eta", disco="mass=5", **settings)
    assert "too few for a distance correlation" in caplog.text
    assert list(run.record["members"][0]["planing"]["edges"]) == ["pt", "abs_eta"]
    with pytest.raises(DataError, match=r"no variable 'mas'(.|\n)*'mass'"):
        train(data, "hl", tmp_path / "other", disco="mas=5", **settings)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"disco": "mass"}, "no penalty"),
        ({"disco": "mass=-1"}, "no penalty"),
        ({"disco": "x_1=1,x_1=2"}, "no penalty"),
        ({"plane": "x_1,x_1"}, "planed twice"),
        ({"plane": "x_9"}, "no variable 'x_9'"),
        ({"plane": "x_1", "task": "regression"}, "two classes"),
    ],
)
def test_wrong_settings_are_refused(tmp_path, changes, words):
    with pytest.raises((SchemaError, DataError), match=words):
        train(output=tmp_path / "run", progress=False, **toy(400), **SMALL, **changes)


def test_strengths_are_read_from_text():
    assert strengths(Settings()) == {}
    assert strengths(Settings(disco="a=1, b=2e1")) == {"a": 1.0, "b": 20.0}


def test_the_command_takes_both(data, tmp_path, capsys):
    from hepml.cli.main import main

    arguments = [str(data), "--features", "hl", "-o", str(tmp_path / "run"), "--epochs", "1", "--quiet"]
    with pytest.raises(SystemExit) as stop:
        main(["train", *arguments, "--plane", "pt,eta", "--decorrelate", "mass=20", "--decorrelate", "pt=1"])
    assert not stop.value.code
    capsys.readouterr()
    settings = json.loads((tmp_path / "run/run.json").read_text())["config"]["settings"]
    assert (settings["plane"], settings["disco"]) == ("pt,eta", "mass=20,pt=1")
