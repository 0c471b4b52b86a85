"""Graphs from EnergyFlow and to it, and those of a network file; EnergyFlow itself is not needed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from hepml.efp.graphs import Edges, Graph, canonical, chosen_graphs, find_graph, find_graph_of, size
from hepml.errors import DataError, SchemaError

__all__ = ["check_definitions", "from_energyflow", "to_energyflow"]

_SPEC = "nedvkcph"  # what the numbers of an EnergyFlow specification are
_EXPECTED = "an EFP or EFPSet, a list of edges such as [(0, 1), (0, 2)], (n, d, k), or rows of n, e, d, v, k, c, p, h"


def from_energyflow(given: Any) -> Graph | list[Graph]:
    """hepml's graph of what EnergyFlow has, or a list of them where it has several.

    Args:
        given: an `energyflow.EFP` (one graph) or `energyflow.EFPSet` (several); a list of edges, with vertices of any
            numbers (one); (n, d, k) (one); or a specification of eight numbers as in `EFPSet.specs` (one), or an array
            of them (several).

    Raises:
        DataError: none of these; a loop; a connected part of more than 8 edges; a specification of a graph of several
            parts, which EnergyFlow's k does not tell apart.

    Example:
        >>> from_energyflow([(7, 2), (2, 5), (5, 7)]).name, from_energyflow((3, 3, 1)).edges
        ('3_3_1', ((0, 1), (0, 2), (1, 2)))
    """
    if callable(getattr(given, "graphs", None)):
        return [_of_edges(edges) for edges in given.graphs()]
    if hasattr(given, "graph") and hasattr(given, "simple_graph"):
        return _of_edges(given.graph)
    try:
        numbers = np.asarray(given)
    except ValueError as error:
        raise DataError("not a graph of EnergyFlow", expected=_EXPECTED, found=repr(given)) from error
    if numbers.ndim == 1 and numbers.dtype.kind in "iu" and len(numbers) in (3, len(_SPEC)):
        return _of_spec(numbers.tolist())
    if numbers.ndim == 2 and numbers.dtype.kind in "iu" and numbers.shape[1] == len(_SPEC):
        return [_of_spec(row) for row in numbers.tolist()]
    if numbers.size == 0 or (numbers.ndim == 2 and numbers.shape[1] == 2):
        return _of_edges(given)
    raise DataError("not a graph of EnergyFlow", expected=_EXPECTED, found=repr(given))


def to_energyflow(which: str | Sequence[str] | Graph | Sequence[Graph]) -> list[list[tuple[int, int]]]:
    """The edges of each graph, as `energyflow.EFPSet(*edges, ...)` takes them.

    `measure="hadr", normed=True, coords="ptyphim"` with EnergyFlow's kappa and beta gives the values of `hepml.efp`
    on (pT, y, phi, m) of the constituents.

    Args:
        which: as for `hepml.efp.graphs.graphs`, or graphs themselves.

    Example:
        >>> to_energyflow(["2_1_0", "3_3_1"])
        [[(0, 1)], [(0, 1), (0, 2), (1, 2)]]
    """
    return [list(graph.edges) for graph in chosen_graphs(which)]


def check_definitions(columns: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuses columns of a network file whose edges are not those of the graph that the name says.

    The C++ library has checked all but the index of the graph. Parts of more than 8 edges have none here.

    Args:
        columns: entries of `hepml.efps.columns`, with `name` and `edges`.
        where: the file, for messages.

    Raises:
        SchemaError: the name is that of another graph.

    Example:
        >>> check_definitions([{"name": "et_efp_3_2_0_k_1_b_1", "edges": [[0, 1], [2, 1]]}], "net.json")
    """
    for number, column in enumerate(columns):
        try:
            name = _name_of(tuple((int(i), int(j)) for i, j in column["edges"]))
        except DataError:
            continue
        named = column["name"].split("_efp_")[1].split("_k_")[0]
        if named != name:
            raise SchemaError(
                "the name of a polynomial is that of another graph",
                where=f"{where}, hepml.efps.columns[{number}].name",
                expected=f"{name}, the graph of its edges",
                found=column["name"],
                fix="export the network again",
            )


@lru_cache(maxsize=4096)
def _name_of(edges: Edges) -> str:
    return _of_edges(edges).name


def _of_spec(numbers: list[int]) -> Graph:
    if len(numbers) == 3:
        n, d, k = numbers
        parts = 1
    else:
        n, d, k, parts = (numbers[_SPEC.index(letter)] for letter in "ndkp")
    if parts != 1 or k < 0:
        raise DataError(
            "EnergyFlow's index does not say which graph this is",
            expected="a connected graph with k >= 0",
            found=dict(zip(_SPEC, numbers, strict=False)) if len(numbers) == len(_SPEC) else (n, d, k),
            fix="give its edges",
        )
    return find_graph(f"{n}_{d}_{k}")


def _of_edges(given: Any) -> Graph:
    try:
        edges = [(i, j) for i, j in given]
    except (TypeError, ValueError) as error:
        raise DataError("not a list of edges", expected="pairs of vertices", found=repr(given)) from error
    loops = [(i, j) for i, j in edges if i == j]
    if loops:
        raise DataError("an edge joins a vertex to itself", expected="two different vertices", found=loops[0])
    parts: list[set[Any]] = []
    for edge in edges:
        joined = set(edge).union(*(part for part in parts if part & set(edge)))
        parts = [part for part in parts if not part & set(edge)] + [joined]
    return find_graph_of([_own(edges, part) for part in parts] or [()])


def _own(edges: list[tuple[Any, Any]], part: set[Any]) -> Edges:
    """The canonical edges of a connected part."""
    number = {vertex: k for k, vertex in enumerate(sorted(part, key=repr))}
    own = tuple((number[i], number[j]) for i, j in edges if i in part)
    return canonical(size(tuple((min(edge), max(edge)) for edge in own)), own)
