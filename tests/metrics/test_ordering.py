"""The average decision ordering against a loop over all pairs, and its error against simulated experiments."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hepml
from hepml import _core
from hepml.errors import DataError
from hepml.metrics import DisorderedPairs


def pairwise(f, g, label, weight, h=None):
    """The definition, pair by pair: value, number of pairs, their weight over that of all."""
    ordered = weights = everything = count = 0.0
    for i in np.flatnonzero(label == 1):
        for j in np.flatnonzero(label == 0):
            w = weight[i] * weight[j]
            everything += w
            if h is not None and not (g[i] - g[j]) * (h[i] - h[j]) < 0:
                continue
            product = (f[i] - f[j]) * (g[i] - g[j])
            ordered += w * (1.0 if product > 0 else 0.5 if product == 0 else 0.0)
            weights, count = weights + w, count + 1
    return ordered / weights if count else None, count, weights / everything


@st.composite
def samples(draw):
    """Events with many ties; both classes; three functions."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, levels = draw(st.integers(2, 40)), draw(st.integers(1, 30))
    label = rng.permutation(np.r_[0, 1, rng.integers(0, 2, n - 2)])
    weight = rng.exponential(size=n) if draw(st.booleans()) else np.full(n, 1.0)
    return (*rng.integers(0, levels, (3, n)).astype(float), label, weight)


@given(samples())
def test_all_pairs_are_those_of_a_loop(sample):
    f, g, _, label, weight = sample
    value, count, _ = pairwise(f, g, label, weight)
    found = hepml.average_decision_ordering(f, g, label, weight)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.pairs, found.total, found.fraction) == (count, count, pytest.approx(1))
    assert float(found) == found.folded == max(found.value, 1 - found.value)
    assert float(hepml.average_decision_ordering(f, g, label, weight, fold=False)) == found.value


@given(samples())
def test_pairs_of_a_subset_are_those_of_a_loop(sample):
    f, g, h, label, weight = sample
    value, count, fraction = pairwise(f, g, label, weight, h)
    some = DisorderedPairs(g, h, label, weight)
    assert some.pairs == count
    assert some.fraction == pytest.approx(fraction, abs=1e-12)
    if not count:
        with pytest.raises(DataError, match="no pair is ordered otherwise"):
            hepml.average_decision_ordering(f, g, label, weight, against=h)
        with pytest.raises(DataError, match="no pair is ordered otherwise"):
            some.order(f)
        return
    found = hepml.average_decision_ordering(f, g, label, weight, against=h)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert some.order(f) == pytest.approx(value, abs=1e-12)
    assert some.measure(f) == found
    assert found.pairs == count
    assert found.fraction == pytest.approx(fraction, abs=1e-12)


@given(samples())
def test_a_sample_of_all_pairs_is_all_pairs(sample):
    f, g, h, label, weight = sample
    for against in (None, h):
        value, count, _ = pairwise(f, g, label, weight, against)
        if not count:
            continue
        # one less than all, so that they are drawn; of a subset there may be fewer than are asked for
        n = int(np.sum(label == 1)) * int(np.sum(label == 0)) - 1
        if n < 1 or (against is None and n < 2):
            continue
        found = hepml.average_decision_ordering(f, g, label, weight, n, against=against)
        if found.pairs == count:
            assert found.value == pytest.approx(value, abs=1e-12)
        else:
            assert found.pairs == n


