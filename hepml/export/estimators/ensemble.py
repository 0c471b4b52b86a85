"""Trees of any library in one form, and that form as a layer of the file.

A float32 value goes left if it is at most (XGBoost: below) the node's threshold. Nodes keep the numbers that the
library gave them, so a leaf has the same name on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError

__all__ = ["Answers", "Ensemble", "Reading", "Tree", "pulled_back"]

Array = NDArray[Any]
_LARGEST = float(np.finfo(np.float32).max)
_ALWAYS_RIGHT = -float(np.finfo(np.float64).max)  # JSON has no infinity; every float32 is larger


@dataclass(frozen=True)
class Tree:
    """One tree.

    Attributes:
        feature: of each node, -1 for a leaf.
        threshold: float64.
        left, right: children; of a leaf 0.
        missing_left: where a missing value goes.
        value: float64 (nodes,) or (nodes, outputs); 0 where the node is no leaf.
        output: that the value is added to, if it is one.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    value: Array
    output: int = 0

    def cleared(self) -> Tree:
        """The same without what leaves and inner nodes hold but do not use."""
        leaf = self.feature < 0
        limits = np.clip(np.asarray(self.threshold, np.float64), _ALWAYS_RIGHT, -_ALWAYS_RIGHT)
        value = np.asarray(self.value, np.float64)
        return Tree(
            np.where(leaf, -1, self.feature).astype(np.int64),
            np.where(leaf, 0.0, limits),
            np.where(leaf, 0, self.left).astype(np.int64),
            np.where(leaf, 0, self.right).astype(np.int64),
            np.where(leaf, 0, self.missing_left).astype(np.int64),
            np.where(leaf if value.ndim == 1 else leaf[:, None], value, 0.0),
            self.output,
        )


@dataclass(frozen=True)
class Ensemble:
    """Trees, and how their leaves make the outputs: link(factor * (base + sum) / divisor).

    Attributes:
        trees: in the order in which the library adds them.
        base: of each output.
        comparison: "less_equal" or "less".
        precision: of the sum, "float64" or "float32".
        link: "identity", "sigmoid", "softmax" or "exp".
        missing: whether NaN has a direction at each node.
    """

    trees: Sequence[Tree]
    base: NDArray[np.float64]
    comparison: str = "less_equal"
    precision: str = "float64"
    divisor: float = 1.0
    link: str = "identity"
    factor: float = 1.0
    missing: bool = False

    def layer(self) -> dict[str, Any]:
        """The entry of `layers`."""

        def joined(name: str) -> Array:
            return np.concatenate([getattr(tree, name).ravel() for tree in self.trees])

        wide = self.trees[0].value.ndim > 1
        return {
            "architecture": "trees",
            "comparison": self.comparison,
            "precision": self.precision,
            "base": self.base,
            "divisor": self.divisor,
            "link": self.link,
            "factor": self.factor,
            "missing": self.missing,
            "sizes": [len(tree.feature) for tree in self.trees],
            **({} if wide else {"outputs": [tree.output for tree in self.trees]}),
            **{name: joined(name) for name in ("feature", "threshold", "left", "right", "missing_left", "value")},
        }

    def check(self, name: str) -> None:
        """Raises for what the file cannot hold: no trees, values that are not finite, children before parents."""
        if not self.trees:
            raise DataError(f"{name} has no trees", expected="at least one tree", found="none")
        for k, tree in enumerate(self.trees):
            inner = np.flatnonzero(tree.feature >= 0)
            if not np.all(np.isfinite(tree.value)):
                raise DataError(f"a leaf of tree {k} of {name} is not finite", expected="finite values")
            if np.any(tree.left[inner] <= inner) or np.any(tree.right[inner] <= inner):
                raise UnsupportedLayerError(
                    f"tree {k} of {name} numbers children before parents",
                    expected="nodes in the order in which they were grown",
                )
        if not np.all(np.isfinite(self.base)):
            raise DataError(f"the initial margin of {name} is not finite", found=str(self.base))


@dataclass(frozen=True)
class Answers:
    """What the library says: margins and outputs (n, outputs), leaves (n, trees) or None where it has no access."""

    margins: Array
    outputs: Array
    leaves: Array | None = None


@dataclass(frozen=True)
class Reading:
    """A fitted model, read.

    Attributes:
        name: for messages.
        library: name and version.
        n_features: columns of its input.
        variables: their names, if the model knows them.
        ensemble: the trees; None for a model of dense layers.
        judge: raw values, float64 (n, n_features) -> what the library answers.
        labels: of the outputs, if the model knows them.
        exact: the trees compare float64 values; else their input is rounded to float32.
        layers: entries of `layers`, where there are no trees.
        offset, scale: of each variable in front of dense layers.
    """

    name: str
    library: str
    n_features: int
    variables: tuple[str, ...] | None
    ensemble: Ensemble | None
    judge: Callable[[NDArray[np.float64]], Answers]
    labels: tuple[str, ...]
    exact: bool = False
    layers: list[dict[str, Any]] = field(default_factory=list)
    offset: NDArray[np.float64] | None = None
    scale: NDArray[np.float64] | None = None


def _ordered(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32 numbers from integers in the same order; 0 is 0."""
    bits = np.where(keys < 0, np.int64(0x80000000) - keys, keys)
    return bits.astype(np.uint32).view(np.float32)


def pulled_back(ensemble: Ensemble, transform: Callable[[NDArray[np.float64]], Array], n_features: int) -> Ensemble:
    """The same trees on the raw values in front of a transform that is monotonic in each feature.

    x goes left behind the transform exactly if it is at most the largest float32 number that does: that number, found
    by bisection with the library's own arithmetic, is the threshold on the raw value.

    Args:
        ensemble: on transformed values.
        transform: float64 (n, n_features) -> (n, n_features) in the precision that the trees compare in.
        n_features: columns.
    """
    by_feature: list[NDArray[np.float64]] = [np.zeros(0)] * n_features
    features = np.concatenate([tree.feature for tree in ensemble.trees])
    thresholds = np.concatenate([tree.threshold for tree in ensemble.trees])
    for k in range(n_features):
        by_feature[k] = np.unique(thresholds[features == k])
    rows = max((len(limits) for limits in by_feature), default=0)
    limits = np.zeros((rows, n_features))
    for k, values in enumerate(by_feature):
        limits[: len(values), k] = values
    strict = ensemble.comparison == "less"
    largest = np.int64(np.float32(_LARGEST).view(np.int32))
    low = np.full(limits.shape, -largest - 1)  # goes left, or is below every number
    high = np.full(limits.shape, largest + 1)  # goes right, or is above every number
    while rows and np.any(high - low > 1):
        middle = (low + high) // 2
        inside = np.clip(middle, -largest, largest)
        with np.errstate(over="ignore"):
            moved = transform(_ordered(inside).astype(np.float64))
        left = (moved < limits) if strict else (moved <= limits)
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    found = np.where(low < -largest, _ALWAYS_RIGHT, _ordered(np.maximum(low, -largest)).astype(np.float64))
    trees = []
    for tree in ensemble.trees:
        threshold = tree.threshold.copy()
        for k in range(n_features):
            here = tree.feature == k
            threshold[here] = found[np.searchsorted(by_feature[k], tree.threshold[here]), k]
        trees.append(replace(tree, threshold=threshold))
    return replace(ensemble, trees=trees, comparison="less_equal")
