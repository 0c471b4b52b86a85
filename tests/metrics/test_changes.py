"""Changes between two scores of the same candidates: exact values, and intervals that cover."""

import math

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.metrics import clopper_pearson, score_changes

POINTS = [(0.8, 0.5)]


def scores(rng, n, moved):
    """Nominal and varied scores of n signal and n background candidates; `moved` is the width of the change."""
    label = np.repeat([1.0, 0.0], n)
    nominal = rng.normal(np.where(label == 1, 1.3, -1.0), 1.0) + 0.5
    return nominal, nominal + rng.normal(0.0, moved, 2 * n), label


def test_values_and_counts_are_those_counted_by_hand():
    rng = np.random.default_rng(0)
    nominal, varied, label = scores(rng, 500, 0.3)
    weight = rng.choice([0.5, 2.0], 1000)
    found = score_changes(nominal, varied, label, weight, points=POINTS, n=20)
    for code, one in ((1, found.signal[0]), (0, found.background[0])):
        own = label == code
        e = [np.average(score[own] >= 0.5, weights=weight[own]) for score in (nominal, varied)]
        assert (one.nominal, one.varied) == pytest.approx(e)
        assert one.change == pytest.approx(e[1] - e[0] if code else e[0] / e[1] - 1)
        assert one.moved_in == np.sum(own & (nominal < 0.5) & (varied >= 0.5))
        assert one.moved_out == np.sum(own & (nominal >= 0.5) & (varied < 0.5))
        assert one.lower < one.change < one.upper
    assert (found.n_signal, found.n_background, found.lost, found.gained) == (500, 500, (0, 0), (0, 0))


def test_the_error_is_that_of_pairs():
    """McNemar: var(change) = (in + out - (in - out)^2 / n) / n^2, far less than that of two samples."""
    nominal, varied, label = scores(np.random.default_rng(1), 4000, 0.1)
    one = score_changes(nominal, varied, label, points=POINTS, n=2000).signal[0]
    n, both = 4000, one.moved_in + one.moved_out
    expected = math.sqrt(both - (one.moved_in - one.moved_out) ** 2 / n) / n
    assert (one.upper - one.lower) / 2 == pytest.approx(expected, rel=0.1)
    assert expected < 0.5 * math.sqrt(2 * 0.16 / n)


def test_intervals_cover_the_true_change():
    rng = np.random.default_rng(2)
    true = score_changes(*scores(rng, 400_000, 0.5), points=POINTS, n=1)
    covered = np.zeros(2)
    for _ in range(200):
        found = score_changes(*scores(rng, 400, 0.5), points=POINTS, n=200)
        pairs = ((found.signal[0], true.signal[0]), (found.background[0], true.background[0]))
        covered += [one.lower <= wanted.change <= one.upper for one, wanted in pairs]
    assert (np.abs(covered / 200 - 0.683) < 4 * math.sqrt(0.683 * 0.317 / 200)).all(), covered


@pytest.mark.parametrize("expected", [0.5, 2.0, 5.0])
def test_intervals_cover_where_a_few_of_all_pairs_cross(expected):
    """So few crossings are a binomial number: an interval of 68 % covers at least as often."""
    rng = np.random.default_rng(7)
    n, label = 300, np.repeat([1.0, 0.0], 300)
    nominal = np.where(label == 1, 0.9, np.where(np.arange(600) % 6 == 0, 0.9, 0.1))
    covered = 0
    for _ in range(150):
        varied = np.where((label == 1) & (rng.random(600) < expected / n), 0.1, nominal)
        one = score_changes(nominal, varied, label, points=POINTS, n=100).signal[0]
        covered += one.lower - 1e-12 <= -expected / n <= one.upper + 1e-12
    assert covered / 150 > 0.683 - 2 * math.sqrt(0.683 * 0.317 / 150)


def test_lost_and_gained_candidates_count_on_their_own_side():
    nominal = np.array([0.9, 0.9, 0.1, np.nan, 0.9, 0.1])
    varied = np.array([0.9, np.nan, 0.1, 0.9, 0.9, 0.1])
    found = score_changes(nominal, varied, [1, 1, 1, 1, 0, 0], points=POINTS, n=20)
    assert (found.lost, found.gained, found.n_signal) == ((1, 0), (1, 0), 3)
    assert found.signal[0].nominal == pytest.approx(2 / 3)
    assert found.signal[0].varied == pytest.approx(2 / 3)
    assert (found.signal[0].moved_in, found.signal[0].moved_out) == (0, 0)


def test_no_crossing_leaves_the_limit_of_none_of_all():
    nominal, _, label = scores(np.random.default_rng(3), 300, 0.0)
    found = score_changes(nominal, nominal, label, points=POINTS, n=50)
    highest = float(clopper_pearson(0, 300)[1])
    assert (found.signal[0].lower, found.signal[0].upper) == pytest.approx((-highest, highest))
    assert found.background[0].upper == pytest.approx(highest / found.background[0].nominal)
    assert found.auc_change == found.auc_error == 0


def test_a_background_that_vanishes_has_a_lower_bound_only():
    nominal, _, label = scores(np.random.default_rng(4), 300, 0.0)
    varied = np.where(label == 0, -9.0, nominal)
    one = score_changes(nominal, varied, label, points=POINTS, n=50).background[0]
    assert one.change == one.upper == math.inf
    assert one.lower == pytest.approx(one.nominal / float(clopper_pearson(0, 300)[1]) - 1)


def test_other_events_have_the_errors_of_both():
    rng = np.random.default_rng(5)
    first, _, label = scores(rng, 4000, 0.0)
    second, _, other = scores(rng, 100, 0.0)
    gap = np.full(8000, np.nan), np.full(200, np.nan)
    nominal, varied = np.concatenate([first, gap[1]]), np.concatenate([gap[0], second])
    found = score_changes(nominal, varied, np.concatenate([label, other]), points=POINTS, paired=False)
    one = found.signal[0]
    wanted = math.sqrt(one.nominal * (1 - one.nominal) / 4000 + one.varied * (1 - one.varied) / 100)
    assert wanted < (one.upper - one.lower) / 2 < 1.3 * wanted
    assert (one.moved_in, found.lost) == (None, None)
    assert found.background[0].lower < found.background[0].change < found.background[0].upper
    with pytest.raises(DataError, match="no background"):
        score_changes(nominal[:4000], nominal[:4000], np.ones(4000), points=POINTS)
