import numpy as np
import pytest

from hepml.metrics import (
    bootstrap,
    clopper_pearson,
    compare_scores,
    make_events,
    rejection_at,
    rejection_by_class,
    resample_background,
    resample_pair,
    roc_band,
    roc_curve,
    working_points,
)

TARGETS = np.array([0.9, 0.5, 0.8])  # in no order on purpose


def naive_bootstrap(events, targets, n, seed):
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(events.label == k) for k in (0, 1)]
    drawn = []
    for _ in range(n):
        chosen = np.concatenate([rng.choice(rows, len(rows)) for rows in classes])
        resampled = make_events(events.score[chosen], events.label[chosen], events.weight[chosen])
        drawn.append(1 / rejection_at(resampled, targets)[1])
    return np.array(drawn)


@pytest.mark.parametrize("weighted", [False, True])
def test_fast_replicas_are_distributed_as_naive_ones(toys, weighted):
    rng = np.random.default_rng(1)
    weight = rng.choice([0.5, 2.0], 700) if weighted else None
    events = toys.gaussian(300, 400, 2, weight=weight)
    slow = naive_bootstrap(events, TARGETS, 1500, 3)
    fast = resample_background(events, TARGETS, 1500, 4).background_efficiency
    np.testing.assert_allclose(fast.mean(axis=0), slow.mean(axis=0), atol=0.15 * slow.std(axis=0).max())
    np.testing.assert_allclose(fast.std(axis=0), slow.std(axis=0), rtol=0.1)
    np.testing.assert_allclose(np.corrcoef(fast.T), np.corrcoef(slow.T), atol=0.1)


def test_order_statistics_and_counting_agree(toys):
    events = toys.gaussian(500, 500, 5)
    alone = make_events(events.score, events.label, group=np.arange(1000))
    relatives = make_events(events.score, events.label, group=np.r_[np.arange(999), 998])  # one pair: generic path
    drawn = [resample_background(e, TARGETS, 2000, 6).background_efficiency for e in (alone, relatives)]
    np.testing.assert_allclose(drawn[0].mean(axis=0), drawn[1].mean(axis=0), rtol=0.03)
    np.testing.assert_allclose(drawn[0].std(axis=0), drawn[1].std(axis=0), rtol=0.1)


def test_many_replicas_are_drawn_a_part_after_the_other(toys, monkeypatch):
    events = toys.gaussian(500, 500, 5)
    few, whole = (resample_background(events, TARGETS, n, 6) for n in (100, 3000))
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 100)
    parts = resample_background(events, TARGETS, 2950, 6)
    np.testing.assert_array_equal(parts.background_efficiency[:100], few.background_efficiency)
    assert not np.array_equal(parts.passing[:100], parts.passing[100:200])
    for one, other in zip(parts.background_efficiency.T, whole.background_efficiency.T, strict=True):
        assert abs(one.mean() - other.mean()) < 4 * other.std() * np.sqrt(2 / 2950)
        assert one.std() == pytest.approx(other.std(), rel=0.1)


def coverage(toys, size, targets, repeat, rng):
    inside = {"bootstrap": [], "fixed cut": []}
    for toy in range(repeat):
        events = toys.gaussian(size, size, rng)
        for point in working_points(events, targets, n=300, seed=toy):
            truth = toys.rejection(point.signal_efficiency)
            low, high = clopper_pearson(point.n_background, size)
            inside["bootstrap"].append(point.lower <= truth <= point.upper)
            inside["fixed cut"].append(low <= 1 / truth <= high)
    return {key: float(np.mean(values)) for key, values in inside.items()}


def test_intervals_cover_68_percent_and_clopper_pearson_at_a_fitted_cut_does_not(toys):
    found = coverage(toys, 2000, (0.8, 0.9), 500, np.random.default_rng(7))
    assert found["bootstrap"] == pytest.approx(0.683, abs=0.04)
    assert found["fixed cut"] < 0.58


def test_few_background_events_give_a_limit_with_its_coverage(toys):
    rng, truth, held = np.random.default_rng(8), toys.rejection(0.5, 3.0), []
    for toy in range(300):
        point = working_points(toys.gaussian(400, 2000, rng, 3.0), (0.5,), n=300, seed=toy)[0]
        assert point.limit == (point.n_background < 10)
        if point.limit:
            assert point.upper == np.inf
            assert point.rejection == point.lower
            held.append(point.lower <= truth)
    assert len(held) > 250
    assert np.mean(held) >= 0.93


