"""Is a run what was written? run.json holds the checksum of every file of the training, and one of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.errors import InputFileError, TrainingError, VerificationError
from hepml.ledger import sealed, sha256_file
from hepml.training.run import read_record

__all__ = ["CheckedRun", "check_run", "checksums_of", "verify_run"]

_NOT_RECORDED = ("run.json", "log.txt")  # the record itself, and what differs between equal runs
_MARKS = (b'"checksum"', b'"checksums"')


@dataclass(frozen=True)
class CheckedRun:
    """What was found in the folder of a run.

    Attributes:
        record: the content of run.json.
        files: that it holds checksums of, itself included; 0 for a run of an earlier hepml.
        damaged: those that differ or are absent.
        others: files that came later, such as metrics.json, or that were never recorded.
    """

    record: dict[str, Any]
    files: int
    damaged: tuple[str, ...]
    others: tuple[str, ...]


def checksums_of(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that a training has written into its folder, by path."""
    return {name: sha256_file(folder / name) for name in _names(folder)}


def check_run(path: str | Path) -> CheckedRun:
    """Compares the files of a run, all its networks included, with the checksums in its run.json.

    Raises:
        InputFileError: no run.
        VerificationError: run.json itself is damaged beyond reading.
    """
    path = Path(path)
    try:
        record = read_record(path)
    except InputFileError as error:
        if any(mark in _content(path / "run.json") for mark in _MARKS):
            raise _damaged(path, [f"run.json ({error.problem})"]) from error
        raise
    present = _names(path)
    if "checksum" not in record and "checksums" not in record:
        return CheckedRun(record, 0, (), tuple(present))
    if sealed(record) != record:
        return CheckedRun(record, 1, ("run.json",), ())
    recorded = record["checksums"]
    wrong = [
        f"{name} (absent)" if not (path / name).is_file() else name
        for name, wanted in recorded.items()
        if not (path / name).is_file() or sha256_file(path / name) != wanted
    ]
    others = tuple(name for name in present if name not in recorded)
    return CheckedRun(record, len(recorded) + 1, tuple(wrong), others)


def verify_run(path: str | Path) -> CheckedRun:
    """As `check_run`, for a run that has to be whole.

    Raises:
        InputFileError: no run, or one of an earlier hepml, without checksums.
        TrainingError: the training has not ended.
        VerificationError: a file of the run is not as it was written.

    Example:
        >>> verify_run("runs/hl").files  # doctest: +SKIP
        6
    """
    found = check_run(path)
    if found.damaged:
        raise _damaged(path, found.damaged)
    if found.record["status"] != "done":
        raise TrainingError("the training has not ended", where=path, fix="give the same hepml train command again")
    if not found.files:
        raise InputFileError(
            "the run holds no checksums: an earlier hepml has made it", where=path, fix="train it again to have them"
        )
    return found


def _names(folder: Path) -> list[str]:
    """Files below a folder by path, without hidden ones: locks, and what a killed process left."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    visible = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return [path.as_posix() for path in visible if path.as_posix() not in _NOT_RECORDED]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:  # told by who reads it
        return b""


def _damaged(path: str | Path, names: tuple[str, ...] | list[str]) -> VerificationError:
    return VerificationError(
        "the run does not agree with its checksums",
        where=path,
        found="damaged: " + ", ".join(names),
        fix="train it again with --overwrite, or copy it again from where it was whole",
    )
