"""Densities of a training: TMVA's options for them, and the histograms that files hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, nearest
from tmva_bridge.options import Array, Choice, Declared, Scalar
from tmva_bridge.sample import Sample
from tmva_bridge.writing.densities import Density, density
from tmva_bridge.writing.markup import Tag

__all__ = ["Recipe", "density_options", "filled", "histogram", "recipe", "response_densities"]

_SPLINES = ("Spline0", "Spline1", "Spline2", "Spline3", "Spline5", "KDE")
_FINER = 5  # times as many bins for KDE

# option -> its default; the first of several values
_OPTIONS: dict[str, Scalar | Choice] = {
    "NSmooth": 0,
    "MinNSmooth": -1,
    "MaxNSmooth": -1,
    "NAvEvtPerBin": 50,
    "Nbins": 0,
    "CheckHist": False,
    "PDFInterpol": Choice(("Spline2", "Spline0", "Spline1", "Spline3", "Spline5", "KDE")),
    "KDEtype": Choice(("Gauss",)),
    "KDEiter": Choice(("Nonadaptive", "Adaptive")),
    "KDEFineFactor": 1.0,
    "KDEborder": Choice(("None", "Renorm", "Mirror")),
}


def density_options(suffix: str) -> dict[str, Declared]:
    """The options of a density, as TMVA names them: each with a suffix.

    Example:
        >>> density_options("MVAPdf")["NbinsMVAPdf"]
        0
    """
    return {name + suffix: default for name, default in _OPTIONS.items()}


@dataclass(frozen=True)
class Recipe:
    """How a density is made: the number of its bins, passes of smoothing, interpolation, kernel."""

    bins: int
    per_bin: int
    smoothing: int
    interpolation: int
    kernel: tuple[int, int, int, float]

    def count(self, events: int) -> int:
        """The number of bins for so many events."""
        finer = _FINER if _SPLINES[self.interpolation] == "KDE" else 1
        found = (self.bins if self.bins > 0 else events // max(1, self.per_bin)) * finer
        if found < 1:
            raise DataError(
                "no bin for a density",
                expected=f"at least {self.per_bin} events (NAvEvtPerBin), or Nbins",
                found=f"{events} events",
            )
        return found


def recipe(options: Mapping[str, Scalar | Array], suffix: str = "") -> Recipe:
    """What the options with a suffix say. Raises DataError, by name, for what is not offered."""

    def number(name: str) -> int:
        return int(str(options[name + suffix]))

    least, most = number("MinNSmooth"), number("MaxNSmooth")
    if least != most and max(least, most) >= 0:
        raise DataError(
            f"MinNSmooth{suffix} and MaxNSmooth{suffix} that differ are not offered: files do not hold what they need",
            expected=f"NSmooth{suffix}=n",
            found=f"{least} and {most}",
        )
    if options["CheckHist" + suffix]:
        raise DataError(f"CheckHist{suffix} is not offered", expected=f"CheckHist{suffix}=False")

    def place(name: str, values: tuple[str, ...]) -> int:
        text = str(options[name + suffix])
        known = [value.lower() for value in values]
        if text.lower() not in known:
            raise DataError(
                f"{name}{suffix} cannot be {text!r}", expected=", ".join(values), nearest=nearest(text, values)
            )
        return known.index(text.lower())

    spline = place("PDFInterpol", _SPLINES)
    if _SPLINES[spline] == "Spline5":
        raise DataError(f"PDFInterpol{suffix}=Spline5 is not offered", expected="Spline0 to Spline3, KDE")
    fine = float(str(options["KDEFineFactor" + suffix]))
    kernel = (
        1 + place("KDEtype", ("Gauss",)),
        1 + place("KDEiter", ("Nonadaptive", "Adaptive")),
        1 + place("KDEborder", ("None", "Renorm", "Mirror")),
        fine,
    )
    passes = most if most >= 0 else max(0, number("NSmooth"))
    return Recipe(number("Nbins"), number("NAvEvtPerBin"), passes, spline, kernel)


def filled(
    values: NDArray[np.float64] | NDArray[np.float32], weights: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The contents of the bins between the edges, added in float32 one event after the other, as ROOT fills.

    Example:
        >>> filled(np.array([0.0, 1.0, 2.5]), np.ones(3), np.array([0.0, 1.0, 2.0])).tolist()
        [1.0, 1.0]
    """
    out = np.zeros(len(edges) - 1, np.float32)
    at = np.searchsorted(edges, values, side="right") - 1
    inside = (at >= 0) & (at < len(out))
    np.add.at(out, at[inside], weights[inside].astype(np.float32))
    return out


def histogram(
    values: NDArray[np.float64], weights: NDArray[np.float64], bins: int, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Edges and contents of a histogram of equal bins."""
    out = np.zeros(bins, np.float32)
    inside = (values >= low) & (values < high)
    at = (bins * (values[inside] - low) / (high - low)).astype(np.int64)
    np.add.at(out, np.minimum(at, bins - 1), weights[inside].astype(np.float32))
    return np.linspace(low, high, bins + 1), out


def response_densities(kind: str, title: str, response: NDArray[np.float64], sample: Sample, how: Recipe) -> list[Tag]:
    """The elements PDF of a response, signal and background, between its extremes in the training sample."""
    values = response.astype(np.float32).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not low < high:
        raise DataError("a constant response has no density", where=title, expected="different responses", found=low)
    tags = []
    signal = sample.classes == 0
    for word, letter, mask in (("Sig", "S", signal), ("Bkg", "B", ~signal)):
        edges, contents = histogram(values[mask], sample.weights[mask], how.count(len(values)), low, high)
        total = float(contents.sum(dtype=np.float64)) * (high - low) / len(contents)
        if not total > 0:
            raise DataError("a class whose weights do not add up to more than 0", where=f"{title}, density {word}")
        scaled = (contents * (1 / total)).astype(np.float32)
        name = f"{title}_PDF{word}"
        one = Density(name, f"{kind}_tr_{letter}_original", scaled, edges, how.interpolation, how.smoothing, how.kernel)
        tags.append(density(one))
    return tags
