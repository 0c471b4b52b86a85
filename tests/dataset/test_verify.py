"""A flipped bit is found wherever it is: in the data file, in its inputs."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import run

from hepml.dataset import Dataset, convert
from hepml.dataset.seal import broken_seal
from hepml.dataset.verify import check_inputs, log_of, verify
from hepml.errors import HepmlError, InputFileError, VerificationError


@pytest.mark.parametrize("layout", ["sparse", "dense"], ids=lambda layout: f"H02 {layout}")
def test_300_flipped_bits_are_all_found(layout: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    whole = request.getfixturevalue(f"{layout}_file").read_bytes()
    copy = tmp_path / "copy.h5"
    rng = np.random.default_rng(1)
    places = [*range(8), *range(len(whole) - 32, len(whole)), *rng.integers(0, len(whole), 260).tolist()]
    silent = []
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        copy.write_bytes(damaged)
        try:
            verify(copy)
            silent.append(place)
        except VerificationError:
            continue
    assert len(places) == 300
    assert silent == []
    copy.write_bytes(whole)
    verify(copy)


def test_truncation_and_additions_are_found(data: Path, tmp_path: Path) -> None:
    whole = data.read_bytes()
    copy = tmp_path / "copy.h5"
    for changed in (whole[:-1], whole[:-78], whole[:-79], whole[: len(whole) // 2], whole + b"\n", b""):
        copy.write_bytes(changed)
        with pytest.raises(HepmlError):
            verify(copy)


def test_other_programs_read_a_sealed_file(data: Path) -> None:
    assert broken_seal(data) is None
    with h5py.File(data) as file:
        assert len(file["hl/train"]) == Dataset.open(data).n("train")


def test_foreign_files_are_named_as_such(tmp_path: Path, sample: dict[str, Path]) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["jets"] = np.zeros(3)
    with pytest.raises(InputFileError, match="not one of hepml's"):
        verify(tmp_path / "a.h5")
    for path in (sample["jets"], tmp_path / "absent.h5", tmp_path):
        with pytest.raises(InputFileError):
            verify(path)


def test_command_says_what_it_checked(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", data, "--inputs") == 0
    text = capsys.readouterr().out
    assert Dataset.open(data).checksum in text
    assert "2 of 2 inputs as they were read: ok" in text


def test_flipped_bits_of_inputs_are_found(
    sample: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    files = {name: inputs / path.name for name, path in sample.items()}
    for name, path in sample.items():
        files[name].write_bytes(path.read_bytes())
    convert(files["electrons"], files["jets"], tmp_path / "data.h5")
    data = verify(tmp_path / "data.h5")
    assert [check.problem for check in check_inputs(data)] == [None, None]
    whole = files["jets"].read_bytes()
    rng = np.random.default_rng(2)
    for place in rng.integers(0, len(whole), 30).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        files["jets"].write_bytes(damaged)
        first, second = check_inputs(data)
        assert first.problem is None
        assert second.problem is not None
        assert "SHA-256" in second.problem
    assert run("verify", tmp_path / "data.h5", "--inputs", "--json") == 3
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ok"] is False
    assert "sample_jets.root" in captured.err
    assert run("verify", tmp_path / "data.h5", "--inputs") == 3
    assert capsys.readouterr().out == ""  # no "ok" before the verdict
    files["jets"].unlink()
    assert [check.problem for check in check_inputs(data)] == [None, "absent"]
    assert run("verify", tmp_path / "data.h5", "--folder", sample["jets"].parent) == 0
    log_of(tmp_path / "data.h5").unlink()
    assert run("verify", tmp_path / "data.h5", "--inputs") == 1
    assert "--folder" in capsys.readouterr().err


def test_a_file_that_changes_while_it_is_read_is_refused(sample: dict[str, Path], tmp_path: Path) -> None:
    jets = tmp_path / "jets.root"
    jets.write_bytes(sample["jets"].read_bytes())

    def touch(_file: str, _entries: int, _total: int) -> None:
        with jets.open("ab") as file:
            file.write(b"\0")

    with pytest.raises(InputFileError, match="changed while it was read"):
        convert(sample["electrons"], jets, tmp_path / "a.h5", progress=touch, step_size=500)
    assert [file.name for file in tmp_path.iterdir()] == ["jets.root"]
