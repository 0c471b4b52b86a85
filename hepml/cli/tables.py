"""The tables that `hepml evaluate` prints: numbers with their errors, limits as limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from hepml.errors import printable
from hepml.evaluation import Evaluation
from hepml.metrics import Change, Comparison, Gap

__all__ = ["show_evaluations"]

_SHOWN = (0.5, 0.8, 0.9)


def show_evaluations(
    results: Sequence[Evaluation], comparisons: Sequence[Comparison], console: Console | None = None
) -> None:
    """Prints the results: one table a task, rejections of truth classes, differences, notes.

    Args:
        results: of one or several runs.
        comparisons: between them.
        console: where; stdout if None, at least 160 columns wide where it is no terminal.
    """
    console = console or Console(markup=False, emoji=False)  # names are the user's
    results = [replace(one, name=printable(one.name)) for one in results]
    comparisons = [replace(one, first=printable(one.first), second=printable(one.second)) for one in comparisons]
    if not console.is_terminal:
        console.width = max(console.width, 160)
    binary = [one for one in results if one.task == "binary"]
    if binary:
        console.print(_binary(binary))
        for one in binary:
            if len(one.classes) > 1:
                console.print(_classes(one))
    if any(one.dependence for one in results):
        console.print(_dependence(results))
    for one in results:
        if one.systematics:
            console.print(_systematics(one))
        if one.multiclass is not None:
            console.print(_multiclass(one))
        if one.regression:
            console.print(_regression(one))
    if comparisons:
        console.print(_comparisons(comparisons))
    for one in results:
        for note in one.notes:
            console.print(f"{one.name}: {note}", highlight=False, soft_wrap=True)


def _part(one: Evaluation) -> str:
    words = [one.part, one.selection or "", "reweighted" if one.reweighted else ""]
    return ", ".join(word for word in words if word)


def with_error(value: float, error: float) -> str:
    """Both with two significant digits of the error.

    Example:
        >>> with_error(0.97378, 0.00071)
        '0.97378 ± 0.00071'
        >>> with_error(1.0, 0.0)
        '1.0000'
    """
    if not (math.isfinite(error) and error > 0):
        return f"{value:.4f}"
    digits = min(6, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _gap(gap: Gap) -> str:
    half = (gap.upper - gap.lower) / 2
    digits = min(6, max(0, 1 - math.floor(math.log10(half)))) if half > 0 and math.isfinite(half) else 4
    return f"{gap.difference:+.{digits}f} [{gap.lower:+.{digits}f}, {gap.upper:+.{digits}f}]"


def _binary(results: Sequence[Evaluation]) -> Table:
    table = Table(title="Held-out candidates; intervals 68 %, limits 95 %")
    for name in ("run", "candidates", "AUC", *(f"rejection at {100 * t:.0f} %" for t in _SHOWN)):
        table.add_column(name)
    table.add_column("ECE, Brier")
    table.add_column("AUC train - test")
    for one in results:
        if one.auc is None:
            continue
        counts = f"{_part(one)}\n{one.n_signal} + {one.n_background}"
        if one.n_effective is not None:
            counts += f"\nN_eff {one.n_effective[0]:.0f} + {one.n_effective[1]:.0f}"
        area = with_error(one.auc.value, one.auc.error)
        if one.auc.mean is not None and one.auc.spread is not None:
            area += f"\n{len(one.auc.seeds)} seeds: {with_error(one.auc.mean, one.auc.spread)}"
        points = []
        for target in _SHOWN:
            point = one.point(target)
            text = point.describe()
            if point.spread is not None and not point.limit and math.isfinite(point.spread):
                text += f"\nseeds ± {point.spread:.2g}"
            if point.n_effective is not None:
                text += f"\nN_eff {point.n_effective:.0f}"
            points.append(text)
        calibration = f"{one.calibration.ece:.4f}, {one.calibration.brier:.4f}" if one.calibration else "-"
        gap = "-"
        if one.overtraining is not None:
            found = one.overtraining
            gap = f"{_gap(found.auc)}\nKS p: {found.ks_signal:.2g}, {found.ks_background:.2g}"
        table.add_row(one.name, counts, area, *points, calibration, gap)
    return table


def _classes(one: Evaluation) -> Table:
    table = Table(title=f"{one.name}: rejection of the background's truth classes")
    for name in ("class", "candidates", *(f"at {100 * t:.0f} %" for t in _SHOWN)):
        table.add_column(name)
    for found in one.classes:
        shown = [point.describe() for point in found.points if point.signal_efficiency in _SHOWN]
        table.add_row(found.name, str(found.count), *shown)
    return table


def _dependence(results: Sequence[Evaluation]) -> Table:
    table = Table(
        title="Does the score know it? Background: dCorr^2, and Jensen-Shannon distance before and after a cut"
    )
    columns = ("variable", "run", "dCorr^2", *(f"distance (95 % by chance) at {100 * t:.0f} %" for t in _SHOWN))
    for name in (*columns, "efficiency in bins at 80 %"):
        table.add_column(name)
    names = dict.fromkeys(found.name for one in results for found in one.dependence)
    for name in names:
        for one in results:
            for found in (found for found in one.dependence if found.name == name):
                points = [found.signal_efficiency.tolist().index(target) for target in _SHOWN]
                distances = [f"{found.distance[k]:.3f} ({found.distance_by_chance[k]:.3f})" for k in points]
                bins = found.background_efficiency[points[1]]
                ends = f"{min(bins):.3f} to {max(bins):.3f}"
                table.add_row(name, one.name, f"{found.correlation[0]:.4f}", *distances, ends)
    return table


def _systematics(one: Evaluation) -> Table:
    table = Table(title=f"{one.name}: varied towers, nominal cuts; intervals of the change 68 %")
    shown = [k for k, target in enumerate(one.systematics[0].signal_efficiency) if target in _SHOWN]
    targets = [one.systematics[0].signal_efficiency[k] for k in shown]
    for name in ("variation", "candidates", "AUC", *(f"efficiency, rejection at {100 * t:.0f} %" for t in targets)):
        table.add_column(name)
    for found in one.systematics:
        counts = f"{found.n_signal} + {found.n_background}"
        if found.lost is not None and found.gained is not None and any((*found.lost, *found.gained)):
            counts += f"\nlost {sum(found.lost)}, gained {sum(found.gained)}"
        area = f"{found.auc_change:+.4f} ± {found.auc_error:.4f}"
        cells = [_changed(found.signal[k], found.background[k]) for k in shown]
        table.add_row(found.name, counts, area, *cells)
    return table


def _changed(signal: Change, background: Change) -> str:
    """Change of the efficiency in per cent, and rejection over nominal rejection, each with its interval."""
    first = [100 * value for value in (signal.change, signal.lower, signal.upper)]
    second = [1 + value for value in (background.change, background.lower, background.upper)]
    return "{:+.2f} [{:+.2f}, {:+.2f}] %\n".format(*first) + "x {:.3g} [{:.3g}, {:.3g}]".format(*second)


def _multiclass(one: Evaluation) -> Table:
    found = one.multiclass
    if found is None:
        return Table()
    interval = f"{found.accuracy:.4f} [{found.accuracy_lower:.4f}, {found.accuracy_upper:.4f}]"
    table = Table(title=f"{one.name}: accuracy {interval}, {one.n_background} candidates ({_part(one)})")
    for name in ("class", "AUC against the rest", "precision", "recall", "F1"):
        table.add_column(name)
    for i, name in enumerate(found.confusion.labels):
        area = found.auc.get(name)
        numbers = (found.confusion.precision[i], found.confusion.recall[i], found.confusion.f1[i])
        table.add_row(
            name, with_error(area.value, area.error) if area else "-", *(f"{float(number):.4f}" for number in numbers)
        )
    return table


def _regression(one: Evaluation) -> Table:
    table = Table(title=f"{one.name}: residuals, {one.n_background} candidates ({_part(one)})")
    for name in ("target", "bias", "resolution", "68 % half width", "mean |residual|", "R2"):
        table.add_column(name)
    for name, found in one.regression.items():
        table.add_row(
            name,
            with_error(found.bias, found.bias_error),
            with_error(found.resolution, found.resolution_error),
            f"{found.width68:.4g}",
            f"{found.mean_absolute_error:.4g}",
            f"{found.r2:.4f}",
        )
    return table


def _comparisons(comparisons: Sequence[Comparison]) -> Table:
    table = Table(title="Paired differences on common candidates")
    for name in ("runs", "candidates", "AUC difference", "p", *(f"rejection ratio at {100 * t:.0f} %" for t in _SHOWN)):
        table.add_column(name)
    for one in comparisons:
        ratios = [
            f"{r.ratio:.3f} (+{r.upper - r.ratio:.3f} -{r.ratio - r.lower:.3f})"
            for r in one.rejections
            if r.signal_efficiency in _SHOWN
        ]
        difference = with_error(one.auc_difference, one.auc_error)
        if one.seeds_difference is not None and one.seeds_error is not None:
            difference += f"\nseeds' means: {with_error(one.seeds_difference, one.seeds_error)}"
        table.add_row(f"{one.first} - {one.second}", str(one.n), difference, f"{one.p_value:.2g}", *ratios)
    return table
