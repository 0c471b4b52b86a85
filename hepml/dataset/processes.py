"""Files worked on one by one: in this process, or in worker processes that may die or hang.

What a process was reading when it died is read again, or named.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from hepml import interruption
from hepml.errors import HepmlError, InputFileError, printable
from hepml.trees import Source

__all__ = ["Each", "Processes", "Work", "here", "whole"]

_log = logging.getLogger("hepml")
_ATTEMPTS = 3  # for a file whose reader dies
# spawned, not forked: a process that holds threads of TensorFlow or OpenMP must not be forked
_CONTEXT = multiprocessing.get_context("spawn")


class Each(Protocol):
    """A file to work on, and its number among all."""

    @property
    def number(self) -> int: ...
    @property
    def file(self) -> Source: ...


class Work(Protocol):
    """What is done with each file; goes to the processes once."""

    def steps(self, each: Any) -> Iterator[Any]:
        """What a file gives, step by step; each step is a sign of life."""


def here(inputs: Iterable[Any], task: Work) -> Iterator[tuple[Any, list[Any] | HepmlError]]:
    """Every input in its order, as `Processes.read` gives them, in this process."""
    for each in inputs:
        yield each, whole(each, task)


def whole(each: Any, task: Work) -> list[Any] | HepmlError:
    """All that the steps of a file give, or why there is nothing."""
    try:
        return list(task.steps(each))
    except HepmlError as error:
        return error


class _Worker:
    """A process and the file that it reads."""

    def __init__(self, task: Work) -> None:
        self.pipe, other = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(other, task), daemon=True)
        self.process.start()
        other.close()
        self.each: Each | None = None
        self.sign = time.monotonic()  # when it was last heard of

    def give(self, each: Each) -> None:
        self.each, self.sign = each, time.monotonic()
        try:
            self.pipe.send(each)
        except OSError:  # it is dead already: its pipe says so when it is asked
            return

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Processes:
    """Processes on this machine, each of which reads whole files.

    At most `jobs` + 1 files are read ahead of the one that is awaited. A file whose reader dies is read again, with
    one process fewer, as memory may have been short; so is one whose reader gives no sign of life.

    Args:
        jobs: processes.
        timeout: seconds without a sign of life, a step of a file that was read, after which a process is ended.
    """

    def __init__(self, jobs: int, timeout: float = 1800.0) -> None:
        self._jobs = jobs
        self._timeout = timeout

    def read(self, inputs: Sequence[Any], task: Work) -> Iterator[tuple[Any, list[Any] | HepmlError]]:
        """Every input in its order, with what its steps gave or why there are none."""
        jobs = min(self._jobs, len(inputs))
        todo, order = deque(inputs), deque(inputs)
        done: dict[int, list[Any] | HepmlError] = {}
        losses: dict[int, int] = {}
        crew: list[_Worker] = []
        try:
            while order:
                while order and order[0].number in done:
                    each = order.popleft()
                    yield each, done.pop(each.number)
                for worker in [worker for worker in crew if worker.each is None][: max(0, len(crew) - jobs)]:
                    worker.end()
                    crew.remove(worker)
                busy = sum(worker.each is not None for worker in crew)
                # the awaited file itself is always given out
                while todo and busy < jobs and (busy + len(done) <= jobs or todo[0] is order[0]):
                    idle = next((worker for worker in crew if worker.each is None), None)
                    if idle is None:
                        crew.append(idle := _Worker(task))
                    idle.give(todo.popleft())
                    busy += 1
                interruption.check()
                for worker in self._lost(crew, done):
                    assert worker.each is not None
                    each, hung = worker.each, worker.process.is_alive()
                    worker.end()
                    crew.remove(worker)
                    losses[each.number] = losses.get(each.number, 0) + 1
                    jobs = jobs if hung else max(1, jobs - 1)
                    error = self._error(each, hung, worker.process.exitcode)
                    if losses[each.number] < _ATTEMPTS:
                        _log.warning("%s: %s; reading it again", printable(each.file.path), error.problem)
                        todo.appendleft(each)
                    else:
                        done[each.number] = error
        finally:
            for worker in crew:
                worker.end()

    def _lost(self, crew: list[_Worker], done: dict[int, list[Any] | HepmlError]) -> list[_Worker]:
        """Waits for messages; the workers that died or hang."""
        busy = {worker.pipe: worker for worker in crew if worker.each is not None}
        lost = []
        for pipe in wait(list(busy), timeout=min(1.0, self._timeout)) if busy else []:
            worker = busy[pipe]  # type: ignore[index]
            try:
                kind, content = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(5.0)
                lost.append(worker)
                continue
            worker.sign = time.monotonic()
            if kind == "done" and worker.each is not None:
                done[worker.each.number] = content
                worker.each = None
        now = time.monotonic()
        late = [worker for worker in crew if worker.each is not None and now - worker.sign > self._timeout]
        return [*lost, *(worker for worker in late if worker not in lost)]

    def _error(self, each: Each, hung: bool, code: int | None) -> HepmlError:
        if hung:
            return InputFileError(
                f"a process that was reading gave no sign of life for {self._timeout:g} s",
                where=each.file.path,
                fix="see whether the disk answers, or give a longer --timeout",
            )
        return InputFileError(
            "a process that was reading died",
            where=each.file.path,
            found=f"signal {-code}" if code is not None and code < 0 else f"exit code {code}",
            fix="use fewer --jobs: memory may be short; in a script, call this under if __name__ == '__main__'",
        )


def _work(pipe: Connection[Any, Any], task: Work) -> None:
    """Reads the files that are named on a pipe, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    while True:
        try:
            each = pipe.recv()
        except EOFError:
            return
        steps: list[Any] = []
        result: list[Any] | HepmlError = steps
        try:
            for step in task.steps(each):
                steps.append(step)
                pipe.send(("step", None))
        except HepmlError as error:
            result = error
        except Exception as error:
            result = HepmlError(
                "reading failed in a process", where=each.file.path, found=f"{type(error).__name__}: {error}"
            )
        try:
            pipe.send(("done", result))
        except OSError:  # the parent is gone
            return
