"""Names of files and trees, and opening them: whatever is wrong ends in one InputFileError.

uproot raises many kinds of exceptions on damaged files (OSError, struct.error, zlib.error, KeyInFileError,
DeserializationError, UnicodeDecodeError, NotImplementedError, AssertionError, IndexError ...): a flipped bit can
surface anywhere in its parser. Everything that comes out of it while a file is read therefore means "damaged".
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.errors import DataError, HepmlError, InputFileError, MissingExtraError, check_path, nearest
from hepml.retrying import again

__all__ = ["Source", "choose_tree", "expand_files", "list_trees", "one_file", "open_file", "reading"]

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple", "ROOT::Experimental::RNTuple")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A file and, if it was named, the tree in it."""

    path: str
    tree: str | None = None

    @property
    def remote(self) -> bool:
        """Whether the path is a URL."""
        return _URL.match(self.path) is not None


def expand_files(files: str | os.PathLike[str] | Source | Iterable[str | os.PathLike[str] | Source]) -> list[Source]:
    """The files that a name, a glob, "file.root:tree" or a list of these stands for, in order; globs are sorted.

    Raises:
        InputFileError: a file is absent or a folder, a glob matches nothing, the list is empty.
        DataError: a file is listed twice, or something is no path.
    """
    several = isinstance(files, Iterable) and not isinstance(files, str | bytes | os.PathLike)
    given: Any = files if several else [files]
    sources = [source for item in given for source in _expand(item)]
    if not sources:
        raise InputFileError("no input file is given", expected="one or more ROOT files")
    seen: set[tuple[str, str | None]] = set()
    for source in sources:
        key = (source.path if source.remote else os.path.realpath(source.path), source.tree)
        if key in seen:
            raise DataError(
                "a file is listed twice", where=source.path, fix="list it once: its events would count double"
            )
        seen.add(key)
    return sources


def one_file(path: str | os.PathLike[str] | Source) -> Source:
    """The file that a name stands for; as `expand_files`, and a DataError if there are several."""
    sources = expand_files(path)
    if len(sources) > 1:
        raise DataError(
            "several files where one is read",
            where=path,
            found=f"{len(sources)} files: {sources[0].path}, {sources[1].path}" + (" ..." if sources[2:] else ""),
            fix="name one of them; for all of them use iterate_events, or one command a file",
        )
    return sources[0]


def _expand(item: str | os.PathLike[str] | Source) -> list[Source]:
    if isinstance(item, Source):
        return [item]
    text = check_path(item)
    if _URL.match(text):
        head, colon, name = text.rpartition(".root:")
        return [Source(head + ".root", name)] if colon else [Source(text)]
    if os.path.lexists(text):
        return [_regular(text, None)]
    path: str = text
    tree: str | None = None
    head, colon, tail = text.rpartition(":")
    if colon and head and (head.endswith(".root") or os.path.lexists(head)):
        path, tree = head, tail
    if os.path.lexists(path):
        return [_regular(path, tree)]
    if glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise InputFileError("no file matches", where=path, nearest=_neighbours(path))
        return [_regular(match, tree) for match in matches]
    raise InputFileError("no such file", where=path, nearest=_neighbours(path))


def _regular(path: str, tree: str | None) -> Source:
    if os.path.isdir(path):
        raise InputFileError("a folder is not a ROOT file", where=path, fix=f"pass the files: '{path}/*.root'")
    if not os.path.isfile(path):
        raise InputFileError("not a regular file", where=path, expected="a ROOT file")
    return Source(path, tree)


def _neighbours(path: str) -> list[str]:
    folder = Path(path).parent
    try:
        return nearest(Path(path).name, [entry.name for entry in folder.iterdir()])
    except OSError:
        return []


@contextmanager
def reading(path: str, what: str) -> Iterator[None]:
    """Turn whatever uproot raises into one InputFileError that names the file and what was being read.

    Raises:
        MissingExtraError: uproot needs a library for this file, or for its URL, that is not installed.
    """
    try:
        yield
    except HepmlError:
        raise
    except ImportError as error:
        cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        library = error.name or cause.name
        raise MissingExtraError(
            f"{what} cannot be read without a library that is not installed",
            where=path,
            found=" ".join(str(error).split())[:200],
            fix=f"pip install {library}" if library else None,
        ) from error
    except Exception as error:
        lines = str(error).strip().splitlines() or ["no further message"]
        raise InputFileError(
            f"{what} cannot be read: "
            + ("the server did not give it, or the file is" if _URL.match(path) else "the file is")
            + " damaged, or of a kind that uproot does not know",
            where=path,
            found=f"{type(error).__name__}: {lines[0][:200]}",
            fix="copy or write the file again, or leave it out",
        ) from error


