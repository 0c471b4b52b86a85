"""Graphs of energy-flow polynomials: vertices on a circle, each edge as often as it occurs.

Sizes and colours are those of the drawings of "Learning to identify electrons", arXiv:2011.01984, in a box of 350.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path as Curve
from numpy.typing import NDArray

from hepml.efp.graphs import Graph, chosen_graphs
from hepml.errors import DataError
from hepml.ledger import atomic_path
from hepml.plots.panels import figure_of
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import Style, drawing

__all__ = ["draw_graph", "graph_catalogue", "save_graphs"]

FORMATS = ("pdf", "png", "eps")
_BOX, _MARGIN, _VERTEX, _FRAME, _EDGE = 350, 50, 40, 2, 4
_RED, _GREY = "#E31A1C", "#333333"
_BEND, _REACH = 0.25, 1.0  # of parallel edges, of their length: between two, and all together
_NO_LABEL = Style(experiment="")


def draw_graph(graph: Graph, ax: Axes | None = None, *, at: tuple[float, float] = (0, 0), size: float = _BOX) -> Axes:
    """Draws a graph into a square of the axes.

    Args:
        graph: from `hepml.efp.graphs`.
        ax: axes without ticks or frame of their own; None makes a figure of 3.5 inches that the graph fills.
        at: lower left corner of the square, in the axes' coordinates.
        size: of the square; where both are left out the square fills the axes.

    Returns:
        The axes.

    Example:
        >>> from hepml.efp import find_graph
        >>> len(draw_graph(find_graph("3_3_1")).patches)  # three edges and three vertices
        6
    """
    if ax is None:
        ax = Figure(figsize=(_BOX / 100, _BOX / 100)).add_axes((0, 0, 1, 1))
    if (at, size) == ((0, 0), _BOX):
        ax.set(xlim=(0, _BOX), ylim=(0, _BOX), aspect="equal")
        ax.axis("off")
    unit = size / _BOX
    low, high = ax.get_xlim()
    points = unit * 72 * ax.get_window_extent().width / figure_of(ax).dpi / abs(high - low)
    places = _places(graph.n) * unit + at
    pairs = {pair: graph.edges.count(pair) for pair in graph.edges}
    for (i, j), times in pairs.items():
        start, end = places[i], places[j]
        bend = min(_BEND, _REACH / max(times - 1, 1))
        across = np.array([start[1] - end[1], end[0] - start[0]])
        for k in range(times):
            middle = (start + end) / 2 + across * bend * (2 * k - times + 1)  # a curve reaches half of this
            curve = Curve([start, middle, end], [Curve.MOVETO, Curve.CURVE3, Curve.CURVE3])
            ax.add_patch(PathPatch(curve, fill=False, edgecolor=_GREY, linewidth=_EDGE * points, zorder=1))
    for x, y in places:
        radius = (_VERTEX - _FRAME) / 2 * unit
        ax.add_patch(Circle((x, y), radius, facecolor=_RED, edgecolor=_GREY, linewidth=_FRAME * points, zorder=2))
    return ax


def _places(n: int) -> NDArray[np.float64]:
    """Of n vertices in the box."""
    angle = 2 * np.pi * np.arange(n) / n
    radius = (_BOX / 2 - _MARGIN) * (n > 1)
    return _BOX / 2 + radius * np.column_stack([np.cos(angle), -np.sin(angle)])


def save_graphs(
    chosen: str | Sequence[str] | Sequence[Graph],
    folder: str | Path,
    *,
    formats: Iterable[str] = FORMATS,
    overwrite: bool = False,
) -> list[Path]:
    """Writes each graph as a figure of its own, NAME.pdf, NAME.png and NAME.eps, without background.

    The same graph gives the same bytes; each file is complete or absent.

    Args:
        chosen: as for `hepml.efp.graphs.graphs`, or graphs themselves.
        folder: made if absent.
        formats: of pdf, png and eps.
        overwrite: replace files of these names.

    Returns:
        The paths, in the order of the graphs.

    Raises:
        DataError: no such graph or format.
        OutputError: a file exists and `overwrite` is off, or it cannot be written.
    """
    formats = tuple(formats)
    if wrong := [kind for kind in formats if kind not in FORMATS]:
        raise DataError(f"graphs are not drawn as {wrong[0]!r}", expected=", ".join(FORMATS))
    paths = []
    for graph in chosen_graphs(chosen):
        figure = figure_of(draw_graph(graph))
        for kind in formats:
            path = Path(folder) / f"{graph.name}.{kind}"
            with atomic_path(path, overwrite=overwrite) as temporary:
                temporary.write_bytes(_rendered(figure, kind))
            paths.append(path)
    return paths


def _rendered(figure: Figure, kind: str) -> bytes:
    metadata = {"pdf": {"CreationDate": None}, "png": {"Software": None}}.get(kind, {})
    buffer = io.BytesIO()
    with drawing(_NO_LABEL):
        figure.savefig(buffer, format=kind, dpi=100, transparent=True, metadata=metadata)
    # matplotlib dates every PostScript file
    return re.sub(rb"%%CreationDate:[^\n]*\n", b"", buffer.getvalue()) if kind == "eps" else buffer.getvalue()


def graph_catalogue(
    chosen: str | Sequence[str] | Sequence[Graph] = "papers", *, columns: int = 24, style: Style | None = None
) -> FigureRecord:
    """All graphs with their names on one page, in rows of as many edges.

    Args:
        chosen: as for `hepml.efp.graphs.graphs`, or graphs themselves.
        columns: of graphs.
        style: its width is that of the page, else 0.6 inches a column.

    Returns:
        One table: name, vertices, edges, complexity and the list of edges of each graph.

    Raises:
        DataError: no such graph.
    """
    every = sorted(chosen_graphs(chosen), key=lambda graph: (graph.d, *graph.order))
    style = style or _NO_LABEL
    groups = {d: list(group) for d, group in groupby(every, key=lambda graph: graph.d)}
    columns = min(columns, max(map(len, groups.values())))
    rows: list[tuple[int, list[Graph]]] = []
    for d, some in groups.items():
        rows += [(d, some[start : start + columns]) for start in range(0, len(some), columns)]
    width, height = columns + 1.0, len(rows) * 1.3  # in graphs
    inches = style.width or 0.6 * width
    with drawing(style):
        figure = Figure(figsize=(inches, inches * height / width))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        letters = 0.16 * inches / width * 72
        before = None
        for row, (d, some) in enumerate(rows):
            middle = 1.3 * row + 0.5
            if d != before:
                axes.text(0.08, middle, f"d = {d}", va="center", fontsize=1.4 * letters, color=_GREY)
            before = d
            for column, graph in enumerate(some):
                draw_graph(graph, axes, at=(column + 1, 1.3 * row), size=1)
                axes.text(column + 1.5, 1.3 * row + 1.08, graph.name, ha="center", va="center", fontsize=letters)
    table = Table(
        "graphs",
        [
            Column("name", [graph.name for graph in every]),
            *(Column(letter, [getattr(graph, letter) for graph in every]) for letter in "ndc"),
            Column("edges", [" ".join(f"{i}-{j}" for i, j in graph.edges) for graph in every]),
        ],
    )
    caption = f"The {len(every)} graphs by name: vertices, edges, index."
    return FigureRecord(figure, {"main": axes}, (table,), caption, style)
