"""`hepml convert`: arguments, the table, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run

from hepml.dataset import Dataset


def test_table_adds_up_and_goes_to_stdout(
    sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "data.h5"
    assert run("convert", "--signal", sample["electrons"], "--background", sample["jets"], "-o", out) == 0
    text = capsys.readouterr().out
    flow = Dataset.open(out).cut_flow
    for word in ("read", "written", str(flow["read"]), str(flow["written"]), "train", "data.h5"):
        assert word in text
    assert sorted(file.name for file in out.parent.iterdir()) == ["data.h5", "data.h5.log.json"]


def test_several_files_after_one_option_and_globs(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "electrons"
    arguments = ["--signal", folder / "unslimmed_electrons.root", folder / "eid_pileup50_el*.root"]
    arguments += ["--background", folder / "unslimmed_jets.root", f"{folder}/eid_pileup50_jets.root:Delphes"]
    assert run("convert", *arguments, "-o", tmp_path / "a.h5", "--json", "--jobs", 2) == 0
    summary = json.loads(capsys.readouterr().out)
    assert [entry["cut_flow"]["read"] for entry in summary["samples"]] == [140, 136]
    names = [entry["name"] for entry in Dataset.open(tmp_path / "a.h5").provenance["inputs"]]
    assert names == [
        "unslimmed_electrons.root",
        "eid_pileup50_electrons.root",
        "unslimmed_jets.root",
        "eid_pileup50_jets.root",
    ]


def test_usage_errors_are_exit_2(sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.h5"
    jets = sample["jets"]
    assert run("convert", "--signal", jets, "-o", out) == 2
    assert run("convert", "--signal", "--background", jets, "-o", out) == 2
    assert run("convert", "--signal", jets, "--background", jets, "--samples", "s.yaml", "-o", out) == 2
    assert run("convert", "--signal", jets, "--background", jets) == 2
    assert run("convert", "--signal", jets, "--background", jets, "-o", out, "--which", "some") == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not out.exists()


def test_bad_input_is_exit_1_with_one_message(
    sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.h5"
    assert run("convert", "--signal", tmp_path / "absent.root", "--background", sample["jets"], "-o", out) == 1
    assert run("convert", "--signal", tmp_path / "*.root", "--background", sample["jets"], "-o", out) == 1
    jets = sample["jets"]
    assert run("convert", "--signal", sample["electrons"], "--background", jets, "-o", out, "--collection", "tau") == 1
    error = capsys.readouterr().err
    assert error.count("InputFileError") == 2
    assert "absent.root" in error
    assert "tau" in error
    assert list(tmp_path.iterdir()) == []


def test_existing_output_is_exit_4_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.h5"
    out.write_text("precious")
    assert run("convert", "--signal", "absent.root", "--background", "absent2.root", "-o", out) == 4
    assert "exists" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert run("convert", "--signal", "a.root", "--background", "b.root", "-o", out / "inside.h5") == 4


def _tree(path: Path, events: int) -> Path:
    """A tree of empty events in the form that uproot writes."""
    import awkward as ak
    import uproot

    columns = {"Electron": ("PT", "Eta", "Phi"), "ECalTowers": ("ET", "E", "Eta", "Phi")}
    columns["HCalTowers"] = columns["ECalTowers"]
    nothing = ak.values_astype(ak.Array([[]] * events if events else [[0.0]])[:events], "float32")
    records = {name: ak.zip(dict.fromkeys(leaves, nothing)) for name, leaves in columns.items()}
    with uproot.recreate(path) as file:
        file.mktree("Delphes", {name: record.type.content for name, record in records.items()}).extend(records)
    return path


def test_trees_without_entries_or_without_electrons(
    sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.h5"
    for events in (0, 5):
        empty = _tree(tmp_path / f"empty{events}.root", events)
        assert run("convert", "--signal", sample["electrons"], "--background", empty, "-o", out) == 1
        assert "a class has no candidates" in capsys.readouterr().err
        other = _tree(tmp_path / f"other{events}.root", events + bool(events))
        assert run("convert", "--signal", other, "--background", empty, "-o", out) == 1
        assert "candidates in the files" in capsys.readouterr().err
    both = [sample["jets"], empty]
    assert run("convert", "--signal", sample["electrons"], "--background", *both, "-o", out) == 0
    flow = Dataset.open(out).cut_flow
    assert flow["no_object"] == 5


def test_names_that_cannot_be_written_are_exit_4(
    sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("--signal", sample["electrons"], "--background", sample["jets"])
    for name in ("x" * 260, "x" * 250):  # the second is too long for its log only
        assert run("convert", *files, "-o", tmp_path / name) == 4
        assert "file name too long" in capsys.readouterr().err
    assert run("convert", *files, "-o", "/proc/c5.h5") == 4
    assert list(tmp_path.iterdir()) == []


def test_a_cut_that_is_no_number_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--min-pt", "--max-eta"):
        for value in ("nan", "inf", "ten"):
            files = ("--signal", "a.root", "--background", "b.root")
            assert run("convert", *files, "-o", tmp_path / "a.h5", option, value) == 2
    assert "'nan' is not a finite number" in capsys.readouterr().err
