"""tmva_bridge: TMVA's methods, files and option strings for people whose analysis lives in ROOT's TMVA."""

from hepml.errors import HepmlError
from tmva_bridge.dataloader import DataLoader
from tmva_bridge.export import to_json
from tmva_bridge.factory import Factory
from tmva_bridge.fitting import fit_transforms
from tmva_bridge.header import Variable
from tmva_bridge.methods import Method
from tmva_bridge.models import write_weights
from tmva_bridge.output import MethodOutput, write_output
from tmva_bridge.quality import kolmogorov_test, roc_integral
from tmva_bridge.reader import Reader
from tmva_bridge.rootlike import TCut, TFile, TString, TTree, gApplication, gROOT, gSystem
from tmva_bridge.tmva import TMVA
from tmva_bridge.weights import parse_weights, read_weights

__all__ = [
    "TMVA",
    "DataLoader",
    "Factory",
    "HepmlError",
    "Method",
    "MethodOutput",
    "Reader",
    "TCut",
    "TFile",
    "TString",
    "TTree",
    "Variable",
    "fit_transforms",
    "gApplication",
    "gROOT",
    "gSystem",
    "kolmogorov_test",
    "parse_weights",
    "read_weights",
    "roc_integral",
    "to_json",
    "write_output",
    "write_weights",
]
