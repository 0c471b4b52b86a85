"""Towers made different: what each effect does, and that nothing but the event decides its random numbers."""

from dataclasses import replace

import numpy as np
import pytest

import hepml
from hepml.errors import GranularityError, SchemaError
from hepml.evaluation.effects import apply_effect, cell_of
from hepml.evaluation.variations import parse_variations
from hepml.geometry import ECAL, PAPER
from hepml.trees import Events, Towers

RANDOM = [("resolution", 0.1), ("noise", 0.05), ("dead", 0.1), ("pileup", 0.0)]


@pytest.fixture(scope="module")
def events(sample) -> Events:
    return hepml.open_events(sample["electrons"], entry_stop=60)


@pytest.fixture(scope="module")
def overlay(sample) -> Events:
    return hepml.open_events(sample["jets"], entry_stop=9)


def energies(events: Events) -> tuple[np.ndarray, ...]:
    return tuple(column for one in (events.ecal, events.hcal) for column in (one.offsets, one.e, one.et, one.eta))


def event_of(towers: Towers) -> np.ndarray:
    return np.repeat(np.arange(len(towers.offsets) - 1), np.diff(towers.offsets))


def test_a_scale_multiplies_the_energies_of_its_calorimeter(events):
    louder = apply_effect(events, "scale", 1.25, calorimeters=("hcal",))
    assert louder.ecal is events.ecal
    np.testing.assert_array_equal(louder.hcal.e, events.hcal.e * 1.25)
    np.testing.assert_array_equal(louder.hcal.et, events.hcal.et * 1.25)
    assert louder.objects is events.objects


