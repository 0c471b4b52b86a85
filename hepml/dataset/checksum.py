"""Checksums of a data.h5: of every data set, and one of the whole content, attributes included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from hepml.dataset.guard import DEEPEST, guarded, has_one_name
from hepml.dataset.seal import broken_seal

__all__ = ["content_checksum", "damages"]

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


def damages(file: h5py.File) -> list[str]:
    """What does not agree with its checksum: names of data sets, "attributes", the seal; empty if the file is whole."""
    found = []
    try:
        for path, node in _walk(file):
            if node is None or (isinstance(node, h5py.Dataset) and not _agrees(file, path)):
                found.append(path)
        if content_checksum(file) != file.attrs.get("content_sha256"):
            found.append("attributes, names or shapes")
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        found.append(f"structure ({' '.join(str(error).split())})")
    if (broken := broken_seal(file.filename)) is not None:
        found.append(f"bytes ({broken})")
    return found


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