@contextmanager
def open_file(source: Source) -> Iterator[Any]:
    """The file, opened by uproot, after a look at its first bytes.

    Raises:
        InputFileError: empty, not a ROOT file, shorter than its header says, or damaged.
    """
    file = again(lambda: _opened(source))
    try:
        yield file
    finally:
        file.close()


def _opened(source: Source) -> Any:
    import uproot

    if not source.remote:
        _check_header(source.path)
    with reading(source.path, "the file"):
        if source.remote:
            return uproot.open(source.path)
        # without uproot's own threads, which fetch bytes: for a file of this machine they cost more than they gain
        return uproot.open(Path(source.path), handler=uproot.MultithreadedFileSource, use_threads=False)


def _check_header(path: str) -> None:
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as stream:
            head = stream.read(32)
    except OSError as error:
        raise InputFileError("the file cannot be opened", where=path, found=error.strerror or error) from error
    if size == 0:
        raise InputFileError("the file is empty", where=path, expected="a ROOT file", found="0 bytes")
    if head[:4] != b"root":
        kind = "an HDF5 file" if head[:4] == b"\x89HDF" else f"a file that begins with {head[:12]!r}"
        raise InputFileError("not a ROOT file", where=path, expected="a file that begins with b'root'", found=kind)
    version = int.from_bytes(head[4:8], "big")
    end = int.from_bytes(head[12:20] if version >= 1_000_000 else head[12:16], "big")
    if end <= int.from_bytes(head[8:12], "big"):  # fBEGIN
        raise InputFileError(
            "the file was not closed: its header knows no end",
            where=path,
            found=f"an end at byte {end}",
            fix="write it again, or recover it with ROOT",
        )
    if size < end:
        raise InputFileError(
            "the file is truncated",
            where=path,
            expected=f"{end} bytes, as its header says",
            found=f"{size} bytes",
            fix="copy or write it again",
        )


def list_trees(file: Any, path: str) -> dict[str, str]:
    """Trees and RNTuples of an open file, with their classes; the latest cycle of each."""
    with reading(path, "the list of objects"):
        classes = file.classnames(recursive=True, cycle=False)
    return {name: cls for name, cls in classes.items() if cls in _TREES}


def choose_tree(
    file: Any, path: str, wanted: str | None, preferred: Sequence[str] = (), layout: str | None = None
) -> str:
    """The tree to read: the one that is named, else the first of `preferred`, else the file's only one.

    Args:
        layout: name of the layout that the user asks for: if it prefers trees, another one is not taken.

    Raises:
        InputFileError: no tree in the file, none of that name, or several and none named; the message lists them.
    """
    trees = list_trees(file, path)
    if not trees:
        with reading(path, "the list of objects"):
            others = file.classnames(recursive=True, cycle=False)
        raise InputFileError(
            "no tree in the file",
            where=path,
            expected="a TTree or an RNTuple",
            found=", ".join(f"{name} ({cls})" for name, cls in list(others.items())[:5])
            or "no object at all: the program that wrote the file did not close it",
            fix=None if others else "write the file again, or recover it with ROOT",
        )
    if wanted is not None:
        if wanted not in trees:
            raise InputFileError(
                f"no tree named {wanted!r}",
                where=path,
                expected="one of " + ", ".join(trees),
                nearest=nearest(wanted, trees),
            )
        return wanted
    for name in preferred:
        if name in trees:
            return name
    if layout is not None and preferred:
        raise InputFileError(
            f"the file has no tree {' or '.join(map(repr, preferred))}, which the layout {layout!r} names",
            where=path,
            found=", ".join(trees),
            nearest=dict.fromkeys(close for name in preferred for close in nearest(name, trees)),
            fix=f"correct `tree` in the layout, or name the tree: {path}:{next(iter(trees))}",
        )
    if len(trees) > 1:
        raise InputFileError(
            f"{len(trees)} trees in the file and none is named",
            where=path,
            expected="one of " + ", ".join(trees),
            fix=f"name it: {path}:{next(iter(trees))}",
        )
    return next(iter(trees))
