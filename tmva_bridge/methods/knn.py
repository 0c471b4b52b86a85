"""KNN: the nearest training events, which the file holds, in variables scaled by their widths."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["read"]

Array = NDArray[np.float64]
Singles = NDArray[np.float32]

_SIGNAL = 1  # an event's Type
_SPARE = 2  # TMVA looks for two more
_STEP = 4096  # events at once


def read(weights: Element, header: Header) -> Respond:
    """Reads `Event Type Weight` with its variables and targets."""
    if header.analysis == "Multiclass":
        weights.wrong("KNN has no multiclass", expected="Classification or Regression", found=header.analysis)
    if header.flag("UseLDA", False):
        header.element.wrong("the local LDA of KNN is not read", expected="UseLDA=False", found="UseLDA=True")
    types, event_weights, x, targets = _events(weights, header)
    if header.flag("Trim", False):
        keep = _first_of_each(types)
        types, event_weights, x, targets = types[keep], event_weights[keep], x[keep], targets[keep]
    widths = _widths(x, int(100 * header.number("ScaleFrac", 0.8)), weights)
    x = (x / widths).astype(np.float32)
    count = int(header.number("nkNN", 20))
    if not 0 < count <= len(x) - _SPARE:
        header.element.wrong("too few events", expected=f"nkNN from 1 to {len(x) - _SPARE}", found=f"nkNN={count}")
    tree = cKDTree(x.astype(np.float64))
    kernel = _kernel(header) if header.flag("UseKernel", False) else None
    weighted = header.flag("UseWeight", True)

    def some(query: Singles) -> Array:
        scaled = (query / widths).astype(np.float32)
        finite = np.isfinite(scaled).all(axis=1)
        near, squares = _nearest(tree, x, np.where(finite[:, None], scaled, 0), count + _SPARE)
        w = event_weights[near] if weighted else np.ones(near.shape)
        if header.analysis == "Regression":
            sums, total = np.zeros((len(query), targets.shape[1]), np.float32), np.zeros(len(query), np.float32)
            for k in range(count):
                sums = (sums + targets[near[:, k]] * w[:, k : k + 1]).astype(np.float32)
                total = (total + w[:, k]).astype(np.float32)
            out = (sums / total[:, None]).astype(np.float64)
            return np.where(finite[:, None], out, np.nan)
        if kernel is not None and weighted:
            w = w * kernel(x[near], query, squares, count)
        w = w[:, :count]
        total = w.sum(axis=1)
        signal = np.where(types[near[:, :count]] == _SIGNAL, w, 0).sum(axis=1)
        return np.where(total > 0, signal / np.where(total > 0, total, 1), 0.0)

    def respond(events: Events) -> Array:
        query = events.transformed()
        return np.concatenate([some(query[i : i + _STEP]) for i in range(0, max(1, len(query)), _STEP)])

    return respond


def _events(weights: Element, header: Header) -> tuple[NDArray[np.int64], Array, Singles, Singles]:
    variables, targets = weights.whole("NVar"), weights.whole("NTgt")
    if (variables, targets) != (len(header.variables), len(header.targets)):
        weights.wrong(
            "another number of variables or targets than the file's",
            expected=f"NVar={len(header.variables)}, NTgt={len(header.targets)}",
            found=f"NVar={variables}, NTgt={targets}",
        )
    items = weights.every("Event")
    if weights.whole("NEvents", 1) != len(items):
        weights.wrong("another number of events than it says", expected=weights.get("NEvents"), found=len(items))
    types = np.array([item.whole("Type", 0, 1000) for item in items])
    event_weights = np.array([item.real("Weight") for item in items])
    values = np.stack([item.numbers(variables + targets) for item in items]).astype(np.float32)
    return types, event_weights, values[:, :variables], values[:, variables:]


def _first_of_each(types: NDArray[np.int64]) -> NDArray[np.bool_]:
    """As many events of each type as the rarest has, the first ones."""
    least = min(np.unique(types, return_counts=True)[1])
    keep = np.zeros(len(types), bool)
    for one in np.unique(types):
        keep[np.flatnonzero(types == one)[:least]] = True
    return keep


def _widths(x: Singles, fraction: int, weights: Element) -> Singles:
    """For each variable the width of its central `fraction` percent; 1 if nothing is to be scaled."""
    if fraction <= 0:
        return np.ones(x.shape[1], np.float32)
    cut = (100 - fraction) // 2
    percent = 100 * np.arange(len(x)) // len(x)
    places = np.searchsorted(percent, [cut, 100 - cut])
    if places[1] >= len(x):
        weights.wrong("events that cannot be scaled", expected="ScaleFrac below 1", found=f"{fraction} percent")
    ordered = np.sort(x, axis=0)
    widths: Singles = ordered[places[1]] - ordered[places[0]]
    if not (widths > 0).all():
        weights.wrong("a variable without width", expected="different values", found=f"width {widths.min()}")
    return widths


def _nearest(tree: cKDTree, x: Singles, query: Singles, count: int) -> tuple[NDArray[np.int64], Singles]:
    """The nearest events and the squares of their distances, nearest first, by distances in float32."""
    more = min(len(x), count + 8)  # float32 may exchange those at the edge
    near = np.asarray(tree.query(query.astype(np.float64), k=more)[1]).reshape(len(query), more)
    squares = np.zeros(near.shape, np.float32)
    for i in range(x.shape[1]):
        squares += (query[:, i : i + 1] - x[near, i]) ** 2
    order = np.argsort(squares, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(squares, order, axis=1)


def _kernel(header: Header) -> Callable[[Singles, Singles, Singles, int], Array]:
    """What neighbours (n, k, variables), queries (n, variables) and squared distances (n, k) give as weights (n, k)."""
    if header.one_of("Kernel", ("Gaus", "Poln"), "Gaus") == "Poln":

        def polynomial(near: Singles, query: Singles, squares: Singles, count: int) -> Array:
            del near, query
            largest = np.sqrt(_among_first(squares, squares, count).max(axis=1, keepdims=True).astype(np.float64))
            scaled = np.sqrt(squares.astype(np.float64)) / largest
            return np.where(scaled < 1, (1 - np.minimum(scaled, 1) ** 3) ** 3, 0.0)

        return polynomial
    factor = abs(header.number("SigmaFact", 1.0))

    def gaussian(near: Singles, query: Singles, squares: Singles, count: int) -> Array:
        # TMVA takes the scaled neighbour minus the query that is not scaled
        d = (near - query[:, None, :]).astype(np.float64)
        used = (_among_first(np.ones_like(squares), squares, count) > 0)[:, :, None]
        sigma = factor * np.sqrt((d**2 * used).sum(axis=1) / used.sum(axis=1))
        out: Array = np.exp(-((d / sigma[:, None, :]) ** 2).sum(axis=2) / 2)
        return out

    return gaussian


def _among_first(values: Singles, squares: Singles, count: int) -> Singles:
    """Values of the first `count` neighbours that are not the event itself; 0 for others."""
    apart = squares > 0
    return np.where(apart & (np.cumsum(apart, axis=1) <= count), values, 0)
