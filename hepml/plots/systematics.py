"""What varied towers change: signal efficiency and rejection of each variation, with the error of the change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.metrics.changes import Systematic
from hepml.plots.panels import figure_of, use_axes
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLOURS, MARKERS, PAGE, Style, drawing, label, new_figure, plain_log

__all__ = ["systematic_changes"]

_SHOWN = (0.5, 0.8, 0.9)
_NAME = 24  # letters in a line


def systematic_changes(
    systematics: Sequence[Systematic], *, style: Style | None = None, ax: Axes | Sequence[Axes] | None = None
) -> FigureRecord:
    """Change of the signal efficiency (left) and rejection over nominal rejection (right), one row a variation.

    Args:
        systematics: of an evaluation.
        style: look and label.
        ax: (efficiency, rejection) of your own figure.

    Returns:
        One table a variation: working points, nominal and varied values, the changes with their intervals, and how
        many candidates crossed. Where no background passes, an arrow starts at the lower end of the interval.

    Raises:
        DataError: no variation.
    """
    style = style or Style()
    if not systematics:
        raise DataError("no variation to draw", fix="evaluate with --vary")
    rows = np.arange(len(systematics), dtype=np.float64)
    with drawing(style):
        given = use_axes(ax, 2)
        if given is None:
            height = 1.1 + 0.4 * len(systematics)
            figure = new_figure(style, width=PAGE, aspect=height / (style.width or PAGE) / 0.75)
            figure.get_layout_engine().set(w_pad=0.07)  # type: ignore[union-attr, call-arg]  # long names are wider in print
            axes: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
        else:
            figure, axes = figure_of(given[0]), given
        for place, target in enumerate(_shown(systematics)):
            look = {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 3.0}
            name = f"{target:.0%} signal efficiency".replace("%", " %")
            where = rows + 0.22 * (place - 1)
            k = systematics[0].signal_efficiency.index(target)
            _points(axes[0], where, np.array([_numbers(one.signal[k], 100.0, 0.0) for one in systematics]), look, name)
            if len(axes) > 1:
                ratios = np.array([_numbers(one.background[k], 1.0, 1.0) for one in systematics])
                _points(axes[1], where, ratios, look, name)
        axes[0].axvline(0.0, color="black", linewidth=0.7, zorder=0)
        _wide(axes[0], 1.0)
        axes[0].set_xlabel("Change of signal efficiency [%]")
        axes[0].set_yticks(rows, [_wrapped(one.name) for one in systematics])
        axes[0].yaxis.set_minor_locator(NullLocator())
        axes[0].set_ylim(len(systematics) - 0.5, -0.5)
        if len(axes) > 1:
            axes[1].axvline(1.0, color="black", linewidth=0.7, zorder=0)
            low, high = axes[1].get_xlim()
            if high > 2.5 and low > 0:
                plain_log(axes[1], "x")
            axes[1].set_xlabel("Rejection / nominal rejection")
            axes[1].yaxis.set_minor_locator(NullLocator())
        for panel in axes:
            panel.margins(x=0.05)
            for edge in rows[:-1] + 0.5:
                panel.axhline(edge, color="0.85", linewidth=0.5, zorder=0)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        label(axes[0], style, right=axes[-1])
    caption = (
        "Change of signal efficiency and rejection when the towers are varied, at nominal thresholds; "
        "bars: 68 % intervals of the change."
    )
    names = {"main": axes[0], "signal_efficiency": axes[0]} | ({"rejection": axes[1]} if len(axes) > 1 else {})
    return FigureRecord(figure, names, tuple(_table(one) for one in systematics), caption, style)


def _shown(systematics: Sequence[Systematic]) -> list[float]:
    known = [target for target in systematics[0].signal_efficiency if target in _SHOWN]
    return known or list(systematics[0].signal_efficiency[:3])


def _numbers(change: object, factor: float, offset: float) -> list[float]:
    return [factor * getattr(change, name) + offset for name in ("change", "lower", "upper")]


def _points(
    axes: Axes, rows: NDArray[np.float64], values: NDArray[np.float64], look: dict[str, object], name: str
) -> None:
    value, low, high = values.T
    good = np.isfinite(value)
    value_of, low_of, high_of = value[good], low[good], high[good]
    bars = np.abs(np.stack([value_of - low_of, np.where(np.isfinite(high_of), high_of, value_of) - value_of]))
    axes.errorbar(value_of, rows[good], xerr=bars, linestyle="none", elinewidth=0.9, label=name, **look)  # type: ignore[arg-type]
    limit = ~good & np.isfinite(low) & (low > 0)
    if limit.any():
        up = {"xlolims": True, "xerr": 0.6 * low[limit], "linestyle": "none", "elinewidth": 0.9}
        axes.errorbar(low[limit], rows[limit], **up, **(look | {"marker": "|"}))  # type: ignore[arg-type]


def _wide(axes: Axes, linear: float) -> None:
    """A scale that is linear within +-linear and logarithmic beyond, where values reach far more than that."""
    low, high = axes.get_xlim()
    if max(abs(low), abs(high)) <= 10 * linear:
        return
    axes.set_xscale("symlog", linthresh=linear, linscale=0.7)
    decades = [10.0**k for k in range(3) if 10.0**k <= 1.2 * max(abs(low), abs(high))]
    ticks = [one for one in sorted({0.0, *decades, *(-one for one in decades)}) if 1.2 * low <= one <= 1.2 * high]
    axes.set_xticks(ticks, [f"{one:g}".replace("-", "\N{MINUS SIGN}") for one in ticks])
    axes.xaxis.set_minor_locator(NullLocator())


def _wrapped(name: str) -> str:
    """Joined effects on lines of their own; where that is too long, values too, and file names shortened."""
    if len(name) <= _NAME:
        return name
    lines = [part for effect in name.replace("+", "+\n").split("\n") for part in _parts(effect)]
    return "\n".join(one if len(one) <= _NAME else f"{one[: _NAME - 10]}…{one[-9:]}" for one in lines)


def _parts(effect: str) -> list[str]:
    return [effect] if len(effect) <= _NAME else effect.replace("=", "=\n").split("\n")


def _table(one: Systematic) -> Table:
    columns = [Column("signal_efficiency", one.signal_efficiency), Column("threshold", one.threshold)]
    for name, changes in (("signal", one.signal), ("background", one.background)):
        what = "change of signal efficiency" if name == "signal" else "relative change of rejection"
        columns += [
            Column(f"{name} efficiency, nominal", [each.nominal for each in changes]),
            Column(f"{name} efficiency, varied", [each.varied for each in changes]),
            Column(
                what,
                [each.change for each in changes],
                lower=[each.lower for each in changes],
                upper=[each.upper for each in changes],
            ),
        ]
        if one.paired:
            columns += [
                Column(f"{name}: {word}", [getattr(each, key) for each in changes])
                for key, word in (("moved_in", "moved in"), ("moved_out", "moved out"))
            ]
    facts = {"candidates": one.candidates, "paired": one.paired, "n_signal": one.n_signal}
    facts |= {"n_background": one.n_background, "auc_change": one.auc_change, "auc_error": one.auc_error}
    return Table(f"systematic {one.name}", columns, facts)
