"""Working points as a file of correctionlib, which analysis frameworks of CMS and ATLAS evaluate on columns.

Schema version 2 of correctionlib (https://cms-nanoaod.github.io/correctionlib): a CorrectionSet with the correction
`threshold`, a function of the signal efficiency, and `threshold_binned`, of pT and eta too. A score, a float32, reaches
them if and only if `hepml::Tagger::passes` says so; where that lets nothing pass, outside of all bins, they give 1e38.

correctionlib 2.9 reads a number of more than 15 digits with an error in its last bit, so that the candidate whose score
is the threshold could fail. Thresholds are therefore written with 15 digits, rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from hepml.errors import DataError
from hepml.ledger import atomic_path, json_text

__all__ = ["NEVER", "correction_document", "write_correction"]

NEVER = 1e38
"""The threshold where nothing passes."""

_DIGITS = 15

Points = Sequence[Mapping[str, Any]]
_PT = {"name": "pt", "type": "real", "description": "pT of the candidate in GeV"}
_ETA = {"name": "eta", "type": "real", "description": "eta of the candidate"}


def write_correction(thresholds: Points, path: str | Path, *, model_id: str = "", overwrite: bool = False) -> None:
    """Writes `correction_document` to a file.

    Raises:
        DataError: no thresholds, or an efficiency without one for all candidates.
        OutputError: the file exists, or cannot be written.
    """
    document = correction_document(thresholds, model_id=model_id)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(json_text(document, indent=1) + "\n", encoding="utf-8")


def correction_document(thresholds: Points, *, model_id: str = "") -> dict[str, Any]:
    """The CorrectionSet of stored working points.

    Args:
        thresholds: signal_efficiency, threshold, and pt and eta as [low, high) or None; a None edge is open.
        model_id: of the network that they belong to, for the descriptions.

    Returns:
        A document of schema version 2. `threshold(working_point)` and, if there are bins,
        `threshold_binned(working_point, pt, eta)`; a working point is the signal efficiency as text, "0.8".

    Raises:
        DataError: no thresholds.

    Example:
        >>> point = {"signal_efficiency": 0.8, "threshold": 0.25, "pt": None, "eta": None}
        >>> document = correction_document([point])
        >>> document["corrections"][0]["data"]["content"]
        [{'key': '0.8', 'value': 0.25}]
    """
    if not thresholds:
        raise DataError(
            "the network has no working points", where="hepml.thresholds", fix="run hepml evaluate before hepml export"
        )
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for point in thresholds:
        by_name.setdefault(f"{point['signal_efficiency']:g}", []).append(point)
    everywhere = {name: [p for p in points if not _bins(p)] for name, points in by_name.items()}
    binned = {name: [p for p in points if _bins(p)] for name, points in by_name.items()}
    corrections = []
    overall = {name: _readable(points[0]["threshold"]) for name, points in everywhere.items() if points}
    if overall:
        corrections.append(_correction("threshold", [], overall, model_id, "for all candidates"))
    if any(binned.values()):
        cells = {name: _cells(points) if points else overall[name] for name, points in binned.items()}
        corrections.append(_correction("threshold_binned", [_PT, _ETA], cells, model_id, "in bins of pT and eta"))
    return {
        "schema_version": 2,
        "description": f"Working points of the hepml network {model_id}".strip(),
        "corrections": corrections,
    }


def _bins(point: Mapping[str, Any]) -> bool:
    return point.get("pt") is not None or point.get("eta") is not None


def _correction(
    name: str, inputs: list[dict[str, str]], by_name: Mapping[str, Any], model_id: str, where: str
) -> dict[str, Any]:
    text = f"A candidate passes if score >= threshold: thresholds {where}, of the network {model_id}"
    point = {"name": "working_point", "type": "string", "description": "signal efficiency: " + ", ".join(by_name)}
    return {
        "name": name,
        "description": text.strip(),
        "version": 1,
        "inputs": [point, *inputs],
        "output": {"name": "threshold", "type": "real", "description": "cut on the score"},
        "data": {
            "nodetype": "category",
            "input": "working_point",
            "content": [{"key": key, "value": value} for key, value in by_name.items()],
        },
    }


def _readable(threshold: float) -> float:
    """A number of 15 digits that the same float32 scores reach."""
    rounded = _down(threshold)
    return rounded if _first_score(rounded) == _first_score(threshold) else _down(_first_score(threshold))


def _first_score(threshold: float) -> float:
    """The smallest float32 that reaches it."""
    near = np.float32(threshold)
    return float(near if float(near) >= threshold else np.nextafter(near, np.float32(np.inf)))


def _down(value: float) -> float:
    """Rounded down to 15 digits; to 14, and one less, where correctionlib's powers of ten are not exact."""
    exact = Decimal(repr(value))
    if not exact:
        return 0.0
    last = Decimal(1).scaleb(exact.adjusted() - _DIGITS + 1)
    rounded = exact.quantize(last, rounding=ROUND_FLOOR)
    return float(rounded if abs(exact.adjusted() - _DIGITS + 1) <= 22 else rounded - 10 * last)


def _interval(limits: Any) -> tuple[float, float]:
    low, high = (None, None) if limits is None else limits
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def _cells(points: Points) -> dict[str, Any]:
    """A grid of all edges; in each cell the first threshold whose bin holds it, as in `hepml::Tagger::passes`."""
    boxes = [(_interval(p.get("pt")), _interval(p.get("eta")), _readable(p["threshold"])) for p in points]
    grids = [sorted({edge for box in boxes for edge in one(box)}) for one in (itemgetter(0), itemgetter(1))]
    content = []
    for pt in grids[0][:-1]:
        for eta in grids[1][:-1]:
            inside = (cut for (low, high), (left, right), cut in boxes if low <= pt < high and left <= eta < right)
            content.append(next(inside, NEVER))
    return {
        "nodetype": "multibinning",
        "inputs": ["pt", "eta"],
        "edges": [[_edge(edge) for edge in grid] for grid in grids],
        "content": content,
        "flow": NEVER,
    }


def _edge(edge: float) -> float | str:
    return edge if math.isfinite(edge) else "inf" if edge > 0 else "-inf"
