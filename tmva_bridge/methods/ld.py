"""LD, the linear discriminant: as Fisher, but summed in float32, and with one output for each target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["LD", "read"]


@dataclass(frozen=True)
class LD:
    """Coefficients (outputs, 1 + variables), the constants first."""

    coefficients: NDArray[np.float64]
    regression: bool

    def __call__(self, events: Events) -> NDArray[np.float64]:
        x = events.transformed().astype(np.float64)
        out = np.broadcast_to(self.coefficients[:, 0].astype(np.float32), (len(x), len(self.coefficients)))
        for i in range(x.shape[1]):
            out = (out + self.coefficients[:, i + 1] * x[:, i : i + 1]).astype(np.float32)
        wide = out.astype(np.float64)
        return wide if self.regression else wide[:, 0]


def read(weights: Element, header: Header) -> Respond:
    """Reads `Coefficient IndexOut IndexCoeff Value`: the constant of an output has IndexCoeff 0."""
    if header.analysis == "Multiclass":
        weights.wrong("LD has no multiclass", expected="Classification or Regression", found=header.analysis)
    shape = weights.whole("NOut", 1), weights.whole("NCoeff", 1)
    expected = header.outputs, len(header.variables) + 1
    if shape != expected:
        weights.wrong(
            "another number of coefficients than variables and outputs",
            expected="NOut={}, NCoeff={}".format(*expected),
            found="NOut={}, NCoeff={}".format(*shape),
        )
    values = np.full(shape, np.nan)
    for item in weights.every("Coefficient"):
        values[item.whole("IndexOut", 0, shape[0]), item.whole("IndexCoeff", 0, shape[1])] = item.real("Value")
    if np.isnan(values).any():
        weights.wrong("coefficients are missing", expected=f"{values.size}", found=int(np.isfinite(values).sum()))
    return LD(values, header.analysis == "Regression")
