"""Images: every pixel as a slow reference and as the published macro have it, and what must hold for any towers."""

import csv
import gzip

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import at_cell, events_of, towers_in_cells

from hepml import _core
from hepml.candidates import STATUS_NAMES, core_geometry, select_candidates
from hepml.errors import DataError
from hepml.evaluator import cpus
from hepml.features import high_level
from hepml.geometry import ECAL, HCAL, PAPER, Geometry, Grid
from hepml.images import IMAGE_NAMES, SparseImages, expand_hcal, images_at, make_images
from hepml.trees import Towers, open_events
from hepml.trees.placing import as_arrays

MACRO_FILES = ("unslimmed_electrons", "noselection_jets", "eid_stockdelphes_electrons")
REAL_FILES = (*MACRO_FILES, "eid_dev_jets", "eid_dev_electrons", "eid_pileup50_jets", "unslimmed_pileup50_jets")


def images_of(events, **options):
    return make_images(select_candidates(events, **options))


@pytest.mark.parametrize("convention", [None, "2011.01984"])
@pytest.mark.parametrize("name", REAL_FILES)
def test_every_pixel_equals_the_slow_reference(shared, name, convention):
    events = open_events(shared / "electrons" / f"{name}.root", entry_stop=60)
    candidates = select_candidates(events, which="all", convention=convention)
    images = make_images(candidates)
    dense = {key: images.sparse[key].dense() for key in IMAGE_NAMES}
    assert len(candidates) > 5
    for k in range(len(candidates)):
        row = int(candidates.row[k])
        found = reference.find(events, row, (candidates.eta[k], candidates.phi[k]), PAPER, convention)
        expected = reference.images(events, row, found, PAPER, convention)
        for key in IMAGE_NAMES:
            assert np.array_equal(dense[key][k], expected[key])


@pytest.mark.parametrize("token", ["Ecal_ET", "Ecal_E", "Hcal_ET", "Hcal_E"])
@pytest.mark.parametrize("name", MACRO_FILES)
def test_the_published_macro_wrote_the_same_images(shared, name, token):
    images = images_of(open_events(shared / "electrons" / f"{name}.root"), convention="2011.01984")
    ours = getattr(images, token.lower())
    with gzip.open(shared / "electrons" / "reference_macro" / name / f"{token}.csv.gz", "rt") as file:
        published = [row for row in csv.reader(file) if row]
    assert len(published) == len(ours)
    for image, line in zip(ours, published, strict=True):
        assert line[image.size :] in ([], [""])  # a comma at the end
        assert [f"{value:g}" for value in image.ravel()] == line[: image.size]


@pytest.mark.parametrize(("name", "lost"), [("unslimmed_electrons", 0.13), ("noselection_jets", 0.35)])
def test_the_default_keeps_the_hcal_energy_that_the_macro_loses(shared, name, lost):
    events = open_events(shared / "electrons" / f"{name}.root")
    ours, published = images_of(events), images_of(events, convention="2011.01984")
    kept = published.sparse["ht"].sums().sum() / ours.sparse["ht"].sums().sum()
    assert kept == pytest.approx(1 - lost, abs=0.005)
    # also in the events that both keep
    same = ours.take(np.isin(ours.entry, published.entry))
    assert published.sparse["ht"].sums().sum() < same.sparse["ht"].sums().sum()


def test_a_single_tower_at_the_centre_fills_the_central_pixel_only():
    images = images_of(events_of([[at_cell(ECAL, 100, 100)]], [[(100, 100, 3.5, 4.25)]]))
    for image, value in ((images.ecal_et, 3.5), (images.ecal_e, 4.25)):
        assert image.shape == (1, 31, 31, 1)
        assert image.dtype == np.float32
        assert list(zip(*np.nonzero(image), strict=True)) == [(0, 15, 15, 0)]
        assert image[0, 15, 15, 0] == value
    assert not images.hcal_et.any()


def test_rows_go_down_in_phi_and_columns_up_in_eta():
    deposits = [(100, 100, 9.0, 9.0), (102, 100, 2.0, 2.0), (100, 103, 3.0, 3.0)]
    hcal = [(25, 24, 4.0, 4.0), (26, 26, 8.0, 8.0)]
    images = images_of(events_of([[at_cell(ECAL, 100, 100)]], [deposits], [hcal]))
    assert images.ecal_et[0, 15, 17, 0] == 2.0
    assert images.ecal_et[0, 12, 15, 0] == 3.0
    # ECal cell 100 begins HCal cell 25 in eta: the window reaches further down, 4 cells; 100.5/252 is above 24.5/62
    assert images.sparse["ht"].dense()[0, 7 - 3, 4] == 4.0
    assert images.sparse["ht"].dense()[0, 7 - 5, 5] == 8.0


