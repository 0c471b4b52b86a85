"""Outputs that are complete or absent.

An output is written under a hidden temporary name in its own folder, synchronised to disk and then given its name in
one step. A process that is killed, a full disk or an error leaves the old output, or none, never half of a new one.
Temporary files of processes that died are removed by the next writer of the same output. A lock, which the system takes
from a process that ends in whatever way, keeps a second writer of the same output out.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import NoReturn

from hepml import interruption
from hepml.errors import HepmlError, OutputError
from hepml.stages import stage

__all__ = [
    "alone",
    "atomic_folder",
    "atomic_path",
    "check_not_input",
    "check_output",
    "copy_file",
    "make_folder",
    "sweep",
    "writing",
]

_unfinished: dict[Path, tuple[Path, int]] = {}  # temporary name -> output, and the process that writes it
_OLD = "-old"
_HERE, _RENAME_EXCHANGE = -100, 2  # AT_FDCWD and a flag of renameat2(2)
_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "file too large"}
_FORBIDDEN = {errno.EROFS: "the file system is read-only", errno.EACCES: "no permission", errno.EPERM: "not permitted"}
_REASONS = {**_FULL, **_FORBIDDEN, errno.EIO: "input/output error"}


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


def _same(one: str | Path | int, other: str | Path) -> bool:
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
        OutputError: the file exists and `overwrite` is off, the disk is full, the folder is read-only, another process
            is writing the same file.

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
    with _replacing(path) as temporary:
        stage("write", path)
        yield temporary
        if not temporary.exists():
            raise OutputError("nothing was written", where=path)
        stage("fsync", path)
        _synchronise(temporary)
        stage("rename", path)
        _rename(temporary, path, overwrite)


@contextlib.contextmanager
def atomic_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` if the block succeeds; an old one is replaced as a whole.

    Raises:
        OutputError: the folder exists and `overwrite` is off, the disk is full, the parent is read-only.
    """
    path = check_output(path, overwrite)
    if path.is_file():
        raise OutputError("the output is a file", where=path, expected="the name of a folder")
    with _replacing(path) as temporary:
        stage("write", path)
        temporary.mkdir()
        yield temporary
        stage("fsync", path)
        for one in (*sorted(temporary.rglob("*")), temporary):
            _synchronise(one)
        stage("rename", path)
        if path.exists() and not _exchange(temporary, path):
            path.rename(_old(temporary))
        if not path.exists():
            temporary.rename(path)
        _synchronise(path.parent)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """For a file that is written while an output is: an error of the disk names this one.

    Raises:
        OutputError: the disk is full, the folder is read-only.
    """
    try:
        yield
    except OSError as error:
        _refuse(path, path, error)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """The temporary name of an output that this process alone writes; what is left there in the end is removed."""
    made: list[Path] = []
    temporary = path
    try:
        made = make_folder(path.parent)
        with alone(path.with_name(f"{_head(path)}lock"), path):
            temporary = _temporary(path)
            _unfinished[temporary] = path, os.getpid()
            try:
                yield temporary
            finally:
                _give_up(temporary, path)
    except HepmlError:
        raise
    except (OSError, RuntimeError, SystemError) as error:
        _refuse(path, temporary, error)
    finally:
        _remove_empty(made)


@contextlib.contextmanager
def alone(lock: Path, path: Path) -> Iterator[None]:
    """Holds the lock of an output: a second writer is refused at once. A file system without locks gives none.

    The system frees the lock of a process that ends in whatever way; its file is removed by the next holder.

    Args:
        lock: its file, made if absent.
        path: the output, for the message.

    Raises:
        OutputError: another process, or thread, holds it; its file cannot be made.
    """
    held: FileIO | None = None
    try:
        with interruption.deferred():
            held = _locked(lock, path)
        yield
    finally:
        try:
            _free(held, lock)
        finally:
            _free(held, lock)  # if a signal has come meanwhile


def _free(held: FileIO | None, lock: Path) -> None:
    """Removes a lock's file, as long as it is this process' own, and gives the lock away."""
    if held is None or held.closed:
        return
    if _same(held.fileno(), lock):
        with contextlib.suppress(OSError):
            lock.unlink()
    held.close()


def _locked(lock: Path, path: Path) -> FileIO:
    """A lock's file that this process holds."""
    while True:
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            _refuse(path, lock, error)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputError(
                "another process is writing the output", where=path, fix="wait for its end, or choose another name"
            ) from error
        except OSError:
            break
        if _same(descriptor, lock):
            break
        os.close(descriptor)  # its last holder has removed it meanwhile
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, 0o666)  # if this process is killed, the next holder may be somebody else
    return FileIO(descriptor, "r+")


def sweep(path: Path) -> None:
    """Removes what killed writers of an output left beside it; where another process writes it, nothing."""
    with contextlib.suppress(OutputError), alone(path.with_name(f"{_head(path)}lock"), path):
        _temporary(path)


def copy_file(source: Path, path: Path) -> None:
    """Copies a file, atomically; an existing one is replaced."""
    with atomic_path(path, overwrite=True) as temporary:
        shutil.copyfile(source, temporary)


def _give_up(temporary: Path, path: Path) -> None:
    """Removes what is under a temporary name; an old folder gets its name back."""
    _remove(temporary)
    _restore(_old(temporary), path)
    _unfinished.pop(temporary, None)


def _give_up_all() -> None:
    """The same for all outputs of this process, which may be a fork of the one that writes them."""
    for temporary, (path, process) in list(_unfinished.items()):
        if process == os.getpid():
            _give_up(temporary, path)


interruption.at_leaving(_give_up_all)


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _head(path: Path) -> str:
    """How the hidden names of an output begin; short, as a name of 255 bytes is allowed."""
    return f".{path.stem[:24]}.{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def _temporary(path: Path) -> Path:
    """A hidden name that tells whose it is; leftovers of this host's dead processes are removed."""
    head = f"{_head(path)}{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]}-"
    with contextlib.suppress(OSError):
        for leftover in path.parent.glob(f"{_literal(head)}*"):
            process = leftover.name[len(head) :].split(".")[0]
            if process.isdigit() and not _alive(int(process)):
                _restore(leftover, path) if leftover.name.endswith(_OLD) else _remove(leftover)
    return path.with_name(f"{head}{os.getpid()}.tmp{path.suffix}")


def _old(temporary: Path) -> Path:
    """Where an old folder is while the new one gets its name, if the two cannot be exchanged."""
    return temporary.with_name(f"{temporary.name}{_OLD}")


def _restore(old: Path, path: Path) -> None:
    """Gives an old folder its name back if the new one did not get it, and removes it otherwise."""
    if os.path.lexists(old) and not os.path.lexists(path):
        old.rename(path)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two names in one step; False where the file system or the C library cannot."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return swap is not None and swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _RENAME_EXCHANGE) == 0


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
