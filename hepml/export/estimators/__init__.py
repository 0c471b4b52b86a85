"""scikit-learn's and XGBoost's models as network files: trees, pipelines, linear models, perceptrons."""

from hepml.export.estimators.boosters import load_booster
from hepml.export.estimators.export import export_estimator
from hepml.export.estimators.reading import SUPPORTED, is_estimator, read_estimator

__all__ = ["SUPPORTED", "export_estimator", "is_estimator", "load_booster", "read_estimator"]
