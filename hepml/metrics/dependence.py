r"""Does the score know a variable that it should not: profiles, efficiencies in bins, sculpted distributions.

The Jensen-Shannon distance compares the distribution of a variable in the background before a cut with that after it:

.. math:: d^2 = \tfrac12 D(p\|m) + \tfrac12 D(q\|m), \quad m = \tfrac12 (p + q), \quad D(p\|m) = \sum p \log_2 (p/m)

It is 0 for equal and 1 for disjoint distributions. A cut that knows nothing of the variable leaves a random part of the
background, whose distance is not 0 but the smaller the more candidates pass: its 95 % quantile is given beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.metrics.binned import equal_count_edges
from hepml.metrics.intervals import clopper_pearson, weighted_efficiency_interval
from hepml.metrics.results import CONFIDENCE, Floats, ScoredEvents

__all__ = ["Dependence", "distance_correlation", "jensen_shannon", "score_dependence"]

_BLOCK = 1024
_PAIRED = 8000  # candidates whose pairs are compared; beyond, every k-th
_DRAWS = 200


@dataclass(frozen=True)
class Dependence:
    """How the score depends on a variable.

    Attributes:
        name, unit: of the variable.
        edges: of the bins of the profiles, shape (bins + 1,); the 1 % of the background above the last are left out.
        mean_score, mean_score_error: (background, signal) by bin, shape (2, bins); nan in an empty bin.
        signal_efficiency, threshold: of the working points, shape (points,).
        background_efficiency, lower, upper: by bin, shape (points, bins), with Clopper-Pearson intervals.
        count, passing: background candidates by bin, shapes (bins,) and (points, bins).
        fine_edges: of the distributions, shape (fine + 1,).
        before, after: fractions of the background by fine bin, shapes (fine,) and (points, fine); the outer bins hold
            what lies beyond.
        distance, distance_by_chance: Jensen-Shannon distance of before and after, and the 95 % quantile of that of a
            random part of the background of the same size, shape (points,); nan where nothing passes.
        correlation: squared distance correlation of score and variable of (background, signal).
    """

    name: str
    unit: str
    edges: Floats
    mean_score: Floats
    mean_score_error: Floats
    signal_efficiency: Floats
    threshold: Floats
    background_efficiency: Floats
    lower: Floats
    upper: Floats
    count: NDArray[np.int64]
    passing: NDArray[np.int64]
    fine_edges: Floats
    before: Floats
    after: Floats
    distance: Floats
    distance_by_chance: Floats
    correlation: tuple[float, float]


def score_dependence(
    events: ScoredEvents,
    variable: ArrayLike,
    points: Sequence[tuple[float, float]],
    *,
    name: str = "",
    unit: str = "",
    seed: int = 0,
    level: float = CONFIDENCE,
) -> Dependence:
    """Profiles of the score, background efficiencies in bins and sculpting of one variable.

    The thresholds must not come from this background: those of a signal efficiency do not, so that the number that
    passes in a bin is binomial.

    Args:
        events: checked by `make_events`.
        variable: shape (n,), finite.
        points: (signal efficiency, threshold) of each working point.
        name, unit: carried into the record.
        seed: of the random parts.
        level: confidence of the intervals.

    Returns:
        One record. Bins hold about equal numbers of background, some 100 in a bin of the distributions.

    Raises:
        DataError: another shape, or a value that is not finite.

    Example:
        >>> from hepml.metrics import make_events
        >>> x = np.linspace(0, 1, 4000)
        >>> events = make_events(x, np.arange(4000) % 2)
        >>> found = score_dependence(events, x, [(0.5, 0.5)])
        >>> round(found.correlation[0], 3), round(float(found.distance[0]), 2) > found.distance_by_chance[0]
        (1.0, True)

    Source:
        J. Lin, IEEE Trans. Inf. Theory 37 (1991) 145; Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    x = np.asarray(variable, dtype=np.float64)
    if x.shape != events.score.shape or not np.isfinite(x).all():
        raise DataError(
            f"the variable {name!r} cannot be compared with the score",
            expected=f"{len(events)} finite numbers",
            found=f"shape {x.shape}, {int(np.count_nonzero(~np.isfinite(x)))} of them not finite",
        )
    own = events.label == 0
    v, w, score = x[own], events.weight[own], events.score[own]
    cuts = np.array([cut for _, cut in points])
    edges = _edges(v, 8 if len(v) >= 800 else 4)
    passes = score >= cuts[:, None]
    efficiency, lower, upper, count, passing = _efficiencies(v, w, passes, edges, level)
    fine = equal_count_edges(v, int(np.clip(len(v) // 100, 5, 20)))
    place = np.searchsorted(fine[1:-1], v, side="right")
    before, after = (
        _fractions(place, w, len(fine) - 1),
        np.stack([_fractions(place[p], w[p], len(fine) - 1) for p in passes]),
    )
    profiles = [_profile(x[events.label == c], *events.of(c), edges) for c in (0, 1)]
    return Dependence(
        name=name,
        unit=unit,
        edges=edges,
        mean_score=np.stack([one[0] for one in profiles]),
        mean_score_error=np.stack([one[1] for one in profiles]),
        signal_efficiency=np.array([target for target, _ in points]),
        threshold=cuts,
        background_efficiency=efficiency,
        lower=lower,
        upper=upper,
        count=count,
        passing=passing,
        fine_edges=fine,
        before=before,
        after=after,
        distance=np.array([jensen_shannon(before, one) for one in after]),
        distance_by_chance=_by_chance(place, w, passes.sum(axis=1), before, seed),
        correlation=(
            distance_correlation(v, score, w),
            distance_correlation(x[~own], events.score[~own], events.weight[~own]),
        ),
    )


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """The Jensen-Shannon distance, base 2, of two histograms, each divided by its sum; nan if one is empty.

    Example:
        >>> jensen_shannon([1, 1, 0], [0, 0, 5]), jensen_shannon([1, 3], [2, 6])
        (1.0, 0.0)

    Source:
        D. M. Endres, J. E. Schindelin, IEEE Trans. Inf. Theory 49 (2003) 1858.
    """
    a, b = (np.maximum(np.asarray(one, dtype=np.float64), 0.0) for one in (p, q))
    if not a.sum() > 0 or not b.sum() > 0:
        return float("nan")
    a, b = a / a.sum(), b / b.sum()
    middle = (a + b) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(one > 0, one * np.log2(one / middle), 0.0).sum() for one in (a, b)]
    return float(np.sqrt(max(0.0, sum(parts) / 2)))


def distance_correlation(x: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The squared distance correlation of two columns, as `hepml.training.disco` defines it.

    Args:
        x, y: shape (n,); beyond 8000 rows every k-th is taken.
        weight: shape (n,), taken by magnitude; ones if None.

    Returns:
        From 0 to 1; 0 where a column is constant. n independent rows give about 1/n.

    Example:
        >>> round(distance_correlation([1, 2, 3, 4], [2, 4, 6, 8]), 6)
        1.0

    Source:
        G. J. Szekely, M. L. Rizzo, N. K. Bakirov, Ann. Stat. 35 (2007) 2769; weights: arXiv:2001.05310.
    """
    a, b = (np.asarray(one, dtype=np.float64) for one in (x, y))
    w = np.ones(len(a)) if weight is None else np.abs(np.asarray(weight, dtype=np.float64))
    step = max(1, -(-len(a) // _PAIRED))
    a, b, w = a[::step], b[::step], w[::step]
    if not w.sum() > 0:
        return 0.0
    p = w / w.sum()
    rows = np.zeros((2, len(a)))
    means = np.zeros(3)  # of ab, aa, bb over all pairs
    for start in range(0, len(a), _BLOCK):
        part = slice(start, start + _BLOCK)
        da, db = (np.abs(one[part, None] - one[None, :]) for one in (a, b))
        rows[:, part] = da @ p, db @ p
        means += [p[part] @ ((first * second) @ p) for first, second in ((da, db), (da, da), (db, db))]
    totals = rows @ p
    pairs = ((0, 1), (0, 0), (1, 1))
    both, first, second = (
        mean - 2 * np.sum(p * rows[i] * rows[j]) + totals[i] * totals[j]
        for mean, (i, j) in zip(means, pairs, strict=True)
    )
    product = first * second
    return float(np.clip(both / np.sqrt(product), 0.0, 1.0)) if first > 1e-12 and second > 1e-12 else 0.0


def _edges(values: Floats, bins: int) -> Floats:
    """Edges of bins with about equal numbers, up to the 99 % quantile."""
    top = float(np.quantile(values, 0.99))
    edges = equal_count_edges(values[values <= top], bins)
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])


def _fractions(place: NDArray[np.int64], weight: Floats, bins: int) -> Floats:
    sums = np.bincount(place, weights=weight, minlength=bins)
    total = sums.sum()
    return np.asarray(sums / total if total > 0 else np.zeros(bins), dtype=np.float64)


def _by_chance(place: NDArray[np.int64], weight: Floats, sizes: NDArray[np.int64], before: Floats, seed: int) -> Floats:
    """95 % quantile of the distance of random parts of these sizes."""
    rng = np.random.default_rng(seed)
    drawn = np.full((_DRAWS, len(sizes)), np.nan)
    for one in drawn:
        shuffled = rng.permutation(len(place))
        for k, size in enumerate(sizes):
            chosen = shuffled[:size]
            one[k] = jensen_shannon(before, _fractions(place[chosen], weight[chosen], len(before)))
    known = np.isfinite(drawn).all(axis=0)
    return np.where(known, np.quantile(np.where(known, drawn, 0.0), 0.95, axis=0), np.nan)


def _binned(values: Floats, edges: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    place = np.searchsorted(edges, values, side="right") - 1
    inside = (place >= 0) & (place < len(edges) - 1)
    return np.where(inside, place, 0), inside


def _efficiencies(
    values: Floats, weight: Floats, passes: NDArray[np.bool_], edges: Floats, level: float
) -> tuple[Floats, Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    place, inside = _binned(values, edges)
    bins = len(edges) - 1
    count = np.bincount(place[inside], minlength=bins)
    passing = np.stack([np.bincount(place[inside & one], minlength=bins) for one in passes])
    if (weight == weight[0]).all():
        with np.errstate(invalid="ignore"):
            return (passing / count, *clopper_pearson(passing, count, level), count, passing)
    total, squares = (np.bincount(place[inside], w[inside], minlength=bins) for w in (weight, weight**2))
    sums = np.stack([np.bincount(place[inside & one], weight[inside & one], minlength=bins) for one in passes])
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = weighted_efficiency_interval(sums, np.broadcast_to(total, sums.shape), squares, level)
        return (np.where(total > 0, sums / total, np.nan), *ends, count, passing)


def _profile(values: Floats, score: Floats, weight: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Mean score by bin and its error."""
    place, inside = _binned(values, edges)
    bins = len(edges) - 1

    def sums(terms: Floats) -> Floats:
        return np.asarray(np.bincount(place[inside], terms[inside], minlength=bins), dtype=np.float64)

    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # weights of both signs may sum to almost 0
        mean = sums(weight * score) / sums(weight)
        squares = sums(weight**2 * (score - np.nan_to_num(mean)[place]) ** 2)
        return mean, np.sqrt(squares) / np.abs(sums(weight))
