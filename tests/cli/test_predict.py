"""`hepml predict`, `apply`, `evaluate` and `export`: what they refuse or say before any work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run

from hepml.dataset import Dataset
from hepml.ledger import sha256_file

NETWORK = {
    "inputs": [{"name": "mass", "variables": [{"name": "mass", "offset": 0.0, "scale": 1.0}]}],
    "input_sequences": [],
    "nodes": [
        {"type": "input", "sources": [0], "size": 1},
        {"type": "feed_forward", "sources": [0], "layer_index": 0},
    ],
    "layers": [{"architecture": "dense", "weights": [1], "bias": [0], "activation": "sigmoid"}],
    "outputs": {"output": {"labels": ["signal"], "node_index": 1}},
}
RUN = {
    "format": "hepml-run",
    "format_version": 1,
    "status": "done",
    "config": {"features": "hl", "task": "binary", "folds": 0, "seeds": 1, "seed": 0, "settings": {}, "data": None},
    "config_hash": "0" * 64,
    "code": {"version": "0"},
    "environment": {"packages": {}},
    "best": {"member": ""},
    "inputs": [],
    "members": [{"name": "", "val_loss": 0.3}],
}


@pytest.mark.parametrize(
    ("member", "same", "told"), [("fold0_seed0", True, True), ("fold0_seed0", False, False), ("seed0", True, False)]
)
def test_scores_of_a_network_of_folds_are_not_held_out(
    *, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], member: str, same: bool, told: bool
) -> None:
    origin = {"run": "hl", "member": member, "data": Dataset.open(data).checksum if same else "0" * 64}
    network = tmp_path / "net.json"
    network.write_text(json.dumps({**NETWORK, "hepml": {"format_version": 1, "provenance": origin}}))
    assert run("predict", network, data, "-o", tmp_path / "scores.npz", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["events"] == Dataset.open(data).n("test")
    assert ("was trained on candidates of every split" in captured.err) == told


def test_a_split_that_does_not_exist_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "net.json", "data.h5", "-o", tmp_path / "a.npz", "--split", "foo") == 2
    error = capsys.readouterr().err
    for split in ("train", "valid", "test", "all"):
        assert repr(split) in error


@pytest.mark.parametrize("option", ["--threshold", "--signal-efficiency"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_threshold_that_is_no_number_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert run("apply", "net.json", "a.root", "-o", tmp_path / "a.root", option, value) == 2
    assert f"'{value}' is not a finite number" in capsys.readouterr().err


def test_a_working_point_that_is_not_stored_is_refused_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    for value in ("0.6", "nan"):
        assert run("evaluate", "no_run", "no_data.h5", "--working-point", value) == 2
    error = capsys.readouterr().err
    assert "0.6 is none of 0.5, 0.7, 0.8, 0.9, 0.95" in error
    assert "no_run" not in error


def test_no_command_replaces_its_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder = tmp_path / "runs" / "hl"
    run_folder.mkdir(parents=True)
    network, arrays, model = tmp_path / "net.json", tmp_path / "x.npz", tmp_path / "a.keras"
    network.write_text(json.dumps(NETWORK))
    np.savez(arrays, mass=np.ones((3, 1)))
    model.write_text("a model")
    (run_folder / "run.json").write_text(json.dumps(RUN))
    before = {path: sha256_file(path) for path in tmp_path.rglob("*") if path.is_file()}
    for command in (
        ("predict", network, arrays, "-o", arrays),
        ("predict", network, arrays, "-o", network),
        ("apply", network, "a.root", "-o", network),
        ("export", model, "-o", model),
        ("evaluate", run_folder, "data.h5", "-o", run_folder),
        ("evaluate", run_folder, "data.h5", "-o", run_folder.parent),
    ):
        assert run(*command, "--overwrite") == 4
        assert "OutputError: the output is a" in capsys.readouterr().err
    assert {path: sha256_file(path) for path in tmp_path.rglob("*") if path.is_file()} == before
