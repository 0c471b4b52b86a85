"""Background rejection at working points, with intervals that contain the threshold's own error.

A working point is a threshold at a target signal efficiency, found on the same finite sample as the rejection. Its
error is of the same size as that of the background count, so both classes are resampled and the threshold is derived
again in each replica. Clopper-Pearson at the fitted threshold keeps only the second error and covers about 55 %
where 68 % are claimed. Below ten background events a percentile interval means little: a limit is given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.metrics.bootstrap import Replicas, resample_background, resample_pair
from hepml.metrics.delong import auc_difference, auc_error
from hepml.metrics.intervals import percentile_interval
from hepml.metrics.results import (
    CONFIDENCE,
    ClassRejection,
    Comparison,
    Floats,
    RatioCurve,
    RejectionRatio,
    RocCurve,
    ScoredEvents,
    WorkingPoint,
)
from hepml.metrics.roc import Ordered, effective_number, order

__all__ = [
    "EFFICIENCIES",
    "GRID",
    "MINIMUM_BACKGROUND",
    "compare_scores",
    "rejection_at",
    "rejection_by_class",
    "roc_band",
    "working_points",
]

EFFICIENCIES = (0.5, 0.7, 0.8, 0.9, 0.95)
GRID = np.round(np.linspace(0.005, 1.0, 200), 3)
MINIMUM_BACKGROUND = 10
LIMIT_LEVEL = 0.95


def rejection_at(events: ScoredEvents, targets: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Threshold, rejection and number of passing background candidates at target signal efficiencies.

    Args:
        events: checked by `make_events`.
        targets: signal efficiencies in (0, 1], shape (t,).

    Returns:
        Thresholds (pass if score >= threshold), rejections (inf if no background passes) and unweighted background
        counts, shape (t,) each.

    Example:
        >>> from hepml.metrics import make_events
        >>> events = make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> [x.tolist() for x in rejection_at(events, np.array([0.5, 1.0]))]
        [[0.8, 0.35], [inf, 2.0], [0, 1]]
    """
    ordered = order(events)
    cut, passing, efficiency = _nominal(ordered, targets)
    return ordered.score[cut], _inverse(efficiency), passing


