"""RuleFit: an offset, a sum of rules that an event fulfils, and a sum of clipped variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["read"]

_BOTH, _RULES, _LINEAR = range(3)  # LearningModel


def read(weights: Element, header: Header) -> Respond:
    """Reads `Rule` with its `Cut`s, strict on both sides, and `Linear`, one for each variable."""
    if header.analysis != "Classification":
        weights.wrong("RuleFit separates two classes", expected="Classification", found=header.analysis)
    count = len(header.variables)
    offset, model = weights.real("Offset"), weights.whole("LearningModel", 0, 3)
    rules = [_rule(item, count) for item in weights.every("Rule")]
    terms = [_term(item) for item in weights.every("Linear")]
    for name, items in (("NRules", rules), ("NLinear", terms)):
        if weights.whole(name) != len(items):
            weights.wrong(f"another number than {name} says", expected=weights.get(name), found=len(items))
    if len(terms) not in (0, count):
        weights.wrong("another number of linear terms than variables", expected=count, found=len(terms))

    def respond(events: Events) -> NDArray[np.float64]:
        x = events.transformed().astype(np.float64)
        out = np.full(len(x), offset)
        for coefficient, cuts in rules if model in (_BOTH, _RULES) else ():
            passed = np.ones(len(x), bool)
            for i, low, high in cuts:
                passed &= (x[:, i] > low) & (x[:, i] < high)
            out += coefficient * passed
        for i, (scale, low, high) in enumerate(terms if model in (_BOTH, _LINEAR) else ()):
            out += scale * np.clip(x[:, i], low, high)
        return out

    return respond


def _rule(item: Element, count: int) -> tuple[float, list[tuple[int, float, float]]]:
    cuts = []
    for cut in item.every("Cut"):
        low = cut.real("Min") if cut.flag("DoMin") else -np.inf
        high = cut.real("Max") if cut.flag("DoMax") else np.inf
        cuts.append((cut.whole("Selector", 0, count), low, high))
    expected = item.whole("Nvars", 1) if "Nvars" in item.attributes else max(1, len(cuts))
    if len(cuts) != expected:
        item.wrong("another number of cuts than it says", expected=f"{expected} elements Cut", found=len(cuts))
    return item.real("Coeff"), cuts


def _term(item: Element) -> tuple[float, float, float]:
    low, high = item.real("DM"), item.real("DP")
    if low > high:
        item.wrong("a term whose limits are exchanged", expected="DM <= DP", found=f"{low} and {high}")
    return (item.real("Coeff") * item.real("Norm") if item.flag("OK") else 0.0), low, high