@pytest.mark.parametrize("edges", [True, False])
@pytest.mark.parametrize("cell", [0, 251])
def test_phi_wraps(cell, edges):
    deposits = [(100, (cell + step) % 252, 1.0 + abs(step), 1.0) for step in (0, -15, 15)]
    towers = towers_in_cells(ECAL, [[(100, cell, 50.0, 50.0), *deposits]], edges=edges)
    hcal = towers_in_cells(HCAL, [[(25, index, 1.0, 1.0) for index in (59, 60, 61, 0, 1, 2)]], edges=edges)
    images = images_of(events_of([[at_cell(ECAL, 100, cell)]], towers, hcal))
    assert images.ecal_et[0, :, 15, 0][[0, 15, 30]].tolist() == [16.0, 51.0, 16.0]
    assert images.hcal_et.sum() == 6.0


@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_phi_outside_of_one_turn_is_the_same_phi(turns):
    towers = towers_in_cells(ECAL, [[(100, 30, 2.0, 2.0)]], edges=False)
    turned = Towers(towers.offsets, towers.et, towers.e, towers.eta, towers.phi + 2 * np.pi * turns)
    pt, eta, phi = at_cell(ECAL, 100, 30)
    one, other = (events_of([[(pt, eta, phi + 2 * np.pi * turns)]], part) for part in (towers, turned))
    assert np.array_equal(images_of(one).ecal_et, images_of(other).ecal_et)


quarters = st.integers(1, 4000).map(lambda n: n / 4)  # sums of these are exact, whatever the order
ecal_deposits = st.lists(st.tuples(st.integers(80, 120), st.integers(0, 251), quarters, quarters), max_size=40)
hcal_deposits = st.lists(st.tuples(st.integers(18, 32), st.integers(0, 61), quarters, quarters), max_size=20)


def ordered(deposits):
    """Deposits without equal ETs in different cells, so that the hottest cell is unique."""
    return [(eta, phi, et + 4096 * i, e) for i, (eta, phi, et, e) in enumerate(deposits)]


@settings(max_examples=60, deadline=None)
@given(ecal_deposits, hcal_deposits, st.randoms(use_true_random=False))
def test_the_order_of_towers_does_not_matter(ecal, hcal, random):
    ecal = ordered(ecal)
    seed = [at_cell(ECAL, 100, 126)]
    one = images_of(events_of([seed], [ecal], [hcal]))
    random.shuffle(ecal)
    random.shuffle(hcal)
    other = images_of(events_of([seed], [ecal], [hcal]))
    for name in IMAGE_NAMES:
        assert np.array_equal(one.sparse[name].dense(), other.sparse[name].dense())


@settings(max_examples=60, deadline=None)
@given(ecal_deposits, hcal_deposits, st.integers(0, 251), st.integers(1, 1))
def test_a_rotation_by_whole_cells_changes_nothing(ecal, hcal, seed_phi, half_turns):
    # 126 ECal cells and 31 HCal cells are half a turn
    ecal = ordered(ecal)

    def rotated(turn):
        turned = [(eta, (phi + 126 * turn) % 252, et, e) for eta, phi, et, e in ecal]
        return events_of(
            [[at_cell(ECAL, 100, (seed_phi + 126 * turn) % 252)]],
            [turned],
            [[(eta, (phi + 31 * turn) % 62, et, e) for eta, phi, et, e in hcal]],
        )

    one, other = images_of(rotated(0)), images_of(rotated(half_turns))
    assert np.array_equal(one.hcal_offset, other.hcal_offset)
    for name in IMAGE_NAMES:
        assert np.array_equal(one.sparse[name].dense(), other.sparse[name].dense())


@settings(max_examples=30, deadline=None)
@given(ecal_deposits, st.integers(0, 251), st.integers(1, 251))
def test_the_ecal_image_rotates_by_any_number_of_cells(deposits, seed_phi, turn):
    deposits = ordered(deposits)
    one = images_of(events_of([[at_cell(ECAL, 100, seed_phi)]], [deposits]))
    turned = [(eta, (phi + turn) % 252, et, e) for eta, phi, et, e in deposits]
    other = images_of(events_of([[at_cell(ECAL, 100, (seed_phi + turn) % 252)]], [turned]))
    assert np.array_equal(one.ecal_et, other.ecal_et)
    assert np.array_equal(one.ecal_e, other.ecal_e)