@pytest.mark.parametrize(("name", "value"), RANDOM)
def test_chunks_and_order_do_not_matter_and_the_seed_does(sample, events, overlay, name, value):
    def make(some: Events, seed: int = 0) -> Events:
        return apply_effect(some, name, value, overlay=overlay, seed=seed)

    whole = make(events)
    parts = [hepml.open_events(sample["electrons"], entry_start=a, entry_stop=b) for a, b in ((0, 17), (17, 60))]
    for place, one in enumerate(energies(whole)):
        if place % 4:
            np.testing.assert_array_equal(one, np.concatenate([energies(make(part))[place] for part in parts]))
    backwards = np.arange(60)[::-1]
    for one, other in zip(energies(make(events.take(backwards)).take(backwards)), energies(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(make(events, seed=1).ecal.e, whole.ecal.e)


def test_resolution_smears_every_tower_by_itself(events):
    smeared = apply_effect(events, "resolution", 0.1)
    for name in ("ecal", "hcal"):
        before, after = getattr(events, name), getattr(smeared, name)
        pull = (after.e / before.e - 1) / 0.1
        n = len(pull)
        assert n > (500 if name == "ecal" else 20)
        assert abs(pull.mean()) < 5 / np.sqrt(n)
        assert abs(pull.std() - 1) < 5 / np.sqrt(2 * n)
        np.testing.assert_allclose(after.et / before.et, after.e / before.e, rtol=1e-12)
    further = apply_effect(events, "resolution", 0.2)  # the same numbers, twice as far
    np.testing.assert_allclose(further.ecal.e - events.ecal.e, 2 * (smeared.ecal.e - events.ecal.e), atol=1e-9)
    assert apply_effect(events, "resolution", 10.0).ecal.e.min() == 0


def test_noise_reaches_every_pixel_once(events):
    candidates = hepml.select_candidates(events)
    noisy = apply_effect(events, "noise", 0.05)
    cells = hepml.select_candidates(noisy).cells
    before = hepml.make_images(candidates)
    after = hepml.make_images(replace(candidates, events=noisy, cells=cells))
    for token, sides in (("ee", 31 * 31), ("he", 64)):
        added = (after.sparse[token].dense() - before.sparse[token].dense()).ravel() / 0.05
        assert len(added) == len(candidates) * sides
        assert np.count_nonzero(added) > 0.999 * len(added)
        assert abs(added.mean()) < 5 / np.sqrt(len(added))
        assert abs(added.std() - 1) < 5 / np.sqrt(2 * len(added))
    extra = noisy.ecal.take(np.array([0]))
    cell = cell_of(extra, ECAL)[np.diff(events.ecal.offsets)[0] :]
    assert len(np.unique(cell)) == len(cell)
    np.testing.assert_allclose(extra.e, extra.et * np.cosh(extra.eta), rtol=0.02)


def test_dead_cells_are_the_same_in_all_events_and_grow_with_the_fraction(events):
    cell = cell_of(events.ecal, ECAL)  # -1: a tower outside of the grid has no cell to die
    lost = {}
    for fraction in (0.0, 0.1, 0.3, 1.0):
        left = apply_effect(events, "dead", fraction, calorimeters=("ecal",)).ecal
        kept = np.isin(cell, cell_of(left, ECAL))
        assert len(left) == kept.sum()  # a cell is there in all events or in none
        lost[fraction] = set(cell[~kept])
    assert not lost[0.0]
    assert lost[0.1] < lost[0.3] < lost[1.0] == set(cell) - {-1}
    n = len(lost[1.0])
    assert abs(len(lost[0.3]) / n - 0.3) < 5 * np.sqrt(0.21 / n)


def test_a_threshold_cuts_cells_and_not_towers(events):
    outside = cell_of(events.ecal, ECAL) < 0
    assert outside.any()
    kept = apply_effect(events, "threshold", 0.5).ecal
    np.testing.assert_array_equal(kept.e, events.ecal.e[(events.ecal.e >= 0.5) | outside])
    twice = replace(events, ecal=events.ecal.take(np.repeat(np.arange(60), 2)))
    doubled = replace(twice, ecal=replace(twice.ecal, offsets=twice.ecal.offsets[::2]))  # each tower two times
    found = apply_effect(doubled, "threshold", 0.5).ecal
    wanted = np.repeat(events.ecal.e[(events.ecal.e >= 0.25) | outside], 2)
    np.testing.assert_array_equal(np.sort(found.e), np.sort(wanted))


@pytest.mark.parametrize(("axes", "step"), [(("eta",), (0, 1)), (("phi",), (-1, 0)), (("eta", "phi"), (-1, 1))])
def test_a_shift_by_one_cell_moves_the_image_by_one_pixel(events, axes, step):
    candidates = hepml.select_candidates(events)
    moved = apply_effect(events, "shift", 1.0, axes=axes)
    kept = replace(candidates, events=moved, cells=hepml.select_candidates(moved).cells)
    before, after = (hepml.make_images(one).sparse["et"].dense() for one in (candidates, kept))
    inner = slice(2, -2)
    np.testing.assert_array_equal(after[:, inner, inner], np.roll(before, step, axis=(1, 2))[:, inner, inner])
    assert not np.array_equal(after, before)


def test_a_shift_keeps_the_energy_and_goes_round_in_phi(events):
    for some in (events, replace(events, ecal=replace(events.ecal, edges=None))):
        moved = apply_effect(some, "shift", 5.0, axes=("phi",))
        assert np.abs(moved.ecal.phi).max() <= np.pi
        n_phi = PAPER.ecal.n_phi
        before, after = cell_of(events.ecal, ECAL), cell_of(moved.ecal, ECAL)
        before, after = before[before >= 0], after[before >= 0]
        np.testing.assert_array_equal(after // n_phi, before // n_phi)
        np.testing.assert_array_equal(after % n_phi, (before % n_phi + 5) % n_phi)
    half = apply_effect(events, "shift", 0.5, calorimeters=("ecal",), axes=("eta",))
    cells = hepml.select_candidates(half).cells[0]
    assert cells[2].sum() == pytest.approx(events.ecal.e.sum(), rel=2e-3)  # but for the grid's last cells
    assert len(cells[2]) > 1.9 * len(events.ecal)


def test_pileup_adds_the_towers_of_one_event(events, overlay):
    piled = apply_effect(events, "pileup", 0.0, overlay=overlay)
    sums = [np.bincount(event_of(one.ecal), one.ecal.e, len(one)) for one in (events, piled, overlay)]
    added = sums[1] - sums[0]
    chosen = np.argmin(np.abs(added[:, None] - sums[2]), axis=1)
    np.testing.assert_allclose(added, sums[2][chosen], rtol=1e-9)
    assert len(set(chosen)) > 4
    other = replace(overlay, geometry=replace(PAPER, search=7))
    with pytest.raises(GranularityError, match="other grids"):
        apply_effect(events, "pileup", 0.0, overlay=other)
    with pytest.raises(GranularityError, match="no events"):
        apply_effect(events, "pileup", 0.0)


def test_variations_are_read_from_text():
    found = parse_variations(["scale=1.01,shift.hcal.eta=-2", "noise=0.1+threshold.ecal=0.2", "pileup=/a,b/c+d.root"])
    assert [one.text for one in found][:3] == ["scale=1.01", "shift.hcal.eta=-2", "noise=0.1+threshold.ecal=0.2"]
    assert found[1].effects[0].calorimeters == ("hcal",)
    assert found[1].effects[0].axes == ("eta",)
    assert found[3].effects[0].path == "/a,b/c+d.root"
    assert found[3].name == "pileup=c+d.root"
    order = parse_variations("threshold=0.1+scale=2+noise=1")[0].effects
    assert [effect.name for effect in order] == ["scale", "noise", "threshold"]
    both = parse_variations("pileup.signal=/x/s.root+pileup.background=/x/b.root")[0]
    assert both.samples == {1: "/x/s.root", 0: "/x/b.root"}
    assert both.name == "pileup.signal=s.root+pileup.background=b.root"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scael=1.01", "'scale'"),
        ("scale", "NAME=VALUE"),
        ("scale=big", "a factor"),
        ("scale=nan", "a factor"),
        ("dead=1.5", "from 0 to 1"),
        ("noise=-1", "a width in GeV from 0 to 100"),
        ("noise=1000", "a width in GeV from 0 to 100"),
        ("threshold=-5", "an energy in GeV from 0 to 100"),
        ("threshold=inf", "an energy in GeV from 0 to 100"),
        ("scale=0", "a factor from 0.1 to 10"),
        ("scale=-1", "a factor from 0.1 to 10"),
        ("scale=100", "a factor from 0.1 to 10"),
        ("resolution=-0.1", "a relative width from 0 to 10"),
        ("dead=-0.1", "a fraction from 0 to 1"),
        ("shift=9", "a number of ECal cells from -8 to 8"),
        ("pileup=a.yaml+scale=2", "nothing joined"),
        ("scale.eta=1.1", "scale.ecal"),
        ("shift.ecal.ecal=1", "no part 'ecal'"),
        ("pileup=", "FILE.root"),
        ("pileup.signal=a.root", "both files"),
        ("pileup.signal=a.root+pileup.background=b.root+scale=2", "nothing joined"),
        ("scale=1.01,scale=1.01", "twice"),
        ("noise=0.1+noise=0.1", "noise twice"),
        ("resolution.ecal=0.1+resolution=0.1", "resolution twice"),
        ("shift.eta=0.1+shift=0.1", "shift twice"),
        ("", "no variation"),
    ],
)
def test_a_variation_that_makes_no_sense_is_refused(text, words):
    with pytest.raises(SchemaError, match=words):
        parse_variations(text)


def test_a_size_that_makes_no_sense_is_refused_in_python_too(events):
    for name, size in (("threshold", -5.0), ("scale", 0.0), ("dead", float("nan"))):
        with pytest.raises(SchemaError, match=f"the size of {name} cannot be"):
            apply_effect(events, name, size)


def test_an_effect_may_act_on_each_calorimeter_and_axis_once():
    found = parse_variations("scale = 1.01, noise.ecal=0.1+noise.hcal=0.2,shift.eta=0.1+shift.phi=0.2")
    assert [len(one.effects) for one in found] == [1, 2, 2]
