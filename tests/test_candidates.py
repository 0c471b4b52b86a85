"""Which objects become candidates, which do not and why, and where their images lie."""

import csv
import gzip
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import at_cell, events_of, towers_in_cells

from hepml.candidates import STATUS_NAMES, count_objects, select_candidates
from hepml.errors import DataError, GranularityError, SchemaError
from hepml.geometry import ECAL, HCAL, PAPER, Geometry, Grid
from hepml.images import make_images
from hepml.trees import Objects, Towers, open_events

MACRO_FILES = ("unslimmed_electrons", "noselection_jets", "eid_stockdelphes_electrons")
REAL_FILES = (*MACRO_FILES, "eid_dev_jets", "eid_dev_electrons", "eid_pileup50_jets", "unslimmed_jets")


def status_of(events, **options):
    candidates = select_candidates(events, **options)
    return [STATUS_NAMES[code] for code in candidates.status]


def test_status_names_follow_the_codes_of_cpp():
    expected = "ok no_object outside_grid search_window image_window not_finite other_granularity below_min_pt"
    assert (*expected.split(), "above_max_eta", "preselection", "own_cell_hottest") == STATUS_NAMES


@pytest.mark.parametrize("convention", [None, "2011.01984"])
@pytest.mark.parametrize("name", REAL_FILES)
def test_the_slow_reference_finds_the_same_candidates(shared, name, convention):
    events = open_events(shared / "electrons" / f"{name}.root", entry_stop=60)
    candidates = select_candidates(events, which="all", convention=convention)
    electrons = events.objects["electron"]
    kept = iter(range(len(candidates)))
    for position, code in enumerate(candidates.status):
        row = int(np.searchsorted(electrons.offsets, position, side="right")) - 1
        eta, phi = electrons.eta[position], electrons.phi[position]
        found = reference.find(events, row, (eta, phi), PAPER, convention)
        assert STATUS_NAMES[code] == found.status
        if code == 0:
            k = next(kept)
            assert (candidates.row[k], candidates.index[k]) == (row, position - electrons.offsets[row])
            assert tuple(candidates.cell[k]) == found.cell
            assert tuple(candidates.hcal_first[k]) == found.hcal_first
    assert next(kept, None) is None


@pytest.mark.parametrize("name", MACRO_FILES)
def test_the_published_macro_keeps_the_same_events(shared: Path, name: str) -> None:
    events = open_events(shared / "electrons" / f"{name}.root")
    candidates = select_candidates(events, convention="2011.01984")
    with gzip.open(shared / "electrons" / "reference_macro" / name / "ePT.csv.gz", "rt") as file:
        published = [row[0] for row in csv.reader(file)]
    assert [f"{pt:g}" for pt in candidates.pt] == published


def test_the_macro_loses_candidates_that_the_default_keeps(shared):
    lost = {}
    for name in ("unslimmed_electrons", "noselection_jets"):
        events = open_events(shared / "electrons" / f"{name}.root")
        ours, published = select_candidates(events), select_candidates(events, convention="2011.01984")
        assert set(published.entry) < set(ours.entry)
        lost[name] = (len(ours) - len(published), len(ours))
    assert lost == {"unslimmed_electrons": (9, 40), "noselection_jets": (10, 48)}


@pytest.mark.parametrize("which", ["leading", "all"])
@pytest.mark.parametrize("convention", [None, "2011.01984"])
def test_the_cut_flow_adds_up(shared, which, convention):
    events = open_events(shared / "electrons" / "noselection_jets.root")
    candidates = select_candidates(
        events, which=which, convention=convention, min_pt=11.0, max_eta=2.2, preselection="hard"
    )
    flow = candidates.cut_flow
    assert next(iter(flow)) == "read"
    assert list(flow)[-1] == "written"
    assert flow["read"] == sum(flow.values()) - flow["read"]
    assert flow["written"] == len(candidates)
    assert flow["read"] == (len(events) if which == "leading" else len(events.objects["electron"]))
    assert flow["no_object"] == (70 if which == "leading" else 0)
    assert min(flow["below_min_pt"], flow["above_max_eta"], flow["preselection"]) > 0