@settings(max_examples=60, deadline=None)
@given(ecal_deposits, hcal_deposits)
def test_energy_inside_the_windows_is_conserved(ecal, hcal):
    candidates = select_candidates(events_of([[at_cell(ECAL, 100, 126)]], [ecal], [hcal]))
    images = make_images(candidates)
    (eta, phi), first = candidates.cell[0], candidates.hcal_first[0]
    near = [d for d in ecal if abs(d[0] - eta) <= 15 and (d[1] - phi + 15) % 252 <= 30]
    assert images.ecal_et.sum(dtype=np.float64) == sum(d[2] for d in near)
    assert images.ecal_e.sum(dtype=np.float64) == sum(d[3] for d in near)
    near = [d for d in hcal if 0 <= d[0] - first[0] < 8 and (d[1] - first[1]) % 62 < 8]
    assert images.hcal_et.sum(dtype=np.float64) == sum(d[2] for d in near)
    assert images.hcal_e.sum(dtype=np.float64) == sum(d[3] for d in near)


def test_smeared_positions_inside_a_cell_do_not_move_its_energy():
    rng = np.random.default_rng(0)
    cells = [(int(eta), int(phi), 1.0, 1.0) for eta, phi in rng.integers((85, 110), (115, 140), (200, 2))]
    towers = towers_in_cells(ECAL, [cells])
    smeared = Towers(
        *(towers.offsets, towers.et, towers.e),
        towers.eta + rng.uniform(-0.5, 0.5, 200) * ECAL.eta_width,
        towers.phi + rng.uniform(-0.5, 0.5, 200) * ECAL.phi_width,
        towers.edges,
    )
    seed = [[at_cell(ECAL, 100, 126)]]
    assert np.array_equal(images_of(events_of(seed, towers)).ecal_et, images_of(events_of(seed, smeared)).ecal_et)


def test_other_geometries():
    geometry = Geometry(
        ecal=Grid("ecal", n_eta=100, n_phi=128),
        hcal=Grid("hcal", n_eta=60, n_phi=32, eta_min=-3.0, eta_max=3.0),
        ecal_window=11,
        hcal_window=4,
        hcal_expand=2,
        search=3,
    )
    seed = at_cell(geometry.ecal, 50, 1)
    ecal = [(50, 1, 5.0, 6.0), (52, 127, 1.0, 2.0), (56, 1, 1.0, 1.0)]
    events = events_of([[seed]], [ecal], [[(30, 0, 4.0, 4.0), (29, 31, 2.0, 2.0)]], geometry)
    images = images_of(events)
    assert images.ecal_et.shape == (1, 11, 11, 1)
    assert images.hcal_et.shape == (1, 8, 8, 1)
    assert images.ecal_et.sum() == 6.0
    assert images.hcal_et.sum() == 6.0
    candidates = select_candidates(events)
    found = reference.find(events, 0, seed[1:], geometry, None)
    assert tuple(candidates.hcal_first[0]) == found.hcal_first
    assert np.array_equal(images.sparse["ht"].dense()[0], reference.images(events, 0, found, geometry, None)["ht"])
    centre = geometry.hcal.eta_min + (found.hcal_first[0] + 2) * geometry.hcal.eta_width
    assert np.isclose(images.hcal_offset[0, 0], centre - geometry.ecal.eta_center(50))


def test_expansion_conserves_the_sum():
    cells = np.random.default_rng(1).integers(0, 1000, (3, 8, 8)).astype(np.float32)
    pixels = expand_hcal(cells)
    assert pixels.shape == (3, 32, 32)
    assert np.array_equal(pixels[:, ::4, ::4] * 16, cells)
    assert np.array_equal(pixels.sum((1, 2), dtype=np.float64), cells.sum((1, 2), dtype=np.float64))
    assert expand_hcal(np.zeros((0, 8, 8))).shape == (0, 32, 32)
    with pytest.raises(DataError, match="not cells to expand"):
        expand_hcal(np.zeros((8, 8)))


