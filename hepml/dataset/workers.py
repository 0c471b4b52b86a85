"""Reads the files of a conversion, here or in workers, and gives their rows always in the same order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hepml.dataset.checklist import check_listed
from hepml.dataset.processes import here
from hepml.dataset.rows import Options, Rows, read_input
from hepml.dataset.sources import UNREADABLE, Input, reason_of
from hepml.errors import HepmlError
from hepml.ledger import check_unchanged, file_state, sha256_file

__all__ = ["Bad", "Task", "Workers", "read_inputs"]


@dataclass(frozen=True)
class Task:
    """How files are read: the same for all of a conversion."""

    options: Options
    step_size: int | str = "5 MB"
    checksums: Mapping[str, str] | None = None  # of whole files, by their real paths

    def steps(self, each: Input) -> Iterator[Rows]:
        """The rows of one file; for `Processes`."""
        return read(each, self)


@dataclass(frozen=True)
class Bad:
    """An input that could not be read and is left out: its number, and why."""

    file_id: int
    reason: str
    error: HepmlError | None = None


class Workers(Protocol):
    """Something that reads whole files at a time: processes, or a cluster."""

    def read(self, inputs: Sequence[Input], task: Task) -> Iterator[tuple[Input, list[Rows] | HepmlError]]:
        """Every input in its order, with its rows or why there are none."""


def read_inputs(
    inputs: Sequence[Input], task: Task, *, workers: Workers | None = None, skip_bad: bool = False
) -> Iterator[Rows | Bad]:
    """The rows of all inputs in their order.

    With workers, and with `skip_bad`, the rows of a file wait in memory until it is read whole: as sparse images, about
    0.6 kB each.

    Args:
        skip_bad: an input that cannot be read gives a `Bad` and no rows, instead of an error.

    Raises:
        HepmlError: whatever reading raises; a worker died or hung again and again.
    """
    for each in inputs:
        if each.error is not None:
            yield Bad(each.number, each.error)
    good = [each for each in inputs if each.error is None]
    if workers is None and not skip_bad:
        for each in good:
            yield from read(each, task)
        return
    for each, result in here(good, task) if workers is None else workers.read(good, task):
        if not isinstance(result, HepmlError):
            yield from result
        elif skip_bad and isinstance(result, UNREADABLE):
            yield Bad(each.number, reason_of(result), result)
        else:
            raise result


def read(each: Input, task: Task) -> Iterator[Rows]:
    """The rows of one file, with its checksum.

    Raises:
        InputFileError: the file is not what its listed checksum says, or was changed meanwhile; and whatever reading
            raises.
    """
    if each.file.remote:
        yield from read_input(each, task.options, task.step_size)
        return
    before = file_state(each.file.path)
    checksum = sha256_file(each.file.path)
    if task.checksums is not None:
        check_listed(each.file.path, checksum, task.checksums)
    for rows in read_input(each, task.options, task.step_size):
        yield replace(rows, sha256=checksum)
    check_unchanged(each.file.path, before)