def test_objects_of_the_same_event_share_a_group(shared):
    events = open_events(shared / "electrons" / "eid_dev_electrons.root", entry_stop=400)
    candidates = select_candidates(events, which="all")
    assert len(candidates) > len(np.unique(candidates.row))
    assert len(np.unique(candidates.identity)) == len(candidates)
    assert len(np.unique(candidates.group)) == len(np.unique(candidates.row))
    leading = select_candidates(events)
    assert set(leading.identity) <= set(candidates.identity)
    counts = count_objects(events)
    assert counts.sum() == len(candidates.status)
    assert (np.bincount(candidates.row, minlength=len(events)) <= counts).all()


def test_the_leading_object_has_the_highest_pt_and_ties_follow_the_convention():
    spots = [at_cell(ECAL, 60, 10, 12.0), at_cell(ECAL, 90, 20, 15.0), at_cell(ECAL, 120, 30, 15.0)]
    deposits = [[(61, 10, 1.0, 1.0), (91, 20, 1.0, 1.0), (121, 30, 1.0, 1.0)]]
    events = events_of([spots], deposits)
    assert select_candidates(events).index.tolist() == [1]
    assert select_candidates(events, convention="2011.01984").index.tolist() == [2]
    assert select_candidates(events, which="all").index.tolist() == [0, 1, 2]


def test_ties_of_the_hottest_cell_go_to_the_own_cell_then_to_the_lowest():
    seed = at_cell(ECAL, 100, 0)
    own = events_of([[seed]], [[(100, 0, 2.0, 2.0), (101, 0, 2.0, 2.0)]])
    assert select_candidates(own).cell.tolist() == [[100, 0]]
    lowest = events_of([[seed]], [[(101, 3, 2.0, 2.0), (99, 5, 2.0, 2.0), (99, 251, 2.0, 2.0)]])
    assert select_candidates(lowest).cell.tolist() == [[99, 251]]


def test_an_object_without_towers_is_a_candidate_at_its_own_cell():
    candidates = select_candidates(events_of([[at_cell(ECAL, 50, 60)]], [[]]))
    assert candidates.cell.tolist() == [[50, 60]]
    assert candidates.truth.tolist() == [0]


def test_acceptance_is_symmetric():
    def status(eta_cell, deposit_cell, **options):
        event = events_of([[at_cell(ECAL, eta_cell, 7)]], [[(deposit_cell, 7, 5.0, 5.0)]])
        return status_of(event, **options)[0]

    for low, high in ((15, 184), (16, 183)):
        assert status(low, low + 1) == status(high, high - 1) == "ok"
    assert status(16, 15) == status(183, 184) == "ok"
    assert status(16, 14) == status(183, 185) == "image_window"
    assert status(7, 15) == status(192, 184) == "search_window"
    assert status(8, 15) == status(191, 184) == "ok"
    # the published bounds are one cell too small at high eta
    assert status(16, 15, convention="2011.01984") == "ok"
    assert status(183, 184, convention="2011.01984") == "image_window"
    assert status(191, 183, convention="2011.01984") == "search_window"


def test_objects_outside_of_the_grid_are_rejected_by_name():
    events = events_of([[(20.0, 2.6, 0.0)], [(20.0, -2.6, 0.0)], []], [[], [], []])
    assert status_of(events) == ["outside_grid", "outside_grid", "no_object"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e31])
