"""Collections of events, lazy and in memory, give the images and scores that files give: bit for bit."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

import hepml
import hepml.dask
import hepml.layouts
from hepml.applying import score_events
from hepml.errors import DataError, InputFileError, MissingBranchError, MissingExtraError

dak = pytest.importorskip("dask_awkward", reason="pip install 'hepml[dask]'")
# dask's own threads and sockets end when they like
pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = ("et", "ht", "ee", "he", "hl", "mass")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network of both images and the variables."""
    specification = importlib.util.spec_from_file_location(
        "export_fixtures", Path(__file__).with_name("export") / "conftest.py"
    )
    assert specification is not None
    assert specification.loader is not None
    fixtures = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(fixtures)
    from hepml.export import export_model
    from hepml.models import Settings, build_model

    specs = [fixtures.spec(token) for token in ("et", "ht", "hl")]
    model = build_model(specs, Settings(conv_blocks=2, filters=4, layers=2, units=8), seed=1)
    path = tmp_path_factory.mktemp("network") / "net.json"
    export_model(model, path, inputs=specs)
    return path


@pytest.fixture(scope="module")
def jets(sample: dict[str, Path]) -> Any:
    return hepml.open_events(sample["jets"], entry_stop=600)


def lazy(path: Path) -> Any:
    """The first 600 entries in three partitions."""
    return uproot.dask({str(path): {"object_path": "Delphes", "steps": [[0, 250], [250, 251], [251, 600]]}})


def nested(path: Path) -> Any:
    """Records of records with behaviours elsewhere, as coffea's schemas give them."""
    with uproot.open(path) as file:
        flat = file["Delphes"].arrays(entry_stop=600)
    collections: dict[str, dict[str, Any]] = {}
    for name in flat.fields:
        outer, dot, inner = name.partition(".")
        if dot and outer != "Particle":
            collections.setdefault(outer, {})[inner] = flat[name]
    return ak.zip({name: ak.zip(fields, depth_limit=2) for name, fields in collections.items()}, depth_limit=1)


def check_images(found: Any, events: Any, which: str = "leading") -> None:
    candidates = hepml.select_candidates(events, which=which)
    images = hepml.make_images(candidates)
    expected = {
        "et": images.ecal_et[..., 0],
        "ht": images.hcal_et[..., 0],
        "ee": images.ecal_e[..., 0],
        "he": images.hcal_e[..., 0],
        "hl": hepml.high_level(images).astype(np.float32),
        "mass": hepml.mass(images).astype(np.float32),
        "pt": candidates.pt,
        "index": candidates.index,
    }
    flat = ak.flatten(found)
    assert ak.to_numpy(ak.num(found)).tolist() == np.bincount(candidates.row, minlength=600).tolist()
    for token, values in expected.items():
        np.testing.assert_array_equal(ak.to_numpy(flat[token]), values)


@pytest.mark.parametrize("which", ["leading", "all"])
def test_images_of_a_lazy_collection(sample: dict[str, Path], jets: Any, which: str) -> None:
    found = hepml.dask.images(lazy(sample["jets"]), TOKENS, which=which)
    assert found.npartitions == 3
    assert found.fields == ["index", "pt", "eta", "phi", *TOKENS]
    computed = found.compute(scheduler="threads")
    assert str(found._meta.layout.form.type) == str(computed.layout.form.type)
    check_images(computed, jets, which)


def test_images_of_arrays_flat_and_nested(sample: dict[str, Path], jets: Any) -> None:
    with uproot.open(sample["jets"]) as file:
        flat = file["Delphes"].arrays(entry_stop=600)
    for array in (flat, nested(sample["jets"]), dak.from_awkward(nested(sample["jets"]), npartitions=4)):
        found = hepml.dask.images(array, TOKENS)
        check_images(found.compute() if hasattr(found, "dask") else found, jets)


