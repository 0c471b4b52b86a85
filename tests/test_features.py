"""The seven variables, the masses and their variants against a slow reference and against analytic cases."""

import math
from dataclasses import replace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import at_cell, events_of

from hepml.candidates import select_candidates
from hepml.errors import DataError
from hepml.features import (
    FEATURE_NAMES,
    MASS_NAMES,
    hard_selection,
    high_level,
    isolation_cones,
    mass,
    masses,
    sigma_etaeta_log,
)
from hepml.geometry import ECAL, HCAL, PAPER
from hepml.images import IMAGE_NAMES, Images, SparseImages, make_images
from hepml.trees import open_events

MASSES = {"all": ("et", "ht"), "et": ("et",), "ee": ("ee",)}


def images_of(ecal, hcal=(), cell=(100, 100), convention=None):
    events = events_of([[at_cell(ECAL, *cell)]], [ecal], [list(hcal)])
    images = make_images(select_candidates(events))
    return replace(images, convention=convention)


def feature(name, images):
    return high_level(images)[0, FEATURE_NAMES.index(name)]


@pytest.mark.parametrize("convention", [None, "2011.01984"])
@pytest.mark.parametrize("name", ["eid_dev_jets", "eid_dev_electrons", "eid_pileup50_jets", "noselection_jets"])
def test_real_events_equal_the_slow_reference(shared, name, convention):
    events = open_events(shared / "electrons" / f"{name}.root", entry_stop=100)
    images = make_images(select_candidates(events, convention=convention))
    values = high_level(images)
    assert values.shape == (len(images), 7)
    assert values.dtype == np.float64
    dense = {key: images.sparse[key].dense() for key in IMAGE_NAMES}
    for k in range(len(images)):
        image = {key: dense[key][k] for key in IMAGE_NAMES}
        assert values[k].tolist() == reference.features(image, PAPER, convention)
        for kind, names in MASSES.items():
            expected = reference.mass(image, PAPER, names, tuple(images.hcal_offset[k]))
            assert mass(images.take(np.array([k])), kind)[0] == pytest.approx(expected, rel=1e-11, abs=1e-9)


def test_r_had_compares_the_sums_of_both_calorimeters():
    images = images_of([(100, 100, 8.0, 9.0), (110, 100, 2.0, 3.0)], [(25, 24, 2.5, 7.0)])
    assert feature("r_had", images) == 0.25


def test_windows_are_eta_by_phi():
    deposits = [(100, 100, 9.0, 8.0), (100, 103, 1.0, 4.0), (103, 100, 1.0, 4.0), (101, 102, 1.0, 1.0)]
    images = images_of(deposits)
    assert feature("r_phi", images) == 8.0 / 13.0  # 3x3 / 3x7
    assert feature("r_eta", images) == 13.0 / 17.0  # 3x7 / 7x7


@pytest.mark.parametrize(("convention", "width"), [(None, 0.025), ("2011.01984", math.pi / 126)])
def test_w_eta2_of_two_cells_is_half_their_distance(convention, width):
    images = images_of([(100, 100, 4.0, 4.0), (101, 100, 2.0, 4.0)], convention=convention)
    assert feature("w_eta2", images) == pytest.approx(0.5 * width, rel=1e-12)


def test_sigma_etaeta_weighs_with_the_logarithm():
    images = images_of([(100, 100, 9.0, math.e**3), (102, 101, 1.0, math.e), (98, 99, 1.0, 1.0)])
    assert feature("sigma_etaeta", images) == pytest.approx(math.sqrt(4.0 / 4.0), rel=1e-6)


@pytest.mark.parametrize("convention", [None, "2011.01984"])
def test_cones_count_cells_strictly_inside(convention):
    # 12 cells are 0.3 in eta (0.2992 in phi); the published code exchanges the widths
    images = images_of([(100, 100, 9.0, 10.0), (112, 100, 1.0, 1.0), (100, 112, 1.0, 2.0)], convention=convention)
    assert feature("iso_03", images) == (12.0 if convention is None else 11.0)
    assert feature("iso_04", images) == 13.0


