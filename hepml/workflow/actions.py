"""What each kind of step does: one call of the library, with the options that were read from the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hepml.ledger import atomic_folder
from hepml.models import Settings
from hepml.trees import Source
from hepml.workflow.steps import Made, Place

__all__ = [
    "apply_network",
    "convert_input",
    "draw_input",
    "evaluate_model",
    "export_network",
    "study_models",
    "train_model",
]

Figures = Mapping[str, str] | None
_BATCH = 4096


def convert_input(
    output: str,
    place: Place,
    *,
    signal: Sequence[str],
    background: Sequence[str],
    work: Mapping[str, Any],
    **options: Any,
) -> Made:
    """ROOT files to a data file; tells the checksums of what was read."""
    from hepml.dataset import Dataset, convert
    from hepml.ledger import read_json

    path = place.folder / output
    how = {"jobs": place.jobs, **work}
    with _cluster(how.pop("scheduler", None), how.get("timeout", 1800.0)) as workers:
        summary = convert(
            signal or None,
            background or None,
            path,
            workers=workers,
            resume=place.resume,
            progress=place.progress,
            **how,
            **options,
        )
    read = Dataset.open(path).provenance["inputs"]
    sha256 = {
        file: entry["sha256"]
        for file, entry in zip(read_json(summary.log)["inputs"], read, strict=True)
        if entry["sha256"]
    }
    return Made(summary.skipped, sha256)


def _cluster(scheduler: str | None, timeout: float) -> AbstractContextManager[Any]:
    if scheduler is None:
        return nullcontext()
    from hepml.scale import Cluster

    return Cluster(scheduler, timeout)


def draw_input(data: str, output: str, figures: Figures, place: Place) -> Made:
    """Variables and images in a data file."""
    from hepml.dataset import Dataset
    from hepml.plots import dataset_figures

    with atomic_folder(place.folder / output) as folder:
        dataset_figures(Dataset.open(place.folder / data), folder, **_drawn(figures))
    return Made()


def train_model(data: str, features: str, output: str, place: Place, *, settings: Settings, **options: Any) -> Made:
    """A data file to a run; goes on with an interrupted one."""
    from hepml.training import train

    progress = place.progress or False
    train(place.folder / data, features, place.folder / output, settings=settings, progress=progress, **options)
    return Made()


def evaluate_model(run: str, data: str, figures: Figures, place: Place, **options: Any) -> Made:
    """A run on the candidates that it was not trained on, into the run's own folder."""
    from hepml.dataset import Dataset
    from hepml.evaluation import evaluate
    from hepml.reports import write_evaluation
    from hepml.training import load_run

    found, dataset = load_run(place.folder / run), Dataset.open(place.folder / data)
    result = evaluate(found, dataset, **options)
    write_evaluation(found, result, dataset if figures is not None else None, **_drawn(figures))
    return Made()


def study_models(
    runs: Sequence[str],
    data: str,
    output: str,
    figures: Figures,
    place: Place,
    *,
    vary: Sequence[str],
    towers: Sequence[str],
    candidates: str,
    independent: bool,
    **options: Any,
) -> Made:
    """Runs side by side, on their own data or on another, with varied towers if asked for."""
    from hepml import evaluation
    from hepml.dataset import Dataset
    from hepml.reports import write_evaluations
    from hepml.training import load_run

    dataset = Dataset.open(place.folder / data)
    common = {key: options[key] for key in ("seed", "bootstrap")}
    results = []
    for path in runs:
        run = load_run(place.folder / path)
        result = evaluation.evaluate(run, dataset, independent=independent, **options)
        if vary:
            result = evaluation.vary(result, run, dataset, vary, towers=towers, candidates=candidates, **common)
        results.append(result)
    several = len(results) > 1 and all(one.task == "binary" for one in results)
    comparisons = evaluation.compare(results, **common) if several else ()
    drawn = dataset if figures is not None else None
    as_evaluated = not (independent or vary or options["reweight"] or options["selection"])
    each = not (several and as_evaluated)  # else the figures of each are those in its run
    write_evaluations(results, comparisons, place.folder / output, drawn, each=each, **_drawn(figures))
    return Made()


def export_network(
    runs: Sequence[str],
    output: str,
    place: Place,
    *,
    source: str | None = None,
    onnx: str | None = None,
    correctionlib: str | None = None,
    namespace: str | None = None,
    max_steps: int = 256,
    data: str | None = None,
    precision: str | None = None,
    tolerance: float = 0.01,
    folds: bool = False,
    **options: Any,
) -> Made:
    """A run, or of several the one with the lowest validation loss, as JSON for the C++ evaluator, and as more."""
    from hepml.evaluator import Evaluator
    from hepml.export.correction import write_correction
    from hepml.export.onnx import export_onnx
    from hepml.export.runs import export_folds, export_run
    from hepml.export.source import SourceFile
    from hepml.training import load_run

    found = [load_run(place.folder / path) for path in runs]
    run = min(found, key=lambda one: float(np.mean([member["val_loss"] for member in one.record["members"]])))
    network = place.folder / output
    if folds:
        export_folds(run, network, **options)
        return Made()
    header = None if source is None else SourceFile(place.folder / source, namespace, max_steps)
    with TemporaryDirectory() as folder:
        target = network if data is None else Path(folder) / network.name
        written = export_run(run, target, source=header, **options)
        if data is not None and precision is not None:
            _reduce(target, network, precision, place.folder / data, tolerance)
    if onnx is not None:
        export_onnx(network, place.folder / onnx)
    if correctionlib is not None:
        write_correction(Evaluator(network).thresholds, place.folder / correctionlib, model_id=written.model_id)
    return Made()


def _reduce(path: Path, output: Path, precision: str, data: Path, tolerance: float) -> None:
    """Rounds the weights, if decisions on the test split of the model's own data stay what they were."""
    from hepml.dataset import Dataset
    from hepml.export.precision import reduce_weights

    dataset = Dataset.open(data)
    reduce_weights(
        path,
        output,
        precision,
        lambda names: dataset.batches(names, "test", _BATCH, shuffle=False),
        tolerance=tolerance,
    )


def apply_network(
    network: str, files: Sequence[Source], output: str, place: Place, *, work: Mapping[str, Any], **options: Any
) -> Made:
    """Scores of ROOT files, a file each; goes on with an interrupted scoring."""
    from hepml.friends import apply

    records = apply(
        place.folder / network,
        list(files),
        place.folder / output,
        resume=place.resume,
        progress=place.progress,
        **{"jobs": place.jobs, **work},
        **options,
    )
    return Made([{"path": one.source, "reason": one.skipped} for one in records if one.skipped is not None])


def _drawn(figures: Figures) -> dict[str, Any]:
    """Names and style of figures."""
    if figures is None:
        return {}
    from hepml.plots import Style

    names = (figures.get("signal", "Signal"), figures.get("background", "Background"))
    style: dict[str, Any] = {key: figures[key] for key in ("experiment", "text", "energy") if key in figures}
    return {"names": names, "style": Style(**style)}
