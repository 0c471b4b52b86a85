"""TMVA's PyKeras with Keras 3: models from files, compiled as these say, trained by TMVA's options, and read back."""

from tmva_bridge.pykeras.training import PYKERAS, check_booking, pykeras

__all__ = ["PYKERAS", "check_booking", "pykeras"]
