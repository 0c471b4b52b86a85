"""HDF5 files that may be damaged, looked at in a process of their own: some make the HDF5 library crash or never end.

The process is `hepml.dataset.apart_process`. Where it ends without an outcome, the library did not survive the file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from hepml.dataset.seal import broken_seal

__all__ = ["apart", "survives"]

_CHEAP = 1 << 28  # bytes whose digest takes less time than the start of a process
_PROCESS = ("-P", "-m", f"{__name__}_process")
_SECONDS, _BYTES_PER_SECOND = 60, 2_000_000  # of the processor: far more than a whole file takes


def survives(path: str | Path) -> str | None:
    """Why the file must not be opened in this process; None if it may be. A file is looked at once.

    A sealed file of at most 256 MiB whose bytes are those that were written is not looked at.
    """
    if not os.path.isfile(path):
        return None  # who opens it tells
    found = os.stat(path)
    return _survives(os.path.abspath(path), found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1024)
def _survives(path: str, inode: int, size: int, changed: int) -> str | None:
    if size <= _CHEAP and broken_seal(path) is None:
        return None
    outcome = apart("look", path)
    return outcome if isinstance(outcome, str) else next(iter(outcome), None)


def apart(what: str, path: str | Path) -> list[str] | str:
    """The outcome of "look" or "damages" in another process, or in words what ended it."""
    seconds = _SECONDS + os.path.getsize(path) // _BYTES_PER_SECOND
    done = subprocess.run(
        [sys.executable, *_PROCESS, what, os.path.abspath(path), str(seconds)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if done.returncode == 0:
        with suppress(ValueError, IndexError):  # memory was damaged, and it ended nevertheless
            return list(json.loads(done.stdout.splitlines()[-1]))
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"the HDF5 library came to no end in {seconds} s"
    ended = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    return f"the HDF5 library crashed ({ended})"
