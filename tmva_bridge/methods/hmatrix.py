"""HMatrix: the difference of two chi-squares, to the background's and to the signal's mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["read"]


def read(weights: Element, header: Header) -> Respond:
    """Reads the means `VecMeanS`, `VecMeanB` and the inverse covariances `InvHMatS`, `InvHMatB`."""
    if header.analysis != "Classification":
        weights.wrong("an HMatrix separates two classes", expected="Classification", found=header.analysis)
    count = len(header.variables)
    shapes = {"VecMean": (1, count), "InvHMat": (count, count)}
    values = {}
    for name, shape in shapes.items():
        for letter in "SB":
            node = weights.child(name + letter)
            values[name, letter] = node.matrix("Rows", "Columns")
            if values[name, letter].shape != shape:
                node.wrong("a matrix of another shape", expected=shape, found=values[name, letter].shape)

    def chi2(events: Events, letter: str, which: int) -> NDArray[np.float64]:
        d = events.transformed(which).astype(np.float64) - values["VecMean", letter]
        out = np.zeros(len(d))
        for i in range(count):
            for j in range(count):
                out += d[:, i] * values["InvHMat", letter][i, j] * d[:, j]
        return out

    def respond(events: Events) -> NDArray[np.float64]:
        signal, background = chi2(events, "S", 0), chi2(events, "B", 1)
        total = signal + background
        return np.where(total == 0, 0.0, (background - signal) / np.where(total == 0, 1, total))

    return respond
