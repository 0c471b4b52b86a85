"""scikit-learn's linear models and multi-layer perceptrons, as dense layers in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.estimators.common import class_labels, columns, feature_names, refuse_argument
from hepml.export.estimators.ensemble import Answers, Reading

__all__ = ["read_linear_regression", "read_logistic_regression", "read_perceptron"]

Array = NDArray[Any]
_ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "rectified",
    "softmax": "softmax",
}


def _dense(weights: Array, bias: Array, activation: str) -> dict[str, Any]:
    """weights (units, inputs)."""
    return {
        "architecture": "dense",
        "weights": np.asarray(weights, np.float32),
        "bias": np.broadcast_to(np.asarray(bias, np.float32), (len(weights),)),
        "activation": activation,
    }


def _reading(model: Any, layers: list[dict[str, Any]], judge: Any, labels: tuple[str, ...]) -> Reading:
    import sklearn

    library = f"scikit-learn {sklearn.__version__}"
    n_features = model.n_features_in_
    name = type(model).__name__
    return Reading(name, library, n_features, feature_names(model), None, judge, labels, layers=layers)


def read_logistic_regression(model: Any) -> Reading:
    """Binary: sigmoid. Multinomial: softmax."""
    labels = class_labels(model)
    if len(labels) > 1 and getattr(model, "multi_class", "auto") not in ("auto", "multinomial", "deprecated"):
        raise refuse_argument(model, "multi_class", model.multi_class, "multinomial")
    if len(labels) > 1 and model.solver == "liblinear":
        raise refuse_argument(model, "solver", model.solver, "a solver of the multinomial model")
    activation = "sigmoid" if len(labels) == 1 else "softmax"

    def judge(x: NDArray[np.float64]) -> Answers:
        return Answers(model.decision_function(x).reshape(len(x), -1), columns(model.predict_proba(x)))

    return _reading(model, [_dense(model.coef_, model.intercept_, activation)], judge, labels)


def _targets(n: int) -> tuple[str, ...]:
    return ("prediction",) if n == 1 else tuple(f"out_{k}" for k in range(n))


def read_linear_regression(model: Any) -> Reading:
    """LinearRegression and Ridge."""
    weights = np.atleast_2d(model.coef_)

    def judge(x: NDArray[np.float64]) -> Answers:
        found = model.predict(x).reshape(len(x), -1)
        return Answers(found, found)

    return _reading(model, [_dense(weights, model.intercept_, "linear")], judge, _targets(len(weights)))


def read_perceptron(model: Any) -> Reading:
    """MLPClassifier (of one label) and MLPRegressor."""
    from sklearn.base import is_classifier

    classifier = bool(is_classifier(model))
    n_layers = len(model.coefs_)
    if classifier and model._label_binarizer.y_type_.startswith("multilabel"):
        raise refuse_argument(model, "classes_", "several labels an event", "one label an event")
    kinds = [model.activation] * (n_layers - 1) + [model.out_activation_]
    for kind in kinds:
        if kind not in _ACTIVATIONS:
            raise refuse_argument(model, "activation", kind, ", ".join(_ACTIVATIONS))
    layers = [
        _dense(weights.T, bias, _ACTIVATIONS[kind])
        for weights, bias, kind in zip(model.coefs_, model.intercepts_, kinds, strict=True)
    ]

    def judge(x: NDArray[np.float64]) -> Answers:
        found = columns(model.predict_proba(x)) if classifier else model.predict(x).reshape(len(x), -1)
        return Answers(np.empty((len(x), 0)), found)

    labels = class_labels(model) if classifier else _targets(model.n_outputs_)
    return _reading(model, layers, judge, labels)