@pytest.mark.parametrize("column", ["et", "e", "eta", "phi", "edges"])
@pytest.mark.parametrize("calorimeter", ["ecal", "hcal"])
def test_a_tower_that_is_not_finite_rejects_its_event(calorimeter, column, bad):
    seeds = [[at_cell(ECAL, 100, 50)], [at_cell(ECAL, 100, 50)]]
    events = events_of(seeds, [[(100, 50, 1.0, 1.0)], [(100, 50, 1.0, 1.0)]], [[(25, 12, 1.0, 1.0)]] * 2)
    towers = getattr(events, calorimeter)
    values = getattr(towers, column).copy()
    values[0] = bad
    changed = replace(towers, **{column: values})
    if column in ("eta", "phi"):  # positions count where no edges are stored
        changed = replace(changed, edges=None)
    assert status_of(replace(events, **{calorimeter: changed})) == ["not_finite", "ok"]


def test_objects_that_are_not_finite_are_rejected_and_never_passed_over():
    good = at_cell(ECAL, 100, 50)
    seeds = [[(np.nan, *good[1:]), good], [(20.0, np.nan, 0.0)], [(20.0, 0.0, np.inf)], [(np.inf, 0.0, 0.0)]]
    assert status_of(events_of(seeds, [[]] * 4)) == ["not_finite"] * 4


@pytest.mark.parametrize(("column", "limit"), [(0, 1e30), (1, 1e30), (2, 1e6)])
def test_objects_beyond_the_limits_are_rejected_as_towers_are(column, limit):
    def with_value(value):
        return [tuple(value if i == column else number for i, number in enumerate(at_cell(ECAL, 100, 50)))]

    beyond = [with_value(sign * factor * limit) for sign in (1, -1) for factor in (1.001, 1e5)]
    assert status_of(events_of(beyond, [[]] * 4)) == ["not_finite"] * 4
    assert status_of(events_of([with_value(limit)], [[]])) == ["outside_grid" if column == 1 else "ok"]


def test_negative_energies_are_summed_as_they_are():
    events = events_of([[at_cell(ECAL, 100, 50)]], [[(100, 50, 3.0, 3.0), (100, 50, -1.0, -1.0), (101, 50, 2.5, 2.5)]])
    candidates = select_candidates(events)
    assert candidates.cell.tolist() == [[101, 50]]
    assert make_images(candidates).ecal_et[0, 15, 14, 0] == 2.0


def test_cuts_on_pt_and_eta_come_after_the_leading_object():
    events = events_of([[at_cell(ECAL, 100, 50, 12.0)], [at_cell(ECAL, 40, 50, 30.0)]], [[], []])
    assert status_of(events, min_pt=12.0, max_eta=1.0) == ["ok", "above_max_eta"]
    assert status_of(events, min_pt=12.5) == ["below_min_pt", "ok"]


@pytest.mark.parametrize(
    ("collection", "name"), [("jet", "electrons/unslimmed_jets.root"), ("muon", "muons/muon_dev_prompt.root")]
)
def test_other_collections_seed_images(shared, collection, name):
    events = open_events(shared / name, entry_stop=100)
    candidates = select_candidates(events, collection=collection, which="all", truth=False)
    assert len(candidates) > 0
    assert candidates.cut_flow["read"] == len(events.objects[collection])
    assert np.array_equal(candidates.pt, events.objects[collection].pt[candidates.status == 0])


def test_empty_events_and_no_candidates():
    none = select_candidates(events_of([], []))
    assert none.cut_flow == dict.fromkeys(none.cut_flow, 0)
    assert len(none) == len(make_images(none)) == 0
    assert make_images(none).ecal_et.shape == (0, 31, 31, 1)
    assert len(select_candidates(events_of([[], []], [[], []]), which="all")) == 0


def test_take_keeps_some_candidates():
    seeds = [[at_cell(ECAL, 100, phi)] for phi in (10, 20, 30)]
    candidates = select_candidates(events_of(seeds, [[], [], []])).take(np.array([2, 0]))
    assert candidates.entry.tolist() == [2, 0]
    assert candidates.cell[:, 1].tolist() == [30, 10]
    assert make_images(candidates).entry.tolist() == [2, 0]
    assert len(candidates.take([])) == 0


