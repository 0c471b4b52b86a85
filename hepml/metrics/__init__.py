"""How good is a score: curves, numbers and intervals, from plain arrays (score, label, weight).

Results are the records of `hepml.metrics.results`; every function works with event weights, negative ones included.
"""

from __future__ import annotations

from hepml.metrics.results import (
    CONFIDENCE,
    Auc,
    BinnedEfficiency,
    Calibration,
    ClassRejection,
    Comparison,
    Confusion,
    Gap,
    MultiClass,
    Overtraining,
    RatioCurve,
    Regression,
    RejectionRatio,
    RocCurve,
    ScoredEvents,
    Threshold,
    WorkingPoint,
    to_json,
)

__all__ = [
    "CONFIDENCE",
    "Auc",
    "BinnedEfficiency",
    "Calibration",
    "ClassRejection",
    "Comparison",
    "Confusion",
    "Gap",
    "MultiClass",
    "Overtraining",
    "RatioCurve",
    "Regression",
    "RejectionRatio",
    "RocCurve",
    "ScoredEvents",
    "Threshold",
    "WorkingPoint",
    "to_json",
]
