"""What every weight file says before its weights: method, versions, options, variables, classes, targets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hepml.errors import DataError
from tmva_bridge.options import boolean
from tmva_bridge.xmlfile import Element

__all__ = ["ANALYSES", "Header", "Variable", "as_variables", "internal_name", "read_header"]

ANALYSES = ("Classification", "Regression", "Multiclass")
# letters of a label that a name of branches and histograms cannot have
_INTERNAL = {"*": "_T_", "/": "_D_", "+": "_P_", "-": "_M_", "=": "_E_", ">": "_GT_", "<": "_LT_", "::": "_"} | {
    "&": "_A_",
    "|": "_O_",
    "%": "_MOD_",
}


def internal_name(label: str) -> str:
    """A label as a name of branches and histograms.

    Example:
        >>> internal_name("var1/var2")
        'var1_D_var2'
    """
    for sign, name in _INTERNAL.items():
        label = label.replace(sign, name)
    return re.sub(r"[^\w.]", "_", label)


@dataclass(frozen=True)
class Variable:
    """An input, spectator or target.

    Attributes:
        label: what transformations and people call it.
        expression: what the user computes.
        internal: the label as a name of branches and histograms.
        kind: "F", "I", ...: its type.
        title: for axes; the label if empty.
        unit: for axes, such as "GeV".
    """

    label: str
    expression: str
    internal: str
    kind: str
    title: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Header:
    """The part of a weight file that all methods share.

    Attributes:
        kind: such as "BDT".
        title: such as "BDTG".
        release: of TMVA, such as (4, 2, 1).
        analysis: one of `ANALYSES`.
        options: name -> value, as text; names as in the file.
        custom_objects: what a model of PyKeras needs beyond Keras, by name.
    """

    file: str
    kind: str
    title: str
    release: tuple[int, int, int]
    analysis: str
    options: dict[str, str]
    variables: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    classes: tuple[str, ...]
    element: Element
    custom_objects: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """How many values an event gets."""
        counts = {"Classification": 1, "Regression": len(self.targets), "Multiclass": len(self.classes)}
        return counts[self.analysis]

    def option(self, name: str, default: str | None = None) -> str:
        """An option as text, its name in any case. Raises SchemaError if it is absent and there is no default."""
        found = {key.lower(): value for key, value in self.options.items()}.get(name.lower(), default)
        if found is None:
            self.element.wrong(
                f"the option {name!r} is absent",
                expected=f'<Option name="{name}">',
                found=", ".join(self.options) or "no options",
            )
        return found

    def flag(self, name: str, default: bool) -> bool:
        """A boolean option. Raises SchemaError for another value."""
        text = self.option(name, str(default))
        try:
            return boolean(text)
        except DataError:
            self.element.wrong(f"the option {name!r} is no boolean", expected="True or False", found=text)

    def number(self, name: str, default: float) -> float:
        """An option as a number. Raises SchemaError for another value."""
        text = self.option(name, str(default))
        try:
            return float(text)
        except ValueError:
            self.element.wrong(f"the option {name!r} is no number", expected="a number such as 1.5", found=text)

    def one_of(self, name: str, known: tuple[str, ...], default: str | None = None) -> str:
        """An option with listed values, in their case. Raises SchemaError for another value."""
        text = self.option(name, default)
        named = {value.lower(): value for value in known}
        if text.lower() not in named:
            self.element.wrong(f"the option {name!r} has an unknown value", expected=", ".join(known), found=text)
        return named[text.lower()]


def as_variables(given: Sequence[str | Variable]) -> tuple[Variable, ...]:
    """Variables from expressions, such as "pt" or "sum := a+b".

    Example:
        >>> [(one.label, one.expression, one.internal) for one in as_variables(["sum := a+b", "x/y"])]
        [('sum', 'a+b', 'sum'), ('x/y', 'x/y', 'x_D_y')]
    """
    out = []
    for one in given:
        if isinstance(one, Variable):
            out.append(one)
            continue
        label, sign, expression = (part.strip() for part in one.partition(":="))
        out.append(Variable(label, expression if sign else label, internal_name(label), "F"))
    return tuple(out)


def read_header(root: Element) -> Header:
    """The header of a weight file. Raises SchemaError, naming the element, for what TMVA would not write."""
    if root.name != "MethodSetup":
        root.wrong(
            "not a weight file of TMVA",
            expected="the element MethodSetup",
            found=root.name,
            fix="give the .weights.xml that TMVA's Factory wrote",
        )
    kind, _, title = root.get("Method").partition("::")
    general = root.find("GeneralInfo")
    info = {one.get("name"): one.get("value") for one in general.every("Info")} if general else {}
    targets = _variables(root, "Targets", "Target", "NTrgt")
    analysis = info.get("AnalysisType", "Regression" if targets else "Classification")
    if analysis not in ANALYSES:
        root.wrong("an unknown AnalysisType", expected=", ".join(ANALYSES), found=analysis)
    if (analysis == "Regression") != bool(targets):
        root.wrong(
            "targets and analysis do not agree",
            expected="targets in a regression, and only there",
            found=f"AnalysisType {analysis}, {len(targets)} targets",
        )
    options = root.find("Options")
    variables = _variables(root, "Variables", "Variable", "NVar")
    if not variables:
        root.wrong("no variables", expected="the element Variables with NVar of at least 1", found="none")
    return Header(
        file=root.file,
        kind=kind,
        title=title or kind,
        release=_release(root, info.get("TMVA Release")),
        analysis=analysis,
        options={one.get("name"): one.text for one in options.every("Option")} if options else {},
        variables=variables,
        spectators=_variables(root, "Spectators", "Spectator", "NSpec"),
        targets=targets,
        classes=_classes(root, analysis),
        element=root,
    )


def _release(root: Element, text: str | None) -> tuple[int, int, int]:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", text or "")
    if found is None:
        root.wrong(
            "no release of TMVA, on which the meaning of a file depends",
            expected='<Info name="TMVA Release" value="4.2.1 [262657]"/>',
            found=text or "no such Info",
        )
    return int(found[1]), int(found[2]), int(found[3])


def _variables(root: Element, group: str, name: str, count: str) -> tuple[Variable, ...]:
    node = root.find(group)
    if node is None:
        return ()
    items = node.every(name)
    expected = node.whole(count)
    if len(items) != expected:
        node.wrong(f"another number of {group} than it says", expected=f"{count}={expected}", found=len(items))
    index = {"Variable": "VarIndex", "Spectator": "SpecIndex", "Target": "TargetIndex"}[name]
    for place, item in enumerate(items):
        if index in item.attributes and item.whole(index) != place:
            item.wrong(f"{group} out of order", expected=f"{index}={place}", found=item.get(index))
    return tuple(
        Variable(
            label=item.get("Label", item.get("Expression")),
            expression=item.get("Expression"),
            internal=item.get("Internal", item.get("Expression")),
            kind=item.get("Type", "F"),
            title=item.get("Title", ""),
            unit=item.get("Unit", ""),
        )
        for item in items
    )


def _classes(root: Element, analysis: str) -> tuple[str, ...]:
    node = root.find("Classes")
    if node is None:  # very old files
        return ("Regression",) if analysis == "Regression" else ("Signal", "Background")
    items = node.every("Class")
    expected = node.whole("NClass")
    if len(items) != expected:
        node.wrong("another number of classes than it says", expected=f"NClass={expected}", found=len(items))
    indices = [item.whole("Index", 0, expected) for item in items]
    if sorted(indices) != list(range(expected)):
        node.wrong("classes are not numbered", expected=f"each of 0 to {expected - 1} once", found=indices)
    if analysis == "Multiclass" and expected < 2:
        node.wrong("too few classes", expected="at least two in a multiclass file", found=expected)
    return tuple(item.get("Name") for _, item in sorted(zip(indices, items, strict=True), key=lambda pair: pair[0]))
