"""Arrays of an .npz of somebody else: numbers only, and no larger than what the file holds."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNREADABLE", "arrays_of"]

# what NumPy raises for a file that is not whole, or not what it seems
UNREADABLE = (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)
_DEFLATE = 1100  # it packs 1032 : 1 at most


def arrays_of(file: Any) -> dict[str, NDArray[Any]]:
    """The arrays of an open `numpy.lib.npyio.NpzFile` that was loaded with ``allow_pickle=False``.

    Raises:
        ValueError: an array is declared larger than its member of the file is, or holds objects; and the others of
            `UNREADABLE`.
    """
    members = file.zip.infolist()
    _check_declared(file.zip, members)
    numpy_format: Any = np.lib.format
    for member in members:
        with file.zip.open(member) as stream:
            version = numpy_format.read_magic(stream)
            read = numpy_format.read_array_header_1_0 if version == (1, 0) else numpy_format.read_array_header_2_0
            shape, _, dtype = read(stream)
        if math.prod(shape) * dtype.itemsize > member.file_size:
            raise ValueError(f"{member.filename} declares {shape} of {dtype} and holds {member.file_size} bytes")
    return {name: file[name] for name in file.files}


def _check_declared(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Refuses members that are declared larger than their bytes in the archive can hold; they may share these bytes."""
    stream: Any = archive.fp
    held = stream.seek(0, os.SEEK_END)
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename} is packed in a way that NumPy does not write")
    packed = _DEFLATE if any(member.compress_type == zipfile.ZIP_DEFLATED for member in members) else 1
    declared = sum(member.file_size for member in members)
    if declared > packed * held:
        raise ValueError(f"its arrays are declared as {declared} bytes and the file holds {held}")
