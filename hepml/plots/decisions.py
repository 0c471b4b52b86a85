"""Decisions and probabilities: confusion matrix of a cut, calibration of a score."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import NullLocator

from hepml.errors import DataError
from hepml.metrics.results import Calibration, Confusion
from hepml.plots.panels import axes_by_name, figure_of, keep_apart, pretty, stacked, use_axes
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLOURS, MARKERS, Style, drawing, label, line, new_figure, plain_log

__all__ = ["calibration_curves", "confusion_matrix"]


def confusion_matrix(
    confusion: Confusion,
    *,
    names: Sequence[str] | None = None,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Share of each true class by decision, in per cent, with the number of candidates below it.

    Args:
        confusion: counts and sums of weights, rows = true class.
        names: of the classes in the order of `confusion.labels`; None takes those.
        style: look and label.
        ax: a panel of your own figure.

    Returns:
        One table: true class, decision, fraction of the true class (by weight), candidates.

    Raises:
        DataError: a class without candidates, or another number of names than classes.
    """
    style = style or Style()
    labels = list(names or [_words(name) for name in confusion.labels])
    n = len(confusion.labels)
    if len(labels) != n or n < 2:
        raise DataError("a confusion matrix needs two classes and a name for each", expected=n, found=labels)
    sums = np.asarray(confusion.matrix, dtype=np.float64)
    totals = sums.sum(axis=1)
    if not (totals > 0).all():
        empty = [name for name, total in zip(labels, totals, strict=True) if not total > 0]
        raise DataError(f"no candidates of true class {empty[0]!r}", fix="evaluate on candidates of every class")
    shares = sums / totals[:, None]
    order = slice(None, None, -1) if n == 2 else slice(None)  # signal first
    with drawing(style):
        given = use_axes(ax, 1)
        figure = new_figure(style, aspect=0.9) if given is None else figure_of(given[0])
        axes = figure.subplots() if given is None else given[0]
        shown, counts, words = shares[order, order], np.asarray(confusion.counts)[order, order], labels[order]
        fade = LinearSegmentedColormap.from_list("fade", ["white", COLOURS[0]])
        axes.imshow(shown, cmap=fade, vmin=0, vmax=1, aspect="auto")
        axes.set_box_aspect(1)
        size = matplotlib.rcParams["font.size"]
        for row in range(n):
            for column in range(n):
                share = f"{100 * shown[row, column]:.1f} %"
                axes.text(column, row - 0.06, share, ha="center", va="center", fontsize=size + (3 if n < 4 else 0))
                axes.text(column, row + 0.16, f"{counts[row, column]}", ha="center", va="center", fontsize=size - 0.5)
        axes.set_xticks(range(n), words)
        axes.set_yticks(range(n), words, rotation=90, va="center")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
        axes.tick_params(length=0)
        axes.set_xlabel(
            "Decision" + (f" (score ≥ {confusion.threshold:.4g})" if confusion.threshold is not None else "")
        )
        axes.set_ylabel("Truth")
        label(axes, style)
    columns = [
        Column("truth", np.repeat(labels, n)),
        Column("decision", np.tile(labels, n)),
        Column("fraction", shares),
        Column("candidates", confusion.counts),
    ]
    facts = {"accuracy": confusion.accuracy, "threshold": confusion.threshold}
    caption = "Decisions by true class: per cent of the class, and candidates."
    return FigureRecord(figure, {"main": axes}, (Table("confusion", columns, facts),), caption, style)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def calibration_curves(
    calibrations: Mapping[str, Calibration] | Calibration,
    *,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Observed signal fraction against the mean score, and how many candidates each bin holds.

    Args:
        calibrations: one, or several by model name.
        style: look and label.
        ax: one panel, or (main, candidates), of your own figure.

    Returns:
        One table a model: mean score, signal fraction with its interval, candidates; ECE and Brier score as facts.

    Raises:
        DataError: no bins with candidates.
    """
    style = style or Style()
    named = {"": calibrations} if isinstance(calibrations, Calibration) else dict(calibrations)
    if not named or not all(len(one.score) for one in named.values()):
        raise DataError("nothing to draw: no bin of the calibration has candidates")
    with drawing(style):
        given = use_axes(ax, 2)
        figure, axes = stacked(style, (2.4, 1), aspect=1.1) if given is None else (figure_of(given[0]), given)
        axes[0].plot([0, 1], [0, 1], color="black", linewidth=0.7, linestyle=(0, (1, 1.5)), label="Perfect")
        for position, (name, one) in enumerate(named.items()):
            colour = line(position)["color"]
            error = np.abs(np.stack([one.fraction - one.lower, one.upper - one.fraction]))
            text = f"{pretty(name)}  " if name else ""
            axes[0].errorbar(
                one.score,
                one.fraction,
                yerr=error,
                linestyle="-",
                linewidth=0.8,
                marker=MARKERS[position % len(MARKERS)],
                color=colour,
                label=f"{text}ECE {one.ece:.4f}",
            )
            if len(axes) > 1:
                axes[1].plot(
                    one.score, one.count, drawstyle="steps-mid", color=colour, linestyle=line(position)["linestyle"]
                )
        axes[0].set_xlim(0, 1)
        axes[0].set_ylim(0, 1.02)
        axes[0].set_ylabel("Signal fraction")
        axes[0].legend(loc=_free_corner(named.values()), fontsize=None if len(named) < 6 else "x-small")
        axes[-1].set_xlabel("Mean score")
        if len(axes) > 1:
            plain_log(axes[1])
            counts = np.concatenate([np.asarray(one.count, dtype=np.float64) for one in named.values()])
            axes[1].set_ylim(max(0.5, 0.5 * counts[counts > 0].min()), 2 * counts.max())
            axes[1].set_ylabel("Candidates")
            keep_apart(axes[0], axes[1])
        label(axes[0], style)
    tables = tuple(_calibration_table(name, one) for name, one in named.items())
    caption = "Observed signal fraction against the mean score; bars: 68 %."
    return FigureRecord(figure, axes_by_name(("main", "candidates"), axes), tables, caption, style)


def _free_corner(calibrations: Collection[Calibration]) -> Literal["upper left", "lower right"]:
    """Above or below the diagonal, where fewer bars reach."""
    above = sum(np.count_nonzero((one.score < 0.5) & (one.upper > 0.6)) for one in calibrations)
    below = sum(np.count_nonzero((one.score > 0.5) & (one.lower < 0.4)) for one in calibrations)
    return "upper left" if above <= below else "lower right"


def _calibration_table(name: str, one: Calibration) -> Table:
    columns = [
        Column("score", one.score),
        Column("signal_fraction", one.fraction, lower=one.lower, upper=one.upper),
        Column("candidates", one.count),
    ]
    facts = {"ece": one.ece, "brier": one.brier, "brier_reference": one.brier_reference}
    return Table(f"calibration {name}".strip(), columns, facts)
