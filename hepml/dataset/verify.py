"""Is a data file what was written, byte for byte, and are its inputs still what was read?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from hepml.dataset.checksum import damages
from hepml.dataset.reader import Dataset
from hepml.dataset.seal import broken_seal, is_sealed
from hepml.errors import HepmlError, InputFileError, VerificationError, check_path
from hepml.ledger import read_json, sha256_file

__all__ = ["InputCheck", "check_entry", "check_inputs", "log_of", "verify", "verify_as"]


@dataclass(frozen=True)
class InputCheck:
    """One input of a data file, looked at again.

    Attributes:
        name, sample: as the data file has them.
        path: where it was found, None if it was not.
        problem: what is wrong with it; None if its bytes are those that were read.
    """

    name: str
    sample: str
    path: str | None
    problem: str | None


def log_of(path: str | Path) -> Path:
    """The sidecar of a data file: time, host, full paths."""
    path = Path(path)
    return path.with_name(path.name + ".log.json")


class _Opened(Protocol):
    """A kind of file that `verify` knows."""

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Self: ...


File = TypeVar("File", bound=_Opened)


def verify(path: str | Path) -> Dataset:
    """Compares every byte of a data file with its seal, and every data set with its checksum.

    Args:
        path: a file that `hepml convert` or `hepml merge` wrote.

    Returns:
        The data file.

    Raises:
        InputFileError: absent, or not one of hepml's data files.
        VerificationError: a bit is not as it was written.

    Example:
        >>> verify("data.h5").checksum[:8]  # doctest: +SKIP
        '5b1c6cc1'
    """
    return verify_as(Dataset, path)


def verify_as(kind: type[File], path: str | Path) -> File:
    """`verify` for a file of another kind, such as `hepml.dataset.efps.EFPFile`."""
    path = check_path(path)
    if not is_sealed(path):
        return kind.open(path, verify=True)
    if broken_seal(path) is None:
        return kind.open(path, verify=True)
    raise VerificationError(
        "the file does not agree with its checksums",
        where=path,
        found="damaged: " + ", ".join(damages(path)),
        fix="write it again, or copy it again from where it was whole",
    )


def check_inputs(data: Dataset, folders: Iterable[str | Path] = ()) -> list[InputCheck]:
    """Compares the inputs of a data file with the checksums that it holds of them.

    Args:
        data: the data file.
        folders: where to look for the inputs by name; by default where the sidecar `data.h5.log.json` says they were.

    Returns:
        One record an input, in order.

    Raises:
        InputFileError: there is neither a folder nor a sidecar.
    """
    entries = data.provenance["inputs"]
    given = [Path(folder) for folder in folders]
    paths = [_found(entry["name"], given) for entry in entries] if given else _listed(data.path, entries)
    return [
        InputCheck(entry["name"], entry["sample"], path, check_entry(entry, path))
        for entry, path in zip(entries, paths, strict=True)
    ]


def _found(name: str, folders: Sequence[Path]) -> str | None:
    return next((str(folder / name) for folder in folders if (folder / name).is_file()), None)


def _listed(path: Path, entries: Sequence[Any]) -> list[str | None]:
    log = log_of(path)
    fix = "name the folders that hold the inputs: --folder DIR"
    try:
        content = read_json(log)
    except InputFileError as error:
        raise InputFileError("where the inputs are is not known", where=log, found=error.problem, fix=fix) from error
    listed = content.get("inputs") if isinstance(content, dict) else None
    names = [Path(one).name for one in listed if isinstance(one, str)] if isinstance(listed, list) else None
    if names != [entry["name"] for entry in entries]:
        raise InputFileError("the sidecar is not that of this data file", where=log, fix=fix)
    return list(listed or [])


def check_entry(entry: Any, path: str | None) -> str | None:
    """What is wrong with a file that a ledger has size and checksum of; None if its bytes are those."""
    if entry["sha256"] is None:
        return "no checksum was taken: it was skipped, or read from a URL"
    if path is None or not Path(path).is_file():
        return "absent"
    try:
        size, wanted = os.path.getsize(path), entry.get("size")
        if wanted is not None and size != wanted:
            return f"{size} bytes instead of {wanted}"
        found = sha256_file(path)
    except (OSError, HepmlError) as error:
        return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"
    return None if found == entry["sha256"] else f"SHA-256 {found[:12]}... instead of {entry['sha256'][:12]}..."
