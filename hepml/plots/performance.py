"""Where a tagger works: efficiency and rejection in bins of a variable, and rejection by origin of the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.metrics.results import BinnedEfficiency, ClassRejection, Regression
from hepml.plots.panels import (
    axes_by_name,
    figure_of,
    follow,
    keep_apart,
    log_if_wide,
    make_room,
    pretty,
    stacked,
    use_axes,
)
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLOURS, MARKERS, Style, drawing, label, line, new_figure, plain_log

__all__ = ["AXIS_NAMES", "efficiency_profile", "residual_profile", "truth_classes"]

AXIS_NAMES = {
    "pt": ("Candidate $p_\\mathrm{T}$", "GeV"),
    "eta": ("Candidate η", ""),
    "abs_eta": ("Candidate |η|", ""),
    "phi": ("Candidate φ", "rad"),
    "pileup": ("Reconstructed vertices", ""),
}
"""Variable -> what its axis says, and its unit."""


def efficiency_profile(
    binned: Sequence[BinnedEfficiency] | Mapping[str, Sequence[BinnedEfficiency]],
    *,
    variable: str | None = None,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Signal efficiency (top) and background rejection (bottom) in bins of a variable, at one working point.

    Args:
        binned: results of one model, or by model name; those of other variables are left out.
        variable: name of the variable (pt, eta, pileup ...); None if there is only one.
        style: look and label.
        ax: (efficiency, rejection), or one panel for whichever quantity there is, of your own figure.

    Returns:
        One table a model and quantity: bin edges, value with its interval, candidates in the bin. A bin without
        candidates has no point (nan); where nothing passes, an arrow starts at the lower end of the interval.

    Raises:
        DataError: nothing for this variable, or several working points at once.
    """
    style = style or Style()
    models = binned if isinstance(binned, Mapping) else {"": binned}
    names = sorted({one.name for results in models.values() for one in results})
    variable = names[0] if variable is None and len(names) == 1 else variable
    chosen = {name: [one for one in results if one.name == variable] for name, results in models.items()}
    quantities = [
        quantity
        for quantity in ("signal_efficiency", "rejection")
        if any(one.quantity == quantity for results in chosen.values() for one in results)
    ]
    if variable is None or not quantities:
        raise DataError(f"nothing to draw against {variable!r}", expected=f"one of {names}", found=variable)
    for name, results in chosen.items():
        if len({(one.quantity, one.signal_efficiency, one.threshold) for one in results}) > len(quantities):
            raise DataError(f"several working points of {name or 'the model'!r} at once", fix="give one of them")
    with drawing(style):
        given = use_axes(ax, 2)
        if given is not None:
            figure, axes = figure_of(given[0]), given
        elif len(quantities) == 1:
            figure = new_figure(style)
            axes = [figure.subplots()]
        else:
            figure, axes = stacked(style, (1, 1), aspect=1.05)
        panels = dict(zip(quantities, axes, strict=False))
        for quantity, panel in panels.items():
            _panel(panel, quantity, chosen)
        _finish(axes, variable, chosen, style)
    tables = tuple(_table(name, one) for name, results in chosen.items() for one in results)
    caption = f"Signal efficiency and background rejection against {variable}; bars: 68 % intervals."
    found = axes_by_name(quantities, axes)
    return FigureRecord(figure, {"main": axes[0], **found}, tables, caption, style)


