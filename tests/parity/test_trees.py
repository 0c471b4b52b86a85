"""Trees of scikit-learn and XGBoost in C++: leaves and margins bit for bit, outputs within 2 units in the last place.

`export_model` compares on events of its own, so here the models are asked on others: the training events, which lie on
both sides of every threshold, and values exactly on the thresholds.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import sklearn.ensemble as ensembles
import sklearn.preprocessing as scalers
import sklearn.tree as trees
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

import hepml
from hepml.errors import DataError
from hepml.export import validate
from hepml.geometry import PAPER
from hepml.models import InputSpec

N = 400


def ulps(a, b):
    a, b = (np.ascontiguousarray(x, np.float32).view(np.int32).astype(np.int64) for x in (a, b))
    a, b = (np.where(x < 0, -(2**31) - x, x) for x in (a, b))
    return np.abs(a - b)


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(N, 4)).astype(np.float32)
    x[:, 3] = np.round(2 * x[:, 3])  # ties, and thresholds halfway
    score = x[:, 0] * x[:, 1] + 0.5 * x[:, 3]
    holes = x.copy()
    holes[generator.random(x.shape) < 0.15] = np.nan
    return {
        "x": x,
        "holes": holes,
        2: (score > 0.2).astype(int),
        5: np.digitize(score, [-1.0, -0.3, 0.2, 0.9]),
        "y": score.astype(float),
        "weight": generator.exponential(1.0, N),
    }


def exported(model, tmp_path, **options):
    written = hepml.export_model(model, tmp_path / "net.json", **options)
    validate(json.loads((tmp_path / "net.json").read_text()))
    return written, hepml.Evaluator(tmp_path / "net.json")


def on_thresholds(evaluator_path, n_features):
    layer = json.loads(evaluator_path.read_text())["layers"][0]
    feature, threshold = np.array(layer["feature"]), np.clip(layer["threshold"], -3e38, 3e38)
    x = np.zeros((200, n_features), np.float32)
    for k in range(n_features):
        if np.any(feature == k):
            limits = threshold[feature == k].astype(np.float32)
            x[:, k] = np.nextafter(np.resize(limits, 200), np.resize(np.float32([-9, 9]) * 1e30, 200))
            x[::3, k] = np.resize(limits, 200)[::3]
    return x


CLASSIFIERS = {
    "stump": lambda: trees.DecisionTreeClassifier(max_depth=1),
    "tree": lambda: trees.DecisionTreeClassifier(min_samples_leaf=2),
    "extra tree": trees.ExtraTreeClassifier,
    "forest": lambda: ensembles.RandomForestClassifier(13, random_state=1, n_jobs=2),
    "best first": lambda: ensembles.RandomForestClassifier(9, max_leaf_nodes=11, criterion="entropy", random_state=1),
    "extra trees": lambda: ensembles.ExtraTreesClassifier(9, random_state=1, max_depth=6),
}


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("missing", [False, True])
def test_forests_of_scikit_learn(name, classes, missing, data, tmp_path):
    x = data["holes" if missing else "x"]
    model = CLASSIFIERS[name]().fit(x, data[classes], sample_weight=data["weight"])
    _, ev = exported(model, tmp_path)
    assert len(ev.outputs[0].labels) == (1 if classes == 2 else 5)
    for events in (x, on_thresholds(tmp_path / "net.json", 4)):
        right = model.set_params(**({"n_jobs": 1} if "n_jobs" in model.get_params() else {})).predict_proba(events)
        right = right[:, 1:] if classes == 2 else right
        assert np.array_equal(ev.leaves(events)["output"], model.apply(events).reshape(len(events), -1))
        assert np.array_equal(ev(events)["output"], right.astype(np.float32))


@pytest.mark.parametrize(
    ("model", "classes"),
    [
        (ensembles.GradientBoostingClassifier(n_estimators=12, random_state=1), 2),
        (ensembles.GradientBoostingClassifier(n_estimators=12, subsample=0.5, init="zero", random_state=1), 5),
        (ensembles.GradientBoostingClassifier(n_estimators=12, loss="exponential", random_state=1), 2),
        (ensembles.HistGradientBoostingClassifier(max_iter=12), 2),
        (ensembles.HistGradientBoostingClassifier(max_iter=12), 5),
    ],
    ids=["binary", "classes", "exponential", "histogram", "histogram classes"],
)
def test_gradient_boosting_classifiers(model, classes, data, tmp_path):
    model.fit(data["x"], data[classes], sample_weight=data["weight"])
    _, ev = exported(model, tmp_path)
    for events in (data["x"], on_thresholds(tmp_path / "net.json", 4)):
        margins = model.decision_function(events).reshape(len(events), -1)
        assert np.array_equal(ev(events, logits=True)["output"], margins.astype(np.float32))
        right = model.predict_proba(events)
        right = right[:, 1:] if classes == 2 else right
        assert ulps(ev(events)["output"], right).max() <= 2
        if hasattr(model, "apply"):
            assert np.array_equal(ev.leaves(events)["output"], model.apply(events).reshape(len(events), -1))


@pytest.mark.parametrize(
    "model",
    [
        trees.DecisionTreeRegressor(max_depth=5),
        ensembles.RandomForestRegressor(11, random_state=1),
        ensembles.ExtraTreesRegressor(11, random_state=1, criterion="absolute_error", max_depth=3),
        ensembles.GradientBoostingRegressor(n_estimators=20),
        ensembles.GradientBoostingRegressor(n_estimators=20, loss="huber"),
        ensembles.HistGradientBoostingRegressor(max_iter=20),
        ensembles.HistGradientBoostingRegressor(max_iter=20, loss="poisson"),
    ],
    ids=["tree", "forest", "extra trees", "boosting", "huber", "histogram", "poisson"],
)
def test_regressors(model, data, tmp_path):
    model.fit(data["x"], np.abs(data["y"]))
    _, ev = exported(model, tmp_path)
    for events in (data["x"], on_thresholds(tmp_path / "net.json", 4)):
        found = ev(events)["output"][:, 0]
        bound = 2 if getattr(model, "loss", None) == "poisson" else 0
        assert ulps(found, model.predict(events)).max() <= bound


def test_a_tree_of_one_leaf(data, tmp_path):
    model = ensembles.RandomForestRegressor(3).fit(data["x"], np.ones(N))
    _, ev = exported(model, tmp_path)
    assert np.all(ev(data["x"])["output"] == 1)
    assert np.all(ev.leaves(data["x"])["output"] == 0)


def test_missing_values(data, tmp_path):
    model = ensembles.HistGradientBoostingClassifier(max_iter=15).fit(data["holes"], data[2])
    _, ev = exported(model, tmp_path)
    right = model.decision_function(data["holes"]).astype(np.float32)
    assert np.array_equal(ev(data["holes"], logits=True)["output"][:, 0], right)
    infinite = data["x"][:2].copy()
    infinite[1, 0] = np.inf
    assert np.isnan(ev(infinite)["output"]).ravel().tolist() == [False, True]
    model = ensembles.GradientBoostingClassifier(n_estimators=5).fit(data["x"], data[2])  # knows none
    (tmp_path / "net.json").unlink()
    _, ev = exported(model, tmp_path)
    gone = np.isnan(data["holes"]).any(axis=1)
    assert np.array_equal(np.isnan(ev(data["holes"])["output"][:, 0]), gone)
    assert np.array_equal((ev.leaves(data["holes"])["output"] == -1).all(axis=1), gone)


@pytest.mark.parametrize("name", ["StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"])
@pytest.mark.parametrize("kind", ["forest", "histogram"])
def test_scalers_in_front_of_trees_keep_every_leaf(name, kind, data, tmp_path):
    x = data["x"] * np.float32([1, 100, 1e-3, 1]) + np.float32([0, 7, 0, -3])
    last = ensembles.RandomForestClassifier(9, random_state=1)
    if kind == "histogram":
        last = ensembles.HistGradientBoostingClassifier(max_iter=9)
    model = make_pipeline("passthrough", getattr(scalers, name)(), scalers.StandardScaler(), last)
    model.fit(x.astype(float), data[5])
    _, ev = exported(model, tmp_path)
    for events in (x, on_thresholds(tmp_path / "net.json", 4)):
        right = model.predict_proba(events.astype(float))
        assert ulps(ev(events)["output"], right).max() <= (0 if kind == "forest" else 2)
        if kind == "forest":
            inside = model[:-1].transform(events.astype(float))
            assert np.array_equal(ev.leaves(events)["output"], last.apply(inside))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_dense_models_behind_scalers(data, tmp_path):
    x = data["x"].astype(float) * 30 + 5
    for k, (model, y) in enumerate(
        [
            (LogisticRegression(), data[2]),
            (LogisticRegression(), data[5]),
            (LinearRegression(), np.stack([data["y"], -data["y"]], axis=1)),
            (MLPClassifier((8, 5), max_iter=20, activation="tanh"), data[5]),
            (MLPRegressor(hidden_layer_sizes=(8,), max_iter=20), data["y"]),
        ]
    ):
        first = scalers.StandardScaler(with_mean=k % 2 == 0)
        pipeline = make_pipeline(first, scalers.MinMaxScaler(), model)
        pipeline.fit(x, y)
        hepml.export_model(pipeline, tmp_path / f"{k}.json")
        found = hepml.Evaluator(tmp_path / f"{k}.json")(x)["output"]
        right = pipeline.predict_proba(x) if hasattr(pipeline, "predict_proba") else pipeline.predict(x)
        right = right.reshape(N, -1)[:, -found.shape[1] :]
        assert np.abs(found - right).max() < 2e-6 * max(1, np.abs(right).max())


def test_several_inputs_and_their_names(data, tmp_path):
    model = ensembles.HistGradientBoostingClassifier(max_iter=5).fit(data["holes"], data[2])
    specs = [InputSpec("hl", (3,), ("a", "b", "c"), None, [0] * 3, [1] * 3, None, None)]
    specs.append(InputSpec("mass", (1,), ("m",), None, [0], [1], None, None))
    written, ev = exported(model, tmp_path, inputs=specs)
    assert written.inputs == ("hl", "mass")
    assert [v.name for r in ev.inputs for v in r.variables] == ["a", "b", "c", "m"]
    given = {"hl": data["holes"][:, :3], "mass": data["holes"][:, 3]}
    right = model.decision_function(data["holes"]).astype(np.float32)
    assert np.array_equal(ev(given, logits=True)["output"][:, 0], right)


def test_refusals_by_name(data, tmp_path):
    x, y = data["x"], data[2]

    class Mine(ensembles.RandomForestClassifier):
        pass

    cases = {
        "not fitted": ensembles.RandomForestClassifier(),
        "Mine cannot": Mine(2).fit(x, y),
        "AdaBoostClassifier cannot": ensembles.AdaBoostClassifier(n_estimators=2).fit(x, y),
        "QuantileTransformer cannot": make_pipeline(
            scalers.QuantileTransformer(n_quantiles=10), trees.DecisionTreeClassifier()
        ).fit(x, y),
        "n_outputs_=2": ensembles.RandomForestRegressor(2).fit(x, np.stack([y, y], axis=1)),
        "one class only": trees.DecisionTreeClassifier().fit(x, np.zeros(N)),
        "init=DecisionTreeRegressor": ensembles.GradientBoostingRegressor(
            n_estimators=2, init=trees.DecisionTreeRegressor(max_depth=1)
        ).fit(x, y),
        "categorical splits": ensembles.HistGradientBoostingClassifier(max_iter=2, categorical_features=[3]).fit(
            np.abs(x), y
        ),
        "clip=True": make_pipeline(scalers.MinMaxScaler(clip=True), LogisticRegression()).fit(x, y),
    }
    for words, model in cases.items():
        with pytest.raises(hepml.HepmlError) as refused:
            hepml.export_model(model, tmp_path / "net.json")
        assert words in str(refused.value)
    with pytest.raises(hepml.HepmlError, match="lwtnn has no trees"):
        hepml.export_model(trees.DecisionTreeClassifier().fit(x, y), tmp_path / "net.json", lwtnn=True)
    with pytest.raises(hepml.HepmlError, match="do not fit DecisionTreeClassifier"):
        hepml.export_model(
            trees.DecisionTreeClassifier().fit(x, y),
            tmp_path / "net.json",
            inputs=[InputSpec("hl", (2,), ("a", "b"), None, [0] * 2, [1] * 2, None, None)],
        )
    assert not list(tmp_path.iterdir())


def test_what_the_inputs_carry_is_in_the_file(data, tmp_path):
    geometry = PAPER.to_dict()
    specs = [
        InputSpec(name, (2,), (f"{name}_a", f"{name}_b"), geometry, [0] * 2, [1] * 2, None, None, collection="jet")
        for name in ("u", "v")
    ]
    model = trees.DecisionTreeClassifier(max_depth=2, random_state=0).fit(data["x"], data[2])
    exported(model, tmp_path, inputs=specs)
    block = json.loads((tmp_path / "net.json").read_text())["hepml"]
    assert (block["geometry"], block["collection"]) == (geometry, "jet")
    other = [specs[0], replace(specs[1], collection="electron")]
    with pytest.raises(DataError, match="the inputs differ in collection"):
        hepml.export_model(model, tmp_path / "other.json", inputs=other)
    assert not (tmp_path / "other.json").exists()