def test_a_selection_before(sample: dict[str, Path], jets: Any) -> None:
    """Masks and slices leave index and list layouts behind, which are not those of a file."""
    array = nested(sample["jets"])
    keep = ak.num(array.Electron.PT) == 1
    found = hepml.dask.images(array[keep], "et")
    reference = hepml.dask.images(array, "et")[keep]
    assert ak.all(found.et == reference.et)
    assert ak.to_numpy(ak.num(found)).tolist() == ak.to_numpy(ak.num(reference)).tolist()


@pytest.mark.parametrize("which", ["leading", "all"])
def test_scores(sample: dict[str, Path], jets: Any, network: Path, which: str) -> None:
    expected = score_events(hepml.Evaluator(network), jets, which=which)
    for events in (lazy(sample["jets"]), nested(sample["jets"])):
        found = hepml.dask.scores(events, network, which=which)
        found = found.compute() if hasattr(found, "dask") else found
        if which == "all":
            assert ak.to_numpy(ak.num(found)).tolist() == np.diff(jets.objects["electron"].offsets).tolist()
            found = ak.flatten(found)
        np.testing.assert_array_equal(ak.to_numpy(found.score), expected.score)
        np.testing.assert_array_equal(ak.to_numpy(found.status), expected.status)
        assert ak.to_numpy(found.score).dtype == np.float32


def test_only_the_needed_branches_are_read(sample: dict[str, Path], network: Path) -> None:
    for result in (hepml.dask.images(lazy(sample["jets"])), hepml.dask.scores(lazy(sample["jets"]), network).score):
        (columns,) = dak.necessary_columns(result).values()
        names = {name.split(".")[0] for name in columns}
        assert {"ECalTowers", "HCalTowers", "Electron"} <= names
        assert not {"Particle", "Track", "Jet", "Muon"} & names, columns


def test_the_names_of_tasks_say_what_they_make(sample: dict[str, Path], network: Path, tmp_path: Path) -> None:
    """Two different calls never share a key, the same call always has the same."""
    events, others = lazy(sample["jets"]), lazy(sample["electrons"])
    mine = tmp_path / "mine.yaml"
    source = Path(hepml.layouts.__file__).parent / "delphes-2011.01984.yaml"
    mine.write_text(source.read_text())
    other_network = tmp_path / "other.json"
    other_network.write_text(network.read_text() + " ")

    def names() -> list[str]:
        made = [hepml.dask.images(events, tokens) for tokens in ("et", "ht", ("et", "ht"))]
        made += [
            hepml.dask.images(events, "et", **options)
            for options in (
                {"which": "all"},
                {"min_pt": 12.0},
                {"max_eta": 2.0},
                {"convention": "2011.01984"},
                {"layout": "delphes-2011.01984"},
                {"collection": "muon"},
            )
        ]
        made += [hepml.dask.images(others, "et"), hepml.dask.scores(events, network)]
        made += [hepml.dask.scores(events, other_network), hepml.dask.scores(events, network, which="all")]
        return [one.name for one in made]

    first = names()
    assert len(set(first)) == len(first)
    assert names() == first
    before = hepml.dask.images(events, "et", layout=mine).name
    assert hepml.dask.images(events, "et", layout=mine).name == before
    changed = source.read_text().replace("name: delphes-2011.01984", "name: another")
    assert changed != source.read_text()
    mine.write_text(changed)
    assert hepml.dask.images(events, "et", layout=mine).name != before


