"""Decision trees as TMVA stores them, laid out as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["Forest", "read_forest"]

Array = NDArray[np.float64]
_AT_ONCE = 1 << 18  # events times trees


@dataclass(frozen=True)
class Forest:
    """Trees as arrays over all nodes; a leaf is its own child.

    Attributes:
        column: int32 (nodes,), the variable; from the number of variables on, a Fisher cut.
        cut: float32 (nodes,); values at or above it pass.
        following: int32 (2 nodes,), for each node the child that follows where the cut fails, and where it passes.
        value: float64 (nodes,), of leaves.
        roots: int32 (trees,).
        weights: float64 (trees,), of the boosting.
        depth: of the deepest tree.
        fisher: float64 (Fisher cuts, variables + 2): coefficients, constant, cut.
    """

    column: NDArray[np.int32]
    cut: NDArray[np.float32]
    following: NDArray[np.int32]
    value: Array
    roots: NDArray[np.int32]
    weights: Array
    depth: int
    fisher: Array

    def leaves(self, x: NDArray[np.float32]) -> Array:
        """The value of the leaf of each tree: (n, trees)."""
        if len(self.fisher):
            x = np.concatenate([x, self._fisher_cuts(x)], axis=1)
        flat, begin = x.ravel(), (np.arange(len(x)) * x.shape[1])[:, None]
        node = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        for _ in range(self.depth):
            passed = flat.take(begin + self.column.take(node)) >= self.cut.take(node)
            node = self.following.take(2 * node + passed)
        return self.value.take(node)

    def _fisher_cuts(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 where constant + sum > cut, else -1, as further columns; their nodes cut at 0."""
        sums = np.broadcast_to(self.fisher[:, -2], (len(x), len(self.fisher)))
        for i in range(x.shape[1]):
            sums = sums + self.fisher[:, i] * x[:, i : i + 1].astype(np.float64)
        return np.where(sums > self.fisher[:, -1], 1, -1).astype(np.float32)

    def in_steps(self, respond: Respond) -> Respond:
        """`respond` on a bounded number of events at once."""
        step = max(1, _AT_ONCE // len(self.roots))

        def bounded(events: Events) -> Array:
            parts = [
                respond(Events(events.raw[begin : begin + step], events.chain))
                for begin in range(0, max(1, len(events.raw)), step)
            ]
            return np.concatenate(parts)

        return bounded


class _Nodes:
    """The arrays of a forest while it is read."""

    def __init__(self, variables: int, leaf: str) -> None:
        self.variables, self.leaf = variables, leaf
        self.column: list[int] = []
        self.cut: list[float] = []
        self.children: list[list[int]] = []  # where the cut fails, where it passes
        self.value: list[float] = []
        self.fisher: list[list[float]] = []

    def add_tree(self, root: Element) -> int:
        """Appends the nodes of a tree and gives its depth."""
        deepest = 0
        waiting = [(root, 0, -1, 0)]  # node, depth, parent, which child of it
        while waiting:
            node, depth, parent, side = waiting.pop()
            here = len(self.column)
            if parent >= 0:
                self.children[parent][side] = here
            deepest = max(deepest, depth)
            inner = self._append(node, here)
            for child in node.children if inner else ():
                passes = (child.get("pos") == "r") == node.flag("cType")
                waiting.append((child, depth + 1, here, int(passes)))
        return deepest

    def _append(self, node: Element, here: int) -> bool:
        """Appends one node, and says whether it has children."""
        inner = node.real("nType") == 0
        sides = sorted(child.get("pos") for child in node.children)
        if inner and sides != ["l", "r"]:
            node.wrong(
                "a node of a tree has two children",
                expected="one Node with pos=l and one with pos=r, or nType other than 0",
                found=", ".join(f"pos={side}" for side in sides) or "no Node inside",
            )
        column, cut, value = 0, 0.0, 0.0
        if not inner:
            value = float(np.float32(node.real(self.leaf)))
        elif node.whole("NCoef", 0, 1_000_000):
            column = self.variables + len(self.fisher)
            self.fisher.append(self._coefficients(node))
        else:
            column, cut = node.whole("IVar", 0, self.variables), node.real("Cut")
        self.column.append(column)
        self.cut.append(cut)
        self.value.append(value)
        self.children.append([here, here])
        return inner

    def _coefficients(self, node: Element) -> list[float]:
        """Of all variables (0 for those that it does not use), the constant and the cut."""
        count = node.whole("NCoef", 2, self.variables + 2)
        values = [node.real(f"fC{i}") for i in range(count)]
        unused = [0.0] * (self.variables + 1 - count)
        return [*values[:-1], *unused, values[-1], float(np.float32(node.real("Cut")))]


def read_forest(weights: Element, variables: int, leaf: str) -> Forest:
    """The trees of a file.

    Args:
        weights: the element with `BinaryTree`s.
        variables: how many there are.
        leaf: the attribute that holds a leaf's value: "res", "purity" or "nType".

    Raises:
        SchemaError: no trees or another number than it says, a node without children, an index out of range, a cut
            that is not finite.
    """
    trees = weights.every("BinaryTree")
    if weights.whole("NTrees") != len(trees) or not trees:
        weights.wrong(
            "another number of trees than it says",
            expected=f"NTrees={weights.get('NTrees')}, at least 1",
            found=f"{len(trees)} BinaryTree",
            fix="the file was cut or edited: copy or train it again",
        )
    nodes = _Nodes(variables, leaf)
    roots, depth = [], 0
    for tree in trees:
        roots.append(len(nodes.column))
        depth = max(depth, nodes.add_tree(tree.child("Node")))
    return Forest(
        column=np.array(nodes.column, dtype=np.int32),
        cut=np.array(nodes.cut, dtype=np.float32),
        following=np.array(nodes.children, dtype=np.int32).ravel(),
        value=np.array(nodes.value),
        roots=np.array(roots, dtype=np.int32),
        weights=np.array([tree.real("boostWeight") for tree in trees], dtype=np.float32).astype(np.float64),
        depth=depth,
        fisher=np.array(nodes.fisher).reshape(-1, variables + 2),
    )
