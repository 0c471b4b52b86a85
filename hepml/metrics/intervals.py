"""Intervals of counted efficiencies, and quantiles of bootstrap replicas.

Clopper-Pearson is right for unweighted counts at a cut fixed beforehand. At a threshold fitted on the same candidates
it ignores the threshold's own error and covers far less than it says: use `hepml.metrics.rejection` there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepml.metrics.results import CONFIDENCE, Floats

__all__ = ["clopper_pearson", "percentile_interval", "weighted_efficiency_interval"]

_AT_ONCE = 1_000_000  # numbers in one call of NumPy, between which a signal is answered


def clopper_pearson(passing: ArrayLike, total: ArrayLike, level: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Central interval of a binomial probability with guaranteed coverage.

    Args:
        passing: successes, any shape; may be fractional (effective counts).
        total: trials, broadcast against `passing`.
        level: confidence, default one standard deviation (68.27 %).

    Returns:
        Lower and upper bounds; (0, 1) where total is 0.

    Example:
        >>> [round(float(x), 4) for x in clopper_pearson(9, 10)]
        [0.7059, 0.9829]

    Source:
        Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(np.asarray(passing, dtype=np.float64), np.asarray(total, dtype=np.float64))
    tail = (1 - level) / 2
    failing = n - k
    lower = np.where(k > 0, betaincinv(np.maximum(k, 1e-12), failing + 1, tail), 0.0)
    upper = np.where(failing > 0, betaincinv(k + 1, np.maximum(failing, 1e-12), 1 - tail), 1.0)
    return np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)


def weighted_efficiency_interval(
    passing: ArrayLike, total: ArrayLike, total_squares: ArrayLike, level: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Approximate interval of an efficiency of weighted events: Clopper-Pearson with effective counts.

    The total is replaced by N = (sum w)^2/sum w^2 and the successes by N times the efficiency (clipped to [0, 1]).

    Args:
        passing, total, total_squares: sums of weights that pass, of all weights, of all squared weights.
        level: confidence.

    Returns:
        Lower and upper bounds; (0, 1) where there is nothing.
    """
    w, sums, squares = (np.asarray(x, dtype=np.float64) for x in (passing, total, total_squares))
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(squares > 0, sums**2 / squares, 0.0)
        efficiency = np.where(sums > 0, w / sums, 0.0)
    return clopper_pearson(n * np.clip(efficiency, 0.0, 1.0), n, level)


def percentile_interval(replicas: Floats, level: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Central interval of bootstrap replicas along the first axis; infinities are allowed, nan are left out.

    Args:
        replicas: shape (n, ...), n > 0.
        level: confidence.

    Returns:
        Lower and upper bounds, shape (...), observed replicas both; nan where every replica is.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    tail = (1 - level) / 2
    columns = replicas.reshape(len(replicas), -1)
    bounds = np.full((2, columns.shape[1]), np.nan)
    step = max(1, _AT_ONCE // len(columns))
    for start in range(0, columns.shape[1], step):
        some = columns[:, start : start + step]
        known = ~np.isnan(some).all(axis=0)
        for row, (part, method) in zip(bounds, ((tail, "lower"), (1 - tail, "higher")), strict=True):
            row[start : start + step][known] = np.nanquantile(some[:, known], part, axis=0, method=method)
    return bounds[0].reshape(replicas.shape[1:]), bounds[1].reshape(replicas.shape[1:])
