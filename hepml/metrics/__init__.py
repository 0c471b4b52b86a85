"""How good is a score: curves, numbers and intervals, from plain arrays (score, label, weight).

Results are the records of `hepml.metrics.results`; every function works with event weights, negative ones included.
"""

from __future__ import annotations

from hepml.metrics.bootstrap import bootstrap, paired_bootstrap
from hepml.metrics.delong import auc_difference, auc_error
from hepml.metrics.intervals import clopper_pearson, percentile_interval, weighted_efficiency_interval
from hepml.metrics.rejection import (
    EFFICIENCIES,
    compare_scores,
    rejection_at,
    rejection_by_class,
    roc_band,
    working_points,
)
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
from hepml.metrics.roc import auc, effective_number, make_events, roc_curve

__all__ = [
    "CONFIDENCE",
    "EFFICIENCIES",
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
    "auc",
    "auc_difference",
    "auc_error",
    "bootstrap",
    "clopper_pearson",
    "compare_scores",
    "effective_number",
    "make_events",
    "paired_bootstrap",
    "percentile_interval",
    "rejection_at",
    "rejection_by_class",
    "roc_band",
    "roc_curve",
    "to_json",
    "weighted_efficiency_interval",
    "working_points",
]
