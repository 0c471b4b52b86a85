"""Decision trees grown as TMVA grows them: cuts on a grid between the extremes of each node's events."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.writing.trees import Grown

__all__ = ["SEPARATIONS", "Grower", "Sample", "leaves_of"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]
_LEAST = math.sqrt(np.finfo(np.float64).eps)  # gains below it are none
_REGRESSION = -99  # type of a leaf of a regression tree


def _gini(s: Array, b: Array) -> Array:
    out: Array = s * b / (s + b) ** 2
    return out


def _laplace(s: Array, b: Array) -> Array:
    out: Array = (s + 1) * (b + 1) / (s + b + 2) ** 2
    return out


def _entropy(s: Array, b: Array) -> Array:
    p = s / (s + b)
    out: Array = -p * np.log(p) - (1 - p) * np.log(1 - p)
    return out


def _wrong(s: Array, b: Array) -> Array:
    p = s / (s + b)
    out: Array = 1.0 - np.maximum(p, 1.0 - p)
    return out


def _significance(s: Array, b: Array) -> Array:
    out: Array = s / np.sqrt(s + b)
    return out


# index of a node from its sums of signal and background, and whether it is 0 for a node of one class
SEPARATIONS: dict[str, tuple[Callable[[Array, Array], Array], bool]] = {
    "GiniIndex": (_gini, True),
    "CrossEntropy": (_entropy, True),
    "GiniIndexWithLaplace": (_laplace, True),
    "MisClassificationError": (_wrong, True),
    "SDivSqrtSPlusB": (_significance, False),
}


@dataclass(frozen=True)
class Sample:
    """Events to grow a tree on.

    Attributes:
        x: float32 (n, variables).
        weights: (n,).
        signal: bool (n,), the class whose purity nodes have.
        target: (n,) of a regression tree, else None.
    """

    x: NDArray[np.float32]
    weights: Array
    signal: NDArray[np.bool_]
    target: Array | None = None


@dataclass
class _Nodes:
    feature: list[int] = field(default_factory=list)
    cut: list[np.float32] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    response: list[float] = field(default_factory=list)
    rms: list[float] = field(default_factory=list)
    purity: list[float] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    passes: list[bool] = field(default_factory=list)
    risk: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Grower:
    """TMVA's options of a tree.

    Attributes:
        depth: at most.
        smallest: part of the events of the tree that a node has at least, unweighted and weighted.
        cuts: on the grid of each variable; whole-numbered variables (`whole`) have one for each value.
        separation: of `SEPARATIONS`; not used with targets.
        purity: limit above which a leaf is signal.
        choose: gives the variables that a node may use; None for all.
    """

    depth: int
    smallest: float
    cuts: int
    separation: str
    purity: float
    whole: NDArray[np.bool_]
    choose: Callable[[], Index] | None = None

    def grow(self, sample: Sample) -> Grown:
        """One tree."""
        nodes = _Nodes()
        least = self.smallest * len(sample.x)
        waiting: list[tuple[Index, int, int, bool]] = [(np.arange(len(sample.x)), 0, -1, False)]
        while waiting:
            events, depth, parent, right = waiting.pop()
            here = self._node(nodes, sample, events)
            if parent >= 0:
                (nodes.right if right else nodes.left)[parent] = here
            found = self._best(sample, events, least) if self._divisible(sample, events, depth, least) else None
            if found is None:
                continue
            variable, cut, signal_below = found
            above = sample.x[events, variable] >= cut
            goes_right = above if signal_below else ~above
            if goes_right.all() or not goes_right.any():
                continue
            nodes.feature[here], nodes.cut[here], nodes.passes[here] = variable, cut, signal_below
            waiting += [(events[~goes_right], depth + 1, here, False), (events[goes_right], depth + 1, here, True)]
        return _grown(nodes, sample.target is not None)

    def _node(self, nodes: _Nodes, sample: Sample, events: Index) -> int:
        """A leaf of these events."""
        w = sample.weights[events]
        total, signal = float(w.sum()), float(w[sample.signal[events]].sum())
        purity = float(np.float32(signal) / (np.float32(signal) + np.float32(total - signal))) if total > 0 else 0.5
        mean, rms = -99.0, 0.0
        if sample.target is not None:
            t = sample.target[events]
            mean = float((w * t).sum() / total) if total else 0.0
            rms = math.sqrt(max(0.0, float((w * t * t).sum() / total) - mean * mean)) if total else 0.0
        nodes.feature.append(-1)
        nodes.cut.append(np.float32(0))
        nodes.left.append(0)
        nodes.right.append(0)
        nodes.response.append(mean)
        nodes.rms.append(rms)
        nodes.risk.append(total * rms * rms if sample.target is not None else _risk(signal, total, self.separation))
        nodes.purity.append(purity)
        nodes.kind.append(_REGRESSION if sample.target is not None else 1 if purity > self.purity else -1)
        nodes.passes.append(True)
        return len(nodes.feature) - 1

    def _divisible(self, sample: Sample, events: Index, depth: int, least: float) -> bool:
        w = sample.weights[events]
        total = float(w.sum())
        if depth >= self.depth or len(events) < 2 * least or total < 2 * least or len(events) < 2:
            return False
        if sample.target is not None:
            return total != 0
        signal = w[sample.signal[events]]
        return signal.sum() != 0 and len(signal) < len(w) and total - signal.sum() != 0

    def _best(self, sample: Sample, events: Index, least: float) -> tuple[int, np.float32, bool] | None:
        """Variable, cut, and whether the side below it has the larger part of the signal."""
        best_gain, best = -1.0, None
        w, signal = sample.weights[events], sample.signal[events]
        variables = np.arange(sample.x.shape[1]) if self.choose is None else np.sort(self.choose())
        for variable in variables.tolist():
            x = sample.x[events, variable].astype(np.float64)
            low, high = float(x.min()), float(x.max())
            if high - low < np.finfo(np.float64).eps:
                continue
            bins = int(high - low) + 1 if self.whole[variable] else self.cuts + 1
            width = 1.0 if self.whole[variable] else (high - low) / bins
            at = np.clip((1.0 / width * (x - low)).astype(np.int64), 0, bins - 1)

            def summed(values: Array | None, at: Index = at, bins: int = bins) -> Array:
                return np.cumsum(np.bincount(at, values, bins))

            count, weight = summed(None), summed(w)
            allowed = (count >= least) & (count[-1] - count >= least)
            allowed &= (weight >= least) & (weight[-1] - weight >= least)
            allowed[-1] = False
            if not allowed.any():
                continue
            below = summed(np.where(signal, w, 0.0))
            if sample.target is None:
                gain = _separation_gain(below, weight - below, self.separation)
            else:
                t = sample.target[events]
                gain = _variance_gain(weight, summed(w * t), summed(w * t * t))
            gain = np.where(allowed, gain, -1.0)
            place = int(np.argmax(gain))
            if gain[place] > best_gain:
                best_gain = float(gain[place])
                share = below[place] * (weight[-1] - below[-1]) > (weight[place] - below[place]) * below[-1]
                best = variable, np.float32(low + (place + 1) * width), bool(share) or sample.target is not None
        return best if best_gain >= np.finfo(np.float64).eps else None


def _separation_gain(s: Array, b: Array, name: str) -> Array:
    """Of cuts with s and b below; the last are all."""
    index, pure = SEPARATIONS[name]

    def weighted(s: Array, b: Array) -> Array:
        total = s + b
        with np.errstate(all="ignore"):
            values = total * index(s, b)
        empty = (total <= 0) | ((s <= 0) | (b <= 0) if pure else False)
        return np.where(empty, 0.0, values)

    out: Array = weighted(s[-1:], b[-1:]) - weighted(s[-1] - s, b[-1] - b) - weighted(s, b)
    return np.where(out < _LEAST, 0.0, out)


def _risk(signal: float, total: float, name: str) -> float:
    index, pure = SEPARATIONS[name]
    if total <= 0 or (pure and not 0 < signal < total):
        return 0.0
    return total * float(index(np.array(signal), np.array(total - signal)))


def _variance_gain(n: Array, t: Array, t2: Array) -> Array:
    """As `_separation_gain`, of sums of weights, targets and their squares."""

    def spread(n: Array, t: Array, t2: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.where(n > 0, t2 - t * t / n, 0.0)

    whole = spread(n[-1:], t[-1:], t2[-1:])
    parts = spread(n[-1] - n, t[-1] - t, t2[-1] - t2) + spread(n, t, t2)
    with np.errstate(all="ignore"):
        return np.where(whole > 0, (whole - parts) / whole, 0.0)


def _grown(nodes: _Nodes, regression: bool) -> Grown:
    return Grown(
        feature=np.array(nodes.feature, np.int64),
        cut=np.array(nodes.cut, np.float32),
        left=np.array(nodes.left, np.int64),
        right=np.array(nodes.right, np.int64),
        response=np.array(nodes.response, np.float32).astype(np.float64) if regression else None,
        purity=np.array(nodes.purity),
        kind=np.array(nodes.kind, np.int64),
        passes=np.array(nodes.passes, bool),
        rms=np.array(nodes.rms) if regression else None,
        risk=np.array(nodes.risk),
    )


def leaves_of(tree: Grown, x: NDArray[np.float32]) -> Index:
    """The leaf of each event."""
    node = np.zeros(len(x), np.int64)
    rows = np.arange(len(x))
    while True:
        feature = tree.feature[node]
        inner = feature >= 0
        if not inner.any():
            return node
        above = x[rows, np.maximum(feature, 0)] >= tree.cut[node]
        following = np.where(above == tree.passes[node], tree.right[node], tree.left[node])
        node = np.where(inner, following, node)
