"""Conversions: everything read is written or counted by name, outputs are whole or absent."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot

import hepml
from hepml import ledger
from hepml.dataset import SPLITS, Dataset, convert
from hepml.errors import DataError, InputFileError, OutputError, SchemaError
from hepml.ledger import sha256_file
from hepml.truth import TRUTH_CLASSES


def columns(data: Dataset, name: str) -> Any:
    return np.concatenate([data.column(name, split) for split in SPLITS])


def test_the_cut_flow_adds_up(data: Path, sample: dict[str, Path]) -> None:
    found = Dataset.open(data, verify=True)
    flows = [sample["cut_flow"] for sample in found.provenance["samples"]]
    for flow in [found.cut_flow, *flows]:
        assert next(iter(flow)) == "read"
        assert list(flow)[-1] == "written"
        assert flow["read"] == sum(count for name, count in flow.items() if name != "read")
    assert found.cut_flow["written"] == sum(flow["written"] for flow in flows)
    assert found.cut_flow["written"] == sum(found.n(split) for split in SPLITS)
    entries = [uproot.open(sample[name])["Delphes"].num_entries for name in ("electrons", "jets")]
    assert [flow["read"] for flow in flows] == entries


def test_rows_are_what_the_steps_of_the_road_give(data: Path, sample: dict[str, Path]) -> None:
    found = Dataset.open(data)
    events = hepml.open_events(sample["jets"])
    candidates = hepml.select_candidates(events)
    images = hepml.make_images(candidates)
    order = np.argsort(candidates.identity)
    rows = np.flatnonzero(columns(found, "sample_id") == 1)
    rows = rows[np.argsort(columns(found, "identity")[rows])]
    np.testing.assert_array_equal(columns(found, "identity")[rows], candidates.identity[order])
    np.testing.assert_array_equal(columns(found, "entry")[rows], candidates.entry[order])
    np.testing.assert_array_equal(columns(found, "truth")[rows], candidates.truth[order])
    np.testing.assert_array_equal(columns(found, "hcal_offset")[rows], images.hcal_offset[order])
    expected = {
        "et": images.ecal_et,
        "ee": images.ecal_e,
        "ht": images.hcal_et,
        "he": images.hcal_e,
        "hl": hepml.high_level(images).astype(np.float32),
        "mass": hepml.mass(images).astype(np.float32)[:, None],
        "ee_mass": hepml.mass(images, "ee").astype(np.float32)[:, None],
    }
    for token, values in expected.items():
        read = np.concatenate([found.raw(token, split) for split in SPLITS])
        np.testing.assert_array_equal(read[rows], values[order])
    assert set(np.concatenate([found.y(split) for split in SPLITS])[rows]) == {0.0}
    assert found.variables("hl") == hepml.FEATURE_NAMES


def test_no_event_is_in_two_splits(data: Path) -> None:
    found = Dataset.open(data)
    events = [set(zip(*(found.column(name, s).tolist() for name in ("file_id", "entry")), strict=True)) for s in SPLITS]
    assert len(set.union(*events)) == sum(map(len, events))


def test_provenance_names_inputs_by_checksum_and_no_place_or_time(data: Path, sample: dict[str, Path]) -> None:
    record = Dataset.open(data).provenance
    for entry, name in zip(record["inputs"], ("electrons", "jets"), strict=True):
        assert entry["name"] == sample[name].name
        assert entry["sha256"] == sha256_file(sample[name])
        assert entry["size"] == sample[name].stat().st_size
        assert entry["content_sha256"] == hepml.open_events(sample[name], entry_stop=1).sample
        assert entry["entries"] == [0, entry["read"]]
        assert entry["tree"] == "Delphes"
    assert len(record["config_hash"]) == 64
    assert record["code"]["version"] == hepml.__version__
    assert str(sample["jets"].parent) not in json.dumps(record)
    log = json.loads(data.with_name("data.h5.log.json").read_text())
    assert log["inputs"] == [str(sample["electrons"]), str(sample["jets"])]
    assert log["summary"]["checksum"] == Dataset.open(data).checksum


def test_bytes_depend_on_neither_steps_nor_processes(data: Path, sample: dict[str, Path], tmp_path: Path) -> None:
    files = (sample["electrons"], sample["jets"])
    convert(*files, tmp_path / "steps.h5", step_size=333)
    convert(*files, tmp_path / "jobs.h5", jobs=2)
    assert (tmp_path / "steps.h5").read_bytes() == data.read_bytes()
    assert (tmp_path / "jobs.h5").read_bytes() == data.read_bytes()


def test_convention_collection_and_preselection_reach_the_file(
    data: Path, sample: dict[str, Path], tmp_path: Path
) -> None:
    files = (sample["electrons"], sample["jets"])
    convert(*files, tmp_path / "macro.h5", convention="2011.01984")
    macro = Dataset.open(tmp_path / "macro.h5")
    assert macro.convention == "2011.01984"
    assert macro.cut_flow["own_cell_hottest"] > 0
    assert Dataset.open(data).convention is None
    hard = convert(*files, tmp_path / "hard.h5", preselection="hard")
    assert hard.cut_flow["preselection"] > 0
    assert hard.cut_flow["written"] == int(columns(Dataset.open(data), "hard").sum())
    assert columns(Dataset.open(tmp_path / "hard.h5"), "hard").all()
    both = convert(*files, tmp_path / "all.h5", which="all")
    assert both.cut_flow["read"] > hard.cut_flow["read"]
    found = Dataset.open(tmp_path / "all.h5")
    assert len(set(columns(found, "identity"))) == both.cut_flow["written"] > len(set(columns(found, "group")))


def test_samples_yaml_gives_labels_weights_and_truth(sample: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "samples.yaml").write_text(
        f"""
