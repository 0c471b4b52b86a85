"""Efficiencies of a classifier by its cut, and of background by that of signal, as TMVA finds them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cut", "Line", "background_efficiencies", "passing", "roc_integral", "root"]

Values = NDArray[np.float64]
_EDGE = 1e-5  # within it of the range, efficiencies are taken as 1 and 0
_ROUNDS = 100
_STEPS = 1000  # of the area under a curve


class Line:
    """Linear between points, extrapolated beyond the first and the last."""

    def __init__(self, x: Values, y: Values) -> None:
        self.x, self.y = x.tolist(), y.tolist()

    def __call__(self, at: float) -> float:
        last = len(self.x) - 1
        i = max(bisect_right(self.x, at) - 1, 0)
        j = i + 1 if (at > self.x[i] and i != last) or i == 0 else i - 1
        return float(self.y[i] + (at - self.x[i]) * (self.y[i] - self.y[j]) / (self.x[i] - self.x[j]))


def passing(values: Values, weights: Values, low: float, high: float, bins: int, above: bool) -> Values:  # noqa: PLR0917
    """The weight that passes a cut at each of the bins.

    Args:
        values: (n,) responses.
        low, high: the range of the cuts.
        above: whether signal has the larger responses.
    """
    at = ((values - low) / (high - low) * bins).astype(np.int64) + 1  # towards 0, as TMVA
    last = bins if above else bins + 1
    inside = at <= last if above else at >= 1
    counts = np.zeros(bins + 2)
    np.add.at(counts, np.clip(at[inside], 1 if above else 0, bins), weights[inside])
    return counts[::-1].cumsum()[::-1][1 : bins + 1] if above else counts.cumsum()[:bins]


@dataclass(frozen=True)
class Cut:
    """The efficiency of signal by the cut, made 1 and 0 at the ends of the range."""

    line: Line
    low: float
    high: float
    above: bool

    def __call__(self, at: float) -> float:
        if at - self.low < _EDGE:
            return 1.0 if self.above else 0.0
        if self.high - at < _EDGE:
            return 0.0 if self.above else 1.0
        return self.line(at)


def background_efficiencies(wanted: Values, signal: Cut, background: Line) -> Values:
    """The efficiency of background where that of signal is the wanted one."""
    return np.array([background(root(signal, signal.low, signal.high, one)) for one in wanted.tolist()])


def root(function: Callable[[float], float], a: float, b: float, value: float) -> float:
    """Where a function has a value between a and b, by Brent's method in TMVA's version; 1.0 if it has it not there.

    Example:
        >>> round(root(lambda x: x * x, 0.0, 2.0, 2.0), 6)
        1.414214
    """
    fa, fb = function(a) - value, function(b) - value
    if fa * fb > 0:
        return 1.0
    c = d = e = 0.0
    fc = fb
    equal = False
    for _ in range(_ROUNDS + 1):
        if (fb < 0 and fc < 0) or (fb > 0 and fc > 0):
            equal = True
            c, fc = a, fa
            d = e = b - a
        if abs(fc) < abs(fb):
            equal = True
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        tolerance = 0.5 * 2.2204460492503131e-16 * abs(b)
        middle = 0.5 * (c - b)
        if fb == 0 or abs(middle) <= tolerance:
            return b
        step = None
        if abs(e) >= tolerance and abs(fa) > abs(fb):
            step = _interpolated((a, b), (fa, fb, fc), middle, e, tolerance, equal)
        d, e = (middle, middle) if step is None else (step, d)
        a, fa = b, fb
        b += d if abs(d) > tolerance else (tolerance if middle > 0 else -tolerance)
        fb = function(b) - value
    return b


def _interpolated(  # noqa: PLR0917
    ends: tuple[float, float],
    f: tuple[float, float, float],
    middle: float,
    before: float,
    tolerance: float,
    equal: bool,
) -> float | None:
    """The step of the interpolation, or None if it leaves the bounds."""
    (a, b), (fa, fb, fc) = ends, f
    s = fb / fa
    if equal:
        p, q = 2 * middle * s, 1 - s
    else:
        q, r = fa / fc, fb / fc
        p = s * (2 * middle * q * (q - r) - (b - a) * (r - 1))
        q = (q - 1) * (r - 1) * (s - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    if 2 * p < min(3 * middle * q - abs(tolerance * q), abs(before * q)):
        return p / q
    return None


def roc_integral(signal_efficiency: Values, background_efficiency: Values) -> float:
    """The area under the curve of background rejection by signal efficiency, as TMVA prints it.

    Args:
        signal_efficiency, background_efficiency: (n,), points of the curve, such as the 100 bins of `*_effBvsS`.

    Example:
        >>> round(roc_integral(np.array([0.25, 0.75]), np.array([0.0, 0.5])), 6)
        0.75
    """
    curve = Line(signal_efficiency, background_efficiency)
    return sum(1 - curve((i + 0.5) / _STEPS) for i in range(_STEPS)) / _STEPS
