"""Calibration, confusion matrices, binned efficiencies, several classes, regression."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from hepml.errors import DataError
from hepml.metrics import (
    binned_efficiency,
    calibration_curve,
    clopper_pearson,
    confusion_at,
    confusion_matrix,
    equal_count_edges,
    intervals,
    make_events,
    multiclass_metrics,
    percentile_interval,
    regression_metrics,
    weighted_efficiency_interval,
)


def probabilities(n, seed, weight=None):
    """Scores that are probabilities by construction."""
    rng = np.random.default_rng(seed)
    score = rng.beta(0.7, 0.7, n)
    return make_events(score, rng.random(n) < score, weight)


def test_clopper_pearson_is_the_inverted_binomial_test():
    low, high = clopper_pearson([0, 3, 20], [20, 20, 20], 0.9)
    assert low[0] == 0
    assert high[2] == 1
    assert stats.binom.sf(2, 20, low[1]) == pytest.approx(0.05)
    assert stats.binom.cdf(3, 20, high[1]) == pytest.approx(0.05)
    assert stats.binom.cdf(0, 20, high[0]) == pytest.approx(0.05)
    assert [float(x) for x in clopper_pearson(0, 0)] == [0, 1]


def test_weighted_interval_of_equal_weights_is_clopper_pearsons():
    plain, weighted = clopper_pearson(7, 50), weighted_efficiency_interval(7 * 0.3, 50 * 0.3, 50 * 0.09)
    np.testing.assert_allclose(weighted, plain, rtol=1e-9)


def test_percentile_interval_takes_infinities_and_leaves_nan_out():
    replicas = np.array([[1.0, np.nan], [2.0, np.nan], [np.inf, np.nan], [np.nan, np.nan]])
    low, high = percentile_interval(replicas)
    assert low[0] == 1
    assert high[0] == np.inf
    assert np.isnan([low[1], high[1]]).all()


def test_percentile_interval_does_not_depend_on_how_many_columns_are_taken_at_once(monkeypatch):
    replicas = np.random.default_rng(1).normal(size=(50, 3, 4))
    replicas[:, 1, 2] = np.nan
    replicas[7:, 0, 0] = np.nan
    whole = percentile_interval(replicas)
    assert whole[0].shape == (3, 4)
    monkeypatch.setattr(intervals, "_AT_ONCE", 100)  # two columns
    for one, other in zip(percentile_interval(replicas), whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_probabilities_are_calibrated_and_squeezed_ones_are_not():
    events = probabilities(40_000, 1)
    good = calibration_curve(events)
    assert good.ece < 0.01
    assert np.mean((good.lower <= good.score) & (good.score <= good.upper)) >= 0.4
    assert good.brier == pytest.approx(oracle.brier_score_loss(events.label, events.score), rel=1e-12)
    assert good.brier < good.brier_reference
    assert calibration_curve(make_events(0.5 + (events.score - 0.5) / 3, events.label)).ece > 0.1


def test_calibration_counts_weights_as_repetitions():
    weight = np.random.default_rng(2).integers(1, 4, 500)
    events = probabilities(500, 3, weight)
    twin = make_events(np.repeat(events.score, weight), np.repeat(events.label, weight))
    one, other = calibration_curve(events), calibration_curve(twin)
    assert one.ece == pytest.approx(other.ece)
    np.testing.assert_allclose(one.fraction, other.fraction)


def test_calibration_refuses_scores_that_are_no_probabilities():
    with pytest.raises(DataError, match="probabilities"):
        calibration_curve(make_events([-1.0, 2.0], [0, 1]))


def test_confusion_is_that_of_scikit_learn():
    rng = np.random.default_rng(4)
    truth, decision, weight = rng.integers(0, 3, 200), rng.integers(0, 3, 200), rng.exponential(1, 200)
    found = confusion_matrix(truth, decision, weight, ("a", "b", "c"))
    np.testing.assert_allclose(found.matrix, oracle.confusion_matrix(truth, decision, sample_weight=weight))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(truth, decision, sample_weight=weight)
    np.testing.assert_allclose([found.precision, found.recall, found.f1], [precision, recall, f1])
    assert found.accuracy == pytest.approx(oracle.accuracy_score(truth, decision, sample_weight=weight))


def test_confusion_at_a_cut_and_of_classes_that_never_occur():
    found = confusion_at(make_events([0.1, 0.5, 0.9], [0, 0, 1]), 0.5, 0.9)
    assert found.counts.tolist() == [[1, 1], [0, 1]]
    assert (found.threshold, found.signal_efficiency) == (0.5, 0.9)
    absent = confusion_matrix([0, 0], [0, 0], labels=("a", "b"))
    assert np.isnan([absent.precision[1], absent.recall[1]]).all()
    with pytest.raises(DataError, match="out of range"):
        confusion_matrix([0, 2], [0, 0], labels=("a", "b"))


@pytest.mark.parametrize("quantity", ["signal_efficiency", "rejection"])
def test_binned_counts_and_intervals(toys, quantity):
    events = toys.gaussian(5000, 5000, 5)
    x = np.random.default_rng(6).uniform(-1, 3, 10_000)
    found = binned_efficiency(events, x, [0, 1, 2], 1.0, quantity=quantity, name="x")
    label = 1 if quantity == "signal_efficiency" else 0
    for i in (0, 1):
        chosen = (events.label == label) & (x >= i) & (x < i + 1)
        assert found.count[i] == chosen.sum()
        assert found.passing[i] == (events.score[chosen] >= 1.0).sum()
    expected = found.passing / found.count
    low, high = clopper_pearson(found.passing, found.count)
    if quantity == "rejection":
        expected, low, high = 1 / expected, 1 / high, 1 / low
    np.testing.assert_allclose([found.value, found.lower, found.upper], [expected, low, high])


def test_binned_weights_are_bootstrapped_and_agree_with_counts(toys):
    weight = np.where(np.arange(4000) % 2, 1.0, 1.0 + 1e-6)
    events = toys.gaussian(2000, 2000, 7, weight=weight)
    x = np.random.default_rng(8).uniform(0, 2, 4000)
    found = binned_efficiency(events, x, [0, 1, 2], 2.0, n=2000)
    plain = binned_efficiency(make_events(events.score, events.label), x, [0, 1, 2], 2.0)
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-5)
    np.testing.assert_allclose(found.upper - found.lower, plain.upper - plain.lower, rtol=0.1)


def test_empty_bins_and_missing_values(toys):
    events = toys.gaussian(50, 50, 9)
    for weight in (None, np.random.default_rng(1).random(100) + 0.5):
        weighted = make_events(events.score, events.label, weight)
        x = np.r_[np.full(99, 0.5), np.nan]
        found = binned_efficiency(weighted, x, [0, 1, 2], 100.0, quantity="rejection")
        assert found.count.tolist() == [49, 0]
        assert found.value[0] == np.inf
        assert np.isnan([found.value[1], found.lower[1], found.upper[1]]).all()
    with pytest.raises(DataError, match="ascend"):
        binned_efficiency(events, x, [1, 1], 0.0)
    with pytest.raises(DataError, match="quantity"):
        binned_efficiency(events, x, [0, 1], 0.0, quantity="speed")


def test_equal_count_edges_hold_everything():
    values = np.random.default_rng(10).exponential(20, 1000).astype(np.float32)
    edges = equal_count_edges(values, 5)
    counts = np.histogram(values, edges)[0]
    assert counts.sum() == 1000
    assert counts.min() >= 190
    assert len(equal_count_edges(np.full(10, 3.0), 5)) == 2
    assert len(equal_count_edges([np.nan], 5)) == 0


def test_several_classes():
    rng = np.random.default_rng(11)
    truth = rng.integers(0, 3, 600)
    score = rng.random((600, 3)) + 0.5 * np.eye(3)[truth]
    found = multiclass_metrics(score, truth, names=("e", "mu", "jet"))
    assert found.accuracy == pytest.approx(oracle.accuracy_score(truth, score.argmax(axis=1)))
    assert found.accuracy_lower < found.accuracy < found.accuracy_upper
    for i, name in enumerate(("e", "mu", "jet")):
        assert found.auc[name].value == pytest.approx(oracle.roc_auc_score(truth == i, score[:, i]))
    with pytest.raises(DataError, match="classes"):
        multiclass_metrics(np.zeros(4), np.zeros(4))


def test_regression_recovers_a_known_bias_and_resolution():
    rng = np.random.default_rng(12)
    target = rng.uniform(10, 100, 20_000)
    found = regression_metrics(target + rng.normal(0.5, 2.0, 20_000), target)
    assert found.bias == pytest.approx(0.5, abs=4 * found.bias_error)
    assert found.resolution == pytest.approx(2.0, abs=4 * found.resolution_error)
    assert found.width68 == pytest.approx(2.0, rel=0.03)
    assert found.mean_absolute_error == pytest.approx(2.0 * math.sqrt(2 / math.pi), rel=0.06)
    assert 0.99 < found.r2 < 1
    np.testing.assert_allclose(found.profile_resolution, 2.0, rtol=0.1)
    with pytest.raises(DataError, match="two at least"):
        regression_metrics([1.0], [1.0])
