"""TMVA's probability densities: a stored histogram, smoothed and interpolated into a table of 10,000 bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import erf

from tmva_bridge.smoothing import smooth
from tmva_bridge.xmlfile import Element

__all__ = ["PDF", "Source", "read_pdf", "read_source"]

Values = NDArray[np.float64]

_BINS = 10_000
_LEAST = 1e-12
_METHODS = ("Spline0", "Spline1", "Spline2", "Spline3", "Spline5", "KDE")
_MOST_BINS = 1_000_000
_MOST_PASSES = 1000
_MOST_KERNELS = 20_000


@dataclass(frozen=True)
class PDF:
    """A table between `low` and `high`.

    Attributes:
        table: float32 (bins,), values at the centres of the bins.
        stepped: whether values are those of the bins (Spline0), not interpolated.
        edges: float64 (bins + 1,), of a table of unequal bins; None if they are equal.
    """

    low: float
    high: float
    table: NDArray[np.float32]
    stepped: bool
    edges: Values | None = None

    @property
    def width(self) -> float:
        """Of a bin; of unequal bins, of the mean one."""
        return (self.high - self.low) / len(self.table)

    def bin_of(self, x: Values) -> NDArray[np.int64]:
        """The bin of each value, -1 below and the number of bins above the table."""
        if self.edges is not None:
            return np.searchsorted(self.edges, x, side="right") - 1
        last = len(self.table)
        scaled = np.clip(last * (x - self.low) / (self.high - self.low), -1, last)  # keeps NaN
        inside = np.where(np.isnan(scaled), last, np.floor(scaled)).astype(np.int64)
        return np.where(x < self.low, -1, np.where(x < self.high, np.minimum(inside, last - 1), last))

    def centre(self, index: NDArray[np.int64]) -> Values:
        if self.edges is not None:
            inside = np.clip(index, 0, len(self.table) - 1)
            out: Values = self.edges[inside] + (self.edges[inside + 1] - self.edges[inside]) / 2
            return out
        return self.low + index * self.width + self.width / 2

    def stepped_value(self, x: Values) -> Values:
        """The content of the bin of each value, 0 outside."""
        index = self.bin_of(x)
        inside = (index >= 0) & (index < len(self.table))
        return np.where(inside, self.table[np.clip(index, 0, len(self.table) - 1)], 0).astype(np.float64)

    def line(self, x: Values) -> Values:
        """Linear between the centres of the bins, extrapolated beyond the first and the last."""
        last = len(self.table) - 1
        index = np.clip(self.bin_of(x), 0, last)
        if last == 0:
            return self.table[index].astype(np.float64)
        centre = self.centre(index)
        upward = ((x > centre) & (index != last)) | (index == 0)
        other = np.where(upward, index + 1, index - 1)
        here, there = self.table[index].astype(np.float64), self.table[other].astype(np.float64)
        out: Values = here + (x - centre) * (here - there) / (centre - self.centre(other))
        return out

    def value(self, x: Values) -> Values:
        """The density at each value, at least 1e-12; beyond the table, that of its first or last bin, extrapolated."""
        if self.stepped:
            index = np.clip(self.bin_of(x), 0, len(self.table) - 1)
            return np.maximum(self.table[index].astype(np.float64), _LEAST)
        return np.fmax(self.line(x), _LEAST)

    def integral(self, stop: Values) -> Values:
        """From the lower edge to each value, as TMVA sums: widths of bins in float32, the last bin up to the value."""
        content = self.table.astype(np.float64)
        width = np.float64(np.float32(self.width))
        filled = np.concatenate([[0.0], np.cumsum(content * width)])
        at = self.bin_of(stop)
        index = np.clip(at, 0, len(content) - 1)
        part = np.where(index == 0, width, (stop - (self.low + index * self.width)).astype(np.float32))
        return np.where(at < 0, 0.0, filled[index] + content[index] * part)

    def inverse(self, y: Values) -> Values:
        """Where a table that increases has each value: linear between the centres of its bins."""
        contents = np.concatenate([[0.0], self.table.astype(np.float64)])
        last = len(self.table)
        upper = np.clip(np.searchsorted(contents[:last], y, side="right"), 1, last)
        lower = upper - 1
        length = np.where(upper < last, contents[upper] - contents[lower], 0)  # above the table: about its upper edge
        part = np.where(length > 1e-10, (y - contents[lower]) / np.where(length > 1e-10, length, 1), contents[lower])
        out: Values = self.centre(lower - 1) + part * (self.centre(upper - 1) - self.centre(lower - 1))
        return out


@dataclass(frozen=True)
class Source:
    """What a density was made from.

    Attributes:
        name: of the histogram.
        method: of interpolation, such as "Spline2".
        edges: (bins + 1,).
        contents: (bins,), as they are stored.
        smoothed: float32 (bins,).
        total: the integral of the table before it was normalised; 1 if it is not.
    """

    name: str
    method: str
    edges: Values
    contents: NDArray[np.float32]
    smoothed: NDArray[np.float32]
    total: float
    pdf: PDF


def read_pdf(node: Element, *, normalised: bool) -> PDF:
    """The density of an element PDF.

    Raises:
        SchemaError: of another layout, or of a kind that is not read (Spline5, smoothing by the bins' errors).
    """
    return read_source(node, normalised=normalised).pdf


def read_source(node: Element, *, normalised: bool, instead: Values | None = None) -> Source:
    """As `read_pdf`, with the histograms on the way.

    Args:
        instead: contents before they were rounded to float32, to be smoothed as they are.
    """
    method = _METHODS[node.whole("InterpolMethod", 0, len(_METHODS))]
    histogram = node.child("Histogram")
    bins = histogram.whole("NBins", 1, _MOST_BINS)
    contents = histogram.numbers(bins).astype(np.float32)
    equal = histogram.flag("HasEquidistantBins")
    if equal:
        low, high = histogram.real("XMin"), histogram.real("XMax")
        edges = low + np.arange(bins + 1) * ((high - low) / bins)
    else:
        binning = node.child("HistogramBinning")
        edges = binning.numbers(binning.whole("NBins", 1, _MOST_BINS) + 1)
        if len(edges) != bins + 1:
            binning.wrong("edges and contents do not agree", expected=f"NBins={bins}", found=len(edges) - 1)
        low, high = float(edges[0]), float(edges[-1])
    if not (low < high and (np.diff(edges) >= 0).all()):
        histogram.wrong("edges of bins that do not increase", expected="XMin < XMax", found=f"{low} to {high}")
    stepped = method == "Spline0"
    if method == "KDE":
        smoothed, table = contents, _smeared(node, edges, contents)
    else:
        passes = _passes(node)
        smoothed = smooth(contents, passes) if instead is None else smooth(instead, passes).astype(np.float32)
        table = smoothed if stepped else _tabulated(method, edges, smoothed, node)
    pdf = PDF(low, high, table, stepped, edges if stepped and not equal else None)
    total = _integral(pdf, node) if normalised else 1.0
    made = _scaled(pdf, 1 / total) if normalised else pdf
    return Source(histogram.get("Name", ""), method, edges, contents, smoothed, total, made)


def _passes(node: Element) -> int:
    least, most = node.real("MinNSmooth"), node.real("MaxNSmooth")
    if least != most:
        node.wrong(
            "smoothing by the errors of bins is not read: the file does not hold the errors",
            expected="MinNSmooth = MaxNSmooth",
            found=f"{least:g} and {most:g}",
            fix="train again with NSmooth=n",
        )
    if most > _MOST_PASSES:
        node.wrong("too many passes of smoothing", expected=f"at most {_MOST_PASSES}", found=f"{most:g}")
    return max(0, int(most))


def _integral(pdf: PDF, node: Element) -> float:
    total = float(pdf.table.sum(dtype=np.float64)) * pdf.width
    if not total > 0:
        node.wrong("a density whose integral is not positive", expected="contents above 0", found=total)
    return total


def _scaled(pdf: PDF, factor: float) -> PDF:
    table = (pdf.table.astype(np.float64) * factor).astype(np.float32)
    return PDF(pdf.low, pdf.high, table, pdf.stepped, pdf.edges)


def _tabulated(method: str, edges: Values, smoothed: NDArray[np.float32], node: Element) -> NDArray[np.float32]:
    """The interpolated histogram at the centres of the table's bins; its own content where that is not positive."""
    width = (edges[-1] - edges[0]) / _BINS
    x = edges[0] + np.arange(_BINS) * width + width / 2
    centres = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    splines: dict[str, tuple[int, Callable[[Values, Values, NDArray[np.float32]], Values]]] = {
        "Spline1": (2, _lines),
        "Spline2": (3, _parabolas),
        "Spline3": (4, lambda x, knots, y: np.asarray(CubicSpline(knots, y, bc_type="not-a-knot")(x))),
    }
    if method not in splines:
        node.wrong(
            f"densities of {method} are not read",
            expected=", ".join(name for name in _METHODS if name != "Spline5"),
            found=f"InterpolMethod {_METHODS.index(method)}",
            fix="train again with PDFInterpol=Spline3",
        )
    least, spline = splines[method]
    if len(smoothed) < least or (np.diff(centres) <= 0).any():
        node.wrong(f"too few bins for {method}", expected=f"at least {least}, of positive width", found=len(smoothed))
    y = spline(x, centres, smoothed)
    at = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(smoothed) - 1)
    return np.maximum(np.where(y > _LEAST, y, smoothed[at]), _LEAST).astype(np.float32)


