"""Overtraining as a number: train minus test of AUC and rejection, with an interval.

A Kolmogorov-Smirnov p-value answers another question (are the two score samples equal) and is uniform, not large, if
they are; it is shown and not judged. It is the unbinned two-sample one; with weights through effective numbers.
"""

from __future__ import annotations

import math

import numpy as np

from hepml.metrics.bootstrap import resample_background, resample_pair
from hepml.metrics.delong import auc_difference, auc_error
from hepml.metrics.intervals import percentile_interval
from hepml.metrics.rejection import rejection_at
from hepml.metrics.results import CONFIDENCE, Floats, Gap, Overtraining, ScoredEvents
from hepml.metrics.roc import effective_number

__all__ = ["ks_test", "overtraining_gaps"]


def ks_test(first: Floats, second: Floats, w_first: Floats | None = None, w_second: Floats | None = None) -> float:
    """p-value of the two-sample Kolmogorov-Smirnov test, unbinned, weights allowed.

    Args:
        first, second: samples, shapes (n,) and (m,), both non-empty.
        w_first, w_second: weights, ones if None; each must sum to more than 0.

    Returns:
        Asymptotic two-sided p-value with N = n m / (n + m) from effective numbers.

    Example:
        >>> ks_test(np.arange(50.0), np.arange(50.0))
        1.0

    Source:
        Smirnov, Ann. Math. Stat. 19 (1948) 279; weights as in Monahan, Numerical Methods of Statistics (2nd ed., 2011).
    """
    from scipy.special import kolmogorov

    weights = [np.ones(len(x)) if w is None else w for x, w in ((first, w_first), (second, w_second))]
    points = np.concatenate([first, second])
    cumulative = []
    for x, w in zip((first, second), weights, strict=True):
        ranked = np.argsort(x, kind="stable")
        sums = np.concatenate([[0.0], np.cumsum(w[ranked])])
        cumulative.append(sums[np.searchsorted(x[ranked], points, side="right")] / sums[-1])
    distance = float(np.abs(cumulative[0] - cumulative[1]).max())
    n, m = (effective_number(w) for w in weights)
    return float(kolmogorov(distance * math.sqrt(n * m / (n + m))))


def overtraining_gaps(
    train: ScoredEvents,
    test: ScoredEvents,
    targets: tuple[float, ...] = (0.5, 0.8, 0.9),
    *,
    paired: bool = False,
    n: int = 1000,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> Overtraining:
    """Train-minus-test gaps with intervals.

    Args:
        train: candidates with the scores of networks that were trained on them.
        test: candidates with the scores of networks that never saw them.
        targets: signal efficiencies of the rejection gaps.
        paired: the same candidates in the same order (in-fold and out-of-fold scores): paired errors.
        n, seed, level: bootstrap replicas, seed, confidence.

    Returns:
        Gaps; the interval of the AUC's is its difference plus or minus the DeLong error (at `CONFIDENCE`, scaled for
        another level), those of the rejections are bootstrap percentiles of the difference.
    """
    from scipy.special import erfinv

    scale = math.sqrt(2) * float(erfinv(level))
    if paired:
        difference, error, _, _ = auc_difference(train, test)
        areas = auc_error(train).value, auc_error(test).value
    else:
        found = auc_error(train), auc_error(test)
        areas = found[0].value, found[1].value
        difference, error = areas[0] - areas[1], math.hypot(found[0].error, found[1].error)
    auc = Gap("auc", *areas, difference, difference - scale * error, difference + scale * error)
    wanted = np.asarray(targets, dtype=np.float64)
    if paired:
        replicas = resample_pair(train, test, wanted, n, seed)
    else:
        replicas = resample_background(train, wanted, n, seed), resample_background(test, wanted, n, seed + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = [1.0 / np.maximum(r.background_efficiency, 0.0) for r in replicas]
        gaps = np.where(np.isinf(drawn[0]) & np.isinf(drawn[1]), 0.0, drawn[0] - drawn[1])
        nominal = [rejection_at(events, wanted)[1] for events in (train, test)]
        centre = nominal[0] - nominal[1]
    lower, upper = percentile_interval(gaps, level)
    rejections = tuple(
        Gap(f"rejection at {target:g}", *(float(x[i]) for x in (nominal[0], nominal[1], centre, lower, upper)))
        for i, target in enumerate(targets)
    )
    p_values = [ks_test(train.of(k)[0], test.of(k)[0], train.of(k)[1], test.of(k)[1]) for k in (1, 0)]
    return Overtraining(auc, rejections, p_values[0], p_values[1], paired)