@pytest.mark.parametrize("convention", [None, "2011.01984"])
def test_empty_images_give_zeros(convention):
    images = images_of([], convention=convention)
    assert high_level(images).tolist() == [[0.0] * 7]
    assert [mass(images, kind)[0] for kind in MASSES] == [0.0] * 3
    assert sigma_etaeta_log(images).tolist() == [0.0]
    assert hard_selection(images).tolist() == [False]


def test_no_candidates_give_no_rows():
    images = make_images(select_candidates(events_of([], [])))
    assert high_level(images).shape == (0, 7)
    assert mass(images).shape == hard_selection(images).shape == sigma_etaeta_log(images).shape == (0,)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(95, 105), st.integers(95, 105), st.floats(-5, 50), st.floats(-5, 50)), max_size=20)
)
def test_no_deposits_give_nan(deposits):
    images = images_of(deposits)
    assert np.isfinite(high_level(images)).all()
    assert all(np.isfinite(mass(images, kind)).all() and (mass(images, kind) >= 0).all() for kind in MASSES)
    assert np.isfinite(sigma_etaeta_log(images)).all()


def test_mass_of_two_towers_is_analytic():
    images = images_of([(100, 100, 12.0, 15.0), (104, 107, 5.0, 6.0)])
    deta, dphi = 4 * ECAL.eta_width, 7 * ECAL.phi_width
    factor = 2 * (math.cosh(deta) - math.cos(dphi))
    assert mass(images, "et")[0] == pytest.approx(math.sqrt(60.0 * factor), rel=1e-12)
    assert mass(images, "ee")[0] == pytest.approx(math.sqrt(90.0 * factor), rel=1e-12)
    assert mass(images)[0] == mass(images, "et")[0]


