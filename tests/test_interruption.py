"""A signal ends long work even where Python drops the exception of its handler."""

import subprocess
import sys

import pytest

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
