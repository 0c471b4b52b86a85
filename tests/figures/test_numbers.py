"""The numbers beside a figure: right by independent computation, and unchanged against committed tables."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hepml.metrics.results import RocCurve, ScoredEvents
from hepml.plots import FigureRecord, distribution, mean_image, pixel_grid, roc_curves, score_distributions
from hepml.plots.panels import binned, ratio_of
from hepml.plots.performance import AXIS_NAMES

BASELINE = Path(__file__).parent / "baseline"


def test_tables_are_those_committed(records: dict[str, FigureRecord], drawing_name: str) -> None:
    """Every fifth row of each table; see test_pictures for how they are written."""
    found = thinned(records[drawing_name])
    expected = json.loads((BASELINE / "tables.json").read_text(encoding="utf-8"))[drawing_name]
    assert [table["name"] for table in found] == [table["name"] for table in expected]
    for one, other in zip(found, expected, strict=True):
        assert same(one["facts"], other["facts"]), one["name"]
        for column, committed in zip(one["columns"], other["columns"], strict=True):
            assert same(column, committed), (one["name"], column["name"])


def same(one: object, other: object) -> bool:
    """Equal JSON, numbers to a millionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
    return one == other


def thinned(record: FigureRecord) -> list[dict[str, object]]:
    tables = json.loads(record.to_json("x"))["tables"]
    for table in tables:
        step = 5 if len(table["columns"][0]["values"]) < 300 else 97
        for column in table["columns"]:
            for part in ("values", "lower", "upper"):
                if part in column:
                    column[part] = column[part][::step]
    return list(tables)


def test_roc_is_masked_below_ten_background_candidates() -> None:
    signal = np.linspace(0, 1, 101)
    background = signal**3
    curve = RocCurve(signal, background, signal, 0.75, 0.01, n_background=100 * background)
    table = roc_curves([curve], efficiencies=(0.3, 1.0)).table
    few = np.interp(table["signal_efficiency"], signal, 100 * background) < 10
    assert few.any()
    assert np.isnan(table["rejection"][few]).all()
    assert np.isfinite(table["rejection"][~few]).all()


def test_a_roc_without_a_band_gets_the_interval_of_its_counts() -> None:
    signal = np.linspace(0, 1, 101)
    curve = RocCurve(signal, signal**2, signal, 0.67, 0.01, n_background=1000 * signal**2)
    column = roc_curves([curve]).table.columns[1]
    lower, upper, middle = (np.asarray(values) for values in (column.lower, column.upper, column.values))
    assert ((lower <= middle) & (middle <= upper)).all()
    expected = 1 / math.sqrt(250) * math.sqrt(1 - 0.25)  # binomial, k = 250 of 1000 at a signal efficiency of 0.5
    assert (upper[0] - lower[0]) / (2 * middle[0]) == pytest.approx(expected, rel=0.06)  # Clopper-Pearson is wider


def test_a_paired_band_replaces_the_numerators_own(records: dict[str, FigureRecord]) -> None:
    table = records["roc"].tables[2]
    ratio = next(column for column in table.columns if column.name == "ratio")
    values, lower, upper = (np.asarray(one, dtype=float) for one in (ratio.values, ratio.lower, ratio.upper))
    np.testing.assert_allclose(lower / values, 0.9)
    np.testing.assert_allclose(upper / values, 1.1)
    np.testing.assert_allclose(values, table["signal_efficiency"] ** -2.0, rtol=2e-3)


def test_histograms_agree_with_numpy() -> None:
    generator = np.random.default_rng(3)
    values, weight = generator.normal(size=500), generator.normal(1.0, 0.5, size=500)
    edges = np.linspace(-2, 2, 17)
    one = binned(values, weight, edges)
    expected, _ = np.histogram(values, edges, weights=weight)
    np.testing.assert_allclose(one.values, expected / weight.sum() / 0.25)
    assert one.below == pytest.approx(weight[values < -2].sum() / weight.sum())
    assert one.above == pytest.approx(weight[values > 2].sum() / weight.sum())
    assert (one.lower <= one.values).all()
    assert (one.upper >= one.values).all()


