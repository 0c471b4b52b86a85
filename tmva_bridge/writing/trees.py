"""Trees as TMVA's files hold them.

TMVA compares float32 values: x >= Cut goes right. x <= t goes left exactly if x < Cut for the smallest float32 number
Cut that is larger than t; x < t, if it is the smallest that is not smaller than t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from tmva_bridge.writing.markup import Attributes, Tag

__all__ = ["Grown", "cut_at", "forest"]

_DEEPEST = 300  # of a tree
_UNUSED = -99.0  # response of a tree that has purities


@dataclass(frozen=True)
class Grown:
    """A tree with cuts of TMVA.

    Attributes:
        feature: int (nodes,), -1 for a leaf.
        cut: float32 (nodes,); x >= cut goes to `right`, unless `passes` is False: then to `left`.
        left, right: int (nodes,).
        response: float64 (nodes,), what the leaves of regression trees answer; None for trees of purities.
        purity: float64 (nodes,).
        kind: int (nodes,): 1 for a leaf of signal, -1 of background, -99 of a regression; not used of inner nodes.
        passes: bool (nodes,).
        rms: float64 (nodes,), of the targets.
        risk: float64 (nodes,), weight times the index of impurity, for pruning.
    """

    feature: NDArray[np.int64]
    cut: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    response: NDArray[np.float64] | None
    purity: NDArray[np.float64]
    kind: NDArray[np.int64]
    passes: NDArray[np.bool_]
    rms: NDArray[np.float64] | None = None
    risk: NDArray[np.float64] | None = None


def cut_at(threshold: NDArray[np.float64], strict: bool) -> NDArray[np.float32]:
    """The cut of TMVA that sends the same float32 numbers to the left: x < threshold if strict, else x <= threshold.

    A cut of infinity sends all to the left.

    Example:
        >>> cut_at(np.array([0.5]), True)[0] == 0.5, cut_at(np.array([0.5]), False)[0] > 0.5
        (True, True)
    """
    with np.errstate(over="ignore"):
        near = threshold.astype(np.float32)
    low = (near < threshold) if strict else (near <= threshold)
    out: NDArray[np.float32] = np.where(low, np.nextafter(near, np.float32(np.inf)), near)
    return out


def forest(trees: Sequence[Grown], weights: Sequence[float], name: str) -> Tag:
    """The element Weights. Raises UnsupportedLayerError for a tree too deep to be read by recursion."""
    regression = trees[0].response is not None
    items = [
        Tag(
            "BinaryTree",
            {"type": "DecisionTree", "boostWeight": float(weight), "itree": i},
            [_node(tree, _real(tree, 0), "s", 0, name)],
        )
        for i, (tree, weight) in enumerate(zip(trees, weights, strict=True))
    ]
    return Tag("Weights", {"NTrees": len(trees), "AnalysisType": int(regression)}, items)


def _real(tree: Grown, node: int) -> int:
    """The node itself, or what follows where all go to the left."""
    while tree.feature[node] >= 0 and np.isinf(tree.cut[node]):
        node = int(tree.left[node])
    return node


def _node(tree: Grown, node: int, position: str, depth: int, name: str) -> Tag:
    if depth > _DEEPEST:
        raise UnsupportedLayerError(
            f"a tree of {name} is too deep for a file of TMVA",
            expected=f"at most {_DEEPEST} levels",
            found="more",
            fix="fit with max_depth",
        )
    inner = tree.feature[node] >= 0
    response = _UNUSED if tree.response is None else float(tree.response[node])
    attributes: Attributes = {
        "pos": position,
        "depth": depth,
        "NCoef": 0,
        "IVar": int(tree.feature[node]),
        "Cut": float(tree.cut[node]) if inner else 0.0,
        "cType": int(tree.passes[node]),
        "res": response,
        "rms": 0.0 if tree.rms is None else float(tree.rms[node]),
        "purity": float(tree.purity[node]),
        "nType": 0 if inner else int(tree.kind[node]),
    }
    if not inner:
        return Tag("Node", attributes)
    children = [(_real(tree, int(child)), side) for child, side in ((tree.left[node], "l"), (tree.right[node], "r"))]
    return Tag("Node", attributes, [_node(tree, child, side, depth + 1, name) for child, side in children])
