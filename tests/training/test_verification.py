"""A run is what was written, every file of every network, or is said not to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepml.cli.main import main
from hepml.errors import InputFileError, TrainingError, VerificationError
from hepml.training import train
from hepml.training.verification import check_run, sealed, verify_run

from .conftest import SMALL


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one network, and one of three folds."""
    folder = tmp_path_factory.mktemp("runs")
    x = np.random.default_rng(0).normal(size=(900, 2)).astype(np.float32)
    given: dict[str, Any] = {"arrays": {"x": x}, "y": x[:, 0] > 0, "progress": False} | SMALL | {"epochs": 2}
    train(output=folder / "one", **given)
    train(output=folder / "folds", folds=3, **given)
    return folder


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def copied(runs: Path, name: str, folder: Path) -> Path:
    for file in (runs / name).rglob("*"):
        if file.is_file():
            target = folder / name / file.relative_to(runs / name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return folder / name


def test_every_file_of_the_training_is_recorded(runs: Path) -> None:
    for name, least in (("one", 5), ("folds", 17)):
        present = {file.relative_to(runs / name).as_posix() for file in (runs / name).rglob("*") if file.is_file()}
        visible = {path for path in present if not path.startswith(".")}
        record = json.loads((runs / name / "run.json").read_text())
        assert set(record["checksums"]) == visible - {"run.json", "log.txt"}
        assert {"model.keras", "scores.h5", "history.csv"} <= set(record["checksums"])
        found = verify_run(runs / name)
        assert found.files == len(record["checksums"]) + 1 >= least
        assert found.others == ()
    assert "fold2_seed0/model.keras" in record["checksums"]


def test_a_flipped_bit_is_found_in_every_file(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = copied(runs, "folds", tmp_path)
    rng = np.random.default_rng(3)
    names = json.loads((run / "run.json").read_text())["checksums"]
    for name in [*names, *["run.json"] * 60]:
        whole = (run / name).read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        (run / name).write_bytes(damaged)
        with pytest.raises(VerificationError) as caught:
            verify_run(run)
        assert name in str(caught.value)
        (run / name).write_bytes(whole)
    assert command("verify", run) == command("show", run) == 0
    (run / "fold1_seed0/model.keras").unlink()
    capsys.readouterr()
    for word in ("verify", "show"):
        assert command(word, run) == 3
        assert "fold1_seed0/model.keras (absent)" in capsys.readouterr().err


def test_the_command_tells_of_runs_and_of_a_folder_of_them(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(runs, "one", tmp_path)
    copied(runs, "folds", tmp_path)
    (tmp_path / "one/metrics.json").write_text("{}")
    assert command("verify", tmp_path / "one") == 0
    assert "not recorded metrics.json: ok" in capsys.readouterr().out
    assert command("verify", tmp_path) == 0
    assert "runs 2" in capsys.readouterr().out
    assert command("verify", tmp_path / "one", "--inputs") == 2
    (tmp_path / "one/scores.h5").write_bytes(b"")
    capsys.readouterr()
    assert command("verify", tmp_path) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "one (damaged: scores.h5)" in told.err


def test_runs_without_checksums_and_unfinished_ones_are_said_to_be_so(runs: Path, tmp_path: Path) -> None:
    run = copied(runs, "one", tmp_path)
    record = json.loads((run / "run.json").read_text())
    plain = {key: value for key, value in record.items() if key not in ("checksum", "checksums")}
    (run / "run.json").write_text(json.dumps(plain))
    with pytest.raises(InputFileError, match="holds no checksums"):
        verify_run(run)
    assert check_run(run).files == 0
    assert command("show", run) == 0
    (run / "run.json").write_text(json.dumps(sealed({**plain, "status": "running", "checksums": {}})))
    with pytest.raises(TrainingError, match="not ended"):
        verify_run(run)
    with pytest.raises(InputFileError, match="no such folder"):
        verify_run(tmp_path / "absent")
