"""The views of TMVA's GUI as figures: input variables, correlations, responses, ROC curves, deviations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from hepml.metrics.results import ScoredEvents
from hepml.plots import COLOURS, PAGE, Column, FigureRecord, Style, Table, drawing, score_distributions
from hepml.plots.panels import make_room
from hepml.plots.style import BACKGROUND, SIGNAL, label, line, new_figure
from tmva_bridge.quality import kolmogorov_test, roc_integral
from tmva_bridge.report.reading import Bins, OutputFile

__all__ = ["figures", "numbers"]

_PANELS = 6  # variables of a figure
_FILLED = ((SIGNAL, "///"), (BACKGROUND, "\\\\\\"))


def figures(output: OutputFile) -> Iterator[tuple[str, FigureRecord]]:
    """Names and figures, one after the other."""
    style = Style(experiment="TMVA", text=output.loader, energy="")
    for chain in output.transformations:
        yield from _variables(output, chain, style)
    matrices = [key for key in sorted(output.keys) if key.startswith("CorrelationMatrix")]
    if matrices:
        yield "correlations", _correlations(output, style)
    if output.analysis == "Classification":
        for kind, title in output.methods:
            if _ks(output, kind, title) is not None:
                yield f"response_{title}", _response(output, kind, title, style)
        if _curves(output):
            yield "roc", _roc(output, style)
    elif output.analysis == "Multiclass":
        for kind, title in output.methods:
            yield f"response_{title}", _responses(output, kind, title, style)
    else:
        for kind, title in output.methods:
            yield f"deviation_{title}", _deviations(output, kind, title, style)


def numbers(output: OutputFile) -> list[dict[str, Any]]:
    """Of each method: its type and title, and of a classification ROC integral and overtraining test."""
    curves = _curves(output)
    rows = []
    for kind, title in output.methods:
        row: dict[str, Any] = {"type": kind, "title": title}
        if output.analysis == "Classification":
            row["roc_integral"] = curves.get(title)
            row["ks_signal"], row["ks_background"] = _ks(output, kind, title) or (None, None)
        rows.append(row)
    return rows


def _curves(output: OutputFile) -> dict[str, float]:
    """Areas of the methods that have a curve."""
    areas = {}
    for kind, title in output.methods:
        key = f"Method_{kind}/{title}/MVA_{title}_effBvsS"
        if output.has(key):
            one = output.bins(key)
            areas[title] = roc_integral(one.centres, one.values)
    return areas


def _ks(output: OutputFile, kind: str, title: str) -> tuple[float, float] | None:
    """Kolmogorov's test of training against test sample, of signal and background."""
    out = []
    for side in "SB":
        keys = [f"Method_{kind}/{title}/MVA_{title}_{word}{side}" for word in ("", "Train_")]
        if not all(map(output.has, keys)):
            return None
        first, second = (output.bins(key) for key in keys)
        out.append(kolmogorov_test(first.values, second.values, first.squares, second.squares))
    return out[0], out[1]


