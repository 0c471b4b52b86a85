"""Loopless multigraphs: enumeration, own canonical edge lists, and EnergyFlow's identifiers.

P. T. Komiske, E. M. Metodiev, J. Thaler, "Energy flow polynomials: a complete linear basis for jet substructure",
JHEP 04 (2018) 013, arXiv:1712.07124.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations_with_replacement, product

from hepml.errors import DataError, nearest

__all__ = ["Edges", "Graph", "canonical", "chosen_graphs", "connected", "find_graph", "find_graph_of", "graphs"]

Edges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Graph:
    """A loopless multigraph.

    Attributes:
        name: `n_d_k`: vertices, edges, and EnergyFlow's index of the connected graphs that have as many. A graph of
            several parts is named by them, joined by x: EnergyFlow's own index does not tell those apart.
        n: vertices.
        d: edges, each as often as it occurs.
        c: EnergyFlow's complexity: it computes the polynomial of M constituents in O(M^c).
        p: connected parts: the polynomial is the product of theirs.
        edges: pairs (i, j), i < j, a pair repeated for each edge; of a connected graph canonical.

    Example:
        >>> find_graph("3_3_1").edges, find_graph("3_3_1").c, find_graph("2_1_0x2_2_0").edges
        (((0, 1), (0, 2), (1, 2)), 3, ((0, 1), (2, 3), (2, 3)))
    """

    name: str
    n: int
    d: int
    c: int
    edges: Edges

    @property
    def p(self) -> int:
        return self.name.count("x") + 1

    @property
    def order(self) -> tuple[int, ...]:
        """To sort by: parts, vertices, edges, index."""
        return (self.p, self.n, self.d, *(int(word) for word in re.split("[_x]", self.name)))


def canonical(n: int, edges: Sequence[tuple[int, int]]) -> Edges:
    """The smallest of the sorted edge lists over all numberings that an equitable colouring leaves open.

    Example:
        >>> canonical(3, [(2, 1), (1, 2), (0, 1)])
        ((0, 1), (0, 2), (0, 2))
    """
    times = _matrix(n, edges)
    best: Edges | None = None
    for order in _orders(times, _refined(times, [0] * n)):
        place = {vertex: k for k, vertex in enumerate(order)}
        found = tuple(sorted((min(place[i], place[j]), max(place[i], place[j])) for i, j in edges))
        best = found if best is None else min(best, found)
    assert best is not None
    return best


def _matrix(n: int, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    times = [[0] * n for _ in range(n)]
    for i, j in edges:
        times[i][j] += 1
        times[j][i] += 1
    return times


def _refined(times: list[list[int]], colours: list[int]) -> list[int]:
    """Colours that tell apart what neighbours and their colours tell apart; equal for equal graphs."""
    n = len(times)
    while True:
        seen = [(colours[v], sorted((times[v][w], colours[w]) for w in range(n) if times[v][w])) for v in range(n)]
        ranks = {key: k for k, key in enumerate(sorted({repr(one) for one in seen}))}
        finer = [ranks[repr(one)] for one in seen]
        if len(set(finer)) == len(set(colours)):
            return finer
        colours = finer


def _orders(times: list[list[int]], colours: list[int]) -> Iterator[list[int]]:
    """Numberings that follow the colours: where several vertices share one, each of them first, but one of twins."""
    n = len(times)
    cells = [[v for v in range(n) if colours[v] == colour] for colour in sorted(set(colours))]
    shared = next((cell for cell in cells if len(cell) > 1), None)
    if shared is None:
        yield [cell[0] for cell in cells]
        return
    tried: list[int] = []
    for v in shared:
        if any(all(times[v][w] == times[u][w] for w in range(n) if w not in (u, v)) for u in tried):
            continue
        tried.append(v)
        split = [2 * colour + (w != v and colour == colours[v]) for w, colour in enumerate(colours)]
        yield from _orders(times, _refined(times, split))


@cache
def connected(d: int) -> tuple[Edges, ...]:
    """All connected loopless multigraphs of d edges, up to isomorphism, canonical and sorted.

    Each has an edge without which the rest is connected, but perhaps for a vertex: all grow from those of d - 1 edges.

    Example:
        >>> [len(connected(d)) for d in range(6)]
        [1, 1, 2, 5, 12, 33]
    """
    if d == 0:
        return ((),)
    found = set()
    for edges in connected(d - 1):
        n = size(edges)
        for i in range(n):
            for j in range(i + 1, n + 1):
                found.add(canonical(max(n, j + 1), [*edges, (i, j)]))
    return tuple(sorted(found))


def size(edges: Edges) -> int:
    """Vertices of a graph without isolated ones; 1 without edges."""
    return max((j for _, j in edges), default=0) + 1


@cache
def _table() -> dict[str, Graph]:
    """Connected graphs by name: hepml/efp/graphs.json, which scripts/efp_graphs.py writes."""
    text = (files("hepml.efp") / "graphs.json").read_text(encoding="utf-8")
    found = {}
    for name, (c, edges) in json.loads(text).items():
        n, d, _ = map(int, name.split("_"))
        found[name] = Graph(name, n, d, c, tuple((int(i), int(j)) for i, j in edges.split()))
    return found


def _product(chosen: Sequence[Graph]) -> Graph:
    """The graph that has these connected parts."""
    chosen = sorted(chosen, key=lambda graph: graph.order)
    edges: list[tuple[int, int]] = []
    n = 0
    for graph in chosen:
        edges += [(i + n, j + n) for i, j in graph.edges]
        n += graph.n
    name = "x".join(graph.name for graph in chosen)
    return Graph(name, n, len(edges), max(graph.c for graph in chosen), tuple(edges))


def _products(d: int) -> Iterator[Graph]:
    """All graphs of d edges in several parts, none of which is a point."""
    degrees: dict[int, list[Graph]] = {}
    for graph in _table().values():
        degrees.setdefault(graph.d, []).append(graph)
    for sizes in _partitions(d, d):
        if len(sizes) > 1:
            alike = [combinations_with_replacement(degrees[size], sizes.count(size)) for size in sorted(set(sizes))]
            yield from (_product([graph for some in chosen for graph in some]) for chosen in product(*alike))


def _partitions(total: int, most: int) -> Iterator[list[int]]:
    if total == 0:
        yield []
    for first in range(min(total, most), 0, -1):
        yield from ([first, *rest] for rest in _partitions(total - first, first))


def find_graph(name: str) -> Graph:
    """The graph of a name, `n_d_k`, or several joined by x.

    Raises:
        DataError: no connected graph of at most 8 edges has this name; the nearest are listed.
    """
    table, names = _table(), name.split("x")
    for one in names:
        if one not in table:
            raise DataError(
                f"no graph is named {one!r}",
                expected="n_d_k: vertices, edges (at most 8), EnergyFlow's index",
                nearest=nearest(one, table),
            )
    if len(names) > 1 and "1_0_0" in names:
        raise DataError(f"no graph is named {name!r}", expected="parts that have edges", found="the point, 1_0_0")
    return table[name] if len(names) == 1 else _product([table[one] for one in names])


def find_graph_of(parts: Sequence[Edges]) -> Graph:
    """The graph of the canonical edges of its connected parts.

    Raises:
        DataError: a part of more than 8 edges.

    Example:
        >>> find_graph_of([((0, 1),), ((0, 1), (0, 2))]).name
        '2_1_0x3_2_0'
    """
    names = _names()
    for edges in parts:
        if edges not in names:
            raise DataError("no graph has these edges", expected="at most 8 in a connected part", found=edges)
    return find_graph("x".join(names[edges] for edges in parts))


@cache
def _names() -> dict[Edges, str]:
    return {graph.edges: graph.name for graph in _table().values()}


_CONDITION = re.compile(r"\s*([ndcp])\s*(<=|>=|==|=|<|>)\s*(\d+)\s*")
_HOLDS = {
    "<=": int.__le__,
    ">=": int.__ge__,
    "==": int.__eq__,
    "=": int.__eq__,
    "<": int.__lt__,
    ">": int.__gt__,
}


def graphs(which: str | Sequence[str] = "papers") -> list[Graph]:
    """Graphs by their properties or names, sorted by parts, vertices, edges and index.

    Args:
        which: conditions on n (vertices), d (edges), c (complexity) and p (connected parts), such as "d<=7" or
            "d<=5, c<=3"; connected graphs unless p is named, and of at most 8 edges. Sets are joined by |: those of
            "d<=7|d<=8, c==4" are the 509 of "Learning to identify electrons", for which "papers" stands. Or a name, or
            several.

    Raises:
        DataError: no such condition or name.

    Example:
        >>> len(graphs("d<=7")), len(graphs("papers")), len(graphs("d<=7, p>=1"))
        (490, 509, 1000)
        >>> [graph.name for graph in graphs("d<=2, p>=1")]
        ['1_0_0', '2_1_0', '2_2_0', '3_2_0', '2_1_0x2_1_0']
    """
    if not isinstance(which, str):
        return sorted({find_graph(name) for name in which}, key=lambda graph: graph.order)
    if re.fullmatch(r"\d+_\d+_\d+(x\d+_\d+_\d+)*", which):
        return [find_graph(which)]
    if which == "papers":
        which = "d<=7|d<=8, c==4"
    found = {graph for part in which.split("|") for graph in _holding(part)}
    return sorted(found, key=lambda graph: graph.order)


def chosen_graphs(which: str | Sequence[str] | Graph | Sequence[Graph]) -> list[Graph]:
    """What `graphs` gives, or graphs themselves, in their order; at least one.

    Raises:
        DataError: as `graphs`; no graph.
    """
    given = [which] if isinstance(which, str | Graph) else which
    if not isinstance(given, Iterable):
        raise DataError("no choice of graphs", expected='such as "d<=7", names, or graphs', found=repr(which))
    found = [one for one in given if isinstance(one, Graph)]
    if len(found) < len(list(given)):
        found = graphs(which)  # type: ignore[arg-type]
    if not found:
        raise DataError("no graph is chosen", found=repr(which))
    return found


def _holding(which: str) -> list[Graph]:
    """The graphs for which all conditions hold."""
    conditions = []
    for text in which.split(","):
        match = _CONDITION.fullmatch(text)
        if match is None:
            raise DataError(
                "not a condition on graphs",
                expected='such as "d<=7", "n<4", "c==3", "p==1", joined by commas; sets of them joined by |; "papers"; '
                "or names n_d_k",
                found=repr(text),
            )
        conditions.append((match[1], _HOLDS[match[2]], int(match[3])))
    every = list(_table().values())
    if any(letter == "p" for letter, _, _ in conditions):
        every += [graph for d in range(2, 9) for graph in _products(d)]
    return [one for one in every if all(holds(getattr(one, letter), limit) for letter, holds, limit in conditions)]