format: hepml-samples
version: 1
task: classes
classes: [jet, electron]
samples:
  - {{name: zprime, files: ["{sample["electrons"]}"], label: electron, truth: prompt, cross_section: 2.5}}
  - {{name: dijets, files: ["{sample["jets"]}"], label: jet}}
"""
    )
    summary = convert(None, None, tmp_path / "data.h5", samples=tmp_path / "samples.yaml")
    found = Dataset.open(tmp_path / "data.h5", verify=True)
    assert found.task == {"kind": "classes", "names": ["jet", "electron"]}
    assert summary.classes == {
        name: flow["cut_flow"]["written"] for name, flow in zip(("electron", "jet"), summary.samples, strict=True)
    }
    y = np.concatenate([found.y(split) for split in SPLITS])
    signal = columns(found, "sample_id") == 0
    assert set(y[signal]) == {1.0}
    assert set(columns(found, "truth")[signal]) == {TRUTH_CLASSES.index("prompt")}
    read = summary.samples[0]["cut_flow"]["read"]
    np.testing.assert_allclose(columns(found, "weight")[signal], 2.5 / read)
    assert set(columns(found, "weight")[~signal]) == {1.0}


def test_regression_takes_its_target_from_a_branch(sample: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "samples.yaml").write_text(
        f"""
format: hepml-samples
version: 1
task: regression
samples:
  - {{name: zprime, files: ["{sample["electrons"]}"], target: Event.Number}}
