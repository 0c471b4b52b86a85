"""S02: a command that is killed at chosen moments of its stages; see killing.py. And S01 with a real small disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from faults.jobs import JOBS, SCRIPTS
from faults.outcomes import check, spawn

from hepml.cli.main import hepml
from hepml.stages import STAGES

TESTS = Path(__file__).parents[1]
QUICK = ("skim",)  # all of them in the slow test
READING = {"inspect", "verify", "show", "doctor"}  # the commands that write nothing


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
@pytest.mark.parametrize("command", sorted(JOBS), ids=lambda name: f"S02 {name}")
def test_twenty_kills_in_each_stage(command: str, tmp_path: Path) -> None:
    found = killed(tmp_path, 20, command)
    assert {stage for _, stage in found} == {*JOBS[command].stages}
    for one in found.values():
        assert one["problems"] == []
        assert one["kills"] == 20


def test_every_command_that_writes_has_its_stages_and_is_killed() -> None:
    assert {job.arguments.split()[0] for job in JOBS.values()} - SCRIPTS.keys() == STAGES.keys()
    assert {*hepml.list_commands(click.Context(hepml))} == STAGES.keys() | READING
    for name in READING:  # an option with a path could be an output
        command = hepml.get_command(click.Context(hepml), name)
        assert command is not None
        options = [one for one in command.params if isinstance(one, click.Option)]
        assert {one.name for one in options if isinstance(one.type, click.Path | click.File)} <= {"folders"}


def test_the_page_has_the_counts_that_were_recorded() -> None:
    script = TESTS.parent / "scripts" / "crash_table.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


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
