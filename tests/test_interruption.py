"""A signal ends long work even where Python drops the exception of its handler, or where the work is C++."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hepml.evaluator import Evaluator
from hepml.geometry import PAPER
from hepml.ranges import measure_ranges
from hepml.trees import Towers

DROPPED = """
import signal, sys
from hepml import interruption
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and so do its children
interruption.listen()
class Destroyed:
    def __del__(self):
        signal.raise_signal(getattr(signal, sys.argv[1]))
"""

TRAINING = """
sys.path.insert(0, sys.argv[2])
from training.conftest import SMALL, plane
from hepml.training import train
def once(progress):
    if progress.epoch == 2:
        Destroyed()
train(output=sys.argv[3], progress=once, **plane(200), **SMALL | {"epochs": 2000, "patience": 2000})
"""

COMMAND = """
import types
import click
from hepml.cli.main import COMMANDS, main
sys.modules["late"] = types.SimpleNamespace(command=click.Command("late", callback=Destroyed))
COMMANDS["late"] = ("late", "")
main(["late"])
"""

CHUNKS = """
import hepml
from hepml.demo import sample_file
for events in hepml.iterate_events(sample_file("electrons"), step_size=500):
    print(len(events))
    Destroyed()
"""


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "SystemExit: 143")])
def test_what_a_destructor_dropped_is_raised_again(sent, code):
    done = python(DROPPED + "Destroyed()\nprint('goes on')\ninterruption.check()\nprint('not here')", sent)
    assert done.stdout == "goes on\n"
    assert "Exception ignored in" in done.stderr
    assert code in done.stderr
    assert done.returncode in (-2, 130, 143)


DROPPED_FOR_GOOD = "Destroyed()\nimport time\nwhile True:\n    time.sleep(0.01)"


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "SystemExit: 143")])
def test_what_was_dropped_is_raised_again_where_nobody_asks_for_it(sent, code):
    done = python(DROPPED + DROPPED_FOR_GOOD, sent)
    assert code in done.stderr
    assert done.returncode in (-2, 130, 143)


UNWINDING = """
import contextlib, time
@contextlib.contextmanager
def cleaned():
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            time.sleep(1.5)
        print("whole", flush=True)
class Cleaned:
    def __enter__(self):
        pass
    def __exit__(self, *error):
        time.sleep(1.5)
        print("too", flush=True)
with Cleaned(), cleaned():
    signal.raise_signal(getattr(signal, sys.argv[1]))
"""


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM"])
def test_what_cleans_up_is_not_disturbed(sent):
    done = python(DROPPED + UNWINDING, sent)
    assert done.stdout == "whole\ntoo\n", done.stderr
    assert done.returncode in (-2, 130, 143)


CODES = pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])


@CODES
def test_leaving_gives_the_code_of_the_signal(sent, code):
    done = python(DROPPED + "print('last words')\nDestroyed()\ninterruption.leave()\nprint('not here')", sent)
    assert (done.returncode, done.stdout) == (code, "last words\n")


def test_without_a_signal_nobody_leaves():
    assert python(DROPPED + "interruption.leave()\nprint('goes on')").stdout == "goes on\n"


@CODES
def test_a_command_that_was_done_when_the_signal_came_says_so(sent, code):
    done = python(DROPPED + COMMAND, sent)
    assert "Exception ignored in" in done.stderr
    assert done.returncode == code


def test_an_error_that_a_signal_was_turned_into_is_the_signal():
    failing = "def failing():\n    Destroyed()\n    raise RuntimeError('driver write request failed')\n"
    done = python(DROPPED + failing + COMMAND.replace("callback=Destroyed", "callback=failing"), "SIGTERM")
    assert done.returncode == 143
    assert "driver write request failed" not in done.stderr


def test_reading_ends_at_the_next_chunk():
    done = python(DROPPED + CHUNKS, "SIGTERM")
    assert (done.returncode, done.stdout) == (143, "500\n"), done.stderr


def test_a_training_ends_when_the_exception_was_dropped(request, tmp_path):
    done = python(DROPPED + TRAINING, "SIGTERM", request.path.parent, tmp_path / "run")
    assert done.returncode == 143, done.stderr
    assert "Exception ignored in" in done.stderr
    assert (tmp_path / "run" / "run.json").exists()


def test_an_ignored_interrupt_stays_ignored():
    code = "import signal\nsignal.signal(2, signal.SIG_IGN)\nfrom hepml import interruption\ninterruption.listen()\n"
    done = python(code + "signal.raise_signal(2)\ninterruption.check()\nprint('goes on')")
    assert (done.returncode, done.stdout) == (0, "goes on\n")


class StoppedError(Exception):
    """What the handler below raises."""


@contextmanager
def third_alarm():
    """A timer whose handler raises the third time; one that waits for the end of a call runs once by then."""
    calls = []

    def handler(_number, _frame):
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise StoppedError

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def slow(layers=8, width=512, **block):
    """A network of one number that takes about 100 us for an event."""
    shape = [1, *[width] * layers, 1]
    dense = [
        {"architecture": "dense", "weights": [0.0] * (n * m), "bias": [0.0] * m, "activation": "linear"}
        for n, m in pairwise(shape)
    ]
    chain = [{"type": "feed_forward", "sources": [k], "layer_index": k} for k in range(len(dense))]
    document = {
        "inputs": [{"name": "mass", "variables": [{"name": "mass", "offset": 0.0, "scale": 1.0}]}],
        "input_sequences": [],
        "nodes": [{"type": "input", "sources": [0], "size": 1}, *chain],
        "layers": dense,
        "outputs": {"output": {"labels": ["signal"], "node_index": len(chain)}},
        "hepml": {"format_version": 1, **block},
    }
    return json.dumps(document)


def test_evaluating_runs_the_handlers_of_signals():
    ev, batch = Evaluator.from_text(slow()), np.zeros((1_000_000, 1), np.float32)
    with pytest.raises(StoppedError), third_alarm():
        ev(batch)


def test_tagging_runs_the_handlers_of_signals():
    ev = Evaluator.from_text(slow(geometry=PAPER.to_dict()))
    one = np.ones(1)
    towers = Towers(np.array([0, 1]), one, one, 0.1 * one, 0.1 * one, None)
    row, place = np.zeros(1_000_000, np.int64), np.full(1_000_000, 0.1)
    with pytest.raises(StoppedError), third_alarm():
        ev.tag(towers, towers, row, place, place)


def test_counting_runs_the_handlers_of_signals():
    ranges = measure_ranges([{"mass": np.arange(100.0)[:, None]}], {"mass": ["mass"]})
    ev = Evaluator.from_text(slow(layers=0, ranges=ranges))
    batch = np.zeros((30_000_000, 1), np.float32)
    with pytest.raises(StoppedError), third_alarm():
        ev.count(batch)


def test_an_interrupt_ends_a_large_batch():
    code = (
        "import signal, sys\nimport numpy as np\nfrom hepml.evaluator import Evaluator\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "ev = Evaluator.from_text(sys.stdin.read())\nx = np.zeros((5_000_000, 1), np.float32)\n"
        "print('ready', flush=True)\nev(x)"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        try:
            process.stdin.write(slow())
            process.stdin.close()
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) in (-2, 130)  # the batch takes minutes
            assert "KeyboardInterrupt" in process.stderr.read()
        finally:
            process.kill()


DEFERRED = """
with interruption.deferred():
    with interruption.deferred():
        signal.raise_signal(getattr(signal, sys.argv[1]))
    print("done", flush=True)
