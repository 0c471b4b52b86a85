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

from hepml.errors import DataError, InputFileError
from hepml.evaluator import Evaluator
from hepml.ledger import atomic_path, check_not_input

__all__ = ["compact", "expanded"]

FEWEST = 16  # shorter lists stay readable


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
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    document["layers"] = [_packed(layer, exact=layer["architecture"] == "trees") for layer in document["layers"]]
    block = document.get("hepml", {})
    if block.get("reference"):
        block["reference"] = _packed(block["reference"], exact=False)
    with atomic_path(output, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        Evaluator(temporary)
    return output


def expanded(value: Any) -> Any:
    """A document, or a part of one, with its packed lists as lists again: float32 numbers as float64."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if not isinstance(value, dict):
        return value
    for kind, dtype in (("float32", "<f4"), ("float64", "<f8")):
        if set(value) == {kind, "crc32"}:
            return np.frombuffer(base64.b64decode(value[kind]), dtype).astype(float).tolist()
    return {key: expanded(member) for key, member in value.items()}


def _packed(value: Any, *, exact: bool) -> Any:
    """Long lists of numbers as bytes: of float32, or of float64 where `exact` numbers are not of float32."""
    if isinstance(value, dict):
        return {key: _packed(member, exact=exact) for key, member in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) < FEWEST or not all(type(item) in (int, float) for item in value):
        return [_packed(item, exact=exact) for item in value]
    wide = np.array(value, dtype="<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    if not np.all(np.isfinite(narrow)) and not exact:
        raise DataError("a number too large for float32", found=wide[~np.isfinite(narrow)][0])
    kind, array = ("float64", wide) if exact and np.any(narrow != wide) else ("float32", narrow)
    data = array.tobytes()
    return {kind: base64.b64encode(data).decode(), "crc32": zlib.crc32(data)}
