"""The guard that every HDF5 file and object passes before it is used: what is wrong ends in one InputFileError.

HDF5 files may point to other files (external links, external storage, virtual data sets) and may declare data sets
far larger than themselves; hepml writes none of these and reads none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepml.dataset.apart import survives
from hepml.errors import HepmlError, InputFileError
from hepml.ledger import check_regular

__all__ = ["check_own", "check_stored", "checked", "guarded", "has_own", "open_hdf5", "open_here", "read"]

_AGAIN = "write it again with the command that wrote it: hepml convert, hepml efp"
_FOREIGN = "do not trust this file"
DEEPEST = 32  # groups in groups; hepml has two, Keras a few more


@contextmanager
def open_hdf5(path: Any, name: str | None = None, *, fix: str = _AGAIN) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading; whatever h5py raises inside the block means that the file is damaged.

    A file that is not proven whole is first met by another process (`hepml.dataset.apart`).

    Args:
        path: of the file, or an open stream of its bytes.
        name: what to call it in messages.
        fix: what the reader of a message can do.

    Raises:
        InputFileError: absent, not HDF5, truncated or damaged.
    """
    name = str(path) if name is None else name
    if name == str(path):
        check_regular(name)
        if (ended := survives(path)) is not None:
            raise InputFileError("a damaged HDF5 file", where=name, found=ended, fix=fix)
    with open_here(path, name, fix=fix) as file:
        yield file


@contextmanager
def open_here(path: Any, name: str | None = None, *, fix: str = _AGAIN) -> Iterator[h5py.File]:
    """`open_hdf5` for a file that the HDF5 library survives, or in a process that may end."""
    name = str(path) if name is None else name
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise InputFileError("no such file", where=name) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise InputFileError(
            "not an HDF5 file, or a truncated one", where=name, found=_one_line(error), fix=fix
        ) from error
    try:
        yield file
    except HepmlError:
        raise
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise InputFileError(
            "a damaged HDF5 file, or one that was not written to its end",
            where=name,
            found=_one_line(error)[:300],
            fix=fix,
        ) from error
    finally:
        with suppress(OSError, RuntimeError):  # a damaged file may not close; it was only read
            file.close()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def guarded(file: h5py.File, name: str) -> h5py.Dataset:
    """A data set of the file, refused unless it is plainly stored inside this file and no larger than it can be.

    Raises:
        InputFileError: absent, a link or stored elsewhere, not numbers, or declared larger than the file could hold.
    """
    where = f"{file.filename}:{name}"
    node: Any = file
    for part in name.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            raise InputFileError("a data set is missing", where=where, fix=_AGAIN)
        if not isinstance(link, h5py.HardLink):
            raise InputFileError("a link where a data set is expected", where=where, fix=_FOREIGN)
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        raise InputFileError("a group where a data set is expected", where=where, fix=_AGAIN)
    if node.dtype.kind not in "fiu" or node.dtype.itemsize > 8:
        raise InputFileError("a data set of another type", where=where, expected="numbers", found=node.dtype)
    check_stored(node, where)
    return node


def check_stored(node: h5py.Dataset, where: str) -> None:
    """Refuses a data set that lies elsewhere, or is declared larger than what the file holds of it.

    Raises:
        InputFileError: so it is, or it holds no values, or objects.
    """
    if node.dtype.hasobject:
        raise InputFileError("a data set of another type", where=where, expected="numbers", found=node.dtype)
    if node.is_virtual or node.external:
        raise InputFileError("a data set that is stored in another file", where=where, fix=_FOREIGN)
    # deflate packs 1032 : 1 at most; nothing else that hepml writes packs at all
    packed = 1100 if node.compression else 1
    if node.shape is None:
        raise InputFileError("a data set without values", where=where, expected="an array", fix=_AGAIN)
    if node.size * node.dtype.itemsize > packed * max(node.id.get_storage_size(), 0):
        raise InputFileError(
            "a data set is declared larger than what the file holds", where=where, found=f"shape {node.shape}"
        )


def has_own(group: h5py.Group, name: str, where: str | None = None) -> bool:
    """Whether a group has a member of that name, without following a link to it; `where` is what messages call it.

    Raises:
        InputFileError: it is a link.
    """
    link = group.get(name, getlink=True)
    if link is not None and not isinstance(link, h5py.HardLink):
        place = where or f"{group.file.filename}:{name}"
        raise InputFileError("a link where a data set is expected", where=place, fix=_FOREIGN)
    return link is not None


def check_own(path: Any, name: str | None = None) -> None:
    """Looks at every object of an HDF5 file of somebody else: plain data sets of numbers or texts that lie in it.

    Args:
        path: the file, or an open stream of its bytes.
        name: what to call it in messages.

    Raises:
        InputFileError: a link, data in another file, an object with two names, groups too deep, data sets declared
            larger than what the file holds; or damaged.
    """
    where = str(path) if name is None else name
    with open_hdf5(path, where) as file:
        waiting: list[tuple[str, Any]] = [("", file)]
        seen: set[int] = set()
        while waiting:
            place, node = waiting.pop()
            if not has_one_name(node, seen):
                raise InputFileError("an object with two names", where=f"{where}:{place}", fix=_FOREIGN)
            if isinstance(node, h5py.Dataset):
                check_stored(node, f"{where}:{place}")
            elif isinstance(node, h5py.Group):
                if place.count("/") > DEEPEST:
                    raise InputFileError("groups too deep", where=where, expected=f"at most {DEEPEST}", fix=_FOREIGN)
                for member in node:
                    if has_own(node, member, f"{where}:{place}/{member}"):
                        waiting.append((f"{place}/{member}", node[member]))
            else:
                raise InputFileError("an object of another kind", where=f"{where}:{place}", found=type(node).__name__)


def has_one_name(node: Any, seen: set[int]) -> bool:
    """Whether an object is met for the first time; notes it in `seen`."""
    address = int(h5py.h5o.get_info(node.id).addr)
    new = address not in seen
    seen.add(address)
    return new


def checked(file: h5py.File, name: str, dtype: Any, shape: tuple[int, ...]) -> h5py.Dataset:
    """A guarded data set of the type and shape that it must have.

    Raises:
        InputFileError: as `guarded`, or another type or shape.
    """
    node = guarded(file, name)
    if node.dtype != np.dtype(dtype) or node.shape != shape:
        raise InputFileError(
            "a data set of another shape or type",
            where=f"{file.filename}:{name}",
            expected=f"{np.dtype(dtype)} {shape}",
            found=f"{node.dtype} {node.shape}",
            fix=_AGAIN,
        )
    return node


def read(file: h5py.File, name: str, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """All values of a checked data set.

    Raises:
        InputFileError: as `checked`, or the stored bytes do not agree with their checksum.
    """
    node = checked(file, name, dtype, shape)
    try:
        return np.asarray(node[()])
    except (OSError, RuntimeError) as error:
        raise InputFileError(
            "a data set is damaged", where=f"{file.filename}:{name}", found=_one_line(error), fix=_AGAIN
        ) from error