def test_pairs_are_drawn_once_each():
    drawn = [i * 91 + j for i, j in hepml.metrics.ordering._random_pairs(73, 91, 5)]
    assert np.array_equal(np.sort(np.concatenate(drawn)), np.arange(73 * 91))
    first = np.concatenate(drawn)[:2000]
    assert not np.array_equal(first, np.sort(first))
    # as even as random places are: chi2 of 73 rows
    counts = np.bincount(first // 91, minlength=73)
    assert 35 < np.sum((counts - 2000 / 73) ** 2 / (2000 / 73)) < 130


def test_what_is_known_beforehand():
    rng = np.random.default_rng(1)
    f, label = rng.normal(size=300), np.arange(300) % 2
    one = hepml.average_decision_ordering
    assert one(f, f, label).value == 1
    assert one(f, -f, label).value == 0
    assert float(one(f, -f, label)) == 1
    assert one(np.exp(f), f**3, label).value == 1  # only the order counts
    constant = one(np.zeros(300), f, label)
    assert (constant.value, constant.error) == (0.5, 0)
    # against itself nothing is ordered otherwise; against its opposite everything is
    assert DisorderedPairs(f, f, label).pairs == 0
    assert one(f, f, label, against=-f).value == 1
    assert one(-f, f, label, against=-f).value == 0
    assert one(f, f, label, against=-f).fraction == 1


def test_a_hidden_part_is_found_where_the_networks_differ():
    """g = h + hidden: on the pairs that h orders otherwise the hidden part decides."""
    rng = np.random.default_rng(2)
    label = np.arange(4000) % 2
    hidden, h = rng.normal(size=4000), rng.normal(size=4000) + label
    g = h + 0.5 * hidden
    pairs = DisorderedPairs(g, h, label)
    assert pairs.order(hidden) == 1.0  # sign(g) there is the sign of the hidden difference
    assert pairs.order(h) == 0.0
    noise = pairs.measure(rng.normal(size=4000))
    assert abs(noise.value - 0.5) < 4 * noise.error < 0.1


def test_error_of_random_scores_is_that_of_shared_events():
    """sigma = sqrt(1/nS + 1/nB)/6, and folding lifts the mean by sqrt(2/pi) sigma."""
    rng = np.random.default_rng(3)
    label = np.repeat([1, 0], [60, 90])
    found = [hepml.average_decision_ordering(*rng.normal(size=(2, 150)), label) for _ in range(3000)]
    values, errors, folded = np.array([(one.value, one.error, one.folded) for one in found]).T
    sigma = math.sqrt(1 / 60 + 1 / 90) / 6
    assert values.mean() == pytest.approx(0.5, abs=4 * sigma / math.sqrt(3000))
    # a finite sample adds the product term 1/(4 nS nB) (1 - 2/9 ...), 1.6 % of sigma
    assert values.std() == pytest.approx(sigma, rel=0.06)
    assert errors.mean() == pytest.approx(sigma, rel=0.06)
    assert folded.mean() - 0.5 == pytest.approx(math.sqrt(2 / math.pi) * sigma, rel=0.1)
    assert sigma > 6 * math.sqrt(1 / (4 * 60 * 90)) / 2  # not that of independent pairs


@pytest.mark.parametrize("subset", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_pairs", [None, 900])
def test_error_describes_the_scatter_of_experiments(subset, weighted, n_pairs):
    rng = np.random.default_rng(4)
    label = np.repeat([1, 0], [120, 150])
    values, errors = [], []
    for _ in range(300):
        f, h = rng.normal(size=(2, 270)) + 0.7 * label
        g = h + 0.8 * f + rng.normal(size=270)
        weight = rng.choice([1.0, 3.0], 270) if weighted else None
        found = hepml.average_decision_ordering(
            f, g, label, weight, n_pairs, against=h if subset else None, seed=len(values)
        )
        values.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_bootstrap_agrees_with_the_computed_error():
    rng = np.random.default_rng(5)
    label = np.arange(600) % 2
    f = rng.normal(size=600) + label
    g = f + rng.normal(size=600)
    h = g + rng.normal(size=600)
    for against in (None, h):
        computed = hepml.average_decision_ordering(f, g, label, against=against)
        drawn = hepml.average_decision_ordering(f, g, label, against=against, bootstrap=300, seed=1)
        assert drawn.value == computed.value
        assert drawn.error == pytest.approx(computed.error, rel=0.15)
        assert drawn == hepml.average_decision_ordering(f, g, label, against=against, bootstrap=300, seed=1)


def test_events_of_a_group_count_once():
    rng = np.random.default_rng(6)
    f, g = rng.normal(size=(2, 200))
    label = np.arange(200) % 2
    once = hepml.average_decision_ordering(f, g, label)
    four = hepml.average_decision_ordering(*(np.tile(x, 4) for x in (f, g, label)), group=np.tile(np.arange(200), 4))
    assert four.value == pytest.approx(once.value, abs=1e-12)
    assert four.error == pytest.approx(once.error, rel=0.01)


def test_sampled_pairs_are_reproducible_and_near():
    rng = np.random.default_rng(7)
    label = np.arange(2000) % 2
    f = rng.normal(size=2000) + label
    g, h = f + rng.normal(size=(2, 2000))
    for against in (None, h):
        exact = hepml.average_decision_ordering(f, g, label, against=against)
        some = [hepml.average_decision_ordering(f, g, label, None, 20_000, against=against, seed=s) for s in (1, 1, 2)]
        assert some[0] == some[1] != some[2]
        assert some[0].pairs == 20_000
        assert some[0].fraction == pytest.approx(exact.fraction, abs=0.01)
        assert abs(some[0].value - exact.value) < 5 * math.sqrt(0.25 / 20_000)
        assert some[0].error >= 0.95 * exact.error


def test_negative_weights_subtract():
    rng = np.random.default_rng(8)
    label, f, g, h = np.arange(60) % 2, *rng.normal(size=(3, 60))
    weight = np.where(np.arange(60) % 7 == 3, -0.5, 1.0)
    for against in (None, h):
        value, _, fraction = pairwise(f, g, label, weight, against)
        found = hepml.average_decision_ordering(f, g, label, weight, against=against)
        assert found.value == pytest.approx(value, abs=1e-12)
        assert found.fraction == pytest.approx(fraction, abs=1e-12)


@pytest.mark.parametrize("name", ["f", "g", "against", "weight", "label"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_name(name, value):
    arrays = {key: np.arange(6.0) for key in ("f", "g", "against", "weight")} | {"label": np.arange(6.0) % 2}
    arrays["weight"] += 1
    arrays[name][2] = value
    with pytest.raises(DataError, match=f"'{name}' holds values that are not finite"):
        hepml.average_decision_ordering(**arrays)


def test_what_cannot_be_ordered_is_refused():
    one, x = hepml.average_decision_ordering, np.arange(4.0)
    with pytest.raises(DataError, match="no background"):
        one(x, x, np.ones(4))
    with pytest.raises(DataError, match="no signal"):
        one(x, x, np.zeros(4))
    with pytest.raises(DataError, match="'g'"):
        one(x, x[:3], [0, 1, 0, 1])
    with pytest.raises(DataError, match="label"):
        one(x, x, [0, 1, 0])
    with pytest.raises(DataError, match="n_pairs"):
        one(x, x, [0, 1, 0, 1], n_pairs=0)
    with pytest.raises(DataError, match="bootstrap"):
        one(x, x, [0, 1, 0, 1], bootstrap=-1)
    with pytest.raises(DataError):
        one([], [], [])


def test_every_instruction_set_counts_the_same_bits(monkeypatch):
    rng = np.random.default_rng(9)
    label, f, g, h = np.arange(999) % 2, *np.round(rng.normal(size=(3, 999)), 1)
    counted = []
    for name in ("generic", "avx2", "avx512"):
        monkeypatch.setenv("HEPML_CPU", name)
        try:
            counted.append(DisorderedPairs(g, h, label).order(f))
        except hepml.HepmlError:  # a set that this processor lacks
            continue
    assert len(set(counted)) == 1


def test_an_order_that_is_none_is_refused():
    x = np.arange(4.0)
    some = _core.Disagreements(x, -x, np.array([0, 1, 0, 1], np.uint8))
    for order in ([0, 1, 2, 7], [-1, 0, 1, 2], [1, 0, 2, 3]):
        with pytest.raises(ValueError, match="order"):
            some.agreement(x, np.array(order))


def test_the_fraction_of_drawn_pairs_has_their_weights():
    rng = np.random.default_rng(8)
    g, h, f = rng.normal(size=(3, 400))
    label, weight = np.arange(400) % 2, np.where(np.abs(h - g) > 1.5, 20, 0.1)
    right = hepml.average_decision_ordering(f, g, label, weight, against=h)
    drawn = hepml.average_decision_ordering(f, g, label, weight, 18_000, against=h)
    assert right.fraction > 0.58
    assert drawn.fraction == pytest.approx(right.fraction, abs=0.02)


def test_few_pairs_have_an_error_or_say_that_it_is_not_known():
    """Replicas of a bootstrap without a pair are left out; a single pair tells nothing of its scatter."""
    g = np.arange(60.0)
    h, f, label = g.copy(), g**2, np.arange(60) % 2
    h[[20, 21]] = h[[21, 20]]
    one = hepml.average_decision_ordering(f, g, label, against=h)
    assert (one.pairs, one.value) == (1, 1.0)
    assert math.isnan(one.error)
    assert hepml.average_decision_ordering(f, g, label, against=h, bootstrap=50).error == 0
    assert math.isnan(hepml.average_decision_ordering(f, g, label, group=np.zeros(60, int)).error)


@pytest.mark.parametrize("given", [{"seed": -1}, {"seed": "a"}, {"f": ["a", "b"]}, {"f": [1j, 2]}])
def test_what_is_no_number_is_refused(given):
    arguments = {"f": [1, 2], "g": [1, 2], "label": [0, 1], **given}
    with pytest.raises(DataError):
        hepml.average_decision_ordering(**arguments)
