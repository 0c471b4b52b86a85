"""A guided search: how near it came to the benchmark, pass by pass, and the polynomials that it chose."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from hepml.efp.graphs import find_graph
from hepml.errors import DataError
from hepml.guided import Guided, Step
from hepml.metrics import Auc
from hepml.plots.features import distributions
from hepml.plots.graphs import draw_graph
from hepml.plots.panels import figure_of, follow, make_room, pretty, stacked
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLOURS, Style, drawing, label

__all__ = ["guided_distributions", "guided_search"]

_CALORIMETERS, _PREFIXES = {"ecal": "ECal", "hcal": "HCal"}, {"ecal": "et", "hcal": "ht"}


def guided_search(found: Guided, *, style: Style | None = None) -> FigureRecord:
    """The graphs that were chosen, the AUC after each pass beside the benchmark's, and the decision ordering.

    Args:
        found: from `hepml.guided`.
        style: look and label.

    Returns:
        Panels "graphs", "main" (AUC) and "ordering"; one table with a row a pass.

    Raises:
        DataError: a search without a pass.
    """
    style = style or Style()
    if not found.steps:
        raise DataError("the search has no pass")
    with drawing(style):
        figure, axes = stacked(style, (1.2, 2, 2), aspect=1.3)
        strip, areas, orderings = axes
        _areas(areas, found)
        _orderings(orderings, found)
        orderings.set_xlabel("Pass")
        orderings.xaxis.set_major_locator(MaxNLocator(integer=True))
        orderings.minorticks_on()
        orderings.tick_params(axis="x", which="minor", bottom=False, top=False)
        areas.tick_params(axis="x", which="minor", bottom=False, top=False)
        orderings.set_xlim(-0.5, len(found.steps) - 0.5)
        figure.align_ylabels([areas, orderings])
        _graphs(strip, found)
        label(strip, style)
    facts = {
        "benchmark_auc": found.benchmark.value,
        "benchmark_auc_error": found.benchmark.error,
        "stopped": found.stopped,
        "test_signal": found.n_signal,
        "test_background": found.n_background,
    }
    caption = (
        f"Guided search from {pretty(found.start)}: the polynomial of each pass, the AUC of the network with it, and "
        "the average decision ordering of polynomial and benchmark on the pairs that the network before it orders "
        "otherwise. Test split; bars: one standard deviation; open points: as chosen, on training and validation."
    )
    panels = {"main": areas, "graphs": strip, "ordering": orderings}
    return FigureRecord(figure, panels, (Table("guided search", _columns(found), facts),), caption, style)


def guided_distributions(
    found: Guided, values: ArrayLike, y: ArrayLike, *, weight: ArrayLike | None = None, style: Style | None = None
) -> FigureRecord:
    """The distributions of the polynomials that were chosen, for both classes.

    Args:
        found: from `hepml.guided`.
        values: of the polynomials, shape (n, polynomials), in the order of the passes.
        y: shape (n,), 1 signal, 0 background.
        weight: shape (n,), or None for 1.
        style: look and label.

    Raises:
        DataError: no polynomial was chosen, or what `hepml.plots.distributions` refuses.
    """
    array = np.asarray(values, dtype=np.float64)
    names = [_words(step) for step in found.steps if step.chosen is not None]
    if array.ndim != 2 or array.shape[1] != len(names):
        raise DataError("a column for each polynomial is needed", expected=f"(n, {len(names)})", found=array.shape)
    columns = {}
    for number, name in enumerate(names, 1):
        power = _power(array[:, number - 1])
        unit = f" [$\\mathdefault{{10^{{{power}}}}}$]" if power else ""  # matplotlib would write it into the axis' name
        columns[f"{number}: {name}{unit}"] = array[:, number - 1] / 10.0**power
    return distributions(columns, y, weight=weight, ranges="data", style=style)


def _power(values: NDArray[np.float64]) -> int:
    """The power of ten of values that are very small or very large, else 0."""
    largest = float(np.abs(values).max(initial=0.0))
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    return power if not -2 <= power < 4 else 0


def _words(step: Step) -> str:
    return f"{_PREFIXES[step.calorimeter or '']} {step.graph}, κ = {_number(step.kappa)}, β = {_number(step.beta)}"


def _number(exponent: float | None) -> str:
    return f"{exponent:g}".replace("-", "−")


def _areas(axes: Axes, found: Guided) -> None:
    number = np.array([step.number for step in found.steps])
    values, errors = _with_errors([step.auc for step in found.steps])
    low, high = (found.benchmark.value + sign * found.benchmark.error for sign in (-1, 1))
    axes.axhspan(low, high, color=COLOURS[3], alpha=0.3, linewidth=0)
    axes.axhline(found.benchmark.value, color=COLOURS[8], linewidth=1.0, label="Benchmark")
    shift = 0.12
    for k, step in enumerate(found.steps):
        if len(step.auc.seeds) > 1:
            spots = np.full(len(step.auc.seeds), step.number + shift)
            name = "Each seed" if k == 0 else None
            axes.plot(spots, step.auc.seeds, "_", color=COLOURS[1], markersize=5, markeredgewidth=0.8, label=name)
    axes.errorbar(number, values, yerr=errors, fmt="o", color=COLOURS[0], label=f"{pretty(found.start)} + polynomials")
    seeds = [area for step in found.steps for area in step.auc.seeds]
    follow(axes, np.minimum(values - errors, min([low, *seeds])), np.maximum(values + errors, max([high, *seeds])))
    axes.set_ylabel("AUC")
    axes.legend(loc="lower right")


def _orderings(axes: Axes, found: Guided) -> None:
    steps = [step for step in found.steps if step.chosen is not None]
    measured = [step for step in steps if step.ordering is not None]
    number = np.array([step.number for step in measured])
    values = np.array([step.ordering.folded for step in measured if step.ordering is not None])
    errors = np.array([step.ordering.error for step in measured if step.ordering is not None])
    chosen = np.array([step.chosen.ordering for step in steps if step.chosen is not None])
    axes.axhline(0.5, color="black", linewidth=0.6, linestyle=(0, (1, 1.5)))
    own: dict[str, Any] = {"markerfacecolor": "white", "color": COLOURS[2], "label": "As chosen"}
    axes.plot([step.number + 0.12 for step in steps], chosen, "s", **own)
    axes.errorbar(number, values, yerr=errors, fmt="o", color=COLOURS[4], label="Test split")
    follow(axes, np.concatenate([values - errors, chosen]), np.concatenate([values + errors, chosen]), include=0.5)
    axes.set_ylabel("ADO where they differ")
    if steps:
        axes.legend(loc="upper right")
        make_room(axes)


def _graphs(axes: Axes, found: Guided) -> None:
    """A graph above each pass, as large as fits."""
    figure_of(axes).draw_without_rendering()
    axes.set(ylim=(0, 1))
    axes.axis("off")
    box = axes.get_window_extent()
    low, high = axes.get_xlim()
    passes = high - low
    unit = box.height / box.width * passes  # what is as wide as the strip is high
    size = min(0.55 * unit, 0.8)
    axes.set_ylim(0, unit)
    for step in found.steps:
        if step.graph is None:
            axes.text(0, 0.62 * unit, pretty(found.start), ha="center", va="center")
            continue
        draw_graph(find_graph(step.graph), axes, at=(step.number - size / 2, unit - size), size=size)
        text = f"{_CALORIMETERS[step.calorimeter or '']}\nκ = {_number(step.kappa)}\nβ = {_number(step.beta)}"
        axes.text(step.number, unit - size, text, ha="center", va="top", fontsize="small", linespacing=1.0)


def _with_errors(areas: list[Auc]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([one.value for one in areas]), np.array([one.error for one in areas])


def _columns(found: Guided) -> list[Column]:
    steps = found.steps
    values, errors = _with_errors([step.auc for step in steps])
    gaps, gap_errors = _with_errors([step.gap for step in steps])
    nothing = Auc(np.nan, np.nan)
    alone, alone_errors = _with_errors([step.efp_auc or nothing for step in steps])
    there = np.array([step.ordering.folded if step.ordering else np.nan for step in steps])
    there_error = np.array([step.ordering.error if step.ordering else np.nan for step in steps])
    everywhere = np.array([step.network_ordering.folded for step in steps])
    everywhere_error = np.array([step.network_ordering.error for step in steps])

    def column(name: str, value: NDArray[np.float64], error: NDArray[np.float64]) -> Column:
        return Column(name, value, lower=value - error, upper=value + error)

    return [
        Column("pass", [step.number for step in steps]),
        Column("polynomial", [step.chosen.name if step.chosen else "" for step in steps]),
        column("auc", values, errors),
        Column("auc_seed_spread", [np.nan if step.auc.spread is None else step.auc.spread for step in steps]),
        column("benchmark_minus_auc", gaps, gap_errors),
        column("ordering_where_different", there, there_error),
        Column("ordering_as_chosen", [step.chosen.ordering if step.chosen else np.nan for step in steps]),
        column("polynomial_auc", alone, alone_errors),
        column("network_ordering", everywhere, everywhere_error),
    ]
