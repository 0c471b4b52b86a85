"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.metrics import (
    Auc,
    BinnedEfficiency,
    Calibration,
    ClassRejection,
    Confusion,
    Dependence,
    MultiClass,
    Overtraining,
    Regression,
    RocCurve,
    ScoredEvents,
    Systematic,
    Threshold,
    WorkingPoint,
    to_json,
)

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """All that is known about a run on held-out candidates; what does not apply to the task is None or empty.

    Attributes:
        name: of the run.
        features: tokens joined by _and_.
        task: "binary", "multiclass" or "regression".
        selection: named subset, None for all candidates.
        reweighted: whether the background has the signal's (pT, eta) spectrum.
        part: which candidates were evaluated: "test", "out-of-fold" or "independent".
        folds, seeds: of the run.
        n_signal, n_background: evaluated candidates, unweighted (all candidates in n_background for other tasks).
        n_effective: (signal, background) where event weights differ, else None.
        auc, roc, working_points, classes, binned, calibration, confusion, overtraining: of a two-class run, for the
            training seed of the stored network; `auc` and `working_points` hold the other seeds' values too.
        thresholds: cuts of the stored network for target signal efficiencies, from candidates it did not train on.
        dependence: of the score on pT, eta, mass and isolation, as far as the data hold them.
        systematics: what varied towers change; empty unless asked for.
        multiclass: of a run with several classes.
        regression: by target.
        notes: what a reader of the numbers should know.
        provenance: checksums, bootstrap replicas, seed.
        events, identity: evaluated candidates with their scores, and who they are; not in the JSON.
        train: training candidates with their scores, or None; not in the JSON.
        history: columns of the training history (epoch, loss, val_loss, ...); not in the JSON.
    """

    name: str
    features: str
    task: str
    selection: str | None
    reweighted: bool
    part: str
    folds: int
    seeds: tuple[int, ...]
    n_signal: int
    n_background: int
    n_effective: tuple[float, float] | None = None
    auc: Auc | None = None
    roc: RocCurve | None = None
    working_points: tuple[WorkingPoint, ...] = ()
    classes: tuple[ClassRejection, ...] = ()
    binned: tuple[BinnedEfficiency, ...] = ()
    calibration: Calibration | None = None
    confusion: Confusion | None = None
    overtraining: Overtraining | None = None
    thresholds: tuple[Threshold, ...] = ()
    dependence: tuple[Dependence, ...] = ()
    systematics: tuple[Systematic, ...] = ()
    multiclass: MultiClass | None = None
    regression: Mapping[str, Regression] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    events: ScoredEvents | None = None
    identity: NDArray[np.uint64] | None = None
    train: ScoredEvents | None = None
    history: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON types, without the scored candidates and the history."""
        skipped = {"events", "identity", "train", "history"}
        return {name: to_json(value) for name, value in self.__dict__.items() if name not in skipped}

    def point(self, signal_efficiency: float) -> WorkingPoint:
        """The working point at a signal efficiency.

        Raises:
            DataError: it was not evaluated; the message has those that were.
        """
        for found in self.working_points:
            if abs(found.signal_efficiency - signal_efficiency) < 1e-9:
                return found
        known = ", ".join(f"{point.signal_efficiency:g}" for point in self.working_points)
        raise DataError(
            f"no working point at a signal efficiency of {signal_efficiency:g} was evaluated",
            where=self.name,
            expected=known or f"none: a {self.task} run has no working points",
        )
