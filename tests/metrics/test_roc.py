import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as oracle

from hepml.errors import DataError
from hepml.metrics import auc, effective_number, make_events, rejection_at, roc_curve


@st.composite
def scored(draw, weights=False):
    n = draw(st.integers(2, 40))
    # few distinct values: ties are the hard part
    score = draw(hnp.arrays(np.float64, n, elements=st.integers(0, 6).map(lambda k: k / 6)))
    label = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
    label[:2] = 0, 1
    if not weights:
        return score, label
    return score, label, draw(hnp.arrays(np.int64, n, elements=st.integers(1, 4)))


@given(scored(weights=True))
def test_curve_and_area_are_those_of_scikit_learn(events):
    score, label, weight = events
    mine = roc_curve(score, label, weight)
    background, signal, thresholds = oracle.roc_curve(label, score, sample_weight=weight, drop_intermediate=False)
    np.testing.assert_allclose(mine.signal_efficiency, signal, atol=1e-12)
    np.testing.assert_allclose(mine.background_efficiency, background, atol=1e-12)
    np.testing.assert_array_equal(mine.thresholds[1:], thresholds[1:])
    assert mine.auc == pytest.approx(oracle.roc_auc_score(label, score, sample_weight=weight), abs=1e-12)


@given(scored(weights=True))
def test_a_weight_is_a_repetition(events):
    score, label, weight = events
    repeated = np.repeat(score, weight), np.repeat(label, weight)
    assert auc(score, label, weight) == pytest.approx(auc(*repeated), abs=1e-12)
    targets = np.array([0.3, 0.5, 0.9, 1.0])
    weighted = rejection_at(make_events(score, label, weight), targets)
    plain = rejection_at(make_events(*repeated), targets)
    np.testing.assert_array_equal(weighted[0], plain[0])
    np.testing.assert_allclose(weighted[1], plain[1], rtol=1e-10)


@given(scored())
def test_reversing_the_scores_mirrors_the_area(events):
    score, label = events
    assert auc(-score, label) == pytest.approx(1 - auc(score, label), abs=1e-12)


@given(scored())
def test_monotone_maps_change_nothing(events):
    score, label = events
    mapped = np.exp(3 * score)
    assert auc(mapped, label) == pytest.approx(auc(score, label), abs=1e-12)
    targets = np.array([0.5, 0.9])
    np.testing.assert_array_equal(
        rejection_at(make_events(mapped, label), targets)[1], rejection_at(make_events(score, label), targets)[1]
    )


@given(scored(), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(events, random):
    score, label = events
    shuffled = np.array(random.sample(range(len(score)), len(score)))
    assert auc(score[shuffled], label[shuffled]) == pytest.approx(auc(score, label), abs=1e-12)


def test_shifted_gaussians_have_their_analytic_area_and_rejection(toys):
    events = toys.gaussian(200_000, 200_000, 3, separation=1.0)
    assert auc(events.score, events.label) == pytest.approx(toys.auc(1.0), abs=0.003)
    targets = np.array([0.5, 0.8, 0.95])
    expected = [toys.rejection(t, 1.0) for t in targets]
    np.testing.assert_allclose(rejection_at(events, targets)[1], expected, rtol=0.03)


def test_negative_weights_subtract():
    # one event and its negative twin cancel exactly: what remains is the curve of the others
    score, label = np.array([0.1, 0.4, 0.35, 0.8, 0.6, 0.6]), np.array([0, 0, 1, 1, 0, 0])
    weight = np.array([1, 1, 1, 1, 2.5, -2.5])
    assert auc(score, label, weight) == pytest.approx(auc(score[:4], label[:4]), abs=1e-12)
    curve = roc_curve(score, label, weight)
    assert curve.background_efficiency[-1] == 1.0


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_area_of_signed_weights_is_the_signed_pair_sum(seed):
    rng = np.random.default_rng(seed)
    score, label = rng.integers(0, 9, 30) / 8, np.repeat([0, 1], 15)
    weight = rng.choice([1.0, 1.0, 1.0, -1.0], 30)
    weight[label == 1] += 0.6
    weight[label == 0] += 0.6
    s, b = label == 1, label == 0
    order = np.sign(score[s][:, None] - score[b][None, :]) / 2 + 0.5
    expected = np.sum(weight[s][:, None] * weight[b][None, :] * order) / (weight[s].sum() * weight[b].sum())
    assert auc(score, label, weight) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_cut_is_the_highest_that_reaches_the_target_and_includes_ties():
    events = make_events([0.9, 0.8, 0.8, 0.7, 0.85, 0.8, 0.1], [1, 1, 1, 1, 0, 0, 0])
    threshold, rejection, passing = rejection_at(events, np.array([0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_array_equal(threshold, [0.9, 0.8, 0.8, 0.7])
    np.testing.assert_array_equal(passing, [0, 2, 2, 2])
    np.testing.assert_allclose(rejection, [np.inf, 1.5, 1.5, 1.5])


def test_rounding_never_costs_a_candidate():
    for n in (10, 100, 1000):
        events = make_events(np.r_[np.arange(n), -1.0], np.r_[np.ones(n), 0])
        for percent in range(1, 101):
            threshold = rejection_at(events, np.array([percent / 100]))[0][0]
            assert np.count_nonzero(events.score >= threshold) == -(-n * percent // 100)


def test_effective_number():
    assert effective_number(np.ones(7)) == 7
    assert effective_number(np.array([1.0, 0.0])) == 1
    assert effective_number(np.zeros(0)) == 0


@pytest.mark.parametrize(
    ("score", "label", "weight", "words"),
    [
        ([0.1, np.nan], [0, 1], None, "not finite"),
        ([0.1, 0.2], [1, 1], None, "no background"),
        ([], [], None, "no signal"),
        ([0.1, 0.2], [0, 2], None, "labels must be"),
        ([0.1, 0.2], [0, 1, 1], None, "'label'"),
        ([0.1, 0.2], [0, 1], [1, -1], "signal sum to -1"),
        ([[0.1], [0.2]], [0, 1], None, "'score'"),
    ],
)
def test_unusable_input_is_refused_in_words(score, label, weight, words):
    with pytest.raises(DataError, match=words):
        make_events(score, label, weight)
