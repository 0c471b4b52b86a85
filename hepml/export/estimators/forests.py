"""scikit-learn's decision trees, forests and gradient boosting."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.estimators.common import class_labels, columns, feature_names, knows_missing, refuse_argument
from hepml.export.estimators.ensemble import Answers, Ensemble, Reading, Tree

__all__ = ["read_boosting", "read_forest", "read_tree"]

Array = NDArray[Any]


def _library() -> str:
    import sklearn

    return f"scikit-learn {sklearn.__version__}"


def _tree(grown: Any, value: Array, output: int = 0) -> Tree:
    leaf = grown.children_left < 0
    left = getattr(grown, "missing_go_to_left", np.zeros(len(leaf), bool))
    feature = np.where(leaf, -1, grown.feature)
    return Tree(feature, grown.threshold, grown.children_left, grown.children_right, left, value, output).cleared()


def _is_classifier(model: Any) -> bool:
    from sklearn.base import is_classifier

    return bool(is_classifier(model))


def _values(model: Any, grown: Any) -> Array:
    """(nodes,) or (nodes, classes): predictions, or fractions of the classes."""
    return columns(grown.value[:, 0, :]) if _is_classifier(model) else grown.value[:, 0, :]


def _read_average(model: Any, members: list[Any]) -> Reading:
    if model.n_outputs_ != 1:
        raise refuse_argument(model, "n_outputs_", model.n_outputs_, 1)
    alone = copy.copy(model)
    if hasattr(alone, "n_jobs"):
        alone.n_jobs = None  # threads would add the trees in any order
    labels = class_labels(model) if _is_classifier(model) else ("prediction",)

    def judge(x: NDArray[np.float64]) -> Answers:
        found = columns(alone.predict_proba(x)) if _is_classifier(model) else alone.predict(x).reshape(-1, 1)
        return Answers(found, found, alone.apply(x).reshape(len(x), -1))

    trees = []
    for member in members:
        value = _values(model, member.tree_)
        trees.append(_tree(member.tree_, value[:, 0] if value.shape[1] == 1 else value))
    ensemble = Ensemble(
        trees,
        np.zeros(len(labels)),
        divisor=float(len(members)),
        missing=knows_missing(alone.predict, model.n_features_in_),
    )
    return Reading(
        type(model).__name__, _library(), model.n_features_in_, feature_names(model), ensemble, judge, labels
    )


def read_tree(model: Any) -> Reading:
    """DecisionTree and ExtraTree."""
    return _read_average(model, [model])


def read_forest(model: Any) -> Reading:
    """RandomForest and ExtraTrees: the average of the trees."""
    return _read_average(model, list(model.estimators_))


_CONSTANTS = ("prior", "mean", "median", "quantile", "constant", "most_frequent")


def read_boosting(model: Any) -> Reading:
    """GradientBoosting: the initial constant, then learning_rate * tree, in float64."""
    start = model.init_
    constant = isinstance(start, str) or getattr(start, "strategy", None) in _CONSTANTS
    if not constant or not (isinstance(start, str) or type(start).__module__ == "sklearn.dummy"):
        raise refuse_argument(model, "init", type(start).__name__, "None, 'zero' or a constant")
    classifier = _is_classifier(model)
    labels = class_labels(model) if classifier else ("prediction",)
    links = {1: "sigmoid"} if classifier else {1: "identity"}
    base = np.asarray(model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32)), np.float64)[0]

    def judge(x: NDArray[np.float64]) -> Answers:
        margins = (model.decision_function(x) if classifier else model.predict(x)).reshape(len(x), -1)
        outputs = columns(model.predict_proba(x)) if classifier else margins
        return Answers(margins, outputs, model.apply(x).reshape(len(x), -1))

    trees = [
        _tree(member.tree_, model.learning_rate * member.tree_.value[:, 0, 0], k)
        for stage in model.estimators_
        for k, member in enumerate(stage)
    ]
    ensemble = Ensemble(
        trees,
        base,
        link=links.get(len(labels), "softmax"),
        factor=2.0 if classifier and model.loss == "exponential" else 1.0,
        missing=knows_missing(model.predict, model.n_features_in_),
    )
    return Reading(
        type(model).__name__, _library(), model.n_features_in_, feature_names(model), ensemble, judge, labels
    )
