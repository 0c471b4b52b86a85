"""Trainings that need no ROOT; `TRAININGS` says which, by TMVA's type."""

from tmva_bridge.fitting.bdt import BDT
from tmva_bridge.fitting.fisher import FISHER
from tmva_bridge.fitting.ld import LD
from tmva_bridge.fitting.likelihood import LIKELIHOOD
from tmva_bridge.fitting.mlp import MLP
from tmva_bridge.fitting.outside import Transforms, fit_transforms
from tmva_bridge.fitting.training import Training

TRAININGS: dict[str, Training] = {one.kind: one for one in (FISHER, LD, LIKELIHOOD, BDT, MLP)}

__all__ = ["TRAININGS", "Training", "Transforms", "fit_transforms"]