class TestSparseImages:
    def images(self, n=7):
        rng = np.random.default_rng(2)
        dense = np.where(rng.random((n, 5, 6)) < 0.2, rng.normal(size=(n, 5, 6)), 0).astype(np.float32)
        dense[2] = 0
        return dense

    def test_dense_and_back(self):
        dense = self.images()
        sparse = SparseImages.from_dense(dense)
        assert np.array_equal(sparse.dense(), dense)
        assert (sparse.counts.dtype, sparse.index.dtype, sparse.value.dtype) == (np.uint16, np.uint16, np.float32)
        again = SparseImages.from_dense(dense[..., None])
        assert np.array_equal(again.index, sparse.index)
        assert np.allclose(sparse.sums(), dense.sum((1, 2), dtype=np.float64), atol=1e-12)

    @pytest.mark.parametrize(
        "which", [[4, 0, 0, 2], np.zeros(0, np.int64), slice(1, 5), np.array([True, False] * 3 + [True])]
    )
    def test_take(self, which):
        dense = self.images()
        assert np.array_equal(SparseImages.from_dense(dense).take(which).dense(), dense[which])

    def test_concatenate(self):
        dense = self.images()
        parts = [SparseImages.from_dense(dense[rows]) for rows in (slice(0, 3), slice(3, 3), slice(3, 7))]
        assert np.array_equal(SparseImages.concatenate(parts).dense(), dense)
        with pytest.raises(DataError, match="cannot be joined"):
            SparseImages.concatenate([])
        with pytest.raises(DataError, match="cannot be joined"):
            SparseImages.concatenate([parts[0], SparseImages.from_dense(np.zeros((1, 2, 2)))])

    def test_parts_that_do_not_fit(self):
        with pytest.raises(DataError, match="do not fit"):
            SparseImages(np.array([2], np.uint16), np.zeros(1, np.uint16), np.zeros(1, np.float32), (2, 2))
        with pytest.raises(DataError, match=r"(?s)a pixel outside.*found: +4"):
            SparseImages(np.array([1], np.uint16), np.array([4], np.uint16), np.ones(1, np.float32), (2, 2))
        with pytest.raises(DataError, match="not images"):
            SparseImages.from_dense(np.zeros(5))

    def test_made_images_are_ascending_and_hold_no_zeros(self, shared):
        images = images_of(open_events(shared / "electrons" / "eid_dev_jets.root", entry_stop=50))
        for sparse in images.sparse.values():
            assert (sparse.value != 0).all()
            again = SparseImages.from_dense(sparse.dense())
            for name in ("counts", "index", "value"):
                assert np.array_equal(getattr(again, name), getattr(sparse, name))


@pytest.mark.parametrize(
    "which", [slice(None), slice(3, 9), slice(-4, None), slice(9, 3), slice(50, 60), slice(8, 2, -2)]
)
def test_a_slice_of_sparse_images_holds_those_of_its_positions(which):
    random = np.random.default_rng(1)
    images = SparseImages.from_dense(random.random((12, 5, 5)) * (random.random((12, 5, 5)) < 0.3))
    taken = images.take(which)
    assert np.array_equal(taken.dense(), images.dense()[which])
    assert len(taken.index) == len(taken.value) == taken.counts.sum()


def test_take_keeps_all_parts():
    seeds = [[at_cell(ECAL, 100, phi)] for phi in (10, 20, 30)]
    images = images_of(events_of(seeds, [[(100, phi, float(phi), 1.0)] for phi in (10, 20, 30)]))
    some = images.take(np.array([2, 0]))
    assert some.ecal_et[:, 15, 15, 0].tolist() == [30.0, 10.0]
    assert some.entry.tolist() == [2, 0]
    assert np.array_equal(some.hcal_offset, images.hcal_offset[[2, 0]])


def test_merged_towers_give_the_same_images(shared):
    path = shared / "electrons" / "unslimmed_electrons.root"
    split, merged = (images_of(open_events(path, layout=name)) for name in ("delphes-2011.01984", "delphes"))
    assert len(split) == 40
    for name in IMAGE_NAMES:
        assert np.array_equal(split.sparse[name].dense(), merged.sparse[name].dense())


def test_towers_of_another_detector_are_shared(shared):
    events = open_events(shared / "public" / "coffea" / "delphes.root")
    candidates = select_candidates(events, which="all")
    assert candidates.towers["ecal_shared"] > 1000
    images = make_images(candidates)
    assert len(images) == 2
    assert images.ecal_et.sum((1, 2, 3)) == pytest.approx(candidates.pt, rel=0.05)


