"""ROC curves as physicists read them: background rejection against signal efficiency, with ratios to a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hist.intervals import clopper_pearson_interval
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, nearest
from hepml.metrics.results import RatioCurve, RocCurve
from hepml.plots.panels import (
    axes_by_name,
    figure_of,
    follow,
    keep_apart,
    log_if_wide,
    make_room,
    number_with_error,
    pretty,
    stacked,
    use_axes,
)
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import Style, drawing, label, line, new_figure, plain_log

__all__ = ["roc_curves"]

Floats = NDArray[np.float64]
FEWEST = 10
"""A rejection that rests on fewer background candidates than this is not drawn."""


def roc_curves(
    curves: Mapping[str, RocCurve | tuple[ArrayLike, ArrayLike]] | Sequence[RocCurve] | RocCurve,
    *,
    reference: str | None = None,
    ratios: Mapping[str, RatioCurve] | None = None,
    published: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    efficiencies: tuple[float, float] = (0.5, 1.0),
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Background rejection (logarithmic) against signal efficiency, with 68 % bands and a ratio panel.

    Args:
        curves: by name; a pair of arrays (signal_efficiency, background_efficiency) will do, without a band.
        reference: name of the curve that the ratio panel divides by; without it, no ratio panel.
        ratios: paired ratios to the reference by name; their relative bands replace the numerator's own band.
        published: (signal efficiency, rejection) points to compare with, drawn as open markers.
        efficiencies: range of the x axis.
        style: look and label.
        ax: one panel, or (main, ratio), of your own figure.

    Returns:
        One table a curve, on a grid of 201 signal efficiencies: rejection and, with a reference, its ratio. Values are
        nan where fewer than ten background candidates remain. A curve without a bootstrap band gets the
        Clopper-Pearson interval of its counts, where it has those.

    Raises:
        DataError: no curves, arrays of different lengths or outside [0, 1], an unknown reference.

    Example:
        >>> import numpy as np
        >>> efficiency = np.linspace(0, 1, 101)
        >>> record = roc_curves({"hl": (efficiency, efficiency**3)})
        >>> round(float(record.table["rejection"][0]), 3)
        8.0
    """
    style = style or Style()
    named = _named(curves)
    if reference is not None and reference not in named:
        raise DataError(
            f"no curve is named {reference!r}", nearest=nearest(reference, named), expected=", ".join(named)
        )
    low, high = efficiencies
    if not 0 <= low < high <= 1:
        raise DataError("not a range of efficiencies", expected="0 <= low < high <= 1", found=efficiencies)
    grid = np.linspace(low, high, 201)
    lines = {name: _on_grid(name, curve, grid) for name, curve in named.items()}
    with drawing(style):
        given = use_axes(ax, 2)
        figure: Figure
        if given is not None:
            figure, axes = figure_of(given[0]), given
        elif reference is None:
            figure = new_figure(style)
            axes = [figure.subplots()]
        else:
            figure, axes = stacked(style, (2.6, 1), aspect=1.05 + 0.03 * max(0, len(lines) - 3))
        _main(axes[0], lines, named, published or {}, grid=grid, style=style)
        if reference is not None and len(axes) > 1:
            _ratios(axes[1], lines, reference, ratios or {}, grid)
            keep_apart(axes[0], axes[1])
        axes[-1].set_xlabel("Signal efficiency")
        axes[0].set_xlim(low, high)
        make_room(axes[0])
    tables = tuple(_table(name, named[name], lines, reference, ratios or {}, grid=grid) for name in named)
    caption = "Background rejection against signal efficiency; bands: 68 %."
    if reference is not None:
        caption += f" Below: ratio to {pretty(reference)}."
    return FigureRecord(figure, axes_by_name(("main", "ratio"), axes), tables, caption, style)


def _named(
    curves: Mapping[str, RocCurve | tuple[ArrayLike, ArrayLike]] | Sequence[RocCurve] | RocCurve,
) -> dict[str, RocCurve]:
    if isinstance(curves, RocCurve):
        curves = [curves]
    if not isinstance(curves, Mapping):
        names = [curve.name or f"model {position + 1}" for position, curve in enumerate(curves)]
        if len(set(names)) < len(names):
            raise DataError("two curves have the same name", found=names)
        curves = dict(zip(names, curves, strict=True))
    if not curves:
        raise DataError("no curve to draw", fix="give at least one RocCurve")
    return {name: curve if isinstance(curve, RocCurve) else _from_pair(name, curve) for name, curve in curves.items()}


def _from_pair(name: str, pair: tuple[ArrayLike, ArrayLike]) -> RocCurve:
    signal, background = (np.asarray(values, dtype=np.float64) for values in pair)
    if signal.shape != background.shape or signal.ndim != 1 or len(signal) < 2:
        raise DataError(
            f"curve {name!r} needs two arrays of one length, two points at least",
            found=f"{signal.shape} and {background.shape}",
        )
    if not ((signal >= 0) & (signal <= 1) & (background >= 0) & (background <= 1)).all():
        raise DataError(f"curve {name!r} has efficiencies outside [0, 1]")
    order = np.lexsort((background, signal))
    signal, background = signal[order], background[order]
    area = float(np.sum(np.diff(signal) * (1 - (background[1:] + background[:-1]) / 2)))
    return RocCurve(signal, background, np.full(len(signal), np.nan), area, float("nan"), name=name)


