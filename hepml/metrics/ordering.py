r"""The average decision ordering (ADO): do two functions put a signal and a background event in the same order?

.. math:: \mathrm{ADO}(f, g) = \frac{\sum_{i\in S, j\in B} w_i w_j\,\Theta\big((f_i - f_j)(g_i - g_j)\big)}
          {\sum_{i\in S, j\in B} w_i w_j}, \qquad \Theta(0) = \tfrac12

1 is the same order of all pairs, 0 the opposite one, 1/2 no relation. As the sign of a function has no meaning, a value
below 1/2 is folded to 1 - ADO. The pairs may be those that a third function h orders otherwise than g: what a network
still has to learn from another one.

Pairs are counted, not formed: a pair that both functions order alike is a dominance in two dimensions (O(n log n) with
a tree of sums), one within a subset a dominance in three (O(n log^2 n), by halving). For many f and one subset
`DisorderedPairs` keeps a bit for each pair in the words that are not zero, and f costs one pass over them.

**The error.** Pairs share events, so the value is a U-statistic of two samples, and its variance is that of the two
classes' placements, as for an AUC (DeLong): each event adds its own mean over its pairs. For two independent continuous
functions sigma = sqrt(1/n_S + 1/n_B)/6, much more than the 1/(2 sqrt(n_S n_B)) of independent pairs. Where pairs are
sampled it is the variance of the sum with pairs clustered by either event, the noise of the sampling included. It holds
for fixed functions and a fixed h. Folding lifts the mean of an unrelated f above 1/2, by 0.8 sigma.

Source:
    T. Faucett, J. Thaler, D. Whiteson, Phys. Rev. D 103 (2021) 036020, arXiv:2010.11998; E. L. Lehmann, Ann. Math.
    Stat. 22 (1951) 165; A. C. Cameron, J. B. Gelbach, D. L. Miller, J. Bus. Econ. Stat. 29 (2011) 238 (two clusters).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml import _core
from hepml.errors import DataError, check_whole
from hepml.metrics.bootstrap import repetitions
from hepml.metrics.delong import group_index
from hepml.metrics.results import Floats, ScoredEvents
from hepml.metrics.roc import effective_number, make_events

__all__ = ["DecisionOrdering", "DisorderedPairs", "average_decision_ordering"]

_BLOCK = 1 << 18  # pairs drawn at a time
_MOST_BITS = 1 << 36  # pairs that may have a bit: 8 GB if all differ, which no two networks do
_ROUNDS = 6


@dataclass(frozen=True)
class DecisionOrdering:
    """How two functions order pairs of a signal and a background event.

    Attributes:
        value: the average decision ordering, as it is: below 1/2 if the two mostly disagree.
        error: its standard deviation.
        folded: the larger of value and 1 - value.
        pairs: how many pairs were counted.
        total: how many there are: all, or those of the subset; None where the subset was not searched to its end.
        fraction: weight of the subset among all pairs, 1 without a subset; estimated where pairs are sampled.
        n_signal, n_background: events.
        fold: whether float() of this is `folded` rather than `value`.

    Example:
        >>> float(DecisionOrdering(0.25, 0.01, 0.75, 100, 100, 1.0, 10, 10, fold=True))
        0.75
    """

    value: float
    error: float
    folded: float
    pairs: int
    total: int | None
    fraction: float
    n_signal: int
    n_background: int
    fold: bool = True

    def __float__(self) -> float:
        return self.folded if self.fold else self.value


def average_decision_ordering(
    f: ArrayLike,
    g: ArrayLike,
    label: ArrayLike,
    weight: ArrayLike | None = None,
    n_pairs: int | None = None,
    *,
    against: ArrayLike | None = None,
    group: ArrayLike | None = None,
    fold: bool = True,
    seed: int = 0,
    bootstrap: int = 0,
) -> DecisionOrdering:
    """How often two functions put a signal and a background event in the same order.

    Args:
        f, g: values of the two functions, shape (n,), finite; any monotone change of one leaves the result alone.
        label: shape (n,), 1 signal, 0 background; both must occur.
        weight: shape (n,), finite, ones if None; a pair has the product.
        n_pairs: None counts all pairs exactly; a number takes so many of them at random, without repetition.
        against: a third function, shape (n,): only pairs that it orders otherwise than g are counted, those that
            neither it nor g leaves undecided.
        group: shape (n,), integers; events of one group are statistically related.
        fold: whether float() of the result is folded; the result holds both.
        seed: of sampled pairs and of the bootstrap.
        bootstrap: take the error from so many resampled sets of events; 0 computes it.

    Returns:
        Value, error and counts. An f that orders nothing gives exactly 1/2.

    Raises:
        DataError: shapes differ, a value is not finite (the array is named), a class is absent or has no positive
            weight, or no pair is ordered otherwise.

    Example:
        >>> found = average_decision_ordering([1, 2, 3, 4], [10, 30, 20, 40], [0, 0, 1, 1])
        >>> found.value, found.pairs, float(average_decision_ordering([4, 3, 2, 1], [1, 2, 3, 4], [0, 0, 1, 1]))
        (0.75, 4, 1.0)

    Source:
        T. Faucett, J. Thaler, D. Whiteson, Phys. Rev. D 103 (2021) 036020, arXiv:2010.11998, eq. 3.
    """
    if n_pairs is not None and check_whole("n_pairs", n_pairs) < 1:
        raise DataError(f"n_pairs cannot be {n_pairs}", expected="at least 1, or None for all pairs")
    if check_whole("seed", seed) < 0:
        raise DataError(f"seed cannot be {seed}", expected="0 or more")
    if check_whole("bootstrap", bootstrap) < 0:
        raise DataError(f"bootstrap cannot be {bootstrap}", expected="0 or more")
    functions = {"f": f, "g": g} if against is None else {"f": f, "g": g, "against": against}
    sample = _Sample(functions, label, weight, group, fold)
    found = _exact(sample) if n_pairs is None or n_pairs >= sample.all_pairs else _sampled(sample, n_pairs, seed)
    if bootstrap:
        found = DecisionOrdering(**{**vars(found), "error": _bootstrapped(sample, n_pairs, bootstrap, seed)})
    return found


class DisorderedPairs:
    """The pairs of a signal and a background event that two functions order differently, for many others to be tried.

    Args:
        g, against: values of the two functions, shape (n,), finite.
        label, weight, group: as for `average_decision_ordering`.

    Attributes:
        pairs: their number.
        fraction: their weight among all pairs.

    Raises:
        DataError: as `average_decision_ordering`; that no pair is ordered differently is an error of `order` only.

    Example:
        >>> some = DisorderedPairs([1, 2, 3, 4], [1, 3, 2, 4], [0, 1, 0, 1])
        >>> some.pairs, some.order([0, 5, 1, 2]), some.order([7, 7, 7, 7])
        (1, 0.0, 0.5)
    """

    def __init__(
        self,
        g: ArrayLike,
        against: ArrayLike,
        label: ArrayLike,
        weight: ArrayLike | None = None,
        group: ArrayLike | None = None,
    ) -> None:
        self._sample = _Sample({"g": g, "against": against}, label, weight, group, True)
        sample = self._sample
        equal = all((w == w[0]).all() for w in (sample.events.of(label)[1] for label in (0, 1)))
        self._bits = (
            _core.Disagreements(*sample.functions.values(), sample.label)
            if equal and sample.all_pairs <= _MOST_BITS
            else None
        )
        _, counted, weights = sample.within(sample.functions["g"])
        self.pairs = counted if self._bits is None else int(self._bits.size)
        own = sample.signal
        self.fraction = float(np.dot(sample.events.weight[own], weights[own])) / sample.all_weight

    def order(self, f: ArrayLike) -> float:
        """The average decision ordering of f and g on these pairs, not folded.

        Raises:
            DataError: there are no pairs; f is not finite or has another shape.
        """
        values = _function("f", f, len(self._sample.events))
        if self._bits is None:
            return _exact(self._sample.with_f(values)).value
        if not self.pairs:
            raise _nothing()
        order = np.argsort(values).astype(np.int64, copy=False)
        return 0.5 + 0.5 * float(self._bits.agreement(values, order)) / self.pairs

    def measure(self, f: ArrayLike) -> DecisionOrdering:
        """The same with its error."""
        return _exact(self._sample.with_f(_function("f", f, len(self._sample.events))))


class _Sample:
    """Checked functions and events."""

    def __init__(
        self,
        functions: dict[str, ArrayLike],
        label: ArrayLike,
        weight: ArrayLike | None,
        group: ArrayLike | None,
        fold: bool,
    ) -> None:
        first = np.asarray(next(iter(functions.values())))
        n = len(first) if first.ndim else 0
        self.functions = {name: _function(name, values, n) for name, values in functions.items()}
        self.events: ScoredEvents = make_events(np.zeros(n), label, weight, group)
        self.label = self.events.label.astype(np.uint8)
        self.signal, self.background = (np.flatnonzero(self.label == one) for one in (1, 0))
        self.all_pairs = len(self.signal) * len(self.background)
        self.all_weight = float(self.events.of(1)[1].sum() * self.events.of(0)[1].sum())
        self.fold = fold

    def with_f(self, f: Floats) -> _Sample:
        """The same events and pairs with another f."""
        other = object.__new__(_Sample)
        other.__dict__.update(self.__dict__)
        other.functions = {**self.functions, "f": f}
        return other

    def within(self, f: Floats) -> tuple[Floats, int, Floats]:
        """For each event sums over its pairs: of weights and signs, and of weights; and how many pairs there are."""
        functions, weight = self.functions, self.events.weight
        if "against" not in functions:
            signs = _core.ordering_agreement(f, functions["g"], self.label, weight)
            sums = np.array([weight[self.signal].sum(), weight[self.background].sum()])[self.label]
            return signs, self.all_pairs, sums
        others = functions["g"], functions["against"], self.label
        signs, weights = _core.ordering_within(f, *others, weight)
        plain = weights if (weight == 1).all() else _core.ordering_within(f, *others, np.ones(len(weight)))[1]
        return signs, round(plain[self.signal].sum()), weights

    def result(self, value: float, error: float, pairs: int, total: int | None, fraction: float) -> DecisionOrdering:
        """A record."""
        sizes = len(self.signal), len(self.background)
        return DecisionOrdering(value, error, max(value, 1 - value), pairs, total, fraction, *sizes, self.fold)


def _function(name: str, values: ArrayLike, n: int) -> Floats:
    given = np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise DataError(f"the array {name!r} holds no real numbers", found=f"dtype {given.dtype}")
    array = np.ascontiguousarray(given, dtype=np.float64)
    if array.ndim != 1 or len(array) != n:
        raise DataError(f"wrong shape of the array {name!r}", expected=f"({n or 'n'},)", found=array.shape)
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise DataError(
            f"the array {name!r} holds values that are not finite",
            found=f"{bad} of {n}",
            fix="leave these events out, or look why the function gives them",
        )
    return array


def _nothing() -> DataError:
    return DataError("no pair is ordered otherwise", fix="the two functions agree: there is nothing left to tell them")


def _exact(sample: _Sample) -> DecisionOrdering:
    signs, pairs, weights = sample.within(sample.functions["f"])
    if not pairs:
        raise _nothing()
    w, signal = sample.events.weight, sample.signal
    total = float(np.dot(w[signal], weights[signal]))
    if not total > 0:
        raise DataError("the pairs have no positive total weight", found=f"{total:g} of {pairs} pairs")
    mean = float(np.dot(w[signal], signs[signal])) / total
    phi = 0.5 * w * (signs - mean * weights) / total
    for own in (signal, sample.background):
        n = effective_number(w[own])
        phi[own] *= math.sqrt(n / (n - 1)) if n > 1 else 0.0
    value = 0.5 + 0.5 * mean
    index = group_index(sample.events.group)
    error = math.sqrt(_squares(phi, index))
    alone = min(np.count_nonzero(weights[own]) for own in (signal, sample.background)) < 2
    if alone or (index is not None and index.max() == 0):
        error = math.nan  # one event or one group tells nothing of the scatter
    return sample.result(value, error, pairs, pairs, total / sample.all_weight)


def _squares(phi: Floats, index: NDArray[np.int64] | None) -> float:
    sums = phi if index is None else np.bincount(index, weights=phi)
    return float(np.dot(sums, sums))


def _bootstrapped(sample: _Sample, n_pairs: int | None, n: int, seed: int) -> float:
    """Standard deviation over resampled events: an event that was drawn twice counts twice."""
    values: list[float] = []
    for counts in repetitions(sample.events, n, seed):
        rows = np.repeat(np.arange(len(counts)), counts)
        if len(set(sample.label[rows].tolist())) < 2:  # whole groups are drawn, and all were of one class
            continue
        functions: dict[str, ArrayLike] = {name: one[rows] for name, one in sample.functions.items()}
        drawn = _Sample(functions, sample.label[rows], sample.events.weight[rows], None, sample.fold)
        if not drawn.within(drawn.functions["f"])[1]:  # as rare pairs are in some replicas
            continue
        values.append((_exact(drawn) if n_pairs is None else _sampled(drawn, n_pairs, seed + len(values))).value)
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def _sampled(sample: _Sample, n_pairs: int, seed: int) -> DecisionOrdering:
    """Pairs in a random order, without repetition, until there are enough or no more."""
    f, g, against = sample.functions["f"], sample.functions["g"], sample.functions.get("against")
    kept: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    seen = found = 0
    weight, seen_weight = sample.events.weight, 0.0
    for i, j in _random_pairs(len(sample.signal), len(sample.background), seed):
        s, b = sample.signal[i], sample.background[j]
        if against is not None:
            wanted = np.flatnonzero(np.sign(g[s] - g[b]) * np.sign(against[s] - against[b]) < 0)
            last = int(wanted[n_pairs - found - 1]) + 1 if len(wanted) >= n_pairs - found else len(s)
            s, b = s[wanted], b[wanted]
        else:
            last = min(len(s), n_pairs - found)
        seen_weight += float(np.dot(weight[sample.signal[i[:last]]], weight[sample.background[j[:last]]]))
        s, b = s[: n_pairs - found], b[: n_pairs - found]
        kept.append((s, b))
        seen, found = seen + last, found + len(s)
        if found == n_pairs:
            break
    if not found:
        raise _nothing()
    s, b = (np.concatenate([one[k] for one in kept]) for k in (0, 1))
    w = weight[s] * weight[b]
    total = float(w.sum())
    if not total > 0:
        raise DataError("the pairs that were drawn have no positive total weight", fix="draw more of them")
    ordered = 0.5 + 0.5 * np.sign(f[s] - f[b]) * np.sign(g[s] - g[b])
    value = float(np.dot(w, ordered)) / total
    rest = w * (ordered - value) / total
    index = group_index(sample.events.group)
    clusters = np.arange(len(sample.events)) if index is None else index
    both = sum(float(np.dot(one, one)) for one in (np.bincount(clusters[events], rest) for events in (s, b)))
    error = math.sqrt(max(both - float(np.dot(rest, rest)), 0.0))
    whole = seen == sample.all_pairs
    known = sample.all_pairs if against is None else found if whole else None
    return sample.result(value, error, found, known, 1.0 if against is None else total / seen_weight)


def _random_pairs(n_first: int, n_second: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs in a random order, some at a time: a permutation by a Feistel network, which needs no memory."""
    total = n_first * n_second
    half = np.uint64(max(1, -(-(total - 1).bit_length() // 2)))
    mask = np.uint64((1 << int(half)) - 1)
    keys = np.random.default_rng(seed).integers(0, 1 << 63, _ROUNDS, dtype=np.uint64)

    def mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = x >> half, x & mask
        for key in keys:
            y = (right ^ key) * np.uint64(0x9E3779B97F4A7C15)
            y = (y ^ (y >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((y ^ (y >> np.uint64(32))) & mask)
        return (left << half) | right

    for start in range(0, 1 << (2 * int(half)), _BLOCK):  # every pair has its place, those beyond the total are none
        x = mixed(np.arange(start, min(start + _BLOCK, 1 << (2 * int(half))), dtype=np.uint64))
        i, j = np.divmod(x[x < np.uint64(total)].astype(np.int64), n_second)
        yield i, j
