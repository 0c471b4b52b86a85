r"""The error of an AUC, and of the difference of two, without resampling: DeLong's variance with event weights.

The AUC is a mean over signal candidates of V_i, the weighted background fraction below i, and a mean over background
candidates of V_j, the weighted signal fraction above j (ties count one half). Each candidate therefore contributes

.. math:: \varphi_i = c\,w_i (V_i - A) / W_{class}, \qquad \mathrm{var}(A) = \sum_i \varphi_i^2,

with c^2 = N/(N-1), N = (sum w)^2/sum w^2 of the class. For equal weights this is DeLong's variance exactly. If
candidates come in groups (two electrons of one event), phi is summed over a group before it is squared (Obuchowski).
Two models on the same candidates: cov = sum phi_a phi_b. The variance holds for a fixed network: the spread over
training seeds is a separate number. An AUC of exactly 1 gets the error 0, which means: sample too small.

Source:
    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837; Sun and Xu, IEEE Signal Process. Lett. 21 (2014) 1389
    (n log n by ranks); Obuchowski, Biometrics 53 (1997) 567 (clustered data).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.metrics.results import Auc, Floats, ScoredEvents
from hepml.metrics.roc import effective_number

__all__ = ["auc_difference", "auc_error", "group_index", "influence"]


def _fraction_below(reference: Floats, weight: Floats, at: Floats) -> Floats:
    """Weighted fraction of the reference below each point, ties one half; reference and weight in any order."""
    ranked = np.argsort(reference, kind="stable")
    values = reference[ranked]
    sums = np.concatenate([[0.0], np.cumsum(weight[ranked])])
    left, right = np.searchsorted(values, at, side="left"), np.searchsorted(values, at, side="right")
    below: Floats = 0.5 * (sums[left] + sums[right]) / sums[-1]
    return below


def group_index(group: NDArray[np.uint64] | None) -> NDArray[np.int64] | None:
    """Consecutive numbers of the groups, or None if no group holds two candidates."""
    if group is None:
        return None
    names, index = np.unique(group, return_inverse=True)
    return None if len(names) == len(group) else index.astype(np.int64).reshape(-1)


def influence(events: ScoredEvents) -> tuple[float, Floats]:
    """The AUC and each candidate's contribution to its error.

    Args:
        events: checked by `make_events`.

    Returns:
        AUC and phi, shape (n,), in the order of the events; var(AUC) = sum of phi squared.
    """
    phi = np.zeros(len(events))
    # descending ranks through the sign keep the float sums of both classes independent of the input order
    chosen = {label: np.flatnonzero(events.label == label) for label in (0, 1)}
    value = 0.0
    for label, other, sign in ((1, 0, 1.0), (0, 1, -1.0)):
        own, reference = chosen[label], chosen[other]
        w = events.weight[own]
        placed = _fraction_below(sign * events.score[reference], events.weight[reference], sign * events.score[own])
        mean = float(np.sum(w * placed) / np.sum(w))
        value = mean if label == 1 else value
        n = effective_number(w)
        correction = math.sqrt(n / (n - 1)) if n > 1 else 0.0
        phi[own] = correction * w * (placed - mean) / np.sum(w)
    return value, phi


def _variance(first: Floats, second: Floats, index: NDArray[np.int64] | None) -> float:
    if index is None:
        return float(np.dot(first, second))
    return float(np.dot(np.bincount(index, weights=first), np.bincount(index, weights=second)))


def auc_error(events: ScoredEvents) -> Auc:
    """AUC with its DeLong error.

    Args:
        events: checked by `make_events`; groups, if given, are taken into account.

    Example:
        >>> from hepml.metrics import make_events
        >>> auc_error(make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).value
        0.75
    """
    value, phi = influence(events)
    return Auc(value, math.sqrt(_variance(phi, phi, group_index(events.group))))


def auc_difference(first: ScoredEvents, second: ScoredEvents) -> tuple[float, float, float, float]:
    """Difference of the AUCs of two models on the same candidates (first minus second).

    Args:
        first, second: the same candidates in the same order (labels, weights and groups are those of `first`).

    Returns:
        Difference, its error, correlation of the two AUCs, two-sided p-value of no difference.

    Raises:
        DataError: the labels differ: not the same candidates.

    Example:
        >>> from hepml.metrics import make_events
        >>> a = make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> auc_difference(a, a)
        (0.0, 0.0, 1.0, 1.0)
    """
    if len(first) != len(second) or not np.array_equal(first.label, second.label):
        raise DataError(
            "two models can be compared candidate by candidate only on the same candidates",
            found=f"{len(first)} and {len(second)} candidates",
        )
    index = group_index(first.group)
    (a, phi_a), (b, phi_b) = influence(first), influence(second)
    variances = _variance(phi_a, phi_a, index), _variance(phi_b, phi_b, index)
    covariance = _variance(phi_a, phi_b, index)
    difference = phi_a - phi_b  # its own square: no cancellation for nearly equal models
    error = math.sqrt(_variance(difference, difference, index))
    scale = math.sqrt(variances[0] * variances[1])
    correlation = min(1.0, covariance / scale) if scale > 0 else math.nan
    p_value = math.erfc(abs(a - b) / error / math.sqrt(2)) if error > 0 else float(a == b)
    return a - b, error, correlation, p_value
