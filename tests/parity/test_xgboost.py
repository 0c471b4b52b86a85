"""XGBoost in C++: leaves and float32 margins bit for bit, outputs within 2 units in the last place."""

import json

import numpy as np
import pytest
import xgboost

import hepml
from hepml.cli.main import main
from hepml.export.estimators import load_booster

N = 400


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(5)
    x = generator.normal(size=(N, 4)).astype(np.float32)
    x[:, 3] = np.round(2 * x[:, 3])
    x[generator.random(x.shape) < 0.1] = np.nan
    score = np.nan_to_num(x[:, 0] * x[:, 1]) + 0.5 * np.nan_to_num(x[:, 3])
    return x, score


MODELS = {
    "binary": (xgboost.XGBClassifier(n_estimators=12), 2),
    "classes": (xgboost.XGBClassifier(n_estimators=7, max_depth=3), 4),
    "dart": (xgboost.XGBClassifier(n_estimators=12, booster="dart", rate_drop=0.4, seed=1), 2),
    "forest": (xgboost.XGBRFClassifier(n_estimators=9), 4),
    "pruned": (xgboost.XGBClassifier(n_estimators=9, gamma=2.0, tree_method="exact"), 2),
    "leaf-wise": (xgboost.XGBClassifier(n_estimators=9, grow_policy="lossguide", max_leaves=9, max_depth=0), 2),
    "early": (xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, learning_rate=0.9), 2),
    "logitraw": (xgboost.XGBClassifier(n_estimators=9, objective="binary:logitraw"), 2),
    "squared error": (xgboost.XGBRegressor(n_estimators=12), 0),
    "poisson": (xgboost.XGBRegressor(n_estimators=12, objective="count:poisson"), 0),
    "quantile": (xgboost.XGBRegressor(n_estimators=12, objective="reg:quantileerror", quantile_alpha=0.3), 0),
    "stump": (xgboost.XGBRegressor(n_estimators=3, max_depth=1, base_score=0.25), 0),
}


def fit(name, data):
    model, classes = MODELS[name]
    x, score = data
    y = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else np.abs(score)
    options = {"eval_set": [(x[:100], y[:100])], "verbose": False} if name == "early" else {}
    return model.fit(x, y, **options)


@pytest.mark.parametrize("name", MODELS)
def test_estimators(name, data, tmp_path):
    model = fit(name, data)
    hepml.export_model(model, tmp_path / "net.json")
    ev = hepml.Evaluator(tmp_path / "net.json")
    layer = json.loads((tmp_path / "net.json").read_text())["layers"][0]
    x = data[0].copy()
    for k in range(4):  # exactly on thresholds, where XGBoost goes right
        limits = np.array(layer["threshold"], np.float32)[np.array(layer["feature"]) == k]
        x[::2, k] = np.resize(limits, N // 2)
    rounds = (0, model.best_iteration + 1) if name == "early" else (0, 0)
    assert ev.outputs[0].n_trees == len(layer["sizes"])
    booster, matrix = model.get_booster(), xgboost.DMatrix(x)

    def right(**options):
        return booster.predict(matrix, iteration_range=rounds, **options).reshape(N, -1)

    assert np.array_equal(ev.leaves(x)["output"], right(pred_leaf=True))
    assert np.array_equal(ev(x, logits=True)["output"], right(output_margin=True))
    bits = [a.view(np.int32).astype(int) for a in (ev(x)["output"], np.ascontiguousarray(right()))]
    assert np.abs(bits[0] - bits[1]).max() <= 2


@pytest.mark.parametrize("suffix", [".json", ".ubj"])
def test_model_files(suffix, data, tmp_path, capsys):
    model = fit("binary", data)
    model.save_model(tmp_path / f"model{suffix}")
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(tmp_path / f"model{suffix}"), "-o", str(tmp_path / "net.json")])
    assert stopped.value.code == 0, capsys.readouterr().err
    right = model.predict(data[0], output_margin=True)
    assert np.array_equal(hepml.Evaluator(tmp_path / "net.json")(data[0], logits=True)["output"][:, 0], right)


def test_refusals(data, tmp_path):
    x, score = data
    y = (score > 0).astype(int)
    train = xgboost.DMatrix(x, y)
    linear = xgboost.train({"booster": "gblinear"}, xgboost.DMatrix(np.nan_to_num(x), y), 2)
    cases = {
        "'gblinear'": linear,
        "'binary:hinge'": xgboost.train({"objective": "binary:hinge"}, train, 2),
        "missing=-999": xgboost.XGBClassifier(n_estimators=2, missing=-999.0).fit(np.nan_to_num(x), y),
        "not fitted": xgboost.XGBClassifier(),
        "categorical splits": xgboost.train(
            {"max_cat_to_onehot": 1},
            xgboost.DMatrix(np.abs(x), y, feature_types=["q", "q", "q", "c"], enable_categorical=True),
            3,
        ),
    }
    for words, model in cases.items():
        with pytest.raises(hepml.HepmlError) as refused:
            hepml.export_model(model, tmp_path / "net.json")
        assert words in str(refused.value)
    (tmp_path / "bad.json").write_text('{"a": 1}')
    with pytest.raises(hepml.HepmlError, match="XGBoost cannot load"):
        load_booster(tmp_path / "bad.json")
    with pytest.raises(hepml.HepmlError, match="no such file"):
        load_booster(tmp_path / "absent.ubj")