def _panel(axes: Axes, quantity: str, chosen: Mapping[str, Sequence[BinnedEfficiency]]) -> None:
    low: list[NDArray[np.float64]] = []
    high: list[NDArray[np.float64]] = []
    for position, (name, results) in enumerate(chosen.items()):
        colour, marker = COLOURS[position % len(COLOURS)], MARKERS[position % len(MARKERS)]
        for one in (one for one in results if one.quantity == quantity):
            edges = np.asarray(one.edges, dtype=np.float64)
            middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
            shift = half * 0.14 * (position - (len(chosen) - 1) / 2)
            good = np.isfinite(one.value)
            empty = np.isposinf(one.value) & np.isfinite(one.lower)
            if empty.any():  # nothing passes: the lower end of the interval, with an arrow
                bars = np.stack([half + shift, half - shift])[:, empty]
                up = {"lolims": True, "yerr": 0.15 * one.lower[empty], "marker": "_", "linestyle": "none"}
                axes.errorbar((middle + shift)[empty], one.lower[empty], xerr=bars, color=colour, elinewidth=0.9, **up)
                low.append(one.lower[empty])
                high.append(1.3 * one.lower[empty])
            lower = np.where(np.isfinite(one.lower), one.lower, one.value)[good]
            upper = np.where(np.isfinite(one.upper), one.upper, one.value)[good]
            axes.errorbar(
                (middle + shift)[good],
                one.value[good],
                xerr=np.stack([half + shift, half - shift])[:, good],
                yerr=np.abs(np.stack([one.value[good] - lower, upper - one.value[good]])),
                linestyle="none",
                marker=marker,
                color=colour,
                elinewidth=0.9,
                label=pretty(name) or None,
            )
            low.append(lower)
            high.append(upper)
            if quantity == "signal_efficiency" and np.isfinite(one.signal_efficiency):
                axes.axhline(one.signal_efficiency, color="black", linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=0)
                low.append(np.array([one.signal_efficiency]))
    if quantity == "rejection":
        log_if_wide(axes, np.concatenate(low), np.concatenate(high))
    follow(axes, np.concatenate(low), np.concatenate(high + low), margin=0.12)
    if quantity == "signal_efficiency" and axes.get_ylim()[1] > 1.0:
        axes.set_ylim(top=max(1.0, min(axes.get_ylim()[1], 1.02)))
    axes.set_ylabel("Signal efficiency" if quantity == "signal_efficiency" else "Background rejection")


def _finish(
    axes: Sequence[Axes], variable: str, chosen: Mapping[str, Sequence[BinnedEfficiency]], style: Style
) -> None:
    every = [one for results in chosen.values() for one in results]
    name, unit = AXIS_NAMES.get(variable, (variable, ""))
    unit = every[0].unit or unit
    axes[-1].set_xlabel(f"{name} [{unit}]" if unit else name)
    axes[0].set_xlim(min(one.edges[0] for one in every), max(one.edges[-1] for one in every))
    targets = {one.signal_efficiency for one in every if np.isfinite(one.signal_efficiency)}
    title = f"Working point: {targets.pop():.0%} signal efficiency".replace("%", " %") if len(targets) == 1 else None
    handles, names = axes[0].get_legend_handles_labels()
    if handles or title:
        axes[0].legend(handles, names, loc="upper right", title=title, ncols=1 if len(names) < 3 else 2)
    label(axes[0], style)
    make_room(axes[0])
    if len(axes) > 1:
        keep_apart(axes[0], axes[1])


def _table(name: str, one: BinnedEfficiency) -> Table:
    columns = [
        Column(f"{one.name}_low", one.edges[:-1], one.unit),
        Column(f"{one.name}_high", one.edges[1:], one.unit),
        Column(one.quantity, one.value, lower=one.lower, upper=one.upper),
    ]
    for count in ("count", "passing"):
        values = getattr(one, count)
        if len(values) == len(one.value):
            columns.append(Column(count, values))
    facts = {"signal_efficiency": one.signal_efficiency, "threshold": one.threshold}
    return Table(f"{one.quantity} {one.name} {name}".strip(), columns, facts)


