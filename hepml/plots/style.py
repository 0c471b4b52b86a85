"""How hepml's figures look: mplhep's ATLAS style at print size, colours and lines that survive grey printing.

A figure is drawn inside `drawing`, a context that starts from matplotlib's own defaults, so that it looks the same
whatever the user's settings are, and that leaves those settings as they were. Nothing here uses pyplot: figures are
plain `matplotlib.figure.Figure` objects, which need no display.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import matplotlib.style
import mplhep
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import IdentityTransform, ScaledTranslation

from hepml.errors import DataError

__all__ = [
    "BACKGROUND",
    "COLOURS",
    "COLUMN",
    "LINE_STYLES",
    "MARKERS",
    "PAGE",
    "SIGNAL",
    "Style",
    "drawing",
    "label",
    "line",
    "new_figure",
    "plain_log",
    "settle",
]

COLUMN = 3.4
"""Width in inches of one column of a two-column paper."""

PAGE = 7.0
"""Width in inches of both columns."""

COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours that colour-blind readers tell apart: M. Petroff, arXiv:2107.02270, Table 1."""

SIGNAL, BACKGROUND = COLOURS[2], COLOURS[0]

LINE_STYLES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)
"""One pattern a model, so that curves can be told apart without colour."""

MARKERS = "osD^vP*X"
"""One marker a model, likewise."""


@dataclass(frozen=True)
class Style:
    """Everything a figure's look depends on.

    Attributes:
        width: of the figure in inches: `COLUMN` or `PAGE`; None takes the figure's natural one (a column for one
            panel, the page for several).
        experiment: bold text above the axes on the left; an empty text leaves the whole label out.
        text: plain text that follows it.
        energy: text above the axes on the right.
        font: family of all text; the default comes with mplhep.
        dpi: of the PNG.
        rc: matplotlib parameters that have the last word.

    Example:
        >>> Style(experiment="ATLAS", text="Simulation Internal").font
        'TeX Gyre Heros'
    """

    width: float | None = None
    experiment: str = "hepml"
    text: str = "Delphes simulation"
    energy: str = "√s = 13 TeV"
    font: str = "TeX Gyre Heros"
    dpi: int = 300
    rc: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.width is not None and not 1 <= self.width <= 40:
            raise DataError("a figure cannot have this width", expected="1 to 40 inches", found=self.width)

    def parameters(self) -> dict[str, Any]:
        """The matplotlib parameters, on top of matplotlib's defaults."""
        size = 8.0 if (self.width or COLUMN) < 5 else 9.0
        math = {f"mathtext.{name}": self.font for name in ("rm", "cal", "sf", "tt")}
        return {
            **mplhep.style.ATLAS,
            **math,
            "mathtext.it": f"{self.font}:italic",
            "mathtext.bf": f"{self.font}:bold",
            "font.family": [self.font],
            "font.size": size,
            "axes.labelsize": size + 1,
            "axes.titlesize": size,
            "axes.labelpad": 3.0,
            "axes.linewidth": 0.7,
            "axes.unicode_minus": True,
            "axes.formatter.limits": (-3, 4),
            "axes.prop_cycle": cycler("color", list(COLOURS)),
            "axes.autolimit_mode": "data",
            "xtick.labelsize": size,
            "ytick.labelsize": size,
            **{f"{axis}.major.size": 4.5 for axis in ("xtick", "ytick")},
            **{f"{axis}.minor.size": 2.2 for axis in ("xtick", "ytick")},
            **{f"{axis}.major.width": 0.7 for axis in ("xtick", "ytick")},
            **{f"{axis}.minor.width": 0.5 for axis in ("xtick", "ytick")},
            "xtick.major.pad": 5.0,
            "ytick.major.pad": 3.5,
            "lines.linewidth": 1.2,
            "lines.markersize": 3.5,
            "hatch.linewidth": 0.5,
            "legend.fontsize": size - 0.5,
            "legend.title_fontsize": size - 0.5,
            "legend.handlelength": 2.2,
            "legend.borderpad": 0.3,
            "legend.borderaxespad": 0.6,
            "legend.columnspacing": 1.2,
            "figure.dpi": 100,
            "savefig.dpi": self.dpi,
            "savefig.bbox": None,
            "pdf.fonttype": 3,  # outlines: matplotlib embeds OpenType fonts such as the default one wrongly as type 42
            "pdf.compression": 6,
            **self.rc,
        }


@contextmanager
def drawing(style: Style) -> Iterator[None]:
    """Hepml's style inside, the user's own settings again outside.

    Example:
        >>> import matplotlib
        >>> before = matplotlib.rcParams["font.size"]
        >>> with drawing(Style()):
        ...     matplotlib.rcParams["font.size"]
        8.0
        >>> matplotlib.rcParams["font.size"] == before
        True
    """
    with matplotlib.style.context(["default", style.parameters()]):
        yield


