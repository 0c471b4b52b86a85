"""Distributions of the high-level variables and masses, signal against background, with their ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import mplhep
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, nearest
from hepml.plots.panels import (
    Binned,
    axes_by_name,
    binned,
    figure_of,
    finite_array,
    follow,
    keep_apart,
    log_if_wide,
    make_room,
    ratio_of,
    stacked,
    use_axes,
)
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import BACKGROUND, PAGE, SIGNAL, Style, drawing, label, plain_log

__all__ = ["VARIABLES", "Variable", "distribution", "distributions"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Variable:
    """How a variable is drawn.

    Attributes:
        label: text of its axis, without the unit.
        unit: GeV ..., or empty.
        range: of the published histogram (100 bins); None takes the central 99.8 % of the values.
        log: logarithmic y axis.
    """

    label: str
    unit: str = ""
    range: tuple[float, float] | None = None
    log: bool = True

    @property
    def axis(self) -> str:
        """The text of its axis."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


VARIABLES = {
    "r_had": Variable("$R_\\mathrm{had}$", range=(-1.0, 20.0)),
    "w_eta2": Variable("$w_\\mathrm{η2}$", range=(-0.001, 0.025)),
    "r_phi": Variable("$R_\\mathrm{φ}$", range=(0.0, 1.1)),
    "r_eta": Variable("$R_\\mathrm{η}$", range=(0.2, 1.1)),
    "sigma_etaeta": Variable("$σ_\\mathrm{ηη}$", "cells", range=(0.005, 1.5)),
    "iso_03": Variable("$E$ (Δ$R$ < 0.3)", "GeV", range=(0.0, 200.0)),
    "iso_04": Variable("$E$ (Δ$R$ < 0.4)", "GeV", range=(0.0, 200.0)),
    "mass": Variable("Mass of ECal and HCal", "GeV"),
    "et_mass": Variable("Mass of ECal ($E_\\mathrm{T}$)", "GeV"),
    "ee_mass": Variable("Mass of ECal ($E$)", "GeV"),
    "pt": Variable("Candidate $p_\\mathrm{T}$", "GeV"),
    "eta": Variable("Candidate η", range=(-2.5, 2.5), log=False),
    "phi": Variable("Candidate φ", "rad", range=(-np.pi, np.pi), log=False),
    "pileup": Variable("Reconstructed vertices", log=False),
}
"""The ranges are those of the published histograms (100 bins, the authors' HLVar macro, arXiv:2011.01984)."""


