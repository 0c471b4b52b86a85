"""scikit-learn's HistGradientBoosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.export.estimators.common import class_labels, columns, feature_names, refuse_argument
from hepml.export.estimators.ensemble import Answers, Ensemble, Reading, Tree

__all__ = ["read_histogram_boosting"]

_LOG_LINKS = ("poisson", "gamma")


def _tree(nodes: Any, output: int) -> Tree:
    feature = np.where(nodes["is_leaf"], -1, nodes["feature_idx"].astype(np.int64))
    return Tree(
        feature,
        nodes["num_threshold"],
        nodes["left"],
        nodes["right"],
        nodes["missing_go_to_left"],
        nodes["value"],
        output,
    ).cleared()


def read_histogram_boosting(model: Any) -> Reading:
    """The baseline, then the trees, in float64; compares float64 values. It has no access to leaves."""
    import sklearn
    from sklearn.base import is_classifier

    if getattr(model, "is_categorical_", None) is not None and np.any(model.is_categorical_):
        raise UnsupportedLayerError(
            "categorical splits of HistGradientBoosting cannot be exported",
            where=f"{type(model).__name__}, argument 'categorical_features'",
            expected="numbers only",
            found=f"{int(np.sum(model.is_categorical_))} categorical features",
            fix="encode the categories as numbers and fit with categorical_features=None",
        )
    classifier = bool(is_classifier(model))
    labels = class_labels(model) if classifier else ("prediction",)
    if not classifier and model.loss not in ("squared_error", "absolute_error", "quantile", *_LOG_LINKS):
        raise refuse_argument(model, "loss", model.loss, "squared_error, absolute_error, quantile, poisson or gamma")
    if classifier:
        link = "sigmoid" if len(labels) == 1 else "softmax"
    else:
        link = "exp" if model.loss in _LOG_LINKS else "identity"

    def judge(x: NDArray[np.float64]) -> Answers:
        margins = np.asarray(model._raw_predict(x)).reshape(len(x), -1)
        outputs = columns(model.predict_proba(x)) if classifier else model.predict(x).reshape(-1, 1)
        return Answers(margins, outputs)

    trees = [_tree(member.nodes, k) for stage in model._predictors for k, member in enumerate(stage)]
    base = np.asarray(model._baseline_prediction, np.float64).ravel()
    ensemble = Ensemble(trees, base, link=link, missing=True)
    library = f"scikit-learn {sklearn.__version__}"
    return Reading(
        type(model).__name__, library, model.n_features_in_, feature_names(model), ensemble, judge, labels, True
    )
