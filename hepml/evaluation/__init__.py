"""A trained run and its data.h5 to one complete result: held-out metrics with intervals, thresholds, comparisons.

run + data.h5 -> sample (who may be evaluated) -> evaluate -> Evaluation -> vary, compare, metrics.json, figures
"""

from hepml.evaluation.compare import compare
from hepml.evaluation.evaluate import evaluate
from hepml.evaluation.record import Evaluation
from hepml.evaluation.variations import parse_variations
from hepml.evaluation.vary import vary

__all__ = ["Evaluation", "compare", "evaluate", "parse_variations", "vary"]
