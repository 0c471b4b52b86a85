"""Run a command and compare what it did with the table of faults."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from faults.table import FAULTS

from hepml.cli import main

__all__ = ["Done", "check", "messages_of", "run", "snapshot", "spawn", "untouched"]

_MESSAGE = re.compile(r"^(?:[\w/]+: )?(\w+Error): ", re.MULTILINE)  # `hepml run` says first which step


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(*arguments: object) -> Done:
    """`hepml ARGUMENTS` in this process; warnings go to stderr, as they do outside of tests."""
    out, err = io.StringIO(), io.StringIO()
    with _warnings_to(err), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _warnings_to(stream: io.StringIO) -> Iterator[None]:
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.WARNING)
    logging.getLogger("hepml").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("hepml").removeHandler(handler)


def spawn(*arguments: object, env: Mapping[str, str] | None = None, timeout: float = 120, **options: Any) -> Done:
    """`hepml ARGUMENTS` in a process of its own; `env` is added to the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "hepml", *map(str, arguments)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        timeout=timeout,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def check(entry: str, done: Done, *named: object) -> None:
    """The exit code and class of the table, one message that names all of `named`, and no traceback."""
    fault = FAULTS[entry]
    assert done.code in fault.codes, done.err
    assert "Traceback" not in done.err
    messages = messages_of(done)
    assert len(messages) == bool(fault.errors), done.err
    assert set(messages) <= set(fault.errors), done.err
    for name in named:
        assert str(name) in done.err, done.err


def messages_of(done: Done) -> list[str]:
    """The classes that its messages begin with."""
    return _MESSAGE.findall(done.err)


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones too, with the hash of its content."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
        for path in sorted(folder.rglob("*"))
    }


@contextlib.contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """What the block does leaves a folder as it was, to the byte: nothing new, temporary or changed."""
    before = snapshot(folder)
    yield
    assert snapshot(folder) == before


def inputs(few: dict[str, Path]) -> tuple[object, ...]:
    """Options of `hepml convert`."""
    return ("--signal", few["electrons"], "--background", few["jets"])
