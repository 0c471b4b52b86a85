"""TMVA's transformations of variables, as weight files store them: Normalize, Decorrelation, PCA, Uniform, Gauss.

Each works on float32 events and writes float32 back. A transformation has a set of parameters for each class and, last,
one for all classes; which one is used is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, erfinv

from hepml.errors import DataError, SchemaError
from tmva_bridge.header import Header
from tmva_bridge.options import parse_chain
from tmva_bridge.pdf import PDF, read_pdf
from tmva_bridge.xmlfile import Element

__all__ = ["ALL_CLASSES", "Chain", "Cumulative", "Events", "Linear", "Map", "Normalize", "Transform", "read_chain"]

Events = NDArray[np.float32]
Map = Callable[[Events], Events]  # of the selected columns

ALL_CLASSES = -1
_ROOT2 = 1.414213562  # as TMVA writes it
_LARGEST = np.float32(5.7307286)  # of Gauss: TMVA's inverse error function at 0.99999999, where it is cut off
_MOST = 100_000  # columns, classes


@dataclass(frozen=True)
class _Selection:
    """What a transformation works on: columns in and out, and the place of each among the selected values."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    places: tuple[int, ...]
    targets: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Normalize:
    """To [-1, 1], in float32.

    Attributes:
        low, scale: float32, of each selected value; the scale is 1 / (high - low).
        places: of the variables among the selected values.
    """

    low: Events
    scale: Events
    places: tuple[int, ...]

    @classmethod
    def between(cls, low: Events, high: Events, places: Sequence[int]) -> Normalize:
        """With float32 limits of each selected value."""
        return cls(low, (1.0 / (high - low).astype(np.float64)).astype(np.float32), tuple(places))

    def forward(self, x: Events) -> Events:
        """Of the selected columns."""
        at = list(self.places)
        out: Events = ((x - self.low[at]) * self.scale[at] * np.float32(2)) - np.float32(1)
        return out

    def backward(self, place: int, y: Events) -> Events:
        """Of a selected target: its values in its own units."""
        out: Events = self.low[place] + (y + np.float32(1)) / (self.scale[place] * np.float32(2))
        return out


@dataclass(frozen=True)
class Linear:
    """(x - mean) @ matrix, in double precision: Decorrelation and PCA. It has no way back."""

    mean: NDArray[np.float64]
    matrix: NDArray[np.float64]

    def forward(self, x: Events) -> Events:
        """Of the selected columns."""
        return _products(x.astype(np.float64) - self.mean, self.matrix).astype(np.float32)


@dataclass(frozen=True)
class Cumulative:
    """The integral of a density below each value, of each selected value: Uniform, and made normal, Gauss."""

    pdfs: tuple[PDF, ...]
    flat: bool
    places: tuple[int, ...]

    def forward(self, x: Events) -> Events:
        """Of the selected columns."""
        chosen = [self.pdfs[place] for place in self.places]
        u = np.stack([pdf.value(x[:, i].astype(np.float64)) for i, pdf in enumerate(chosen)], axis=1)
        u = np.clip(u, 1e-9, 1 - 1e-9)
        y = (u if self.flat else _ROOT2 * erfinv(2 * u - 1)).astype(np.float32)
        return np.clip(y, -_LARGEST, _LARGEST)

    def backward(self, place: int, y: Events) -> Events:
        """Of a selected target: its values in its own units."""
        value = y.astype(np.float64)
        u = value if self.flat else 0.5 * (erf(value / _ROOT2) + 1)
        return self.pdfs[place].inverse(u).astype(np.float32)


@dataclass(frozen=True)
class Transform:
    """What it works on, and what is done with each set of parameters."""

    on: _Selection
    sets: tuple[Normalize | Linear | Cumulative, ...]

    def of(self, which: int) -> Normalize | Linear | Cumulative:
        """With the parameters of a class, where it has its own; else with those of all classes."""
        return self.sets[which if 0 <= which < len(self.sets) else -1]


