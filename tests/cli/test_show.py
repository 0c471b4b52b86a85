"""`hepml show` tells what a file is, and finds damage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from rich.console import Console

import hepml
from hepml.cli import main
from hepml.cli.cards import card_of
from hepml.cli.show import _facts
from hepml.dataset import Dataset
from hepml.dataset.checksum import content_checksum
from hepml.dataset.seal import seal
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


def test_layers_are_shown_without_their_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists inside of components, and packed ones, too."""
    gate = {"weights": [0.5] * 24, "U": [0.25] * 144, "bias": []}
    components = dict.fromkeys("ifco", gate)
    lstm = {"architecture": "lstm", "components": components, "activation": "tanh", "inner_activation": "sigmoid"}
    dense = {"architecture": "dense", "weights": [0.125] * 24, "bias": [0, 1], "activation": "linear"}
    inputs = [{"name": name, "offset": 0, "scale": 1} for name in "ab"]
    document = {"inputs": inputs, "layers": [lstm, dense], "outputs": ["p", "q"]}
    (tmp_path / "net.json").write_text(json.dumps(document))
    hepml.export.packing.compact(tmp_path / "net.json", tmp_path / "small.json")
    cards = [card_of(tmp_path / name)["layers"] for name in ("net.json", "small.json")]
    assert [[layer["parameters"] for layer in card] for card in cards] == [[4 * 168, 26]] * 2
    assert [layer.pop("stored") for layer in cards[1]] == ["float32", "float32"]
    assert cards[0] == cards[1]
    assert show(tmp_path / "small.json") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 140


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


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("scaling", lambda _: {}),
        ("task", lambda _: {"kind": "x"}),
        ("provenance", lambda old: {**old, "code": {}}),
        ("provenance", lambda old: {**old, "samples": 3}),
        ("provenance", lambda old: {**old, "inputs": ["a"]}),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_damaged_metadata_are_one_message(
    *,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    change: Callable[[Any], Any],
    sealed: bool,
) -> None:
    """Exit 3 where the checksum tells; 1 where it was made to agree."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(data.read_bytes())
    with h5py.File(copy, "a") as file:
        file.attrs[name] = json.dumps(change(json.loads(file.attrs[name])))
        if sealed:
            file.attrs["content_sha256"] = content_checksum(file)
    if sealed:
        seal(copy)
    assert show(copy) == (1 if sealed else 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("InputFileError" if sealed else "VerificationError")


RUN = {
    "format": "hepml-run",
    "format_version": 1,
    "status": "running",
    "config": {
        "features": "hl",
        "task": "binary",
        "folds": 0,
        "seeds": 1,
        "seed": 0,
        "settings": {},
        "data": "0",
    },
    "config_hash": "0" * 64,
    "code": {"version": "0"},
    "environment": {"packages": {}},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": {}}, "run.config.features is missing"),
        ({"config": {**RUN["config"], "settings": 3}}, "run.config.settings is a number"),  # type: ignore[dict-item]
        ({"code": None}, "run.code is null"),
        ({"best": []}, "run.best is a list"),
        ({"members": [3]}, "run.members[0] is a number"),
    ],
)
def test_a_damaged_record_of_a_run_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], words: str
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    assert show(tmp_path) == 0
    (tmp_path / "run.json").write_text(json.dumps(RUN | changes))
    assert show(tmp_path) == 1
    assert words in capsys.readouterr().err
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    for metrics in ([], {"auc": 0.98}, {"auc": {"value": 0.98}, "working_points": [{}]}):
        (tmp_path / "metrics.json").write_text(json.dumps(metrics))
        assert show(tmp_path) == 1
    assert "metrics.json" in capsys.readouterr().err


def test_a_large_folder_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "run.json").write_text("{}")
    monkeypatch.setattr(Path, "rglob", lambda *_: pytest.fail("the folder was walked"))
    for folder in (tmp_path, Path("/")):
        with pytest.raises(InputFileError, match="not that of a run"):
            card_of(folder)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_standard_output_that_is_full_is_exit_4(data: Path, options: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "hepml", "show", str(data), *options]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 4
    assert done.stderr.startswith("OutputError: cannot write to standard output")
    assert "Exception" not in done.stderr
    assert "Traceback" not in done.stderr
