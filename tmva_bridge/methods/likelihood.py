"""Likelihood: the product of the variables' densities for signal, against that for background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.pdf import PDF, read_pdf
from tmva_bridge.xmlfile import Element

__all__ = ["Likelihood", "read"]

LEAST = 1e3 * np.finfo(np.float64).tiny
_STEPPED_TYPE = "N"  # of a variable, as TMVA tests it; its integers are "I"
TAU = 15.0


@dataclass(frozen=True)
class Likelihood:
    """Densities of each variable.

    Attributes:
        densities: of the signal, and of the background; each with one for each variable.
        stepped: of each variable, whether densities are taken from bins and not interpolated.
        folded: the response is -ln(1 / ratio - 1) / 15.
    """

    densities: tuple[tuple[PDF, ...], tuple[PDF, ...]]
    stepped: tuple[bool, ...]
    folded: bool

    def __call__(self, events: Events) -> NDArray[np.float64]:
        signal, background = self._product(events, 0), self._product(events, 1)
        ratio = signal / (signal + background)
        ratio = np.where(ratio >= 1, 1 - 1e-15, ratio)
        return -np.log(1 / np.where(ratio <= 0, LEAST, ratio) - 1) / TAU if self.folded else ratio

    def _product(self, events: Events, which: int) -> NDArray[np.float64]:
        x = events.transformed(which).astype(np.float64)
        out = np.ones(len(x))
        for i, limits in enumerate(self.densities[0]):  # those of the signal hold for both
            at = np.where(
                x[:, i] >= limits.high, limits.high - 1e-10, np.where(x[:, i] < limits.low, limits.low, x[:, i])
            )
            pdf = self.densities[which][i]
            out *= np.fmax(pdf.stepped_value(at) if self.stepped[i] else pdf.line(at), LEAST)
        return np.maximum(out, LEAST)


def read(weights: Element, header: Header) -> Respond:
    """Reads `PDFDescriptor VarIndex ClassIndex`, class 0 for signal and 1 for background."""
    if header.analysis != "Classification":
        weights.wrong("a likelihood separates two classes", expected="Classification", found=header.analysis)
    count = len(header.variables)
    pdfs: dict[tuple[int, int], PDF] = {}
    for item in weights.every("PDFDescriptor"):
        place = item.whole("VarIndex", 0, count), item.whole("ClassIndex", 0, 2)
        if place in pdfs:
            item.wrong("a density comes twice", expected="one for each variable and class", found=place)
        pdfs[place] = read_pdf(item.child("PDF"), normalised=True)
    if len(pdfs) != 2 * count:
        weights.wrong("densities are missing", expected=f"{2 * count} PDFDescriptor", found=len(pdfs))
    signal, background = (tuple(pdfs[i, which] for i in range(count)) for which in (0, 1))
    stepped = tuple(
        pdf.stepped or variable.kind == _STEPPED_TYPE for pdf, variable in zip(signal, header.variables, strict=True)
    )
    return Likelihood((signal, background), stepped, header.flag("TransformOutput", False))