def test_the_names_of_tasks_are_the_same_in_another_process(sample: dict[str, Path]) -> None:
    code = (
        "import dask_awkward, hepml.dask, uproot, sys\n"
        "with uproot.open(sys.argv[1]) as file:\n"
        "    array = file['Delphes'].arrays(['ECalTowers.ET', 'ECalTowers.E', 'ECalTowers.Eta', 'ECalTowers.Phi',"
        " 'HCalTowers.ET', 'HCalTowers.E', 'HCalTowers.Eta', 'HCalTowers.Phi',"
        " 'Electron.PT', 'Electron.Eta', 'Electron.Phi'], entry_stop=20)\n"
        "events = dask_awkward.from_awkward(array, 2, label='events')\n"
        "events._name = 'events'\n"
        "made = hepml.dask.images(events, 'et', layout='delphes-2011.01984', min_pt=11.0)\n"
        "print(made.name)\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code, str(sample["jets"])],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert "hepml-images-" in told.pop()


def test_nothing_is_computed_before_it_is_asked_for(sample: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    events = lazy(sample["jets"])
    monkeypatch.setattr("dask.base.compute", lambda *_, **__: pytest.fail("computed"))
    monkeypatch.setattr(type(events), "compute", lambda *_, **__: pytest.fail("computed"))
    assert hepml.dask.images(events, "et").npartitions == 3


def test_a_partition_without_events_gives_no_images(sample: dict[str, Path], network: Path) -> None:
    array = nested(sample["jets"])
    kept = array[np.arange(600) >= 300]
    events = dak.from_awkward(array, 2)
    some = events[dak.from_awkward(ak.Array(np.arange(600) >= 300), 2)]
    images = hepml.dask.images(some, TOKENS)
    nothing, rest = (images.partitions[k].compute() for k in (0, 1))
    assert (len(nothing), len(rest)) == (0, 300)
    assert str(nothing.type).split(" * ", 1)[1] == str(rest.type).split(" * ", 1)[1]
    assert ak.to_numpy(ak.flatten(nothing.et)).shape == (0, 31, 31)
    assert ak.all(images.compute().et == hepml.dask.images(kept, "et").et)
    assert len(hepml.dask.scores(some, network).partitions[0].compute()) == 0


def test_a_cluster_computes(sample: dict[str, Path], jets: Any, network: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="pip install 'hepml[dask]'")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster),
    ):
        found = hepml.dask.scores(lazy(sample["jets"]), network).compute()
    expected = score_events(hepml.Evaluator(network), jets)
    np.testing.assert_array_equal(ak.to_numpy(found.score), expected.score)


def test_what_cannot_be_used_is_refused_before_anything_is_computed(
    sample: dict[str, Path], network: Path, tmp_path: Path
) -> None:
    events = lazy(sample["jets"])
    with pytest.raises(DataError, match="'eta'") as caught:
        hepml.dask.images(events, ("et", "eta"))
    assert "nearest" in caught.value.parts
    with pytest.raises(DataError, match="not an array of records"):
        hepml.dask.images(ak.Array([[1.0]]))
    bag = pytest.importorskip("dask.bag").from_sequence([1])
    delayed = pytest.importorskip("dask").delayed(3)
    for wrong in ([1, 2], None, np.zeros(3), "events.root", bag, delayed):
        for call in (hepml.dask.images, lambda given: hepml.dask.scores(given, network)):
            with pytest.raises(DataError, match=r"dask-awkward array(.|\n)*found: ") as caught:
                call(wrong)
            assert type(wrong).__name__ in str(caught.value)
    with pytest.raises(MissingBranchError, match="no layout fits"):
        hepml.dask.images(ak.Array([{"x": 1.0}]))
    with pytest.raises(hepml.HepmlError, match="tau"):
        hepml.dask.images(events, collection="tau")
    with pytest.raises(InputFileError, match="cannot read the network"):
        hepml.dask.scores(events, tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(hepml.HepmlError):
        hepml.dask.scores(events, tmp_path / "bad.json")


def test_without_dask_awkward(sample: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    events = lazy(sample["jets"])
    monkeypatch.setitem(__import__("sys").modules, "dask_awkward", None)
    with pytest.raises(MissingExtraError, match="dask-awkward is not installed") as caught:
        hepml.dask.images(events)
    assert "hepml[dask]" in str(caught.value)
