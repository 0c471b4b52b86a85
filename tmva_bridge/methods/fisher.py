"""Fisher: a constant and a sum of the variables, in double precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["Fisher", "read"]


@dataclass(frozen=True)
class Fisher:
    """A constant and a coefficient for each variable."""

    coefficients: tuple[float, ...]

    def __call__(self, events: Events) -> NDArray[np.float64]:
        x = events.transformed().astype(np.float64)
        out = np.full(len(x), self.coefficients[0])
        for i, coefficient in enumerate(self.coefficients[1:]):
            out += coefficient * x[:, i]
        return out


def read(weights: Element, header: Header) -> Respond:
    """Reads `Coefficient Index Value`: the constant has index 0."""
    count = len(header.variables) + 1
    if header.analysis != "Classification":
        weights.wrong("a Fisher discriminant separates two classes", expected="Classification", found=header.analysis)
    items = weights.every("Coefficient")
    if weights.whole("NCoeff") != count or len(items) != count:
        weights.wrong(
            "another number of coefficients than variables",
            expected=f"NCoeff={count} and as many Coefficient",
            found=f"NCoeff={weights.get('NCoeff')}, {len(items)} Coefficient",
        )
    values: dict[int, float] = {item.whole("Index", 0, count): item.real("Value") for item in items}
    if len(values) != count:
        weights.wrong("an index comes twice", expected=f"Index 0 to {count - 1}", found=sorted(values))
    return Fisher(tuple(values[i] for i in range(count)))
