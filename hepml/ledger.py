"""What went in and what came out: checksums, hashes, the environment, and JSON that is complete or absent.

How outputs are written, whole or not at all, is in `hepml.atomic`; its names are here too.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import socket
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.atomic import atomic_folder, atomic_path, check_not_input, check_output, make_folder
from hepml.errors import DataError, InputFileError
from hepml.retrying import again

__all__ = [
    "atomic_folder",
    "atomic_path",
    "check_not_input",
    "check_output",
    "check_regular",
    "check_unchanged",
    "code_version",
    "config_hash",
    "environment",
    "file_state",
    "json_text",
    "make_folder",
    "read_json",
    "sealed",
    "sha256_array",
    "sha256_file",
    "write_json",
]

_PACKAGES = (
    "hepml",
    "numpy",
    "scipy",
    "uproot",
    "awkward",
    "h5py",
    "hist",
    "mplhep",
    "matplotlib",
    "scikit-learn",
    "tensorflow",
    "keras",
)


def check_regular(path: str | Path) -> Path:
    """The path, unless a pipe or a device is there: a file that is read more than once, or never ends, is none of them.

    Raises:
        InputFileError: it is neither a file nor a folder.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputFileError("not a regular file", where=path, fix="write it to a file first")
    return path


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal.

    Raises:
        InputFileError: the file cannot be read.
    """
    return again(lambda: _sha256(Path(path)))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error


def file_state(path: str | Path) -> tuple[int, int, int]:
    """What differs once a file was replaced or written to: its number on the disk, its size, its time.

    Raises:
        InputFileError: the file cannot be read.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    return found.st_ino, found.st_size, found.st_mtime_ns


def check_unchanged(path: str | Path, state: tuple[int, int, int]) -> None:
    """Refuses what was read from a file that is no longer in the state that it had before.

    Raises:
        InputFileError: it was replaced or written to meanwhile, or is gone.
    """
    if file_state(path) != state:
        raise InputFileError(
            "the file was changed while it was read", where=path, fix="give the command again when it is complete"
        )


def sha256_array(array: NDArray[Any]) -> str:
    """The SHA-256 of an array's type, shape and values (C order, little-endian), hexadecimal.

    Example:
        >>> sha256_array(np.zeros(2)) == sha256_array(np.zeros(2, ">f8"))
        True
    """
    array = np.asarray(array)
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    digest = hashlib.sha256(f"{little.dtype.str} {little.shape} ".encode())
    digest.update(np.ascontiguousarray(little).tobytes())
    return digest.hexdigest()


def config_hash(config: Mapping[str, Any]) -> str:
    """The SHA-256 of a configuration as canonical JSON: the order of its keys does not matter.

    Example:
        >>> config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
        True
    """
    text = json.dumps(_plain(config), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with the checksum of all else that it holds.

    Example:
        >>> one = sealed({"status": "done"})
        >>> sealed(one) == one, sealed({**one, "status": "lost"})["checksum"] == one["checksum"]
        (True, False)
    """
    return {**record, "checksum": config_hash({key: value for key, value in record.items() if key != "checksum"})}


@cache
def code_version() -> dict[str, str]:
    """hepml's version and the SHA-256 of its Python and its C++ sources: which code made an output."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return {"version": _version("hepml") or "unknown", "sources": digest.hexdigest(), "core": _core.__sources__}


def environment() -> dict[str, Any]:
    """Versions and platform, for sidecar logs and run records; imports none of the libraries it names."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "host": socket.gethostname(),
        "executable": sys.executable,
        "packages": {name: found for name in _PACKAGES if (found := _version(name)) is not None},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write_json(path: str | Path, obj: Any, overwrite: bool = True) -> Path:
    """Writes an object as JSON, atomically; NumPy numbers and arrays become plain, NaN and infinity become null.

    Raises:
        DataError: something in the object has no JSON form.
        OutputError: the file cannot be written, or exists and `overwrite` is off.
    """
    text = json.dumps(_plain(obj), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def json_text(obj: Any, indent: int | None = None) -> str:
    """An object as JSON text in ASCII, with the plain values of `write_json`: never NaN."""
    return json.dumps(_plain(obj), indent=indent, allow_nan=False)


def read_json(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputFileError: the file cannot be read, is a pipe, or is not JSON.
    """
    check_regular(path)
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))  # C++ passes over a mark of the encoding too
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    except (ValueError, RecursionError) as error:
        raise InputFileError("not a JSON file, or a damaged one", where=path, found=error) from error


def _plain(obj: Any, where: str = "$") -> Any:
    if obj is None or isinstance(obj, bool | int | str):
        return obj
    if isinstance(obj, float | np.floating):
        return float(obj) if math.isfinite(obj) else None
    if isinstance(obj, np.bool_ | np.integer):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return _plain(obj.tolist(), where)
    if isinstance(obj, Path):
        return str(obj)
    if isinstance(obj, Mapping):
        return {str(key): _plain(value, f"{where}.{key}") for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [_plain(value, f"{where}[{i}]") for i, value in enumerate(obj)]
    raise DataError("cannot be written as JSON", where=where, found=f"{type(obj).__name__}: {obj!r:.80}")