@pytest.mark.parametrize("rows", [[99], [True], "a", 1, None, [0.5]])
def test_take_refuses_rows_that_are_not_there(rows):
    candidates = select_candidates(events_of([[at_cell(ECAL, 100, phi)] for phi in (10, 20)], [[], []]))
    with pytest.raises(DataError, match="rows"):
        candidates.take(rows)


@given(st.integers(15, 184), st.integers(0, 251))
def test_hcal_window_holds_the_ecal_centre_off_its_middle_by_known_steps(eta, phi):
    candidates = select_candidates(events_of([[at_cell(ECAL, eta, phi)]], [[]]))
    deta, dphi = candidates.hcal_offset[0]
    assert round(abs(deta), 12) in (0.0125, 0.0375)
    assert abs(dphi) < 0.5 * HCAL.phi_width
    first = candidates.hcal_first[0]
    centre = (HCAL.eta_min + (first[0] + 4) * HCAL.eta_width, -np.pi + (first[1] + 4) * HCAL.phi_width)
    assert np.isclose(centre[0] - ECAL.eta_center(eta), deta, atol=1e-12)
    assert np.isclose(reference.wrapped(centre[1] - ECAL.phi_center(phi)), dphi, atol=1e-12)


def test_unknown_options_are_named():
    events = events_of([], [])
    with pytest.raises(DataError, match=r"(?s)which 'leadin'.*nearest: +'leading'"):
        select_candidates(events, which="leadin")
    with pytest.raises(DataError, match=r"(?s)convention '2011.0198'.*2011.01984"):
        select_candidates(events, convention="2011.0198")
    with pytest.raises(DataError, match=r"(?s)no collection 'electrons'.*nearest: +'electron'"):
        select_candidates(events, collection="electrons")
    for collection in (3, None, ["electron"]):
        with pytest.raises(DataError, match="no collection"):
            select_candidates(events, collection=collection)
    with pytest.raises(DataError, match="preselection 'tight'"):
        select_candidates(events, preselection="tight")
    with pytest.raises(SchemaError, match="odd number of pixels"):
        select_candidates(events, geometry=Geometry(ecal_window=30))


