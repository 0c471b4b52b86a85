"""More than two classes, and regression: the numbers that apply there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from hepml.errors import DataError
from hepml.metrics.binned import equal_count_edges
from hepml.metrics.confusion import confusion_matrix
from hepml.metrics.delong import auc_error
from hepml.metrics.intervals import weighted_efficiency_interval
from hepml.metrics.results import CONFIDENCE, Auc, MultiClass, Regression
from hepml.metrics.roc import make_events

__all__ = ["multiclass_metrics", "regression_metrics"]


def multiclass_metrics(
    score: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None, names: tuple[str, ...] = ()
) -> MultiClass:
    """Accuracy with interval, confusion matrix and one-against-the-rest AUC of a classifier.

    Args:
        score: shape (n, classes), one column a class; the decision is the largest.
        label: class numbers, shape (n,).
        weight: event weights, ones if None.
        names: of the classes.

    Returns:
        The AUC of a class is absent where the class, or every other class, is.

    Raises:
        DataError: scores that are not (n, classes), or labels beyond them.

    Example:
        >>> multiclass_metrics([[0.8, 0.2], [0.3, 0.7]], [0, 1]).accuracy
        1.0
    """
    s, y = np.asarray(score, dtype=np.float64), np.asarray(label, dtype=np.float64)
    if s.ndim != 2 or len(s) != len(y) or not len(s):
        raise DataError("scores of classes must be (n, classes), n > 0", found=s.shape)
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    labels = names or tuple(str(i) for i in range(s.shape[1]))
    confusion = confusion_matrix(y, s.argmax(axis=1), w, labels)
    low, high = weighted_efficiency_interval(np.trace(confusion.matrix), w.sum(), np.sum(w * w))
    areas: dict[str, Auc] = {}
    for i, name in enumerate(labels):
        of_class = y == i
        if of_class.any() and not of_class.all():
            areas[name] = auc_error(make_events(s[:, i], of_class, w))
    return MultiClass(confusion.accuracy, float(low), float(high), confusion, areas)


def regression_metrics(
    prediction: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, bins: int = 10
) -> Regression:
    """Bias and resolution of a regression, overall and against the target.

    Args:
        prediction, target: shape (n,), n > 1.
        weight: event weights, ones if None; their sum must be positive.
        bins: of the profile, with equal numbers of candidates.

    Returns:
        Residual = prediction - target. Errors: sigma/sqrt(N) of the bias, sigma/sqrt(2N) of the resolution, N the
        effective number.

    Raises:
        DataError: lengths differ, fewer than two candidates, no positive weight.

    Example:
        >>> regression_metrics([1.5, 2.5, 3.5], [1.0, 2.0, 3.0], bins=1).bias
        0.5
    """
    p, t = np.asarray(prediction, dtype=np.float64), np.asarray(target, dtype=np.float64)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=np.float64)
    if p.ndim != 1 or not (p.shape == t.shape == w.shape) or len(t) < 2 or w.sum() <= 0:
        raise DataError(
            "a regression needs as many predictions as targets, two at least, of positive weight",
            found=(p.shape, t.shape, w.shape),
        )
    residual = p - t
    bias = float(np.average(residual, weights=w))
    variance = max(0.0, float(np.average((residual - bias) ** 2, weights=w)))
    n = float(w.sum() ** 2 / np.sum(w * w))
    sigma = math.sqrt(variance)
    ranked = np.argsort(residual)
    sums = np.cumsum(w[ranked]) / w.sum()
    places = [min(int(np.searchsorted(sums, q)), len(t) - 1) for q in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)]
    width = float(residual[ranked[places[1]]] - residual[ranked[places[0]]]) / 2
    spread = float(np.average((t - np.average(t, weights=w)) ** 2, weights=w))
    r2 = 1.0 - float(np.average(residual**2, weights=w)) / spread if spread > 0 else math.nan
    edges = equal_count_edges(t, bins)
    where = np.clip(np.searchsorted(edges, t, side="right") - 1, 0, len(edges) - 2)
    total, first, second = (
        np.bincount(where, weights=x, minlength=len(edges) - 1) for x in (w, w * residual, w * residual**2)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = np.where(total > 0, first / total, np.nan)
        resolution = np.sqrt(np.maximum(np.where(total > 0, second / total - profile**2, np.nan), 0.0))
    return Regression(
        bias=bias,
        bias_error=sigma / math.sqrt(n),
        resolution=sigma,
        resolution_error=sigma / math.sqrt(2 * n),
        width68=width,
        mean_absolute_error=float(np.average(np.abs(residual), weights=w)),
        r2=r2,
        target=(edges[:-1] + edges[1:]) / 2,
        profile_bias=profile,
        profile_resolution=resolution,
    )
