"""Which reader takes which estimator: by its exact class, so that a class of somebody's own is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hepml.errors import DataError, UnsupportedLayerError, nearest
from hepml.export.estimators.boosters import read_booster
from hepml.export.estimators.common import fitted
from hepml.export.estimators.ensemble import Reading
from hepml.export.estimators.forests import read_boosting, read_forest, read_tree
from hepml.export.estimators.histogram import read_histogram_boosting
from hepml.export.estimators.linear import read_linear_regression, read_logistic_regression, read_perceptron
from hepml.export.estimators.pipelines import behind_scalers, steps_of

__all__ = ["SUPPORTED", "is_estimator", "read_estimator"]

_SKLEARN: dict[str, Callable[[Any], Reading]] = {
    "DecisionTreeClassifier": read_tree,
    "DecisionTreeRegressor": read_tree,
    "ExtraTreeClassifier": read_tree,
    "ExtraTreeRegressor": read_tree,
    "RandomForestClassifier": read_forest,
    "RandomForestRegressor": read_forest,
    "ExtraTreesClassifier": read_forest,
    "ExtraTreesRegressor": read_forest,
    "GradientBoostingClassifier": read_boosting,
    "GradientBoostingRegressor": read_boosting,
    "HistGradientBoostingClassifier": read_histogram_boosting,
    "HistGradientBoostingRegressor": read_histogram_boosting,
    "LogisticRegression": read_logistic_regression,
    "LinearRegression": read_linear_regression,
    "Ridge": read_linear_regression,
    "MLPClassifier": read_perceptron,
    "MLPRegressor": read_perceptron,
}
_XGBOOST = ("Booster", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker")
SUPPORTED = (*_SKLEARN, *_XGBOOST, "Pipeline")


def _library(model: Any) -> str:
    return type(model).__module__.split(".")[0]


def is_estimator(model: Any) -> bool:
    """Whether a model is one of scikit-learn's or XGBoost's, or looks like one, rather than Keras'."""
    return _library(model) in ("sklearn", "xgboost") or (
        hasattr(model, "fit") and hasattr(model, "get_params") and not hasattr(model, "layers")
    )


def read_estimator(model: Any) -> Reading:
    """A fitted estimator, pipeline or Booster, read.

    Raises:
        UnsupportedLayerError: a class, step or setting that cannot be reproduced exactly.
        DataError: not fitted.
    """
    name, library = type(model).__name__, _library(model)
    if library == "sklearn" and name == "Pipeline":
        steps = steps_of(model)
        if not steps:
            raise DataError("a pipeline without an estimator", expected="scalers, then an estimator", found="no steps")
        return behind_scalers(read_estimator(steps[-1]), steps[:-1])
    if library == "xgboost" and name in _XGBOOST:
        return read_booster(model)
    if library != "sklearn" or name not in _SKLEARN:
        raise UnsupportedLayerError(
            f"{name} cannot be exported",
            expected="a Keras model, or one of " + ", ".join(SUPPORTED),
            found=f"{type(model).__module__}.{name}",
            nearest=[] if name in SUPPORTED else nearest(name, SUPPORTED),
        )
    fitted(model)
    return _SKLEARN[name](model)
