"""Collections of events, lazy and in memory, give the images and scores that files give: bit for bit."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

import hepml
import hepml.dask
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
