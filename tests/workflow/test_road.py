"""`hepml run`: a whole analysis of the bundled sample, killed, changed and made again."""

from __future__ import annotations

import contextlib
import filecmp
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow.analyses import SAMPLE, UP, children, content, stamps, tree, wait_for, written

import hepml.workflow.books as books_module
from hepml.cli import main
from hepml.dataset import convert
from hepml.workflow import load_analysis, make, plan
from hepml.workflow.books import Books

SETTINGS = {"layers": 1, "units": 16, "epochs": 30, "patience": 0}
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def road(folder):
    models = {
        "hl": {"features": "hl", "settings": {**SETTINGS}},
        "mass": {"features": "hl_and_mass", "settings": {**SETTINGS}},
    }
    return written(
        folder,
        content(
            models=models,
            evaluation={"bootstrap": 10},
            studies={"all": {}},
            export={"net": {"best_of": ["hl", "mass"], "source": True}},
            apply={"jets": {"files": SAMPLE["background"], "signal_efficiency": 0.8}},
            figures={"draw": False},
        ),
    )


def run(path):
    """As a process: what it makes must not depend on what was done before it."""
    command = [sys.executable, "-m", "hepml", "run", str(path), "--json"]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The road, walked without a break."""
    path = road(tmp_path_factory.mktemp("whole"))
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(SystemExit) as stop:
        main(["run", str(path), "--json", "--quiet"])
    assert stop.value.code == 0
    return path, json.loads(printed.getvalue())


def test_the_road_is_walked(whole):
    path, record = whole
    assert {one["state"] for one in record["steps"]} == {"done"}
    outputs = {one["step"]: one["outputs"] for one in record["steps"]}
    assert outputs["evaluate/hl"] == ["runs/hl/metrics.json", "runs/hl/thresholds.json"]  # no figures were asked for
    out = path.parent / "out"
    assert json.loads((out / "networks/net.json").read_text())["hepml"]["thresholds"]
    assert (out / "networks/net.hpp").is_file()
    assert (out / "studies/all/comparison.json").is_file()
    assert (out / "scores/jets/sample_jets.root").is_file()
    losses = {
        name: json.loads((out / f"runs/{name}/run.json").read_text())["best"]["val_loss"] for name in ("hl", "mass")
    }
    best = min(losses, key=losses.__getitem__)
    assert json.loads((out / "networks/net.json").read_text())["hepml"]["provenance"]["run"] == best


def test_the_data_are_those_of_the_command(whole, tmp_path):
    convert(SAMPLE["signal"], SAMPLE["background"], tmp_path / "data.h5")
    assert filecmp.cmp(tmp_path / "data.h5", whole[0].parent / "out/data/main.h5", shallow=False)


def test_then_nothing_is_to_do(whole, capsys):
    path, _ = whole
    before = stamps(path.parent / "out")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "--json", "--quiet", "--jobs", "2"])
    assert stop.value.code == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["steps"]} == {"up to date"}
    cache = str(path.parent / "out" / ".checksums.json")
    after = stamps(path.parent / "out")
    assert {name: time for name, time in after.items() if name not in (cache, str(path.parent / "out"))} == {
        name: time for name, time in before.items() if name not in (cache, str(path.parent / "out"))
    }


def test_a_changed_setting_makes_what_depends_on_it(whole, capsys):
    path, _ = whole
    document = yaml.safe_load(path.read_text())
    document["models"]["mass"]["settings"]["units"] = 17
    changed = path.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump(document, sort_keys=False))
    found = {one.step: (one.state, one.why) for one in plan(load_analysis(changed))}
    assert found["train/mass"] == ("stale", "settings.units: 16 -> 17")
    assert found["evaluate/mass"] == ("waits", "train/mass comes first")
    assert found["export/net"][0] == found["apply/jets"][0] == found["study/all"][0] == "waits"
    assert found["train/hl"] == found["evaluate/hl"] == found["convert/main"] == UP
    with pytest.raises(SystemExit):
        main(["run", str(changed), "-n"])
    assert "settings.units: 16 -> 17" in capsys.readouterr().out


def comparable(out):
    """What two walks of the road have in common: ROOT files hold their date."""
    found = tree(out, but=(".log.json", ".root"))
    ledger = json.loads(found.pop("ledger.json"))
    del ledger["checksum"]
    for entry in ledger["steps"].values():
        entry["outputs"] = {name: digest for name, digest in entry["outputs"].items() if not name.endswith(".root")}
    return found, ledger


EVERY_EPOCH = """
import sys
from hepml.cli import main
from hepml.training import watch
watch.CHECKPOINT_SECONDS = 0
main(["run", sys.argv[1]])
"""


def test_a_killed_run_goes_on_to_the_same_outputs(whole, tmp_path):
    path = road(tmp_path)
    out = tmp_path / "out"
    words = [sys.executable, "-c", EVERY_EPOCH, str(path)]
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        lines = iter(process.stderr.readline, "")
        assert any("train/mass: missing" in line for line in lines)
        assert any(line.startswith("epoch 7/") for line in lines)
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert json.loads((out / "ledger.json").read_text())["steps"]["train/mass"]["status"] == "started"
    assert (out / "runs/mass/checkpoint.npz").is_file()
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert {one["state"] for one in json.loads(done.stdout)["steps"]} == {"done", "up to date"}
    assert "train/mass: unfinished: was interrupted, goes on" in done.stderr
    assert "train/hl: up to date" in done.stderr
    assert "resumed after epoch" in (out / "runs/mass/log.txt").read_text()
    assert comparable(out) == comparable(whole[0].parent / "out")


def test_steps_at_once_that_are_killed_go_on_to_the_same_outputs(whole, tmp_path):
    path = road(tmp_path)
    out = tmp_path / "out"
    begun = [out / f"runs/{name}/run.json" for name in ("hl", "mass")]
    words = [sys.executable, "-m", "hepml", "run", str(path), "--at-once", "2"]
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: all(one.exists() for one in begun), 300)
        process.kill()
        process.communicate(timeout=60)
    wait_for(lambda: not children(out))
    steps = json.loads((out / "ledger.json").read_text())["steps"]
    assert "started" in {steps[f"train/{name}"]["status"] for name in ("hl", "mass")}
    done = subprocess.run([*words, "--json"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["done"] >= 6
    assert (out / "logs/train-hl.txt").is_file()
    shutil.rmtree(out / "logs")
    assert comparable(out) == comparable(whole[0].parent / "out")


def test_bad_files_are_skipped_on_request_and_told_every_time(tmp_path, capsys):
    shutil.copyfile(SAMPLE["background"], tmp_path / "jets.root")
    (tmp_path / "cut.root").write_bytes(Path(SAMPLE["background"]).read_bytes()[:100_000])
    inputs = {"main": {"signal": SAMPLE["signal"], "background": ["jets.root", "cut.root"], "skip_bad": True}}
    path = written(tmp_path, content(inputs=inputs, models={}, figures={"draw": False}))
    for state in ("done", "up to date"):
        with pytest.raises(SystemExit) as stop:
            main(["run", str(path), "--json"])
        found = capsys.readouterr()
        assert stop.value.code == 3
        assert json.loads(found.out)["steps"][0]["state"] == state
        assert "convert/main: skipped" in found.err
        assert "cut.root: InputFileError: the file is truncated" in found.err
    shutil.copyfile(SAMPLE["signal"], tmp_path / "cut.root")
    (step,) = plan(load_analysis(path))
    assert (step.state, step.why) == ("stale", "input background/cut.root has changed")


def test_inputs_are_hashed_by_the_conversion_alone(tmp_path, monkeypatch):
    read = []
    original = books_module.sha256_file
    monkeypatch.setattr(books_module, "sha256_file", lambda path: read.append(Path(path).name) or original(path))
    path = written(tmp_path, content(models={}, figures={"draw": False}))
    make(load_analysis(path))
    assert [one.state for one in make(load_analysis(path))] == ["up to date"]
    assert set(read) == {"main.h5"}
    (tmp_path / "out/data/main.h5.log.json").unlink()
    assert [(one.state, one.why) for one in plan(load_analysis(path))] == [("missing", "data/main.h5.log.json is gone")]


def test_figures_have_the_names_and_labels_of_the_file(tmp_path, monkeypatch):
    drawn = []

    def draw(dataset, folder, **options):
        drawn.append((dataset.path, options))
        (folder / "images.png").write_text("drawn")

    monkeypatch.setattr("hepml.plots.dataset_figures", draw)
    labels = {"signal": "Electrons", "background": "Jets", "experiment": "ATLAS", "energy": ""}
    path = written(tmp_path, content(models={}, figures=labels))
    make(load_analysis(path))
    ((data, options),) = drawn
    assert Path(data) == tmp_path / "out/data/main.h5"
    assert options["names"] == ("Electrons", "Jets")
    assert (options["style"].experiment, options["style"].energy) == ("ATLAS", "")
    assert (tmp_path / "out/figures/main/images.png").is_file()
    labels["signal"] = "e"
    written(tmp_path, content(models={}, figures=labels))
    assert [one.why for one in plan(load_analysis(path))] == ["", "figures.signal: Electrons -> e"]


def test_exit_codes(tmp_path, capsys):
    def code(*words):
        with pytest.raises(SystemExit) as stop:
            main(["run", *map(str, words)])
        return stop.value.code, capsys.readouterr().err

    assert code()[0] == 2
    assert code(tmp_path / "absent.yaml")[0] == 1
    path = written(tmp_path, content(models={}, figures={"draw": False}))
    assert code(path, "convrt")[0] == 1
    with Books(tmp_path / "out").claimed():
        status, message = code(path)
    assert (status, "another process is writing" in message) == (4, True)
    inputs = {"main": SAMPLE | {"background": "bad.root"}, "good": SAMPLE}
    (tmp_path / "bad.root").write_text("no ROOT file")
    path = written(tmp_path, content(inputs=inputs, models={}, figures={"draw": False}))
    status, message = code(path, "--keep-going")
    assert status == 1
    assert "convert/main: InputFileError" in message
    assert "convert/good: done" in message
    assert (tmp_path / "out/data/good.h5").is_file()


def test_the_end_is_summed_up(tmp_path, capsys):
    def told(*words):
        with pytest.raises(SystemExit):
            main(["run", str(path), *words])
        return capsys.readouterr()

    (tmp_path / "bad.root").write_text("no ROOT file")
    inputs = {"good": SAMPLE, "main": SAMPLE | {"background": "bad.root"}, "more": SAMPLE}
    path = written(tmp_path, content(inputs=inputs, models={}, figures={"draw": False}))
    assert "3 of 3 steps to make\n" in told("-n").out
    failed = told()
    assert "1 done, 1 failed, 1 not run in " in failed.out  # not only when all is well
    assert "stopped after a failure" in failed.out
    assert "\nInputFileError: not a ROOT file" in failed.err
    found = json.loads(told("--json").out)
    assert found["counts"] == {"up to date": 1, "failed": 1, "not run": 1}
    assert found["seconds"] > 0
    assert found["steps"][1]["error"].startswith("InputFileError: ")
    shutil.copyfile(SAMPLE["background"], tmp_path / "bad.root")
    assert "2 of 3 steps to make\n" in told("-n").out
    assert "1 up to date, 2 done in " in told().out
    assert "0 of 3 steps to make\n" in told("-n").out
    path.write_text(path.read_text() + "selection: {min_pt: 20}\n")
    plan_ = told("-n").out
    assert plan_.count("min_pt: None -> 20") == 3
    assert re.search(r"3 of 3 steps to make, which took \d+ s the last time", plan_)