def test_limit_at_a_fixed_threshold_is_clopper_pearsons():
    # all signal at one score: the threshold cannot move
    events = make_events(np.r_[np.ones(50), np.zeros(500), 1, 1, 1], np.r_[np.ones(50), np.zeros(503)])
    point = working_points(events, (0.5,), n=20_000)[0]
    assert point.n_background == 3
    assert 1 / point.lower == pytest.approx(clopper_pearson(3, 503, 0.9)[1], rel=0.03)


def test_weights_report_effective_numbers_and_limits(toys):
    events = toys.gaussian(300, 400, 9, weight=np.random.default_rng(1).exponential(1, 700))
    point = working_points(events, (0.9,), n=200)[0]
    assert 0 < point.n_effective < point.n_background
    assert point.lower < point.rejection < point.upper
    few = make_events([5, 4, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 2, 1, 2, 1, 1])
    assert working_points(few, (0.5,), n=200)[0].lower == pytest.approx(5 / (5 * -np.log(0.05) * 1.4 / 5), rel=0.3)


def test_signed_weights_work_and_widen_the_interval(toys):
    events = toys.gaussian(3000, 3000, 10)
    sign = np.where(np.random.default_rng(2).random(6000) < 0.2, -1.0, 1.0)
    plain = working_points(events, (0.8,), n=300)[0]
    signed = working_points(make_events(events.score, events.label, sign), (0.8,), n=300)[0]
    assert signed.upper - signed.lower > 1.2 * (plain.upper - plain.lower)
    assert signed.lower < toys.rejection(0.8) * 1.1
    assert signed.upper > toys.rejection(0.8) * 0.9


def test_rejection_of_truth_classes_uses_common_thresholds_and_adds_up(toys):
    events = toys.gaussian(1000, 3000, 11)
    truth = np.r_[np.ones(1000, int), np.tile([2, 4, 4], 1000)]
    names = ("unknown", "prompt", "heavy_flavour", "conversion", "hadron")
    found = rejection_by_class(events, truth, names, (0.8,), n=100)
    assert [c.name for c in found] == ["heavy_flavour", "hadron"]
    assert [c.count for c in found] == [1000, 2000]
    total = working_points(events, (0.8,), n=100)[0]
    assert {c.points[0].threshold for c in found} == {total.threshold}
    assert sum(c.points[0].n_background for c in found) == total.n_background


def test_band_lies_around_the_curve_and_the_curve_on_the_full_one(toys):
    events = toys.gaussian(2000, 2000, 12)
    grid = np.linspace(0.3, 1.0, 15)
    curve, full = roc_band(events, grid, n=200), roc_curve(events.score, events.label)
    assert np.all((curve.lower <= curve.rejection) & (curve.rejection <= curve.upper))
    assert curve.auc == full.auc
    at = np.searchsorted(full.signal_efficiency, grid - 1e-12)
    np.testing.assert_allclose(curve.background_efficiency, full.background_efficiency[at])
    assert roc_band(events, grid, n=0).lower is None


def test_paired_ratio_is_tighter_than_independent_ones_and_covers(toys):
    rng, inside, widths = np.random.default_rng(13), [], []
    truth = toys.rejection(0.8, 2.0) / toys.rejection(0.8, 2.0 / np.sqrt(1.09))
    for toy in range(150):
        first = toys.gaussian(800, 800, rng)
        second = make_events(first.score + rng.normal(0, 0.3, 1600), first.label)
        found = compare_scores(first, second, ("a", "b"), (0.8,), n=200, seed=toy, grid=np.array([0.8]))
        ratio = found.rejections[0]
        inside.append(ratio.lower <= truth <= ratio.upper)
        widths.append((ratio.upper - ratio.lower) / ratio.ratio)
        assert found.curve.ratio[0] == ratio.ratio
    assert np.mean(inside) == pytest.approx(0.683, abs=0.11)
    independent = [
        resample_background(e, np.array([0.8]), 500, k).background_efficiency for k, e in enumerate((first, second))
    ]
    spread = np.quantile(independent[1] / independent[0], [0.16, 0.84])
    assert np.mean(widths) < 0.8 * (spread[1] - spread[0]) / np.median(independent[1] / independent[0])


def test_a_model_against_itself_has_no_difference(toys):
    events = toys.gaussian(200, 200, 14)
    first, second = resample_pair(events, events, TARGETS, 20)
    np.testing.assert_array_equal(first.background_efficiency, second.background_efficiency)
    found = compare_scores(events, events, ("a", "a"), n=20)
    assert found.auc_difference == 0
    assert all(r.ratio == r.lower == r.upper == 1 for r in found.rejections)


def test_same_seed_same_numbers(toys):
    events = toys.gaussian(100, 100, 15)
    assert working_points(events, seed=3) == working_points(events, seed=3)
    assert working_points(events, seed=3) != working_points(events, seed=4)