def _lines(x: Values, knots: Values, y: NDArray[np.float32]) -> Values:
    """Linear between the knots; the first and last pieces go on."""
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    here, there = y[i].astype(np.float64), y[i + 1].astype(np.float64)
    out: Values = here + (x - knots[i]) * (there - here) / (knots[i + 1] - knots[i])
    return out


def _parabolas(x: Values, knots: Values, y: NDArray[np.float32]) -> Values:
    """The mean of the parabolas through the knots before and after x, all in float32; one parabola at the ends."""
    last = len(knots) - 1
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, last)

    def through(first: NDArray[np.int64]) -> NDArray[np.float32]:
        at = x.astype(np.float32)
        x0, x1, x2 = (knots.astype(np.float32)[first + k] for k in range(3))
        y0, y1, y2 = (y[first + k] for k in range(3))
        square = y0 * (x1 - x2) + y1 * (x2 - x0) + y2 * (x0 - x1)
        slope = y0 * (x1 * x1 - x2 * x2) + y1 * (x2 * x2 - x0 * x0) + y2 * (x0 * x0 - x1 * x1)
        constant = y0 * (x1 - x2) * x1 * x2 + y1 * (x2 - x0) * x2 * x0 + y2 * (x0 - x1) * x0 * x1
        scale = (x1 - x2) * (x2 - x0) * (x0 - x1)
        return np.where(scale != 0, (-square * at * at + slope * at - constant) / np.where(scale != 0, scale, 1), 0)

    before = through(np.clip(i - 1, 0, last - 2))
    after = through(np.clip(i, 0, last - 2))
    inner = (i > 0) & (i < last - 1)
    return np.where(inner, (before + after) * np.float32(0.5), np.where(i == 0, after, before)).astype(np.float64)


