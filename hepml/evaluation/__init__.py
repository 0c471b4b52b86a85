"""A trained run and its data.h5 to one complete result: held-out metrics with intervals, thresholds, comparisons.

run + data.h5 -> sample (who may be evaluated) -> evaluate -> Evaluation -> compare, metrics.json, figures
"""

from hepml.evaluation.compare import compare
from hepml.evaluation.evaluate import evaluate
from hepml.evaluation.record import Evaluation

__all__ = ["Evaluation", "compare", "evaluate"]
