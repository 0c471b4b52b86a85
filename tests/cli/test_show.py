"""`hepml show` tells what a file is, and finds damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from rich.console import Console

from hepml.cli import main
from hepml.cli.cards import card_of
from hepml.cli.show import _facts
from hepml.dataset import Dataset, convert
from hepml.errors import InputFileError, SchemaError

NETWORK = {
    "inputs": [{"name": "x", "variables": [{"name": n, "offset": 0.5, "scale": 2.0} for n in ("a", "b")]}],
    "input_sequences": [],
    "nodes": [
        {"type": "input", "sources": [0], "size": 2},
        {"type": "feed_forward", "sources": [0], "layer_index": 0},
    ],
    "layers": [{"architecture": "dense", "weights": [1, -1, 2, 3], "bias": [0, 1], "activation": "tanh"}],
    "outputs": {"output": {"labels": ["p", "q"], "node_index": 1}},
}


@pytest.fixture(scope="module")
def data(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("show") / "data.h5"
    convert(sample["electrons"], sample["jets"], path)
    return path


def show(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["show", *(str(argument) for argument in arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_data_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(data) == 0
    text = capsys.readouterr().out
    found = Dataset.open(data)
    for word in ("binary", "sigma_etaeta", found.checksum, "(ok)", "sample_jets.root", str(found.n("valid")), "prompt"):
        assert word in text


def test_json_is_complete_and_plain(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(data, "--json") == 0
    card = json.loads(capsys.readouterr().out)
    found = Dataset.open(data)
    assert card["rows"] == {split: found.n(split) for split in ("train", "valid", "test")}
    assert sum(sum(counts.values()) for counts in card["classes"].values()) == sum(card["rows"].values())
    assert sum(card["truth"].values()) == sum(card["rows"].values())
    assert card["inputs"]["hl"]["scale"] == found.scaling["hl"]["scale"]
    assert card["damaged"] == []
    assert card["cut_flow"] == found.cut_flow


def test_damaged_data_file_is_exit_3(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(data.read_bytes())
    with h5py.File(copy, "a") as file:
        file["y/train"][0] = 1 - file["y/train"][0]
    assert show(copy) == 3
    captured = capsys.readouterr()
    assert "DAMAGED" in captured.out
    assert "y/train" in captured.err


def test_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(NETWORK))
    assert show(path) == 0
    text = capsys.readouterr().out
    for word in ("lwtnn", "dense", "tanh", "p, q"):
        assert word in text
    card = card_of(path)
    assert card["parameters"] == 6
    assert card["layers"][0]["parameters"] == 6
    assert card["inputs"][0]["variables"][1] == {"name": "b", "offset": 0.5, "scale": 2.0}


def test_run_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hepml.training import train

    x = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    settings: dict[str, Any] = {"layers": 1, "units": 8, "epochs": 3, "batch_size": 64}
    run = train(arrays={"x": x}, y=(x[:, 0] > 0).astype(np.float32), output=tmp_path / "run", **settings)
    assert show(tmp_path / "run") == 0
    text = capsys.readouterr().out
    for word in ("(done)", "x", str(run.record["parameters"]), "not evaluated"):
        assert word in text
    with pytest.raises(InputFileError, match="a file of a run"):
        card_of(tmp_path / "run" / "model.keras")
    (tmp_path / "run" / "metrics.json").write_text(
        json.dumps(
            {
                "part": "test",
                "auc": {"value": 0.98, "error": 0.001, "by_seed": [0.98]},
                "working_points": [
                    {"signal_efficiency": 0.8, "threshold": 0.5, "rejection": 42.5, "lower": 40.0, "upper": None}
                ],
            }
        )
    )
    assert show(tmp_path / "run") == 0
    text = capsys.readouterr().out
    assert "0.98" in text
    assert "42.5" in text


def test_what_is_no_hepml_file_is_said(tmp_path: Path, sample: dict[str, Path]) -> None:
    (tmp_path / "text").write_text("towers")
    (tmp_path / "list.json").write_text("{}")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["a"] = [1]
    with pytest.raises(InputFileError, match="hepml inspect"):
        card_of(sample["jets"])
    with pytest.raises(InputFileError, match="hepml can describe"):
        card_of(tmp_path / "text")
    with pytest.raises(SchemaError, match="not a network"):
        card_of(tmp_path / "list.json")
    with pytest.raises(InputFileError, match="not one of hepml's"):
        card_of(tmp_path / "other.h5")
    with pytest.raises(InputFileError, match="not that of a run"):
        card_of(tmp_path)
    with pytest.raises(InputFileError, match="cannot read"):
        card_of(tmp_path / "absent")


def test_a_folder_of_runs_names_the_best_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hepml.training import train

    x = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    y = (x.sum(axis=1) > 0).astype(np.float32)
    for seed in (1, 2):
        train(arrays={"x": x}, y=y, output=tmp_path / f"run{seed}", preset="mass", epochs=3, seed=seed, progress=False)
    (best,) = card_of(tmp_path)["best"]
    assert best["n_trainings"] == 2
    assert best["path"] in {str(tmp_path / "run1"), str(tmp_path / "run2")}
    with pytest.raises(SystemExit) as stop:
        main(["show", str(tmp_path)])
    assert stop.value.code == 0
    assert "chosen by validation loss" in capsys.readouterr().out


def test_a_run_of_one_network_names_no_member(capsys: pytest.CaptureFixture[str]) -> None:
    _facts(Console(), {"best": {"network": "", "validation loss": 0.25}, "other": {"offset": 0.0, "name": None}})
    assert capsys.readouterr().out.split("\n")[:2] == ["best:          validation loss 0.25", "other:         offset 0"]
