r"""The ROC curve with event weights, and the ordering of the candidates that every other metric starts from.

A candidate passes if score >= threshold. With event weights w (negative ones allowed) an efficiency is the signed sum
of the weights that pass over the sum of all weights of the class; it need not be monotone, then, and the threshold of
a target efficiency is the *highest* one at which the efficiency reaches the target. The AUC is the signed trapezoid,
which equals the weighted Mann-Whitney statistic

.. math:: A = \sum_{i\in S, j\in B} w_i w_j\,[\Theta(s_i - s_j) + \tfrac12\delta_{s_i s_j}] / (W_S W_B).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.metrics.results import Floats, RocCurve, ScoredEvents

__all__ = ["Ordered", "auc", "effective_number", "make_events", "order", "roc_curve"]


def make_events(
    score: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None, group: ArrayLike | None = None
) -> ScoredEvents:
    """Checked scores, labels and weights of a two-class problem.

    Args:
        score: shape (n,), finite; larger is more signal-like.
        label: shape (n,), 1 signal, 0 background; both classes must occur.
        weight: shape (n,), finite, ones if None; each class must sum to more than 0.
        group: shape (n,), integers; candidates of one group (event, parton event) are statistically related.

    Returns:
        The candidates as float64 arrays.

    Raises:
        DataError: shapes differ, a value is not finite, a label is neither 0 nor 1, a class is absent (or the arrays
            are empty) or has no positive total weight.

    Example:
        >>> len(make_events([0.2, 0.9], [0, 1]))
        2
    """
    s, y = np.asarray(score, dtype=np.float64), np.asarray(label, dtype=np.float64)
    w = np.ones(s.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    g = None if group is None else np.asarray(group).astype(np.uint64)
    for name, array in (("score", s), ("label", y), ("weight", w), ("group", g)):
        if array is None:
            continue
        if array.ndim != 1 or len(array) != len(s):
            shape = f"({len(s)},)" if s.ndim == 1 else "(n,)"
            raise DataError(f"wrong shape of the array '{name}'", expected=shape, found=array.shape)
        bad = int(np.count_nonzero(~np.isfinite(array))) if array.dtype == np.float64 else 0
        if bad:
            raise DataError(
                f"the array '{name}' holds values that are not finite",
                found=f"{bad} of {len(array)}",
                fix="look for NaN inputs or a training that diverged",
            )
    if not np.isin(y, (0.0, 1.0)).all():
        raise DataError("labels must be 1 (signal) or 0 (background)", found=sorted(set(y.tolist()))[:5])
    for value, name in ((1.0, "signal"), (0.0, "background")):
        chosen = y == value
        if not chosen.any():
            raise DataError(f"no {name} among {len(y)} candidates", fix="evaluate a sample that holds both classes")
        if w[chosen].sum() <= 0:
            raise DataError(
                f"the weights of the {name} sum to {w[chosen].sum():g}",
                expected="a positive sum, else no efficiency is defined",
            )
    return ScoredEvents(s, y, w, g)


@dataclass(frozen=True)
class Ordered:
    """Candidates of both classes sorted once by descending score; `above` links the two.

    Args:
        signal: indices of the signal candidates in the events, best score first, shape (n_signal,).
        background: the same for the background, shape (n_background,).
        score: scores of the sorted signal.
        above: how many background candidates have a score >= each of these, shape (n_signal,).
        signal_weight, background_weight: sorted weights in fixed point (int64, one unit = the largest weight / 2^k,
            k near 40; 1 for equal weights): integer running sums are exact and five times faster than float ones.
        weighted: whether weights differ inside a class.
        signed: whether a signal weight is negative, so that running sums can fall.
    """

    signal: NDArray[np.int64]
    background: NDArray[np.int64]
    score: Floats
    above: NDArray[np.int64]
    signal_weight: NDArray[np.int64]
    background_weight: NDArray[np.int64]
    weighted: bool
    signed: bool

    def cut(self, targets: Floats, sums: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Index into the sorted signal of the last candidate that passes, for each target signal efficiency.

        Args:
            targets: signal efficiencies in (0, 1], any shape.
            sums: running sums of the (resampled) signal weights; the nominal ones if None.
        """
        running = np.cumsum(self.signal_weight) if sums is None else sums
        total = float(running[-1])
        if self.signed:
            running = np.maximum.accumulate(running)
        # the tolerance keeps 0.7 * 10 candidates at 7, whatever the rounding
        reached = np.searchsorted(running, np.asarray(targets) * total * (1 - 1e-11), side="left")
        return np.minimum(reached, len(self.score) - 1)


