"""Elements PDF: the histogram of a density, and how it is smoothed and interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.writing.markup import Attributes, Tag, numbers

__all__ = ["Density", "density"]


@dataclass(frozen=True)
class Density:
    """What an element PDF holds.

    Attributes:
        name: of the density.
        histogram: name of its histogram.
        contents: float32 (bins,).
        edges: float64 (bins + 1,).
        interpolation: 0 to 3 for Spline0 to Spline3, 5 for KDE.
        smoothing: passes.
        kernel: type, iterations, border and fine factor of KDE.
        equal: whether bins have the same width.
    """

    name: str
    histogram: str
    contents: NDArray[np.float32]
    edges: NDArray[np.float64]
    interpolation: int
    smoothing: int = 0
    kernel: tuple[int, int, int, float] = (1, 1, 1, 1.0)
    equal: bool = True


def density(one: Density) -> Tag:
    """The element."""
    bins = len(one.contents)
    shape: Attributes = {
        "Name": one.histogram,
        "NBins": bins,
        "XMin": float(one.edges[0]),
        "XMax": float(one.edges[-1]),
        "HasEquidistantBins": int(one.equal),
    }
    inside = [Tag("Histogram", shape, numbers(one.contents, 8))]
    if not one.equal:
        inside.append(Tag("HistogramBinning", {"NBins": bins}, numbers(one.edges, 8)))
    kind, rounds, border, fine = one.kernel
    attributes: Attributes = {
        "Name": one.name,
        "MinNSmooth": one.smoothing,
        "MaxNSmooth": one.smoothing,
        "InterpolMethod": one.interpolation,
        "KDE_type": kind,
        "KDE_iter": rounds,
        "KDE_border": border,
        "KDE_finefactor": fine,
    }
    return Tag("PDF", attributes, inside)
