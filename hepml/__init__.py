"""hepml: from ROOT calorimeter trees to a score inside a trigger.

The public names live here and are loaded when first used, so that `import hepml` is quick: neither Keras nor
matplotlib is imported before something needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hepml import efp, root
    from hepml.candidates import Candidates, select_candidates
    from hepml.dataset import Dataset, EFPFile, load_combined_data, load_data, write_efps
    from hepml.errors import HepmlError
    from hepml.evaluator import Evaluator
    from hepml.export import export_model, export_source
    from hepml.features import FEATURE_NAMES, high_level, mass
    from hepml.geometry import ECAL, HCAL, Geometry, Grid
    from hepml.images import Images, make_images
    from hepml.metrics import average_decision_ordering
    from hepml.training import Run, load_run, train
    from hepml.trees import Events, iterate_events, open_events

# public name -> module that owns it
_OWNERS = {
    "HepmlError": "errors",
    "Grid": "geometry",
    "Geometry": "geometry",
    "ECAL": "geometry",
    "HCAL": "geometry",
    "Events": "trees",
    "open_events": "trees",
    "iterate_events": "trees",
    "Candidates": "candidates",
    "select_candidates": "candidates",
    "Images": "images",
    "make_images": "images",
    "FEATURE_NAMES": "features",
    "high_level": "features",
    "mass": "features",
    "Dataset": "dataset",
    "EFPFile": "dataset",
    "write_efps": "dataset",
    "load_data": "dataset",
    "load_combined_data": "dataset",
    "average_decision_ordering": "metrics",
    "Run": "training",
    "train": "training",
    "load_run": "training",
    "export_model": "export",
    "export_source": "export",
    "Evaluator": "evaluator",
}

__all__ = [
    "ECAL",
    "FEATURE_NAMES",
    "HCAL",
    "Candidates",
    "Dataset",
    "EFPFile",
    "Evaluator",
    "Events",
    "Geometry",
    "Grid",
    "HepmlError",
    "Images",
    "Run",
    "__version__",
    "average_decision_ordering",
    "efp",
    "export_model",
    "export_source",
    "high_level",
    "iterate_events",
    "load_combined_data",
    "load_data",
    "load_run",
    "make_images",
    "mass",
    "open_events",
    "root",
    "select_candidates",
    "train",
    "write_efps",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("hepml")
    if name in ("efp", "root"):
        return import_module(f"hepml.{name}")
    if name in _OWNERS:
        return getattr(import_module(f"hepml.{_OWNERS[name]}"), name)
    raise AttributeError(f"module 'hepml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
