import numpy as np
import pytest

from hepml.errors import DataError
from hepml.metrics import auc_difference, auc_error, make_events


def pairwise_delong(score, label):
    """DeLong 1988 by its definition: structural components from the full matrix of pairs."""
    signal, background = score[label == 1], score[label == 0]
    kernel = (np.sign(signal[:, None] - background[None, :]) + 1) / 2
    v10, v01 = kernel.mean(axis=1), kernel.mean(axis=0)
    return kernel.mean(), np.var(v10, ddof=1) / len(signal) + np.var(v01, ddof=1) / len(background)


@pytest.mark.parametrize("seed", range(5))
def test_unweighted_error_is_delongs(seed):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat([0, 1], [60, 45]))
    score = np.round(rng.normal(label, 1), 1)  # ties
    value, variance = pairwise_delong(score, label)
    found = auc_error(make_events(score, label))
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.error**2 == pytest.approx(variance, rel=1e-10)


def test_equal_weights_of_any_size_are_no_weights(toys):
    events = toys.gaussian(200, 300, 1)
    heavy = make_events(events.score, events.label, np.where(events.label == 1, 7.0, 0.01))
    assert auc_error(heavy).error == pytest.approx(auc_error(events).error, rel=1e-10)


@pytest.mark.parametrize("signed", [False, True])
def test_error_describes_the_scatter_of_weighted_toys(toys, signed):
    rng = np.random.default_rng(5)
    values, errors = [], []
    for _ in range(400):
        weight = rng.choice([1.0, -0.4], 800, p=[0.85, 0.15]) if signed else rng.exponential(1, 800)
        found = auc_error(toys.gaussian(400, 400, rng, 1.5, weight=weight))
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(values) == pytest.approx(toys.auc(1.5), abs=4 * np.std(values) / 20)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_paired_difference_describes_the_scatter_of_correlated_models(toys):
    rng = np.random.default_rng(6)
    found = []
    for _ in range(300):
        events = toys.gaussian(300, 300, rng, 1.5)
        other = make_events(events.score + rng.normal(0, 0.5, 600), events.label)
        found.append(auc_difference(events, other)[:3])
    difference, error, correlation = np.array(found).T
    assert error.mean() == pytest.approx(difference.std(), rel=0.15)
    assert correlation.mean() > 0.7
    # what an unpaired comparison would claim is far larger
    assert error.mean() < 0.8 * np.sqrt(2) * auc_error(events).error


def test_p_value_is_uniform_without_a_difference(toys):
    rng = np.random.default_rng(7)
    p = []
    for _ in range(400):
        base = toys.gaussian(200, 200, rng, 1.0)
        pair = [make_events(base.score + rng.normal(0, 0.5, 400), base.label) for _ in range(2)]
        p.append(auc_difference(*pair)[3])
    assert np.mean(np.array(p) < 0.32) == pytest.approx(0.32, abs=0.08)


def test_related_candidates_are_counted_once(toys):
    # every candidate twice in its group: twice the rows, no more information
    events = toys.gaussian(300, 300, 8)
    twice = [np.repeat(x, 2) for x in (events.score, events.label)]
    group = np.repeat(np.arange(600), 2)
    error = auc_error(events).error
    assert auc_error(make_events(*twice, group=group)).error == pytest.approx(error, rel=0.01)
    assert auc_error(make_events(*twice)).error == pytest.approx(error / np.sqrt(2), rel=0.01)


def test_separated_classes_have_area_one_and_no_error():
    found = auc_error(make_events([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]))
    assert (found.value, found.error) == (1.0, 0.0)


def test_other_candidates_cannot_be_paired():
    with pytest.raises(DataError, match="same candidates"):
        auc_difference(make_events([0.1, 0.9], [0, 1]), make_events([0.1, 0.9, 0.3], [0, 1, 1]))
