"""Who does what steps ask for: this process, one after another, or processes of their own, several at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hepml import interruption
from hepml.errors import HepmlError
from hepml.ledger import make_folder
from hepml.workflow.steps import Made, Place, Step

__all__ = ["Crew", "Here"]

# spawned, not forked: a process that holds threads of TensorFlow or OpenMP must not be forked
_CONTEXT = multiprocessing.get_context("spawn")
_PATIENCE = 10.0  # seconds that a step has to leave its checkpoint
Result = Made | HepmlError


class Here:
    """This process, which does one step at a time.

    Args:
        progress: gives, for a step, a context with what its library function calls with its progress.
    """

    most = 1

    def __init__(self, progress: Callable[[Step], AbstractContextManager[Any]]) -> None:
        self._progress = progress
        self._next: tuple[Step, Place] | None = None

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_error: object) -> None:
        self._next = None

    def start(self, step: Step, place: Place) -> None:
        """Takes a step, if there is none."""
        self._next = step, place

    def wait(self) -> tuple[str, Result]:
        """The name of a step that is done, and what it gave or why it failed."""
        if self._next is None:
            raise RuntimeError("no step was started")
        (step, place), self._next = self._next, None
        try:
            with self._progress(step) as report:
                return step.name, step.action(replace(place, progress=report))
        except HepmlError as error:
            return step.name, error


class Crew:
    """Processes on this machine, each of which does one step and ends.

    What they print is in OUTPUT/logs. They end with this process, however that ends, at the latest in a few seconds.

    Args:
        most: steps at the same time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._at_work: dict[Connection[Any, Any], tuple[str, multiprocessing.process.BaseProcess]] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends those that are at work, as SIGTERM does: what goes on where it was leaves its state."""
        for _name, process in self._at_work.values():
            process.terminate()
        for pipe, (_name, process) in self._at_work.items():
            process.join(_PATIENCE)
            process.kill()
            process.join()
            pipe.close()
        self._at_work.clear()

    def start(self, step: Step, place: Place) -> None:
        """Starts a step."""
        log = place.folder / "logs" / f"{step.name.replace('/', '-')}.txt"
        make_folder(log.parent)
        pipe, other = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_work, args=(other, step.action, replace(place, progress=None), log))
        process.start()
        other.close()
        self._at_work[pipe] = step.name, process

    def wait(self) -> tuple[str, Result]:
        """The name of a step that is done, and what it gave or why it failed; waits for one."""
        ready: list[Any] = []
        while not ready:
            interruption.check()
            ready = wait(list(self._at_work), timeout=1.0)
        pipe = ready[0]
        name, process = self._at_work[pipe]
        result: Result
        try:
            result = pipe.recv()
        except (EOFError, OSError):
            process.join(_PATIENCE)
            code = process.exitcode
            result = HepmlError(
                f"the process of {name} died",
                found=f"signal {-code}" if code is not None and code < 0 else f"exit code {code}",
                fix="see its file in the folder logs; if memory is short, do fewer steps at once",
            )
        process.join()
        pipe.close()
        del self._at_work[pipe]
        return name, result


def _work(pipe: Connection[Any, Any], action: Callable[[Place], Made], place: Place, log: Path) -> None:
    """Does a step, in a process of its own, and sends what it gave."""
    interruption.listen()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes itself
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    threading.Thread(target=_follow, args=(pipe,), daemon=True).start()
    try:
        result: Result = action(place)
    except HepmlError as error:
        result = error
    with contextlib.suppress(OSError):  # the parent is gone
        pipe.send(result)
    interruption.leave()


def _follow(pipe: Connection[Any, Any]) -> None:
    """Ends this process when the other end of the pipe is closed, as nothing is sent on it: the parent is gone."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os._exit(1)
