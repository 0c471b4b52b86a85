"""`hepml skim`: the kept events are read back as they were, the counts add up, nothing is half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import uproot

from hepml.cli.main import main
from hepml.trees import open_events


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["skim", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_events_with_a_candidate(capsys: pytest.CaptureFixture[str], shared: Path, tmp_path: Path) -> None:
    source, output = shared / "electrons/noselection_jets.root", tmp_path / "skim.root"
    code, out, _ = run(capsys, source, "-o", output, "--require", "object", "--json", "--step-size", "300 kB")
    flow = json.loads(out)["flow"]
    assert code == 0
    assert flow == {"read": 120, "no object": 70, "written": 50}
    before, after = open_events(source), open_events(output)
    assert after.layout == "delphes-2011.01984"
    kept = np.flatnonzero(before.objects["electron"].counts)
    assert len(after) == len(kept) == 50
    for name in ("ecal", "hcal"):
        old, new = getattr(before, name), getattr(after, name)
        rows = np.isin(np.repeat(np.arange(120), np.diff(old.offsets)), kept)
        assert np.array_equal(np.diff(new.offsets), np.diff(old.offsets)[kept])
        for column in ("et", "e", "eta", "phi", "edges"):
            assert np.array_equal(getattr(new, column), getattr(old, column)[rows])
    for name, old in before.objects.items():
        rows = np.isin(np.repeat(np.arange(120), old.counts), kept)
        assert np.array_equal(after.objects[name].pt, old.pt[rows])
        for key, values in old.fields.items():
            assert np.array_equal(after.objects[name].fields[key], values[rows])


def test_candidates_and_cuts(capsys: pytest.CaptureFixture[str], shared: Path, tmp_path: Path) -> None:
    source = shared / "electrons/noselection_jets.root"
    counts = []
    for i, options in enumerate([(), ("--min-pt", 15), ("--min-pt", 15, "--max-eta", 1)]):
        code, out, _ = run(capsys, source, "-o", tmp_path / f"{i}.root", "--json", *options)
        flow = json.loads(out)["flow"]
        assert code == 0
        assert flow["read"] == flow["no candidate"] + flow["written"] == 120
        counts.append(flow["written"])
    assert 50 > counts[0] > counts[1] > counts[2] > 0


def test_chains_of_containers(capsys: pytest.CaptureFixture[str], shared: Path, tmp_path: Path) -> None:
    output, again = tmp_path / "a.root", tmp_path / "b.root"
    files = [shared / f"electrons/layouts/bg200_{name}.root" for name in ("rntuple", "uproot_jagged")]
    code, out, _ = run(capsys, files[0], "-o", output)
    assert (code, out.split()) == (0, ["read", "200", "no", "candidate", "0", "written", "200"])
    assert open_events(output).sample == open_events(files[1]).sample
    assert run(capsys, output, "-o", again)[0] == 0
    assert uproot.open(again)["Delphes"].keys() == uproot.open(output)["Delphes"].keys()


def test_nothing_kept_is_an_empty_tree(capsys: pytest.CaptureFixture[str], shared: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.root"
    source = shared / "electrons/noselection_jets.root"
    assert run(capsys, source, "-o", output, "--collection", "muon")[0] == 0
    assert len(open_events(output)) == 0


def test_outputs_are_whole_or_absent(
    capsys: pytest.CaptureFixture[str], shared: Path, sample: dict[str, Path], tmp_path: Path
) -> None:
    output = tmp_path / "a.root"
    output.write_text("mine")
    code, out, err = run(capsys, sample["jets"], "-o", output)
    assert (code, out) == (4, "")
    assert "exists" in err
    assert output.read_text() == "mine"
    damaged = tmp_path / "damaged.root"
    whole = bytearray(sample["jets"].read_bytes())
    whole[200_000:1_500_000] = bytes(1_300_000)
    damaged.write_bytes(whole)
    code, _, err = run(capsys, damaged, "-o", tmp_path / "b.root")
    assert code == 1
    assert "damaged.root" in err
    code, _, err = run(capsys, sample["jets"], shared / "public/coffea/delphes.root", "-o", tmp_path / "c.root")
    assert code == 1
    assert "of the first file is not in the tree" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.root", "damaged.root"]


@pytest.mark.parametrize("require", ["object", "candidate"])
def test_a_collection_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], sample: dict[str, Path], tmp_path: Path, require: str
) -> None:
    options = ("--collection", "electrn", "--require", require)
    code, out, err = run(capsys, sample["jets"], "-o", tmp_path / "a.root", *options)
    assert (code, out) == (1, "")
    assert err.startswith("DataError: no collection 'electrn'")
    assert "nearest:  'electron'" in err
    assert list(tmp_path.iterdir()) == []


def test_step_sizes(capsys: pytest.CaptureFixture[str], sample: dict[str, Path], tmp_path: Path) -> None:
    outputs = [tmp_path / f"{i}.root" for i in range(2)]
    for output, step in zip(outputs, ("400", "100 MB"), strict=True):
        assert run(capsys, sample["jets"], "-o", output, "--step-size", step)[0] == 0
    one, other = map(open_events, outputs)
    assert np.array_equal(one.ecal.et, other.ecal.et)
    for step in ("0", "-5", "much"):
        code, _, err = run(capsys, sample["jets"], "-o", tmp_path / "no.root", "--step-size", step)
        assert code == 1
        assert "the step size cannot be used" in err
        assert "damaged" not in err
    assert not (tmp_path / "no.root").exists()


def test_an_input_is_never_the_output(
    capsys: pytest.CaptureFixture[str], sample: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "a.root").write_bytes(sample["jets"].read_bytes())
    layout = tmp_path / "layout.yaml"
    layout.write_text("format: hepml-layout")
    for output in ("a.root", "layout.yaml"):
        options = ("--layout", layout, "--overwrite")
        code, _, err = run(capsys, tmp_path / "a.root", "-o", tmp_path / output, *options)
        assert (code, "the output is an input" in err) == (4, True)
    assert run(capsys, sample["jets"], "-o", tmp_path / ("x" * 260))[0] == 4
    assert len(list(tmp_path.iterdir())) == 2