def _grid(style: Style, count: int, most: int = 3) -> tuple[Figure, list[Axes]]:
    """Panels in rows; those that are not needed are left out."""
    columns = 2 if count == 4 else min(most, count)
    rows = -(-count // columns)
    width = PAGE if columns > 1 else None
    aspect = (0.36 if columns == 3 else 0.5) * rows / (0.75 if columns > 1 else 0.6)
    figure = new_figure(style, aspect=aspect, **({} if width is None else {"width": width}))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for one in panels[count:]:
        one.remove()
    return figure, panels[:count]


def _named(panels: Sequence[Axes]) -> dict[str, Axes]:
    return {"main": panels[0]} | {f"panel{place}": one for place, one in enumerate(panels[1:], 2)}


def _plain(text: Any) -> Any:
    """Names of users are no formulas."""
    text.set_parse_math(False)
    return text


def _variables(output: OutputFile, chain: str, style: Style) -> Iterator[tuple[str, FigureRecord]]:
    start = f"InputVariables_{chain}/"
    first = output.classes[0]
    names = []  # of the variable, and what follows that of the class, for targets
    for key in _ordered(output, start):
        for more in ("", "_target"):
            ending = f"__{first}{more}_{chain}"
            if key.endswith(ending):
                names.append((key[len(start) : -len(ending)], more))
    pages = [names[begin : begin + _PANELS] for begin in range(0, len(names), _PANELS)]
    for page, chosen in enumerate(pages, 1):
        tables = []
        with drawing(style):
            figure, panels = _grid(style, len(chosen))
            for axes, (name, more) in zip(panels, chosen, strict=True):
                each = [output.bins(f"{start}{name}__{one}{more}_{chain}") for one in output.classes]
                _draw_classes(axes, each, output.classes)
                _plain(axes.set_xlabel(each[0].titles[0] or name))
                tables.append(_classes_table(name, each, output.classes))
            panels[0].set_ylabel("Events (normalised)")
            if len(output.classes) > 1:
                panels[0].legend(loc="upper right")
            label(panels[0], style)
            for axes in panels:
                axes.set_ylim(bottom=0)
                axes.yaxis.set_major_locator(MaxNLocator(5))
                axes.xaxis.set_major_locator(MaxNLocator(5))
            make_room(panels[0])
        caption = (
            f"Input variables of the training sample, transformed by {chain}."
            if chain != "Id"
            else ("Input variables of the training sample.")
        )
        suffix = f"_{page}" if len(pages) > 1 else ""
        yield f"variables_{chain}{suffix}", FigureRecord(figure, _named(panels), tuple(tables), caption, style)


def _ordered(output: OutputFile, start: str) -> list[str]:
    """Keys in a folder, in the file's order."""
    with_order = [str(key) for key in output.folder[start.rstrip("/")].keys(recursive=False, cycle=False)]
    return [start + key for key in with_order]


def _unit(one: Bins) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and errors of unit area."""
    area = float((one.values * np.diff(one.edges[0])).sum()) or 1.0
    return one.values / area, np.sqrt(one.squares) / area


def _draw_classes(axes: Axes, each: Sequence[Bins], names: Sequence[str]) -> None:
    """Two classes filled as in hepml's figures, more as lines."""
    for place, (one, name) in enumerate(zip(each, names, strict=True)):
        values, _ = _unit(one)
        look: dict[str, Any]
        if len(each) == 2:
            colour, hatch = _FILLED[place]
            face = to_hex((colour, 0.25), keep_alpha=True)
            look = {"histtype": "fill", "facecolor": face, "edgecolor": colour, "hatch": hatch, "linewidth": 1.0}
        else:
            look = {"histtype": "step", **line(place)}
        mplhep.histplot(values, one.edges[0], ax=axes, yerr=False, flow="none", label=name, **look)
    axes.set_xlim(each[0].edges[0][0], each[0].edges[0][-1])


def _classes_table(name: str, each: Sequence[Bins], classes: Sequence[str]) -> Table:
    columns = [Column("low", each[0].edges[0][:-1]), Column("high", each[0].edges[0][1:])]
    for one, title in zip(each, classes, strict=True):
        values, errors = _unit(one)
        columns.append(Column(title, values, lower=values - errors, upper=values + errors))
    return Table(name, columns)


def _correlations(output: OutputFile, style: Style) -> FigureRecord:
    names = {"Classification": ("S", "B"), "Multiclass": output.classes, "Regression": ("",)}[output.analysis]
    titles = {"Classification": output.classes, "Multiclass": output.classes, "Regression": ("",)}[output.analysis]
    tables = []
    colours = LinearSegmentedColormap.from_list("signs", [COLOURS[0], "white", COLOURS[2]])
    with drawing(style):
        figure, panels = _matrices(style, len(names), len(output.bins(f"CorrelationMatrix{names[0]}").labels))
        size = matplotlib.rcParams["font.size"]
        for axes, name, title in zip(panels, names, titles, strict=True):
            one = output.bins(f"CorrelationMatrix{name}")
            count = len(one.labels)
            axes.imshow(one.values.T, cmap=colours, vmin=-100, vmax=100, origin="lower", aspect="auto")
            axes.set_box_aspect(1)
            fits = size if count < 7 else size * 7 / count
            for i in range(count):
                for j in range(count):
                    value = one.values[i, j]
                    colour = "white" if abs(value) > 70 else "black"
                    text = f"{value:.0f}".replace("-", "−")
                    axes.text(i, j, text, ha="center", va="center", fontsize=fits, color=colour)
            axes.set_xticks(range(count), one.labels, rotation=40, ha="right", rotation_mode="anchor")
            axes.set_yticks(range(count), one.labels)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
                for word in axis.get_ticklabels():
                    _plain(word)
            axes.tick_params(length=0)
            if title:
                axes.set_title(title, loc="right", pad=4)
            columns = [Column("variable", list(one.labels))]
            columns += [Column(text, one.values[:, j]) for j, text in enumerate(one.labels)]
            tables.append(Table(f"correlations {title}".strip(), columns))
        label(panels[0], style)
    caption = "Linear correlations of the input variables in the training sample, in per cent."
    return FigureRecord(figure, _named(panels), tuple(tables), caption, style)


def _matrices(style: Style, count: int, variables: int) -> tuple[Figure, list[Axes]]:
    columns = min(2, count)
    rows = -(-count // columns)
    width = PAGE if columns > 1 or variables > 6 else None
    aspect = (0.53 if columns > 1 else 0.95) * rows / (0.75 if width else 1.0)
    figure = new_figure(style, aspect=aspect, **({} if width is None else {"width": width}))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for one in panels[count:]:
        one.remove()
    return figure, panels[:count]


def _response(output: OutputFile, kind: str, title: str, style: Style) -> FigureRecord:
    """Test and training sample of a classifier, with the overtraining test."""
    samples = [
        ScoredEvents(
            output.column(tree, title).astype(np.float64),
            (output.column(tree, "classID") == 0).astype(np.float64),
            output.column(tree, "weight").astype(np.float64),
        )
        for tree in ("TestTree", "TrainTree")
    ]
    edges = output.bins(f"Method_{kind}/{title}/MVA_{title}_S").edges[0]
    record = score_distributions(
        samples[0],
        samples[1],
        ks=_ks(output, kind, title),
        names=(output.classes[0], output.classes[1]),
        bins=len(edges) - 1,
        scores=(float(edges[0]), float(edges[-1])),
        style=style,
    )
    with drawing(style):
        _plain(record.axes["main"].set_xlabel(f"{title} response"))
    return replace(record, caption=f"Response of {title}: test sample (filled) and training sample (points).")


def _roc(output: OutputFile, style: Style) -> FigureRecord:
    areas = _curves(output)
    best = sorted(areas, key=lambda title: -areas[title])
    kinds = {title: kind for kind, title in output.methods}
    tables = []
    with drawing(style):
        figure = new_figure(style, width=PAGE if len(best) > 6 else 5.0, aspect=0.75)
        axes = figure.subplots()
        for place, title in enumerate(best):
            one = output.bins(f"Method_{kinds[title]}/{title}/MVA_{title}_effBvsS")
            axes.plot(one.centres, 1 - one.values, label=f"{title} ({areas[title]:.3f})", **line(place))
            columns = [Column("signal_efficiency", one.centres), Column("background_rejection", 1 - one.values)]
            tables.append(Table(f"roc {title}", columns, {"integral": areas[title]}))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("Signal efficiency")
        axes.set_ylabel("1 - background efficiency")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title="Method (integral)")
        label(axes, style)
    caption = "Background rejection, 1 - background efficiency, by signal efficiency in the test sample."
    return FigureRecord(figure, {"main": axes}, tuple(tables), caption, style)


def _responses(output: OutputFile, kind: str, title: str, style: Style) -> FigureRecord:
    """The response for each class, in events of each class."""
    tables = []
    with drawing(style):
        figure, panels = _grid(style, len(output.classes), most=2)
        for axes, wanted in zip(panels, output.classes, strict=True):
            keys = [f"Method_{kind}/{title}/MVA_{title}_{{}}_{wanted}_prob_for_{true}" for true in output.classes]
            test = [output.bins(key.format("Test")) for key in keys]
            _draw_classes(axes, test, output.classes)
            for place, key in enumerate(keys):
                train = output.bins(key.format("Train"))
                values, errors = _unit(train)
                drawn = values > 0
                axes.errorbar(
                    train.centres[drawn],
                    values[drawn],
                    errors[drawn],
                    linestyle="none",
                    marker="o",
                    color=COLOURS[place],
                    markersize=2.2,
                    elinewidth=0.7,
                )
            axes.set_ylim(bottom=0)
            axes.set_xlim(0, 1)
            _plain(axes.set_xlabel(f"{title} response for {wanted}"))
            tables.append(_classes_table(f"response for {wanted}", test, output.classes))
        panels[0].set_ylabel("Events (normalised)")
        panels[0].legend(loc="upper center", ncols=2, title="test (lines), training (points)")
        make_room(panels[0])
        label(panels[0], style)
    caption = f"Responses of {title} for each class: test sample (lines) and training sample (points)."
    return FigureRecord(figure, _named(panels), tuple(tables), caption, style)


def _deviations(output: OutputFile, kind: str, title: str, style: Style) -> FigureRecord:
    """What a regression gives minus what is true, by what is true, in the test sample."""
    start = f"Method_{kind}/{title}/MVA_{title}test_reg_tgt"
    keys = sorted(
        key
        for key in output.keys
        if key.startswith(start) and key[len(start) :].split("_rtgt")[0] == key.rpartition("rtgt")[2]
    )
    fade = LinearSegmentedColormap.from_list("fade", ["white", COLOURS[0], "#0b2b4a"])
    tables = []
    with drawing(style):
        figure, panels = _grid(style, len(keys), most=2)
        for axes, key in zip(panels, keys, strict=True):
            one = output.bins(key)
            shown = np.where(one.values.T == 0, np.nan, one.values.T)
            mesh = axes.pcolormesh(one.edges[0], one.edges[1], shown, cmap=fade, rasterized=True)
            figure.colorbar(mesh, ax=axes, label="Events", pad=0.02)
            axes.axhline(0, color="black", linewidth=0.6)
            _plain(axes.set_xlabel(f"{one.titles[0]} (true)"))
            axes.set_ylabel("Regression - true")
            middle = one.values.sum(axis=1)
            centres = (one.edges[1][1:] + one.edges[1][:-1]) / 2
            mean = np.where(middle > 0, one.values @ centres / np.where(middle > 0, middle, 1), np.nan)
            axes.plot(one.centres, mean, color=COLOURS[2], label="mean")
            columns = [Column("true", one.centres), Column("mean_deviation", mean), Column("events", middle)]
            tables.append(Table(f"deviation of {one.titles[0]}", columns))
        panels[0].legend(loc="upper left")
        label(panels[0], replace(style, text=f"{style.text} {title}".strip()))
    caption = f"{title}: deviation from the target by the target, in the test sample; the line is the mean."
    return FigureRecord(figure, _named(panels), tuple(tables), caption, style)
