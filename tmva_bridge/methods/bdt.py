"""BDT: decision trees, boosted or bagged. All trees of a file go down together, one level at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond, softmax
from tmva_bridge.methods.trees import Forest, read_forest
from tmva_bridge.xmlfile import Element

__all__ = ["BDT", "Preselection", "read"]

Array = NDArray[np.float64]

_BOOSTS = ("AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "AdaBoostR2", "Grad")
_ALLOWED = {
    "Classification": ("AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "Grad"),
    "Regression": ("AdaBoost", "AdaBoostR2", "Bagging", "Grad"),
    "Multiclass": ("Grad",),
}


@dataclass(frozen=True)
class BDT:
    """The trees and what the boosting makes of their leaves.

    Attributes:
        boost: one of TMVA's kinds.
        analysis: "Classification", "Regression" or "Multiclass".
        classes: how many; tree t of a multiclass file belongs to class t mod classes.
        cuts: of a preselection, if there is one.
    """

    forest: Forest
    boost: str
    analysis: str
    classes: int
    cuts: Preselection | None

    def __call__(self, events: Events) -> Array:
        return self.forest.in_steps(self._some)(events)

    def _some(self, events: Events) -> Array:
        x = events.transformed()
        leaves = self.forest.leaves(x)
        if self.boost == "Grad" and self.analysis == "Multiclass":
            sums = [_in_order(leaves[:, k :: self.classes]) for k in range(self.classes)]
            return softmax(np.stack(sums, axis=1))
        if self.boost == "Grad" and self.analysis == "Regression":
            out: Array = _in_order(leaves) + self.forest.weights[0]
            return out
        if self.boost == "AdaBoostR2":
            return _middle(leaves, self.forest)
        grad = self.boost == "Grad"
        out = 2 / (1 + np.exp(-2 * _in_order(leaves))) - 1 if grad else _mean(leaves, self.forest)
        return out if self.cuts is None else self.cuts.applied(x, out)


def read(weights: Element, header: Header) -> Respond:
    """Reads the trees and what the boosting makes of their leaves."""
    boost = header.one_of("BoostType", _BOOSTS)
    if boost not in _ALLOWED[header.analysis]:
        header.element.wrong(
            f"BoostType={boost} in a file of {header.analysis}",
            expected=", ".join(_ALLOWED[header.analysis]),
            found=boost,
        )
    regression_trees = weights.whole("AnalysisType" if "AnalysisType" in weights.attributes else "TreeType", 0, 3) == 1
    yes_no = header.flag("UseYesNoLeaf", True) and boost not in ("RealAdaBoost", "AdaCost")
    leaf = "res" if regression_trees else "nType" if yes_no else "purity"
    forest = read_forest(weights, len(header.variables), leaf)
    classes = len(header.classes)
    if header.analysis == "Multiclass" and len(forest.weights) % classes:
        weights.wrong(
            "trees that are not as many for each class",
            expected=f"a multiple of {classes}",
            found=len(forest.weights),
        )
    cuts = _preselection(weights, header) if header.flag("DoPreselection", False) else None
    return BDT(forest, boost, header.analysis, classes, cuts)


def _in_order(leaves: Array) -> Array:
    """Sums over the trees, one after the other."""
    return np.cumsum(leaves, axis=1)[:, -1]


def _mean(leaves: Array, forest: Forest) -> Array:
    total = forest.weights.sum()
    if abs(total) <= np.finfo(np.float64).eps:
        return np.zeros(len(leaves))
    out: Array = _in_order(leaves * forest.weights) / total
    return out


def _middle(leaves: Array, forest: Forest) -> Array:
    """The mean of the third of the trees around the weighted median."""
    count = len(forest.weights)
    order = np.argsort(leaves, axis=1, kind="stable")
    ranked = np.take_along_axis(leaves, order, axis=1)
    reached = np.cumsum(forest.weights[order], axis=1) > forest.weights.sum() / 2
    t = np.argmax(reached, axis=1)[:, None] + 1
    sixth = count // 6
    low = np.maximum(np.trunc(t - sixth - 0.5), 0)
    high = np.minimum(np.trunc(t + sixth + 0.5), count)
    chosen = (np.arange(count) >= low) & (np.arange(count) < high)
    out: Array = (ranked * chosen).sum(axis=1) / chosen.sum(axis=1)
    return out


@dataclass(frozen=True)
class Preselection:
    """Cuts that decide by themselves: beyond a limit an event is background (-1) or signal (+1); the last one wins."""

    rules: tuple[tuple[int, bool, float, float], ...]  # variable, whether below, limit, answer

    def applied(self, x: NDArray[np.float32], out: Array) -> Array:
        for i, below, limit, answer in self.rules:
            values = x[:, i].astype(np.float64)
            out = np.where(values < limit if below else values > limit, answer, out)
        return out


def _preselection(weights: Element, header: Header) -> Preselection:
    rules = []
    for i in range(len(header.variables)):
        for name, answer in (("LowBkg", -1.0), ("LowSig", 1.0), ("HighBkg", -1.0), ("HighSig", 1.0)):
            attribute = f"Preselection{name}Var{i}"
            if weights.flag(attribute):
                rules.append((i, name.startswith("Low"), weights.real(attribute + "Value"), answer))
    return Preselection(tuple(rules))
