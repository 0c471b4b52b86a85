"""A trained run and its data.h5 to one complete result: held-out metrics with intervals, thresholds, comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hepml.metrics.results import (
    Auc,
    BinnedEfficiency,
    Calibration,
    ClassRejection,
    Confusion,
    MultiClass,
    Overtraining,
    Regression,
    RocCurve,
    ScoredEvents,
    Threshold,
    WorkingPoint,
    to_json,
)

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """All that is known about a run on held-out candidates; what does not apply to the task is None or empty.

    `events` and `train` keep the scored candidates for figures and comparisons and are not written to JSON;
    `history` holds the columns of the training history (epoch, loss, val_loss, ...).
    """

    name: str
    features: str
    task: str  # "binary", "multiclass" or "regression"
    selection: str | None
    reweighted: bool
    folds: int
    n_signal: int
    n_background: int
    n_effective: tuple[float, float] | None  # signal, background; None if all weights are equal
    auc: Auc | None = None
    roc: RocCurve | None = None
    points: tuple[WorkingPoint, ...] = ()
    classes: tuple[ClassRejection, ...] = ()
    binned: tuple[BinnedEfficiency, ...] = ()
    calibration: Calibration | None = None
    confusion: Confusion | None = None
    overtraining: Overtraining | None = None
    thresholds: tuple[Threshold, ...] = ()
    multiclass: MultiClass | None = None
    regression: Regression | None = None
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    events: ScoredEvents | None = None
    train: ScoredEvents | None = None
    history: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON types, without the scored candidates and the history."""
        skipped = {"events", "train", "history"}
        return {name: to_json(value) for name, value in self.__dict__.items() if name not in skipped}
