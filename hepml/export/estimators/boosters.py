"""XGBoost: from a Booster, an estimator, or its model file (.json, .ubj), which XGBoost itself reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, InputFileError, MissingExtraError, UnsupportedLayerError, nearest
from hepml.export.estimators.common import refuse_argument
from hepml.export.estimators.ensemble import Answers, Ensemble, Reading, Tree

__all__ = ["load_booster", "read_booster"]

# objective -> link of the output, link of base_score
_OBJECTIVES = {
    "binary:logistic": ("sigmoid", "sigmoid"),
    "binary:logitraw": ("identity", "identity"),
    "reg:logistic": ("sigmoid", "sigmoid"),
    "multi:softprob": ("softmax", "identity"),
    "reg:squarederror": ("identity", "identity"),
    "reg:squaredlogerror": ("identity", "identity"),
    "reg:absoluteerror": ("identity", "identity"),
    "reg:pseudohubererror": ("identity", "identity"),
    "reg:quantileerror": ("identity", "identity"),
    "rank:pairwise": ("identity", "identity"),
    "rank:ndcg": ("identity", "identity"),
    "rank:map": ("identity", "identity"),
    "count:poisson": ("exp", "exp"),
    "reg:gamma": ("exp", "exp"),
    "reg:tweedie": ("exp", "exp"),
}


def load_booster(path: str | Path) -> Any:
    """The Booster in a model file of XGBoost.

    Raises:
        MissingExtraError: XGBoost is not installed; it reads the file, and is what the export is verified against.
        InputFileError: absent, or not a model of XGBoost.
    """
    try:
        import xgboost
    except ImportError as error:
        raise MissingExtraError(
            "XGBoost is not installed", where=path, fix="pip install 'hepml[xgboost]' (or xgboost-cpu, or xgboost)"
        ) from error
    if not Path(path).is_file():
        raise InputFileError("no such file", where=path, expected="a model file of XGBoost, .json or .ubj")
    booster = xgboost.Booster()
    try:
        booster.load_model(str(path))
    except (xgboost.core.XGBoostError, ValueError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputFileError(
            "XGBoost cannot load the model",
            where=path,
            expected="what Booster.save_model wrote as .json or .ubj",
            found=" ".join(lines[:1])[:300],
        ) from error
    return booster


def _booster_of(model: Any) -> tuple[Any, tuple[int, int]]:
    """The Booster of an estimator and the rounds that it predicts with; (0, 0) is all of them."""
    import xgboost

    if isinstance(model, xgboost.Booster):
        return model, (0, 0)
    if not hasattr(model, "_Booster"):
        raise DataError(f"{type(model).__name__} is not fitted", expected="a fitted estimator", fix="call fit before")
    if not np.isnan(model.missing):
        raise refuse_argument(model, "missing", model.missing, "nan")
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    return booster, (0, 0) if best is None else (0, int(best) + 1)


def read_booster(model: Any) -> Reading:
    """Trees and float32 sums of XGBoost: boosters gbtree and dart."""
    import xgboost

    booster, rounds = _booster_of(model)
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective not in _OBJECTIVES:
        raise UnsupportedLayerError(
            f"the objective {objective!r} of XGBoost cannot be exported",
            where="XGBoost model, learner.objective.name",
            expected=", ".join(_OBJECTIVES),
            found=objective,
            nearest=nearest(objective, _OBJECTIVES),
        )
    parameters = learner["learner_model_param"]
    n_features = int(parameters["num_feature"])
    n_outputs = max(1, int(parameters["num_class"])) * max(1, int(parameters.get("num_target", 1)))
    link, base_link = _OBJECTIVES[objective]
    trees = _trees(learner["gradient_booster"], rounds)
    names = tuple(booster.feature_names) if booster.feature_names else None

    def judge(x: NDArray[np.float64]) -> Answers:
        matrix = xgboost.DMatrix(
            x.astype(np.float32), feature_names=booster.feature_names, feature_types=booster.feature_types
        )

        def predict(**options: bool) -> NDArray[np.float32]:
            return np.asarray(booster.predict(matrix, iteration_range=rounds, **options)).reshape(len(x), -1)

        return Answers(predict(output_margin=True), predict(), predict(pred_leaf=True).astype(np.int64))

    base = _base(parameters["base_score"], base_link, n_outputs)
    ensemble = Ensemble(trees, base, "less", "float32", link=link, missing=True)
    labels = _labels(model, objective, n_outputs)
    return Reading(type(model).__name__, f"xgboost {xgboost.__version__}", n_features, names, ensemble, judge, labels)


def _labels(model: Any, objective: str, n_outputs: int) -> tuple[str, ...]:
    if n_outputs == 1:
        return ("signal",) if objective.startswith("binary:") else ("prediction",)
    classes = getattr(model, "classes_", None)
    if classes is not None and len(classes) == n_outputs:
        return tuple(str(one) for one in classes)
    return tuple(f"out_{k}" for k in range(n_outputs))


def _base(text: Any, link: str, n_outputs: int) -> NDArray[np.float64]:
    """The initial margins: a text with one number, or a list of them, is what the objective's link gives."""
    scores = np.atleast_1d(np.asarray(json.loads(text) if isinstance(text, str) else text, np.float32))
    one = np.float32(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if link == "sigmoid":
            scores = -_log(one / scores - one)
        elif link == "exp":
            scores = _log(scores)
    return np.broadcast_to(scores.astype(np.float64), (n_outputs,)).copy()


def _log(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounded correctly, as the C library's; NumPy's own of float32 may be a few units off."""
    return np.log(values.astype(np.float64)).astype(np.float32)


def _trees(gradient_booster: dict[str, Any], rounds: tuple[int, int]) -> list[Tree]:
    kind = gradient_booster["name"]
    if kind not in ("gbtree", "dart"):
        raise UnsupportedLayerError(
            f"the booster {kind!r} of XGBoost cannot be exported",
            where="XGBoost model, learner.gradient_booster.name",
            expected="gbtree or dart",
            found=kind,
        )
    model = (gradient_booster["gbtree"] if kind == "dart" else gradient_booster)["model"]
    weights = np.asarray(gradient_booster["weight_drop"] if kind == "dart" else [], np.float32)
    last = model["iteration_indptr"][rounds[1]] if rounds[1] else len(model["trees"])
    return [
        _tree(tree, int(output), weights[k] if kind == "dart" else None)
        for k, (tree, output) in enumerate(zip(model["trees"][:last], model["tree_info"][:last], strict=True))
    ]


def _tree(tree: dict[str, Any], output: int, weight: np.float32 | None) -> Tree:
    if np.any(np.asarray(tree["split_type"])):
        raise UnsupportedLayerError(
            "categorical splits of XGBoost cannot be exported",
            where=f"XGBoost model, tree {tree['id']}",
            expected="numerical splits",
            found="split_type 1",
            fix="encode the categories as numbers, without enable_categorical",
        )
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise UnsupportedLayerError(
            "trees of XGBoost with a vector in each leaf cannot be exported",
            where=f"XGBoost model, tree {tree['id']}",
            expected="multi_strategy='one_output_per_tree'",
            found="multi_output_tree",
        )
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    condition = np.asarray(tree["split_conditions"], np.float32)  # of a leaf: its value
    value = condition if weight is None else condition * weight
    feature = np.where(left < 0, -1, tree["split_indices"])
    return Tree(feature, condition, left, right, np.asarray(tree["default_left"]), value, output).cleared()