def distribution(
    values: ArrayLike,
    y: ArrayLike,
    name: str,
    *,
    weight: ArrayLike | None = None,
    names: tuple[str, str] = ("Signal", "Background"),
    bins: int = 50,
    range: tuple[float, float] | None = None,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """One variable: normalised histograms of signal and background, and their ratio below.

    Args:
        values: shape (n,).
        y: shape (n,), 1 signal, 0 background.
        name: key of `VARIABLES`, or any text.
        weight: shape (n,), or None for 1; may be negative.
        names: of signal and background in the legend.
        bins: of equal width.
        range: of the axis; None takes that of `VARIABLES`.
        style: look and label.
        ax: one panel, or (main, ratio), of your own figure.

    Returns:
        One table: bin edges, both densities and the ratio with 68 % intervals; the fractions below and above the
        range are among its facts, and named in the legend where they are not zero.

    Raises:
        DataError: empty input, one class only, values that are not finite.

    Example:
        >>> record = distribution([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], "r_phi", bins=11)
        >>> record.table.facts["signal_above"]
        0.0
    """
    style = style or Style()
    variable = VARIABLES.get(name, Variable(name))
    filled = _fill(values, y, weight, name=name, bins=bins, limits=range or variable.range)
    with drawing(style):
        given = use_axes(ax, 2)
        figure: Figure
        figure, axes = stacked(style, (2.6, 1)) if given is None else (figure_of(given[0]), given)
        _draw(axes, filled, variable, names)
        _legend(axes[0], filled, names)
        label(axes[0], style)
        make_room(axes[0])
    caption = f"{name}: signal against background, each normalised to one; error bars: 68 %."
    tables = (_table(name, variable, filled),)
    return FigureRecord(figure, axes_by_name(("main", "ratio"), axes), tables, caption, style)


def distributions(
    columns: Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    names: tuple[str, str] = ("Signal", "Background"),
    bins: int = 50,
    ranges: Mapping[str, tuple[float, float]] | Literal["published", "data"] = "published",
    style: Style | None = None,
) -> FigureRecord:
    """Several variables on one page, each as `distribution` draws it, three in a row; a single one as `distribution`.

    Args:
        columns: values by name, shape (n,) each.
        y, weight, names, bins, style: as for `distribution`.
        ranges: "published" takes those of `VARIABLES`, "data" the central 99.8 % of the values of each variable; or
            ranges by name, the published ones for the others.

    Raises:
        DataError: no variables, or what `distribution` refuses; a range for a variable that is not there.
    """
    style = style or Style()
    if not columns:
        raise DataError("no variable to draw", fix="give at least one column")
    own = {} if isinstance(ranges, str) else ranges
    if unknown := [name for name in own if name not in columns]:
        raise DataError(f"a range for {unknown[0]!r}, which is not drawn", nearest=nearest(unknown[0], columns))
    variables = {name: VARIABLES.get(name, Variable(name)) for name in columns}
    limits = {name: None if ranges == "data" else own.get(name, variables[name].range) for name in columns}
    if len(columns) == 1:
        name, values = next(iter(columns.items()))
        chosen = _central(finite_array(values, name)) if ranges == "data" else limits[name]
        return distribution(values, y, name, weight=weight, names=names, bins=bins, range=chosen, style=style)
    filled = {
        name: _fill(values, y, weight, name=name, bins=bins, limits=limits[name]) for name, values in columns.items()
    }
    with drawing(style):
        figure, panels = _page(style, list(columns))
        for name, (main, ratio) in panels.items():
            _draw((main, ratio), filled[name], variables[name], names)
            _outside(main, filled[name])
        _header(figure, panels, names, style)
    caption = "Signal against background, each normalised to one; error bars: 68 %."
    tables = tuple(_table(name, variables[name], filled[name]) for name in columns)
    first = next(iter(panels.values()))[0]
    axes = {f"{name}{end}": one for name, pair in panels.items() for one, end in zip(pair, ("", "_ratio"), strict=True)}
    return FigureRecord(figure, {"main": first, **axes}, tables, caption, style)


def _fill(
    values: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None,
    *,
    name: str,
    bins: int,
    limits: tuple[float, float] | None,
) -> tuple[Binned, Binned]:
    array = finite_array(values, name)
    labels = np.asarray(y)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    for other, what in ((labels, "labels"), (weights, "weights")):
        if other is not None and other.shape != array.shape:
            raise DataError(f"as many {what} as values are needed", expected=array.shape, found=other.shape)
    found = sorted(set(np.unique(labels).tolist()))
    if found != [0, 1]:
        raise DataError(f"{name}: signal and background are both needed", expected="labels 1 and 0", found=found)
    low, high = limits or _central(array)
    edges = np.linspace(low, high, bins + 1)
    signal, background = (
        binned(array[labels == code], None if weights is None else weights[labels == code], edges) for code in (1, 0)
    )
    return signal, background


def _central(values: Floats) -> tuple[float, float]:
    """The central 99.8 % of the values, a little wider."""
    low, high = np.quantile(values, [0.001, 0.999])
    if values.min() >= 0 and low < 0.2 * high:
        return 0.0, float(high) * 1.02 or 1.0
    extra = 0.02 * (high - low) or 0.5 * abs(high) or 0.5
    return float(low - extra), float(high + extra)


def _draw(axes: Sequence[Axes], filled: tuple[Binned, Binned], variable: Variable, names: tuple[str, str]) -> None:
    main, both = axes[0], list(zip(filled, names, (SIGNAL, BACKGROUND), strict=True))
    if variable.log:
        plain_log(main)
    for one, name, colour in reversed(both):
        mplhep.histplot(
            one.values,
            one.edges,
            yerr=False,
            ax=main,
            histtype="step",
            flow="none",
            color=colour,
            linewidth=1.0,
            linestyle="-" if colour == SIGNAL else "--",
            label=name,
        )
        middle, drawn = (one.edges[1:] + one.edges[:-1]) / 2, one.values > 0
        bars = one.errors[:, drawn]
        main.errorbar(middle[drawn], one.values[drawn], yerr=bars, fmt="none", ecolor=colour, elinewidth=0.7)
        main.stairs(one.values, one.edges, fill=True, color=colour, alpha=0.15, linewidth=0)
    positive = np.concatenate([one.values[one.values > 0] for one in filled] or [np.ones(1)])
    if positive.size and variable.log:
        main.set_ylim(0.5 * positive.min(), 2.5 * positive.max())
    else:
        main.set_ylim(0, 1.25 * positive.max() if positive.size else 1)
    main.set_xlim(filled[0].edges[0], filled[0].edges[-1])
    main.set_ylabel("Candidates (normalised)")
    if len(axes) > 1:
        _draw_ratio(axes[1], filled, names)
        keep_apart(main, axes[1])
    axes[-1].set_xlabel(variable.axis)


def _draw_ratio(axes: Axes, filled: tuple[Binned, Binned], names: tuple[str, str]) -> None:
    ratio, lower, upper = ratio_of(*filled)
    good = np.isfinite(ratio)
    edges = filled[0].edges
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    if good.any():
        log_if_wide(axes, ratio, ratio)
        error = np.stack([ratio - lower, upper - ratio])[:, good]
        axes.errorbar(
            middle[good],
            ratio[good],
            xerr=half[good],
            yerr=error,
            linestyle="none",
            marker="o",
            markersize=1.8,
            color="black",
            elinewidth=0.7,
        )
        follow(axes, np.maximum(lower, ratio / 4), np.minimum(upper, ratio * 4), include=1.0)
    axes.axhline(1.0, color="black", linewidth=0.6, linestyle=(0, (1, 1.5)), zorder=0)
    axes.set_ylabel("Ratio")


def _legend(axes: Axes, filled: tuple[Binned, Binned], names: tuple[str, str]) -> None:
    handles, texts = axes.get_legend_handles_labels()
    shown = []
    for name in names:
        one = filled[names.index(name)]
        parts = [f"{_percent(part)} {word}" for part, word in ((one.below, "% below"), (one.above, "% above")) if part]
        shown.append((handles[texts.index(name)], name + (f" ({', '.join(parts)})" if parts else "")))
    axes.legend([handle for handle, _ in shown], [text for _, text in shown], loc="upper right")


def _outside(axes: Axes, filled: tuple[Binned, Binned]) -> None:
    """Says how much lies outside the range, in the colours of the classes, where it is more than nothing."""
    parts = [one.below + one.above for one in filled]
    if not any(parts):
        return
    size = matplotlib.rcParams["font.size"] - 1.5
    words = [
        ("outside:", "black"),
        *((f"{_percent(part)} %", colour) for part, colour in zip(parts, (SIGNAL, BACKGROUND), strict=True)),
    ]
    children: list[Artist] = [TextArea(text, textprops={"fontsize": size, "color": colour}) for text, colour in words]
    box = HPacker(children=children, align="baseline", pad=0, sep=3)
    note = AnchoredOffsetbox(loc="upper right", child=box, frameon=False, pad=0.2, borderpad=0.3)
    axes.add_artist(note)
    make_room(axes, note)


def _percent(part: float) -> str:
    return f"{100 * part:.1g}" if part < 0.01 else f"{100 * part:.0f}"


def _page(style: Style, names: Sequence[str]) -> tuple[Figure, dict[str, tuple[Axes, Axes]]]:
    """Pairs of panels, three in a row, placed by inches."""
    across = min(3, len(names))
    down = -(-len(names) // across)
    width = style.width or PAGE
    left, right, top, bottom, gap = 0.56, 0.12, 0.28, 0.42, 0.09
    side = width / across - left - right
    main, ratio = 0.72 * side, 0.32 * side
    tall = main + ratio + gap + bottom + 0.08
    height = top + down * tall
    figure = Figure(figsize=(width, height))
    panels = {}
    for position, name in enumerate(names):
        row, column = divmod(position, across)
        x = column * width / across + left
        y = height - top - row * tall - main
        upper = figure.add_axes((x / width, y / height, side / width, main / height))
        y -= gap + ratio
        lower = figure.add_axes((x / width, y / height, side / width, ratio / height), sharex=upper)
        upper.tick_params(labelbottom=False)
        for axes in (upper, lower):
            axes.yaxis.set_label_coords(-0.36 / side, 1.0)
        panels[name] = (upper, lower)
    return figure, panels


def _header(figure: Figure, panels: Mapping[str, tuple[Axes, Axes]], names: tuple[str, str], style: Style) -> None:
    mains = [main for main, _ in panels.values()]
    across = min(3, len(mains))
    for position, main in enumerate(mains):
        if position % across:
            main.set_ylabel("")
            main.figure.axes[2 * position + 1].set_ylabel("")
        else:
            main.set_ylabel("Normalised")
    label(mains[0], style, right=mains[across - 1])
    handles, texts = mains[0].get_legend_handles_labels()
    order = [texts.index(name) for name in names]
    place: dict[str, Any] = {
        "loc": "lower center" if across == 3 else "lower left",
        "bbox_to_anchor": (0.5 if across == 3 else 0.0, 1.0),
        "borderaxespad": 0.1,
        "columnspacing": 1.0,
    }
    mains[across // 2].legend([handles[i] for i in order], [texts[i] for i in order], ncols=2, **place)


def _table(name: str, variable: Variable, filled: tuple[Binned, Binned]) -> Table:
    signal, background = filled
    ratio, lower, upper = ratio_of(signal, background)
    unit = f"1/({variable.unit})" if variable.unit else ""
    columns = [
        Column(f"{name}_low", signal.edges[:-1], variable.unit),
        Column(f"{name}_high", signal.edges[1:], variable.unit),
        Column("signal", signal.values, unit, lower=signal.lower, upper=signal.upper),
        Column("background", background.values, unit, lower=background.lower, upper=background.upper),
        Column("ratio", ratio, lower=lower, upper=upper),
    ]
    facts: dict[str, Any] = {}
    for word, one in (("signal", signal), ("background", background)):
        facts |= {f"{word}_entries": one.entries, f"{word}_below": one.below, f"{word}_above": one.above}
    return Table(f"distribution {name}", columns, facts)