def new_figure(style: Style, *, width: float = COLUMN, aspect: float = 0.85) -> Figure:
    """An empty figure with `style.width`, or else `width`, inches; its height is `aspect` times that.

    A figure across the page is a quarter flatter.
    """
    width = style.width or width
    aspect *= 0.75 if width > 5 else 1.0
    return Figure(figsize=(width, aspect * width), layout=_Layout(w_pad=0.02, h_pad=0.02, hspace=0.02, wspace=0.02))


class _Layout(ConstrainedLayoutEngine):
    """Marks a figure as one of ours."""


def settle(figure: Figure) -> None:
    """Gives the panels of a figure from `new_figure` their final places.

    The engine starts from the places of the last drawing, so that a second rendering could differ by a pixel.
    """
    if isinstance(figure.get_layout_engine(), _Layout):
        figure.draw_without_rendering()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def line(position: int) -> dict[str, Any]:
    """Colour and pattern of the curve at `position`; patterns and colours repeat with different periods.

    Example:
        >>> line(0)["color"], line(10)["color"] == line(0)["color"], line(10)["linestyle"] == line(0)["linestyle"]
        ('#3f90da', True, False)
    """
    return {"color": COLOURS[position % len(COLOURS)], "linestyle": LINE_STYLES[position % len(LINE_STYLES)]}


def label(axes: Axes, style: Style, *, right: Axes | None = None, above: float = 0) -> None:
    """Writes experiment, text and energy above the axes; the energy above `right` if the figure has several columns.

    `above` leaves so many points free, for a title.
    """
    if not style.experiment:
        return
    size = matplotlib.rcParams["font.size"]
    words: list[Artist] = [
        TextArea(style.experiment, textprops={"fontsize": size + 1, "fontweight": "bold", "fontstyle": "italic"})
    ]
    if style.text:
        words.append(TextArea(style.text, textprops={"fontsize": size}))
    _above(axes, HPacker(children=words, align="baseline", pad=0, sep=3), "left", above)
    if style.energy:
        text = TextArea(style.energy, textprops={"fontsize": size})
        _above(right or axes, HPacker(children=[text], align="baseline", pad=0, sep=0), "right", above)


def _above(axes: Axes, box: HPacker, side: str, points: float) -> None:
    figure = axes.figure
    shift = ScaledTranslation(0, points / 72, figure.dpi_scale_trans) if figure is not None else IdentityTransform()
    anchored = AnchoredOffsetbox(
        loc=f"lower {side}",
        child=box,
        frameon=False,
        pad=0.15,
        borderpad=0,
        bbox_to_anchor=(0 if side == "left" else 1, 1),
        bbox_transform=axes.transAxes + shift,
    )
    axes.add_artist(anchored)


def plain_log(axes: Axes, axis: str = "y") -> None:
    """A logarithmic axis: 0.01 to 1000 spelt out, powers of ten beyond, and more numbers where it is shorter than
    two decades.
    """
    one = axes.yaxis if axis == "y" else axes.xaxis
    (axes.set_yscale if axis == "y" else axes.set_xscale)("log")
    one.set_major_locator(LogLocator(10, numticks=12))
    one.set_minor_locator(LogLocator(10, subs=tuple(range(2, 10)), numticks=120))
    one.set_major_formatter(FuncFormatter(_plain))
    one.set_minor_formatter(FuncFormatter(lambda value, _: _between(value, *sorted(one.get_view_interval()))))


def _plain(value: float, _position: int | None = None) -> str:
    if value <= 0:
        return ""
    if 0.01 <= value < 5_000:
        return f"{value:g}"
    power = math.floor(math.log10(value) + 1e-9)
    mantissa = value / 10.0**power
    ten = f"10^{{{power}}}"
    return f"$\\mathdefault{{{ten}}}$" if abs(mantissa - 1) < 1e-6 else f"$\\mathdefault{{{mantissa:g}×{ten}}}$"


def _between(value: float, low: float, high: float) -> str:
    """Numbers of minor ticks: none on a long axis, 2 and 5 on a short one, most of them on a very short one."""
    if not 0 < low < high:
        return ""
    decades = math.log10(high / low)
    shown = (2, 3, 4, 5, 6, 8) if decades < 0.7 else (2, 3, 5) if decades < 1.2 else (2, 5) if decades < 1.8 else ()
    return _plain(value) if round(value / 10.0 ** math.floor(math.log10(value) + 1e-9)) in shown else ""