def _smeared(node: Element, edges: Values, contents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each bin of the histogram spread by a Gaussian kernel; adaptive if KDE_iter is 2."""
    node.whole("KDE_type", 1, 2)  # the Gaussian, the only one
    rounds, border, fine = node.whole("KDE_iter", 1, 3), node.whole("KDE_border", 1, 4), node.real("KDE_finefactor")
    if len(contents) > _MOST_KERNELS:
        node.wrong("too many bins for a kernel each", expected=f"at most {_MOST_KERNELS}", found=len(contents))
    weights = contents.astype(np.float64)
    centres = edges[:-1] + (edges[1:] - edges[:-1]) / 2
    total = weights.sum()
    mean = (weights * centres).sum() / total if total else 0.0
    rms = np.sqrt(abs((weights * centres**2).sum() / total - mean**2)) if total > 0 else 0.0
    if not rms > 0:
        node.wrong(
            "a histogram without width has no kernel", expected="contents in more than one bin", found=f"RMS {rms}"
        )
    sigma = np.sqrt(2.0) * (4.0 / 3.0) ** 0.2 * rms * total**-0.2

    def spread(to: Values, sigmas: Values) -> NDArray[np.float32]:
        out = np.zeros(len(to) - 1, np.float32)
        for i in np.flatnonzero(weights[:-1]):  # the last bins are left out, of the table as well
            part = _kernel(to, centres[i], sigmas[i])
            if border == 2:
                part = part / _kernel(edges[[0, -1]], centres[i], sigmas[i])[0]
            out[:-1] += (weights[i] * part[:-1]).astype(np.float32)
            mirrors = [2 * edges[0] - centres[i]] if i + 1 < len(weights) // 5 else []
            mirrors += [2 * edges[-1] - centres[i]] if i + 1 > 4 * len(weights) // 5 else []
            for mirror in mirrors if border == 3 else ():
                out[:-1] += (weights[i] * _kernel(to, mirror, sigmas[i])[:-1]).astype(np.float32)
        return out

    sigmas = np.full(len(weights), sigma)
    if rounds == 2:
        first = spread(edges, sigmas).astype(np.float64)
        first /= (first[:-1] * np.diff(edges)[:-1]).sum()
        with np.errstate(divide="ignore"):
            sigmas = (fine * sigma / np.sqrt(first)).astype(np.float32).astype(np.float64)
    to = edges[0] + np.arange(_BINS + 1) * ((edges[-1] - edges[0]) / _BINS)
    return spread(to, sigmas)


def _kernel(edges: Values, mean: float, sigma: float) -> Values:
    """The kernel's integral between neighbouring edges, as TMVA codes it: without the 1/sqrt(2) of a Gaussian."""
    return np.diff(0.5 * erf((edges - mean) / sigma))
