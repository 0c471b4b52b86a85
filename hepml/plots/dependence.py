"""Does the score know a variable that it should not: efficiency and score against it, and what a cut makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.metrics.dependence import Dependence
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
from hepml.plots.performance import AXIS_NAMES
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import BACKGROUND, COLOURS, LINE_STYLES, MARKERS, SIGNAL, Style, drawing, label, new_figure

__all__ = ["sculpting", "variable_dependence"]

_SHOWN = (0.5, 0.8, 0.95)
_NAMES = AXIS_NAMES | {"mass": ("Image mass", "GeV"), "iso_03": ("Energy within 0.3", "GeV")}
Floats = NDArray[np.float64]


def variable_dependence(
    results: Dependence | Mapping[str, Dependence],
    *,
    target: float = 0.8,
    names: tuple[str, str] = ("Signal", "Background"),
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Background efficiency (top) and mean score (bottom) in bins of a variable.

    Args:
        results: of one model, drawn at several working points and for both classes; or by model name, drawn at one
            working point and for the background.
        target: signal efficiency of that working point.
        names: of signal and background.
        style: look and label.
        ax: (efficiency, score) of your own figure.

    Returns:
        One table a model and working point, one a model with the mean scores; the distances of `sculpting` and the
        distance correlations are facts.

    Raises:
        DataError: no result, or of different variables.
    """
    style = style or Style()
    models = results if isinstance(results, Mapping) else {"": results}
    first = _one_variable(models)
    with drawing(style):
        given = use_axes(ax, 2)
        figure, axes = stacked(style, (1, 1), aspect=1.1) if given is None else (figure_of(given[0]), given)
        drawn: list[Floats] = []
        for position, (text, one, k) in enumerate(_curves(models, target)):
            look = {"color": COLOURS[position % len(COLOURS)], "marker": MARKERS[position % len(MARKERS)]}
            ends = np.stack([one.lower[k], one.upper[k]])
            drawn += [_steps(axes[0], one.edges, one.background_efficiency[k], ends, {**look, "label": text})]
        log_if_wide(axes[0], *_positive(drawn))
        follow(axes[0], *_positive(drawn), margin=0.12)
        axes[0].set_ylabel(f"{names[1]} efficiency")
        if len(axes) > 1:
            low: list[Floats] = []
            for position, (model, one) in enumerate(models.items()):
                for code in (1, 0) if len(models) == 1 else (0,):
                    colour = COLOURS[position % len(COLOURS)] if len(models) > 1 else (BACKGROUND, SIGNAL)[code]
                    look = {"color": colour, "marker": MARKERS[position % len(MARKERS)]}
                    value, error = one.mean_score[code], one.mean_score_error[code]
                    text = pretty(model) if len(models) > 1 else names[1 - code]
                    ends = np.stack([value - error, value + error])
                    low += [_steps(axes[1], one.edges, value, ends, {**look, "label": text})]
            follow(
                axes[1], np.concatenate([one[0] for one in low]), np.concatenate([one[1] for one in low]), margin=0.12
            )
            axes[1].set_ylabel("Mean score" if len(models) == 1 else f"Mean {names[1].lower()} score")
            if len(models) == 1:
                axes[1].legend(loc="upper right", ncols=2)
                make_room(axes[1])
            keep_apart(axes[0], axes[1])
        name, unit = _NAMES.get(first.name, (first.name, ""))
        unit = first.unit or unit
        axes[-1].set_xlabel(f"{name} [{unit}]" if unit else name)
        axes[0].set_xlim(first.edges[0], first.edges[-1])
        title = "Signal efficiency" if len(models) == 1 else f"At {target:.0%} signal efficiency".replace("%", " %")
        axes[0].legend(loc="upper right", title=title, ncols=3 if len(models) == 1 else 2)
        label(axes[0], style)
        make_room(axes[0])
    caption = f"Background efficiency at fixed thresholds (bars: 68 % intervals) and mean score against {first.name}."
    panels = {"main": axes[0]} | axes_by_name(("efficiency", "score"), axes)
    return FigureRecord(figure, panels, tuple(_tables(models)), caption, style)


