"""TMVA's boosting: trees one after the other, on events that the ones before have weighted, or on what they left."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.fitting.growing import Grower, Sample, leaves_of
from tmva_bridge.fitting.pruning import pruned
from tmva_bridge.splitting import Random
from tmva_bridge.writing.trees import Grown

__all__ = ["Boosting", "Events", "Forest", "boost", "poisson"]

Array = NDArray[np.float64]
_SEED, _SEED_STEP = 1234, 100  # of the bagging, by trees that are there
_TRANSITION = 0.7  # quantile of residuals beyond which a gradient is constant


@dataclass(frozen=True)
class Boosting:
    """TMVA's options.

    Attributes:
        kind: "AdaBoost", "AdaBoostR2", "Bagging" or "Grad".
        trees: their number, of each class.
        beta: AdaBoostBeta; shrinkage: of Grad; loss: of AdaBoostR2.
        bagged: BaggedSampleFraction, or None.
        yes_no: whether leaves vote +1 and -1.
        inverse: whether negative weights are divided where positive ones are multiplied.
        fraction: signal to background.
        pruned: part of the pruning sequence that is carried out.
    """

    kind: str
    trees: int
    beta: float
    shrinkage: float
    loss: str
    bagged: float | None
    yes_no: bool
    inverse: bool
    fraction: float
    pruned: float = 0.0


@dataclass(frozen=True)
class Forest:
    """Trees and their weights."""

    trees: list[Grown]
    weights: list[float]


class _Bag:
    """Events drawn for each tree: all of them, or each a number of times that follows Poisson's law."""

    def __init__(self, count: int, fraction: float | None) -> None:
        self.count, self.fraction = count, fraction

    def draw(self, trees: int) -> NDArray[np.int64]:
        """How often each event counts for the next tree."""
        if self.fraction is None:
            return np.ones(self.count, np.int64)
        return poisson(Random(_SEED_STEP * trees + _SEED), self.fraction, self.count)


def poisson(random: Random, mean: float, count: int) -> NDArray[np.int64]:
    """ROOT's PoissonD: how many factors, each from 0 to 1, keep a product above exp(-mean)."""
    limit = math.exp(-mean)
    out = np.empty(count, np.int64)
    numbers: list[float] = []
    at = 0
    for i in range(count):
        n, product = -1, 1.0
        while True:
            if at == len(numbers):
                numbers, at = random.uniform(4096).tolist(), 0
            n += 1
            product *= numbers[at]
            at += 1
            if product <= limit:
                break
        out[i] = n
    return out


@dataclass(frozen=True)
class Events:
    """What a forest is trained on.

    Attributes:
        x: float32 (n, variables).
        weights: (n,).
        classes: (n,); 0 is the signal's.
        targets: (n,) of a regression, else None.
    """

    x: NDArray[np.float32]
    weights: Array
    classes: NDArray[np.int32]
    targets: Array | None = None


def boost(how: Boosting, grower: Grower, events: Events) -> Forest:
    """A forest. Raises DataError for weights of a class that do not add up to more than 0."""
    x, weights, classes, targets = events.x, events.weights, events.classes, events.targets
    signal = classes == 0
    scale = np.ones(len(x))
    if targets is None:
        sums = [float(weights[mask].sum()) for mask in (signal, ~signal)]
        if min(sums) <= 0:
            raise DataError("a class whose weights do not add up to more than 0", expected="positive sums", found=sums)
        scale = np.where(signal, how.fraction / sums[0], 1 / sums[1]) * len(x) / (1 + how.fraction)
    run = _Run(how, grower, x, weights * scale, signal, classes, targets)
    if how.kind == "Grad":
        return run.gradient_regression() if targets is not None else run.gradient(int(classes.max()) + 1)
    return run.adaptive()