print("not here")
"""


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "")])
def test_what_must_not_be_done_by_half_is_done_first(sent, code):
    done = python(DROPPED + DEFERRED, sent)
    assert done.stdout == "done\n"
    assert code in done.stderr
    assert done.returncode in (-2, 130, 143)


LOCKING = """
from pathlib import Path
from hepml import atomic
opened = atomic.os.open
def interrupted(*arguments):
    descriptor = opened(*arguments)
    signal.raise_signal(signal.SIGTERM)
    return descriptor
atomic.os.open = interrupted
with atomic.atomic_path(Path(sys.argv[2]) / "a.txt"):
    print("not here")
"""


def test_a_lock_whose_making_was_interrupted_is_removed(tmp_path):
    done = python(DROPPED + LOCKING, "SIGTERM", tmp_path)
    assert (done.returncode, done.stdout) == (143, ""), done.stderr
    assert not list(tmp_path.iterdir())


STARTING = """
import threading, time
from hepml.dataset.overlap import ahead
start = threading.Thread.start
def interrupted(self):
    start(self)
    signal.raise_signal(signal.SIGTERM)
threading.Thread.start = interrupted
def items():
    time.sleep(0.5)
    yield 1
list(ahead(items()))
"""


def test_a_thread_whose_start_was_interrupted_is_waited_for():
    done = python(DROPPED + STARTING, "SIGTERM")
    assert done.returncode == 143, done.stderr
    assert "ValueError" not in done.stderr


OTHER_ERROR = """
import signal, sys, time
from hepml import interruption
interruption.listen()
sys.path.insert(0, sys.argv[1])
from training.conftest import SMALL, plane
from hepml.training import train
times = []
def once(progress):
    times.append(time.monotonic())
    if times[-1] - times[0] > 2.5:  # the state is kept once a second
        try:
            signal.raise_signal(signal.SIGTERM)
        except SystemExit as error:
            raise RuntimeError("of C code") from error
train(output=sys.argv[2], progress=once, **plane(400), **SMALL | {"epochs": 100_000, "patience": 0})
"""


def test_a_signal_that_became_another_error_leaves_a_checkpoint(tmp_path):
    """As within a step of TensorFlow."""
    done = python(OTHER_ERROR, Path(__file__).parent, tmp_path / "run")
    assert "RuntimeError: of C code" in done.stderr
    assert (tmp_path / "run" / "checkpoint.npz").exists()


UNFINISHED = """
import os, signal, sys
from pathlib import Path
from hepml import interruption
from hepml.atomic import atomic_folder, atomic_path
interruption.listen()
outputs = [atomic_path(Path(sys.argv[1]) / "a.txt"), atomic_folder(Path(sys.argv[1]) / "b")]
for output in outputs:
    temporary = output.__enter__()
    (temporary / "x" if temporary.is_dir() else temporary).write_text("half")
if not os.fork():
    os._exit(0) if sys.argv[2] == "fork" else interruption.leave()
os.wait()
try:
    signal.raise_signal(signal.SIGTERM)
except SystemExit:
    print(len([path for path in Path(sys.argv[1]).iterdir() if ".tmp" in path.name]), flush=True)
    interruption.leave()
"""


def test_leaving_removes_what_was_not_unwound(tmp_path):
    """A signal between two bytecodes of the unwinding leaves a block that nobody ends."""
    done = python(UNFINISHED, tmp_path, "fork")
    assert (done.returncode, done.stdout) == (143, "2\n"), done.stderr
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith("lock")] == []