def test_images_are_made_of_candidates_only(sample):
    with pytest.raises(DataError, match=r"not candidates(.|\n)*select_candidates"):
        make_images(open_events(sample["electrons"], entry_stop=5))


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("grid", [ECAL, HCAL], ids=lambda grid: grid.name)
def test_the_cells_of_columns_are_those_of_single_positions(cpu, grid, monkeypatch):
    """At edges and one bit beside them, beyond the grid, and more than one turn away."""
    monkeypatch.setenv("HEPML_CPU", cpu)

    def near(edges, more):
        return np.concatenate([edges, np.nextafter(edges, 99), np.nextafter(edges, -99), edges + 0.01, more])

    eta = near(np.linspace(grid.eta_min, grid.eta_max, grid.n_eta + 1), [-2.51, 2.6, 1e30, -1e30])
    phi = near(np.linspace(-np.pi, np.pi, grid.n_phi + 1), [7.0, -50.3, 99.0])
    n = max(len(eta), len(phi))
    eta, phi = np.resize(eta, n), np.resize(phi, n)
    cell_eta, cell_phi = _core.locate_towers((grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max), eta, phi)
    expected = [reference.eta_cell(grid, value) for value in eta]
    assert cell_eta.tolist() == [-1 if cell is None else cell for cell in expected]
    assert cell_phi.tolist() == [reference.phi_cell(grid, value) for value in phi]


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1.1e30, -1.1e30])
@pytest.mark.parametrize("column", range(4))
def test_one_number_that_is_not_finite_rejects_its_event_alone(cpu, bad, column, monkeypatch):
    monkeypatch.setenv("HEPML_CPU", cpu)
    columns = np.ones((4, 40))
    columns[column, 17] = bad
    towers = Towers(np.array([0, 0, 17, 18, 40]), *columns)
    calorimeters = as_arrays(towers), as_arrays(Towers.empty(4))
    for ecal, hcal in (calorimeters, calorimeters[::-1]):
        objects = np.arange(4), np.zeros(4), np.zeros(4)
        status, *_ = _core.find_candidates(core_geometry(PAPER), 0, ecal, hcal, *objects)
        assert [STATUS_NAMES[code] for code in status] == ["ok", "ok", "not_finite", "ok"]


def test_images_at_the_hottest_cells_are_those_of_the_candidates(shared):
    events = open_events(shared / "electrons" / "unslimmed_electrons.root", entry_stop=60)
    candidates = select_candidates(events, which="all")
    expected = make_images(candidates)
    eta, phi = ECAL.eta_center(candidates.cell[:, 0]), ECAL.phi_center(candidates.cell[:, 1])
    images, status = images_at(events, eta, phi, candidates.row)
    assert len(images) == len(candidates) > 30
    assert not status.any()
    assert images.hcal_offset.tolist() == expected.hcal_offset.tolist()
    assert images.entry.tolist() == expected.entry.tolist()
    for name in IMAGE_NAMES:
        for part in ("counts", "index", "value"):
            assert np.array_equal(getattr(images.sparse[name], part), getattr(expected.sparse[name], part))
    alone, _ = images_at(events, eta, phi, candidates.row, energy=False)
    assert list(alone.sparse) == ["et", "ht"]
    assert np.array_equal(alone.ecal_et, images.ecal_et)
    assert np.array_equal(alone.hcal_et, images.hcal_et)
    for ask in (lambda: alone.ecal_e, lambda: alone.hcal_e, lambda: high_level(alone)):
        with pytest.raises(DataError, match=r"there are no images '[eh]e'"):
            ask()


def test_images_at_positions_without_images_are_told_by_their_status():
    towers = towers_in_cells(ECAL, [[(100, 50, 8.0, 8.0)]] * 5)
    towers.et[-1] = np.nan
    events = events_of([[]] * 5, towers)
    images, status = images_at(events, [0.01, 2.6, 2.4, np.nan, 0.01], np.full(5, ECAL.phi_center(50)))
    assert [STATUS_NAMES[code] for code in status] == ["ok", "outside_grid", "image_window", "not_finite", "not_finite"]
    assert len(images) == 1
    assert images.ecal_et[0, 15, 15, 0] == 8.0
    nothing, status = images_at(events, [], [], [])
    assert len(nothing) == len(status) == 0


@pytest.mark.parametrize("row", [None, [0, 2], [0, -1], [0]])
def test_images_at_refuses_rows_that_do_not_fit(row):
    events = events_of([[]], towers_in_cells(ECAL, [[(100, 50, 8.0, 8.0)]]))
    with pytest.raises(DataError, match=r"positions that cannot be used|rows of events that are not there"):
        images_at(events, [0.0, 0.1], [0.0, 0.1], row)
