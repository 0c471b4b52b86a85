"""Thresholds, reweighting, overtraining, and the records as JSON."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hepml.errors import DataError
from hepml.metrics import (
    Threshold,
    auc_error,
    bin_edges,
    derive_thresholds,
    ks_test,
    make_events,
    overtraining_gaps,
    reweight_background,
    roc_band,
    to_json,
    working_points,
)


def kinematic(toys, n, seed):
    """Signal harder and more central than background; the score leans on pT."""
    rng = np.random.default_rng(seed)
    events = toys.gaussian(n, n, seed, 1.5)
    pt = np.concatenate([rng.gamma(4, 10, n), rng.gamma(2, 10, n)]) + 10
    eta = np.concatenate([rng.normal(0, 1, n), rng.uniform(-2.4, 2.4, n)]).clip(-2.4, 2.4)
    return make_events(events.score + 0.02 * pt, events.label), pt, eta


def test_thresholds_reach_their_efficiency_everywhere_and_in_every_bin(toys):
    events, pt, eta = kinematic(toys, 4000, 1)
    found = derive_thresholds(events, (0.5, 0.9), pt=pt, eta=eta)
    signal = events.label == 1
    assert [t.pt for t in found[:2]] == [None, None]
    assert len(found) == 2 + 2 * 12
    for cut in found:
        inside = signal.copy()
        if cut.pt is not None:
            inside &= (pt >= cut.pt[0]) & (pt < cut.pt[1]) & (eta >= cut.eta[0]) & (eta < cut.eta[1])
        efficiency = np.mean(events.score[inside] >= cut.threshold)
        assert 0 <= efficiency - cut.signal_efficiency <= 1.01 / inside.sum()
    assert found[0].threshold == working_points(events, (0.5,), n=10)[0].threshold


@given(st.floats(0, 9e5), st.floats(-9.9, 9.9), st.integers(0, 3))
def test_every_candidate_is_in_exactly_one_bin(pt, eta, seed):
    rng = np.random.default_rng(seed)
    pts, etas = bin_edges(rng.gamma(3, 10, 2000), rng.normal(0, 1, 2000))
    assert sum(low <= pt < high for low, high in pairwise(pts)) == 1
    assert sum(low <= eta < high for low, high in pairwise(etas)) == 1


def test_few_signal_candidates_give_global_thresholds_only(toys):
    events, pt, eta = kinematic(toys, 60, 2)
    assert {t.pt for t in derive_thresholds(events, pt=pt, eta=eta)} == {None}
    edges = np.array([0.0, 1.0, 1e6]), np.array([-10.0, 10.0])
    empty = [t for t in derive_thresholds(events, (0.5,), pt=pt, eta=eta, edges=edges) if t.pt == (0.0, 1.0)]
    assert empty[0].threshold == derive_thresholds(events, (0.5,))[0].threshold
    with pytest.raises(DataError, match="no signal"):
        derive_thresholds(events.take(events.label == 0))


def test_reweighting_gives_the_background_the_spectrum_of_the_signal(toys):
    events, pt, eta = kinematic(toys, 20_000, 3)
    found = reweight_background(events, pt, eta)
    signal = events.label == 1
    before = stats.ks_2samp(pt[signal], pt[~signal]).statistic
    ranked = np.sort(pt[signal])
    order = np.argsort(pt[~signal])
    cumulative = np.cumsum(found.weight[~signal][order]) / found.weight[~signal].sum()
    after = np.abs(np.searchsorted(ranked, pt[~signal][order]) / len(ranked) - cumulative).max()
    assert after < 0.1 * before
    assert found.weight[~signal].sum() == pytest.approx((~signal).sum())
    assert np.array_equal(found.weight[signal], events.weight[signal])
    assert found.n_effective < (~signal).sum()
    assert 0 <= found.unmatched < 0.02
    # part of the separation was kinematics
    assert auc_error(make_events(events.score, events.label, found.weight)).value < auc_error(events).value


def test_equal_spectra_get_weights_near_one(toys):
    events = toys.gaussian(10_000, 10_000, 4)
    rng = np.random.default_rng(5)
    found = reweight_background(events, rng.gamma(3, 10, 20_000), rng.normal(0, 1, 20_000))
    assert found.n_effective > 9500


def test_reweighting_refuses_disjoint_spectra_and_nan(toys):
    events = toys.gaussian(100, 100, 6)
    with pytest.raises(DataError, match="share no"):
        reweight_background(events, np.repeat([50.0, 10.0], 100) + np.arange(200) / 1000, np.zeros(200))
    with pytest.raises(DataError, match="finite"):
        reweight_background(events, np.full(200, np.nan), np.zeros(200))


def test_ks_is_scipys_and_counts_equal_weights_as_none():
    rng = np.random.default_rng(7)
    first, second = rng.normal(0, 1, 500), rng.normal(0.1, 1, 400)
    expected = stats.ks_2samp(first, second, method="asymp").pvalue
    assert ks_test(first, second) == pytest.approx(expected, rel=0.1)
    assert ks_test(first, second, np.full(500, 3.0), np.full(400, 0.2)) == pytest.approx(ks_test(first, second))


def test_a_memorised_training_sample_shows_as_a_gap(toys):
    train, test = toys.gaussian(2000, 2000, 8, 2.5), toys.gaussian(2000, 2000, 9, 2.0)
    found = overtraining_gaps(train, test, n=300)
    assert found.auc.lower > 0
    assert found.auc.difference == pytest.approx(found.auc.train - found.auc.test)
    assert found.rejection[1].lower > 0
    assert found.ks_signal < 1e-6


def test_gaps_cover_zero_without_overtraining(toys):
    rng, inside = np.random.default_rng(10), []
    for seed in range(200):
        found = overtraining_gaps(toys.gaussian(600, 600, rng), toys.gaussian(300, 300, rng), (0.9,), n=200, seed=seed)
        inside.append([gap.lower <= 0 <= gap.upper for gap in (found.auc, *found.rejection)])
    np.testing.assert_allclose(np.mean(inside, axis=0), 0.683, atol=0.1)


def test_paired_gap_is_tighter_than_an_unpaired_one(toys):
    test = toys.gaussian(1000, 1000, 11)
    shifted = make_events(test.score + 0.1 * test.label, test.label)
    widths = [
        found.auc.upper - found.auc.lower
        for found in (overtraining_gaps(shifted, test, n=50, paired=p) for p in (True, False))
    ]
    assert widths[0] < 0.1 * widths[1]


def test_records_become_json(toys):
    events = toys.gaussian(300, 300, 12, 6.0)
    record = to_json(
        {"points": working_points(events, n=50), "curve": roc_band(events, n=50), "x": Threshold(0.5, 0.1)}
    )
    text = json.dumps(record, allow_nan=False)
    assert json.loads(text) == record
    assert record["points"][0]["upper"] is None
    assert record["points"][0]["limit"] is True
