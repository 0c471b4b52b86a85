"""Methods as layers behind their transformed variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.estimators.ensemble import Ensemble, Tree
from tmva_bridge.export.chain import forward, table
from tmva_bridge.export.graph import Graph, Vector, sublayer
from tmva_bridge.methods.bdt import BDT, Preselection
from tmva_bridge.methods.fisher import Fisher
from tmva_bridge.methods.ld import LD
from tmva_bridge.methods.likelihood import LEAST, TAU, Likelihood
from tmva_bridge.methods.mlp import MLP
from tmva_bridge.methods.trees import Forest
from tmva_bridge.transforms import Chain

__all__ = ["WRITERS"]

_ABOVE_ZERO = float(np.nextafter(np.float32(0), np.float32(1)))
_LARGEST = float(np.finfo(np.float32).max)
_JOINS = {"sum": "sum", "sqsum": "square_sum", "abssum": "absolute_sum"}
_ACTIVATIONS = {
    "sigmoid": "sigmoid",
    "rational": "rational_tanh",
    "tanh": "tanh",
    "ReLU": "rectified",
    "radial": "gaussian",
    "linear": "linear",
}


def bdt(graph: Graph, chain: Chain, method: BDT) -> Vector:
    """`trees`; oblique cuts are sums computed before, whose sign the trees ask for."""
    x = forward(graph, graph.input, chain)
    forest, weights = method.forest, method.forest.weights
    size = x.size
    features = x
    if len(forest.fisher):
        parts = [sublayer(forest.fisher[:, :size], forest.fisher[:, -2]), sublayer(bias=-forest.fisher[:, -1])]
        features = graph.joined(x, graph.dense(x, parts, len(forest.fisher), "float64"))
    count = len(weights)
    if method.boost == "AdaBoostR2":
        each = _ensemble(forest, size, np.ones(count), outputs=np.arange(count), base=np.zeros(count))
        values = graph.apply(each, features, size=count)
        middle = {"architecture": "weighted_median", "weights": weights, "reach": count // 6}
        return graph.apply(middle, values, size=1)
    if method.boost == "Grad" and method.analysis == "Multiclass":
        outputs = np.arange(count) % method.classes
        each = _ensemble(forest, size, np.ones(count), outputs=outputs, base=np.zeros(method.classes))
        sums = graph.apply(each, features, size=method.classes)
        return graph.dense(sums, [sublayer(activation="softmax")], method.classes, "float64")
    if method.boost == "Grad":
        regression = method.analysis == "Regression"
        base = weights[:1] if regression else np.zeros(1)
        y = graph.apply(_ensemble(forest, size, np.ones(count), base=base), features, size=1)
        if not regression:  # 2 / (1 + exp(-2 F)) - 1
            y = graph.dense(y, [sublayer(activation="tanh")], 1, "float64")
    else:
        total = float(weights.sum())
        shares = np.zeros(count) if abs(total) <= np.finfo(np.float64).eps else weights
        divisor = total if 1 <= total <= 1e9 else 1.0
        shares = shares if divisor == total or not np.any(shares) else shares / total
        y = graph.apply(_ensemble(forest, size, shares, divisor=divisor), features, size=1)
    return y if method.cuts is None or not method.cuts.rules else _preselected(graph, x, y, method.cuts)


def _ensemble(
    forest: Forest,
    size: int,
    weights: NDArray[np.float64],
    *,
    outputs: NDArray[np.int64] | None = None,
    base: NDArray[np.float64] | None = None,
    divisor: float = 1.0,
) -> dict[str, Any]:
    """The trees; a value below the cut goes left, where TMVA's cut fails."""
    ends = [*forest.roots[1:], len(forest.column)]
    places = np.arange(len(forest.column))
    fails, passes = forest.following[::2], forest.following[1::2]
    leaf = fails == places
    cut = np.where(forest.column < size, forest.cut.astype(np.float64), _ABOVE_ZERO)
    trees = []
    for k, (begin, end) in enumerate(zip(forest.roots, ends, strict=True)):
        of = slice(begin, end)
        trees.append(
            Tree(
                np.where(leaf[of], -1, forest.column[of]),
                cut[of],
                fails[of] - begin,
                passes[of] - begin,
                np.zeros(end - begin, np.int64),
                forest.value[of] * weights[k],
                0 if outputs is None else int(outputs[k]),
            ).cleared()
        )
    made = Ensemble(trees, np.zeros(1) if base is None else base, comparison="less", divisor=divisor)
    made.check("the forest")
    return made.layer()


