"""`hepml tmva`: what its commands print, write and return."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import tmva_files as files

from hepml import Evaluator
from hepml.cli import main
from tmva_bridge import read_weights


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["tmva", *map(str, arguments)])
    return int(stop.value.code or 0)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return files.written(tmp_path / "TMVA_Fisher.weights.xml", "Fisher", files.fisher(-0.5, 1.0, 2.0))


def test_the_command_is_found_by_its_entry_point(capsys: pytest.CaptureFixture[str]) -> None:
    assert [point.value for point in entry_points(group="hepml.commands", name="tmva")] == ["tmva_bridge.cli:command"]
    assert run("--help") == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("report", "lint", "convert", "show"))
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert not stop.value.code
    assert re.search(r"^  tmva +Commands of tmva_bridge\.$", capsys.readouterr().out, re.MULTILINE)


def test_lint_returns_3_for_a_warning_and_0_for_notes(
    weights: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("lint", weights) == 0
    assert "note: no-densities" in capsys.readouterr().out
    real = shared / "tmva" / "cls_tutorial" / "weights" / "TMVA_MLPtanhN.weights.xml"
    assert run("lint", weights, real, "--json") == 3
    rows = json.loads(capsys.readouterr().out)
    assert [row["trap"] for row in rows if row["warning"]] == ["rational-tanh"]
    assert {row["file"] for row in rows} == {str(weights), str(real)}
    assert run("lint", weights.with_name("absent.xml")) == 1
    assert "cannot read the file" in capsys.readouterr().err


def test_show_prints_what_a_weight_file_holds(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", weights, "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["method"] == "Fisher Fisher"
    assert [one["label"] for one in card["variables"]] == ["x", "y"]
    assert run("show", weights) == 0
    out = capsys.readouterr().out
    assert "classes:       Signal, Background" in out


def test_show_prints_what_an_output_file_holds(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", shared / "tmva" / "multiclass" / "TMVA.root", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["classes"] == ["Signal", "bg0", "bg1", "bg2"]
    assert card["methods"][0] == {"type": "BDT", "title": "BDTG"}


def test_convert_refuses_what_it_cannot(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("convert", weights, "-o", tmp_path / "net.onnx") == 1
    assert "no way from one to the other" in capsys.readouterr().err
    assert run("convert", weights, "-o", tmp_path / "net.json", "--variables", "a,b") == 2
    (tmp_path / "there.json").write_text("{}")
    assert run("convert", weights, "-o", tmp_path / "there.json") == 4
    assert (tmp_path / "there.json").read_text() == "{}"


def test_convert_writes_a_network_of_keras_as_weight_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.save(tmp_path / "net.keras")
    output = tmp_path / "TMVA_Net.weights.xml"
    assert run("convert", tmp_path / "net.keras", "-o", output, "--variables", "pt, eta") == 0
    assert "TMVA_Net.weights.xml" in capsys.readouterr().out
    method = read_weights(output)
    assert (method.kind, method.title, method.variables) == ("MLP", "Net", ("pt", "eta"))
    events = np.array([[0.1, -2.0], [3.0, 0.5]], np.float32)
    assert method.evaluate(events) == pytest.approx(model.predict(events, verbose=0)[:, 0].tolist(), abs=1e-6)


def test_convert_writes_a_network_of_the_evaluator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees = files.forest((1.0, files.node("s", files.node("l", nType=-1), files.node("r", nType=1), IVar=0, Cut=0.5)))
    weights = files.written(tmp_path / "TMVA_BDT.weights.xml", "BDT", trees, options={"BoostType": "AdaBoost"})
    assert run("convert", weights, "-o", tmp_path / "net.json") == 0
    assert str(tmp_path / "net.json") in capsys.readouterr().out
    events = np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)
    found = Evaluator(tmp_path / "net.json")(events)["output"][:, 0]
    assert found == pytest.approx(read_weights(weights).evaluate(events), abs=1e-6)
    assert found[0] < 0 < found[1]


def test_report_prints_a_table(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared / "tmva" / "cls_plain_weighted" / "TMVA.root"
    assert run("report", path, "-o", tmp_path / "out", "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "ROC integral" in captured.out
    assert "MLPBFGS" in captured.out
    assert f"10 figures in {tmp_path / 'out'}" in captured.out
