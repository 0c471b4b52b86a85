"""Reading: the same events whatever the compression, the container and the step size."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.identity import candidate_ids
from hepml.trees import Events, iterate_events, open_events

CODECS = ("none", "zlib", "lz4", "zstd", "lzma")
ARRAYS = ("uproot_jagged", "rntuple")  # without edges


def identities(events: Events) -> tuple[list[int], list[int]]:
    electron = events.objects["electron"]
    row = np.repeat(np.arange(len(events)), electron.counts)
    identity, group = candidate_ids(events, row, np.arange(len(electron)) - electron.offsets[row])
    return identity.tolist(), group.tolist()


def towers_agree(a: Events, b: Events) -> bool:
    return all(
        np.array_equal(getattr(getattr(a, name), column), getattr(getattr(b, name), column))
        for name in ("ecal", "hcal")
        for column in ("offsets", "et", "e", "eta", "phi")
    )


def test_compressions_give_the_same_events(shared: Path) -> None:
    reference = open_events(shared / "electrons/layouts/bg200_none.root")
    assert len(reference) == 200
    assert len(reference.ecal) == 9155
    for codec in CODECS[1:]:
        events = open_events(shared / f"electrons/layouts/bg200_{codec}.root")
        assert events.sample == reference.sample
        assert identities(events) == identities(reference)
        assert towers_agree(events, reference)
        assert np.array_equal(events.ecal.edges, reference.ecal.edges)


def test_containers_give_the_same_events(shared: Path) -> None:
    reference = open_events(shared / "electrons/layouts/bg200_none.root")
    for container in ARRAYS:
        events = open_events(shared / f"electrons/layouts/bg200_{container}.root")
        assert events.layout == "delphes-2011.01984"
        assert events.sample == reference.sample
        assert identities(events) == identities(reference)
        assert towers_agree(events, reference)
        assert events.ecal.edges is None


@pytest.mark.parametrize("step_size", [7, 100, "50 kB", "100 MB"])
def test_steps_do_not_matter(sample: dict[str, Path], step_size: int | str) -> None:
    whole = open_events(sample["electrons"], entry_stop=300)
    n_read, chunks = 0, []
    for events in iterate_events(sample["electrons"], step_size=step_size):
        chunks.append(events)
        n_read += len(events)
        if n_read >= 300:
            break
    assert {events.sample for events in chunks} == {whole.sample}
    assert np.array_equal(np.concatenate([events.entry for events in chunks])[:300], whole.entry)
    et = np.concatenate([events.ecal.et for events in chunks])
    assert np.array_equal(et[: len(whole.ecal)], whole.ecal.et)
    assert [identity for events in chunks for identity in identities(events)[0]][:300] == identities(whole)[0][:300]


def test_an_event_is_as_uproot_reads_it(sample: dict[str, Path]) -> None:
    tree = uproot.open(sample["jets"])["Delphes"]
    events = open_events(sample["jets"], entry_start=100, entry_stop=110)
    assert events.entry.tolist() == list(range(100, 110))
    for collection, towers in (("ECalTowers", events.ecal), ("HCalTowers", events.hcal)):
        for leaf, values in (("ET", towers.et), ("E", towers.e), ("Eta", towers.eta), ("Phi", towers.phi)):
            expected = tree[f"{collection}/{collection}.{leaf}"].array(entry_start=100, entry_stop=110)
            assert values.dtype == np.float64
            assert values.tolist() == ak.flatten(expected).tolist()
        assert towers.offsets.tolist() == [0, *np.cumsum(ak.num(expected)).tolist()]
        assert towers.edges is not None
        assert towers.edges.shape == (len(towers), 4)
        assert (towers.edges[:, 0] <= towers.eta).all()
        assert (towers.eta <= towers.edges[:, 1]).all()
    electron = events.objects["electron"]
    charge = tree["Electron/Electron.Charge"].array(entry_start=100, entry_stop=110)
    assert electron.fields["charge"].tolist() == ak.flatten(charge).tolist()
    assert events.weight.tolist() == [1.0] * 10
    assert events.run is None


def test_ranges_and_empty_ranges(sample: dict[str, Path]) -> None:
    assert open_events(sample["electrons"], entry_start=-5).entry.tolist() == list(range(2495, 2500))
    nothing = open_events(sample["electrons"], entry_start=10, entry_stop=10)
    assert len(nothing) == 0
    assert nothing.ecal.offsets.tolist() == [0]
    assert nothing.objects["electron"].offsets.tolist() == [0]
    assert nothing.sample == open_events(sample["electrons"], entry_stop=1).sample


def test_samples_have_different_checksums(sample: dict[str, Path], shared: Path) -> None:
    files = [*sample.values(), *sorted((shared / "muons").glob("*.root"))]
    checksums = {open_events(file, entry_stop=0).sample for file in files}
    assert len(checksums) == 4  # the muon files hold no electron at all


def test_merged_towers_are_divided(shared: Path) -> None:
    path = shared / "electrons/unslimmed_electrons.root"
    separate, merged = open_events(path), open_events(path, layout="delphes")
    for name in ("ecal", "hcal"):
        one, two = getattr(separate, name), getattr(merged, name)
        assert len(one) == len(two)
        assert np.array_equal(one.offsets, two.offsets)
        order_one = np.lexsort((one.phi, one.eta, np.repeat(np.arange(len(separate)), np.diff(one.offsets))))
        order_two = np.lexsort((two.phi, two.eta, np.repeat(np.arange(len(merged)), np.diff(two.offsets))))
        np.testing.assert_allclose(two.et[order_two], one.et[order_one], rtol=1e-6)
        np.testing.assert_allclose(two.e[order_two], one.e[order_one], rtol=1e-6)


def test_a_stock_delphes_file_is_recognised(shared: Path) -> None:
    events = open_events(shared / "public/coffea/delphes.root")
    assert events.layout == "delphes"
    assert len(events) == 25
    assert (events.ecal.e > 0).all()
    np.testing.assert_allclose(events.ecal.et, events.ecal.e / np.cosh(events.ecal.eta), rtol=1e-4)


def test_weight_group_and_columns_of_the_user(sample: dict[str, Path]) -> None:
    events = open_events(
        sample["jets"], entry_stop=50, weight="Event.Weight", group="Event.ProcessID", columns=["Event.Scale"]
    )
    tree = uproot.open(sample["jets"])["Delphes"]
    scale = ak.flatten(tree["Event/Event.Scale"].array(entry_stop=50))
    assert events.columns["Event.Scale"].tolist() == scale.tolist()
    assert events.group is not None
    assert events.group.dtype == np.int64
    assert set(events.group.tolist()) <= set(range(110, 130))


def test_only_the_collections_that_are_asked_for(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=5, collections=["electron"])
    assert list(events.objects) == ["electron"]
    assert events.sample == open_events(sample["jets"], entry_stop=5).sample


def test_files_are_chained_in_order(sample: dict[str, Path], shared: Path) -> None:
    files = [sample["jets"], f"{sample['electrons']}:Delphes", shared / "electrons/layouts/bg200_zlib.root"]
    chunks = list(iterate_events(files, step_size=2000))
    assert [len(events) for events in chunks] == [2000, 500, 2000, 500, 200]
    assert [Path(events.path).name for events in chunks][::2] == [
        "sample_jets.root",
        "sample_electrons.root",
        "bg200_zlib.root",
    ]


def write(path: Path, **columns: object) -> Path:
    with uproot.recreate(path) as file:
        tree = file.mktree("events", {name: ak.type(ak.Array(values)).content for name, values in columns.items()})
        tree.extend({name: ak.Array(values) for name, values in columns.items()})
    return path


LAYOUT = """
format: hepml-layout
version: 1
name: mine
units: {energy: MeV, angle: deg}
towers:
  ecal: {e: em_e, eta: em_eta, phi: em_phi}
  hcal: {px: had_px, py: had_py, pz: had_pz}
