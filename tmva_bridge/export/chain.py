"""Chains of transformations as layers: forward on variables, back on targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from tmva_bridge.export.graph import Graph, Vector, sublayer
from tmva_bridge.pdf import PDF
from tmva_bridge.transforms import ALL_CLASSES, Chain, Cumulative, Linear, Normalize

__all__ = ["back", "forward", "table"]

_LEAST, _LEAST_OF_GAUSS = 1e-9, 5e-9  # of a cumulative; Gauss is cut off where 2 u - 1 is 0.99999999
_FAR = 3e38
_FLAT = 1e-10  # TMVA divides by no less
_NOISE = 1e-6  # of a flat piece in float32


def forward(graph: Graph, x: Vector, chain: Chain, which: int = ALL_CLASSES) -> Vector:
    """The transformed variables, with the parameters of a class or of all."""
    for link in chain.links:
        if link.on.inputs:
            made = _applied(graph, graph.chosen(x, link.on.inputs), link.of(which))
            x = graph.replaced(x, made, link.on.outputs)
    return x


def back(graph: Graph, y: Vector, chain: Chain) -> Vector:
    """Targets in their own units, from transformed ones."""
    for link in reversed(chain.links):
        made = link.of(ALL_CLASSES)
        if isinstance(made, Linear) or not link.on.targets:
            continue
        places, targets = zip(*link.on.targets, strict=True)
        undone = _undone(graph, graph.chosen(y, targets), made, places)
        y = graph.replaced(y, undone, targets)
    return y


def _applied(graph: Graph, x: Vector, made: Normalize | Linear | Cumulative) -> Vector:
    if isinstance(made, Normalize):
        at = list(made.places)
        _check_range(made, at)
        return graph.scaled(graph.scaled(x, made.scale[at] * np.float32(2), -made.low[at]), 1, -1)
    if isinstance(made, Linear):
        parts = [sublayer(bias=-made.mean)] if np.any(made.mean) else []
        return graph.dense(x, [*parts, sublayer(made.matrix.T)], x.size, "float64")
    tables = [table(made.pdfs[place], i, stepped=made.pdfs[place].stepped) for i, place in enumerate(made.places)]
    least = _LEAST if made.flat else _LEAST_OF_GAUSS
    return graph.apply(_tables(tables, "identity" if made.flat else "quantile", least, 1 - least), x)


def _undone(graph: Graph, y: Vector, made: Normalize | Cumulative, places: tuple[int, ...]) -> Vector:
    at = list(places)
    if isinstance(made, Normalize):
        _check_range(made, at)
        divisor = {"architecture": "divide", "weights": made.scale[at] * np.float32(2), "shape": [len(at)]}
        return graph.scaled(graph.apply(divisor, graph.scaled(y, 1, 1)), 1, made.low[at])
    tables = [_inverse(made.pdfs[place], i) for i, place in enumerate(places)]
    return graph.apply(_tables(tables, "identity", -_FAR, _FAR, "identity" if made.flat else "normal_cdf"), y)


def _tables(
    tables: list[dict[str, Any]], function: str, least: float, most: float, before: str = "identity"
) -> dict[str, Any]:
    return {
        "architecture": "tables",
        "before": before,
        "function": function,
        "least": least,
        "most": most,
        "tables": tables,
    }


def table(pdf: PDF, feature: int, *, stepped: bool, limits: PDF | None = None) -> dict[str, Any]:
    """A density as an entry of `tables`.

    Args:
        feature: the variable.
        stepped: values are those of the bins.
        limits: the density in whose range the variable is kept; outside of its own range a stepped one is 0.
    """
    ends = (-np.inf, -np.inf) if limits is None else (limits.low, limits.high - 1e-10)
    kept = {} if limits is None else {"minimum": ends[0], "maximum": ends[1]}
    entry = {"feature": feature, "form": "step" if stepped else "linear", **kept}
    values = pdf.table.astype(np.float32)
    if stepped and limits is not None and (ends[0] < pdf.low or ends[1] >= pdf.high):
        padded = np.concatenate([[0.0], values, [0.0]])
        return {**entry, "knots": np.concatenate([[-_FAR], _edges(pdf), [_FAR]]), "values": padded}
    if pdf.edges is None:
        return {**entry, "low": pdf.low, "high": pdf.high, "values": values}
    knots = pdf.edges if stepped else pdf.centre(np.arange(len(values)))
    return {**entry, "knots": knots, "values": values.astype(np.float64)}


def _edges(pdf: PDF) -> NDArray[np.float64]:
    return np.linspace(pdf.low, pdf.high, len(pdf.table) + 1) if pdf.edges is None else pdf.edges


def _inverse(pdf: PDF, feature: int) -> dict[str, Any]:
    """Where an increasing table has a value, as `PDF.inverse` finds it: pieces between its bins, and flat ones."""
    contents = np.concatenate([[0.0], pdf.table.astype(np.float64)])
    last = len(pdf.table)
    if last < 2 or np.any(np.diff(contents[:last]) < -_NOISE):
        raise UnsupportedLayerError(
            "a transformation of a target whose table does not increase",
            where=f"target {feature}",
            expected="a cumulative of at least two bins",
            found=f"{last} bins",
        )
    contents = np.maximum.accumulate(contents)
    centres = pdf.centre(np.arange(-1, last))
    knots: list[float] = []
    values: list[float] = []
    for i in range(1, last + 1):
        low, high = contents[i - 1], contents[i] if i < last else contents[i - 1] + 1
        if low == high:
            continue
        ends = (centres[i - 1], centres[i])
        if i == last or high - low <= _FLAT:
            ends = (ends[0] + low * (ends[1] - ends[0]),) * 2
        for knot, value in zip((low, high), ends, strict=True):
            if not knots or (knots[-1], values[-1]) != (knot, value):
                knots.append(knot)
                values.append(value)
    made = {"knots": np.array(knots), "values": np.array(values)}
    return {"feature": feature, "form": "linear", **made}


def _check_range(made: Normalize, at: list[int]) -> None:
    if not np.all(np.isfinite(made.scale[at] * np.float32(2))):
        place = at[int(np.argmin(np.isfinite(made.scale[at])))]
        raise UnsupportedLayerError(
            "a Normalize of a variable that was always the same: TMVA's answer is NaN",
            where=f"Normalize, range {place}",
            expected="Max above Min",
            found=f"Min {made.low[place]}",
        )
