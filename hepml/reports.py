"""The files of an evaluation: numbers and figures, into the run that was evaluated or into a folder of their own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hepml.atomic import alone
from hepml.dataset import Dataset
from hepml.errors import OutputError
from hepml.evaluation import Evaluation
from hepml.guided import Guided, Problem
from hepml.ledger import atomic_folder, check_output, write_json
from hepml.metrics import Comparison, to_json
from hepml.stages import stage
from hepml.training import Run

__all__ = ["draw_guided", "store_thresholds", "write_evaluation", "write_evaluations"]

_log = logging.getLogger("hepml")


def store_thresholds(run: Run, result: Evaluation, *, needed: bool = True) -> None:
    """Writes thresholds.json into a run, if there are any: the same for every selection, and what export takes.

    Raises:
        OutputError: it cannot be written; only a warning if it is not `needed`.
    """
    if not result.thresholds:
        return
    try:
        write_json(run.path / "thresholds.json", to_json(result.thresholds))
    except OutputError as error:
        if needed:
            raise
        _log.warning("thresholds not stored in the run: %s", error)


def write_evaluation(
    run: Run,
    result: Evaluation,
    dataset: Dataset | None,
    *,
    suffix: str = "",
    overwrite: bool = False,
    telling: Callable[[str], object] = _log.info,
    **drawn: Any,
) -> None:
    """Writes thresholds.json, figures and metrics.json into the run that was evaluated.

    Args:
        run: gets the files.
        result: of the run.
        dataset: that it was evaluated on; None for no figures.
        suffix: of figures and metrics.json, "_hard" for a selection of this name.
        overwrite: replace an existing metrics.json; thresholds and figures are replaced always.
        telling: called with a line before figures are drawn.
        drawn: names and style, as for `hepml.plots.evaluation_figures`.

    Raises:
        OutputError: a file exists or cannot be written; another process writes an evaluation of the run.
    """
    metrics = run.path / f"metrics{suffix}.json"
    with alone(run.path / f".metrics{suffix}-lock", metrics):  # all of them are of one evaluation
        check_output(metrics, overwrite)
        store_thresholds(run, result)
        if dataset is not None:
            with atomic_folder(run.path / f"figures{suffix}", overwrite=True) as folder:
                _draw(result, dataset, folder, telling, drawn)
        write_json(metrics, result.to_json(), overwrite=overwrite)


def write_evaluations(
    results: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    output: str | Path,
    dataset: Dataset | None,
    *,
    each: bool = True,
    overwrite: bool = False,
    telling: Callable[[str], object] = _log.info,
    **drawn: Any,
) -> None:
    """Writes metrics.json, thresholds.json and figures of one or several runs into a folder, and what compares them.

    Args:
        results: of each run, in a sub-folder of its name if there are several; ratios refer to the last one.
        comparisons: in pairs, see `hepml.evaluation.compare`.
        output: the folder, whole or absent.
        dataset: that they were evaluated on; None for no figures.
        each: draw each run by itself, too, and not only what compares them.
        overwrite: replace the folder.
        telling: called with a line before figures are drawn.
        drawn: names and style, as for `hepml.plots.evaluation_figures`.

    Raises:
        OutputError: the folder exists or cannot be written.
    """
    with atomic_folder(output, overwrite=overwrite) as folder:
        for result in results:
            own = folder if len(results) == 1 else folder / result.name
            own.mkdir(exist_ok=True)
            write_json(own / "metrics.json", result.to_json())
            if result.thresholds:
                write_json(own / "thresholds.json", to_json(result.thresholds))
            if dataset is not None and each:
                _draw(result, dataset, own / "figures", telling, drawn)
        if comparisons:
            write_json(folder / "comparison.json", [to_json(one) for one in comparisons])
            if dataset is not None:
                telling("draw the comparison")
                stage("draw", "the comparison")
                from hepml.plots import comparison_figures

                comparison_figures(
                    results,
                    folder / "figures",
                    reference=results[-1].name,
                    comparisons=comparisons,
                    style=drawn.get("style"),
                )


def _draw(
    result: Evaluation, dataset: Dataset, folder: Path, telling: Callable[[str], object], drawn: dict[str, Any]
) -> None:
    from hepml.plots import evaluation_figures

    telling(f"draw {result.name}")
    stage("draw", result.name)
    evaluation_figures(result, dataset, folder, **drawn)


def draw_guided(found: Guided, problem: Problem) -> Path:
    """Draws a guided search into its folder: figures/guided_search and figures/guided_distributions.

    Args:
        found: the search.
        problem: that was searched; the distributions are those of its test split.

    Raises:
        OutputError: they cannot be written.
    """
    from hepml.plots import guided_distributions, guided_search

    figures = found.path / "figures"
    with atomic_folder(figures, overwrite=True) as folder:
        stage("draw", figures)
        guided_search(found).save(folder, "guided_search")
        if found.names:
            test = problem.rows("test")
            values = problem.read(found.names, ["test"])
            drawn = guided_distributions(found, values, problem.label[test], weight=problem.weight[test])
            drawn.save(folder, "guided_distributions")
    return figures
