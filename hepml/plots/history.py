"""How a training went: losses, the epoch that was kept, and the steps of the learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from hepml.errors import DataError
from hepml.plots.panels import axes_by_name, figure_of, keep_apart, make_room, stacked, use_axes
from hepml.plots.record import Column, FigureRecord, Table
from hepml.plots.style import COLOURS, Style, drawing, label, new_figure, plain_log

__all__ = ["training_curves"]


def training_curves(
    history: Mapping[str, ArrayLike],
    *,
    best: int | None = None,
    style: Style | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> FigureRecord:
    """Training and validation loss against the epoch, the best epoch, and the learning rate below.

    Args:
        history: columns by name, one value an epoch: loss; val_loss, learning_rate (or lr) and epoch if known.
        best: the epoch whose weights were kept, as counted in `epoch`; None takes the lowest val_loss.
        style: look and label.
        ax: one panel, or (loss, learning rate), of your own figure.

    Returns:
        One table with the columns of the history; `best_epoch` is among its facts.

    Raises:
        DataError: no epochs, no column loss, columns of different lengths.

    Example:
        >>> record = training_curves({"loss": [0.6, 0.4, 0.3], "val_loss": [0.6, 0.5, 0.55]})
        >>> record.table.facts["best_epoch"]
        2
    """
    style = style or Style()
    columns = _columns(history)
    epoch, loss = columns["epoch"], columns["loss"]
    kept = columns.get("val_loss", loss)
    if best is None and np.isfinite(kept).any():
        best = int(epoch[int(np.nanargmin(kept))])
    rate = columns.get("learning_rate")
    with drawing(style):
        given = use_axes(ax, 2)
        if given is not None:
            figure, axes = figure_of(given[0]), given
        elif rate is None:
            figure = new_figure(style)
            axes = [figure.subplots()]
        else:
            figure, axes = stacked(style, (2.6, 1))
        _losses(axes[0], columns, best)
        label(axes[0], style)
        make_room(axes[0])
        if rate is not None and len(axes) > 1:
            _rates(axes[1], epoch, rate, best)
            keep_apart(axes[0], axes[1])
        axes[-1].set_xlabel("Epoch")
        axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes[-1].minorticks_off() if len(epoch) < 12 else None
        axes[0].set_xlim(epoch[0] - 0.5, epoch[-1] + 0.5)
    units = [Column(name, values) for name, values in columns.items()]
    facts = {} if best is None else {"best_epoch": best}
    caption = "Loss against the epoch" + ("; the line marks the epoch whose weights were kept." if best else ".")
    return FigureRecord(
        figure, axes_by_name(("main", "learning_rate"), axes), (Table("history", units, facts),), caption, style
    )


def _columns(history: Mapping[str, ArrayLike]) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in history.items()}
    if "lr" in columns:
        columns.setdefault("learning_rate", columns.pop("lr"))
    if "loss" not in columns:
        raise DataError("a history needs the column 'loss'", found=", ".join(columns) or "no columns")
    lengths = {name: values.shape for name, values in columns.items()}
    if len(set(lengths.values())) > 1 or columns["loss"].ndim != 1:
        raise DataError("the columns of the history have different lengths", found=lengths)
    if not len(columns["loss"]):
        raise DataError("the history has no epochs")
    epoch = columns.pop("epoch", np.arange(1, 1 + len(columns["loss"]), dtype=np.float64))
    return {"epoch": epoch, **columns}


def _losses(axes: Axes, columns: Mapping[str, ArrayLike], best: int | None) -> None:
    epoch, loss = np.asarray(columns["epoch"]), np.asarray(columns["loss"])
    short: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(epoch) <= 30 else {}
    axes.plot(epoch, loss, color=COLOURS[0], linestyle="-", label="Training", **short)
    drawn = [loss]
    if "val_loss" in columns:
        validation = np.asarray(columns["val_loss"])
        drawn.append(validation)
        axes.plot(epoch, validation, color=COLOURS[2], linestyle=(0, (5, 1.5)), label="Validation", **short)
    everything = np.concatenate(drawn)
    everything = everything[np.isfinite(everything)]
    if not everything.size:
        raise DataError("the losses are not finite")
    low, high = everything.min(), everything.max()
    if low > 0 and high / low > 10:
        plain_log(axes)
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        extra = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        axes.set_ylim(low - extra, high + extra)
    if best is not None and best in epoch:
        value = np.asarray(columns.get("val_loss", loss))[list(epoch).index(best)]
        axes.vlines(best, axes.get_ylim()[0], value, color="black", linewidth=0.8, linestyle=(0, (1, 1.5)))
        axes.plot(best, value, "*", color="black", markersize=6, label=f"Best epoch: {best}")
    axes.set_ylabel("Loss")
    axes.legend(loc="upper right")


def _rates(axes: Axes, epoch: ArrayLike, rate: ArrayLike, best: int | None) -> None:
    rates = np.asarray(rate)
    axes.step(epoch, rates, where="mid", color=COLOURS[4])
    positive = rates[np.isfinite(rates) & (rates > 0)]
    if positive.size:
        plain_log(axes)
        axes.set_ylim(positive.min() / 2.5, positive.max() * 2.5)
    if best is not None:
        axes.axvline(best, color="black", linewidth=0.8, linestyle=(0, (1, 1.5)))
    axes.set_ylabel("Learning rate")
