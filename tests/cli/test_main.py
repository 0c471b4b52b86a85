"""The command itself: signals and exit codes."""

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hepml.cli.main import COMMANDS
from hepml.demo import sample_file


def test_error_is_one_message_without_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hepml", "inspect", str(tmp_path / "absent.root")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "absent.root" in done.stderr
    debug = subprocess.run([*command[:3], "--debug", *command[3:]], capture_output=True, text=True, timeout=60)
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_interrupted_training_leaves_a_code(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    data = tmp_path / "data.h5"
    convert = ["convert", "--signal", sample_file("electrons"), "--background", sample_file("jets"), "-o", str(data)]
    subprocess.run([sys.executable, "-m", "hepml", *convert], check=True, capture_output=True, timeout=120)
    run = tmp_path / "run"
    command = ["train", str(data), "--features", "mass", "-o", str(run), "--epochs", "100000"]
    # a shell's background job ignores SIGINT, and so do the processes that it starts
    start = "import signal, sys; signal.signal(2, signal.default_int_handler); from hepml.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *command, "--set", "patience=100000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        deadline = time.monotonic() + 120
        while not (run / "checkpoint.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(sent)
        assert process.wait(timeout=60) == code
    finally:
        process.kill()
        process.wait()
    assert (run / "checkpoint.npz").exists()
    assert json.loads((run / "run.json").read_text())["status"] == "running"


@pytest.mark.parametrize("chosen", ["jax", "nonsense"])
def test_a_back_end_that_is_not_installed_is_one_message(tmp_path: Path, chosen: str) -> None:
    if chosen == "jax" and importlib.util.find_spec("jax"):
        pytest.skip("jax is installed")
    command = [sys.executable, "-m", "hepml", "train", "data.h5", "--features", "mass", "-o", str(tmp_path / "run")]
    environment = {**os.environ, "KERAS_BACKEND": chosen}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("MissingExtraError: ")
    assert f"KERAS_BACKEND={chosen}" in done.stderr


LONG = ("convert", "merge", "train", "evaluate", "apply", "run")


def option(name: str, word: str) -> tuple[object, ...] | None:
    """What an option of a command is; None if there is no such option."""
    command = importlib.import_module(COMMANDS[name][0]).command
    found = next((one for one in command.params if word in one.opts), None)
    return None if found is None else (found.opts, found.default, str(found.type), found.help)


@pytest.mark.parametrize("word", ["--quiet", "--jobs", "--timeout", "--skip-bad"])
def test_an_option_is_the_same_wherever_it_is(word: str) -> None:
    kinds = [option(name, word) for name in LONG]
    assert len({str(kind) for kind in kinds if kind is not None}) == 1
    assert word != "--quiet" or None not in kinds


def test_quiet_leaves_standard_error_empty(sample: dict[str, Path], tmp_path: Path) -> None:
    words = ["convert", "--signal", sample["electrons"], "--background", sample["jets"], "-o", "data.h5", "--quiet"]
    parts = ["merge", "data.h5", "-o", "merged.h5", "--quiet"]
    for command in (words, parts):
        done = subprocess.run(
            [sys.executable, "-m", "hepml", *map(str, command)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