"""
    )
    summary = convert(None, None, tmp_path / "data.h5", samples=tmp_path / "samples.yaml")
    assert summary.classes == {}
    found = Dataset.open(tmp_path / "data.h5", verify=True)
    assert found.task == {"kind": "regression", "names": ["Event.Number"]}
    numbers = uproot.open(sample["electrons"])["Delphes/Event/Event.Number"].array()[:, 0].to_numpy()
    np.testing.assert_array_equal(found.y("test"), numbers[found.column("entry", "test")].astype(np.float32))


def test_a_file_given_twice_is_refused(sample: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="twice"):
        convert(sample["jets"], [sample["jets"]], tmp_path / "a.h5")
    copied = tmp_path / "other.root"
    copied.write_bytes(sample["jets"].read_bytes())
    with pytest.raises(DataError, match="same events") as caught:
        convert(sample["jets"], copied, tmp_path / "a.h5")
    assert "other.root" in str(caught.value)
    assert not (tmp_path / "a.h5").exists()


def test_same_events_in_another_compression_are_refused(shared: Path, tmp_path: Path) -> None:
    files = [shared / "electrons" / "layouts" / f"bg200_{codec}.root" for codec in ("zlib", "zstd")]
    with pytest.raises(DataError, match="same events"):
        convert(*files, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_one_class_only(sample: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one class only"):
        convert(sample["jets"], [], tmp_path / "a.h5")
    with pytest.raises(DataError, match="no candidates in the files") as caught:
        convert(sample["electrons"], sample["jets"], tmp_path / "a.h5", min_pt=1e4)
    assert "below_min_pt 5000" in str(caught.value)
    highest = {name: hepml.select_candidates(hepml.open_events(path)).pt.max() for name, path in sample.items()}
    with pytest.raises(DataError, match="a class has no candidates") as caught:
        convert(sample["electrons"], sample["jets"], tmp_path / "a.h5", min_pt=min(highest.values()) + 1e-6)
    assert "signal: 0" in str(caught.value) or "background: 0" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_bad_inputs_write_nothing(sample: dict[str, Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    out = tmp_path / "out"
    (bad / "text.root").write_text("towers")
    (bad / "cut.root").write_bytes(sample["jets"].read_bytes()[:100_000])
    with uproot.recreate(bad / "other.root") as file:
        file.mktree("Delphes", {"x": "f4"}).extend({"x": np.zeros(3, "f4")})
    for name in ("absent", "text", "cut", "other"):
        with pytest.raises((InputFileError, hepml.HepmlError)) as caught:
            convert(sample["electrons"], [sample["jets"], bad / f"{name}.root"], out / "a.h5")
        assert f"{name}.root" in str(caught.value)
    (bad / "samples.yaml").write_text("task: nonsense\n")
    with pytest.raises(SchemaError):
        convert(None, None, out / "a.h5", samples=bad / "samples.yaml")
    assert not out.exists() or list(out.iterdir()) == []


def test_existing_output_is_refused_before_reading(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        convert("absent.root", "absent2.root", tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_text() == "precious"


@pytest.mark.parametrize("limit", [2_000, 1_000_000, 2_000_000])
def test_full_disk_leaves_the_old_output(sample: dict[str, Path], tmp_path: Path, limit: int) -> None:
    (tmp_path / "a.h5").write_text("precious")
    script = (
        "import resource, signal, sys; from hepml.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "main(sys.argv[1:])"
    )
    arguments = [
        "--signal",
        sample["electrons"],
        "--background",
        sample["jets"],
        "-o",
        tmp_path / "a.h5",
        "--overwrite",
    ]
    done = subprocess.run(
        [sys.executable, "-c", script, "convert", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4, done.stderr
    assert "cannot write the output" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "a.h5").read_text() == "precious"
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_interrupted_conversion_leaves_nothing(sample: dict[str, Path], tmp_path: Path) -> None:
    def interrupt(_file: str, _entries: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(sample["electrons"], sample["jets"], tmp_path / "a.h5", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_leaves_no_data_file(
    sample: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledger, "json_text", full)
    with pytest.raises(OutputError, match="the disk is full"):
        convert(sample["electrons"], sample["jets"], tmp_path / "new" / "a.h5")
    assert list(tmp_path.iterdir()) == []


def _calorimeter(path: Path, n: int = 40, **changed: Any) -> Path:
    """A tree of jagged arrays, one electron, an ECal and two HCal towers an event, and weights `w`."""
    import awkward as ak

    rng = np.random.default_rng(n)
    electron, two = (ak.from_regular(np.ones((n, k), np.float32)) for k in (1, 2))
    columns: dict[str, Any] = dict.fromkeys(("em_eta", "em_phi", "ele_eta", "ele_phi"), electron)
    columns |= dict.fromkeys(("had_eta", "had_phi"), two)
    columns |= {
        name: ak.from_regular(rng.exponential(20, (n, k)).astype("f4"))
        for name, k in (("em_et", 1), ("had_et", 2), ("ele_pt", 1))
    }
    columns |= {"w": np.ones(n)} | changed
    with uproot.recreate(path) as file:
        file["calo"] = columns
    return path


@pytest.fixture
def calorimeter(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "mine.yaml").write_text(
        """
format: hepml-layout
version: 1
name: mine
towers:
  ecal: {et: em_et, eta: em_eta, phi: em_phi}
  hcal: {et: had_et, eta: had_eta, phi: had_phi}
objects:
  electron: {pt: ele_pt, eta: ele_eta, phi: ele_phi}
