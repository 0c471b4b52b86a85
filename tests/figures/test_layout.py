"""What a careful reader would complain about: text over text, text cut off, a legend over the data, empty panels."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from hepml.plots import FigureRecord, drawing
from hepml.plots.panels import _drawn


def words(figure: Figure) -> list[tuple[str, Bbox]]:
    """Visible text and where it is, in pixels."""
    figure.draw_without_rendering()
    undrawn = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low - slack <= tick.get_loc() <= high + slack:  # kept by matplotlib, but not drawn
                undrawn |= {tick.label1, tick.label2}
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and text not in undrawn:
            found.append((text.get_text(), text.get_window_extent()))
    return found


def test_no_text_is_cut_off_or_covers_other_text(records: dict[str, FigureRecord], drawing_name: str) -> None:
    record = records[drawing_name]
    with drawing(record.style):
        found = words(record.figure)
    width, height = record.figure.bbox.width, record.figure.bbox.height
    for text, box in found:
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (first, one), (second, other) in combinations(found, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        along = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(across, along) < 1.5, (first, second)


def test_the_legend_covers_no_data(records: dict[str, FigureRecord], drawing_name: str) -> None:
    record = records[drawing_name]
    with drawing(record.style):
        record.figure.draw_without_rendering()
    for axes in record.figure.axes:
        legend = axes.get_legend()
        if legend is None or drawing_name == "calibration":  # its legend stands beside the diagonal, tested by eye
            continue
        box = legend.get_window_extent()
        for points in _drawn(axes):
            pixels = axes.transData.transform(points[np.isfinite(points).all(axis=1)])
            inside = (pixels > [box.x0, box.y0]) & (pixels < [box.x1, box.y1])
            assert not inside.all(axis=1).any(), (drawing_name, axes.get_ylabel())


def test_every_panel_shows_something(records: dict[str, FigureRecord], drawing_name: str) -> None:
    record = records[drawing_name]
    assert "main" in record.axes
    for name, axes in record.axes.items():
        assert axes.lines or axes.images or axes.patches or axes.collections, name
    pixels = imread(io.BytesIO(record.render("png")))
    coloured = np.ptp(pixels[..., :3], axis=-1) > 0.2
    assert coloured.mean() > 0.002
    assert (pixels[..., :3].min(axis=-1) < 0.1).mean() > 0.01  # ink


@pytest.mark.parametrize(
    ("name", "panel", "axis", "text"),
    [
        ("roc", "main", "y", "Background rejection"),
        ("roc", "ratio", "x", "Signal efficiency"),
        ("roc", "ratio", "y", "Ratio to hl"),
        ("performance", "rejection", "x", "[GeV]"),
        ("variable", "ratio", "x", "[GeV]"),
        ("mean", "ht_0", "x", "Δη"),
        ("mean", "et_0", "y", "Δφ [rad]"),
        ("residuals", "resolution", "x", "True energy [GeV]"),
    ],
)
def test_axes_say_what_they_show_with_units(
    records: dict[str, FigureRecord], name: str, panel: str, axis: str, text: str
) -> None:
    axes = records[name].axes[panel]
    assert text in (axes.get_xlabel() if axis == "x" else axes.get_ylabel())


def test_the_label_is_above_the_axes(records: dict[str, FigureRecord]) -> None:
    record = records["roc_page"]
    axes: Axes = record.axes["main"]
    with drawing(record.style):
        places = dict(words(record.figure))
    top = axes.get_window_extent().y1
    assert places["ATLAS"].y0 > top - 1
    assert places["√s = 13 TeV"].x0 > places["Simulation Internal"].x1


def test_ticks_point_inwards_on_both_sides(records: dict[str, FigureRecord]) -> None:
    with drawing(records["roc"].style):
        tick = records["roc"].axes["main"].yaxis.get_major_ticks()[1]
        assert tick.get_tickdir() == "in"
        assert tick.tick2line.get_visible()


def test_negative_numbers_have_a_minus_sign(records: dict[str, FigureRecord]) -> None:
    with drawing(records["residuals"].style):
        texts = [text for text, _ in words(records["residuals"].figure)]
    assert any("\N{MINUS SIGN}1.0" in text for text in texts)
    assert not any("-" in text for text in texts)


def test_models_differ_in_colour_and_pattern(records: dict[str, FigureRecord]) -> None:
    lines = [one for one in records["roc"].axes["main"].lines if one.get_linestyle() != "None"]
    assert len({one.get_color() for one in lines}) == len(lines) == 3
    assert len({str(one._unscaled_dash_pattern) for one in lines}) == 3


def test_images_lie_in_the_published_window(records: dict[str, FigureRecord]) -> None:
    (picture,) = records["mean"].axes["et_0"].images
    np.testing.assert_allclose(picture.get_extent(), [-0.3875, 0.3875, -15.5 * np.pi / 126, 15.5 * np.pi / 126])
    assert (picture.norm.vmin, picture.norm.vmax) == (1e-4, 200.0)
    assert picture.cmap.name == "plasma"
    (picture,) = records["mean"].axes["ht_0"].images
    np.testing.assert_allclose(picture.get_extent(), [-0.4, 0.4, -4 * np.pi / 31, 4 * np.pi / 31])
