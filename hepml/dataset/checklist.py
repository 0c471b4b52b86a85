"""Checksums that inputs had when they were whole, as `sha256sum *.root > SHA256SUMS` lists them.

ROOT files hold no checksum that covers their data: a bit that flips in an uncompressed basket, or in one of LZ4 or
ZSTD, gives another number and no error. Only a list that was made before tells.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hepml.errors import InputFileError, nearest
from hepml.ledger import check_regular

__all__ = ["check_listed", "read_checksums"]

_LINE = re.compile(r"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


def read_checksums(path: str | Path) -> dict[str, str]:
    """Real path of each file -> its SHA-256 (hexadecimal, lower case); names are relative to the folder of the list.

    Raises:
        InputFileError: the list cannot be read, is empty, or is of another kind.
    """
    path = check_regular(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as error:
        raise InputFileError("cannot read the list of checksums", where=path, found=error.strerror) from error
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.removesuffix("\r"))
        if found is None:
            raise InputFileError(
                "not a list of checksums",
                where=f"{path}, line {number}",
                expected="64 hexadecimal digits, two blanks and a name",
                found=line,
                fix="write it where the files are: sha256sum *.root > SHA256SUMS",
            )
        escaped, digits, name = found.groups()
        if escaped:
            name = re.sub(r"\\[\\nr]", lambda match: _ESCAPES[match[0]], name)
        sums[os.path.realpath(path.parent / name)] = digits.lower()
    if not sums:
        raise InputFileError("the list of checksums is empty", where=path, fix="sha256sum *.root > SHA256SUMS")
    return sums


def check_listed(path: str, checksum: str, sums: Mapping[str, str]) -> None:
    """Refuses a file whose checksum is not the listed one, or that is not listed.

    Raises:
        InputFileError: so it is.
    """
    expected = sums.get(os.path.realpath(path))
    if expected is None:
        raise InputFileError(
            "the file is not in the list of checksums",
            where=path,
            nearest=nearest(Path(path).name, [Path(name).name for name in sums]),
            fix="add it to the list, or leave it out",
        )
    if expected != checksum:
        raise InputFileError(
            "the file is not what its listed checksum says: it was damaged or replaced",
            where=path,
            expected=f"SHA-256 {expected}",
            found=f"SHA-256 {checksum}",
            fix="copy it again from where it is whole",
        )
