"""ROOT's histograms: filled as ROOT fills them, to the last bit of float32, and made into what uproot writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Axis", "Histogram", "histogram", "histogram2d", "profile", "scaled", "to_root", "unit_area"]

Values = NDArray[np.float64]
_KINDS = {"TH1F": np.float32, "TH1D": np.float64, "TH1I": np.int32, "TH2F": np.float32, "TProfile": np.float64}


@dataclass(frozen=True)
class Axis:
    """Equal bins.

    Attributes:
        labels: of the bins, or none.
    """

    bins: int
    low: float
    high: float
    title: str = ""
    labels: tuple[str, ...] = ()

    def index(self, values: Values) -> NDArray[np.int64]:
        """0 below, `bins` + 1 at and above the upper edge and for NaN."""
        with np.errstate(invalid="ignore"):
            scaled = self.bins * (values - self.low) / (self.high - self.low)
            inside = 1 + np.clip(np.nan_to_num(scaled, nan=0), 0, self.bins - 1).astype(np.int64)
        return np.where(values < self.low, 0, np.where(values < self.high, inside, self.bins + 1))

    @property
    def edges(self) -> Values:
        return self.low + np.arange(self.bins + 1) * ((self.high - self.low) / self.bins)

    @property
    def centres(self) -> Values:
        width = (self.high - self.low) / self.bins
        return self.low + np.arange(self.bins) * width + 0.5 * width


@dataclass(frozen=True)
class Histogram:
    """A histogram of one or two dimensions, or a profile.

    Attributes:
        kind: ROOT's class.
        contents: flat, with the bins below and above; x runs fastest.
        squares: sums of squared weights, if they are kept; of a profile sums of weight y^2.
        sums: ROOT's statistics: of w, w^2, wx, wx^2, and of y where there is one.
        profiled: of a profile: entries of the bins, and their squares if weights differ from 1.
        limits: of the drawn contents, least and largest.
    """

    kind: str
    title: str
    x: Axis
    contents: NDArray[Any]
    y: Axis | None = None
    y_title: str = ""
    squares: Values | None = None
    entries: float = 0.0
    sums: tuple[float, ...] = (0.0,) * 7
    profiled: tuple[Values, Values | None] | None = None
    limits: tuple[float, float] = (-1111.0, -1111.0)
    marker: dict[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> NDArray[Any]:
        """The contents of the bins of one dimension."""
        return self.contents[1:-1]


def _sum(values: Values) -> float:
    """One after the other, as ROOT adds."""
    return float(np.cumsum(values)[-1]) if len(values) else 0.0


def _weights(weights: ArrayLike | None, like: Values) -> Values:
    return np.ones(len(like)) if weights is None else np.asarray(weights, dtype=np.float64)


def histogram(  # noqa: PLR0917
    kind: str, title: str, x: Axis, values: ArrayLike, weights: ArrayLike | None = None, errors: bool = False
) -> Histogram:
    """A filled histogram; squares are kept if asked for, or once a weight differs from 1.

    Example:
        >>> histogram("TH1F", "", Axis(2, 0, 2), [0.5, 1.5, 1.6, 7]).contents
        array([0., 1., 2., 1.], dtype=float32)
    """
    v = np.asarray(values, dtype=np.float64)
    w = _weights(weights, v)
    at = x.index(v)
    contents = np.zeros(x.bins + 2, _KINDS[kind])
    np.add.at(contents, at, w.astype(contents.dtype))
    squares = None
    if errors or (w != 1).any():
        squares = np.zeros(x.bins + 2)
        np.add.at(squares, at, w * w)
    inside = (at > 0) & (at <= x.bins)
    v, w = v[inside], w[inside]
    sums = (_sum(w), _sum(w * w), _sum(w * v), _sum(w * v * v))
    return Histogram(kind, title, x, contents, squares=squares, entries=float(len(at)), sums=sums)


def histogram2d(  # noqa: PLR0917
    title: str, x: Axis, y: Axis, a: ArrayLike, b: ArrayLike, weights: ArrayLike | None = None
) -> Histogram:
    """A filled TH2F.

    Example:
        >>> histogram2d("", Axis(1, 0, 1), Axis(1, 0, 1), [0.5], [0.5]).contents.reshape(3, 3)[1, 1]
        1.0
    """
    u, v = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    w = _weights(weights, u)
    ix, iy = x.index(u), y.index(v)
    at = ix + (x.bins + 2) * iy
    contents = np.zeros((x.bins + 2) * (y.bins + 2), np.float32)
    np.add.at(contents, at, w.astype(np.float32))
    squares = None
    if (w != 1).any():
        squares = np.zeros(len(contents))
        np.add.at(squares, at, w * w)
    inside = (ix > 0) & (ix <= x.bins) & (iy > 0) & (iy <= y.bins)
    u, v, w = u[inside], v[inside], w[inside]
    sums = tuple(_sum(one) for one in (w, w * w, w * u, w * u * u, w * v, w * v * v, w * u * v))
    return Histogram("TH2F", title, x, contents, y=y, squares=squares, entries=float(len(at)), sums=sums)


def profile(  # noqa: PLR0917
    title: str, x: Axis, y_title: str, a: ArrayLike, b: ArrayLike, weights: ArrayLike | None = None
) -> Histogram:
    """A filled TProfile: the mean of `b` in bins of `a`."""
    u, v = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    w = _weights(weights, u)
    at = x.index(u)
    contents, squares, counts = (np.zeros(x.bins + 2) for _ in range(3))
    for into, what in ((contents, w * v), (squares, w * v * v), (counts, w)):
        np.add.at(into, at, what)
    counted = None
    if (w != 1).any():
        counted = np.zeros(x.bins + 2)
        np.add.at(counted, at, w * w)
    inside = (at > 0) & (at <= x.bins)
    u, v, w = u[inside], v[inside], w[inside]
    sums = tuple(_sum(one) for one in (w, w * w, w * u, w * u * u, w * v, w * v * v))
    return Histogram(
        "TProfile",
        title,
        x,
        contents,
        y_title=y_title,
        squares=squares,
        entries=float(len(at)),
        sums=sums,
        profiled=(counts, counted),
    )


def scaled(one: Histogram, factor: float) -> Histogram:
    """Contents and sums times a factor; squares are made if they were not kept."""
    squares = one.squares
    if squares is None:
        squares = one.contents.astype(np.float64) if one.entries else np.zeros(len(one.contents))
    sums = tuple(total * factor ** (1 + (place == 1)) for place, total in enumerate(one.sums))
    contents = (one.contents.astype(np.float64) * factor).astype(one.contents.dtype)
    return replace(one, contents=contents, squares=squares * factor**2, sums=sums)


def unit_area(one: Histogram) -> Histogram:
    """Scaled to an integral of 1 over its bins; as it is, if nothing is in them.

    Example:
        >>> unit_area(histogram("TH1D", "", Axis(2, 0, 4), [1, 1, 3, 3])).values
        array([0.25, 0.25])
    """
    total = _sum(one.values.astype(np.float64))
    area = total * (one.x.high - one.x.low) / one.x.bins
    if area > 0:
        return scaled(one, 1 / area)
    return replace(one, squares=np.zeros(len(one.contents)) if one.squares is None else one.squares)


def to_root(one: Histogram, name: str) -> Any:
    """The object that uproot writes."""
    from uproot.writing import identify

    x = _axis("xaxis", one.x, bool(one.marker))
    y = _axis("yaxis", one.y or Axis(1, 0, 1, one.y_title), bool(one.marker))
    shared: dict[str, Any] = {"fName": name, "fTitle": one.title, "data": one.contents, "fEntries": one.entries}
    shared |= {"fSumw2": one.squares, "fXaxis": x, "fYaxis": y, "fMinimum": one.limits[0], "fMaximum": one.limits[1]}
    names = ("fTsumw", "fTsumw2", "fTsumwx", "fTsumwx2", "fTsumwy", "fTsumwy2", "fTsumwxy")
    used = {"TH2F": 7, "TProfile": 6}.get(one.kind, 4)
    shared |= dict(zip(names[:used], one.sums, strict=False)) | one.marker
    if one.kind == "TH2F":
        return identify.to_TH2x(**shared)
    if one.profiled is None:
        return identify.to_TH1x(**shared)
    counts, counted = one.profiled
    return identify.to_TProfile(**shared, fBinEntries=counts, fBinSumw2=np.zeros(0) if counted is None else counted)


def _axis(name: str, axis: Axis, large: bool) -> Any:
    from uproot.writing import identify

    labels = _labels(axis.labels) if axis.labels else None
    sizes = {"fLabelSize": 0.055, "fLabelOffset": 0.011 if name == "xaxis" else 0.005} if large else {}
    return identify.to_TAxis(name, axis.title, axis.bins, axis.low, axis.high, fLabels=labels, **sizes)


def _labels(labels: Sequence[str]) -> Any:
    from uproot.writing import identify

    texts = [identify.to_TObjString(label) for label in labels]
    for place, text in enumerate(texts):
        text._bases[0]._members["@fUniqueID"] = place + 1  # the bin
    return identify.to_THashList(texts)