def sculpting(
    results: Dependence | Mapping[str, Dependence],
    *,
    names: tuple[str, str] = ("Signal", "Background"),
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Distribution of a variable in the background before and after cuts (top), and the distance between them (bottom).

    Args:
        results: of one model; or by model name: the distributions are then after the cut at 80 % signal efficiency.
        names: of signal and background.
        style: look and label.
        ax: (distribution, distance) of your own figure.

    Returns:
        One table a model with the Jensen-Shannon distances and what chance gives, one with the distributions.

    Raises:
        DataError: no result, or of different variables.
    """
    style = style or Style()
    models = results if isinstance(results, Mapping) else {"": results}
    first = _one_variable(models)
    with drawing(style):
        given = use_axes(ax, 2)
        if given is None:
            figure = new_figure(style, aspect=1.25)
            axes: Sequence[Axes] = figure.subplots(2, 1)
        else:
            figure, axes = figure_of(given[0]), given
        curves: list[tuple[str, Dependence, Floats, dict[str, Any]]] = [
            ("Before", first, first.before, {"color": "black"})
        ]
        for position, (text, one, k) in enumerate(_curves(models, 0.8)):
            look = {"color": COLOURS[position % len(COLOURS)], "linestyle": LINE_STYLES[(position + 1) % 7]}
            curves.append((text, one, one.after[k], look))
        highest = 0.0
        for text, one, fractions, look in curves:
            edges = np.append(one.fine_edges[:-1], max(one.edges[-1], np.nextafter(one.fine_edges[-2], np.inf)))
            density = fractions / np.diff(edges)
            highest = max(highest, float(density.max()))
            axes[0].stairs(density, edges, label=text, linewidth=1.1, **look)
        axes[0].set_ylim(0, 1.1 * highest)
        axes[0].set_xlim(first.fine_edges[0], first.edges[-1])
        name, unit = _NAMES.get(first.name, (first.name, ""))
        unit = first.unit or unit
        axes[0].set_xlabel(f"{name} [{unit}]" if unit else name)
        axes[0].set_ylabel(f"Fraction of {names[1].lower()}" + (f" / {unit}" if unit else ""))
        after = "After cut at signal efficiency" if len(models) == 1 else "After cut at 80 %"
        axes[0].legend(loc="upper right", title=after)
        label(axes[0], style)
        make_room(axes[0])
        if len(axes) > 1:
            for position, (model, one) in enumerate(models.items()):
                colour, marker = COLOURS[position % len(COLOURS)], MARKERS[position % len(MARKERS)]
                points = one.signal_efficiency
                axes[1].plot(
                    points, one.distance, color=colour, marker=marker, label=pretty(model) or "Cut on the score"
                )
                chance = {"linestyle": LINE_STYLES[2], "color": colour if len(models) > 1 else "black"}
                axes[1].plot(
                    points, one.distance_by_chance, label=None if position else "95 % of random parts", **chance
                )
            axes[1].margins(x=0.04)
            axes[1].set_ylim(0, 1)
            axes[1].set_xlabel("Signal efficiency")
            axes[1].set_ylabel("Jensen-Shannon distance")
            axes[1].legend(loc="upper right", ncols=2)
            make_room(axes[1])
            keep_apart(axes[0], axes[1])
    caption = (
        f"{first.name} of the background before and after cuts on the score; dotted: random parts of the same size."
    )
    panels = {"main": axes[0]} | axes_by_name(("distribution", "distance"), axes)
    return FigureRecord(figure, panels, tuple(_sculpted(models)), caption, style)


def _one_variable(models: Mapping[str, Dependence]) -> Dependence:
    variables = {one.name for one in models.values()}
    if len(variables) != 1:
        raise DataError("the dependence on one variable is drawn", found=", ".join(sorted(variables)) or "none")
    return next(iter(models.values()))


def _curves(models: Mapping[str, Dependence], target: float) -> list[tuple[str, Dependence, int]]:
    """What is drawn of a model alone, or of each of several: name, record, working point."""
    found = []
    for model, one in models.items():
        points = one.signal_efficiency.tolist()
        wanted = [point for point in points if point in _SHOWN] if len(models) == 1 else [target]
        missing = [point for point in wanted if point not in points]
        if missing or not wanted:
            raise DataError("no such working point", expected=points, found=missing)
        for point in wanted:
            text = f"{point:.0%}".replace("%", " %") if len(models) == 1 else pretty(model)
            found.append((text, one, points.index(point)))
    return found


def _steps(axes: Axes, edges: Floats, value: Floats, ends: Floats, look: Mapping[str, Any]) -> Floats:
    """Points with bars over their bins; gives the finite ends."""
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    nothing = (value == 0) & np.isfinite(ends[1])  # the upper end of the interval, with an arrow
    good = np.isfinite(value) & ~nothing
    if nothing.any():
        down = {**look, "uplims": True, "linestyle": "none", "marker": "_", "label": None, "elinewidth": 0.9}
        top = ends[1, nothing]
        axes.errorbar(middle[nothing], top, xerr=half[nothing], yerr=0.3 * top, **down)
    bars = np.abs(np.stack([value - ends[0], ends[1] - value]))[:, good]
    more = {**look, "linestyle": "none", "elinewidth": 0.9}
    axes.errorbar(middle[good], value[good], xerr=half[good], yerr=bars, **more)
    return np.concatenate([ends[:, good], ends[1, nothing] * [[0.6], [1.0]]], axis=1)


def _positive(ends: Sequence[Floats]) -> tuple[Floats, Floats]:
    both = np.concatenate(ends, axis=1)
    floor = both[both > 0].min() if (both > 0).any() else 1e-3
    return np.maximum(both[0], floor), np.maximum(both[1], floor)


def _tables(models: Mapping[str, Dependence]) -> list[Table]:
    tables = []
    for model, one in models.items():
        bins = [
            Column(f"{one.name}_low", one.edges[:-1], one.unit),
            Column(f"{one.name}_high", one.edges[1:], one.unit),
        ]
        for k, target in enumerate(one.signal_efficiency):
            value = Column(
                "background_efficiency", one.background_efficiency[k], lower=one.lower[k], upper=one.upper[k]
            )
            counts = [Column("count", one.count), Column("passing", one.passing[k])]
            facts = {"signal_efficiency": float(target), "threshold": float(one.threshold[k])}
            tables.append(Table(f"{one.name} {model} {target:g}".replace("  ", " "), [*bins, value, *counts], facts))
        scores = [
            Column(f"mean score, {name}", mean, lower=mean - error, upper=mean + error)
            for name, mean, error in zip(("background", "signal"), one.mean_score, one.mean_score_error, strict=True)
        ]
        facts = dict(zip(("correlation_background", "correlation_signal"), one.correlation, strict=True))
        tables.append(Table(f"score {one.name} {model}".strip(), [*bins, *scores], facts))
    return tables


def _sculpted(models: Mapping[str, Dependence]) -> list[Table]:
    tables = []
    for model, one in models.items():
        columns = [
            Column("signal_efficiency", one.signal_efficiency),
            Column("distance", one.distance),
            Column("distance_by_chance", one.distance_by_chance),
        ]
        tables.append(Table(f"sculpting {one.name} {model}".strip(), columns))
        edges = [Column("low", one.fine_edges[:-1], one.unit), Column("high", one.fine_edges[1:], one.unit)]
        after = [
            Column(f"after {target:g}", part) for target, part in zip(one.signal_efficiency, one.after, strict=True)
        ]
        tables.append(Table(f"{one.name} {model}".strip(), [*edges, Column("before", one.before), *after]))
    return tables