def _preselected(graph: Graph, x: Vector, y: Vector, cuts: Preselection) -> Vector:
    """The answer of the last cut that holds, of a tree of them, or else y."""
    rows: list[tuple[int, float, int, int, float]] = []  # feature, threshold, left, right, value
    for variable, below, limit, answer in reversed(cuts.rules):
        hit, on = len(rows) + 1, len(rows) + 2
        threshold = limit if below else float(np.nextafter(limit, np.inf))
        rows += [(variable, threshold, *((hit, on) if below else (on, hit)), 0.0), (-1, 0.0, 0, 0, answer)]
    rows.append((-1, 0.0, 0, 0, 0.0))
    feature, threshold_of, left, right, value = (np.array(column) for column in zip(*rows, strict=True))
    tree = Tree(feature, threshold_of, left, right, np.zeros(len(rows), np.int64), value)
    decided = graph.apply(Ensemble([tree], np.zeros(1), comparison="less").layer(), x, size=1)
    return graph.apply({"architecture": "add"}, graph.apply({"architecture": "drop"}, y, decided), decided)


def mlp(graph: Graph, chain: Chain, method: MLP) -> Vector:
    """`perceptron`, with a softmax where there are several classes."""
    last = len(method.kernels) - 1
    parts = [
        sublayer(
            kernel[:-1].T,
            kernel[-1],
            join=_JOINS[method.join],
            activation=_ACTIVATIONS[method.last if i == last else method.hidden],
        )
        for i, kernel in enumerate(method.kernels)
    ]
    if method.analysis == "Multiclass":
        parts.append(sublayer(activation="softmax"))
    x = forward(graph, graph.input, chain)
    return graph.dense(x, parts, method.kernels[-1].shape[1], "float64")


def fisher(graph: Graph, chain: Chain, method: Fisher) -> Vector:
    """`perceptron` of one unit."""
    constant, *coefficients = method.coefficients
    x = forward(graph, graph.input, chain)
    return graph.dense(x, [sublayer([coefficients], [constant])], 1, "float64")


def ld(graph: Graph, chain: Chain, method: LD) -> Vector:
    """`perceptron` of linear units, summed in float32."""
    weights = method.coefficients
    x = forward(graph, graph.input, chain)
    return graph.dense(x, [sublayer(weights[:, 1:], weights[:, 0])], len(weights), "float32")


def likelihood(graph: Graph, chain: Chain, method: Likelihood) -> Vector:
    """`tables` of the densities; signal and background each have their own transformation."""
    x = forward(graph, graph.input, chain, 0)
    count = x.size
    if chain.links:
        x = graph.joined(x, forward(graph, graph.input, chain, 1))
    entries = []
    for which, densities in enumerate(method.densities):
        for i, density in enumerate(densities):
            feature = i + count * which if chain.links else i
            entries.append(table(density, feature, stepped=method.stepped[i], limits=method.densities[0][i]))
    rule = "logit" if method.folded else "ratio"
    entry = {
        "architecture": "tables",
        "before": "identity",
        "function": rule,
        "least": LEAST,
        "most": _LARGEST,
        "tables": entries,
    }
    y = graph.apply(entry, x, size=1)
    return graph.scaled(y, 1 / TAU, 0) if method.folded else y


WRITERS: dict[str, Callable[[Graph, Chain, Any], Vector]] = {
    "BDT": bdt,
    "MLP": mlp,
    "Fisher": fisher,
    "LD": ld,
    "Likelihood": likelihood,
}
