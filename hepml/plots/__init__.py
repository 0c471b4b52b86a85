"""Result objects to publication figures, each saved as PDF and PNG beside its numbers.

Every function takes plain arrays or the records of `hepml.metrics`, draws with mplhep's style at print size, and
returns a `FigureRecord`: the figure, its panels by name, and tables of everything drawn. `save` writes NAME.pdf,
NAME.png and NAME.json. The user's matplotlib settings stay as they are, and no display is needed.
"""

from __future__ import annotations

from hepml.plots.history import training_curves
from hepml.plots.performance import efficiency_profile, truth_classes
from hepml.plots.record import Column, FigureRecord, Table, save
from hepml.plots.roc import roc_curves
from hepml.plots.scores import score_distributions
from hepml.plots.style import COLOURS, COLUMN, LINE_STYLES, PAGE, Style, drawing

__all__ = [
    "COLOURS",
    "COLUMN",
    "LINE_STYLES",
    "PAGE",
    "Column",
    "FigureRecord",
    "Style",
    "Table",
    "drawing",
    "efficiency_profile",
    "roc_curves",
    "save",
    "score_distributions",
    "training_curves",
    "truth_classes",
]