@dataclass(frozen=True)
class Chain:
    """The transformations of a weight file, one after the other."""

    links: tuple[Transform, ...]

    def forward(self, events: Events, which: int = ALL_CLASSES) -> Events:
        """The transformed events.

        Args:
            events: float32 (n, variables).
            which: a class, whose parameters are used where it has its own; else those of all classes.
        """
        for link in self.links:
            if link.on.inputs:
                out = events.copy()
                out[:, link.on.outputs] = link.of(which).forward(events[:, link.on.inputs])
                events = out
        return events

    def forward_targets(self, targets: Events) -> Events:
        """The transformed targets, float32 (n, targets)."""
        out = targets.copy()
        for link in self.links:
            made = link.of(ALL_CLASSES)
            if not isinstance(made, Linear) and link.on.targets:
                places, columns = (list(column) for column in zip(*link.on.targets, strict=True))
                out[:, columns] = replace(made, places=tuple(places)).forward(out[:, columns])
        return out

    def backward(self, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Targets in their own units, from transformed ones: (n, targets)."""
        values = targets.astype(np.float32)
        for link in reversed(self.links):
            made = link.of(ALL_CLASSES)
            if not isinstance(made, Linear):
                for place, target in link.on.targets:
                    values[:, target] = made.backward(place, values[:, target])
        return values.astype(np.float64)


def read_chain(root: Element, header: Header) -> Chain:
    """The chain of a weight file. Raises SchemaError if one is missing, unknown or damaged."""
    node = root.find("Transformations")
    nodes = node.every("Transform") if node else []
    _check_count(root, header, nodes)
    links = []
    for item in nodes:
        name = item.get("Name")
        if name not in _READERS:
            item.wrong(f"the transformation {name!r} is not read", expected=", ".join(_READERS), found=name)
        links.append(_READERS[name](item, header))
    return Chain(tuple(links))


def _check_count(root: Element, header: Header, nodes: Sequence[Element]) -> None:
    """What the option VarTransform names must be there, in its order; identities are counted, not written."""
    said = root.find("Transformations")
    if said is not None and said.whole("NTransformations", 0, _MOST) < len(nodes):
        said.wrong(
            "more transformations than it says",
            expected=f"NTransformations={said.get('NTransformations')}",
            found=len(nodes),
        )
    text = header.option("VarTransform", "None")
    try:
        wanted = [link.kind for link in parse_chain(text) if link.kind != "Identity"]
    except DataError as error:
        raise SchemaError(error.problem, where=f"{root.file}, option VarTransform", **_known(error)) from None
    there = iter([_kind(node) for node in nodes])
    missing = [kind for kind in wanted if not any(kind == found for found in there)]
    if missing:
        root.wrong(
            f"the transformation {missing[0]} is missing",
            expected=f"{', '.join(wanted)} in Transformations, as VarTransform={text} says",
            found=", ".join(_kind(node) for node in nodes) or "none",
        )
    if said is not None and not wanted and "VarTransform" not in header.options:
        return
    identities = len([link for link in parse_chain(text) if link.kind == "Identity"])
    if said is not None and said.whole("NTransformations", 0, _MOST) > len(nodes) + identities:
        said.wrong(
            "fewer transformations than it says",
            expected=f"NTransformations={said.get('NTransformations')}",
            found=f"{len(nodes)}, and {identities} identities",
        )


def _known(error: DataError) -> dict[str, str]:
    return {key: value for key, value in error.parts.items() if key in ("expected", "found", "fix")}


def _kind(node: Element) -> str:
    name = node.get("Name")
    return "Uniform" if name == "Gauss" and node.get("FlatOrGauss", "Gauss") == "Flat" else name


def _selection(node: Element, header: Header, count: int) -> _Selection:
    """The selection of a transformation that has parameters for `count` values."""
    selection = node.find("Selection")
    if selection is None:  # old files: all variables, then all targets
        columns = tuple(range(len(header.variables)))
        if not len(columns) <= count <= len(columns) + len(header.targets):
            node.wrong("parameters and variables do not agree", expected=f"{len(columns)} variables", found=count)
        extra = tuple((len(columns) + i, i) for i in range(count - len(columns)))
        return _Selection(columns, columns, columns, extra)
    sides = []
    for side in ("Input", "Output"):
        group = selection.child(side)
        items = group.every(side)
        if group.whole(f"N{side}s", 0, _MOST) != len(items):
            group.wrong("another number than it says", expected=f"N{side}s={group.get(f'N{side}s')}", found=len(items))
        sides.append([_place(item, header) for item in items])
    kinds = [[kind for kind, _ in side] for side in sides]
    if kinds[0] != kinds[1]:
        selection.wrong("inputs and outputs of other types", expected=", ".join(kinds[0]), found=", ".join(kinds[1]))
    if len(sides[0]) != count:
        selection.wrong("selection and parameters do not agree", expected=f"{count} inputs", found=len(sides[0]))
    columns, into = (tuple(place for kind, place in side if kind == "Variable") for side in sides)
    return _Selection(
        inputs=columns,
        outputs=into,
        places=tuple(i for i, kind in enumerate(kinds[0]) if kind == "Variable"),
        targets=tuple((i, place) for i, (kind, place) in enumerate(sides[0]) if kind == "Target"),
    )


def _place(item: Element, header: Header) -> tuple[str, int]:
    kind, label = item.get("Type"), item.get("Label")
    groups = {"Variable": header.variables, "Target": header.targets, "Spectator": header.spectators}
    if kind not in groups:
        item.wrong("an unknown type", expected=", ".join(groups), found=kind)
    labels = [one.label for one in groups[kind]]
    if label not in labels:
        item.wrong(f"no {kind.lower()} has the label {label!r}", expected=", ".join(labels), found=label)
    return kind, labels.index(label)


def _sets(node: Element, items: Sequence[Element], header: Header) -> Sequence[Element]:
    """One set of parameters for each class and one for all, or just one."""
    if len(items) not in (1, len(header.classes) + 1):
        node.wrong(
            "another number of sets of parameters than classes",
            expected=f"{len(header.classes) + 1}, or 1",
            found=len(items),
        )
    for place, item in enumerate(items):
        if "ClassIndex" in item.attributes and item.whole("ClassIndex", 0, _MOST) != place:
            item.wrong("classes out of order", expected=f"ClassIndex={place}", found=item.get("ClassIndex"))
    return items


def _normalize(node: Element, header: Header) -> Transform:
    offset = node.get("UseOffsetOrNot", "UseOffset")
    if offset != "UseOffset":
        node.wrong("a scale without offset is not read", expected="UseOffsetOrNot=UseOffset", found=offset)
    old = node.find("Selection") is None
    count = 0
    ranges = []
    for item in _sets(node, node.every("Class"), header):
        if old:
            rows = [(one, "VarIndex") for one in item.child("Variables").every("Variable")]
            group = item.find("Targets")
            rows += [(one, "TargetIndex") for one in (group.every("Target") if group else [])]
        else:
            rows = [(one, "Index") for one in item.child("Ranges").every("Range")]
        places = [row.whole(index, 0, _MOST) for row, index in rows]
        if not old and places != list(range(len(rows))):
            item.wrong("ranges out of order", expected="Index 0, 1, 2, ...", found=places)
        ranges.append(np.array([[row.real("Min"), row.real("Max")] for row, _ in rows]).reshape(-1, 2))
        count = len(rows)
        if len(ranges[0]) != count:
            item.wrong("another number of ranges", expected=len(ranges[0]), found=count)
    on = _selection(node, header, count)
    sets = []
    for limits in ranges:
        low, high = limits.T.astype(np.float32)
        sets.append(Normalize.between(low, high, on.places))
    return Transform(on, tuple(sets))


def _linear(
    node: Element, header: Header, means: Sequence[NDArray[np.float64]], matrices: Sequence[NDArray[np.float64]]
) -> Transform:
    """(x - mean) @ matrix, in double precision."""
    size = len(means[0])
    on = _selection(node, header, size)
    if len(on.inputs) != size:
        node.wrong(
            f"{node.get('Name')} of targets or spectators is not read: TMVA has no right inverse of it",
            expected="variables only",
            found=f"{len(on.inputs)} variables of {size}",
        )

    return Transform(on, tuple(Linear(*pair) for pair in zip(means, matrices, strict=True)))


def _decorrelation(node: Element, header: Header) -> Transform:
    matrices = [item.matrix("Rows", "Columns") for item in _sets(node, node.every("Matrix"), header)]
    size = len(matrices[0])
    for item, matrix in zip(node.every("Matrix"), matrices, strict=True):
        if matrix.shape != (size, size):
            item.wrong("a matrix of another shape", expected=f"{size} x {size}", found=matrix.shape)
    return _linear(node, header, [np.zeros(size)] * len(matrices), [matrix.T for matrix in matrices])


def _pca(node: Element, header: Header) -> Transform:
    means_of, vectors_of = node.every("Statistics"), node.every("Eigenvectors")
    if len(means_of) != len(vectors_of):
        node.wrong(
            "means and eigenvectors do not agree", expected=f"{len(means_of)} Eigenvectors", found=len(vectors_of)
        )
    means = [item.numbers(item.whole("NRows", 1, _MOST)) for item in _sets(node, means_of, header)]
    vectors = [item.matrix("NRows", "NCols") for item in _sets(node, vectors_of, header)]
    size = len(means[0])
    for item, mean, vector in zip(vectors_of, means, vectors, strict=True):
        if vector.shape != (size, size) or len(mean) != size:
            item.wrong("a matrix of another shape", expected=f"{size} x {size}", found=vector.shape)
    return _linear(node, header, means, vectors)


def _products(x: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """x @ matrix, summed in the order of the columns: the same bits for one event and for many."""
    out = np.zeros((len(x), matrix.shape[1]))
    for j in range(matrix.shape[0]):
        out += x[:, j : j + 1] * matrix[j]
    return out


def _gauss(node: Element, header: Header) -> Transform:
    if header.release < (3, 9, 8):
        node.wrong(
            "Gauss and Uniform of TMVA before 3.9.8 are not read: their cumulants were others",
            expected="TMVA 3.9.8 or later",
            found=".".join(map(str, header.release)),
            fix="train again with a later TMVA",
        )
    flat = _kind(node) == "Uniform"
    variables = node.every("Variable")
    for place, item in enumerate(variables):
        if item.whole("VarIndex", 0, _MOST) != place:
            item.wrong("variables out of order", expected=f"VarIndex={place}", found=item.get("VarIndex"))
    on = _selection(node, header, len(variables))
    columns = [[read_pdf(one.child("PDF"), normalised=False) for one in item.children] for item in variables]
    for item, pdfs in zip(variables, columns, strict=True):
        _sets(item, item.children, header)
        if len(pdfs) != len(columns[0]):
            item.wrong("another number of densities", expected=len(columns[0]), found=len(pdfs))
    sets = zip(*columns, strict=True)
    return Transform(on, tuple(Cumulative(tuple(pdfs), flat, on.places) for pdfs in sets))


_READERS: dict[str, Callable[[Element, Header], Transform]] = {
    "Normalize": _normalize,
    "Decorrelation": _decorrelation,
    "PCA": _pca,
    "Gauss": _gauss,
}