def working_points(
    events: ScoredEvents,
    targets: tuple[float, ...] = EFFICIENCIES,
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> tuple[WorkingPoint, ...]:
    """Rejection at working points with bootstrap intervals, or 95 % limits below ten background events.

    Args:
        events: checked by `make_events`; groups are resampled as a whole.
        targets: signal efficiencies in (0, 1].
        n: bootstrap replicas; both classes are resampled and the threshold is derived again.
        seed: of the random numbers.
        level: confidence of the central (percentile) interval.

    Returns:
        One record a target. The limit is the 95 % quantile of the background efficiency over resampled thresholds,
        each with a Beta(k+1, n-k) (weighted: scaled Gamma) draw for k passing of n, which for a fixed threshold is
        the Clopper-Pearson limit.

    Example:
        >>> from hepml.metrics import make_events
        >>> events = make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> working_points(events, (0.5,))[0].limit
        True

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; limit for weights: Bohm and Zech,
        Nucl. Instrum. Meth. A 748 (2014) 1 (scaled Poisson).
    """
    wanted = np.asarray(targets, dtype=np.float64)
    ordered = order(events)
    cut, passing, efficiency = _nominal(ordered, wanted)
    replicas = resample_background(events, wanted, n, seed)
    low, high = (_inverse(edge) for edge in reversed(percentile_interval(replicas.background_efficiency, level)))
    limits = _inverse(_upper_limit(ordered, replicas, seed))
    points = []
    for i, target in enumerate(targets):
        limited = bool(passing[i] < MINIMUM_BACKGROUND)
        effective = effective_number(ordered.background_weight[: passing[i]]) if ordered.weighted else None
        points.append(
            WorkingPoint(
                signal_efficiency=float(target),
                threshold=float(ordered.score[cut[i]]),
                rejection=float(limits[i] if limited else _inverse(efficiency)[i]),
                lower=float(limits[i] if limited else low[i]),
                upper=float(np.inf if limited else high[i]),
                n_background=int(passing[i]),
                limit=limited,
                n_effective=effective,
            )
        )
    return tuple(points)


def rejection_by_class(
    events: ScoredEvents,
    truth: NDArray[np.integer[Any]],
    names: tuple[str, ...],
    targets: tuple[float, ...] = EFFICIENCIES,
    *,
    n: int = 1000,
    seed: int = 0,
) -> tuple[ClassRejection, ...]:
    """Rejection of every truth class of the background, at the thresholds of the whole signal.

    Args:
        events: checked by `make_events`.
        truth: class codes, shape (n,), indices into `names`.
        names: class names (`hepml.truth.TRUTH_CLASSES`).
        targets, n, seed: as in `working_points`.

    Returns:
        One record a class with background of positive total weight, in the order of the codes.
    """
    found = []
    for code, name in enumerate(names):
        of_class = (events.label == 0) & (truth == code)
        if not of_class.any() or events.weight[of_class].sum() <= 0:
            continue
        points = working_points(events.take((events.label == 1) | of_class), targets, n=n, seed=seed)
        found.append(ClassRejection(name, int(of_class.sum()), points))
    return tuple(found)


def roc_band(
    events: ScoredEvents,
    grid: Floats = GRID,
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = CONFIDENCE,
    name: str = "",
) -> RocCurve:
    """The ROC curve on a grid of signal efficiencies with the bootstrap band of its rejection.

    Args:
        events: checked by `make_events`.
        grid: signal efficiencies in (0, 1], ascending, shape (g,).
        n, seed, level: as in `working_points`; n = 0 gives no band.
        name: carried into the record.

    Returns:
        Curve with arrays of shape (g,).
    """
    ordered = order(events)
    cut, passing, efficiency = _nominal(ordered, grid)
    area = auc_error(events)
    curve = RocCurve(
        grid, efficiency, ordered.score[cut], area.value, area.error, n_background=passing.astype(float), name=name
    )
    if n == 0:
        return curve
    bounds = percentile_interval(resample_background(events, grid, n, seed).background_efficiency, level)
    return replace(curve, lower=_inverse(bounds[1]), upper=_inverse(bounds[0]))


def compare_scores(
    first: ScoredEvents,
    second: ScoredEvents,
    names: tuple[str, str],
    targets: tuple[float, ...] = EFFICIENCIES,
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = CONFIDENCE,
    grid: Floats | None = None,
) -> Comparison:
    """Two models on the same candidates: paired DeLong for the AUC, paired bootstrap for ratios of rejections.

    Args:
        first, second: the same candidates in the same order.
        names: of the two models.
        targets: signal efficiencies of the rejection ratios.
        n, seed, level: as in `working_points`.
        grid: signal efficiencies of the ratio curve; every tenth point of `GRID` if None.

    Returns:
        Differences first minus second and ratios first over second; nan where no background passes either.

    Raises:
        DataError: not the same candidates.
    """
    difference, error, correlation, p_value = auc_difference(first, second)
    fine = GRID[9::10] if grid is None else grid
    wanted = np.concatenate([np.asarray(targets, dtype=np.float64), fine])
    drawn = resample_pair(first, second, wanted, n, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = drawn[1].background_efficiency / drawn[0].background_efficiency
        nominal = _nominal(order(second), wanted)[2] / _nominal(order(first), wanted)[2]
    lower, upper = percentile_interval(np.where(np.isnan(ratios), np.inf, ratios), level)
    k = len(targets)
    points = tuple(
        RejectionRatio(float(targets[i]), float(nominal[i]), float(lower[i]), float(upper[i])) for i in range(k)
    )
    curve = RatioCurve(fine, nominal[k:], lower[k:], upper[k:])
    return Comparison(names[0], names[1], difference, error, correlation, p_value, points, curve, len(first))


def _inverse(efficiency: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / np.maximum(efficiency, 0.0), dtype=np.float64)


def _nominal(ordered: Ordered, targets: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Position of the cut in the sorted signal, background candidates and background efficiency above it."""
    cut = ordered.cut(targets)
    passing = ordered.above[cut]
    sums = np.concatenate([[0], np.cumsum(ordered.background_weight)])
    return cut, passing, sums[passing] / sums[-1]


def _upper_limit(ordered: Ordered, replicas: Replicas, seed: int) -> Floats:
    rng = np.random.default_rng([seed, 1])
    k, total = replicas.passing, len(ordered.background)
    if not ordered.weighted:
        draws = rng.beta(k + 1.0, np.maximum(total - k, 1e-9))
    else:
        w = ordered.background_weight / float(np.abs(ordered.background_weight).max())
        sums = np.concatenate([[0.0], np.cumsum(w)])
        squares = np.concatenate([[0.0], np.cumsum(w * w)])
        ok = sums[k] > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            effective = np.where(ok, sums[k] ** 2 / squares[k], 0.0)
            scale = np.where(ok, squares[k] / sums[k], squares[-1] / sums[-1])
        draws = rng.standard_gamma(effective + 1.0) * scale / sums[-1]
    return np.asarray(np.quantile(np.minimum(draws, 1.0), LIMIT_LEVEL, axis=0), dtype=np.float64)
