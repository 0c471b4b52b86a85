"""Trees of scikit-learn and XGBoost as BDT files.

Boosted trees become BoostType=Grad: TMVA answers 2 / (1 + exp(-2 F)) - 1 with F the sum of the leaves, so the leaves of
a margin m are halved, and the probability is (answer + 1) / 2. Averages become BoostType=Bagging, AdaBoost stays it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export.estimators.common import class_labels, fitted
from hepml.export.estimators.ensemble import Ensemble, Reading, Tree
from hepml.export.estimators.pipelines import steps_of
from hepml.export.estimators.reading import read_estimator
from tmva_bridge.models.model import Written
from tmva_bridge.options import Scalar
from tmva_bridge.writing.trees import Grown, cut_at, forest

__all__ = ["written_estimator"]

Array = NDArray[np.float64]


def written_estimator(model: Any, without_missing: bool) -> Written:
    """What the file of a fitted estimator, pipeline or Booster says.

    Raises:
        UnsupportedLayerError: what TMVA's trees cannot express, with the reason.
        DataError: not fitted.
    """
    if type(model).__name__ == "AdaBoostClassifier" and type(model).__module__.startswith("sklearn."):
        return _adaboost(model, without_missing)
    reading = read_estimator(model)
    if reading.ensemble is None:
        from tmva_bridge.models.networks import written_layers

        return written_layers(reading)
    reading.ensemble.check(reading.name)
    if not without_missing:
        _check_missing(model, reading)
    return _of_ensemble(reading, reading.ensemble)


def _refuse(name: str, problem: str, expected: str, fix: str | None = None) -> UnsupportedLayerError:
    return UnsupportedLayerError(f"{name} cannot be written for TMVA: {problem}", expected=expected, fix=fix)


def _check_missing(model: Any, reading: Reading) -> None:
    """Refuses trees that have learned where missing values go: TMVA answers -999 for an event with NaN."""
    while type(model).__name__ == "Pipeline":
        model = steps_of(model)[-1]
    ensemble = reading.ensemble
    if ensemble is None or not ensemble.missing:
        return
    if reading.library.startswith("xgboost"):  # without missing values, it is the same side everywhere
        sides = [tree.missing_left[tree.feature >= 0] for tree in ensemble.trees]
        learned = len(np.unique(np.concatenate(sides))) > 1
    else:
        learned = _unlike_majority(model)
    if learned:
        raise _refuse(
            reading.name,
            "its trees have learned where missing values (NaN) go, and TMVA's have no such branch",
            "trees fitted without missing values",
            "fit without NaN, or give without_missing=True if no event will have one: TMVA answers -999 for those",
        )


def _unlike_majority(model: Any) -> bool:
    """scikit-learn: without missing values in the training, a NaN would go where more events went, at each node."""
    if hasattr(model, "_predictors"):
        nodes = [member.nodes for stage in model._predictors for member in stage]
        inner = [
            (one["left"], one["right"], one["count"], one["missing_go_to_left"], one["is_leaf"] == 0) for one in nodes
        ]
    else:
        grown = [member.tree_ for member in getattr(model, "estimators_", [model])]
        inner = [
            (one.children_left, one.children_right, one.n_node_samples, one.missing_go_to_left, one.children_left >= 0)
            for one in grown
        ]
    return any(
        bool(((count[left[mask]] > count[right[mask]]) != missing[mask].astype(bool)).any())
        for left, right, count, missing, mask in inner
    )


def _grown(tree: Tree, strict: bool, response: Array | None, purity: Array | None = None) -> Grown:
    nodes = len(tree.feature)
    shares = np.full(nodes, 0.5) if purity is None else purity
    kind = np.full(nodes, -99) if response is not None else np.where(shares > 0.5, 1, -1)
    cuts = cut_at(np.asarray(tree.threshold, np.float64), strict)
    return Grown(
        tree.feature, cuts, tree.left, tree.right, response, shares, kind.astype(np.int64), np.ones(nodes, bool)
    )


def _of_ensemble(reading: Reading, ensemble: Ensemble) -> Written:
    strict = ensemble.comparison == "less"
    if ensemble.link == "exp":
        raise _refuse(reading.name, "its answer is an exponential of the sum", "a squared, absolute or logistic loss")
    classifier = reading.labels != ("prediction",)
    if ensemble.link == "softmax":
        return _multiclass(reading, ensemble, strict)
    several = max(len(ensemble.base), ensemble.trees[0].value.reshape(len(ensemble.trees[0].feature), -1).shape[1]) > 1
    if several:
        raise _refuse(reading.name, "TMVA averages no trees of several classes", "boosted trees, or two classes")
    if classifier and ensemble.link == "identity" and not reading.library.startswith("xgboost"):
        trees = [_grown(tree, strict, None, np.asarray(tree.value, np.float64).ravel()) for tree in ensemble.trees]
        return _written(reading, trees, _SHARES)
    if ensemble.divisor != 1 and not ensemble.base.any():
        trees = [_grown(tree, strict, np.asarray(tree.value, np.float64).ravel()) for tree in ensemble.trees]
        return _written(reading, trees, _MEAN)
    if ensemble.link == "sigmoid" or reading.labels == ("signal",):
        half = ensemble.factor / 2
        responses = [np.asarray(tree.value, np.float64) * half / ensemble.divisor for tree in ensemble.trees]
        trees = [
            _grown(tree, strict, values + (float(ensemble.base[0]) * half if i == 0 else 0.0))
            for i, (tree, values) in enumerate(zip(ensemble.trees, responses, strict=True))
        ]
        return _written(reading, trees, _LOGISTIC if ensemble.link == "sigmoid" else _RAW)
    trees = [_grown(tree, strict, np.asarray(tree.value, np.float64) / ensemble.divisor) for tree in ensemble.trees]
    weights = [float(ensemble.base[0]), *([1.0] * (len(trees) - 1))]
    return _written(reading, trees, _SUM, weights)


def _multiclass(reading: Reading, ensemble: Ensemble, strict: bool) -> Written:
    """Tree t belongs to class t mod K; classes with fewer trees get empty ones."""
    outputs = len(ensemble.base)
    if ensemble.factor != 1 or ensemble.trees[0].value.ndim > 1 or ensemble.divisor != 1:
        raise _refuse(reading.name, "TMVA averages no trees of several classes", "boosted trees, or two classes")
    by_class: list[list[Grown]] = [[] for _ in range(outputs)]
    for tree in ensemble.trees:
        first = float(ensemble.base[tree.output]) if not by_class[tree.output] else 0.0
        by_class[tree.output].append(_grown(tree, strict, np.asarray(tree.value, np.float64) + first))
    rounds = max(len(one) for one in by_class)
    for k, one in enumerate(by_class):
        one += [_constant(float(ensemble.base[k]) if not one and i == 0 else 0.0) for i in range(rounds - len(one))]
    trees = [by_class[k][i] for i in range(rounds) for k in range(outputs)]
    return _written(reading, trees, _SUMS)


def _constant(value: float) -> Grown:
    none = np.zeros(1, np.int64)
    return Grown(
        none - 1, np.zeros(1, np.float32), none, none, np.full(1, value), np.full(1, 0.5), none - 99, np.ones(1, bool)
    )


def _same(answer: Array) -> Array:
    return answer


def _probability(answer: Array) -> Array:
    return (answer + 1) / 2


def _margin(answer: Array) -> Array:
    """log(p / (1 - p)) of the probability p that the answer stands for."""
    with np.errstate(divide="ignore"):
        out: Array = np.log1p(answer) - np.log1p(-answer)
    return out


@dataclass(frozen=True)
class _Form:
    """What trees are for TMVA: analysis, options, and what its answer means to the model's library."""

    analysis: str
    options: dict[str, Scalar]
    meaning: Callable[[Array], Array]


