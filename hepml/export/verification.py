"""A written file is believed only after the C++ evaluator has reproduced Keras with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import VerificationError
from hepml.export.inputs import InputRecord
from hepml.export.reference import keras_logits, keras_outputs, random_events

__all__ = ["LOGIT_TOLERANCE", "N_VERIFICATION", "TOLERANCE", "Differences", "verify"]

Float32 = NDArray[np.float32]
TOLERANCE = 1e-6  # of the largest value of an output, at least of 1
LOGIT_TOLERANCE = 2e-5  # of each logit, at least of 1
N_VERIFICATION = 256


@dataclass(frozen=True)
class Differences:
    """Largest differences between the C++ evaluator and Keras.

    Attributes:
        outputs: in units of max(1, largest value of the output).
        logits: in units of max(1, the logit), or None where the last layer has no logits.
        events: how many random events were compared, besides the reference vectors.
    """

    outputs: float
    logits: float | None
    events: int


def verify(
    path: Path, model: Any, records: list[InputRecord], outputs: list[str], *, shown: Path | None = None
) -> Differences:
    """Compares a file with the Keras model it was written from, on random events.

    Loading the file has already compared the reference vectors.

    Args:
        path: the file.
        model: the Keras model.
        records: its inputs.
        outputs: the names of its outputs.
        shown: the name of the file in messages.

    Raises:
        VerificationError: the reference vectors or the random events differ by more than the tolerance.
    """
    from hepml.evaluator import Evaluator

    shown = shown or path
    evaluator = Evaluator(path)
    events = random_events(records, N_VERIFICATION, seed=1)
    given = {record.name: array for record, array in zip(records, events, strict=True)}
    expected = dict(zip(outputs, keras_outputs(model, events), strict=True))
    worst = _worst(shown, evaluator(given), expected, TOLERANCE, each=False)
    logits = keras_logits(model, events)
    worst_logit = None
    if logits is not None:
        (name,) = outputs
        worst_logit = _worst(shown, evaluator(given, logits=True), {f"{name} logits": logits}, LOGIT_TOLERANCE, True)
    return Differences(worst, worst_logit, N_VERIFICATION)


def _worst(shown: Path, found: dict[str, Float32], expected: dict[str, Float32], tolerance: float, each: bool) -> float:
    worst = 0.0
    for name, right in expected.items():
        got = found[name.removesuffix(" logits")].reshape(right.shape)
        scale = np.maximum(1.0, np.abs(right) if each else np.max(np.abs(right), initial=0.0))
        difference = np.abs(got.astype(np.float64) - right) / scale
        difference = np.where(np.isnan(got) & np.isnan(right), 0.0, difference)
        if not np.all(difference <= tolerance):
            event = int(np.argmax(np.nan_to_num(difference, nan=np.inf).reshape(len(right), -1).max(axis=1)))
            raise VerificationError(
                "the C++ evaluator does not reproduce Keras; nothing was written",
                where=f"{shown}, {name}, random event {event}",
                expected=f"{right[event]} within {tolerance:g}",
                found=str(got[event]),
                fix="this is a defect of hepml: please report the model",
            )
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst
