"""S01, S03, S08: a disk that is full, SIGTERM and a second writer in each stage of the commands; see disturbing.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from faults.disturbing import HOWS
from faults.jobs import JOBS, prepare
from faults.remains import hidden

from hepml.training.checkpoint import read_checkpoint

TESTS = Path(__file__).parents[1]
QUICK = ("skim", "convert")  # all of them in the slow test
ENTRIES = {"full": "S01", "term": "S03", "two": "S08"}


def disturbed(times: int, *options: str) -> list[dict[str, Any]]:
    """Disturbs commands and gives what happened by stage."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "disturbed.json"
        asked = [sys.executable, "-m", "faults.disturbing", "--times", str(times), "--output", output, *options]
        done = subprocess.run(asked, cwd=TESTS, capture_output=True, text=True, check=False)
        assert output.exists(), done.stderr
        found: list[dict[str, Any]] = json.loads(output.read_text())
        return found


@pytest.fixture(scope="module")
def results() -> Callable[[], list[dict[str, Any]]]:
    """One run for all of the quick commands."""
    return cache(lambda: disturbed(2, *QUICK))


def check(rows: list[dict[str, Any]], how: str, command: str) -> None:
    """No problem in any stage, and none was left out that could be disturbed."""
    own = [row for row in rows if (row["how"], row["command"]) == (how, command)]
    assert [row["stage"] for row in own] == [*JOBS[command].stages]
    assert [problem for row in own for problem in row["problems"]] == []
    assert all(row["times"] for row in own if how != "two" or row["stage"] == "write")
    if how == "term":
        assert max(row["seconds"] for row in own) < 5


@pytest.mark.parametrize(
    ("how", "command"),
    [pytest.param(how, command, id=f"{ENTRIES[how]} {command}") for how in HOWS for command in QUICK],
)
def test_what_disturbs_a_command_leaves_nothing_wrong(how: str, command: str, results) -> None:
    check(results(), how, command)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "command"),
    [pytest.param(how, command, id=f"{ENTRIES[how]} {command}") for how in HOWS for command in sorted(JOBS)],
)
def test_all_commands_are_disturbed_in_all_stages(how: str, command: str) -> None:
    check(disturbed(3, "--how", how, command), how, command)


LONG = {  # what would go on for minutes, and the stage in which it is asked to end
    "apply": ("apply INPUTS/net.json {electrons} {jets} -o scores --step-size 2", "chunk"),
    "evaluate": ("evaluate INPUTS/run INPUTS/data.h5 -o evaluation --bootstrap 1000000", "score"),
    "train": ("train INPUTS/data.h5 --features et_and_ht -o run --epochs 100 --quiet", "epoch"),  # TensorFlow traces
    "vary": ("evaluate INPUTS/run INPUTS/data.h5 -o evaluation --bootstrap 1000000 --vary scale=1.1", "score"),
}


LEAVING = {  # trainings that are asked to end between their checkpoints, and the one that they leave
    "train": ("train INPUTS/data.h5 --features hl -o run", "run/checkpoint.npz"),
    "guide": (
        "guide INPUTS/data.h5 INPUTS/efps.h5 --benchmark INPUTS/run -o guided --seeds 1",
        "guided/pass0/checkpoint.npz",
    ),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    prepare(folder, ["evaluate", "guide"])
    return folder


def asked_to_end(arguments: list[str], stage: str, pause: float, folder: Path, *, lasting: float = 0) -> None:
    """A command gets SIGTERM so many seconds after it has begun a stage, and ends within 5 s.

    The stage is the first of its name, or the first that begins `lasting` seconds after that.
    """
    command = [sys.executable, "-m", "hepml", "--debug", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            begins = (time.monotonic() for line in process.stderr if line.startswith(f"stage {stage}"))
            first = next(begins)
            end = pause + (next(begin for begin in begins if begin - first > lasting) if lasting else first)
            reader = threading.Thread(target=process.stderr.read)
            reader.start()  # else it would wait until its lines are read
            time.sleep(max(0, end - time.monotonic()))
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            sent = time.monotonic()
            process.wait(timeout=60)
            assert time.monotonic() - sent < 5
            reader.join()
        finally:
            process.kill()
    assert process.returncode == 143
    assert hidden(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pause"),
    [pytest.param(name, pause, id=f"S03 long {name} {pause}") for name in LONG for pause in (0.5, 2, 5)],
)
def test_long_work_ends_within_five_seconds(
    name: str, pause: float, prepared: Path, sample: dict[str, Path], tmp_path: Path
) -> None:
    text, stage = LONG[name]
    asked_to_end(text.replace("INPUTS", str(prepared)).format(**sample).split(), stage, pause, tmp_path)
    assert not (tmp_path / "evaluation").exists()
    assert not list(tmp_path.glob("scores/*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(name, id=f"S03 leaving {name}") for name in LEAVING])
def test_a_checkpoint_is_left_within_five_seconds(name: str, prepared: Path, tmp_path: Path) -> None:
    text, left = LEAVING[name]
    more = "--set epochs=100000 --set patience=0 --quiet"
    asked_to_end(f"{text} {more}".replace("INPUTS", str(prepared)).split(), "epoch", 0, tmp_path, lasting=2)
    found = read_checkpoint(tmp_path / left)
    assert found is not None
    assert found[0]["state"]["epoch"] > 0
