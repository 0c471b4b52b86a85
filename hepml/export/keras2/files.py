"""The files of Keras 2: text is parsed as JSON and arrays are read as numbers; nothing else is taken from them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.guard import check_stored, open_hdf5
from hepml.errors import InputFileError

__all__ = ["Architecture", "Arrays", "is_whole_model", "read_architecture", "read_arrays"]

Arrays = dict[str, NDArray[np.float32]]  # of one layer, by the name that Keras stored
_MOST = 1 << 28  # numbers in a file: 1 GiB
_SUFFIXES = (".h5", ".hdf5")


@dataclass(frozen=True)
class Architecture:
    """A network without its weights.

    Attributes:
        config: its `class_name` and `config`.
        major: version of Keras that wrote it, 1 or 2.
        backend: of that Keras, such as "tensorflow" or "theano".
        path: the file that it was read from.
    """

    config: dict[str, Any]
    major: int
    backend: str
    path: Path


def is_whole_model(path: Path) -> bool:
    """Whether a path names an HDF5 file, by its suffix."""
    return path.suffix in _SUFFIXES


def read_architecture(path: Path) -> Architecture:
    """Reads `model.to_json()`, from a JSON file or from a whole model in HDF5.

    Raises:
        InputFileError: absent, damaged, or not an architecture of Keras 1 or 2.
    """
    if not path.is_file():
        raise InputFileError("no such file", where=path, expected="an architecture of Keras 2 or a whole model .h5")
    text, attributes = _texts(path)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputFileError("the architecture is not JSON", where=path, found=f"{error}"[:200]) from error
    if not isinstance(document, dict) or not {"class_name", "config"} <= document.keys():
        raise InputFileError(
            "not an architecture of Keras",
            where=path,
            expected="an object with class_name and config, as model.to_json() writes it",
            found=", ".join(list(document)[:6]) if isinstance(document, dict) else type(document).__name__,
        )
    version = str(document.get("keras_version") or attributes.get("keras_version") or "1")  # Keras 1 often has none
    if version.split(".", maxsplit=1)[0] not in ("1", "2"):
        raise InputFileError(
            "the architecture was not written by Keras 2",
            where=path,
            expected="keras_version 1.x or 2.x",
            found=version,
            fix="save the model as .keras and export that file",
        )
    backend = str(document.get("backend") or attributes.get("backend") or "theano")
    return Architecture(document, int(version.split(".", maxsplit=1)[0]), backend, path)


def _texts(path: Path) -> tuple[str, dict[str, str]]:
    """The text of the architecture, and what the HDF5 file says beside it."""
    if not is_whole_model(path):
        try:
            return path.read_text(encoding="utf-8"), {}
        except (OSError, UnicodeDecodeError) as error:
            raise InputFileError("cannot be read as text", where=path, found=str(error)[:200]) from error
    with _opened(path) as file:
        attributes = {
            key: _text(file.attrs[key]) for key in ("model_config", "keras_version", "backend") if key in file.attrs
        }
        if "model_config" not in attributes:
            raise InputFileError(
                "the file holds no architecture",
                where=path,
                expected="a whole model of Keras 2, with the attribute model_config",
                found="only weights" if "layer_names" in file.attrs else "another kind of HDF5 file",
                fix="give the architecture: hepml export architecture.json --weights weights.h5",
            )
    return attributes.pop("model_config"), attributes


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file; whatever HDF5 stumbles over inside is an InputFileError."""
    if not path.is_file():
        raise InputFileError("no such file", where=path, expected="an HDF5 file of Keras 2")
    with open_hdf5(path, fix="write it again with the Keras that made it") as file:
        yield file


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_arrays(path: Path) -> dict[str, Arrays]:
    """The arrays of each layer, of a weights file or a whole model.

    Only datasets of floating-point numbers that lie in this file are read: no link to another file, no virtual
    or external storage.

    Returns:
        For each layer name the arrays by their stored names, in the order of the file.

    Raises:
        InputFileError: absent, damaged, too large, or not weights of Keras 1 or 2.
    """
    with _opened(path) as file:
        root = file
        if "layer_names" not in root.attrs and "model_weights" in root:
            root = _member(root, "model_weights", path)
        if "layer_names" not in root.attrs:
            raise InputFileError(
                "the file holds no weights of Keras 2",
                where=path,
                expected="the attribute layer_names, as model.save_weights('weights.h5') of Keras 2 writes it",
                found="the groups " + ", ".join(list(root)[:6]),
                fix="late versions write another layout for names that end in .weights.h5: save as NAME_weights.h5",
            )
        left = _MOST
        layers: dict[str, Arrays] = {}
        for layer in _names(root, "layer_names"):
            group = _member(root, layer, path)
            arrays: Arrays = {}
            for name in _names(group, "weight_names"):
                dataset = _member(group, name, path)
                left -= _size(dataset, f"{path}:/{layer}/{name}", left)
                arrays[name] = dataset[()].astype(np.float32)
            if layer in layers:
                raise InputFileError("two layers of one name", where=path, found=layer)
            layers[layer] = arrays
    return layers


def _names(group: Any, attribute: str) -> Iterator[str]:
    """The names in an attribute, which Keras splits into attribute0, attribute1 ... where it is long."""
    if attribute in group.attrs:
        yield from map(_text, np.ravel(group.attrs[attribute]).tolist())
        return
    part = 0
    while f"{attribute}{part}" in group.attrs:
        yield from map(_text, np.ravel(group.attrs[f"{attribute}{part}"]).tolist())
        part += 1


def _member(group: Any, name: str, path: Path) -> Any:
    """A member, found through hard links only."""
    import h5py

    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) and part else None
        if not isinstance(link, h5py.HardLink):
            raise InputFileError(
                f"the file has no {name!r} of its own",
                where=f"{path}:{getattr(group, 'name', '')}",
                expected="a group or dataset",
                found="nothing" if link is None else f"a {type(link).__name__}",
            )
        group = group[part]
    return group


def _size(dataset: Any, where: str, left: int) -> int:
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f" or dataset.shape is None:
        found = dataset.dtype if isinstance(dataset, h5py.Dataset) else type(dataset).__name__
        raise InputFileError("not an array of numbers", where=where, expected="floating-point numbers", found=found)
    size = math.prod(int(n) for n in dataset.shape)
    if size > left:
        raise InputFileError("the weights are too large", where=where, expected=f"at most {_MOST} numbers in all")
    check_stored(dataset, where)
    return size
