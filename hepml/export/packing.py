"""The compact form of a network file: lists of numbers as base64 of their bytes, with a checksum.

`{"float32": base64, "crc32": number}` stands for a list, little endian. The file is smaller and loads several times
faster; everything else stays JSON. hepml reads it, lwtnn does not.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, VerificationError
from hepml.evaluator import Evaluator
from hepml.export.writer import model_id, shortest_decimals
from hepml.ledger import atomic_path, check_not_input, read_json

__all__ = ["EXACT", "FEWEST", "check_identity", "compact", "encoded", "expanded", "packed", "stored_numbers"]

FEWEST = 16  # shorter lists stay readable
EXACT = ("perceptron", "tables", "trees", "weighted_median")  # layers that compute with float64 numbers
_STORED = {"float32": "<f4", "float64": "<f8", "bfloat16": "<u2", "float16": "<f2", "int8": "i1"}


def compact(path: str | Path, output: str | Path, *, overwrite: bool = False) -> Path:
    """Writes a network file in its compact form: the same network, evaluated to the same bits.

    Args:
        path: a network file of hepml or of lwtnn.
        output: the file to write, complete or not at all.
        overwrite: replace an existing file.

    Returns:
        `output`.

    Raises:
        InputFileError: the file is absent, or no JSON.
        SchemaError: it is no network.
        OutputError: the output exists, or cannot be written.

    Example:
        >>> compact("net.json", "net.compact.json")  # doctest: +SKIP
        PosixPath('net.compact.json')
    """
    path, output = Path(path), Path(output)
    check_not_input(output, [path])
    Evaluator(path)  # what is no network is refused here, with the reason
    document = read_json(path)
    document["layers"] = [packed(layer, exact=layer["architecture"] in EXACT) for layer in document["layers"]]
    block = document.get("hepml", {})
    if block.get("reference"):
        block["reference"] = packed(block["reference"], exact=False)
    with atomic_path(output, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        Evaluator(temporary)
    return output


def expanded(value: Any, *, exact: bool = False) -> Any:
    """A document, or a part of one, with its packed lists as lists again, in the numbers that the text form has.

    Args:
        value: what `json.loads` gave.
        exact: float32 as the double that it is, as in layers of `EXACT`; otherwise as the shortest decimal, as weights
            are written.
    """
    if isinstance(value, list):
        return [expanded(item, exact=exact) for item in value]
    if not isinstance(value, dict):
        return value
    if (stored := stored_numbers(value)) is not None:
        kind = stored[0]
        numbers = _numbers(kind, value)
        shortest = kind == "float32" and not exact
        return (np.array(shortest_decimals(numbers), float) if shortest else numbers.astype(float)).tolist()
    exact = exact or value.get("architecture") in EXACT
    return {key: expanded(member, exact=exact) for key, member in value.items()}


def stored_numbers(value: Any) -> tuple[str, int] | None:
    """The type of the numbers of a packed list, and how many there are; None for anything else."""
    if not isinstance(value, dict) or "crc32" not in value:
        return None
    kind = next((name for name in _STORED if name in value), None)
    if kind is None:
        return None
    return kind, len(base64.b64decode(value[kind])) // np.dtype(_STORED[kind]).itemsize


def _numbers(kind: str, value: dict[str, Any]) -> NDArray[Any]:
    stored = np.frombuffer(base64.b64decode(value[kind]), _STORED[kind])
    if kind == "bfloat16":
        return (stored.astype("<u4") << 16).view("<f4")
    if kind != "int8":
        return stored
    scale = np.array(expanded(value["scale"]), np.float32)
    if value["axis"] == "first":
        return (stored.reshape(len(scale), -1).astype(np.float32) * scale[:, None]).ravel()
    return (stored.reshape(-1, len(scale)).astype(np.float32) * scale).ravel()


def check_identity(path: str | Path, document: dict[str, Any]) -> None:
    """Whether the identity in a network file is the identity of this network.

    Args:
        path: for the message.
        document: the file, read by `json.loads`; one without an identity passes.

    Raises:
        VerificationError: it is another: a weight, a name or the identity was changed by hand.
    """
    written = (document.get("hepml") or {}).get("model_id")
    if written is not None and written != (found := model_id(expanded(document))):
        raise VerificationError(
            "the model id is not that of this network",
            where=f"{path}, hepml.model_id",
            expected=found,
            found=written,
            fix="the file was changed after its export: export the network again",
        )


def encoded(kind: str, array: NDArray[Any], **more: Any) -> dict[str, Any]:
    """The bytes of an array as a packed list."""
    data = array.tobytes()
    return {kind: base64.b64encode(data).decode(), **more, "crc32": zlib.crc32(data)}


def packed(value: Any, *, exact: bool) -> Any:
    """Long lists of numbers as bytes: of float32, or of float64 where `exact` numbers are not of float32."""
    if isinstance(value, dict):
        return {key: packed(member, exact=exact) for key, member in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < FEWEST or not all(type(item) in (int, float) for item in value):
        return [packed(item, exact=exact) for item in value]
    wide = np.array(value, dtype="<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    if not np.all(np.isfinite(narrow)) and not exact:
        raise DataError("a number too large for float32", found=wide[~np.isfinite(narrow)][0])
    kind, array = ("float64", wide) if exact and np.any(narrow != wide) else ("float32", narrow)
    return encoded(kind, array)
