"""What single methods add to their folder, as far as their weight file holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.methods import Method
from tmva_bridge.methods.mlp import kernels
from tmva_bridge.output.classification import Answers
from tmva_bridge.output.histograms import Axis, Histogram, histogram, scaled, unit_area
from tmva_bridge.output.treefile import Branch
from tmva_bridge.pdf import PDF, Source, read_source
from tmva_bridge.sample import Sample
from tmva_bridge.xmlfile import Element

__all__ = ["MONITORS", "Item", "Tree", "monitored", "response_densities"]

_CHECKED, _ROUGH = 15_000, 100


@dataclass(frozen=True)
class Tree:
    title: str
    branches: list[Branch]


Item = Histogram | Tree | None  # None is an empty folder


def monitored(method: Method, train: Sample, place: int) -> Iterator[tuple[str, Item]]:
    """Names, and histograms, trees or folders.

    Args:
        place: of the method among those of its type.
    """
    yield from MONITORS.get(method.kind, _nothing)(method, train, place)


def _nothing(method: Method, train: Sample, place: int) -> Iterator[tuple[str, Item]]:
    return iter(())


@dataclass(frozen=True)
class _Boosting:
    """What a forest says of its boosting: by the type, from the weights of the trees."""

    weights: Callable[[NDArray[np.float64], float], NDArray[np.float64]]
    errors: Callable[[NDArray[np.float64], float], NDArray[np.float64]]
    drawn: Callable[[NDArray[np.float64], float], NDArray[np.float64]]


_BOOSTING = {
    ("AdaBoost", True): _Boosting(lambda w, b: w, lambda w, b: 1 / (1 + np.exp(w / b)), lambda w, b: w),
    ("AdaBoost", False): _Boosting(lambda w, b: w, lambda w, b: np.tanh(w / (2 * b)), lambda w, b: w),
    ("AdaBoostR2", True): _Boosting(
        lambda w, b: np.exp(-w), lambda w, b: np.exp(-w) / (1 + np.exp(-w)), lambda w, b: np.exp(w)
    ),
}


def _bdt(method: Method, train: Sample, place: int) -> Iterator[tuple[str, Item]]:
    header = method.header
    trees = header.element.child("Weights").every("BinaryTree")
    written = np.array([tree.real("boostWeight") for tree in trees])
    many = header.analysis == "Multiclass"
    known = _BOOSTING.get((header.option("BoostType"), header.flag("UseYesNoLeaf", True) or bool(header.targets)))
    beta = header.number("AdaBoostBeta", 0.5)
    zero = np.zeros(len(trees))
    weights, errors = (known.weights(written, beta), known.errors(written, beta)) if known else (zero, zero)
    count = 0 if many else len(trees)
    yield (
        "MonitorNtuple",
        Tree(
            "BDT variables",
            [
                Branch("iTree", ("iTree",), "I", np.arange(count, dtype=np.int32)),
                Branch("boostWeight", ("boostWeight",), "D", weights[:count]),
                Branch("errorFraction", ("errorFraction",), "D", errors[:count]),
            ],
        ),
    )
    if many:
        return
    regression = header.analysis == "Regression"
    title = "Boost event weights distribution" if regression else "AdaBooost weight distribution"
    axis = Axis(100, 0.0, 1.0 if regression else 30.0, "boost weight")
    if not regression:
        yield "BoostWeight", histogram("TH1F", title, axis, weights if known else [])
    elif known is None:
        yield "BoostWeight", histogram("TH1F", title, axis, [])
    drawn = known.drawn(written, beta) if known else None
    yield "BoostWeightVsTree", _by_tree("TH1F", "Boost weights vs tree", "boost weight", count, drawn)
    shown = errors if known else None
    yield "ErrFractHist", _by_tree("TH1F", "error fraction vs tree number", "error fraction", count, shown)
    nodes = np.array([_nodes(tree) for tree in trees], dtype=np.float64)
    if header.option("PruneMethod", "NoPruning").lower() == "nopruning":
        yield "NodesBeforePruning", _by_tree("TH1I", "nodes before pruning", "#tree nodes", count, nodes)
    yield "NodesAfterPruning", _by_tree("TH1I", "nodes after pruning", "#tree nodes", count, nodes)


def _by_tree(kind: str, title: str, y_title: str, count: int, values: NDArray[np.float64] | None) -> Histogram:
    made = histogram(kind, title, Axis(count, 0.0, float(count), "#tree"), [])
    if values is not None:
        made.contents[1:-1] = values
    return replace(made, y_title=y_title, entries=0.0 if values is None else float(count))


def _nodes(tree: Element) -> int:
    waiting, count = list(tree.children), 0
    while waiting:
        waiting += waiting.pop().children
        count += 1
    return count


def _mlp(method: Method, train: Sample, place: int) -> Iterator[tuple[str, Item]]:
    for i, kernel in enumerate(kernels(method.header.element.child("Weights"), method.header)):
        last = i == len(method.header.element.child("Weights").child("Layout").children) - 2
        inputs, outputs = kernel.shape[0], kernel.shape[1] + (not last)
        contents = np.zeros((outputs + 2, inputs + 2), np.float32)
        contents[1 : kernel.shape[1] + 1, 1:-1] = kernel.T
        name = f"weights_hist{i}{i + 1}"
        x, y = Axis(inputs, 0.0, float(inputs)), Axis(outputs, 0.0, float(outputs))
        yield name, Histogram("TH2F", name, x, contents.ravel(), y=y, entries=float(kernel.size))
    yield "EpochMonitoring" + (f"_{place:4d}" if place else ""), None


def _likelihood(method: Method, train: Sample, place: int) -> Iterator[tuple[str, Item]]:
    found = {
        (item.whole("VarIndex"), item.whole("ClassIndex")): item.child("PDF")
        for item in method.header.element.child("Weights").every("PDFDescriptor")
    }
    weights = train.weights
    for i in range(len(method.variables)):
        sources, pairs = [], []
        for which, (ending, said) in enumerate((("sig", "signal"), ("bgd", "background"))):
            source = read_source(found[i, which], normalised=True)
            sources.append(source)
            chosen = train.classes == which
            values = method.chain.forward(train.values[chosen], which)[:, i].astype(np.float64)
            low, high = source.edges[0], source.edges[-1]
            values = np.where(values >= high, high - 1e-10, np.maximum(values, low))
            name = source.name.removesuffix("_original") or f"{method.header.variables[i].internal}_{ending}"
            axis = Axis(len(source.contents), float(low), float(high))
            title = f"{name.removesuffix(f'_{ending}')} {said} training"
            pairs.append((name, histogram("TH1F", title, axis, values, weights[chosen], errors=True)))
        yield from pairs
        plain = bool((weights == 1).all())
        for (name, made), source in zip(pairs, sources, strict=True):
            smoothed = replace(made, title=f"{name}_smoothed", contents=_flowing(source.smoothed))
            yield f"{name}_smoothed", replace(smoothed, squares=None) if plain else smoothed
        for (name, made), source in zip(pairs, sources, strict=True):
            yield _table(f"{name}_smoothed", source, made)
        first = pairs[0][0].removesuffix("_sig")
        yield f"{first}_additional_check", _check(f"{first}_additional_check", sources[0].pdf)
        for name, made in pairs:
            yield f"{name}_nice", _nice(made)


def response_densities(method: Method, train: Answers) -> tuple[list[tuple[str, Histogram]], PDF, PDF]:
    """The histograms of a method with densities of its response, and the densities that TMVA has in training.

    TMVA makes them in double precision, and rounds to float32 when it writes the file: the smoothing amplifies the
    difference to some 1e-3 of a probability.
    """
    nodes = method.header.element.child("MVAPdfs").every("PDF")
    first, later, pdfs = [], [], []
    low, high = float(train.response.min()), float(train.response.max())
    for node, chosen, side in zip(nodes, train.sides, "SB", strict=True):
        source = read_source(node, normalised=True)
        name = source.name.removesuffix("_original") or f"{method.kind}_tr_{side}"
        axis = Axis(len(source.contents), low, high)
        values, weights = train.response[chosen], train.weights[chosen]
        made = unit_area(histogram("TH1D", name, axis, values, weights, errors=True))
        first.append((name, made))
        pdfs.append(read_source(node, normalised=True, instead=made.values.astype(np.float64)).pdf)
        stored = Axis(len(source.contents), float(source.edges[0]), float(source.edges[-1]))
        count = float(len(source.contents))
        for ending, contents in (("original", source.contents), ("smoothed", source.smoothed)):
            one = Histogram("TH1F", f"{name}_{ending}", stored, _flowing(contents), entries=count)
            later.append((f"{name}_{ending}", one))
        later.append(_table(f"{name}_smoothed", source, None))
    return [*first, *later], pdfs[0], pdfs[1]


def _flowing(contents: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(1, np.float32), contents.astype(np.float32), np.zeros(1, np.float32)])


def _table(name: str, source: Source, filled: Histogram | None) -> tuple[str, Histogram]:
    """The table of a density; of steps, the histogram itself."""
    kind = {"Spline5": "spline5", "KDE": "KDE"}.get(source.method, source.method.lower())
    pdf = source.pdf
    axis = Axis(len(pdf.table), pdf.low, pdf.high)
    entries = float(len(pdf.table)) if filled is None or not pdf.stepped else filled.entries
    made = Histogram("TH1F", f"{name}_hist from_{kind}", axis, _flowing(pdf.table), entries=entries)
    return f"{name}_hist_from_{kind}", replace(made, squares=_flowing(pdf.table).astype(np.float64) / source.total)


def _check(name: str, pdf: PDF) -> Histogram:
    low, high = float(np.float32(pdf.low)), float(np.float32(pdf.high))
    axis = Axis(_CHECKED, low, high)
    width = float(np.float32(pdf.high) - np.float32(pdf.low)) / _CHECKED
    at = (np.arange(_CHECKED) + 0.5) * width + low
    return Histogram("TH1F", name, axis, _flowing(pdf.value(at).astype(np.float32)), entries=float(_CHECKED))


def _nice(made: Histogram) -> Histogram:
    if made.x.bins <= _ROUGH:
        return made
    groups = made.x.bins // 5
    kept = groups * 5
    width = (made.x.high - made.x.low) / made.x.bins
    contents, squares = made.values[:kept].reshape(groups, 5), made.squares
    assert squares is not None
    summed = np.concatenate([[0.0], squares[1 : kept + 1].reshape(groups, 5).sum(axis=1), [0.0]])
    axis = Axis(groups, made.x.low, made.x.low + kept * width)
    out = replace(made, x=axis, contents=_flowing(contents.sum(axis=1)), squares=summed)
    return scaled(out, 1 / 5)


MONITORS: Mapping[str, Callable[[Method, Sample, int], Iterator[tuple[str, Item]]]] = {
    "BDT": _bdt,
    "MLP": _mlp,
    "Likelihood": _likelihood,
}
