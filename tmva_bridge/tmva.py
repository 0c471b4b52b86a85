"""`TMVA`, as scripts written for PyROOT know it: Factory, DataLoader, Reader, Types, Tools, PyMethodBase."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hepml.errors import DataError, nearest
from tmva_bridge.dataloader import DataLoader
from tmva_bridge.factory import Factory
from tmva_bridge.reader import Reader

__all__ = ["TMVA"]

_KINDS = (
    *("Cuts", "Likelihood", "PDERS", "HMatrix", "Fisher", "KNN", "CFMlpANN", "TMlpANN", "BDT", "DT", "RuleFit", "SVM"),
    *("MLP", "BayesClassifier", "FDA", "Boost", "PDEFoam", "LD", "Category", "DNN", "DL"),
    *("PyRandomForest", "PyAdaBoost", "PyGTB", "PyKeras", "PyTorch"),
)


class _Namespace(SimpleNamespace):
    def __getattr__(self, name: str) -> Any:
        known = [one for one in self.__dict__ if not one.startswith("_")]
        close = ", ".join(nearest(name, known)) or ", ".join(known)
        raise AttributeError(f"tmva_bridge has no TMVA name {name!r}; nearest: {close}")


class _Tools:
    @staticmethod
    def Instance() -> _Tools:  # noqa: N802
        """Has no effect: nothing needs to be set up."""
        return _Tools()


class _PyMethodBase:
    @staticmethod
    def PyInitialize() -> None:  # noqa: N802
        """Has no effect: this is Python already."""

    @staticmethod
    def PyFinalize() -> None:  # noqa: N802
        """Has no effect."""


def _gui(file: Any = "TMVA.root", *_: Any) -> None:
    raise DataError("TMVA's GUI is not there", fix=f"draw the file: hepml tmva report {getattr(file, 'path', file)}")


TMVA = _Namespace(
    Factory=Factory,
    DataLoader=DataLoader,
    Reader=Reader,
    Types=_Namespace(**{f"k{kind}": kind for kind in _KINDS}, kTraining="Training", kTesting="Test", kMaxTreeType=""),
    Tools=_Tools,
    PyMethodBase=_PyMethodBase,
    TMVAGui=_gui,
)
