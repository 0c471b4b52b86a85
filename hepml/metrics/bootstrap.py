"""Resample both classes and derive the threshold again each time, fast.

Candidates are sorted once. A replica is then a set of repetition counts in that order: the threshold is where the
running sum of the signal reaches the target, and the background efficiency is a running sum read at a position known
beforehand. No score is sorted or compared again.

Without weights and groups even the counts are not needed: the k-th smallest of n uniform draws is a Beta(k, n-k+1)
variable, so the resampled thresholds at all targets come from one Dirichlet draw, and the resampled background counts
between them from one multinomial draw: the same distribution, at a cost that does not depend on n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.metrics.delong import group_index
from hepml.metrics.results import Floats, ScoredEvents
from hepml.metrics.roc import Ordered, order

__all__ = ["MOST_REPLICAS", "Replicas", "repetitions", "resample_background", "resample_pair"]

MOST_REPLICAS = 1_000_000  # of which an interval is known to a thousandth; the ROC band of so many takes 3.2 GB
_AT_ONCE = 10_000  # replicas in one call of NumPy, between which a signal is answered


@dataclass(frozen=True)
class Replicas:
    """Resampled background efficiencies at target signal efficiencies.

    Args:
        background_efficiency: shape (replicas, targets).
        passing: original background candidates above each resampled threshold, shape (replicas, targets).
    """

    background_efficiency: Floats
    passing: NDArray[np.int64]


def repetitions(events: ScoredEvents, n: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each candidate is drawn, n times; shape (n_events,) each.

    Candidates are drawn with replacement inside each class; if groups hold several candidates, whole groups are.
    """
    rng = np.random.default_rng(seed)
    index = group_index(events.group)
    if index is not None:
        groups = int(index.max()) + 1
        for _ in range(n):
            yield np.bincount(rng.integers(0, groups, groups), minlength=groups)[index]
        return
    classes = [np.flatnonzero(events.label == label) for label in (0, 1)]
    for _ in range(n):
        counts = np.zeros(len(events), dtype=np.int64)
        for chosen in classes:
            counts[chosen] = np.bincount(rng.integers(0, len(chosen), len(chosen)), minlength=len(chosen))
        yield counts


def resample_background(events: ScoredEvents, targets: Floats, n: int = 1000, seed: int = 0) -> Replicas:
    """Background efficiencies at target signal efficiencies for n resampled data sets.

    Args:
        events: checked by `make_events`.
        targets: signal efficiencies in (0, 1], shape (t,).
        n: number of replicas.
        seed: of the random numbers.

    Returns:
        The replicas, shapes (n, t).

    Example:
        >>> from hepml.metrics import make_events
        >>> events = make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> resample_background(events, np.array([0.5, 0.9]), n=3).background_efficiency.shape
        (3, 2)
    """
    ordered = order(events)
    efficiency, passing = np.empty((n, len(targets))), np.empty((n, len(targets)), dtype=np.int64)
    rng = np.random.default_rng(seed)
    if not ordered.weighted and group_index(events.group) is None:
        for start in range(0, n, _AT_ONCE):
            part = slice(start, min(start + _AT_ONCE, n))
            efficiency[part], passing[part] = _by_order_statistics(ordered, targets, part.stop - start, rng)
    elif group_index(events.group) is None:
        # inside a class candidates are exchangeable: draw the counts in sorted order, no gather
        sizes = len(ordered.signal), len(ordered.background)
        for replica in range(n):
            counts = [np.bincount(rng.integers(0, size, size), minlength=size) for size in sizes]
            efficiency[replica], passing[replica] = _replica(ordered, targets, counts[0], counts[1])
    else:
        for replica, counts_of in enumerate(repetitions(events, n, seed)):
            counts = [counts_of[ordered.signal], counts_of[ordered.background]]
            efficiency[replica], passing[replica] = _replica(ordered, targets, counts[0], counts[1])
    return Replicas(efficiency, passing)


def resample_pair(
    first: ScoredEvents, second: ScoredEvents, targets: Floats, n: int = 1000, seed: int = 0
) -> tuple[Replicas, Replicas]:
    """The same resampled candidates seen by two models, so that common fluctuations cancel in a ratio.

    Args:
        first, second: the same candidates in the same order.
        targets, n, seed: as in `resample_background`.

    Returns:
        Replicas of both, row by row from the same draw.
    """
    models = [order(first), order(second)]
    shape = (n, len(targets))
    results = [Replicas(np.empty(shape), np.empty(shape, dtype=np.int64)) for _ in models]
    for replica, counts in enumerate(repetitions(first, n, seed)):
        for ordered, result in zip(models, results, strict=True):
            drawn = _replica(ordered, targets, counts[ordered.signal], counts[ordered.background])
            result.background_efficiency[replica], result.passing[replica] = drawn
    return results[0], results[1]


def _replica(
    ordered: Ordered, targets: Floats, signal: NDArray[np.int64], background: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    sums = np.cumsum(signal * ordered.signal_weight if ordered.weighted else signal)
    position = ordered.above[ordered.cut(targets, sums)]
    drawn = np.cumsum(background * ordered.background_weight if ordered.weighted else background)
    passing = np.where(position > 0, drawn[np.maximum(position - 1, 0)], 0)
    if drawn[-1] <= 0 or sums[-1] <= 0:  # possible for signed weights: such a replica has no efficiency
        return np.full(len(targets), np.nan), position
    return passing / drawn[-1], position


def _by_order_statistics(
    ordered: Ordered, targets: Floats, n: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    n_signal, n_background = len(ordered.signal), len(ordered.background)
    ranked = np.argsort(targets, kind="stable")
    wanted = np.ceil(targets[ranked] * n_signal * (1 - 1e-12)).astype(np.int64).clip(1, n_signal)  # k-th best signal
    steps = np.diff(np.concatenate([[0], wanted]))
    spacing = np.concatenate([steps, [n_signal + 1 - wanted[-1]]]).astype(np.float64)
    draws = rng.standard_gamma(spacing, size=(n, len(spacing)))
    uniform = np.cumsum(draws, axis=1)
    place = np.minimum((uniform[:, :-1] / uniform[:, -1:] * n_signal).astype(np.int64), n_signal - 1)
    passing = ordered.above[place]
    counts = np.zeros((n, len(targets)), dtype=np.int64)
    left, before, total = np.full(n, n_background), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for column in range(len(targets)):  # a multinomial, one binomial after the other
        inside, remaining = passing[:, column] - before, n_background - before
        drawn = rng.binomial(left, np.where(remaining > 0, inside / np.maximum(remaining, 1), 0.0))
        total = total + drawn
        left, before = left - drawn, passing[:, column]
        counts[:, column] = total
    back = np.argsort(ranked, kind="stable")
    return counts[:, back] / n_background, passing[:, back]
