"""Working points for correctionlib: the library itself reads them and gives the thresholds that hepml cuts at."""

import json

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.export.correction import NEVER, correction_document, write_correction
from hepml.working_points import WorkingPoint


def point(efficiency, threshold, pt=None, eta=None):
    return {"signal_efficiency": efficiency, "threshold": threshold, "pt": pt, "eta": eta}


GRID = [
    point(0.8, 0.1 + 0.2),
    point(0.9, 0.2),
    *[
        point(0.8, 0.01 * i + 0.1 * j, pt, eta)
        for i, pt in enumerate(([0, 20], [20, 40], [40, None]))
        for j, eta in enumerate(([-2.5, 0], [0, 2.5]))
    ],
]


@pytest.fixture
def corrections():
    """correctionlib's own evaluation of a document, after its own check against its schema."""
    correctionlib = pytest.importorskip("correctionlib", reason="pip install correctionlib")
    schema = pytest.importorskip("correctionlib.schemav2", reason="pip install correctionlib")

    def load(document):
        schema.CorrectionSet.model_validate(document)
        return correctionlib.CorrectionSet.from_string(json.dumps(document))

    return load


def test_the_thresholds_are_those_that_hepml_cuts_at(corrections):
    found = corrections(correction_document(GRID, model_id="ab" * 32))
    assert list(found) == ["threshold", "threshold_binned"]
    assert found["threshold"].evaluate("0.8") == pytest.approx(0.3, rel=1e-14)
    assert found["threshold"].evaluate("0.9") == 0.2
    with pytest.raises(IndexError):
        found["threshold"].evaluate("0.7")
    binned = found["threshold_binned"]
    assert binned.evaluate("0.9", 30.0, 1.0) == 0.2  # no bins: that for all
    generator = np.random.default_rng(0)
    pt, eta = generator.uniform(0, 100, 500), generator.uniform(-3, 3, 500)
    pt[:6], eta[:6] = [0, 20, 40, 1e9, -1, 39.999], [-2.5, 0, 2.4999, 2.5, 0, -2.5001]  # edges belong to the bin above
    cuts = tuple(
        (p["threshold"], p["pt"] and tuple(e or np.inf if k else e for k, e in enumerate(p["pt"])), p["eta"])
        for p in GRID
        if p["pt"]
    )
    working_point = WorkingPoint(cuts)
    threshold = binned.evaluate("0.8", pt, eta)
    score = generator.random(500).astype(np.float32)
    assert np.array_equal(score >= threshold, working_point.passes(score, pt, eta))
    outside = (eta >= 2.5) | (eta < -2.5) | (pt < 0)
    assert set(threshold[outside]) == {NEVER}
    assert outside.sum() > 50


def test_bins_that_are_no_grid_take_the_first(corrections):
    points = [point(0.5, 0.3, [0, 10], [-1, 1]), point(0.5, 0.6, [5, 20], None)]
    binned = corrections(correction_document(points))["threshold_binned"]
    found = [binned.evaluate("0.5", *where) for where in ((7.0, 0.0), (7.0, 2.0), (12.0, 0.0), (3.0, 2.0), (25.0, 0.0))]
    assert found == [0.3, 0.6, 0.6, NEVER, NEVER]


def test_the_candidate_at_the_threshold_passes_and_the_one_below_does_not(corrections):
    generator = np.random.default_rng(1)
    scores = np.concatenate([generator.random(300), generator.random(300) ** 40, -5 * generator.random(300)])
    scores = np.concatenate([scores.astype(np.float32), np.float32([0, 1, 0.5, 1e-30, 1e-44, 2e30, -3e-28])])
    given = [point(k + 1, float(score)) for k, score in enumerate(scores)]
    found = corrections(correction_document(given))["threshold"]
    for one, score in zip(given, scores, strict=True):
        cut = found.evaluate(f"{one['signal_efficiency']:g}")
        assert float(np.nextafter(score, np.float32(-np.inf))) < cut <= float(score)
    above = np.nextafter(0.5, 1)  # a threshold that is no score
    assert corrections(correction_document([point(0.5, above)]))["threshold"].evaluate("0.5") > 0.5


def test_no_working_points_are_refused(tmp_path):
    with pytest.raises(DataError, match="no working points"):
        write_correction([], tmp_path / "wp.json")
    assert list(tmp_path.iterdir()) == []
