"""What every weight file holds beside its weights, in TMVA's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import hepml
from tmva_bridge.header import Variable
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.writing.markup import Attributes, Tag, text_of

__all__ = ["Body", "Options", "weight_file"]

Options = Mapping[str, bool | int | float | str]

TMVA_RELEASE = "4.2.1 [262657]"  # of the sources whose formulas these are
ROOT_RELEASE = "6.38/00 [402944]"


@dataclass(frozen=True)
class Body:
    """What differs from method to method.

    Attributes:
        kind: TMVA's type, such as "BDT".
        weights: the element Weights.
        options: all that the file holds, in TMVA's order.
        modified: names of the options that differ from TMVA's defaults.
        transformations: elements Transform.
        identities: how many of the chain's links are I: counted, not written.
        densities: elements PDF of the response, signal and background, or none.
    """

    kind: str
    weights: Tag
    options: Options = field(default_factory=dict)
    modified: frozenset[str] = frozenset()
    transformations: Sequence[Tag] = ()
    identities: int = 0
    densities: Sequence[Tag] = ()


def weight_file(body: Body, setup: Setup, title: str, sample: Sample | None = None) -> str:
    """The text of a weight file.

    Args:
        body: of the method.
        setup: variables, classes, targets.
        title: of the method, such as "BDTG".
        sample: the training sample, for the ranges that the file states; without it they are 0.
    """
    ranges = [None] * 3 if sample is None else [sample.values, sample.spectators, sample.targets]
    children = [
        Tag("GeneralInfo", {}, [Tag("Info", {"name": name, "value": value}) for name, value in _info(setup, sample)]),
        Tag("Options", {}, [_option(name, value, body.modified) for name, value in body.options.items()]),
        _variables("Variables", setup.variables, ranges[0]),
        _variables("Spectators", setup.spectators, ranges[1]),
        Tag(
            "Classes",
            {"NClass": len(setup.classes)},
            [Tag("Class", {"Name": name, "Index": i}) for i, name in enumerate(setup.classes)],
        ),
    ]
    if setup.targets:
        children.append(_variables("Targets", setup.targets, ranges[2]))
    count = len(body.transformations) + body.identities
    children += [
        Tag("Transformations", {"NTransformations": count}, body.transformations),
        Tag("MVAPdfs", {}, body.densities),
        body.weights,
    ]
    return text_of(Tag("MethodSetup", {"Method": f"{body.kind}::{title}"}, children))


def _info(setup: Setup, sample: Sample | None) -> list[tuple[str, str]]:
    """Date and host are not said: the same training gives the same bytes."""
    return [
        ("TMVA Release", TMVA_RELEASE),
        ("ROOT Release", ROOT_RELEASE),
        ("Creator", f"hepml {hepml.__version__}"),
        ("Date", "unknown"),
        ("Host", "unknown"),
        ("Dir", "."),
        ("Training events", str(0 if sample is None else len(sample))),
        ("TrainingTime", "0.00000000e+00"),
        ("AnalysisType", setup.analysis),
    ]


def _option(name: str, value: bool | int | float | str, modified: frozenset[str]) -> Tag:
    text = f"{value:e}" if isinstance(value, float) else str(value)
    return Tag("Option", {"name": name, "modified": "Yes" if name in modified else "No"}, text)


# group -> how its elements are counted, named and numbered
_NAMES = {
    "Variables": ("NVar", "Variable", "VarIndex"),
    "Spectators": ("NSpec", "Spectator", "SpecIndex"),
    "Targets": ("NTrgt", "Target", "TargetIndex"),
}


def _variables(group: str, variables: Sequence[Variable], values: NDArray[np.float32] | None) -> Tag:
    count, name, index = _NAMES[group]
    items = []
    for i, one in enumerate(variables):
        low, high = (0.0, 0.0) if values is None or not len(values) else (values[:, i].min(), values[:, i].max())
        attributes: Attributes = {
            index: i,
            "Expression": one.expression,
            "Label": one.label,
            "Title": one.title or one.label,
            "Unit": one.unit,
            "Internal": one.internal,
            "Type": one.kind,
            "Min": f"{low:.8e}",
            "Max": f"{high:.8e}",
        }
        items.append(Tag(name, attributes))
    return Tag(group, {count: len(variables)}, items)
