"""Load a .keras or .h5 file of which nothing is trusted: what it holds is looked at before Keras sees it.

A .keras file is a zip of a configuration, from which Keras makes objects, and an HDF5 file of weights. Only objects of
Keras' own modules (and hepml's) that neither hold code nor open files are let through, and only weights that lie in the
file itself and are no larger than it can hold.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hepml.dataset.guard import check_own, open_hdf5
from hepml.errors import HepmlError, InputFileError, printable

__all__ = ["compile_settings", "keras_version", "load_model"]

_HDF5 = (".h5", ".hdf5")

_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
_MOST = {"metadata.json": 1 << 20, "config.json": 64 << 20, "model.weights.h5": 4 << 30}  # bytes
# where Keras keeps what networks are made of; its other modules fetch, unpack, save, load and configure
_PLACES = frozenset(
    f"keras.{name}"
    for name in (
        *("layers", "initializers", "regularizers", "constraints", "activations", "ops"),
        *("dtype_policies", "quantizers", "random", "models"),
    )
)
_INNER = ("keras.src.layers.", "keras.src.models.", "keras.src.ops.")
_TOP = frozenset({"DTypePolicy", "FloatDTypePolicy", "Functional", "Model", "Sequential"})  # of `keras` itself
# there, and yet they run code of the file or of a library, or open files that it names
_REFUSED = frozenset(
    {
        *("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
        *("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "get_file", "load_model"),
    }
)
# what Keras writes without a module: values
_VALUES = frozenset({"__tensor__", "__numpy__", "__bytes__", "__tuple__", "__ellipsis__", "__keras_tensor__", "slice"})
_OWN = "hepml.keras2>"


def load_model(path: str | Path, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model in a .keras file, or in an .h5 file of Keras 3, not compiled.

    Args:
        path: of the file.
        custom_objects: classes and functions of the caller that the file may name.

    Raises:
        InputFileError: absent, damaged, or holding anything but layers of Keras and their weights.

    Example:
        >>> load_model("runs/hl/model.keras").count_params()  # doctest: +SKIP
        25333
    """
    path = Path(path)
    own = frozenset(custom_objects or ())
    if path.suffix in _HDF5:
        if not keras_version(path).startswith("3"):
            raise InputFileError("not a model of Keras 3", where=path, found=f"keras_version {keras_version(path)}")
        check_own(path)
        _check_config(path, _attribute(path, "model_config") or "", own)
    else:
        _with_archive(path, lambda archive: _check_archive(path, archive, own))
    import keras

    try:
        return keras.saving.load_model(path, custom_objects=dict(custom_objects or {}), compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its parsers do
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise InputFileError(
            "Keras cannot load the model safely", where=path, found=f"{type(error).__name__}: {' '.join(lines)[:300]}"
        ) from error


def keras_version(path: str | Path) -> str:
    """The version of Keras that wrote a whole model .h5; "1" if it does not say. Raises InputFileError: damaged."""
    return _attribute(Path(path), "keras_version") or "1"


def compile_settings(path: str | Path) -> dict[str, Any] | None:
    """What a .keras or .h5 file says of how its model was compiled, as plain data; None if it was not.

    Raises:
        InputFileError: absent or damaged.
    """
    path = Path(path)
    if path.suffix in _HDF5:
        text: str | bytes | None = _attribute(path, "training_config")
        return None if text is None else _document(path, text)
    config = _with_archive(path, lambda archive: _document(path, _content(path, archive, "config.json")))
    found = config.get("compile_config")
    return found if isinstance(found, dict) and found else None


def _attribute(path: Path, name: str) -> str | None:
    """A text that an HDF5 file says of itself."""
    if not path.is_file():
        raise InputFileError("no such file", where=path, expected="a whole model of Keras")
    with open_hdf5(path, fix="write it again with the Keras that made it") as file:
        value = file.attrs.get(name)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else None if value is None else str(value)


def _with_archive(path: Path, read: Callable[[zipfile.ZipFile], Any]) -> Any:
    if not path.is_file():
        raise InputFileError("no such file", where=path, expected="a .keras file")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(path, archive)
            return read(archive)
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, RuntimeError) as error:
        if isinstance(error, HepmlError):
            raise
        raise _unsafe(path, "no whole .keras file", f"{type(error).__name__}: {error}") from error


def _check_archive(path: Path, archive: zipfile.ZipFile, own: frozenset[str]) -> None:
    _content(path, archive, "metadata.json")  # Keras reads it, however long it is
    _check_config(path, _content(path, archive, "config.json"), own)
    weights = io.BytesIO(_content(path, archive, "model.weights.h5"))
    check_own(weights, f"{path}:model.weights.h5")


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    names = [member.filename for member in archive.infolist()]
    for name in names:
        if name not in _MEMBERS or names.count(name) > 1:
            raise _unsafe(path, "a member that a model of plain layers does not have", name)
    for name in _MEMBERS:
        if name not in names:
            raise _unsafe(path, "no whole .keras file", f"without {name}")


def _content(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of a member, read no further than it may be long."""
    with archive.open(name) as stream:
        content = stream.read(_MOST[name] + 1)
    if len(content) > _MOST[name]:
        raise _unsafe(path, "a member is larger than it may be", f"{name}, over {_MOST[name]} bytes")
    return content


def _document(path: Path, text: str | bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unsafe(path, "its configuration is not JSON", f"{error}"[:200]) from error
    if not isinstance(document, dict):
        raise _unsafe(path, "its configuration is not that of a model", type(document).__name__)
    return document


def _check_config(path: Path, text: str | bytes, custom: frozenset[str]) -> None:
    document = _document(path, text)
    document.pop("compile_config", None)  # is not used
    bare = _bare_names() if path.suffix in _HDF5 else _VALUES
    for record in _records(document):
        kind, module, registered = (record.get(key) for key in ("class_name", "module", "registered_name"))
        names = [record["config"]] if isinstance(record.get("config"), str) else []
        own = isinstance(registered, str) and registered.startswith(_OWN)
        given = any(isinstance(name, str) and name in custom for name in (kind, registered, *names))
        ours = isinstance(module, str) and (
            module in _PLACES or module.startswith(_INNER) or (module == "keras" and kind in _TOP)
        )
        if any(name in _REFUSED for name in (kind, *names)):
            raise _unsafe(path, "an object that runs code or opens files", printable(kind), kind)
        if not (own or ours or given or (module is None and kind in bare)):
            raise _unsafe(path, "an object that is no layer of Keras", f"{kind!r} of the module {module!r}", kind)


def _bare_names() -> frozenset[str]:
    """What an .h5 file names without a module: layers and models of Keras."""
    import keras

    return _VALUES | _TOP | {name for name, one in vars(keras.layers).items() if isinstance(one, type)}


def _records(document: Any) -> Iterator[dict[str, Any]]:
    """Every object with a class_name, wherever it is."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _unsafe(path: Path, problem: str, found: object, kind: object = None) -> InputFileError:
    return InputFileError(
        "the model cannot be loaded safely: " + problem,
        where=path,
        expected="layers of Keras and their weights, nothing that is run or read elsewhere",
        found=found,
        fix="do not trust this file" if kind is None else f"build the network without {printable(kind)}, and save it",
    )
