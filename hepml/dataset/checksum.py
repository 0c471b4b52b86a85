"""Checksums of a data.h5: of every data set, and one of the whole content, attributes included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hepml.dataset.apart import apart
from hepml.dataset.guard import DEEPEST, guarded, has_one_name, open_here
from hepml.dataset.seal import broken_seal

__all__ = ["content_checksum", "damages", "damages_inside", "look"]

_STEP = 1 << 20  # rows of a flat data set that are read together
_OWN = ("sha256", "content_sha256")


def _walk(group: h5py.Group, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Everything below a group by path; None for what hepml does not write: a link, a second name, deep groups."""
    if seen is None:
        seen = set()
        has_one_name(group, seen)
    for name in sorted(group):
        path = f"{prefix}{name}"
        node = group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
        if path.count("/") > DEEPEST or (node is not None and not has_one_name(node, seen)):
            node = None
        yield path, node
        if isinstance(node, h5py.Group):
            yield from _walk(node, path + "/", seen)


def _attribute(value: Any) -> str:
    return json.dumps(value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value))


def content_checksum(file: h5py.File) -> str:
    """The SHA-256 over names, types, shapes, attributes and the stored checksums of all data sets."""
    digest = hashlib.sha256()
    for path, node in [("", file), *_walk(file)]:
        if node is None:
            digest.update(f"{path} link\n".encode())
            continue
        if isinstance(node, h5py.Dataset):
            digest.update(f"{path} {node.dtype.str} {node.shape} {node.attrs.get('sha256')}\n".encode())
        for key in sorted(node.attrs):
            if key not in _OWN:
                digest.update(f"{path}@{key} {_attribute(node.attrs[key])}\n".encode())
    return digest.hexdigest()


def damages(path: str | Path) -> list[str]:
    """What does not agree with its checksum: names of data sets, "attributes", the seal; empty if the file is whole.

    Raises:
        InputFileError: the file cannot be read, or is no HDF5 file in spite of its seal.
    """
    broken = broken_seal(path)
    if broken is None:
        return damages_inside(path)
    found = apart("damages", path)
    return [*([f"structure ({found})"] if isinstance(found, str) else found), f"bytes ({broken})"]


def damages_inside(path: str | Path) -> list[str]:
    """What of the content does not agree, without the seal; where the HDF5 library may crash, `damages` is for it.

    Raises:
        InputFileError: not an HDF5 file.
    """
    found = []
    with open_here(path) as file:
        try:
            for name, node in _walk(file):
                if node is None or (isinstance(node, h5py.Dataset) and not _agrees(file, name)):
                    found.append(name)
            if content_checksum(file) != file.attrs.get("content_sha256"):
                found.append("attributes, names or shapes")
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            found.append(f"structure ({' '.join(str(error).split())})")
    return found


def look(path: str | Path) -> list[str]:
    """Meets all names, attributes and shapes and counts the pieces of data sets; returns what the HDF5 library says.

    Raises:
        InputFileError: not an HDF5 file.
    """
    with open_here(path) as file:
        try:
            for _, node in [("", file), *_walk(file)]:
                for key in node.attrs if node is not None else ():
                    with suppress(TypeError):  # a type that NumPy does not have; who needs it tells
                        node.attrs[key]
                if isinstance(node, h5py.Dataset) and node.chunks:
                    node.id.get_num_chunks()
        except (OSError, RuntimeError, KeyError, ValueError, OverflowError, MemoryError) as error:
            return [" ".join(str(error).split())]
    return []


def _agrees(file: h5py.File, path: str) -> bool:
    node = guarded(file, path)
    digest = hashlib.sha256()
    step = max(1, _STEP // max(1, int(np.prod(node.shape[1:]))))
    try:
        for start in range(0, len(node), step):
            digest.update(np.ascontiguousarray(node[start : start + step]).tobytes())
    except (OSError, RuntimeError):
        return False
    return bool(node.attrs.get("sha256") == digest.hexdigest())
