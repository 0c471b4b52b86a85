"""What a variation changes: efficiency and rejection of the same events at thresholds that stay.

The thresholds are those of the nominal sample. Both scores of a candidate move together, so most of the statistical
error of two separate samples cancels in their difference: the error comes from the candidates that cross a threshold
alone. Efficiencies are resampled with nominal and varied score of a candidate kept together; the numbers of candidates
that crossed are given as they are. A candidate that one of the selections loses has no score there: it counts in
neither numerator nor denominator of that side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.metrics.bootstrap import repetitions
from hepml.metrics.delong import auc_difference, auc_error
from hepml.metrics.intervals import clopper_pearson, percentile_interval, weighted_efficiency_interval
from hepml.metrics.results import CONFIDENCE, Floats, ScoredEvents
from hepml.metrics.roc import make_events

__all__ = ["Change", "Systematic", "score_changes"]


@dataclass(frozen=True)
class Change:
    """What a variation does to one class at one threshold.

    Attributes:
        nominal, varied: fraction of the candidates that pass.
        change: of the signal: varied - nominal; of the background: rejection varied / nominal - 1 (nan if nothing
            passes in either).
        lower, upper: 68 % interval of the change.
        moved_in, moved_out: candidates of both selections that pass only after, only before; None if other events
            were compared.
    """

    nominal: float
    varied: float
    change: float
    lower: float
    upper: float
    moved_in: int | None = None
    moved_out: int | None = None


@dataclass(frozen=True)
class Systematic:
    """A variation and what it changes.

    Attributes:
        name: the variation.
        paired: whether the same events were compared.
        candidates: "repeat" if the selection was made again, "keep" if candidates and their cells were kept.
        n_signal, n_background: varied candidates.
        lost, gained: (signal, background) candidates of only the nominal, of only the varied selection; None if
            other events were compared.
        signal_efficiency, threshold: of each working point, of the nominal sample.
        signal, background: the change at each working point; rejection = 1 / fraction that passes.
        auc_change, auc_error: of the candidates of both selections, varied minus nominal, and its (DeLong) error.
    """

    name: str
    paired: bool
    candidates: str
    n_signal: int
    n_background: int
    lost: tuple[int, int] | None
    gained: tuple[int, int] | None
    signal_efficiency: tuple[float, ...]
    threshold: tuple[float, ...]
    signal: tuple[Change, ...]
    background: tuple[Change, ...]
    auc_change: float
    auc_error: float


def score_changes(
    nominal: ArrayLike,
    varied: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    group: NDArray[np.uint64] | None = None,
    *,
    points: Sequence[tuple[float, float]],
    name: str = "",
    candidates: str = "repeat",
    paired: bool = True,
    n: int = 1000,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> Systematic:
    """The change of efficiency and rejection between two scores of the same events.

    Args:
        nominal, varied: scores, shape (n,); NaN where the candidate is not selected. If other events are compared, each
            row has one of the two.
        label, weight, group: as in `make_events`.
        points: (signal efficiency, threshold) of each working point.
        name, candidates, paired: carried into the record.
        n, seed: bootstrap replicas and their seed.
        level: confidence of the intervals, made by bootstrap. Where no candidate crossed, the interval is what 0 of
            all candidates (Clopper-Pearson) allows, in both directions; where no background passes any more, it goes
            from the bound that 0 of all gives to infinity. For other events the ends of both Clopper-Pearson
            intervals are added in quadrature (of the logarithm, for the rejection).

    Returns:
        One record.

    Raises:
        DataError: a class has no candidate in one of the two.

    Example:
        >>> both = score_changes([0.1, 0.6, 0.4, 0.8], [0.1, 0.4, 0.6, 0.9], [0, 0, 1, 1], points=[(0.5, 0.5)], n=50)
        >>> both.signal[0].nominal, both.signal[0].change, both.signal[0].moved_in
        (0.5, 0.5, 1)

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; pairs as in Q. McNemar, Psychometrika 12
        (1947) 153; Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    scores = np.stack([np.asarray(one, dtype=np.float64) for one in (nominal, varied)])
    selected = ~np.isnan(scores)
    found = [make_events(np.zeros(int(one.sum())), *_rows(one, label, weight)) for one in selected]  # both classes
    events = make_events(np.zeros(scores.shape[1]), label, weight, group)
    cuts = np.array([cut for _, cut in points])
    passes = selected[:, None] & (scores[:, None] >= cuts[:, None])  # NaN passes nothing
    counted = np.concatenate([selected[:, None], passes], axis=1).reshape(-1, len(events))
    weights = np.where(events.label == [[0.0], [1.0]], events.weight, 0.0)
    numbers = (weights[:, None] * counted).reshape(-1, len(events))
    sums = numbers.sum(axis=1).reshape(2, -1)
    drawn = np.empty((n if paired else 1, 2, numbers.shape[0] // 2))
    for replica, counts in zip(drawn, repetitions(events, len(drawn), seed), strict=True):
        replica[:] = (numbers @ counts).reshape(replica.shape)
    changes = {}
    for code in (1, 0):
        value, efficiency = _change(sums[code], code), _efficiencies(sums[code])
        bounds = _bounds(numbers.reshape(2, 2, -1, len(events))[code], level)
        common = (events.label == code) & selected.all(axis=0)
        moved = [(common & passes[side] & ~passes[1 - side]).sum(axis=1) for side in (1, 0)]
        if paired:
            ends = percentile_interval(_change(drawn[:, code], code), level)
            still = clopper_pearson(0, max(1, int(common.sum())), level)[1] * np.ones(len(points))
            ends = _repaired(ends, value, efficiency, (bounds[1, 1], still, moved[0] + moved[1]), code)
        else:
            ends = _apart(efficiency, bounds, code)
        crossed = np.stack(moved, axis=1).tolist() if paired else [(None, None)] * len(points)
        numbers_of = np.stack([*efficiency, value, *ends], axis=1).tolist()
        changes[code] = tuple(Change(*row, *pair) for row, pair in zip(numbers_of, crossed, strict=True))
    only = [[int((selected[i] & ~selected[1 - i] & (events.label == code)).sum()) for code in (1, 0)] for i in (0, 1)]
    return Systematic(
        name=name,
        paired=paired,
        candidates=candidates,
        n_signal=int((found[1].label == 1).sum()),
        n_background=int((found[1].label == 0).sum()),
        lost=(only[0][0], only[0][1]) if paired else None,
        gained=(only[1][0], only[1][1]) if paired else None,
        signal_efficiency=tuple(float(target) for target, _ in points),
        threshold=tuple(float(cut) for cut in cuts),
        signal=changes[1],
        background=changes[0],
        **_areas(scores, selected, events, paired),
    )


def _rows(mask: NDArray[np.bool_], label: ArrayLike, weight: ArrayLike | None) -> tuple[ArrayLike, ArrayLike | None]:
    return np.asarray(label)[mask], None if weight is None else np.asarray(weight)[mask]


def _efficiencies(sums: Floats) -> Floats:
    """Nominal and varied from the sums (selected, passing ...) of both, one after the other; shape (..., 2, points)."""
    half = sums.reshape(*sums.shape[:-1], 2, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(half[..., 1:] / half[..., :1], dtype=np.float64)


def _change(sums: Floats, code: int) -> Floats:
    both = _efficiencies(sums)
    if code == 1:
        return np.asarray(both[..., 1, :] - both[..., 0, :], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(both[..., 0, :] / both[..., 1, :] - 1.0, dtype=np.float64)


def _bounds(numbers: Floats, level: float) -> Floats:
    """Clopper-Pearson ends of both efficiencies, shape (2, 2 ends, points), from weights (2, 1 + points, n)."""
    passing, total = numbers[:, 1:].sum(axis=2), numbers[:, :1].sum(axis=2)
    return np.stack(weighted_efficiency_interval(passing, total, (numbers[:, :1] ** 2).sum(axis=2), level), axis=1)


def _repaired(
    ends: tuple[Floats, Floats], value: Floats, efficiency: Floats, exact: tuple[Floats, Floats, Any], code: int
) -> tuple[Floats, Floats]:
    """The ends of bootstrap intervals where replicas cannot tell: nothing crossed, or no background passes any more."""
    highest, still, crossed = exact
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = still if code == 1 else still / efficiency[0]
        emptied = efficiency[0] / highest - 1.0
    quiet = (crossed == 0) & (ends[0] == ends[1])
    low, high = np.where(quiet, value - reach, ends[0]), np.where(quiet, value + reach, ends[1])
    none = (efficiency[1] == 0) & (efficiency[0] > 0) & (code == 0)
    return np.where(none, emptied, low), np.where(none, np.inf, high)


def _apart(efficiency: Floats, bounds: Floats, code: int) -> tuple[Floats, Floats]:
    """Ends of the change between independent efficiencies (2, points), from their own ends (2, 2 ends, points)."""
    (old, new), ((old_low, old_high), (new_low, new_high)) = efficiency, bounds
    if code == 1:
        down, up = np.hypot(new - new_low, old_high - old), np.hypot(new_high - new, old - old_low)
        return new - old - down, new - old + up
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.hypot(np.log(new_high / new), np.log(old / old_low))
        up = np.hypot(np.log(new / new_low), np.log(old_high / old))
        some = (new > 0) & (old > 0)
        low = np.where(some, old / new * np.exp(-down), old_low / new_high)
        return low - 1.0, np.where(some, old / new * np.exp(up), old_high / new_low) - 1.0


def _areas(scores: Floats, selected: NDArray[np.bool_], events: ScoredEvents, paired: bool) -> dict[str, float]:
    if paired:
        both = np.flatnonzero(selected.all(axis=0))
        sides = [ScoredEvents(scores[i, both], *_of(events, both)) for i in (1, 0)]
        if len(np.unique(sides[0].label)) < 2:
            raise DataError("the selections share no candidates of one of the classes")
        difference, error, *_ = auc_difference(*sides)
        return {"auc_change": float(difference), "auc_error": float(error)}
    areas = []
    for i in (1, 0):
        rows = np.flatnonzero(selected[i])
        areas.append(auc_error(ScoredEvents(scores[i, rows], *_of(events, rows))))
    return {"auc_change": areas[0].value - areas[1].value, "auc_error": float(np.hypot(areas[0].error, areas[1].error))}


def _of(events: ScoredEvents, rows: NDArray[np.int64]) -> tuple[Floats, Floats, NDArray[np.uint64] | None]:
    chosen = events.take(rows)
    return chosen.label, chosen.weight, chosen.group
