"""A written file is believed only after the C++ evaluator has reproduced Keras with it.

Keras itself computes in float32. A deep network may amplify that rounding beyond the tolerance; then Keras is compared
with the same network in float64, and C++ is asked to be as near to Keras as that rounding allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import VerificationError
from hepml.export.inputs import InputRecord
from hepml.export.reference import in_float64, keras_logits, keras_outputs, random_events

__all__ = ["LOGIT_TOLERANCE", "N_VERIFICATION", "TOLERANCE", "Differences", "Tolerances", "rounding", "verify"]

Array = NDArray[Any]
TOLERANCE = 1e-6  # of each output, at least of 1
LOGIT_TOLERANCE = 2e-5  # of each logit, at least of 1
N_VERIFICATION = 256
_LARGEST = 1e-4
_MARGIN = 4.0  # times the worst rounding seen: Keras and C++ both have it, on other events


@dataclass(frozen=True)
class Differences:
    """Largest differences between the C++ evaluator and Keras, in units of max(1, the value).

    Attributes:
        outputs: of the outputs.
        logits: of the logits, or None where the last layer has none.
        events: how many random events were compared, besides the reference vectors.
    """

    outputs: float
    logits: float | None
    events: int


@dataclass(frozen=True)
class Tolerances:
    """How far C++ may be from Keras, in units of max(1, the value)."""

    outputs: float = TOLERANCE
    logits: float = LOGIT_TOLERANCE


def verify(
    path: Path,
    model: Any,
    records: list[InputRecord],
    outputs: list[str],
    *,
    tolerances: Tolerances | None = None,
    shown: Path | None = None,
) -> Differences:
    """Compares a file with the Keras model it was written from, on random events.

    Loading the file has already compared the reference vectors.

    Args:
        path: the file.
        model: the Keras model.
        records: its inputs.
        outputs: the names of its outputs.
        tolerances: by default those that every ordinary network keeps.
        shown: the name of the file in messages.

    Raises:
        VerificationError: the reference vectors or the random events differ by more than the tolerance.
    """
    from hepml.evaluator import Evaluator

    shown = shown or path
    tolerances = tolerances or Tolerances()
    evaluator = Evaluator(path)
    events = random_events(records, N_VERIFICATION, seed=1)
    given = {record.name: array for record, array in zip(records, events, strict=True)}
    worst = 0.0
    found = evaluator(given)
    for name, right in zip(outputs, keras_outputs(model, events), strict=True):
        worst = max(worst, _worst(f"{shown}, {name}", found[name], right, tolerances.outputs))
    logits = keras_logits(model, events)
    if logits is None:
        return Differences(worst, None, N_VERIFICATION)
    (name,) = outputs
    worst_logit = _worst(f"{shown}, logits of {name}", evaluator(given, logits=True)[name], logits, tolerances.logits)
    return Differences(worst, worst_logit, N_VERIFICATION)


def _relative(found: Array, right: Array) -> Array:
    difference = np.abs(found.astype(np.float64) - right) / np.maximum(1.0, np.abs(right))
    return np.where(np.isnan(found) & np.isnan(right), 0.0, difference)


def _worst(where: str, found: Array, right: Array, tolerance: float) -> float:
    difference = _relative(found.reshape(right.shape), right)
    if not np.all(difference <= tolerance):
        event = int(np.argmax(np.nan_to_num(difference, nan=np.inf).reshape(len(right), -1).max(axis=1)))
        raise VerificationError(
            "the C++ evaluator does not reproduce Keras; nothing was written",
            where=f"{where}, random event {event}",
            expected=f"{right[event]} within {tolerance:g}",
            found=str(found[event]),
            fix="this is a defect of hepml, or of Keras' back end: please report the model",
        )
    return float(difference.max(initial=0.0))


def rounding(model: Any, records: list[InputRecord], reference: list[NDArray[np.float32]]) -> Tolerances:
    """Tolerances that the float32 rounding of Keras itself calls for: the usual ones unless it is amplified.

    Args:
        model: the Keras model.
        records: its inputs.
        reference: the events of the reference vectors.
    """
    wide = in_float64(model)
    if wide is None:
        return Tolerances()
    outputs, logits = TOLERANCE, LOGIT_TOLERANCE
    for events in (reference, random_events(records, N_VERIFICATION, seed=1)):
        for narrow, exact in zip(keras_outputs(model, events), keras_outputs(wide, events), strict=True):
            outputs = max(outputs, _MARGIN * float(_relative(narrow, exact).max(initial=0.0)))
        narrow_logits, exact_logits = keras_logits(model, events), keras_logits(wide, events)
        if narrow_logits is not None and exact_logits is not None:
            logits = max(logits, _MARGIN * float(_relative(narrow_logits, exact_logits).max(initial=0.0)))
    if not (outputs <= _LARGEST and logits <= _LARGEST):
        return Tolerances()
    return Tolerances(float(f"{outputs:.1e}") if outputs > TOLERANCE else TOLERANCE, logits)
