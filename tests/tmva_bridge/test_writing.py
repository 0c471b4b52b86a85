"""Models as weight files: read back, they give the model's own numbers, at cuts too; what TMVA lacks is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost
from sklearn import ensemble, linear_model, neural_network, pipeline, preprocessing, tree

from hepml.errors import DataError, HepmlError, OutputError, UnsupportedLayerError, VerificationError
from tmva_bridge import fit_transforms, read_weights, write_weights
from tmva_bridge.writing.trees import cut_at
from tmva_bridge.xmlfile import parse_xml, read_bytes

RNG = np.random.default_rng(5)
X = RNG.normal(size=(600, 3)).astype(np.float32)
SCORE = X[:, 0] + X[:, 1] ** 2 + RNG.normal(size=600)
TWO, THREE, TARGET = (SCORE > 0.5).astype(int), np.digitize(SCORE, [0, 1.5]), 100 + 50 * SCORE
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)


def stumps() -> tree.DecisionTreeClassifier:
    return tree.DecisionTreeClassifier(max_depth=2, random_state=1)


# name -> model, labels, what TMVA's answer is to the model's
MODELS = {
    "tree": (tree.DecisionTreeClassifier(random_state=1), TWO, "probability"),
    "tree, regression": (tree.DecisionTreeRegressor(max_depth=6, random_state=1), TARGET, "prediction"),
    "forest": (ensemble.RandomForestClassifier(8, random_state=1), TWO, "probability"),
    "forest of one": (ensemble.RandomForestClassifier(1, random_state=1), TWO, "probability"),
    "forest, regression": (ensemble.RandomForestRegressor(8, random_state=1), TARGET, "prediction"),
    "extra trees": (ensemble.ExtraTreesClassifier(8, random_state=1), TWO, "probability"),
    "boosting": (ensemble.GradientBoostingClassifier(n_estimators=15, random_state=1), TWO, "logistic"),
    "boosting, exponential": (
        ensemble.GradientBoostingClassifier(n_estimators=15, loss="exponential", random_state=1),
        TWO,
        "logistic",
    ),
    "boosting, classes": (ensemble.GradientBoostingClassifier(n_estimators=7, random_state=1), THREE, "probability"),
    "boosting, regression": (ensemble.GradientBoostingRegressor(n_estimators=15, random_state=1), TARGET, "prediction"),
    "histograms": (ensemble.HistGradientBoostingClassifier(max_iter=12), TWO, "logistic"),
    "histograms, classes": (ensemble.HistGradientBoostingClassifier(max_iter=5), THREE, "probability"),
    "histograms, regression": (ensemble.HistGradientBoostingRegressor(max_iter=12), TARGET, "prediction"),
    "AdaBoost": (ensemble.AdaBoostClassifier(stumps(), n_estimators=12), TWO, "decision"),
    "behind a scaler": (
        pipeline.make_pipeline(
            preprocessing.StandardScaler(), ensemble.GradientBoostingClassifier(n_estimators=9, random_state=1)
        ),
        TWO,
        "logistic",
    ),
    "XGBoost": (xgboost.XGBClassifier(n_estimators=12, max_depth=4), TWO, "logistic"),
    "XGBoost, classes": (
        xgboost.XGBClassifier(n_estimators=5, num_parallel_tree=2, subsample=0.5),
        THREE,
        "probability",
    ),
    "XGBoost, regression": (xgboost.XGBRegressor(n_estimators=12), TARGET, "prediction"),
    "XGBoost, margin": (xgboost.XGBClassifier(n_estimators=12, objective="binary:logitraw"), TWO, "margin"),
    "XGBoost, dart": (xgboost.XGBClassifier(n_estimators=12, booster="dart", rate_drop=0.2), TWO, "logistic"),
    "logistic regression": (linear_model.LogisticRegression(), TWO, "probability"),
    "linear regression": (linear_model.LinearRegression(), TARGET, "prediction"),
    "perceptron": (neural_network.MLPClassifier((7, 4), max_iter=5000, random_state=1), TWO, "probability"),
    "perceptron, tanh": (
        neural_network.MLPClassifier((7,), activation="tanh", max_iter=5000, random_state=1),
        THREE,
        "probability",
    ),
}


def answer(model, kind: str, x: np.ndarray) -> np.ndarray:
    """What TMVA should answer."""
    if kind == "decision":
        return model.decision_function(x) / 2
    if kind == "margin":
        return np.tanh(model.predict(x, output_margin=True) / 2)
    if kind == "prediction":
        return model.predict(x)
    found = model.predict_proba(x)
    one = found[:, 1] if found.shape[1] == 2 else found
    return 2 * one - 1 if kind == "logistic" else one


def at_cuts(path: Path, count: int = 3) -> np.ndarray:
    """Events that lie exactly at the cuts of a file, and beside them."""
    cuts: list[list[float]] = [[] for _ in range(count)]
    waiting = [parse_xml(read_bytes(path), "file")]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if node.name == "Node" and node.get("nType") == "0":
            cuts[node.whole("IVar")].append(node.real("Cut"))
    rng = np.random.default_rng(2)
    columns = []
    for one in cuts:
        edges = np.array(one or [0.0], np.float32)
        near = np.concatenate([edges, np.nextafter(edges, np.float32(9e9)), np.nextafter(edges, np.float32(-9e9))])
        columns.append(rng.choice(near, 500))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("name", MODELS)
def test_estimators(name: str, tmp_path: Path) -> None:
    model, labels, kind = MODELS[name]
    model.fit(X, labels)
    path = tmp_path / "TMVA_A.weights.xml"
    written = write_weights(model, path, variables=["a", "sum := b+c", "c"])
    method = read_weights(path)
    assert (method.title, method.variables, method.expressions) == ("A", ("a", "sum", "c"), ("a", "b+c", "c"))
    assert method.analysis == (
        "Regression" if labels is TARGET else "Multiclass" if labels is THREE else "Classification"
    )
    events = np.concatenate([X, at_cuts(path)]) if method.kind == "BDT" else X
    expected = answer(model, kind, events.astype(np.float64))  # scalers of float32 would round in float32
    np.testing.assert_allclose(method.evaluate(events), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(method.evaluate(events), written.evaluate(events))


def test_a_booster_with_names_of_its_own(tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(X, TWO, feature_names=["pt", "eta", "phi"])
    booster = xgboost.train({"objective": "binary:logistic"}, matrix, 5)
    method = write_weights(booster, tmp_path / "TMVA_X.weights.xml")
    assert method.variables == ("pt", "eta", "phi")
    np.testing.assert_allclose((method.evaluate(X) + 1) / 2, booster.predict(matrix), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("strict", "at"), [(True, 0.5), (False, 0.5), (True, 0.1), (False, 0.1), (False, 0.0), (True, 0.0)]
)
def test_cuts_are_exact_in_float32(strict: bool, at: float) -> None:
    cut = cut_at(np.array([at]), strict)[0]
    near = np.float32(at)
    for x in (near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))):
        assert (x < cut) == ((float(x) < at) if strict else (float(x) <= at))


def test_cuts_beyond_all_numbers() -> None:
    assert np.isinf(cut_at(np.array([1e300]), True)[0])
    assert cut_at(np.array([-1e300]), False)[0] == np.finfo(np.float32).min


REFUSED = {
    "forest of classes": (ensemble.RandomForestClassifier(3), X, THREE, "averages no trees of several classes"),
    "AdaBoost of classes": (ensemble.AdaBoostClassifier(), X, THREE, "separates two classes"),
    "exponential": (xgboost.XGBRegressor(n_estimators=3, objective="count:poisson"), X, SCORE**2, "an exponential"),
    "missing, XGBoost": (xgboost.XGBClassifier(n_estimators=9), HOLES, TWO, "where missing values"),
    "missing, histograms": (ensemble.HistGradientBoostingClassifier(max_iter=9), HOLES, TWO, "where missing values"),
    "missing, forest": (ensemble.RandomForestClassifier(5), HOLES, TWO, "where missing values"),
    "missing, AdaBoost": (ensemble.AdaBoostRegressor(), X, TARGET, "AdaBoostRegressor cannot be exported"),
    "categories": (
        ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
        np.abs(np.rint(X)),
        TWO,
        "categorical splits",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_estimators_that_are_refused(name: str, tmp_path: Path) -> None:
    model, x, labels, message = REFUSED[name]
    with pytest.raises(UnsupportedLayerError, match=message):
        write_weights(model.fit(x, labels), tmp_path / "a.xml")
    assert list(tmp_path.iterdir()) == []


def test_missing_values_may_be_given_up(tmp_path: Path) -> None:
    model = xgboost.XGBClassifier(n_estimators=9).fit(HOLES, TWO)
    method = write_weights(model, tmp_path / "a.xml", without_missing=True)
    np.testing.assert_allclose((method.evaluate(X) + 1) / 2, model.predict_proba(X)[:, 1], rtol=0, atol=1e-6)
    assert method.evaluate(HOLES[np.isnan(HOLES).any(axis=1)][:1]).tolist() == [-999.0]


def network(*layers, inputs: int = 3):
    import keras

    keras.utils.set_random_seed(4)
    return keras.Sequential([keras.Input((inputs,)), *layers])


WIDE = (X * np.float32([1, 30, 0.1]) + np.float32([0, 200, -3])).astype(np.float32)


def networks() -> dict:
    from keras import layers

    scaled = layers.Normalization()
    scaled.adapt(WIDE)
    batch = layers.BatchNormalization()
    batch.build((None, 6))
    batch.set_weights([np.random.default_rng(1).uniform(0.5, 2, 6) for _ in range(4)])
    dense = layers.Dense
    return {
        "relu": [scaled, dense(6, "relu"), layers.Dropout(0.3), dense(4, "relu"), dense(1, "sigmoid")],
        "tanh": [scaled, dense(6, "tanh"), batch, dense(4, "sigmoid"), dense(2, "softmax")],
        "leaky": [scaled, dense(6), layers.LeakyReLU(negative_slope=0.2), dense(4, "relu"), dense(3), layers.Softmax()],
        "linear": [scaled, dense(6, "linear"), dense(4, "tanh"), dense(2)],
        "none": [scaled, layers.Rescaling(0.5, 0.1), dense(1, "sigmoid")],
        "open": [scaled, dense(5, "relu"), dense(1, "relu")],
    }


@pytest.mark.parametrize(
    ("name", "analysis", "neurons", "hidden"),
    [
        ("relu", "Classification", "ReLU", "6,4"),
        ("tanh", "Classification", "sigmoid", "6,4"),
        ("leaky", "Multiclass", "ReLU", "12,4"),
        ("linear", "Regression", "sigmoid", "4"),
        ("none", "Classification", "linear", "1"),
        ("open", "Regression", "ReLU", "5,1"),
    ],
)
def test_networks(name: str, analysis: str, neurons: str, hidden: str, tmp_path: Path) -> None:
    model = network(*networks()[name])
    method = write_weights(model, tmp_path / "TMVA_Net.weights.xml", sample=WIDE)
    assert (method.kind, method.analysis) == ("MLP", analysis)
    assert (method.options["NeuronType"], method.options["HiddenLayers"]) == (neurons, hidden)
    expected = model.predict(WIDE, verbose=0)
    found = method.evaluate(WIDE).reshape(len(WIDE), -1)
    expected = expected[:, :1] if analysis == "Classification" else expected
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_the_unit_of_the_signal_and_the_names(tmp_path: Path) -> None:
    from keras import layers

    model = network(layers.Dense(4, "relu"), layers.Dense(2, "softmax"))
    expected = model.predict(X, verbose=0)
    for signal in (0, 1):
        method = write_weights(model, tmp_path / f"{signal}.xml", signal=signal, classes=("Higgs", "QCD"), title="Net")
        assert (method.classes, method.title) == (("Higgs", "QCD"), "Net")
        np.testing.assert_allclose(method.evaluate(X), expected[:, signal], rtol=0, atol=1e-6)
    linear = network(layers.Dense(4, "relu"), layers.Dense(1))
    method = write_weights(linear, tmp_path / "c.xml", analysis="Classification")
    np.testing.assert_allclose(method.evaluate(X), linear.predict(X, verbose=0)[:, 0], rtol=0, atol=1e-5)


def test_networks_that_are_refused(tmp_path: Path) -> None:
    import keras
    from keras import layers

    dense = layers.Dense
    begin = keras.Input((3,))
    hidden = dense(3, "relu")(begin)
    refused = {
        "all hidden neurons of its MLP are of one kind": network(
            dense(3, "relu"), dense(3, "tanh"), dense(1, "sigmoid")
        ),
        "its MLP has no elu": network(dense(3, "elu"), dense(1, "sigmoid")),
        "3 outputs of sigmoid": network(dense(3, "relu"), dense(3, "sigmoid")),
        "softmax of one unit": network(dense(3, "relu"), dense(1, "softmax")),
        "cannot be written for TMVA": network(layers.LayerNormalization(), dense(1, "sigmoid")),
        "its layers are no chain": keras.Model(begin, dense(1, "sigmoid")(hidden + begin)),
        "a chain from one vector": keras.Sequential(
            [keras.Input((4, 1)), layers.Conv1D(2, 2), layers.Flatten(), dense(1)]
        ),
    }
    for message, model in refused.items():
        with pytest.raises(UnsupportedLayerError, match=message):
            write_weights(model, tmp_path / "a.xml")
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    from keras import layers

    scaled = layers.Normalization(mean=[1e6, 0, 0], variance=[1e-2, 1, 1])
    model = network(scaled, layers.Dense(3, "relu"), layers.Dense(1, "sigmoid"))
    near = np.float32([[1e6, 0, 0], [1e6 + 0.125, 1, 1], [1e6 - 0.0625, 0, 1]])
    with pytest.raises(VerificationError, match="does not give the numbers"):
        write_weights(model, tmp_path / "a.xml", sample=near)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("chain", ["N", "D", "P", "G,D", "I,N(a,c)+P"])
def test_models_behind_transformations(chain: str, tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    fitted = fit_transforms(chain, WIDE, 1 - TWO, variables=names)
    model = ensemble.GradientBoostingClassifier(n_estimators=9, random_state=1).fit(fitted.apply(WIDE), TWO)
    method = write_weights(model, tmp_path / "a.xml", variables=names, transforms=fitted)
    assert method.options["VarTransform"] == chain
    expected = model.predict_proba(fitted.apply(WIDE))[:, 1]
    different = np.abs((method.evaluate(WIDE) + 1) / 2 - expected) > 1e-6
    assert different.mean() <= 0.01  # P is written with 9 digits: an event at a cut may fall to its other side
    with pytest.raises(DataError, match="fitted to other variables"):
        write_weights(model, tmp_path / "b.xml", transforms=fitted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variables": ["a", "b"]}, "variables that are not as many"),
        ({"variables": ["a", "b", "a"]}, "a variable comes twice"),
        ({"classes": ["A", "B", "C"]}, "classes that do not fit"),
        ({"targets": ["t"]}, "targets are of a regression"),
        ({"analysis": "Regression"}, "is no Regression"),
        ({"analysis": "Nonsense"}, "unknown analysis"),
        ({"sample": np.zeros((4, 2))}, "a sample of another shape"),
        ({"signal": 2}, "no unit 2"),
    ],
)
def test_what_does_not_fit(options: dict, message: str, tmp_path: Path) -> None:
    model = tree.DecisionTreeClassifier(max_depth=2).fit(X, TWO)
    with pytest.raises(HepmlError, match=message):
        write_weights(model, tmp_path / "a.xml", **options)


def test_files_are_not_replaced_unasked(tmp_path: Path) -> None:
    model = tree.DecisionTreeClassifier(max_depth=2).fit(X, TWO)
    write_weights(model, tmp_path / "a.xml")
    with pytest.raises(OutputError, match="exists"):
        write_weights(model, tmp_path / "a.xml")
    write_weights(model, tmp_path / "a.xml", overwrite=True, title="B")
    assert read_weights(tmp_path / "a.xml").title == "B"


@pytest.mark.parametrize("kind", ["BDT", "MLP"])
def test_files_have_every_element_and_attribute_that_tmva_writes(kind: str, shared: Path, tmp_path: Path) -> None:
    model = (
        ensemble.GradientBoostingClassifier(n_estimators=3).fit(X, TWO)
        if kind == "BDT"
        else neural_network.MLPClassifier((4,), max_iter=5000).fit(X, TWO)
    )
    write_weights(model, tmp_path / "a.xml", spectators=["s"])
    name = "TMVA_BDTG" if kind == "BDT" else "TMVA_MLP"
    old = parse_xml(read_bytes(shared / "tmva" / "cls_tutorial" / "weights" / f"{name}.weights.xml"), "old")
    new = parse_xml(read_bytes(tmp_path / "a.xml"), "new")

    def forms(element) -> set:
        names = {(element.name, tuple(element.attributes), tuple(sorted({one.name for one in element.children})))}
        return names.union(*(forms(one) for one in element.children))

    assert forms(new) == forms(old)
    options = [[one.get("name") for one in root.child("Options").children] for root in (new, old)]
    assert options[0] == options[1]
    information = [[one.get("name") for one in root.child("GeneralInfo").children] for root in (new, old)]
    assert information[0] == information[1]