event: {weight: w}
"""
    )
    names = {"signal": 300, "background": 301}
    return {"layout": tmp_path / "mine.yaml"} | {
        name: _calorimeter(tmp_path / f"{name}.root", n) for name, n in names.items()
    }


@pytest.mark.parametrize("name", ["signal", "background", "layout"])
def test_an_input_is_never_replaced(calorimeter: dict[str, Path], name: str) -> None:
    before = calorimeter[name].read_bytes()
    signal, background, layout = (calorimeter[key] for key in ("signal", "background", "layout"))
    with pytest.raises(OutputError, match="the output is an input"):
        convert(signal, background, calorimeter[name], layout=layout, overwrite=True)
    assert calorimeter[name].read_bytes() == before


def test_neither_the_samples_file_nor_an_input_under_the_name_of_the_log_is_replaced(
    calorimeter: dict[str, Path], tmp_path: Path
) -> None:
    log = calorimeter["signal"].rename(tmp_path / "a.h5.log.json")
    files = f"{{name: s, files: {log.name}, label: 1}}", "{name: b, files: background.root, label: 0}"
    samples = tmp_path / "samples.yaml"
    samples.write_text(
        f"format: hepml-samples\nversion: 1\ntask: binary\nlayout: mine.yaml\nsamples: [{', '.join(files)}]"
    )
    for output in (samples, tmp_path / "a.h5"):
        with pytest.raises(OutputError, match="the output is an input"):
            convert(None, None, output, samples=samples, overwrite=True)
    assert log.read_bytes()[:4] == b"root"


def test_an_existing_log_is_kept(sample: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "a.h5.log.json").write_text("precious")
    with pytest.raises(OutputError, match="exists") as caught:
        convert(sample["electrons"], sample["jets"], tmp_path / "a.h5")
    assert "a.h5.log.json" in str(caught.value)
    assert (tmp_path / "a.h5.log.json").read_text() == "precious"


def test_a_file_is_refused_under_two_names_in_two_layouts(calorimeter: dict[str, Path], tmp_path: Path) -> None:
    """Its events would have two identities, because a layout decides which branch counts the towers."""
    layout = tmp_path / "other.yaml"
    layout.write_text(calorimeter["layout"].read_text().replace("em_", "had_"))
    (tmp_path / "copy.root").write_bytes(calorimeter["signal"].read_bytes())
    (tmp_path / "samples.yaml").write_text(
        """
format: hepml-samples
version: 1
task: binary
samples:
  - {name: s, files: signal.root, label: 1, layout: mine.yaml}
  - {name: b, files: copy.root, label: 0, layout: other.yaml}
"""
    )
    with pytest.raises(DataError, match="same events") as caught:
        convert(None, None, tmp_path / "a.h5", samples=tmp_path / "samples.yaml")
    assert "copy.root" in caught.value.parts["where"]
    assert "signal.root" in caught.value.parts["found"]


def test_two_trees_of_one_file_are_two_inputs(calorimeter: dict[str, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.root"
    with uproot.recreate(both) as file:
        for name in ("signal", "background"):
            file[name] = {
                key: array
                for key, array in uproot.open(calorimeter[name])["calo"].arrays(library="ak", how=dict).items()
                if not key.startswith("n")
            }
    convert(f"{both}:signal", f"{both}:background", tmp_path / "a.h5", layout=calorimeter["layout"])
    assert Dataset.open(tmp_path / "a.h5").cut_flow["read"] == 601


def test_weights_that_are_not_finite_are_left_out_and_counted(
    calorimeter: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weight = np.full(300, 2.0)
    weight[[3, 7]] = np.nan, np.inf
    bad = _calorimeter(tmp_path / "bad.root", 300, w=weight)
    summary = convert(bad, calorimeter["background"], tmp_path / "a.h5", layout=calorimeter["layout"])
    assert summary.samples[0]["sum_of_weights"] == 596
    assert summary.samples[0]["weights_not_finite"] == 2
    assert summary.samples[0]["cut_flow"]["not_finite_row"] == 2
    assert "weights_not_finite" not in summary.samples[1]
    assert "2 events of the sample 'signal'" in caplog.text
    with h5py.File(tmp_path / "a.h5") as file:
        assert "NaN" not in file.attrs["provenance"]
