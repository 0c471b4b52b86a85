"""What a hostile file may not do: touch a canary, open a foreign file, run anything."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hepml.dataset.apart import _PROCESS

__all__ = ["Canary", "watched"]

_IN_OPEN, _IN_ACCESS, _IN_NONBLOCK = 0x20, 0x1, 0x800
_EXECUTED = frozenset({"os.system", "os.exec", "os.posix_spawn", "os.spawn", "subprocess.Popen", "pickle.find_class"})
_active: list[list[str]] = []  # an audit hook can never be removed: it is one, and looks here


class Canary:
    """A secret file that nobody has a reason to open, and a place where nothing may appear.

    Attributes:
        secret: the file, with content that looks like data.
        planted: what hostile code would make.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.secret = folder / "secret"
        self.secret.write_bytes(b"canary " * 100_000)
        self.planted = folder / "planted"


def _hook(event: str, arguments: Any) -> None:
    for events in _active:
        if event in _EXECUTED and not _looks(event, arguments):
            events.append(event)


def _looks(event: str, arguments: Any) -> bool:
    """Whether it is the process that meets HDF5 files first."""
    return event == "subprocess.Popen" and tuple(arguments[1][: 1 + len(_PROCESS)]) == (sys.executable, *_PROCESS)


sys.addaudithook(_hook)


@contextlib.contextmanager
def watched(canary: Canary) -> Iterator[None]:
    """Fails if the block opens the secret, by whatever library, makes what is planted, or starts or unpickles anything.

    Libraries in C open files without asking Python, so the kernel is asked (inotify) beside Python's audit hook.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(_IN_NONBLOCK)
    assert descriptor >= 0
    assert libc.inotify_add_watch(descriptor, os.fsencode(canary.secret), _IN_OPEN | _IN_ACCESS) >= 0
    before = canary.secret.stat().st_mtime_ns
    events: list[str] = []
    _active.append(events)
    try:
        yield
    finally:
        _active.remove(events)
        try:
            opened = os.read(descriptor, 4096)
        except BlockingIOError:
            opened = b""
        os.close(descriptor)
    masks = [struct.unpack_from("iIII", opened, at)[1] for at in range(0, len(opened) - 15, 16)]
    assert not masks, f"the secret was opened: {masks}"
    assert not events, events
    assert sorted(canary.folder.iterdir()) == [canary.secret]
    assert canary.secret.stat().st_mtime_ns == before
