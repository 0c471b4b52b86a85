"""How many threads may share work."""

from __future__ import annotations

import operator
import os

from hepml.errors import DataError

__all__ = ["MOST_THREADS", "threads_of"]

MOST_THREADS = 1024


def threads_of(wanted: int | None) -> int:
    """A number of threads as users give it: None is that of the processors that this process may use.

    Raises:
        DataError: not a whole number from 1 to 1024.

    Example:
        >>> threads_of(3), threads_of(None) >= 1
        (3, True)
    """
    if wanted is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        n = operator.index(wanted)
    except TypeError:
        n = 0
    if not 1 <= n <= MOST_THREADS:
        raise DataError("a number of threads that cannot be", expected=f"1 to {MOST_THREADS}", found=repr(wanted))
    return n
