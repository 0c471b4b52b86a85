"""All figures of a result at once: of an evaluation, of a run, of a data file, of several models compared.

Each function decides what there is to draw, draws it with the other modules of this package, and writes it under a
fixed name into a folder. A figure that the result has no numbers for is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset import Dataset, parse_features
from hepml.errors import DataError
from hepml.evaluation import Evaluation
from hepml.identity import SPLITS
from hepml.images import SparseImages
from hepml.metrics.results import Comparison, RatioCurve
from hepml.plots.decisions import calibration_curves, confusion_matrix
from hepml.plots.dependence import sculpting, variable_dependence
from hepml.plots.features import distributions
from hepml.plots.history import training_curves
from hepml.plots.images import mean_images
from hepml.plots.performance import efficiency_profile, residual_profile, truth_classes
from hepml.plots.record import FigureRecord, save
from hepml.plots.roc import roc_curves
from hepml.plots.scores import score_distributions
from hepml.plots.style import Style
from hepml.plots.systematics import systematic_changes
from hepml.training import Run

__all__ = ["comparison_figures", "dataset_figures", "evaluation_figures", "training_figures"]

Paths = dict[str, list[Path]]
_VARIABLES = ("hl", "mass", "et_mass", "ee_mass", "iso")
_SCULPTED = ("mass",)
_IMAGES = {"images": ("et", "ht"), "images_energy": ("ee", "he")}


def evaluation_figures(
    evaluation: Evaluation,
    dataset: Dataset | None,
    folder: str | Path,
    *,
    names: tuple[str, str] | None = None,
    style: Style | None = None,
) -> Paths:
    """Draws everything that an evaluation knows, and the inputs of the evaluated candidates.

    Args:
        evaluation: of one run.
        dataset: the data that it was evaluated on, or None to leave the inputs out.
        folder: made if absent; files of the same names are replaced.
        names: of signal and background; None takes "Signal" and "Background".
        style: look and label.

    Returns:
        Name of each figure -> its files: roc, scores, performance_pt ..., truth_classes, dependence_pt ...,
        sculpting_mass, systematics, calibration, confusion, residuals, history, and `dataset_figures` of the run's own
        inputs.

    Raises:
        DataError: the dataset does not hold the evaluated candidates.
        OutputError: a file cannot be written.
    """
    names = names or ("Signal", "Background")
    found: dict[str, FigureRecord] = {}
    if evaluation.roc is not None:
        found["roc"] = roc_curves({evaluation.name: evaluation.roc}, style=style)
    if evaluation.events is not None and evaluation.task == "binary":
        gap = evaluation.overtraining
        ks = None if gap is None else (gap.ks_signal, gap.ks_background)
        found["scores"] = score_distributions(evaluation.events, evaluation.train, ks=ks, names=names, style=style)
    for variable in dict.fromkeys(one.name for one in evaluation.binned):
        results = [one for one in evaluation.binned if one.name == variable]
        if any(np.isfinite(one.value).any() for one in results):
            found[f"performance_{variable}"] = efficiency_profile(results, variable=variable, style=style)
    if any(one.count and one.points for one in evaluation.classes):
        found["truth_classes"] = truth_classes(evaluation.classes, style=style)
    for one in evaluation.dependence:
        found[f"dependence_{one.name}"] = variable_dependence(one, names=names, style=style)
        if one.name in _SCULPTED:
            found[f"sculpting_{one.name}"] = sculpting(one, names=names, style=style)
    if evaluation.systematics:
        found["systematics"] = systematic_changes(evaluation.systematics, style=style)
    if evaluation.calibration is not None and len(evaluation.calibration.score):
        found["calibration"] = calibration_curves(evaluation.calibration, style=style)
    if evaluation.confusion is not None:
        found["confusion"] = confusion_matrix(evaluation.confusion, names=names[::-1], style=style)
    elif evaluation.multiclass is not None:
        found["confusion"] = confusion_matrix(evaluation.multiclass.confusion, style=style)
    for target, regression in evaluation.regression.items():
        found[f"residuals_{target}".replace("/", "_")] = residual_profile(regression, target, style=style)
    if len(evaluation.history.get("loss", ())):
        found["history"] = training_curves(_counted(evaluation.history), style=style)
    if dataset is not None and evaluation.task == "binary" and evaluation.identity is not None:
        weights = None if evaluation.events is None else evaluation.events.weight
        rows = _rows(dataset, evaluation.identity, weights)
        found |= _inputs(dataset, rows, _tokens(evaluation.features, dataset), names, style)
    return _write(found, folder)


def training_figures(run: Run, folder: str | Path, *, style: Style | None = None) -> Paths:
    """Draws the loss curves of a run: history of its best network, history_NAME of each network if there are several.

    Raises:
        InputFileError: a history is missing or damaged.
        OutputError: a file cannot be written.
    """
    found = {"history": training_curves(_counted(run.history), style=style)}
    members = run.histories
    if len(members) > 1:
        found |= {f"history_{name}": training_curves(_counted(one), style=style) for name, one in members.items()}
    return _write(found, folder)


def dataset_figures(
    dataset: Dataset,
    folder: str | Path,
    *,
    splits: Sequence[str] = SPLITS,
    names: tuple[str, str] | None = None,
    style: Style | None = None,
) -> Paths:
    """Draws the inputs in a two-class data file.

    Returns:
        variables (axes fitted to the data), variables_published (axes of the published figures), images (ET),
        images_energy (E), kinematics.

    Raises:
        DataError: not two classes, or one of them is empty.
        OutputError: a file cannot be written.
    """
    if dataset.task["kind"] != "binary":
        raise DataError("figures of inputs need signal and background", where=dataset.path, found=dataset.task["kind"])
    rows = {split: (np.arange(dataset.n(split)), dataset.column("weight", split)) for split in splits}
    found = _inputs(dataset, rows, dataset.tokens, names or ("Signal", "Background"), style)
    columns = {name: _join(rows, partial(dataset.column, name)) for name in ("pt", "eta", "phi")}
    y, weight = _labels(dataset, rows)
    found["kinematics"] = distributions(columns, y, weight=weight, names=names or ("Signal", "Background"), style=style)
    return _write(found, folder)


def comparison_figures(
    evaluations: Sequence[Evaluation],
    folder: str | Path,
    *,
    reference: str | None = None,
    comparisons: Sequence[Comparison] = (),
    published: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    style: Style | None = None,
) -> Paths:
    """Draws several models into the same figures: roc, performance and dependence, sculpting, calibration.

    Args:
        evaluations: two-class results with different names.
        folder: made if absent; files of the same names are replaced.
        reference: name of the model that ratios are taken to; None takes the first.
        comparisons: paired ones; where they hold a ratio curve to the reference, it replaces the unpaired ratio.
        published: (signal efficiency, rejection) points by name, drawn as markers.
        style: look and label.

    Raises:
        DataError: nothing to compare, or two evaluations of one name.
        OutputError: a file cannot be written.
    """
    curves = {one.name: one.roc for one in evaluations if one.roc is not None}
    if not curves or len(curves) < len(evaluations):
        raise DataError(
            "comparing needs two-class evaluations with different names",
            found=", ".join(f"{one.name} ({one.task})" for one in evaluations) or "none",
        )
    reference = reference or next(iter(curves))
    ratios = _ratios(comparisons, reference)
    found = {
        "roc": roc_curves(
            curves,
            reference=reference if len(curves) > 1 or reference not in curves else None,
            ratios=ratios,
            published=published,
            style=style,
        )
    }
    for variable in dict.fromkeys(one.name for result in evaluations for one in result.binned):
        profiles = {result.name: [one for one in result.binned if one.name == variable] for result in evaluations}
        if any(np.isfinite(one.value).any() for results in profiles.values() for one in results):
            found[f"performance_{variable}"] = efficiency_profile(profiles, variable=variable, style=style)
    for variable in dict.fromkeys(one.name for result in evaluations for one in result.dependence):
        records = {result.name: one for result in evaluations for one in result.dependence if one.name == variable}
        found[f"dependence_{variable}"] = variable_dependence(records, style=style)
        if variable in _SCULPTED:
            found[f"sculpting_{variable}"] = sculpting(records, style=style)
    calibrations = {one.name: one.calibration for one in evaluations if one.calibration is not None}
    if calibrations:
        found["calibration"] = calibration_curves(calibrations, style=style)
    return _write(found, folder)


def _ratios(comparisons: Sequence[Comparison], reference: str) -> dict[str, RatioCurve]:
    """Paired ratio curves to the reference, turned over where the reference came first."""
    found = {}
    for one in comparisons:
        curve = one.curve
        if curve is None:
            continue
        if one.second == reference:
            found[one.first] = curve
        elif one.first == reference:
            with np.errstate(divide="ignore", invalid="ignore"):
                found[one.second] = RatioCurve(
                    curve.signal_efficiency, 1 / curve.ratio, 1 / curve.upper, 1 / curve.lower
                )
    return found


Rows = Mapping[str, tuple[NDArray[Any], NDArray[Any]]]


def _rows(dataset: Dataset, identity: NDArray[np.uint64], weight: NDArray[np.float64] | None) -> Rows:
    """Rows of every split that hold the given candidates, with their weights in the evaluation."""
    order = np.argsort(identity)
    ordered = identity[order]
    found = {}
    for split in SPLITS:
        own = dataset.column("identity", split)
        place = np.minimum(np.searchsorted(ordered, own), max(0, len(ordered) - 1))
        rows = np.flatnonzero(ordered[place] == own) if len(ordered) else np.zeros(0, dtype=np.int64)
        values = dataset.column("weight", split) if weight is None else weight[order][place]
        if len(rows):
            found[split] = (rows, values[rows])
    if sum(len(rows) for rows, _ in found.values()) < len(identity):
        raise DataError("the data do not hold the evaluated candidates", where=dataset.path, expected=len(identity))
    return found


def _counted(history: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """With epochs from 1, as the training prints them; history.csv counts from 0, as Keras does."""
    return {name: values + 1 if name == "epoch" else values for name, values in history.items()}


def _tokens(features: str, dataset: Dataset) -> tuple[str, ...]:
    """Inputs of a run that the data hold; none for a run on arrays of other names."""
    try:
        return tuple(token for token in parse_features(features) if token in dataset.tokens)
    except DataError:
        return ()


def _inputs(
    dataset: Dataset, rows: Rows, tokens: Sequence[str], names: tuple[str, str], style: Style | None
) -> dict[str, FigureRecord]:
    found: dict[str, FigureRecord] = {}
    y, weight = _labels(dataset, rows)
    columns: dict[str, NDArray[Any]] = {}
    for token in (token for token in _VARIABLES if token in tokens):
        values = _join(rows, partial(dataset.raw, token))
        columns |= {name: values[:, place] for place, name in enumerate(dataset.variables(token))}
    if columns:
        found["variables"] = distributions(columns, y, weight=weight, names=names, ranges="data", style=style)
        found["variables_published"] = distributions(columns, y, weight=weight, names=names, style=style)
    for figure, wanted in _IMAGES.items():
        images = [token for token in wanted if token in tokens]
        if images:
            classes = [{token: _stack(dataset, rows, token, code) for token in images} for code in (1, 0)]
            weights = (weight[y == 1], weight[y == 0])
            found[figure] = mean_images(*classes, weights=weights, names=names, geometry=dataset.geometry, style=style)
    return found


def _labels(dataset: Dataset, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
    return _join(rows, dataset.y), np.concatenate([weight for _, weight in rows.values()])


def _join(rows: Rows, column: Callable[[str], NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate([column(split)[chosen] for split, (chosen, _) in rows.items()])


def _stack(dataset: Dataset, rows: Rows, token: str, code: int) -> SparseImages:
    """The images of one class, in the order of `_labels`."""
    parts = []
    for split, (chosen, _) in rows.items():
        parts.append(dataset.sparse(token, split).take(chosen[dataset.y(split)[chosen] == code]))
    return SparseImages.concatenate(parts)


def _write(found: Mapping[str, FigureRecord], folder: str | Path) -> Paths:
    return {name: save(record, folder, name) for name, record in found.items()}
