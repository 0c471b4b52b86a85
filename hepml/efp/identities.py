"""Columns that are equal whatever the event, by their definition: one of them is computed, the others are its names.

A graph whose edges all come m times, with the exponent beta, is the graph with each edge once and the exponent m beta:
EFP(G, beta = 2) = EFP(2G, beta = 1) = EFP(4G, beta = 0.5). The point has no angle, and so no beta.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from math import gcd

from hepml.efp.columns import Column, column_name, parse_column
from hepml.efp.graphs import Edges, Graph, canonical

__all__ = ["grid_names", "identities"]


def identities(names: Iterable[str]) -> dict[str, str]:
    """Each column that need not be computed -> the one of the others that it equals: the one of the fewest edges.

    Example:
        >>> identities(["et_efp_2_2_0_k_1_b_0.5", "et_efp_2_1_0_k_1_b_1", "et_efp_2_1_0_k_2_b_1"])
        {'et_efp_2_2_0_k_1_b_0.5': 'et_efp_2_1_0_k_1_b_1'}
    """
    classes: dict[tuple[object, ...], list[Column]] = {}
    for name in names:
        column = parse_column(name)
        classes.setdefault(_meaning(column), []).append(column)
    found: dict[str, str] = {}
    for equal in classes.values():
        kept = min(equal, key=lambda column: column.graph.d)  # the first of several
        found |= {column.name: kept.name for column in equal if column is not kept}
    return found


def _meaning(column: Column) -> tuple[object, ...]:
    """What two columns share if, and only if, their definitions are the same sum."""
    edges, times = _divided(column.graph)
    beta = f"{times * column.beta:.12g}" if edges else ""  # 3 * 0.2 is 0.6
    return column.calorimeter, column.graph.n, edges, column.kappa, beta


@cache
def _divided(graph: Graph) -> tuple[Edges, int]:
    """The graph with each edge as few times as their proportions allow, and how many times it is in the whole."""
    counts = Counter(graph.edges)
    times = gcd(*counts.values()) if counts else 1
    edges = [edge for edge, count in counts.items() for _ in range(count // times)]
    return canonical(graph.n, edges), times


def grid_names(
    calorimeters: Sequence[str], graphs: Sequence[Graph], kappas: Sequence[float], betas: Sequence[float]
) -> list[str]:
    """The names of all columns of a grid, in this order of loops.

    Raises:
        DataError: no such calorimeter, or an exponent of more digits than a name holds.
    """
    return [
        column_name(calorimeter, graph.name, kappa, beta)
        for calorimeter in calorimeters
        for graph in graphs
        for kappa in kappas
        for beta in betas
    ]
