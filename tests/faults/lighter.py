"""Makes commands that would take long short, and lets them do each of their stages, before they are killed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["lighten"]


def lighten(command: str, inputs: Path) -> None:
    """In this process: a checkpoint after every epoch, few figures, a small demo.

    Args:
        command: what is to run.
        inputs: the folder with the small ROOT files.
    """
    if command in ("train", "guide", "run", "demo"):
        from hepml.training import watch

        watch.CHECKPOINT_SECONDS = -1.0
    if command in ("evaluate", "demo"):
        _draw_little()
    if command in ("guide", "tmva"):
        _draw_empty()
    if command == "demo":
        from hepml import demo, evaluation

        few = {"electrons": "signal1.root", "jets": "background1.root"}
        demo.DEMO_FEATURES = {"hl": {"epochs": 3, "layers": 1, "units": 8}}
        demo.sample_file = lambda name: str(inputs / few[name])
        demo._time_per_event = lambda *_: 1.0
        evaluation.evaluate = partial(evaluation.evaluate, bootstrap=10)


def _draw_little() -> None:
    from hepml import plots

    draw, side_by_side = plots.evaluation_figures, plots.comparison_figures

    def less(evaluation: Any) -> Any:
        return replace(evaluation, binned=(), classes=(), dependence=(), calibration=None, confusion=None)

    def three(evaluation: Any, _dataset: Any, folder: Any, **options: Any) -> Any:
        """ROC, scores and history."""
        return draw(less(evaluation), None, folder, **options)

    def one(evaluations: Any, folder: Any, **options: Any) -> Any:
        """ROC."""
        return side_by_side([less(each) for each in evaluations], folder, **options)

    plots.evaluation_figures, plots.comparison_figures = three, one


def _draw_empty() -> None:
    """Empty figures of a guided search, and of a report of TMVA.root."""
    from matplotlib.figure import Figure

    from hepml import plots
    from hepml.plots.record import FigureRecord, Table
    from hepml.plots.style import Style

    def empty(*_: Any, **__: Any) -> FigureRecord:
        return FigureRecord(Figure(), {}, (Table("nothing", [], {}),), "", Style())

    plots.guided_search = plots.guided_distributions = empty

    from tmva_bridge.report import figures

    figures.figures = lambda _: iter([("one", empty()), ("other", empty())])
