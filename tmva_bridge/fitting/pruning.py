"""Cost-complexity pruning: the node that gains least for each of its leaves becomes a leaf, again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tmva_bridge.writing.trees import Grown

__all__ = ["pruned"]


def pruned(tree: Grown, part: float, limit: float) -> Grown:
    """The tree after a part of the steps that would leave its root alone.

    Args:
        tree: grown, with `risk`.
        part: of the steps, 0 to 1.
        limit: purity above which a leaf is signal.
    """
    if part <= 0 or tree.risk is None or tree.feature[0] < 0:
        return tree
    sequence = _sequence(tree)
    feature, kind = tree.feature.copy(), tree.kind.copy()
    for node in sequence[: int(part * len(sequence))]:
        feature[node] = -1
        kind[node] = 1 if tree.purity[node] > limit else -1
    return replace(tree, feature=feature, kind=kind)


def _sequence(tree: Grown) -> list[int]:
    """The nodes in the order in which they become leaves, without the root."""
    count = len(tree.feature)
    parent = np.full(count, -1)
    for node in np.flatnonzero(tree.feature >= 0).tolist():
        parent[[tree.left[node], tree.right[node]]] = node
    risk = np.asarray(tree.risk)
    open_ = tree.feature >= 0
    leaves, below = np.ones(count, np.int64), risk.copy()
    alpha, least = np.full(count, np.inf), np.full(count, np.inf)

    def update(node: int) -> None:
        left, right = int(tree.left[node]), int(tree.right[node])
        leaves[node] = leaves[left] + leaves[right]
        below[node] = below[left] + below[right]
        alpha[node] = (risk[node] - below[node]) / (leaves[node] - 1)
        least[node] = min(alpha[node], least[left], least[right])

    for node in range(count - 1, -1, -1):  # children have larger numbers
        if open_[node]:
            update(node)
    order: list[int] = []
    while leaves[0] > 1 and least[0] < alpha[0]:
        node = 0
        while least[node] < alpha[node]:
            left = int(tree.left[node])
            node = left if least[left] == least[node] else int(tree.right[node])
        order.append(node)
        leaves[node], below[node] = 1, risk[node]
        alpha[node] = least[node] = np.inf
        up = int(parent[node])
        while up >= 0:
            update(up)
            up = int(parent[up])
    return order
