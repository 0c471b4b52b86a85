"""The seal of a data file: behind the end of the HDF5 content a line with the SHA-256 of every byte before it.

The checksums inside the file cover what it holds; the bytes that HDF5 keeps for itself or leaves unused are covered by
nothing. With the seal a flipped bit is found wherever it is. HDF5 does not look behind its content, so any program
reads a sealed file; one that writes into it breaks the seal.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import BinaryIO

from hepml.errors import InputFileError
from hepml.ledger import check_regular

__all__ = ["broken_seal", "is_sealed", "seal"]

_MARK = "hepml-sha256"
_LINE = f"\n{_MARK} {{}}\n"
_LENGTH = len(_LINE.format("0" * 64))
_STEP = 1 << 20


def seal(path: str | Path) -> None:
    """Appends the line. Raises OSError where it cannot be written."""
    with Path(path).open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        line = _LINE.format(_digest(file, size)).encode()
        file.seek(size)
        file.write(line)


def is_sealed(path: str | Path) -> bool:
    """Whether the file ends as a sealed one does, whole or not.

    Raises:
        InputFileError: the file cannot be read.
    """
    check_regular(path)
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LENGTH))
            return _MARK.encode() in file.read()
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error


def broken_seal(path: str | Path) -> str | None:
    """What is wrong with the seal of a file, in words; None if every byte is as it was written.

    Raises:
        InputFileError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = Path(file.name).write_bytes(b"content")
        ...     seal(file.name)
        ...     whole = broken_seal(file.name)
        ...     _ = Path(file.name).write_bytes(Path(file.name).read_bytes().replace(b"cont", b"bont"))
        ...     (whole, "is not that of its bytes" in broken_seal(file.name))
        (None, True)
    """
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size - _LENGTH
            file.seek(max(size, 0))
            stored = re.fullmatch(_LINE.format("([0-9a-f]{64})").encode(), file.read())
            if stored is None:
                return "its last bytes are no checksum: cut short, or changed by another program"
            found = _digest(file, size)
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    return None if stored[1] == found.encode() else "the checksum of the file is not that of its bytes"


def _digest(file: BinaryIO, size: int) -> str:
    """Of the first `size` bytes."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, _STEP))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
