"""TMVA's transformations, fitted to a training sample: each link to the events that the previous one made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, nearest
from tmva_bridge.fitting.transforms import decorrelation, gauss, normalize, pca, uniform
from tmva_bridge.options import Link, parse_chain
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.transforms import ALL_CLASSES, Events, Map
from tmva_bridge.writing.markup import Tag

__all__ = ["FittedChain", "fit_chain"]

_GROUPS = {"V": "Variable", "T": "Target", "S": "Spectator"}
_FITS: dict[str, Callable[[Sequence[Events], Sequence[NDArray[np.float64]], Sequence[str]], tuple[Tag, list[Map]]]] = {
    "Normalize": normalize,
    "Decorrelation": decorrelation,
    "PCA": pca,
    "Uniform": uniform,
    "Gauss": gauss,
}


@dataclass(frozen=True)
class _Step:
    columns: list[int]  # of variables, targets and spectators side by side
    maps: list[Map]  # for each class and for all, or one
    trained: int  # the class that the chain names, or ALL_CLASSES


@dataclass(frozen=True)
class FittedChain:
    """A chain and its elements.

    Attributes:
        tags: elements Transform.
        identities: how many links are I.
    """

    steps: tuple[_Step, ...]
    tags: tuple[Tag, ...]
    identities: int

    def forward(self, sample: Sample, which: int | None = None) -> tuple[Events, Events]:
        """Variables and targets as a training sees them: (n, variables), (n, targets), float32.

        Args:
            sample: events.
            which: a class, whose parameters are used; None for the class that each link names, or all classes.
        """
        matrix = _joined(sample)
        for step in self.steps:
            matrix = _applied(step, matrix, step.trained if which is None else which)
        count = sample.values.shape[1]
        return matrix[:, :count], matrix[:, count : count + sample.targets.shape[1]]


def fit_chain(text: str, sample: Sample, setup: Setup) -> FittedChain:
    """The chain of VarTransform, such as "G,D" or "N(var1,_V1_)_Signal+P", fitted.

    Raises:
        DataError: an unknown transformation, class or label, a constant variable where one is divided by its width,
            or a class without events.
    """
    matrix = _joined(sample)
    chosen = [sample.classes == i for i in range(len(setup.classes))]
    chosen += [np.ones(len(sample), bool)] if len(chosen) > 1 else []
    for name, mask in zip([*setup.classes, "all classes"], chosen, strict=False):
        if not mask.any():
            raise DataError("no training events to fit a transformation to", where=name, expected="at least one event")
    links = parse_chain(text)
    steps, tags = [], []
    for link in links:
        if link.kind == "Identity":
            continue
        columns, items = _selection(link, setup)
        parts = [matrix[mask][:, columns] for mask in chosen]
        names = [*setup.classes, "Combined"] if len(chosen) > 1 else list(setup.classes)
        tag, maps = _FITS[link.kind](parts, [sample.weights[mask] for mask in chosen], names)
        tags.append(Tag(tag.name, tag.attributes, [_selected(items), *tag.inside]))
        steps.append(_Step(columns, maps, _class_of(link, setup)))
        matrix = _applied(steps[-1], matrix, steps[-1].trained)
    return FittedChain(tuple(steps), tuple(tags), len(links) - len(steps))


def _joined(sample: Sample) -> Events:
    return np.concatenate([sample.values, sample.targets, sample.spectators], axis=1).astype(np.float32)


def _applied(step: _Step, matrix: Events, which: int) -> Events:
    out = matrix.copy()
    with np.errstate(all="ignore"):
        chosen = step.maps[which if 0 <= which < len(step.maps) else -1]
        out[:, step.columns] = chosen(matrix[:, step.columns])
    return out


def _class_of(link: Link, setup: Setup) -> int:
    if link.class_name is None or link.class_name == "AllClasses":
        return ALL_CLASSES
    if link.class_name not in setup.classes:
        raise DataError(
            f"the chain names the class {link.class_name!r}, which is not there",
            expected=", ".join([*setup.classes, "AllClasses"]),
            nearest=nearest(link.class_name, setup.classes),
        )
    return setup.classes.index(link.class_name)


def _selection(link: Link, setup: Setup) -> tuple[list[int], list[tuple[str, str, str]]]:
    """Columns, and (type, label, expression) of each."""
    groups = {"V": setup.variables, "T": setup.targets, "S": setup.spectators}
    begin = {"V": 0, "T": len(setup.variables), "S": len(setup.variables) + len(setup.targets)}
    places = {(letter, i): begin[letter] + i for letter in groups for i in range(len(groups[letter]))}
    known = {one.label: (letter, i) for letter in "STV" for i, one in enumerate(groups[letter])}
    known |= {f"_{letter}{i}_": (letter, i) for letter, i in places}
    wanted: list[tuple[str, int]] = []
    for item in link.selection or (("_V_", "_T_") if link.kind in ("Normalize", "Uniform") else ("_V_",)):
        if item in ("_V_", "_T_", "_S_"):
            found = [(item[1], i) for i in range(len(groups[item[1]]))]
        elif item in known:
            found = [known[item]]
        else:
            raise DataError(
                f"the chain names {item!r}, which is not there",
                expected=", ".join([*known, "_V_", "_T_", "_S_"]),
                nearest=nearest(item, known),
            )
        wanted += [one for one in found if one not in wanted]
    others = [letter for letter, _ in wanted if letter != "V"]
    if link.kind in ("Decorrelation", "PCA") and others:
        raise DataError(f"{link.kind} of targets or spectators is not fitted: TMVA has no right inverse of it")
    if not wanted:
        raise DataError("a transformation of nothing", where=link.kind, expected="at least one variable in its list")
    items = [(_GROUPS[letter], groups[letter][i].label, groups[letter][i].expression) for letter, i in wanted]
    return [places[one] for one in wanted], items


def _selected(items: Sequence[tuple[str, str, str]]) -> Tag:
    def side(name: str) -> Tag:
        rows = [Tag(name, {"Type": kind, "Label": label, "Expression": what}) for kind, label, what in items]
        return Tag(name, {f"N{name}s": len(items)}, rows)

    return Tag("Selection", {}, [side("Input"), side("Output")])