def _fixed_point(weight: Floats) -> NDArray[np.int64]:
    if (weight == weight[0]).all():
        return np.ones(len(weight), dtype=np.int64)
    bits = 59 - len(weight).bit_length()  # room for resampled sums several times the nominal one
    units: NDArray[np.int64] = np.rint(weight * (2.0**bits / np.abs(weight).max())).astype(np.int64)
    return units


def order(events: ScoredEvents) -> Ordered:
    """Sort both classes; n log n, done once for any number of bootstrap replicas."""
    signal = np.flatnonzero(events.label == 1)
    background = np.flatnonzero(events.label == 0)
    signal = signal[np.argsort(-events.score[signal], kind="stable")]
    background = background[np.argsort(-events.score[background], kind="stable")]
    score = events.score[signal]
    above = np.searchsorted(-events.score[background], -score, side="right")
    ws, wb = events.weight[signal], events.weight[background]
    weighted = bool((ws != ws[0]).any() or (wb != wb[0]).any())
    return Ordered(signal, background, score, above, _fixed_point(ws), _fixed_point(wb), weighted, bool((ws < 0).any()))


def roc_curve(score: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> RocCurve:
    """The full ROC curve: one point for each distinct score, after a first point (0, 0) at threshold inf.

    Args:
        score, label, weight: as in `make_events`.

    Returns:
        The curve with its AUC and the DeLong error; the last point is (1, 1).

    Raises:
        DataError: as `make_events`.

    Example:
        >>> roc_curve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).auc
        0.75

    Source:
        Fawcett, Pattern Recognit. Lett. 27 (2006) 861, algorithm 1 (ties are one point).
    """
    from hepml.metrics.delong import auc_error  # delong builds on make_events

    events = make_events(score, label, weight)
    ranked = np.argsort(-events.score, kind="stable")
    s, y, w = events.score[ranked], events.label[ranked], events.weight[ranked]
    last = np.append(np.flatnonzero(s[1:] != s[:-1]), len(s) - 1)  # last candidate of each distinct score
    passing = np.cumsum(np.where(y == 1, w, 0.0))[last], np.cumsum(np.where(y == 0, w, 0.0))[last]
    efficiency = [np.concatenate([[0.0], sums / sums[-1]]) for sums in passing]
    counts = np.concatenate([[0.0], np.cumsum(y == 0)[last]])
    result = auc_error(events)
    thresholds = np.concatenate([[np.inf], s[last]])
    return RocCurve(efficiency[0], efficiency[1], thresholds, result.value, result.error, n_background=counts)


def auc(score: ArrayLike, label: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the weighted ROC curve, without its error.

    Example:
        >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        0.75
    """
    from hepml.metrics.delong import auc_error

    return auc_error(make_events(score, label, weight)).value


def effective_number(weight: NDArray[Any]) -> float:
    """Kish's effective number of events, (sum w)^2 / sum w^2; 0 for no events.

    Source:
        Kish, Survey Sampling (1965).

    Example:
        >>> effective_number(np.array([1.0, 1.0, 2.0]))
        2.6666666666666665
    """
    w = np.asarray(weight, dtype=np.float64)
    square = float(np.sum(w * w))
    return float(np.sum(w)) ** 2 / square if square > 0 else 0.0
