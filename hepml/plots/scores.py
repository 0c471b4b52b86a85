"""Distributions of a score: held-out candidates against those that were trained on, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from hepml.errors import DataError
from hepml.metrics.results import ScoredEvents
from hepml.plots.panels import Binned, binned, figure_of, make_room, use_axes
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import BACKGROUND, SIGNAL, Style, drawing, label, new_figure, plain_log

__all__ = ["score_distributions"]

_CLASSES = ((1, "signal", SIGNAL, "///"), (0, "background", BACKGROUND, "\\\\\\"))


def score_distributions(
    held_out: ScoredEvents,
    train: ScoredEvents | None = None,
    *,
    ks: tuple[float, float] | None = None,
    names: tuple[str, str] = ("Signal", "Background"),
    bins: int = 40,
    scores: tuple[float, float] | None = None,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """The score of each class: held-out candidates filled, training candidates as points, logarithmic y axis.

    Args:
        held_out: candidates that the model has not seen, labels 1 and 0.
        train: candidates that it was trained on, or None.
        ks: Kolmogorov-Smirnov p-values train against held-out, (signal, background); printed, not judged.
        names: of signal and background in the legend.
        bins: of equal width over `scores`.
        scores: range; None takes [0, 1], or the range of all scores if they leave that.
        style: look and label.
        ax: a panel of your own figure.

    Returns:
        One table a class: bin edges, density held out and in training with intervals.

    Raises:
        DataError: no candidates, one class only, scores that are not finite.
    """
    style = style or Style()
    samples = {"held out": held_out} | ({} if train is None else {"training": train})
    for title, events in samples.items():
        _both_classes(events, title)
    low, high = scores or _range(list(samples.values()))
    edges = np.linspace(low, high, bins + 1)
    filled = {(title, code): binned(*events.of(code), edges) for title, events in samples.items() for code in (1, 0)}
    with drawing(style):
        given = use_axes(ax, 1)
        figure = new_figure(style) if given is None else figure_of(given[0])
        axes = figure.subplots() if given is None else given[0]
        plain_log(axes)
        for (code, _, colour, hatch), name in zip(_CLASSES, names, strict=True):
            _held_out(axes, filled["held out", code], colour, hatch, f"{name}, held out")
            if train is not None:
                _training(axes, filled["training", code], colour, f"{name}, training")
        positive = np.concatenate([one.values[one.values > 0] for one in filled.values()])
        axes.set_ylim(0.5 * positive.min(), 2 * positive.max())
        axes.set_xlim(low, high)
        axes.set_xlabel("Score")
        axes.set_ylabel("Candidates (normalised)")
        note = None if ks is None else f"KS p-values: {ks[0]:.2g} ({names[0]}), {ks[1]:.2g} ({names[1]})"
        handles, texts = axes.get_legend_handles_labels()
        axes.legend(handles, texts, loc="upper center", ncols=2 if len(texts) > 2 else 1, title=note)
        label(axes, style)
        make_room(axes)
    tables = tuple(_table(word, filled, code, train is not None, ks) for code, word, _, _ in _CLASSES)
    caption = "Score of held-out candidates" + (" (filled) and of training candidates (points)." if train else ".")
    return FigureRecord(figure, {"main": axes}, tables, caption, style)


def _both_classes(events: ScoredEvents, title: str) -> None:
    found = sorted({int(value) for value in np.unique(events.label)})
    if found != [0, 1]:
        raise DataError(
            f"signal and background are both needed: {title} candidates",
            expected="labels 1 and 0",
            found=f"labels {found}" if found else "no candidates",
        )
    if not np.isfinite(events.score).all():
        raise DataError(
            f"scores that are not finite: {title} candidates", found=int(np.sum(~np.isfinite(events.score)))
        )


def _range(samples: list[ScoredEvents]) -> tuple[float, float]:
    low = min(float(events.score.min()) for events in samples)
    high = max(float(events.score.max()) for events in samples)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    extra = 0.02 * (high - low) or 1.0
    return low - extra, high + extra


def _held_out(axes: Axes, one: Binned, colour: str, hatch: str, name: str) -> None:
    mplhep.histplot(
        one.values,
        one.edges,
        ax=axes,
        histtype="fill",
        yerr=False,
        flow="none",
        facecolor=to_hex((colour, 0.25), keep_alpha=True),  # mplhep takes a tuple for one value a histogram
        edgecolor=colour,
        hatch=hatch,
        linewidth=1.0,
        label=name,
    )


def _training(axes: Axes, one: Binned, colour: str, name: str) -> None:
    centres = (one.edges[1:] + one.edges[:-1]) / 2
    drawn = one.values > 0
    axes.errorbar(
        centres[drawn],
        one.values[drawn],
        yerr=one.errors[:, drawn],
        linestyle="none",
        marker="o",
        markersize=2.5,
        color=colour,
        markeredgecolor="black",
        markeredgewidth=0.4,
        elinewidth=0.8,
        label=name,
    )


def _table(
    word: str, filled: dict[tuple[str, int], Binned], code: int, trained: bool, ks: tuple[float, float] | None
) -> Table:
    one = filled["held out", code]
    columns = [
        Column("score_low", one.edges[:-1]),
        Column("score_high", one.edges[1:]),
        Column("held_out", one.values, lower=one.lower, upper=one.upper),
    ]
    facts: dict[str, object] = {"held_out_entries": one.entries}
    if trained:
        other = filled["training", code]
        columns.append(Column("training", other.values, lower=other.lower, upper=other.upper))
        facts["training_entries"] = other.entries
    if ks is not None:
        facts["ks_p_value"] = ks[0] if code == 1 else ks[1]
    return Table(f"score {word}", columns, facts)
