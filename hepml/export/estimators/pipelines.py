"""Pipelines: scalers in front of an estimator.

Behind trees a scaler costs nothing and rounds nothing: it is monotonic in each feature, so its place is taken by the
thresholds on raw values that give the same decisions. In front of dense layers it becomes the inputs' offset and scale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.export.estimators.common import feature_names, fitted, knows_missing, quiet, refuse_argument
from hepml.export.estimators.ensemble import Answers, Reading, pulled_back

__all__ = ["SCALERS", "behind_scalers", "steps_of"]

Array = NDArray[Any]
SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler")


def steps_of(pipeline: Any) -> list[Any]:
    """The steps in order, those of nested pipelines in their place, without those that do nothing."""
    steps: list[Any] = []
    for _, step in pipeline.steps:
        if type(step).__name__ == "Pipeline" and type(step).__module__.startswith("sklearn."):
            steps += steps_of(step)
        elif step is not None and not (isinstance(step, str) and step == "passthrough"):
            steps.append(step)
    return steps


def _affine(scaler: Any) -> tuple[Array, Array]:
    """Offset and scale: y = (x + offset) * scale, in float64."""
    kind = type(scaler).__name__
    n = scaler.n_features_in_
    one, zero = np.ones(n), np.zeros(n)
    if kind == "MinMaxScaler":
        if scaler.clip:
            raise refuse_argument(scaler, "clip", True, "False in front of a model that is not made of trees")
        return scaler.min_ / scaler.scale_, scaler.scale_
    center = {"StandardScaler": "mean_", "RobustScaler": "center_"}.get(kind)
    # a StandardScaler knows the mean that it does not subtract
    shift = getattr(scaler, center) if center is not None and getattr(scaler, "with_mean", True) else None
    divisor = scaler.scale_
    return zero if shift is None else -np.asarray(shift), one if divisor is None else 1.0 / np.asarray(divisor)


def behind_scalers(reading: Reading, scalers: list[Any]) -> Reading:
    """The model behind scalers, as a model of raw values.

    Raises:
        UnsupportedLayerError: a step that is none of SCALERS.
    """
    for scaler in scalers:
        if type(scaler).__name__ not in SCALERS or not type(scaler).__module__.startswith("sklearn."):
            raise UnsupportedLayerError(
                f"{type(scaler).__name__} cannot be exported",
                where="a step of the pipeline",
                expected="passthrough, or one of " + ", ".join(SCALERS) + ", in front of the estimator",
                found=type(scaler).__name__,
            )
        fitted(scaler)
    if not scalers:
        return reading

    def transform(x: NDArray[np.float64]) -> Array:
        with quiet():
            for scaler in scalers:
                x = scaler.transform(x)
        return np.asarray(x)

    def compared(x: NDArray[np.float64]) -> Array:
        return transform(x) if reading.exact else transform(x).astype(np.float32)

    def judge(x: NDArray[np.float64]) -> Answers:
        return reading.judge(transform(x))

    n_features = scalers[0].n_features_in_
    changes: dict[str, Any] = {
        "name": f"Pipeline of {', '.join(type(one).__name__ for one in scalers)} and {reading.name}",
        "n_features": n_features,
        "variables": feature_names(scalers[0]),
        "judge": judge,
    }
    if reading.ensemble is not None:
        ensemble = pulled_back(reading.ensemble, compared, n_features)
        missing = ensemble.missing and knows_missing(transform, n_features)
        return replace(reading, **changes, ensemble=replace(ensemble, missing=missing))
    offset, scale = np.zeros(n_features), np.ones(n_features)
    for scaler in scalers:  # ((x + offset) * scale + shift) * factor
        shift, factor = _affine(scaler)
        offset, scale = offset + shift / scale, scale * factor
    return replace(reading, **changes, offset=offset, scale=scale)
