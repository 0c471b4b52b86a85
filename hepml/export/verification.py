"""A written file is believed only after the C++ evaluator has reproduced Keras with it.

Keras itself computes in float32, and a network may amplify that rounding beyond the tolerance. Then the right answer is
that of the same network in float64: C++ has to be as near to it as it should be to Keras, or, where float32 Keras is
not that near itself, within four times the distance of Keras. Where Keras' rounding uses up most of the tolerance, C++
has up to twice as much.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import VerificationError
from hepml.evaluator import Evaluator, cpus
from hepml.export.inputs import InputRecord
from hepml.export.reference import keras_logits, keras_outputs, prepared, random_events, reference_events

__all__ = ["LARGEST_TOLERANCE", "N_VERIFICATION", "TOLERANCE", "Differences", "Tolerances", "verify", "widened"]

Array = NDArray[Any]
TOLERANCE = 1e-6  # of the largest output of an event, at least of 1
LOGIT_TOLERANCE = 2e-5  # of the largest logit, at least of 1
LARGEST_TOLERANCE = 1e-4  # of either; beyond it a result means nothing
_MARGIN = 4.0  # times Keras' rounding on these events: C++ rounds as well, on other events too
N_VERIFICATION = 256


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
    """Compares a file with the Keras model it was written from, on the reference vectors and on random events, with
    every instruction set of this processor.

    Args:
        path: the file.
        model: the Keras model, in float32 or float64.
        records: its inputs.
        outputs: the names of its outputs.
        tolerances: by default those that every ordinary network keeps.
        shown: the name of the file in messages.

    Raises:
        VerificationError: the reference vectors or the random events differ by more than the tolerance.
    """
    tolerances = tolerances or Tolerances()
    # the reference vectors are compared here, with the better message
    evaluators = [Evaluator(path, verify=False, cpu=cpu) for cpu in cpus()]
    worst, worst_logit = 0.0, None
    for kind, events in _events(records).items():
        given = {record.name: array for record, array in zip(records, events, strict=True)}
        inputs = prepared(records, events)
        results, logits = keras_outputs(model, inputs), keras_logits(model, inputs)
        for evaluator in evaluators:
            found = evaluator(given)
            for name, right in zip(outputs, results, strict=True):
                where = f"{evaluator.cpu}, {shown or path}, {name}, {kind}"
                worst = max(worst, _worst(where, found[name], right, tolerances.outputs))
            if logits is not None:
                (name,) = outputs
                found = evaluator(given, logits=True)
                where = f"{evaluator.cpu}, {shown or path}, logits of {name}, {kind}"
                worst_logit = max(worst_logit or 0.0, _worst(where, found[name], logits, tolerances.logits))
    return Differences(worst, worst_logit, N_VERIFICATION)


def _events(records: list[InputRecord]) -> dict[str, list[NDArray[np.float32]]]:
    return {
        "reference event": reference_events(records),
        "random event": random_events(records, N_VERIFICATION, seed=1),
    }


def _relative(found: Array, right: Array) -> Array:
    """In units of the largest value of the event, at least of 1."""
    scale = np.maximum(1.0, np.abs(right).reshape(len(right), -1).max(axis=1, initial=0.0))
    difference = np.abs(found.astype(np.float64) - right) / scale.reshape(-1, *[1] * (right.ndim - 1))
    return np.where(np.isnan(found) & np.isnan(right), 0.0, difference)


def _worst(where: str, found: Array, right: Array, tolerance: float) -> float:
    difference = _relative(found.reshape(right.shape), right)
    if not np.all(difference <= tolerance):
        worst = np.unravel_index(int(np.argmax(np.nan_to_num(difference, nan=np.inf))), difference.shape)
        event, element = int(worst[0]), [int(k) for k in worst[1:]]
        found = found.reshape(right.shape)
        raise VerificationError(
            "the C++ evaluator does not reproduce Keras; nothing was written",
            where=f"{where} {event}, element {element}",
            expected=f"{right[worst]:.9g} within {tolerance:g} of the event's largest value, at least of 1",
            found=f"{found[worst]:.9g}",
            fix="this is a defect of hepml, or of Keras' back end: please report the model",
        )
    return float(difference.max(initial=0.0))


def widened(model: Any, wide: Any, records: list[InputRecord]) -> Tolerances:
    """The tolerances that the float32 rounding of Keras itself calls for: the usual ones where it keeps them.

    Args:
        model: the Keras model.
        wide: the same network in float64.
        records: its inputs.

    Raises:
        VerificationError: the rounding is so large that no tolerance up to 1e-4 would allow for it.
    """
    outputs, logits = 0.0, 0.0
    for raw in _events(records).values():
        events = prepared(records, raw)
        for narrow, exact in zip(keras_outputs(model, events), keras_outputs(wide, events), strict=True):
            outputs = max(outputs, float(_relative(narrow, exact).max(initial=0.0)))
        narrow_logits, exact_logits = keras_logits(model, events), keras_logits(wide, events)
        if narrow_logits is not None and exact_logits is not None:
            logits = max(logits, float(_relative(narrow_logits, exact_logits).max(initial=0.0)))
    found = Tolerances(_widened(outputs, TOLERANCE), _widened(logits, LOGIT_TOLERANCE))
    if not (found.outputs <= LARGEST_TOLERANCE and found.logits <= LARGEST_TOLERANCE):
        raise VerificationError(
            "float32 Keras does not reproduce this network; nothing was written",
            where=f"model {model.name!r}, on {N_VERIFICATION} random events and the reference vectors",
            expected=f"at most {LARGEST_TOLERANCE / _MARGIN:g} from the same network in float64",
            found=f"{outputs:.1e} on the outputs, {logits:.1e} on the logits, of max(1, value)",
            fix="large numbers that cancel: scale the inputs, or train with smaller weights; if there are none, Keras' "
            "back end computes a layer wrong",
        )
    return found


def _widened(rounding: float, usual: float) -> float:
    wide = float(f"{_MARGIN * rounding:.1e}")
    return wide if rounding > usual else min(max(usual, wide), 2 * usual)
