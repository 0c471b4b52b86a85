"""Parts that several figures share: panels above each other, histograms with errors, room for legends, axis ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from hist.intervals import poisson_interval
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.plots.style import Style, new_figure, plain_log

__all__ = [
    "Binned",
    "binned",
    "figure_of",
    "finite_array",
    "follow",
    "keep_apart",
    "log_if_wide",
    "make_room",
    "pretty",
    "ratio_of",
    "stacked",
    "use_axes",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Binned:
    """A histogram: contents and 68 % interval per bin, and the fractions that fell outside.

    `below` and `above` are fractions of the whole, in and out of range; `total` is the sum of weights.
    """

    edges: Floats
    values: Floats
    lower: Floats
    upper: Floats
    below: float
    above: float
    total: float
    entries: int

    @property
    def errors(self) -> Floats:
        """Distances to the interval's ends, shape (2, n_bins)."""
        return np.stack([self.values - self.lower, self.upper - self.values])


def finite_array(values: ArrayLike, name: str, dimensions: int = 1) -> Floats:
    """The values as float64, checked.

    Raises:
        DataError: no entries, another number of dimensions, or values that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise DataError(f"{name} has the wrong shape", expected=f"{dimensions} dimension(s)", found=array.shape)
    if not array.size:
        raise DataError(f"nothing to draw: {name} is empty", fix="give at least one candidate")
    if not np.isfinite(array).all():
        raise DataError(
            f"{name} has values that are not finite", found=f"{np.sum(~np.isfinite(array))} of {array.size}"
        )
    return array


def binned(values: ArrayLike, weight: ArrayLike | None, edges: ArrayLike, *, density: bool = True) -> Binned:
    """Fills a weighted histogram.

    Args:
        values: shape (n,).
        weight: shape (n,), or None for 1; may be negative.
        edges: of the bins; the last bin includes its upper edge.
        density: divide by the sum of all weights, under- and overflow included, and by the bin width.

    Returns:
        Contents with intervals: Garwood's Poisson interval, scaled by sum(w^2)/sum(w) for weights; a symmetric
        sqrt(sum(w^2)) where a bin's sum is negative; the interval of no events, times that scale, in an empty bin.

    Raises:
        DataError: empty input, or weights that add up to nothing.

    Source:
        F. Garwood, Biometrika 28 (1936) 437, as in hist.intervals.

    Example:
        >>> histogram = binned([0.1, 0.2, 5.0], None, [0.0, 0.5, 1.0], density=False)
        >>> histogram.values, round(histogram.above, 3)
        (array([2., 0.]), 0.333)
    """
    values = finite_array(values, "the histogrammed variable")
    edges = np.asarray(edges, dtype=np.float64)
    weight = np.ones_like(values) if weight is None else finite_array(weight, "the weights")
    if weight.shape != values.shape:
        raise DataError("as many weights as values are needed", expected=values.shape, found=weight.shape)
    filled = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
    inside = np.where(values == edges[-1], np.nextafter(edges[-1], -np.inf), values)
    filled.fill(inside, weight=weight)
    contents, variances = (np.asarray(filled.view(flow=True)[part]) for part in ("value", "variance"))
    total = float(contents.sum())
    if total <= 0:
        raise DataError("the weights add up to nothing", expected="a positive sum", found=total)
    middle, variance = contents[1:-1], variances[1:-1]
    scale = float(np.sum(variances) / total)
    with np.errstate(all="ignore"):
        lower, upper = np.asarray(poisson_interval(np.maximum(middle, 0), np.maximum(variance, 0)))
    spread = np.sqrt(variance)
    odd = (middle <= 0) & (variance > 0)
    empty = variance == 0
    lower = np.where(odd, middle - spread, np.where(empty, 0.0, lower))
    upper = np.where(odd, middle + spread, np.where(empty, 1.8410216 * abs(scale), upper))  # Garwood: 0 events
    norm = 1 / (total * np.diff(edges)) if density else np.ones_like(middle)
    return Binned(
        edges,
        middle * norm,
        lower * norm,
        upper * norm,
        float(contents[0] / total),
        float(contents[-1] / total),
        total,
        len(values),
    )


def ratio_of(upper: Binned, lower: Binned) -> tuple[Floats, Floats, Floats]:
    """Ratio of two histograms with its 68 % interval (both errors, added in quadrature); nan where either is empty."""
    good = (upper.values > 0) & (lower.values > 0)
    with np.errstate(all="ignore"):
        ratio = np.where(good, upper.values / lower.values, np.nan)
        up = np.hypot(upper.errors[1] / upper.values, lower.errors[0] / lower.values)
        down = np.hypot(upper.errors[0] / upper.values, lower.errors[1] / lower.values)
    return ratio, ratio * np.maximum(1 - down, 0), ratio * (1 + up)


def stacked(
    style: Style, heights: Sequence[float], *, aspect: float = 1.0, width: float | None = None
) -> tuple[Figure, list[Axes]]:
    """Panels above each other with a common x axis; only the lowest has numbers and a name on it."""
    figure = new_figure(style, aspect=aspect, **({} if width is None else {"width": width}))
    axes = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    for one in axes[:-1]:
        one.tick_params(labelbottom=False)
    return figure, axes


def use_axes(ax: Axes | Sequence[Axes] | None, wanted: int) -> list[Axes] | None:
    """The panels that a user gave: one, or all `wanted`; None if the figure is ours to make.

    Raises:
        DataError: another number of panels.
    """
    if ax is None:
        return None
    given = [ax] if isinstance(ax, Axes) else list(ax)
    if len(given) not in (1, wanted):
        raise DataError("ax holds the wrong number of panels", expected=f"1 or {wanted}", found=len(given))
    return given


def figure_of(axes: Axes) -> Figure:
    """The figure that panels belong to."""
    if axes.figure is None:
        raise DataError("ax belongs to no figure")
    figure = axes.figure.figure  # also of a subfigure
    assert isinstance(figure, Figure)
    return figure


def follow(
    axes: Axes, lower: ArrayLike, upper: ArrayLike, *, include: float | None = None, margin: float = 0.1
) -> None:
    """Sets the y range from bands: everything finite is inside, with a margin; linear or logarithmic as the axis is."""
    low = np.asarray(lower, dtype=np.float64).ravel()
    high = np.asarray(upper, dtype=np.float64).ravel()
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    log = axes.get_yscale() == "log"
    if log:
        low, high = low[low > 0], high[high > 0]
    both = np.concatenate([low, high, [] if include is None else [include]])
    if not both.size:
        return
    bottom, top = float(both.min()), float(both.max())
    if log:
        factor = max((top / bottom) ** margin, 1.15)
        axes.set_ylim(bottom / factor, top * factor)
    else:
        extra = margin * (top - bottom) or 0.05 * (abs(top) or 1.0)
        axes.set_ylim(bottom - extra, top + extra)


def log_if_wide(axes: Axes, lower: ArrayLike, upper: ArrayLike, *, factor: float = 4.0) -> None:
    """Makes the y axis logarithmic if the positive values on it span more than `factor`."""
    both = np.concatenate(
        [np.ravel(np.asarray(lower, dtype=np.float64)), np.ravel(np.asarray(upper, dtype=np.float64))]
    )
    positive = both[np.isfinite(both) & (both > 0)]
    if positive.size and positive.max() / positive.min() > factor:
        plain_log(axes)
        height = axes.get_position().height * figure_of(axes).get_figheight()
        if height < 1 and positive.max() / positive.min() > 1000:  # inches; decades would stand on each other
            axes.yaxis.set_major_locator(LogLocator(100, numticks=6))


def make_room(axes: Axes, artist: Artist | None = None, *, gap: float = 0.03) -> None:
    """Raises the top of the y axis until nothing drawn lies behind the legend, or another artist, at the top."""
    artist = artist or axes.get_legend()
    if artist is None:
        return
    figure = figure_of(axes)
    if figure.get_layout_engine() is not None:  # panels get their places only now
        figure.draw_without_rendering()
    box = artist.get_window_extent().transformed(axes.transAxes.inverted())
    to_axes = axes.transScale + axes.transLimits
    highest = 0.0
    for points in _drawn(axes):
        with np.errstate(all="ignore"):
            spots = to_axes.transform(points)
        spots = spots[np.isfinite(spots).all(axis=1)]
        near = (spots[:, 0] > box.x0 - gap) & (spots[:, 0] < box.x1 + gap)
        if near.any():
            highest = max(highest, float(spots[near, 1].max()))
    room = box.y0 - gap
    if highest <= room or room <= 0.1:
        return
    transform = axes.yaxis.get_transform()
    bottom, top = transform.transform(np.array(axes.get_ylim()))
    raised = bottom + (top - bottom) * highest / room
    axes.set_ylim(top=float(transform.inverted().transform(np.array([raised]))[0]))


def _drawn(axes: Axes) -> list[Floats]:
    """Points of everything with data in it, dense enough to be compared with a box."""
    points = []
    for artist in axes.get_children():
        if artist.get_transform() != axes.transData and not isinstance(artist, PolyCollection):
            continue
        if isinstance(artist, Line2D):
            points.append(_dense(np.asarray(artist.get_xydata(), dtype=np.float64)))
        elif isinstance(artist, StepPatch):
            values, edges, _ = artist.get_data()
            points.append(_dense(np.column_stack([np.repeat(edges, 2)[1:-1], np.repeat(values, 2)])))
        elif isinstance(artist, LineCollection):
            points.extend(_dense(np.asarray(segment, dtype=np.float64)) for segment in artist.get_segments())
        elif isinstance(artist, PolyCollection):
            points.extend(_dense(np.asarray(path.vertices, dtype=np.float64)) for path in artist.get_paths())
    return [one for one in points if len(one)]


def _dense(points: Floats) -> Floats:
    if len(points) < 2 or len(points) > 500:
        return points
    steps = np.linspace(0, len(points) - 1, 20 * len(points))
    index = np.arange(len(points))
    return np.column_stack([np.interp(steps, index, points[:, 0]), np.interp(steps, index, points[:, 1])])


def keep_apart(upper: Axes, lower: Axes) -> None:
    """Aligns the names of the y axes of panels above each other."""
    figure_of(upper).align_ylabels([upper, lower])


def pretty(name: str) -> str:
    """A feature set as a legend shows it.

    Example:
        >>> pretty("et_and_ht_and_hl")
        'et + ht + hl'
    """
    return name.replace("_and_", " + ").replace(" and ", " + ")


def number_with_error(value: float, error: float) -> str:
    """A number with its error in units of the last digits, as the Particle Data Group prints it.

    Example:
        >>> number_with_error(0.97378, 0.00071), number_with_error(0.5, 0.0)
        ('0.97378(71)', '0.5000')
    """
    if not np.isfinite(error) or error <= 0:
        return f"{value:.4f}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 8))
    last = round(error * 10**digits)
    return f"{value:.{digits}f}({last if digits else round(error)})"


def axes_by_name(names: Sequence[str], axes: Sequence[Axes]) -> dict[str, Any]:
    """Panels under their names, as far as there are any."""
    return dict(zip(names, axes, strict=False))
