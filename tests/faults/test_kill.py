"""S01, S02: a command that is killed, or meets a full disk, at chosen moments of its stages; see killing.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faults.killing import JOBS, build
from faults.outcomes import check, snapshot, spawn

from hepml.stages import STAGES

TESTS = Path(__file__).parents[1]
FILLED = ("skim", "convert")
QUICK = ("skim",)  # all of them in the slow test


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


def killed(folder: Path, kills: int, *commands: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Kills commands and gives what happened by command and stage."""
    output = folder / "killed.json"
    asked = [sys.executable, "-m", "faults.killing", "--kills", str(kills), "--output", output, *commands]
    done = subprocess.run(asked, cwd=TESTS, capture_output=True, text=True, check=False)
    assert output.exists(), done.stderr
    return {(one["command"], one["stage"]): one for one in json.loads(output.read_text())}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    return killed(tmp_path_factory.mktemp("killed"), 2, *QUICK)


@pytest.mark.parametrize(
    ("command", "stage"),
    [pytest.param(command, stage, id=f"S02 {command} {stage}") for command in QUICK for stage in STAGES[command]],
)
def test_a_killed_command_leaves_nothing_wrong_and_can_be_repeated(command: str, stage: str, results) -> None:
    found = results[command, stage]
    assert found["problems"] == []
    assert found["kills"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(STAGES), ids=lambda name: f"S02 {name}")
def test_twenty_kills_in_each_stage(command: str, tmp_path: Path) -> None:
    found = killed(tmp_path, 20, command)
    assert {stage for _, stage in found} == {*STAGES[command]}
    for one in found.values():
        assert one["problems"] == []
        assert one["kills"] == 20


def test_every_command_with_stages_is_killed() -> None:
    assert JOBS.keys() == STAGES.keys()


def test_the_page_has_the_counts_that_were_recorded() -> None:
    docs = TESTS.parent / "docs"
    recorded = json.loads((docs / "crash_safety.json").read_text(encoding="utf-8"))
    total = sum(row["kills"] for row in recorded["rows"])
    often = sum(row["kills"] >= 20 for row in recorded["rows"])
    assert not any(row["problems"] for row in recorded["rows"])
    page = " ".join((docs / "errors.md").read_text(encoding="utf-8").split())
    assert f"killed (SIGKILL) {total} times" in page
    assert f"20 times in each of {often} stages" in page


@pytest.mark.parametrize("command", FILLED, ids=lambda name: f"S01 {name}")
def test_a_full_disk_leaves_the_old_output(command: str, few: dict[str, Path], library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    output = folder / {"skim": "out.root", "convert": "data.h5"}[command]
    inputs = {
        "skim": [few["electrons"]],
        "convert": ["--signal", few["electrons"], "--background", few["jets"]],
    }[command]
    arguments = [command, *inputs, "-o", output, "--overwrite"]
    preload = {"LD_PRELOAD": str(library), "FAULTS_FOLDER": str(folder)}
    trace = tmp_path / "trace"
    assert spawn(*arguments, env=preload | {"FAULTS_ACT": f"trace:{trace}"}).code == 0
    calls = [line.split()[2:4] for line in trace.read_text().splitlines() if " call " in line]
    first = {kind: number for number, kind in reversed(calls)}
    for path in folder.iterdir():
        path.unlink()
    output.write_bytes(b"the old output")
    before = snapshot(folder)
    writes = [number for number, kind in calls if kind == "write"]
    for number in (first["write"], writes[len(writes) // 2], first["fsync"], first["rename"]):
        done = spawn(*arguments, env=preload | {"FAULTS_ACT": f"full:{number}"})
        check("S01", done, "cannot write the output: the disk is full", output.name)
        assert snapshot(folder) == before


def test_a_file_system_of_a_megabyte(sample: dict[str, Path], tmp_path: Path) -> None:
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "hepml", tmp_path], check=False).returncode
    ):
        pytest.skip("a file system can only be mounted by root")
    try:
        (tmp_path / "data.h5").write_bytes(b"the old output")
        inputs = ("--signal", sample["electrons"], "--background", sample["jets"])
        done = spawn("convert", *inputs, "-o", tmp_path / "data.h5", "--overwrite")
        check("S01", done, "the disk is full")
        assert [path.name for path in tmp_path.iterdir()] == ["data.h5"]
        assert (tmp_path / "data.h5").read_bytes() == b"the old output"
    finally:
        subprocess.run(["umount", tmp_path], check=True)
