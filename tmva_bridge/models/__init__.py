"""Models of Keras, scikit-learn and XGBoost as weight files of TMVA."""

from tmva_bridge.models.write import write_weights

__all__ = ["write_weights"]
