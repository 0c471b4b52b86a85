"""Likelihood: the product of the variables' densities for signal, against that for background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.pdf import PDF, read_pdf
from tmva_bridge.xmlfile import Element

__all__ = ["read"]

_LEAST = 1e3 * np.finfo(np.float64).tiny
_STEPPED_TYPE = "N"  # of a variable, as TMVA tests it; its integers are "I"
_TAU = 15.0


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
    signals = [pdfs[i, 0] for i in range(count)]
    stepped = [
        pdf.stepped or variable.kind == _STEPPED_TYPE for pdf, variable in zip(signals, header.variables, strict=True)
    ]
    folded = header.flag("TransformOutput", False)

    def product(events: Events, which: int) -> NDArray[np.float64]:
        x = events.transformed(which).astype(np.float64)
        out = np.ones(len(x))
        for i, limits in enumerate(signals):
            at = np.where(
                x[:, i] >= limits.high, limits.high - 1e-10, np.where(x[:, i] < limits.low, limits.low, x[:, i])
            )
            pdf = pdfs[i, which]
            out *= np.fmax(pdf.stepped_value(at) if stepped[i] else pdf.line(at), _LEAST)
        return np.maximum(out, _LEAST)

    def respond(events: Events) -> NDArray[np.float64]:
        signal, background = product(events, 0), product(events, 1)
        ratio = signal / (signal + background)
        ratio = np.where(ratio >= 1, 1 - 1e-15, ratio)
        return -np.log(1 / np.where(ratio <= 0, _LEAST, ratio) - 1) / _TAU if folded else ratio

    return respond