@dataclass
class _Run:
    how: Boosting
    grower: Grower
    x: NDArray[np.float32]
    weights: Array
    signal: NDArray[np.bool_]
    classes: NDArray[np.int32]
    targets: Array | None

    def _tree(self, counts: NDArray[np.int64], target: Array | None, signal: NDArray[np.bool_] | None = None) -> Grown:
        """A tree on the events that were drawn, each as often as it was."""
        drawn = np.repeat(np.arange(len(self.x)), counts)
        if not len(drawn):
            raise DataError("no event was drawn for a tree", expected="a larger BaggedSampleFraction, or more events")
        goal = None if target is None else target[drawn]
        mine = self.signal if signal is None else signal
        return self.grower.grow(Sample(self.x[drawn], self.weights[drawn], mine[drawn], goal))

    def adaptive(self) -> Forest:
        """AdaBoost, AdaBoostR2 and Bagging."""
        bag = _Bag(len(self.x), self.how.bagged)
        counts = bag.draw(0)
        forest = Forest([], [])
        while len(forest.trees) < self.how.trees:
            tree = self._tree(counts, self.targets)
            if self.how.yes_no:
                tree = _cleaned(tree, self.grower.purity)
            weight = 1.0 if self.how.kind == "Bagging" else self._adapted(tree, counts)
            forest.trees.append(pruned(tree, self.how.pruned, self.grower.purity))  # weights are from before
            forest.weights.append(max(weight, 0.0))
            if not weight > 0:
                break
            counts = bag.draw(len(forest.trees))
        if len(forest.trees) > 1 and forest.weights[-1] == 0:
            forest.trees.pop()
            forest.weights.pop()
        return forest

    def _adapted(self, tree: Grown, counts: NDArray[np.int64]) -> float:
        """The weight of a tree; changes the weights of the events, as often as they were drawn."""
        leaf = leaves_of(tree, self.x)
        w = self.weights
        total = float((w * counts).sum())
        if self.targets is not None and tree.response is not None:
            missed = np.abs(tree.response[leaf] - self.targets)
            largest = float(missed[counts > 0].max())
            if largest == 0:
                return 0.0
            error = float((w * _LOSSES[self.how.loss](missed / largest) * counts).sum()) / total
            error = min(error, 0.5)
            weight = math.log((1 - error) / error)
            factor = (error / (1 - error)) ** (1 - missed / largest)
        elif self.how.yes_no:
            wrong = (tree.kind[leaf] > 0) != self.signal
            weight = self._log_odds(float((w * wrong * counts).sum()) / total)
            factor = np.where(wrong, math.exp(min(weight, 700.0)), 1.0)
        else:
            side = np.where(self.signal, 1.0, -1.0)
            vote = 2 * (tree.purity[leaf] - 0.5)
            error = float((w * np.abs(side - vote) / 2 * counts).sum()) / total
            weight = self._log_odds(error)
            factor = np.exp(-weight * side * vote)
        if self.how.inverse:
            factor = np.where(w > 0, factor, 1 / factor)
        raised = sum(w * factor ** np.minimum(k, counts) * (k <= counts) for k in range(1, int(counts.max()) + 1))
        norm = float(counts.sum()) / float(np.sum(raised))
        scale = np.where(self.signal & (self.targets is None), norm * self.how.fraction, norm)
        self.weights = w * factor**counts * scale**counts
        return weight

    def _log_odds(self, error: float) -> float:
        error = min(max(abs(error), 1e-300), 0.5)
        return math.log((1 - error) / error) * self.how.beta

    def gradient(self, outputs: int) -> Forest:
        """Gradient boosting of the binomial or, with more than two classes, multinomial deviance."""
        several = outputs > 2
        sums = np.zeros((len(self.x), outputs if several else 1))
        members = [self.classes == k for k in range(outputs if several else 1)]
        goals = [(mask - (1 / outputs if several else 0.5)).astype(np.float32).astype(np.float64) for mask in members]
        bag = _Bag(len(self.x), self.how.bagged)
        counts = bag.draw(0)
        forest = Forest([], [])
        for _ in range(self.how.trees):
            for k in range(len(members)):
                tree = self._tree(counts, goals[0], members[k])  # TMVA divides all classes by the first one's goals
                leaf = leaves_of(tree, self.x)
                tree = self._answered(tree, leaf, goals[k], counts, outputs)
                sums[:, k] += np.asarray(tree.response)[leaf]
                forest.trees.append(tree)
                forest.weights.append(1.0)
                counts = bag.draw(len(forest.trees))
            for k, mask in enumerate(members):
                with np.errstate(over="ignore"):
                    if several:
                        share = 1 / np.exp(sums - sums[:, [k]]).sum(axis=1)
                    else:
                        share = 1 / (1 + np.exp(-2 * sums[:, 0]))
                goals[k] = (mask - share).astype(np.float32).astype(np.float64)
        return forest

    def _answered(
        self, tree: Grown, leaf: NDArray[np.int64], goal: Array, counts: NDArray[np.int64], outputs: int
    ) -> Grown:
        """The tree with the step of each leaf."""
        w = self.weights
        top = np.bincount(leaf, goal * w * counts, len(tree.feature))
        bottom = np.bincount(leaf, np.abs(goal) * (1 - np.abs(goal)) * w * w * counts, len(tree.feature))
        step = self.how.shrinkage / outputs * top / np.maximum(bottom, 1e-30)
        response = np.where(tree.feature < 0, step, np.asarray(tree.response))
        return replace(tree, response=response.astype(np.float32).astype(np.float64))

    def gradient_regression(self) -> Forest:
        """Gradient boosting of Huber's loss, from the median; an event that was not drawn keeps its former goal."""
        targets, w = np.asarray(self.targets), self.weights
        start = _quantile(targets, w, 0.5)
        left, goal = targets - start, targets.astype(np.float32).astype(np.float64)
        bag = _Bag(len(self.x), self.how.bagged)
        counts = bag.draw(0)
        forest = Forest([], [])
        while len(forest.trees) < self.how.trees:
            turn = _quantile(np.repeat(np.abs(left), counts), np.repeat(w, counts), _TRANSITION)
            goal = np.where(counts > 0, np.clip(left, -turn, turn).astype(np.float32), goal)
            counts = bag.draw(len(forest.trees))
            tree = self._tree(counts, goal)
            leaf = leaves_of(tree, self.x)
            response = np.array(tree.response)
            for node in np.unique(leaf[counts > 0]).tolist():
                mask = (leaf == node) & (counts > 0)
                some = np.repeat(left[mask], counts[mask])
                middle = _quantile(some, np.repeat(w[mask], counts[mask]), 0.5)
                shift = float(np.clip(some - middle, -turn, turn).mean())
                response[node] = self.how.shrinkage * (middle + shift)
            tree = replace(tree, response=response.astype(np.float32).astype(np.float64))
            left = left - np.asarray(tree.response)[leaf]
            forest.trees.append(tree)
            forest.weights.append(1.0 if len(forest.trees) > 1 else start)
        return forest


_LOSSES: dict[str, Callable[[Array], Array]] = {
    "Linear": lambda d: d,
    "Quadratic": lambda d: d * d,
    "Exponential": lambda d: 1.0 - np.exp(-d),
}


def _quantile(values: Array, weights: Array, part: float) -> float:
    """The first value at which the weights of smaller ones exceed a part of all; 0 if there is none."""
    order = np.argsort(values, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(weights[order])[:-1]])
    beyond = np.flatnonzero(before > weights.sum() * part)
    return float(values[order[beyond[0]]]) if len(beyond) else 0.0


def _cleaned(tree: Grown, limit: float) -> Grown:
    """Without nodes whose two leaves have the same type: they become one leaf."""
    feature, kind = tree.feature.copy(), tree.kind.copy()
    for node in range(len(feature) - 1, -1, -1):  # children have larger numbers
        if feature[node] >= 0:
            left, right = tree.left[node], tree.right[node]
            if feature[left] < 0 and feature[right] < 0 and kind[left] * kind[right] > 0:
                feature[node] = -1
                kind[node] = 1 if tree.purity[node] > limit else -1
    return replace(tree, feature=feature, kind=kind)
