"""convert --resume: what is whole and the same is kept, what is damaged is written again, what is other is refused."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
from commands import run

from hepml.dataset import convert
from hepml.errors import OutputError


@pytest.fixture
def made(sample: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """Inputs in a folder of their own, and the output of a conversion."""
    found = {name: Path(shutil.copy(path, tmp_path)) for name, path in sample.items()}
    found["data"] = tmp_path / "data.h5"
    convert(found["electrons"], found["jets"], found["data"])
    return found


def test_a_whole_output_is_kept_and_nothing_is_read(
    made: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reading(*_: Any, **__: Any) -> Any:
        raise AssertionError("an input is read again")

    monkeypatch.setattr(sys.modules["hepml.dataset.convert"], "read_inputs", reading)
    before = made["data"].read_bytes(), made["data"].stat().st_mtime_ns
    inputs = ("--signal", made["electrons"], "--background", made["jets"], "-o", made["data"])
    assert run("convert", *inputs, "--resume") == 0
    assert "5000 candidates" in capsys.readouterr().out
    assert (made["data"].read_bytes(), made["data"].stat().st_mtime_ns) == before
    assert run("convert", *inputs, "--resume", "--overwrite") == 2
    assert run("convert", *inputs) == 4


def test_the_summary_of_what_is_kept_is_that_of_what_was_made(made: dict[str, Path], tmp_path: Path) -> None:
    first = convert(made["electrons"], made["jets"], tmp_path / "a.h5")
    again = convert(made["electrons"], made["jets"], tmp_path / "a.h5", resume=True)
    assert {**first.to_dict(), "seconds": 0.0} == again.to_dict()


@pytest.mark.parametrize("damage", ["flipped", "cut", "half", "rewritten"])
def test_a_damaged_output_is_written_again(made: dict[str, Path], damage: str) -> None:
    whole = made["data"].read_bytes()
    if damage == "rewritten":
        with h5py.File(made["data"], "a") as file:
            file["y/train"][0] = 1 - file["y/train"][0]
    else:
        flipped = bytearray(whole)
        flipped[len(whole) // 3] ^= 1
        parts = {"flipped": flipped, "cut": whole[:-10], "half": whole[: len(whole) // 2]}
        made["data"].write_bytes(parts[damage])
    convert(made["electrons"], made["jets"], made["data"], resume=True)
    assert made["data"].read_bytes() == whole


def test_stale_and_foreign_outputs_are_refused_and_kept(
    made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made["data"].read_bytes()

    def refused(words: str, signal: Path = made["electrons"], **options: Any) -> None:
        with pytest.raises(OutputError, match=words):
            convert(signal, made["jets"], made["data"], resume=True, **options)
        assert made["data"].read_bytes() == before

    refused("its config hash differs", min_pt=11.0)
    refused("its part differs", part=(1, 2))
    renamed = Path(shutil.copy(made["electrons"], tmp_path / "other.root"))
    refused("its config hash differs", signal=renamed)
    with made["electrons"].open("ab") as file:
        file.write(b"\0")
    refused("'sample_electrons.root' has changed")
    code = {"version": "9", "sources": "0", "core": "0"}
    monkeypatch.setattr(sys.modules["hepml.dataset.resume"].ledger, "code_version", lambda: code)
    refused("its code differs")


def test_what_is_no_data_file_is_never_replaced(made: dict[str, Path], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        file["jets"] = [1.0]
    (tmp_path / "text.h5").write_text("precious")
    for name in ("theirs.h5", "text.h5"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(OutputError, match="is no data file"):
            convert(made["electrons"], made["jets"], tmp_path / name, resume=True)
        assert (tmp_path / name).read_bytes() == before


def test_a_file_behind_a_url_that_changed_is_not_kept(made: dict[str, Path], tmp_path: Path) -> None:
    urls = [made[name].as_uri() for name in ("electrons", "jets")]
    convert(*urls, tmp_path / "remote.h5")
    before = (tmp_path / "remote.h5").read_bytes()
    convert(*urls, tmp_path / "remote.h5", resume=True)
    shutil.copy(made["jets"], tmp_path / "kept.root")
    shutil.copy(made["electrons"], made["jets"])
    shutil.copy(tmp_path / "kept.root", made["electrons"])
    with pytest.raises(OutputError, match="has changed"):
        convert(*urls, tmp_path / "remote.h5", resume=True)
    assert (tmp_path / "remote.h5").read_bytes() == before


def test_a_file_that_still_cannot_be_read_is_kept_out_again(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "cut.root"
    bad.write_bytes(made["jets"].read_bytes()[:100_000])
    words = ["convert", "--signal", made["electrons"], "--background", bad, "--background", made["jets"], "--skip-bad"]
    assert run(*words, "-o", tmp_path / "skip.h5") == 3
    before = (tmp_path / "skip.h5").read_bytes()
    capsys.readouterr()
    assert run(*words, "-o", tmp_path / "skip.h5", "--resume") == 3
    assert "cut.root" in capsys.readouterr().err
    assert (tmp_path / "skip.h5").read_bytes() == before
    shutil.copy(made["electrons"], bad)
    assert run(*words, "-o", tmp_path / "skip.h5", "--resume") == 4
