"""The methods of TMVA whose weight files are read, one file each; `READERS` says which."""

from collections.abc import Callable

from tmva_bridge.header import Header
from tmva_bridge.methods import bdt, cuts, fda, fisher, hmatrix, knn, ld, likelihood, mlp, pykeras, rulefit
from tmva_bridge.methods.method import Method, Respond
from tmva_bridge.xmlfile import Element

READERS: dict[str, Callable[[Element, Header], Respond]] = {
    "BDT": bdt.read,
    "MLP": mlp.read,
    "Fisher": fisher.read,
    "LD": ld.read,
    "Likelihood": likelihood.read,
    "HMatrix": hmatrix.read,
    "KNN": knn.read,
    "RuleFit": rulefit.read,
    "Cuts": cuts.read,
    "FDA": fda.read,
    "PyKeras": pykeras.read,
}

__all__ = ["READERS", "Method"]
