"""Read again what a disk or a net failed to give once; what is damaged or absent stays so and is not tried again."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from hepml.errors import InputFileError, printable

__all__ = ["ATTEMPTS", "again", "wait_for"]

ATTEMPTS = 3
_PAUSE = 1.0  # s before the second attempt; twice that before the third
_PASSING = {
    getattr(errno, name)
    for name in ("EIO", "ESTALE", "ETIMEDOUT", "EAGAIN", "ECONNRESET", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH")
}
_log = logging.getLogger("hepml")
T = TypeVar("T")


def again(work: Callable[[], T]) -> T:
    """What `work` gives, at the latest at the third attempt.

    Raises:
        InputFileError: it met an error that does not pass, or again and again one that may.

    Example:
        >>> again(lambda: 3)
        3
    """
    attempt = 0
    while True:
        try:
            return work()
        except InputFileError as error:
            attempt += 1
            wait_for(error, attempt)


def wait_for(error: InputFileError, attempt: int) -> None:
    """Waits and warns if another attempt may help; otherwise raises the error.

    Args:
        error: of reading.
        attempt: how many there have been.
    """
    cause = _passing(error)
    if cause is None or attempt >= ATTEMPTS:
        raise error
    where = printable(error.parts.get("where", ""))
    _log.warning("%s: %s; reading it again", where, cause.strerror or type(cause).__name__)
    time.sleep(_PAUSE * attempt)


def _passing(error: BaseException | None) -> OSError | None:
    """The error of the disk or of the net that is behind an error, None if there is none."""
    while error is not None:
        if isinstance(error, OSError) and (error.errno in _PASSING or isinstance(error, TimeoutError)):
            return error
        error = error.__cause__ or error.__context__
    return None