def test_unweighted_errors_are_garwoods() -> None:
    one = binned([0.5] * 4, None, [0.0, 1.0, 2.0], density=False)
    np.testing.assert_allclose([one.lower[0], one.upper[0]], [2.0857, 7.1628], atol=2e-4)  # PDG, 4 events, 68.27 %
    np.testing.assert_allclose([one.lower[1], one.upper[1]], [0.0, 1.8410], atol=2e-4)  # central interval of 0 events


def test_the_last_bin_holds_its_upper_edge() -> None:
    one = binned([1.0, 1.0, 0.0], None, [0.0, 0.5, 1.0], density=False)
    assert one.values.tolist() == [1.0, 2.0]
    assert one.above == 0


def test_a_ratio_needs_both() -> None:
    edges = [0.0, 1.0, 2.0, 3.0]
    ratio, lower, upper = ratio_of(binned([0.5, 1.5], None, edges), binned([0.5, 2.5], None, edges))
    assert ratio[0] == 1
    assert lower[0] < 1 < upper[0]
    assert np.isnan(ratio[1:]).all()


def test_scores_are_normalised_over_everything(toy: ModuleType) -> None:
    table = score_distributions(toy.events(400, 7), bins=10, scores=(0.0, 0.5)).tables[1]
    inside = np.sum(table["held_out"] * (table["score_high"] - table["score_low"]))
    assert inside == pytest.approx(math.sqrt(0.5), abs=0.01)  # background scores are grid**2


def test_what_lies_outside_is_stated(records: dict[str, FigureRecord]) -> None:
    record = records["variable"]
    above = record.table.facts["background_above"]
    assert above > 0.3
    legend = record.axes["main"].get_legend()
    assert legend is not None
    assert f"({100 * above:.0f} % above)" in legend.get_texts()[1].get_text()


def test_negative_weights_are_drawn() -> None:
    generator = np.random.default_rng(1)
    values, y = generator.uniform(size=400), np.repeat([1, 0], 200)
    weight = np.where(generator.uniform(size=400) < 0.2, -1.0, 1.0)
    distribution(values, y, "r_phi", weight=weight, bins=30).render("png")
    score_distributions(ScoredEvents(values, y.astype(float), weight)).render("png")


def test_mean_images_are_weighted_means_from_dense_and_sparse() -> None:
    from hepml.images import SparseImages

    generator = np.random.default_rng(2)
    dense = (generator.uniform(size=(5, 31, 31)) * (generator.uniform(size=(5, 31, 31)) < 0.05)).astype(np.float32)
    weight = np.array([1.0, 2.0, -0.5, 1.0, 0.3])
    expected = np.average(dense, axis=0, weights=weight)
    np.testing.assert_allclose(mean_image(dense[..., None], weight), expected, rtol=1e-6)
    np.testing.assert_allclose(mean_image(SparseImages.from_dense(dense), weight), expected, rtol=1e-6)


def test_pixels_lie_where_the_geometry_says() -> None:
    eta, phi = pixel_grid("ht", (32, 32))
    assert (eta[0], eta[-1]) == pytest.approx((-0.4, 0.4))
    assert phi[0] > phi[-1]  # the first row is the largest phi
    assert phi[0] == pytest.approx(4 * math.pi / 31)


def test_hcal_cells_and_pixels_make_one_picture(toy: ModuleType) -> None:
    from hepml.plots import mean_images

    cells = np.arange(64, dtype=float).reshape(1, 8, 8)
    pixels = np.repeat(np.repeat(cells, 4, axis=1), 4, axis=2) / 16
    one = mean_images({"ht": cells}, {"ht": 2 * cells}).table
    other = mean_images({"ht": pixels}, {"ht": 2 * pixels}).table
    np.testing.assert_array_equal(one["signal"], other["signal"])
    assert one["signal"].sum() == pytest.approx(cells.sum())


def test_every_profile_variable_has_a_name() -> None:
    assert {"pt", "eta", "pileup"} <= set(AXIS_NAMES)