class TestTowersThatDoNotNest:
    coarse = Grid("coarse", n_eta=50, n_phi=64)

    def test_refused_by_name(self):
        events = events_of([[at_cell(ECAL, 100, 50)]], towers_in_cells(self.coarse, [[(25, 13, 8.0, 8.0)]]))
        with pytest.raises(GranularityError, match=r"(?s)ECAL towers.*200 x 252.*1 of 1 towers.*0\.1 x 0\.09817"):
            select_candidates(events, overlap="refuse")

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 49), st.integers(0, 63))
    def test_shared_by_area(self, eta, phi):
        towers = towers_in_cells(self.coarse, [[(eta, phi, 8.0, 16.0)]])
        candidates = select_candidates(events_of([[]], towers), overlap="share")
        _, et, e, *_ = candidates.cells[0]
        assert np.isclose(et.sum(), 8.0, rtol=1e-12)
        assert np.isclose(e.sum(), 16.0, rtol=1e-12)
        assert candidates.towers["ecal_shared"] == 1
        expected = reference.shared(ECAL, [(8.0, tuple(towers.edges[0]))])
        got = reference.cell_map(ECAL, list(zip(*candidates.cells[0][1:5], strict=True)), 0)
        assert np.abs(got - expected).max() < 8.0 / 4 * 2e-3  # slivers below 0.1 % of a cell go to the neighbour

    @pytest.mark.parametrize("edges", [(3.1, 3.1 + 0.3), (3.1, 3.1 + 0.3 - 2 * np.pi), (-3.2, -2.9)])
    def test_phi_wraps(self, edges):
        towers = Towers(
            np.array([0, 1]), np.ones(1), np.ones(1), np.zeros(1), np.zeros(1), np.array([[0.0, 0.025, *edges]])
        )
        cells = select_candidates(events_of([[]], towers)).cells[0]
        phi = {reference.phi_cell(ECAL, value) for value in cells[4]}
        assert {0, 251} < phi
        assert np.isclose(cells[1].sum(), 1.0)

    def test_what_lies_outside_in_eta_is_lost_and_counted(self):
        edges = np.array([[2.45, 2.55, 0.0, 0.1], [2.5, 2.7, 0.0, 0.1], [-2.7, -2.5, 0.0, 0.1]])
        values = np.array([8.0, 1.0, 2.0])
        towers = Towers(np.array([0, 3]), values, values, np.zeros(3), np.zeros(3), edges)
        candidates = select_candidates(events_of([[]], towers))
        assert candidates.towers["ecal_shared"] == 1
        assert candidates.towers["ecal_outside"] == 3
        assert np.isclose(candidates.towers["ecal_et_outside"], 7.0, rtol=1e-6)
        inside = np.abs(candidates.cells[0][3]) < 2.5
        assert np.isclose(candidates.cells[0][1][inside].sum(), 4.0, rtol=1e-6)

    def test_towers_outside_of_the_grid_are_not_refused(self):
        towers = Towers(np.array([0, 1]), *np.ones((4, 1)), np.array([[2.5, 2.7, 0.0, 0.2]]))
        assert select_candidates(events_of([[]], towers), overlap="refuse").towers["ecal_outside"] == 1

    def test_float32_edges_nest(self, shared):
        events = open_events(shared / "electrons" / "unslimmed_pileup50_jets.root")
        candidates = select_candidates(events, overlap="refuse")
        assert candidates.towers["ecal_shared"] == candidates.towers["hcal_shared"] == 0

    @pytest.mark.parametrize("edges", [(0.0, 0.025, -1e5, 1e5), (0.0, 0.0, 0.0, 0.0), (0.0, 0.025, 0.1, 0.1)])
    def test_edges_wider_than_a_turn_or_of_no_width_reject_the_event(self, edges):
        edges = np.array([edges])
        towers = Towers(np.array([0, 1]), *np.ones((4, 1)), edges)
        assert status_of(events_of([[at_cell(ECAL, 100, 50)]], towers)) == ["not_finite"]

    def test_the_sharing_is_logged(self, caplog):
        towers = towers_in_cells(self.coarse, [[(25, 13, 8.0, 8.0)]])
        with caplog.at_level(logging.INFO, "hepml"):
            select_candidates(events_of([[]], towers))
        assert "1 of 1 ecal towers shared" in caplog.text


def test_events_without_any_tower_are_warned_of(caplog):
    select_candidates(events_of([[at_cell(ECAL, 50, 60)]], [[]]))
    assert "every image is empty" in caplog.text


def test_objects_in_several_events_are_asked_once_each():
    electron = Objects(np.array([0, 2, 2, 3]), np.array([10.0, 20.0, 30.0]), np.zeros(3), np.array([0.0, 1.0, 2.0]))
    events = replace(events_of([[], [], []], [[], [], []]), objects={"electron": electron})
    assert select_candidates(events).row.tolist() == [0, 2]
    assert select_candidates(events).index.tolist() == [1, 0]
    assert status_of(events) == ["ok", "no_object", "ok"]


def test_what_is_no_events_and_no_number_is_refused_by_name(sample):
    with pytest.raises(DataError, match=r"not events(.|\n)*open_events"):
        select_candidates(sample["electrons"])
    events = open_events(sample["electrons"], entry_stop=5)
    for option in ("min_pt", "max_eta"):
        for value in ("20", True, float("nan")):
            with pytest.raises(DataError, match=rf"{option}.* cannot be"):
                select_candidates(events, **{option: value})
    assert len(select_candidates(events, min_pt=np.float32(1), max_eta=3))