objects:
  electron: {px: el_px, py: el_py, pz: el_pz}
event: {run: run, lumi: lumi, event: event, weight: w}
geometry: {ecal: {n_eta: 100, n_phi: 128}}
"""


def test_the_users_own_names_units_and_momenta(tmp_path: Path) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text(LAYOUT)
    path = write(
        tmp_path / "a.root",
        em_e=[[2000.0, 4000.0], []],
        em_eta=[[0.0, 1.0], []],
        em_phi=[[90.0, -180.0], []],
        had_px=[[0.0], [3000.0]],
        had_py=[[1000.0], [4000.0]],
        had_pz=[[0.0], [0.0]],
        el_px=[[3000.0], [0.0]],
        el_py=[[4000.0], [-1000.0]],
        el_pz=[[0.0], [1000.0]],
        run=[1, 1],
        lumi=[5, 5],
        event=[2**40, 7],
        w=[0.5, -2.0],
    )
    events = open_events(path, layout=layout)
    np.testing.assert_allclose(events.ecal.e, [2, 4])
    np.testing.assert_allclose(events.ecal.et, [2, 4 / np.cosh(1)])
    np.testing.assert_allclose(events.ecal.phi, [np.pi / 2, -np.pi])
    np.testing.assert_allclose(events.hcal.et, [1, 5])
    np.testing.assert_allclose(events.hcal.phi, [np.pi / 2, np.arctan2(4, 3)])
    np.testing.assert_allclose(events.objects["electron"].pt, [5, 1])
    np.testing.assert_allclose(events.objects["electron"].eta, [0, np.arcsinh(1)])
    assert events.event is not None
    assert events.event.tolist() == [2**40, 7]
    assert events.weight.tolist() == [0.5, -2.0]
    assert events.geometry.ecal.n_phi == 128
    assert events.geometry.hcal.n_phi == 62


def test_not_a_number_energies_are_kept(tmp_path: Path) -> None:
    layout = tmp_path / "mine.yaml"
    layout.write_text(LAYOUT)
    columns = {name: [[1.0, 2.0]] for name in ("em_eta", "em_phi", "had_px", "had_py", "had_pz")}
    electrons = {f"el_p{axis}": [[1.0]] for axis in "xyz"}
    path = write(
        tmp_path / "a.root", em_e=[[np.nan, np.inf]], **columns, **electrons, run=[1], lumi=[1], event=[1], w=[1.0]
    )
    events = open_events(path, layout=layout)
    assert np.isnan(events.ecal.e[0])
    assert np.isinf(events.ecal.et[1])
