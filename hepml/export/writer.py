"""Text of the exported file: the shortest decimals that give every float32 back, laid out to be read and compared.

A weight is stored as float32, so `0.1` says all there is to say and 0.10000000149011612 says no more. Numbers that
were computed in float64 (offsets, scales) are written in full.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError

__all__ = ["model_id", "shortest_decimals", "to_text"]


def shortest_decimals(array: NDArray[np.float32]) -> list[str]:
    """The shortest decimals that give each float32 back, also when read as float64 and rounded.

    Example:
        >>> shortest_decimals(np.array([0.1, 1.0, -2.5e-8], np.float32))
        ['0.1', '1', '-2.5e-08']
    """
    flat = np.asarray(array, dtype=np.float32).ravel()
    texts = [str(number).removesuffix(".0") if number else "0" for number in flat]
    again = np.array(texts, dtype=np.float64).astype(np.float32) if texts else flat
    for k in np.flatnonzero(again != flat):  # rounded twice: write what float64 holds
        texts[k] = repr(float(flat[k]))
    return texts


def to_text(document: Mapping[str, Any]) -> str:
    """The document as JSON: one line for each input, node, layer and entry of the top-level objects.

    Args:
        document: mappings, sequences, texts, numbers and NumPy arrays; arrays become flat lists.

    Raises:
        DataError: a number that JSON cannot hold, or an object without a JSON form; the message gives its path.
    """
    blocks = []
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            lines = [f"  {json.dumps(name)}: {_compact(item, f'{key}.{name}')}" for name, item in value.items()]
            text = "{\n" + ",\n".join(lines) + "\n }"
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            lines = [f"  {_compact(item, f'{key}[{k}]')}" for k, item in enumerate(value)]
            text = "[\n" + ",\n".join(lines) + "\n ]"
        else:
            text = _compact(value, key)
        blocks.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _compact(value: Any, path: str) -> str:
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        if not np.all(np.isfinite(value)):
            raise DataError("JSON has no NaN and no infinity", where=path)
        return "[" + ",".join(shortest_decimals(value)) + "]"
    if isinstance(value, np.ndarray):
        return _compact(value.ravel().tolist(), path)
    if isinstance(value, Mapping):
        items = (f"{json.dumps(str(key))}:{_compact(item, f'{path}.{key}')}" for key, item in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise DataError("JSON has no NaN and no infinity", where=path, found=str(value))
        return repr(float(value)).removesuffix(".0") if value else "0"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_compact(item, f"{path}[{k}]") for k, item in enumerate(value)) + "]"
    if value is None or isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, np.integer | np.bool_):
        return json.dumps(value.item())
    raise DataError("has no JSON form", where=path, found=type(value).__name__)


def model_id(document: Mapping[str, Any]) -> str:
    """The identity of a network: SHA-256 of all that its score depends on, as canonical JSON.

    Every weight, offset, node and name counts, and of the block `hepml` what a Tagger makes the inputs with: geometry,
    convention, the towers that count and definitions of polynomials. Layout, the spelling of numbers, thresholds,
    ranges, provenance and texts do not.

    Args:
        document: a file read by `json.loads`.
    """
    network = {key: value for key, value in document.items() if key not in _NO_SCORE}
    block = document.get("hepml") or {}
    network |= {key: block[key] for key in ("geometry", "convention", "towers") if block.get(key) is not None}
    if isinstance(efps := block.get("efps"), dict):
        network["efps"] = {key: value for key, value in efps.items() if key != "reference"}
    text = json.dumps(_canonical(network), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


_NO_SCORE = ("hepml", "defaults", "miscellaneous")  # the last two are notes of lwtnn's sequential form


def _canonical(value: Any) -> Any:
    """Numbers as doubles, so that 1 is 1.0; variables without the note of what a user may put for a missing value."""
    if isinstance(value, dict):
        noted = "name" in value and "default" in value
        return {key: _canonical(item) for key, item in value.items() if not (noted and key == "default")}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return float(value) + 0.0 if isinstance(value, int | float) and not isinstance(value, bool) else value
