"""Result objects to publication figures, each saved as PDF and PNG beside its numbers.

Every function takes plain arrays or the records of `hepml.metrics`, draws with mplhep's style at print size, and
returns a `FigureRecord`: the figure, its panels by name, and tables of everything drawn. `save` writes NAME.pdf,
NAME.png and NAME.json. The user's matplotlib settings stay as they are, and no display is needed.
"""

from __future__ import annotations

from hepml.plots.decisions import calibration_curves, confusion_matrix
from hepml.plots.dependence import sculpting, variable_dependence
from hepml.plots.evaluation import comparison_figures, dataset_figures, evaluation_figures, training_figures
from hepml.plots.features import VARIABLES, Variable, distribution, distributions
from hepml.plots.graphs import draw_graph, graph_catalogue, save_graphs
from hepml.plots.guided import guided_distributions, guided_search
from hepml.plots.history import training_curves
from hepml.plots.images import candidate_images, mean_image, mean_images, pixel_grid
from hepml.plots.monitoring import Drifted, drift_panels
from hepml.plots.performance import efficiency_profile, residual_profile, truth_classes
from hepml.plots.record import Column, FigureRecord, Table, save
from hepml.plots.roc import roc_curves
from hepml.plots.scores import score_distributions
from hepml.plots.style import COLOURS, COLUMN, LINE_STYLES, PAGE, Style, drawing
from hepml.plots.systematics import systematic_changes

__all__ = [
    "COLOURS",
    "COLUMN",
    "LINE_STYLES",
    "PAGE",
    "VARIABLES",
    "Column",
    "Drifted",
    "FigureRecord",
    "Style",
    "Table",
    "Variable",
    "calibration_curves",
    "candidate_images",
    "comparison_figures",
    "confusion_matrix",
    "dataset_figures",
    "distribution",
    "distributions",
    "draw_graph",
    "drawing",
    "drift_panels",
    "efficiency_profile",
    "evaluation_figures",
    "graph_catalogue",
    "guided_distributions",
    "guided_search",
    "mean_image",
    "mean_images",
    "pixel_grid",
    "residual_profile",
    "roc_curves",
    "save",
    "save_graphs",
    "score_distributions",
    "sculpting",
    "systematic_changes",
    "training_curves",
    "training_figures",
    "truth_classes",
    "variable_dependence",
]
