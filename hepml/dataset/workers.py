"""Reads the files of a conversion, one after another or in several processes, always in the same order."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from hepml.dataset.rows import Options, Rows, read_input
from hepml.dataset.sources import Input
from hepml.errors import HepmlError, InputFileError
from hepml.ledger import sha256_file

__all__ = ["read_inputs"]


def read_inputs(
    inputs: Sequence[Input], options: Options, *, jobs: int = 1, step_size: int | str = "100 MB"
) -> Iterator[Rows]:
    """The rows of all files in their order.

    With several jobs each process reads whole files, at most `jobs` + 1 files ahead of the writer; their rows wait in
    memory as sparse images, about 0.6 kB each.

    Raises:
        HepmlError: a process died; and whatever reading raises.
    """
    if jobs <= 1 or len(inputs) <= 1:
        for each in inputs:
            yield from _read(each, options, step_size)
        return
    # spawned, not forked: a process that holds threads of TensorFlow or OpenMP must not be forked
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(inputs)), mp_context=context) as pool:
        waiting: deque[tuple[Input, Future[list[Rows]]]] = deque()
        rest = iter(inputs)
        try:
            while True:
                for each in rest:
                    waiting.append((each, pool.submit(_read_whole, each, options, step_size)))
                    if len(waiting) > jobs:
                        break
                if not waiting:
                    return
                each, future = waiting.popleft()
                try:
                    yield from future.result()
                except BrokenProcessPool as error:
                    raise HepmlError(
                        "a process that was reading died",
                        where=each.file.path,
                        fix="use fewer --jobs: memory may be short",
                    ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read_whole(each: Input, options: Options, step_size: int | str) -> list[Rows]:
    return list(_read(each, options, step_size))


def _read(each: Input, options: Options, step_size: int | str) -> Iterator[Rows]:
    """The rows of one file with its checksum.

    Raises:
        InputFileError: the file was changed meanwhile.
    """
    if each.file.remote:
        yield from read_input(each, options, step_size)
        return
    before = _state(each.file.path)
    checksum = sha256_file(each.file.path)
    for rows in read_input(each, options, step_size):
        yield replace(rows, sha256=checksum)
    if _state(each.file.path) != before:
        raise InputFileError(
            "the file was changed while it was read", where=each.file.path, fix="convert it when it is complete"
        )


def _state(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    return found.st_ino, found.st_size, found.st_mtime_ns
