"""Signals that end long work, and the process with it.

A handler runs between two bytecodes of the main thread. Within a destructor or a callback from C code its exception is
forgotten, and the work would go on: so it is kept, long loops ask for it with `check`, and a timer raises it again
unless it is being unwound. When all is unwound, `leave` ends the process without the end of the interpreter, where
TensorFlow, torn out of a step, may wait for ever.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["at_leaving", "check", "deferred", "leave", "listen", "received"]

_AGAIN = 0.5  # seconds after which an exception that is not being unwound has been dropped

_received: int | None = None  # number of the last signal
_deferred = 0
_leaving: list[Callable[[], object]] = []


def listen() -> None:
    """Turns SIGINT into KeyboardInterrupt and SIGTERM, a batch system's polite kill, into SystemExit(143).

    Unwinding removes temporary files. A SIGINT that the process was started to ignore stays ignored.
    """
    signal.signal(signal.SIGTERM, _receive)
    signal.signal(signal.SIGALRM, _raise_again)
    signal.siginterrupt(signal.SIGALRM, False)  # system calls go on
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # the end of the interpreter takes the handlers away
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _receive)


def check() -> None:
    """Raises what a signal has raised before, if it was dropped."""
    if _received == signal.SIGINT:
        raise KeyboardInterrupt
    if _received is not None:
        raise SystemExit(128 + _received)


def received() -> bool:
    """Whether a signal has come, whatever C code has made of what its handler raised."""
    return _received is not None


@contextmanager
def deferred() -> Iterator[None]:
    """A signal in the block is raised at its end: for what must not be done by half. Handlers run in the main thread.

    Example:
        >>> with deferred():
        ...     pass
    """
    global _deferred  # noqa: PLW0603
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _received
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1
    if _received != before and not _deferred:
        check()


def at_leaving(work: Callable[[], object]) -> None:
    """Has `leave` call this: for what a signal within the unwinding itself, between two bytecodes, has left."""
    _leaving.append(work)


def leave() -> None:
    """Ends the process with 128 + the number of the signal, if one has been received; what is buffered is written."""
    if _received is None:
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    for work in _leaving:
        work()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # a reader that is gone
            continue
    os._exit(128 + _received)


def _receive(number: int, _frame: object) -> None:
    global _received  # noqa: PLW0603
    _received = number
    signal.setitimer(signal.ITIMER_REAL, _AGAIN, _AGAIN)
    if not _deferred:
        check()


def _raise_again(_number: int, _frame: object) -> None:
    """TensorFlow's tracing calls Python from C code that drops exceptions, and goes on for seconds."""
    if not _deferred and sys.exc_info()[0] is None:  # within `finally` and `__exit__` there is one
        check()
