"""The examples run as a newcomer would run them."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "Agg"}


def test_quickstart_walks_the_whole_road(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "quickstart.py")],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    auc = re.search(r"AUC (0\.\d+)", done.stdout)
    assert auc
    assert float(auc[1]) > 0.93
    difference = re.search(r"C\+\+ and Keras: (\S+)", done.stdout)
    assert difference
    assert float(difference[1]) <= 1e-6
    assert (tmp_path / "quickstart" / "net.json").is_file()


def test_quickstart_takes_two_files_or_none(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "quickstart.py"), "signal.root"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "give two ROOT files, signal and background, or none\n"


def test_quickstart_is_short() -> None:
    assert len((ROOT / "examples" / "quickstart.py").read_text().splitlines()) <= 70


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_in_the_pages_exist(page: Path) -> None:
    import click

    from hepml.cli.main import hepml

    context = click.Context(hepml)
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    for line in re.findall(r"^hepml .*$", blocks, re.MULTILINE):
        words = line.split()
        if words[1].startswith("-"):
            continue
        command = hepml.get_command(context, words[1])
        if isinstance(command, click.Group):
            command = command.get_command(context, words[2])
        assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        for word in line.split("#")[0].split():
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"{page.name}: {line}"


@pytest.fixture(scope="module")
def trigger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trigger-like application, built against the installed library; beside it a network and towers."""
    folder = tmp_path_factory.mktemp("trigger")
    installed = Path(importlib.import_module("hepml._core").__file__ or "").parent
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{installed / 'include'}"]
    source = ROOT / "examples" / "trigger"
    program = [source / "trigger.cpp", installed / "lib" / "libhepml.a", "-pthread", "-o", folder / "trigger"]
    subprocess.run(["g++", *flags, *map(str, program)], check=True)
    from hepml.demo import sample_file

    command = [sys.executable, str(source / "towers.py"), str(sample_file("electrons")), str(folder / "towers.bin")]
    subprocess.run(command, check=True, capture_output=True)
    import keras

    from hepml.export import export_model
    from hepml.geometry import PAPER

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((7,), name="hl"), keras.layers.Dense(1, activation="sigmoid")])
    cut = {"signal_efficiency": 0.8, "threshold": 0.5, "pt": None, "eta": None}
    export_model(model, folder / "net.json", geometry=PAPER.to_dict(), thresholds=[cut])
    return folder


@pytest.mark.parametrize("source", [["--towers", "towers.bin"], []], ids=["file", "generated"])
def test_the_trigger_decides_on_every_event_without_allocating(trigger: Path, source: list[str]) -> None:
    words = ["net.json", "--events", "20000", "--threads", "3", "--queue", "7", "--json", *source]
    done = subprocess.run([trigger / "trigger", *words], cwd=trigger, capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    assert record["accepted"] + record["rejected"] + record["no_candidate"] == 20000
    assert record["allocations"] == record["lost"] == 0
    assert 0 < record["p50_us"] <= record["p99_us"] <= record["p999_us"]
    assert "of 20000 events" in done.stderr
    if source:  # the same decisions as in Python
        import hepml

        events = hepml.open_events(hepml.demo.sample_file("electrons"))
        candidates = hepml.select_candidates(events)
        ev = hepml.Evaluator(trigger / "net.json")
        tags = ev.tag(events.ecal, events.hcal, candidates.row, candidates.eta, candidates.phi)
        passed = np.resize(tags.score >= 0.5, 20000)
        assert record["accepted"] == passed.sum()


def test_the_trigger_counts_what_it_loses_and_says_what_is_wrong(trigger: Path) -> None:
    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([trigger / "trigger", *words], cwd=trigger, capture_output=True, text=True, check=False)

    done = run("net.json", "--events", "50000", "--threads", "1", "--queue", "1", "--rate", "1e9", "--json")
    record = json.loads(done.stdout)
    assert record["lost"] > 0
    assert record["accepted"] + record["rejected"] + record["no_candidate"] + record["lost"] == 50000
    assert run().returncode == run("net.json", "--events", "x").returncode == 2
    done = run("net.json", "--signal-efficiency", "0.7")
    assert (done.returncode, "no working point" in done.stderr) == (1, True)
    (trigger / "bad.bin").write_bytes((trigger / "towers.bin").read_bytes()[:-9])
    done = run("net.json", "--towers", "bad.bin")
    assert (done.returncode, "ends too early" in done.stderr) == (1, True)
