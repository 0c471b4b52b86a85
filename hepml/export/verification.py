"""A written file is believed only after the C++ evaluator has reproduced Keras with it.

Keras itself computes in float32, and a network may amplify that rounding beyond the tolerance. Then the right answer is
that of the same network in float64, and C++ has to be as near to it as the tolerance says or as Keras is.
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
from hepml.export.reference import keras_logits, keras_outputs, random_events, reference_events

__all__ = ["LARGEST_TOLERANCE", "N_VERIFICATION", "TOLERANCE", "Differences", "allowance", "verify"]

Array = NDArray[Any]
TOLERANCE = 1e-6  # of each output, at least of 1
LARGEST_TOLERANCE = 1e-4  # beyond it a difference is a defect, not rounding
_MARGIN = 4.0  # times Keras' rounding on these events: C++ rounds as well, on other events too
_LOGITS = 20.0  # tolerance of a logit, in units of an output's
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

    def within(self, tolerance: float) -> bool:
        """Whether the outputs are within a tolerance, and the logits within 20 times as much."""
        return self.outputs <= tolerance and (self.logits or 0.0) <= _LOGITS * tolerance


def verify(
    path: Path,
    model: Any,
    records: list[InputRecord],
    outputs: list[str],
    *,
    tolerance: float = TOLERANCE,
    shown: Path | None = None,
) -> Differences:
    """Compares a file with the Keras model it was written from, on the reference vectors and on random events, with
    every instruction set of this processor.

    Args:
        path: the file.
        model: the Keras model, in float32 or float64.
        records: its inputs.
        outputs: the names of its outputs.
        tolerance: of the outputs; logits have 20 times as much.
        shown: the name of the file in messages.

    Raises:
        VerificationError: the reference vectors or the random events differ by more than the tolerance.
    """
    # the reference vectors are compared here, with the better message
    evaluators = [Evaluator(path, verify=False, cpu=cpu) for cpu in cpus()]
    worst, worst_logit = 0.0, None
    for kind, events in _events(records).items():
        given = {record.name: array for record, array in zip(records, events, strict=True)}
        results, logits = keras_outputs(model, events), keras_logits(model, events)
        for evaluator in evaluators:
            found = evaluator(given)
            for name, right in zip(outputs, results, strict=True):
                where = f"{evaluator.cpu}, {shown or path}, {name}, {kind}"
                worst = max(worst, _worst(where, found[name], right, tolerance))
            if logits is not None:
                (name,) = outputs
                found = evaluator(given, logits=True)
                where = f"{evaluator.cpu}, {shown or path}, logits of {name}, {kind}"
                worst_logit = max(worst_logit or 0.0, _worst(where, found[name], logits, _LOGITS * tolerance))
    return Differences(worst, worst_logit, N_VERIFICATION)


def _events(records: list[InputRecord]) -> dict[str, list[NDArray[np.float32]]]:
    return {
        "reference event": reference_events(records),
        "random event": random_events(records, N_VERIFICATION, seed=1),
    }


def _relative(found: Array, right: Array) -> Array:
    difference = np.abs(found.astype(np.float64) - right) / np.maximum(1.0, np.abs(right))
    return np.where(np.isnan(found) & np.isnan(right), 0.0, difference)


def _worst(where: str, found: Array, right: Array, tolerance: float) -> float:
    difference = _relative(found.reshape(right.shape), right)
    if not np.all(difference <= tolerance):
        event = int(np.argmax(np.nan_to_num(difference, nan=np.inf).reshape(len(right), -1).max(axis=1)))
        raise VerificationError(
            "the C++ evaluator does not reproduce Keras; nothing was written",
            where=f"{where} {event}",
            expected=f"{right[event]} within {tolerance:g}",
            found=str(found[event]),
            fix="this is a defect of hepml, or of Keras' back end: please report the model",
        )
    return float(difference.max(initial=0.0))


def allowance(model: Any, wide: Any, records: list[InputRecord]) -> float:
    """The tolerance that the float32 rounding of Keras itself calls for, at least the usual one.

    Args:
        model: the Keras model.
        wide: the same network in float64.
        records: its inputs.
    """
    worst = 0.0
    for events in _events(records).values():
        for narrow, exact in zip(keras_outputs(model, events), keras_outputs(wide, events), strict=True):
            worst = max(worst, float(_relative(narrow, exact).max(initial=0.0)))
        narrow_logits, exact_logits = keras_logits(model, events), keras_logits(wide, events)
        if narrow_logits is not None and exact_logits is not None:
            worst = max(worst, float(_relative(narrow_logits, exact_logits).max(initial=0.0)) / _LOGITS)
    return max(TOLERANCE, float(f"{_MARGIN * worst:.1e}"))
