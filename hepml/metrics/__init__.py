"""How good is a score: curves, numbers and intervals, from plain arrays (score, label, weight).

Results are the records of `hepml.metrics.results`; every function works with event weights, negative ones included.
"""

from __future__ import annotations

from hepml.metrics.binned import binned_efficiency, equal_count_edges
from hepml.metrics.bootstrap import MOST_REPLICAS, resample_background, resample_pair
from hepml.metrics.calibration import calibration_curve
from hepml.metrics.changes import Change, Systematic, score_changes
from hepml.metrics.confusion import confusion_at, confusion_matrix
from hepml.metrics.delong import auc_difference, auc_error
from hepml.metrics.dependence import Dependence, distance_correlation, jensen_shannon, score_dependence
from hepml.metrics.intervals import clopper_pearson, percentile_interval, weighted_efficiency_interval
from hepml.metrics.multiclass import multiclass_metrics, regression_metrics
from hepml.metrics.ordering import DecisionOrdering, DisorderedPairs, average_decision_ordering
from hepml.metrics.overtraining import ks_test, overtraining_gaps
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
from hepml.metrics.reweight import Reweighting, reweight_background
from hepml.metrics.roc import auc, effective_number, make_events, roc_curve
from hepml.metrics.thresholds import bin_edges, derive_thresholds

__all__ = [
    "CONFIDENCE",
    "EFFICIENCIES",
    "MOST_REPLICAS",
    "Auc",
    "BinnedEfficiency",
    "Calibration",
    "Change",
    "ClassRejection",
    "Comparison",
    "Confusion",
    "DecisionOrdering",
    "Dependence",
    "DisorderedPairs",
    "Gap",
    "MultiClass",
    "Overtraining",
    "RatioCurve",
    "Regression",
    "RejectionRatio",
    "Reweighting",
    "RocCurve",
    "ScoredEvents",
    "Systematic",
    "Threshold",
    "WorkingPoint",
    "auc",
    "auc_difference",
    "auc_error",
    "average_decision_ordering",
    "bin_edges",
    "binned_efficiency",
    "calibration_curve",
    "clopper_pearson",
    "compare_scores",
    "confusion_at",
    "confusion_matrix",
    "derive_thresholds",
    "distance_correlation",
    "effective_number",
    "equal_count_edges",
    "jensen_shannon",
    "ks_test",
    "make_events",
    "multiclass_metrics",
    "overtraining_gaps",
    "percentile_interval",
    "regression_metrics",
    "rejection_at",
    "rejection_by_class",
    "resample_background",
    "resample_pair",
    "reweight_background",
    "roc_band",
    "roc_curve",
    "score_changes",
    "score_dependence",
    "to_json",
    "weighted_efficiency_interval",
    "working_points",
]
