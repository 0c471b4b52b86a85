"""What a network sees in a run against what it was trained on: the quantities that moved most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import mplhep
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.plots.panels import make_room
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import BACKGROUND, COLUMN, PAGE, SIGNAL, Style, drawing, label, new_figure

__all__ = ["Drifted", "drift_panels"]


@dataclass(frozen=True)
class Drifted:
    """One quantity, in bins that hold about equal parts of the training sample.

    Attributes:
        name: of the quantity, `input.variable`.
        edges: between the bins, one less than these; the outer bins have no end.
        fractions: of the run, in the bins.
        training: of the training sample.
        n_effective: of the run, for its error bars.
        psi: population stability index, for the legend.
    """

    name: str
    edges: Sequence[float]
    fractions: Sequence[float]
    training: Sequence[float]
    n_effective: float
    psi: float


def drift_panels(drifted: Sequence[Drifted], *, style: Style | None = None) -> FigureRecord:
    """Fractions of a run and of the training sample, bin by bin; bins are drawn equally wide, with their edges.

    Args:
        drifted: up to nine quantities.
        style: look and label.

    Returns:
        One table a quantity: upper edge of each bin, fraction in the run with its 68 % interval, fraction in training.

    Raises:
        DataError: nothing to draw, or more than nine quantities.

    Example:
        >>> record = drift_panels([Drifted("hl.r_had", [0.1], [0.7, 0.3], [0.5, 0.5], 100.0, 0.17)])
        >>> record.table["training"]
        array([0.5, 0.5])
    """
    if not 1 <= len(drifted) <= 9:
        raise DataError("a page holds one to nine quantities", found=len(drifted))
    style = style or Style()
    across = min(3, len(drifted))
    down = -(-len(drifted) // across)
    with drawing(style):
        aspect = 0.9 if across == 1 else down / across * 1.2
        figure = new_figure(style, width=COLUMN if across == 1 else PAGE, aspect=aspect)
        panels = list(figure.subplots(down, across, squeeze=False).ravel())
        for one, axes in zip(drifted, panels, strict=False):
            _draw(axes, one)
        for axes in panels[len(drifted) :]:
            axes.set_visible(False)
        label(panels[0], style, right=panels[across - 1])
        for axes in panels[: len(drifted)]:
            make_room(axes)
    names = ["main", *(one.name for one in drifted[1:])]
    caption = (
        "Inputs of the network in this run (points, 68 % intervals) and in training (filled), in bins of about equal "
        "parts of the training sample; numbers are edges of bins."
    )
    tables = tuple(_table(one) for one in drifted)
    return FigureRecord(figure, dict(zip(names, panels, strict=False)), tables, caption, style)


def _errors(one: Drifted) -> NDArray[np.float64]:
    """Normal approximation with the effective number; at least that of one entry."""
    part = np.clip(np.asarray(one.fractions, dtype=np.float64), 0, 1)
    n = max(one.n_effective, 1.0)
    return np.asarray(np.sqrt(np.maximum(part * (1 - part), 1 / n) / n))


def _draw(axes: Axes, one: Drifted) -> None:
    n = len(one.fractions)
    places = np.arange(n + 1, dtype=np.float64)
    training, fractions = np.asarray(one.training), np.asarray(one.fractions)
    mplhep.histplot(
        training,
        places,
        yerr=False,
        ax=axes,
        histtype="fill",
        flow="none",
        color=BACKGROUND,
        alpha=0.35,
        label="Training",
    )
    axes.errorbar(
        places[:-1] + 0.5,
        fractions,
        xerr=0.5,
        yerr=_errors(one),
        linestyle="none",
        marker="o",
        markersize=2.0,
        color=SIGNAL,
        elinewidth=0.8,
        label="Run",
    )
    axes.set_xlim(0, n)
    axes.set_ylim(0, 1.15 * max(training.max(), fractions.max()))
    axes.set_xticks(places[1:-1], [f"{edge:.3g}" for edge in one.edges], rotation=60)
    axes.tick_params(axis="x", which="major", labelsize=matplotlib.rcParams["font.size"] - 2)
    axes.minorticks_off()
    axes.set_xlabel(one.name)
    axes.set_ylabel("Fraction")
    axes.legend(title=f"PSI {one.psi:.2g}", loc="upper right")


def _table(one: Drifted) -> Table:
    fractions, errors = np.asarray(one.fractions, dtype=np.float64), _errors(one)
    columns = [
        Column("upper_edge", [*one.edges, np.inf]),
        Column("run", fractions, lower=fractions - errors, upper=fractions + errors),
        Column("training", one.training),
    ]
    return Table(one.name, columns, {"psi": one.psi, "n_effective": one.n_effective})