def _on_grid(name: str, curve: RocCurve, grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Rejection and its band at the grid's signal efficiencies; nan where too little background is left."""
    if len(curve.signal_efficiency) < 2:
        raise DataError(f"curve {name!r} has no points", fix="signal and background are both needed")
    signal = np.asarray(curve.signal_efficiency, dtype=np.float64)
    background = np.interp(grid, signal, curve.background_efficiency)
    with np.errstate(divide="ignore"):
        rejection = np.where(background > 0, 1 / background, np.nan)
    lower = upper = np.full(len(grid), np.nan)
    enough = np.ones(len(grid), dtype=bool)
    if curve.n_background is not None:
        count = np.interp(grid, signal, curve.n_background)
        enough = count >= FEWEST
    if curve.lower is not None and curve.upper is not None:
        lower, upper = (_log_interp(grid, signal, band) for band in (curve.lower, curve.upper))
    elif curve.n_background is not None and (total := float(np.max(curve.n_background))) > 0:
        low, high = clopper_pearson_interval(np.round(count), np.full(len(grid), round(total)))
        with np.errstate(divide="ignore", invalid="ignore"):
            lower, upper = rejection * (count / total) / high, rejection * (count / total) / low
    return (
        np.where(enough, rejection, np.nan),
        np.where(enough, lower, np.nan),
        np.where(enough, upper, np.nan),
    )


def _log_interp(grid: Floats, x: Floats, y: Floats) -> Floats:
    good = np.isfinite(y) & (y > 0)
    if good.sum() < 2:
        return np.full(len(grid), np.nan)
    inside = (grid >= x[good].min()) & (grid <= x[good].max())
    return np.where(inside, np.exp(np.interp(grid, x[good], np.log(y[good]))), np.nan)


def _main(
    axes: Axes,
    lines: Mapping[str, tuple[Floats, Floats, Floats]],
    named: Mapping[str, RocCurve],
    published: Mapping[str, Sequence[tuple[float, float]]],
    *,
    grid: Floats,
    style: Style,
) -> None:
    plain_log(axes)
    for position, (name, (rejection, lower, upper)) in enumerate(lines.items()):
        curve, look = named[name], line(position)
        area = number_with_error(curve.auc, curve.auc_error)
        axes.plot(grid, rejection, label=f"{pretty(name)}  {area}", **look)
        axes.fill_between(grid, lower, upper, color=look["color"], alpha=0.25, linewidth=0)
    for position, (name, points) in enumerate(published.items()):
        x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        marker: dict[str, Any] = {
            "marker": "osD^v"[position % 5],
            "fillstyle": "none",
            "color": "black",
            "linestyle": "none",
        }
        axes.plot(x, y, label=name, clip_on=False, zorder=5, **marker)
    drawn = [value for one in lines.values() for value in one]
    drawn += [np.asarray(points, dtype=np.float64).reshape(-1, 2)[:, 1] for points in published.values()]
    follow(axes, drawn[0], np.concatenate(drawn), include=1.0, margin=0.03)
    axes.set_ylim(bottom=1.0)
    axes.set_ylabel("Background rejection")
    axes.legend(loc="upper right", title="Model and AUC", alignment="left")
    label(axes, style)


def _ratios(
    axes: Axes,
    lines: Mapping[str, tuple[Floats, Floats, Floats]],
    reference: str,
    ratios: Mapping[str, RatioCurve],
    grid: Floats,
) -> None:
    bands = []
    for position, name in enumerate(lines):
        ratio, lower, upper = _ratio(name, lines, reference, ratios, grid)
        look = line(position)
        axes.plot(grid, ratio, **look)
        axes.fill_between(grid, lower, upper, color=look["color"], alpha=0.25, linewidth=0)
        bands += [ratio, lower, upper]
    everything = np.concatenate(bands)
    log_if_wide(axes, everything, everything, factor=8)
    follow(axes, everything, everything, include=1.0)
    axes.set_ylabel(f"Ratio to {pretty(reference)}")


def _ratio(
    name: str,
    lines: Mapping[str, tuple[Floats, Floats, Floats]],
    reference: str,
    ratios: Mapping[str, RatioCurve],
    grid: Floats,
) -> tuple[Floats, Floats, Floats]:
    rejection, lower, upper = lines[name]
    below = lines[reference][0]
    ratio = rejection / below
    if name not in ratios:
        return ratio, lower / below, upper / below
    curve = ratios[name]  # its band, around the ratio of the drawn curves
    with np.errstate(divide="ignore", invalid="ignore"):
        down, up = curve.lower / curve.ratio, curve.upper / curve.ratio
    low, high = (_log_interp(grid, curve.signal_efficiency, band) for band in (down, up))
    return ratio, ratio * low, ratio * high


def _table(
    name: str,
    curve: RocCurve,
    lines: Mapping[str, tuple[Floats, Floats, Floats]],
    reference: str | None,
    ratios: Mapping[str, RatioCurve],
    *,
    grid: Floats,
) -> Table:
    rejection, lower, upper = lines[name]
    columns = [Column("signal_efficiency", grid), Column("rejection", rejection, lower=lower, upper=upper)]
    facts: dict[str, object] = {"auc": curve.auc, "auc_error": curve.auc_error}
    if reference is not None:
        ratio, below, above = _ratio(name, lines, reference, ratios, grid)
        columns.append(Column("ratio", ratio, lower=below, upper=above))
        facts["reference"] = reference
    return Table(f"roc {name}", columns, facts)
