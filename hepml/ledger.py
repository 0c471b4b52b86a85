"""What went in and what came out: checksums, hashes, the environment, and outputs that are complete or absent.

An output is written under a hidden temporary name in its own folder, synchronised to disk and then given its name in
one step. A process that is killed, a full disk or an error leaves the old output, or none, never half of a new one.
Temporary files of processes that died are removed by the next writer of the same output.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.errors import DataError, HepmlError, InputFileError, OutputError

__all__ = [
    "atomic_folder",
    "atomic_path",
    "check_not_input",
    "check_output",
    "code_version",
    "config_hash",
    "environment",
    "json_text",
    "make_folder",
    "read_json",
    "sha256_array",
    "sha256_file",
    "write_json",
]

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "file too large"}
_FORBIDDEN = {errno.EROFS: "the file system is read-only", errno.EACCES: "no permission", errno.EPERM: "not permitted"}
_REASONS = {**_FULL, **_FORBIDDEN, errno.EIO: "input/output error"}
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


def check_output(path: str | Path, overwrite: bool = False) -> Path:
    """The output path, after the checks that can be made before any work is done.

    Raises:
        OutputError: the name is taken (and `overwrite` is off, or what is there is not a regular file or folder), or
            its folder, or the nearest one above that exists, cannot be written.
    """
    path = Path(path)
    try:
        path.lstat()
        usable = path.is_file() or path.is_dir()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        _refuse(path, path, error)
    else:
        if not overwrite:
            raise OutputError("the output exists", where=path, fix="choose another name, or pass --overwrite")
        if not usable:
            raise OutputError("the output exists and is neither a file nor a folder", where=path)
    folder = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not folder.is_dir():
        raise OutputError("the output's folder is a file", where=folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError("the output's folder cannot be written", where=folder, fix="choose another folder")
    return path


def check_not_input(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Refuses an output, new or to be replaced, that is one of the inputs or a folder that holds one.

    Raises:
        OutputError: it would destroy an input.
    """
    for one in inputs:
        path = Path(os.path.realpath(one))
        if place := next((place for place in (path, *path.parents) if _same(output, place)), None):
            what = "an input" if place == path else "a folder with an input in it"
            raise OutputError(f"the output is {what}", where=output, found=one, fix="choose another name")


def _same(one: str | Path, other: str | Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return False


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder and those above it; returns the ones that were absent, the deepest first.

    Raises:
        OutputError: they cannot be made.
    """
    try:
        absent = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError("the output's folder cannot be made", where=folder, found=error.strerror) from error
    return absent


@contextlib.contextmanager
def atomic_path(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, with the same suffix, that becomes `path` if the block succeeds.

    Args:
        path: the output file; its folder is made if absent.
        overwrite: replace an existing file.

    Raises:
        OutputError: the file exists and `overwrite` is off, the disk is full, the folder is read-only.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     (Path(folder) / "a.txt").read_text()
        'whole'
    """
    path = check_output(path, overwrite)
    if path.is_dir():
        raise OutputError("the output is a folder", where=path, expected="the name of a file")
    made = make_folder(path.parent)
    temporary = _temporary(path)
    try:
        yield temporary
        if not temporary.exists():
            raise OutputError("nothing was written", where=path)
        _synchronise(temporary)
        _rename(temporary, path, overwrite)
    except HepmlError:
        raise
    except (OSError, RuntimeError, SystemError) as error:
        _refuse(path, temporary, error)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        _remove_empty(made)


@contextlib.contextmanager
def atomic_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` if the block succeeds; an old one is replaced as a whole.

    Raises:
        OutputError: the folder exists and `overwrite` is off, the disk is full, the parent is read-only.
    """
    path = check_output(path, overwrite)
    if path.is_file():
        raise OutputError("the output is a file", where=path, expected="the name of a folder")
    made = make_folder(path.parent)
    temporary = _temporary(path)
    old = temporary.with_name(temporary.name + "-old")
    try:
        temporary.mkdir()
        yield temporary
        for file in sorted(temporary.rglob("*")):
            if file.is_file():
                _synchronise(file)
        if path.exists():
            path.rename(old)
        temporary.rename(path)
        _synchronise(path.parent)
    except HepmlError:
        raise
    except (OSError, RuntimeError, SystemError) as error:
        _refuse(path, temporary, error)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _temporary(path: Path) -> Path:
    """A hidden name that tells whose it is; leftovers of this host's dead processes are removed."""
    owner = hashlib.sha256(f"{socket.gethostname()}/{path.name}".encode(errors="surrogateescape")).hexdigest()[:12]
    head = f".{path.stem[:24]}.{owner}-"  # short: a name of 255 bytes is allowed
    with contextlib.suppress(OSError):
        for leftover in path.parent.glob(f"{_literal(head)}*{_literal(path.suffix)}"):
            process = leftover.name[len(head) :].split(".")[0]
            if process.isdigit() and not _alive(int(process)):
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)
    return path.with_name(f"{head}{os.getpid()}.tmp{path.suffix}")


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(temporary: Path, path: Path, overwrite: bool) -> None:
    """Gives the file its name; without `overwrite` a file that appeared meanwhile is kept."""
    if overwrite:
        temporary.replace(path)
    else:
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise OutputError(
                "the output exists: another process wrote it meanwhile", where=path, fix="choose another name"
            ) from error
        except OSError:  # a file system without hard links
            temporary.replace(path)
    _synchronise(path.parent)


def _refuse(path: Path, written: Path, error: BaseException) -> NoReturn:
    """Raises OutputError if the error is about writing, or names what is written; else the error itself."""
    number = error.errno if isinstance(error, OSError) else None
    found = re.search(r"errno = (\d+)", str(error))  # HDF5 only tells in its message
    if found:
        number = int(found.group(1))
    named = getattr(error, "filename", None)
    file = Path(os.fsdecode(named)) if isinstance(named, str | bytes | Path) else Path()
    if number not in _REASONS and written not in (file, *file.parents):
        raise error
    reason = _REASONS.get(number or 0) or os.strerror(number or 0).lower()
    raise OutputError(
        f"cannot write the output: {reason}",
        where=path,
        fix="free some space or choose another place" if number in _FULL else "choose another place",
    ) from error


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal.

    Raises:
        InputFileError: the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error


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
        InputFileError: the file cannot be read or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
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