@given(st.integers(15, 184), st.integers(0, 251))
def test_mass_of_ecal_and_hcal_towers_uses_their_true_distance(eta, phi):
    below = (eta // 4, (2 * phi + 1) * 62 // (2 * 252))
    images = images_of([(eta, phi, 12.0, 15.0)], [(*below, 5.0, 5.0)], cell=(eta, phi))
    deta = float(ECAL.eta_center(eta) - HCAL.eta_center(below[0]))
    dphi = float(ECAL.phi_center(phi) - HCAL.phi_center(below[1]))
    expected = math.sqrt(120.0 * (math.cosh(deta) - math.cos(dphi)))
    assert mass(images)[0] == pytest.approx(expected, rel=1e-9)


def test_a_single_cell_has_no_mass():
    for images in (images_of([(100, 100, 12.0, 15.0)]), images_of([], [(25, 24, 30.0, 30.0)])):
        assert [mass(images, kind)[0] for kind in MASSES] == [0.0, 0.0, 0.0]
    # the 32 x 32 pixels alone would give an HCal cell a mass of 4 % of its ET
    images = images_of([], [(25, 24, 30.0, 30.0)])
    pixels = {"et": images.hcal_et[0, ..., 0]}
    assert reference.mass(pixels, PAPER, ("et",), (0.0, 0.0)) / 30.0 == pytest.approx(0.04, abs=0.005)


def test_masses_are_also_known_by_their_tokens():
    images = images_of([(100, 100, 12.0, 15.0), (104, 107, 5.0, 6.0)], [(25, 24, 3.0, 3.0)])
    assert [mass(images, token)[0] for token in MASS_NAMES] == [mass(images, kind)[0] for kind in MASSES]
    for kind in (None, 3, ["et"]):
        with pytest.raises(DataError, match="no mass of kind"):
            mass(images, kind)
    with pytest.raises(DataError, match=r"(?s)'et_mas'.*nearest: +'et_mass'"):
        mass(images, "et_mas")


def test_hard_selection_cuts_on_leakage_and_surroundings():
    cluster = [(100, 100, 10.0, 10.0)]
    assert hard_selection(images_of(cluster)).tolist() == [True]
    assert hard_selection(images_of(cluster, [(25, 24, 1.4, 1.0)])).tolist() == [True]
    assert hard_selection(images_of(cluster, [(25, 24, 1.5, 1.0)])).tolist() == [False]
    assert hard_selection(images_of([*cluster, (100, 103, 6.0, 1.0), (102, 100, 7.9, 1.0)])).tolist() == [True]
    assert hard_selection(images_of([*cluster, (102, 100, 5.0, 1.0)])).tolist() == [False]


def test_hard_selection_keeps_the_stated_fractions(shared):
    kept = {}
    for name in ("electrons", "jets"):
        events = open_events(shared / "electrons" / f"eid_dev_{name}.root", entry_stop=4000)
        images = make_images(select_candidates(events))
        kept[name] = hard_selection(images).mean()
        assert len(select_candidates(events, preselection="hard")) == hard_selection(images).sum()
    assert kept["electrons"] == pytest.approx(0.97, abs=0.01)
    assert kept["jets"] == pytest.approx(0.22, abs=0.02)


def test_sigma_etaeta_log_does_not_depend_on_the_unit_of_energy():
    deposits = [(100, 100, 9.0, 16.0), (101, 100, 1.0, 8.0), (102, 101, 1.0, 0.25), (99, 100, 1.0, 0.0625)]
    gev, other = (images_of([(*d[:3], d[3] * unit) for d in deposits]) for unit in (1.0, 1024.0))
    assert sigma_etaeta_log(gev)[0] == sigma_etaeta_log(other)[0]
    total = sum(d[3] for d in deposits)
    weights = [max(0.0, 4.7 + math.log(d[3] / total)) for d in deposits]
    assert weights[3] == 0.0
    steps = [0, 1, 2, -1]
    mean = sum(w * i for w, i in zip(weights, steps, strict=True)) / sum(weights)
    variance = sum(w * (i - mean) ** 2 for w, i in zip(weights, steps, strict=True)) / sum(weights)
    assert sigma_etaeta_log(gev)[0] == pytest.approx(math.sqrt(variance), rel=1e-12)


class TestIsolationCones:
    def candidates(self, pt=10.0):
        ecal = [(100, 100, 9.0, 9.0), (102, 102, 1.0, 1.0), (103, 100, 2.0, 2.0), (114, 100, 4.0, 4.0)]
        return select_candidates(events_of([[at_cell(ECAL, 100, 100, pt)]], [ecal], [[(25, 24, 8.0, 8.0)]]))

    def test_the_core_is_left_out_and_pt_divides(self):
        candidates = self.candidates()
        assert isolation_cones(candidates, (0.3, 0.36), calorimeters=["ecal"]).tolist() == [[0.2, 0.6]]
        assert isolation_cones(candidates, (0.3, 0.36)).tolist() == [[1.0, 1.4]]
        assert isolation_cones(candidates, [0.3], core=3, calorimeters=["ecal"]).tolist() == [[0.3]]
        assert isolation_cones(candidates, [0.3], core=0, calorimeters=["ecal"]).tolist() == [[1.2]]
        assert isolation_cones(candidates, [0.3], calorimeters=["hcal"]).tolist() == [[0.8]]

    def test_phi_wraps(self):
        events = events_of([[at_cell(ECAL, 100, 0, 10.0)]], [[(100, 0, 9.0, 9.0), (100, 247, 2.0, 2.0)]])
        assert isolation_cones(select_candidates(events), [0.2]).tolist() == [[0.2]]

    def test_a_tower_on_the_cone_is_outside_at_every_eta(self):
        cells = range(20, 180)
        events = events_of(
            [[at_cell(ECAL, cell, 100, 10.0)] for cell in cells],
            [[(cell, 100, 9.0, 9.0), (cell + 8, 100, 1.0, 1.0), (cell - 12, 100, 2.0, 2.0)] for cell in cells],
        )
        candidates = select_candidates(events)
        assert len(candidates) == len(cells)
        expected = [[0.0, 0.1, 0.3]] * len(cells)
        np.testing.assert_allclose(isolation_cones(candidates, [0.2, 0.3, 0.31]), expected, atol=1e-12)

    def test_pt_that_is_not_positive_gives_zero(self):
        assert isolation_cones(self.candidates(pt=0.0)).tolist() == [[0.0] * 3]

    @pytest.mark.parametrize(
        "options",
        [
            *({"radii": radii} for radii in ((), (0.3, -1.0), 0.3, ["a"], None)),
            *({"core": core} for core in (4, -1, 5.5, "5")),
            *({"calorimeters": names} for names in (["tracker"], [], "tracker", 3)),
        ],
    )
    def test_options_that_cannot_be_used(self, options):
        with pytest.raises(DataError):
            isolation_cones(self.candidates(), **options)

    def test_a_bare_name_is_one_calorimeter(self):
        assert isolation_cones(self.candidates(), [0.3], calorimeters="hcal").tolist() == [[0.8]]

    def test_real_events(self, shared):
        events = open_events(shared / "electrons" / "eid_dev_jets.root", entry_stop=50)
        candidates = select_candidates(events)
        cones = isolation_cones(candidates, (0.2, 0.4))
        for k in range(len(candidates)):
            centre = (ECAL.eta_center(candidates.cell[k, 0]), ECAL.phi_center(candidates.cell[k, 1]))
            total = [0.0, 0.0]
            for towers, core in ((events.ecal, 2), (events.hcal, -1)):
                for et, _, eta, phi in reference.event_towers(towers, int(candidates.row[k]), True):
                    cell = (reference.eta_cell(ECAL, eta), reference.phi_cell(ECAL, phi))
                    steps = (
                        (cell[0] or -99) - candidates.cell[k, 0],
                        (cell[1] - candidates.cell[k, 1] + 126) % 252 - 126,
                    )
                    if max(map(abs, steps)) <= core:
                        continue
                    distance = math.hypot(eta - centre[0], reference.wrapped(phi - centre[1]))
                    total = [t + et * (distance < radius - 1e-6) for t, radius in zip(total, (0.2, 0.4), strict=True)]
            assert cones[k] == pytest.approx(np.array(total) / candidates.pt[k], rel=1e-9)


def test_features_of_stored_images_equal_those_of_fresh_ones(shared):
    images = make_images(select_candidates(open_events(shared / "electrons" / "eid_dev_jets.root", entry_stop=50)))
    stored = {name: SparseImages.from_dense(images.sparse[name].dense()) for name in IMAGE_NAMES}
    again = Images(images.geometry, stored, images.entry, images.hcal_offset)
    assert np.array_equal(high_level(again), high_level(images))
    assert np.array_equal(mass(again), mass(images))


@pytest.mark.parametrize("function", [high_level, mass, hard_selection, sigma_etaeta_log])
def test_what_is_no_images_is_refused_by_name(function):
    with pytest.raises(DataError, match=r"not images(.|\n)*found: +int(.|\n)*make_images"):
        function(3)


def test_what_is_no_geometry_is_refused_by_name(sample):
    events = open_events(sample["electrons"], entry_stop=2)
    with pytest.raises(DataError, match=r"not geometry(.|\n)*found: +dict"):
        select_candidates(events, geometry={"ecal": 3})


def test_the_three_masses_together_are_those_of_each(shared):
    events = open_events(shared / "electrons" / "noselection_jets.root", entry_stop=200)
    images = make_images(select_candidates(events, which="all"))
    together = masses(images)
    assert together.shape == (len(images), 3)
    for column, kind in enumerate(MASS_NAMES):
        assert np.array_equal(together[:, column], mass(images, kind))