def truth_classes(
    classes: Sequence[ClassRejection], *, style: Style | None = None, ax: Axes | Sequence[Axes] | None = None
) -> FigureRecord:
    """Rejection of each truth class of the background at the common working points; arrows are 95 % lower limits.

    Args:
        classes: from an evaluation; classes without candidates are left out.
        style: look and label.
        ax: a panel of your own figure.

    Returns:
        One table a class: signal efficiency, rejection, its interval, whether it is a limit.

    Raises:
        DataError: no class has candidates.
    """
    style = style or Style()
    classes = [one for one in classes if one.count > 0 and one.points]
    if not classes:
        raise DataError("no truth class has candidates")
    efficiencies = sorted({point.signal_efficiency for one in classes for point in one.points})
    with drawing(style):
        given = use_axes(ax, 1)
        figure = new_figure(style) if given is None else figure_of(given[0])
        axes = figure.subplots() if given is None else given[0]
        plain_log(axes)
        spread = 0.6 / max(1, len(efficiencies))
        low, high = [], []
        for position, efficiency in enumerate(efficiencies):
            offset = spread * (position - (len(efficiencies) - 1) / 2)
            look = line(position)["color"]
            named = f"{efficiency:.0%} signal efficiency".replace("%", " %")
            for place, one in enumerate(classes):
                for point in (point for point in one.points if point.signal_efficiency == efficiency):
                    if not np.isfinite(point.rejection):
                        continue
                    up = point.upper if np.isfinite(point.upper) else point.rejection
                    error = [[point.rejection - point.lower], [up - point.rejection]]
                    axes.errorbar(
                        [place + offset],
                        [point.rejection],
                        yerr=[[0.0], [0.35 * point.rejection]] if point.limit else np.abs(error),
                        lolims=point.limit,
                        marker="_" if point.limit else MARKERS[position % len(MARKERS)],
                        color=look,
                        linestyle="none",
                        label=named,
                    )
                    named = "_nolegend_"
                    low.append(point.lower)
                    high.append(1.5 * up if point.limit else up)
        follow(axes, low, high, include=1.0)
        axes.set_xticks(range(len(classes)), [f"{_words(one.name)}\n({one.count})" for one in classes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(-0.5, len(classes) - 0.5)
        axes.set_ylabel("Background rejection")
        limits = any(point.limit for one in classes for point in one.points)
        axes.legend(loc="upper right", title="Arrows: 95 % lower limits" if limits else None, alignment="left")
        label(axes, style)
        make_room(axes)
    tables = tuple(_class_table(one) for one in classes)
    caption = "Rejection by origin of the background; arrows are 95 % lower limits."
    return FigureRecord(figure, {"main": axes}, tables, caption, style)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _class_table(one: ClassRejection) -> Table:
    points = one.points
    columns = [
        Column("signal_efficiency", [point.signal_efficiency for point in points]),
        Column(
            "rejection",
            [point.rejection for point in points],
            lower=[point.lower for point in points],
            upper=[point.upper for point in points],
        ),
        Column("limit", [point.limit for point in points]),
    ]
    return Table(f"rejection {one.name}", columns, {"count": one.count})


def residual_profile(
    regression: Regression,
    name: str = "target",
    *,
    unit: str = "",
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Bias (top) and resolution (bottom) of a regression in bins of the true value.

    Args:
        regression: from an evaluation.
        name, unit: of the target.
        style: look and label.
        ax: (bias, resolution), or one panel for the bias, of your own figure.

    Returns:
        One table: true value, bias, resolution; the overall numbers as facts.

    Raises:
        DataError: no bins.
    """
    style = style or Style()
    values = np.asarray(regression.target, dtype=np.float64)
    if not len(values):
        raise DataError(f"nothing to draw: no bins of {name!r}")
    with drawing(style):
        given = use_axes(ax, 2)
        figure, axes = stacked(style, (1, 1)) if given is None else (figure_of(given[0]), given)
        axes[0].axhline(0, color="black", linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=0)
        rows = (regression.profile_bias, regression.profile_resolution)
        for panel, row, colour, marker in zip(axes, rows, COLOURS[::2], "os", strict=False):
            panel.plot(values, row, linestyle="-", linewidth=0.8, marker=marker, color=colour)
        follow(axes[0], regression.profile_bias, regression.profile_bias, include=0.0, margin=0.15)
        edge = 0.04 * (values.max() - values.min()) or 1.0
        axes[0].set_xlim(values.min() - edge, values.max() + edge)
        axes[0].set_ylabel("Bias" + (f" [{unit}]" if unit else ""))
        if len(axes) > 1:
            follow(axes[1], regression.profile_resolution, regression.profile_resolution, include=0.0, margin=0.15)
            axes[1].set_ylim(bottom=0)
            axes[1].set_ylabel("Resolution" + (f" [{unit}]" if unit else ""))
            keep_apart(axes[0], axes[1])
        axes[-1].set_xlabel(f"True {name}" + (f" [{unit}]" if unit else ""))
        label(axes[0], style)
    columns = [
        Column(name, values, unit),
        *(Column(w, v, unit) for w, v in zip(("bias", "resolution"), rows, strict=True)),
    ]
    facts = {"bias": regression.bias, "resolution": regression.resolution, "r2": regression.r2}
    return FigureRecord(
        figure,
        axes_by_name(("main", "resolution"), axes),
        (Table(f"residuals {name}", columns, facts),),
        "Mean and standard deviation of prediction minus true value.",
        style,
    )
