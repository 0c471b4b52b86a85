"""Dependence of a score on a variable: against slow references, and what chance gives."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from hepml.errors import DataError
from hepml.metrics import clopper_pearson, distance_correlation, jensen_shannon, make_events, score_dependence


def slow_distance_correlation(x, y, weight):
    """By the definition, pair by pair: Szekely et al. (2007), with the weights of arXiv:2001.05310."""
    n, p = len(x), np.abs(weight) / np.abs(weight).sum()
    centred = []
    for values in (x, y):
        a = [[abs(values[j] - values[k]) for k in range(n)] for j in range(n)]
        row = [sum(p[k] * a[j][k] for k in range(n)) for j in range(n)]
        grand = sum(p[j] * row[j] for j in range(n))
        centred.append([[a[j][k] - row[j] - row[k] + grand for k in range(n)] for j in range(n)])

    def covariance(one, other):
        return sum(p[j] * p[k] * one[j][k] * other[j][k] for j in range(n) for k in range(n))

    first, second = centred
    product = covariance(first, first) * covariance(second, second)
    return covariance(first, second) / math.sqrt(product) if product > 0 else 0.0


@pytest.mark.parametrize("weighted", [False, True])
def test_distance_correlation_is_its_definition(weighted):
    rng = np.random.default_rng(0)
    for power in (0.0, 1.0, 2.0):
        x = rng.normal(size=40)
        y = rng.normal(size=40) + 2 * np.abs(x) ** power
        w = rng.choice([0.0, 0.5, 3.0, -1.0], 40) if weighted else np.ones(40)
        assert distance_correlation(x, y, w) == pytest.approx(slow_distance_correlation(x, y, w), abs=1e-12)


def test_distance_correlation_sees_what_a_linear_one_does_not():
    x = np.linspace(-1, 1, 3001)
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 1e-12
    assert distance_correlation(x, x**2) > 0.2
    rng = np.random.default_rng(1)
    assert distance_correlation(rng.normal(size=3000), rng.normal(size=3000)) < 0.005
    assert distance_correlation(np.ones(10), np.arange(10)) == 0.0
    many = np.linspace(0, 1, 20_000)
    assert distance_correlation(many, many) == pytest.approx(1.0)


def test_jensen_shannon_is_that_of_scipy():
    rng = np.random.default_rng(2)
    for _ in range(5):
        p, q = rng.integers(0, 5, (2, 12)) + 0.0
        assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2))
    assert math.isnan(jensen_shannon([1, 2], [0, 0]))


def sample(strength, n=8000, seed=3):
    """Background whose score knows a variable by `strength`."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    variable = rng.exponential(1.0, n)
    score = rng.normal(2.0 * label, 1.0) + strength * variable * (label == 0)
    return make_events(score, label), variable


def test_a_score_that_knows_nothing_stays_within_chance_and_one_that_knows_does_not():
    points = [(0.5, 2.0), (0.9, 0.7)]
    blind, knowing = (score_dependence(*sample(strength), points, name="x") for strength in (0.0, 0.5))
    assert (blind.distance < blind.distance_by_chance).all()
    assert (knowing.distance > 1.5 * knowing.distance_by_chance).all()
    assert blind.correlation[0] < 0.003
    assert knowing.correlation[0] > 0.05
    assert knowing.correlation[1] < 0.003
    assert (np.diff(knowing.mean_score[0]) > 0).all()
    assert np.abs(np.diff(blind.mean_score[0])).max() < 6 * blind.mean_score_error[0].max()


def test_chance_is_what_random_cuts_give():
    """19 of 20 scores without knowledge stay below the 95 % quantile."""
    below = []
    for seed in range(60):
        found = score_dependence(*sample(0.0, 4000, seed), [(0.8, 1.2)])
        below.append(bool(found.distance[0] < found.distance_by_chance[0]))
    assert abs(np.mean(below) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 60)


def test_numbers_in_bins_are_those_counted_by_hand():
    events, x = sample(0.5, 3000)
    found = score_dependence(events, x, [(0.8, 1.0)], name="x", unit="GeV")
    background = events.label == 0
    for k, (low, high) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
        inside = background & (x >= low) & (x < high)
        passing = int((inside & (events.score >= 1.0)).sum())
        assert (found.count[k], found.passing[0, k]) == (inside.sum(), passing)
        assert found.background_efficiency[0, k] == pytest.approx(passing / inside.sum())
        ends = [float(one) for one in clopper_pearson(passing, inside.sum())]
        assert [found.lower[0, k], found.upper[0, k]] == pytest.approx(ends)
        scores = events.score[inside]
        assert found.mean_score[0, k] == pytest.approx(scores.mean())
        assert found.mean_score_error[0, k] == pytest.approx(scores.std() / math.sqrt(len(scores)))
    assert found.count.sum() == pytest.approx(0.99 * background.sum(), abs=1)
    assert found.before.sum() == pytest.approx(1)
    assert found.after.sum(axis=1) == pytest.approx([1])


def test_equal_weights_do_not_matter_and_others_do():
    events, x = sample(0.5, 3000)
    double = make_events(events.score, events.label, 2 * events.weight)
    one, two = (score_dependence(each, x, [(0.8, 1.0)]) for each in (events, double))
    np.testing.assert_allclose(one.background_efficiency, two.background_efficiency)
    np.testing.assert_allclose(one.lower, two.lower)
    weight = np.where(x > 1, 3.0, 1.0)
    three = score_dependence(make_events(events.score, events.label, weight), x, [(0.8, 1.0)])
    own = events.label == 0
    inside = own & (x >= three.edges[5]) & (x < three.edges[6])
    wanted = np.average(events.score[inside] >= 1.0, weights=weight[inside])
    assert three.background_efficiency[0, 5] == pytest.approx(wanted)
    assert three.before[-1] > 1.5 * one.before[-1]


def test_a_cut_that_nothing_passes_has_no_distance():
    events, x = sample(0.0, 2000)
    found = score_dependence(events, x, [(0.1, 99.0)])
    assert np.isnan(found.distance).all()
    assert np.isnan(found.distance_by_chance).all()
    assert (found.background_efficiency == 0).all()
    with pytest.raises(DataError, match="not finite"):
        score_dependence(events, np.where(x > 1, np.nan, x), [(0.5, 1.0)])