_OF_REGRESSION: dict[str, Scalar] = {"UseYesNoLeaf": False, "SeparationType": "RegressionVariance"}
_SHARES = _Form("Classification", {"BoostType": "Bagging", "UseYesNoLeaf": False}, _same)
_MEAN = _Form("Regression", {"BoostType": "Bagging", **_OF_REGRESSION}, _same)
_LOGISTIC = _Form("Classification", {"BoostType": "Grad"}, _probability)
_RAW = _Form("Classification", {"BoostType": "Grad"}, _margin)
_SUM = _Form("Regression", {"BoostType": "Grad", **_OF_REGRESSION}, _same)
_SUMS = _Form("Multiclass", {"BoostType": "Grad"}, _same)


def _written(reading: Reading, trees: list[Grown], form: _Form, weights: list[float] | None = None) -> Written:
    def judge(x: Array) -> Array:
        found = np.asarray(reading.judge(x).outputs, np.float64)
        return found if form is _SUMS else found[:, 0]

    return Written(
        name=reading.name,
        kind="BDT",
        analysis=form.analysis,
        weights=forest(trees, weights or [1.0] * len(trees), reading.name),
        options={"NTrees": len(trees), **form.options},
        inputs=reading.n_features,
        variables=reading.variables,
        classes=reading.labels if form is _SUMS else None,
        judge=judge,
        meaning=form.meaning,
        edges=_edges(trees, reading.n_features),
        outputs=len(reading.labels),
    )


def _edges(trees: list[Grown], count: int) -> list[NDArray[np.float32]]:
    """For each variable, its cuts: where the answer jumps."""
    features = np.concatenate([tree.feature for tree in trees])
    cuts = np.concatenate([tree.cut for tree in trees])
    return [np.unique(cuts[(features == k) & np.isfinite(cuts)]) for k in range(count)]


def _adaboost(model: Any, without_missing: bool) -> Written:
    """Votes of +1 and -1, weighted: the answer is decision_function."""
    fitted(model)
    if len(class_labels(model)) > 1:
        raise _refuse("AdaBoostClassifier", "TMVA's AdaBoost separates two classes", "two classes")
    readings = [read_estimator(member) for member in model.estimators_]
    if not without_missing:
        _check_missing(model, readings[0])
    trees = []
    for reading in readings:
        ensemble = reading.ensemble
        if ensemble is None or not reading.name.startswith(("DecisionTree", "ExtraTree")):
            raise _refuse("AdaBoostClassifier", f"its members are {reading.name}", "decision trees")
        trees.append(_grown(ensemble.trees[0], False, None, np.asarray(ensemble.trees[0].value, np.float64).ravel()))
    weights = np.asarray(model.estimator_weights_[: len(trees)], np.float64)
    if not (weights > 0).all():
        raise DataError("AdaBoostClassifier has members of no weight", expected="positive weights", found=weights.min())
    reading = readings[0]
    return Written(
        name="AdaBoostClassifier",
        kind="BDT",
        analysis="Classification",
        weights=forest(trees, weights.tolist(), "AdaBoostClassifier"),
        options={"NTrees": len(trees), "BoostType": "AdaBoost", "UseYesNoLeaf": True},
        inputs=reading.n_features,
        variables=tuple(model.feature_names_in_) if hasattr(model, "feature_names_in_") else None,
        classes=None,
        judge=lambda x: np.asarray(model.decision_function(x), np.float64).ravel(),
        meaning=lambda answer: 2 * answer,
        edges=_edges(trees, reading.n_features),
    )
