"""`evaluate`: every number of a run, on candidates that it was not trained on."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset import Dataset
from hepml.errors import DataError
from hepml.evaluation.record import Evaluation
from hepml.evaluation.sample import DEPENDENCE, Sample, load_sample
from hepml.metrics import (
    EFFICIENCIES,
    MOST_REPLICAS,
    BinnedEfficiency,
    Dependence,
    Overtraining,
    ScoredEvents,
    Threshold,
    WorkingPoint,
    auc_error,
    binned_efficiency,
    calibration_curve,
    confusion_at,
    derive_thresholds,
    effective_number,
    equal_count_edges,
    make_events,
    multiclass_metrics,
    overtraining_gaps,
    regression_metrics,
    rejection_at,
    rejection_by_class,
    reweight_background,
    roc_band,
    score_dependence,
    working_points,
)
from hepml.training import Run, load_run
from hepml.truth import TRUTH_CLASSES

__all__ = ["evaluate"]

log = logging.getLogger("hepml.evaluation")
ETA_EDGES = np.array([-2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5])


def evaluate(
    run: Run | str | Path,
    data: Dataset | str | Path,
    *,
    selection: str | None = None,
    reweight: bool = False,
    bootstrap: int = 1000,
    seed: int = 0,
    working_point: float = 0.8,
    independent: bool = False,
) -> Evaluation:
    """Evaluates a run on its held-out candidates.

    Args:
        run: a finished run or its folder.
        data: the data.h5 that it was trained on, or its path.
        selection: a named subset of the candidates ("hard"), None for all.
        reweight: give the background the (pT, |eta|) spectrum of the signal.
        bootstrap: replicas for intervals, a million at most.
        seed: of the bootstrap.
        working_point: signal efficiency of the confusion matrix and of the profiles against pT, eta and pile-up; one
            of 0.5, 0.7, 0.8, 0.9, 0.95.
        independent: `data` is another sample: all of it is scored with the stored network; a file that shares a
            candidate with the run is refused.

    Returns:
        The result. Two-class numbers are those of the training seed of the stored network, with the values of all
        seeds and their spread beside AUC and rejections. Profiles and confusion matrix use a cut from the validation
        split; with folds, where no one cut exists for all networks, the cut of the evaluated candidates.

    Raises:
        VerificationError: the data are not those of the run.
        DataError: an evaluated candidate was trained on; an unknown selection; a class without candidates.
        InputFileError: no run, no data.

    Example:
        >>> evaluate("runs/hl", "data.h5").auc  # doctest: +SKIP
        Auc(value=0.9781, error=0.0016, seeds=(0.9781,), mean=None, spread=None)
    """
    run = run if isinstance(run, Run) else load_run(run)
    dataset = (data if isinstance(data, Dataset) else Dataset.open(data)).with_efp(run.efp_names)
    if working_point not in EFFICIENCIES:
        raise DataError("no such working point", expected=EFFICIENCIES, found=working_point)
    if not 1 <= bootstrap <= MOST_REPLICAS:
        raise DataError("intervals need replicas", expected=f"bootstrap from 1 to {MOST_REPLICAS}", found=bootstrap)
    sample = load_sample(run, dataset, independent)
    chosen = sample.evaluated & sample.selected(selection)
    if not chosen.any():
        raise DataError("no candidates to evaluate", where=dataset.path, found=f"selection {selection!r} keeps none")
    if run.task == "binary" and len(np.unique(sample.y[chosen])) < 2:
        counts = ", ".join(f"label {label}: {np.count_nonzero(sample.y[chosen] == label)}" for label in (0, 1))
        raise DataError(
            f"a class is missing among the candidates to evaluate ({sample.part})",
            where=dataset.path,
            expected="candidates of both",
            found=counts if selection is None else f"{counts} in the selection {selection!r}",
            fix="convert more events, or train with folds, which hold out all of them",
        )
    result = Evaluation(
        name=run.path.resolve().name,
        features=run.features,
        task=run.task,
        selection=selection,
        reweighted=reweight,
        part=sample.part,
        folds=int(run.record["config"]["folds"]),
        seeds=sample.seeds,
        n_signal=int(np.count_nonzero(sample.y[chosen] == 1)) if run.task == "binary" else 0,
        n_background=int(np.count_nonzero(sample.y[chosen] == 0)) if run.task == "binary" else int(chosen.sum()),
        provenance={
            "data_sha256": dataset.checksum,
            "run_config_hash": run.record["config_hash"],
            "bootstrap": bootstrap,
            "seed": seed,
        },
        history=run.history,
        identity=sample.identity[chosen],
    )
    if run.task == "multiclass":
        return _multiclass(result, sample, chosen, dataset)
    if run.task == "regression":
        return _regression(result, sample, chosen, dataset)
    return _binary(result, sample, run, chosen, (bootstrap, seed, working_point))


def _binary(
    result: Evaluation, sample: Sample, run: Run, chosen: NDArray[np.bool_], options: tuple[int, int, float]
) -> Evaluation:
    n, seed, target = options
    notes: list[str] = []
    events = _prepared(result, sample, chosen, notes)
    seeds = [replace(events, score=sample.events(chosen, i).score) for i in range(len(sample.seeds))]
    weighted = len(np.unique(events.of(1)[1])) > 1 or len(np.unique(events.of(0)[1])) > 1
    if len(np.unique(events.score)) == 1:
        notes.append("the score is constant: the network has learned nothing")
    cut, thresholds = _cuts(sample, run, events, selection=result.selection, target=target, notes=notes)
    rows = {name: values[chosen] for name, values in sample.columns.items()}
    points = _points(events, seeds, n, seed)
    calibrated = events.score.min() >= 0 and events.score.max() <= 1
    if not calibrated:
        notes.append("scores are not in [0, 1]: no calibration")
    overtrained, train = _overtraining(result, sample, events, (n, seed), notes)
    return replace(
        result,
        n_effective=(effective_number(events.of(1)[1]), effective_number(events.of(0)[1])) if weighted else None,
        auc=_area(events, seeds),
        roc=roc_band(events, n=n, seed=seed, name=result.name),
        working_points=points,
        classes=rejection_by_class(events, rows["truth"], TRUTH_CLASSES, n=n, seed=seed),
        binned=_profiles(events, rows, cut, target, seed),
        calibration=calibration_curve(events) if calibrated else None,
        confusion=confusion_at(events, cut, target),
        overtraining=overtrained,
        dependence=_dependence(events, rows, points, seed),
        thresholds=thresholds,
        notes=tuple(notes),
        events=events,
        train=train,
    )


def _prepared(
    result: Evaluation, sample: Sample, rows: NDArray[np.bool_], notes: list[str], *, in_fold: bool = False
) -> ScoredEvents:
    """Checked candidates with the central seed's score, reweighted on request."""
    raw = sample.events(rows, sample.central, in_fold=in_fold)
    events = make_events(raw.score, raw.label, raw.weight, raw.group)
    if not result.reweighted:
        return events
    found = reweight_background(events, sample.columns["pt"][rows], sample.columns["eta"][rows])
    notes.append(
        f"background reweighted to the signal in (pT, |eta|): N_eff {found.n_effective:.0f} of "
        f"{int(np.count_nonzero(events.label == 0))}, {100 * found.unmatched:.2f} % of the signal without background"
    )
    return make_events(events.score, events.label, found.weight, events.group)


def _area(events: ScoredEvents, seeds: list[ScoredEvents]) -> Any:
    values = tuple(auc_error(one).value for one in seeds)
    found = auc_error(events)
    if len(values) == 1:
        return replace(found, seeds=values)
    return replace(found, seeds=values, mean=float(np.mean(values)), spread=float(np.std(values, ddof=1)))


def _points(events: ScoredEvents, seeds: list[ScoredEvents], n: int, seed: int) -> Any:
    found = working_points(events, n=n, seed=seed)
    if len(seeds) == 1:
        return found
    table = np.array([rejection_at(one, np.asarray(EFFICIENCIES))[1] for one in seeds])
    points = []
    for point, values in zip(found, table.T, strict=True):
        spread = float(np.std(values, ddof=1)) if np.isfinite(values).all() else math.nan
        points.append(replace(point, seeds=tuple(float(v) for v in values), spread=spread))
    return tuple(points)


def _cuts(
    sample: Sample, run: Run, events: ScoredEvents, *, selection: str | None, target: float, notes: list[str]
) -> tuple[float, tuple[Threshold, ...]]:
    """The cut for profiles and confusion matrix, and the thresholds of the stored network."""
    pt, eta = sample.columns["pt"], sample.columns["eta"]
    own = derive_thresholds(events, (target,))[0].threshold
    if sample.part == "independent":
        stored = [
            t for t in run.thresholds if t["signal_efficiency"] == target and t["pt"] is None and t["eta"] is None
        ]
        if stored and selection is None:
            return float(stored[0]["threshold"]), ()
        notes.append(f"no stored threshold applies: the cut at {target:g} is that of the evaluated candidates")
        return own, ()
    rows = sample.validation
    validation = sample.events(rows, sample.central)
    try:
        thresholds = derive_thresholds(validation, EFFICIENCIES, pt=pt[rows], eta=eta[rows])
        subset = rows & sample.selected(selection)
        cut = derive_thresholds(sample.events(subset, sample.central), (target,))[0].threshold
    except DataError as error:
        log.warning("no thresholds: %s", error.problem)
        notes.append(f"no thresholds: {error.problem}")
        return own, ()
    if sample.part == "out-of-fold":
        notes.append("thresholds are those of the stored network, from the fold that it was not trained on")
        notes.append(
            "scores of the folds' networks are pooled: small differences between their scales count against the run"
        )
        return own, thresholds
    return cut, thresholds


def _profiles(
    events: ScoredEvents, rows: dict[str, NDArray[Any]], cut: float, target: float, seed: int
) -> tuple[BinnedEfficiency, ...]:
    """Efficiency and rejection against pT, eta and pile-up (where the data have it) at the cut."""
    signal = events.label == 1
    pileup = rows["pileup"][np.isfinite(rows["pileup"])]
    axes = {
        "pt": (_pt_edges(rows["pt"], rows["pt"][signal]), "GeV"),
        "eta": (_covering(ETA_EDGES, rows["eta"]), ""),
        "pileup": (equal_count_edges(pileup, 6) if len(np.unique(pileup)) > 1 else np.zeros(0), ""),
    }
    found = []
    for name, (edges, unit) in axes.items():
        if len(edges) < 2:
            continue
        for quantity in ("signal_efficiency", "rejection"):
            found.append(
                binned_efficiency(
                    events,
                    rows[name],
                    edges,
                    cut,
                    quantity=quantity,
                    name=name,
                    unit=unit,
                    signal_efficiency=target,
                    seed=seed,
                )
            )
    return tuple(found)


def _dependence(
    events: ScoredEvents, rows: dict[str, NDArray[Any]], points: tuple[WorkingPoint, ...], seed: int
) -> tuple[Dependence, ...]:
    """How the score depends on each variable, at the thresholds of the working points."""
    cuts = [(one.signal_efficiency, one.threshold) for one in points]
    return tuple(
        score_dependence(events, rows[name], cuts, name=name, unit=unit, seed=seed)
        for name, unit in DEPENDENCE.items()
        if name in rows and np.isfinite(rows[name]).all()
    )


def _pt_edges(pt: NDArray[Any], signal: NDArray[Any]) -> NDArray[np.float64]:
    """Whole GeV near the signal's quantiles, from the smallest pT to the 99 % quantile of all: no endless last bin."""
    inner = np.round(equal_count_edges(signal, 8 if len(signal) >= 800 else 4)[1:-1])
    low, high = np.floor(pt.min()), np.ceil(np.quantile(pt, 0.99))
    edges: NDArray[np.float64] = np.unique(np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]]))
    return edges


def _covering(edges: NDArray[np.float64], values: NDArray[Any]) -> NDArray[np.float64]:
    """The edges that are needed to hold the values."""
    first = max(0, int(np.searchsorted(edges, values.min(), side="right")) - 1)
    last = min(len(edges) - 1, int(np.searchsorted(edges, values.max(), side="right")))
    return edges[first : last + 1] if last > first else edges


def _overtraining(
    result: Evaluation, sample: Sample, events: ScoredEvents, options: tuple[int, int], notes: list[str]
) -> tuple[Overtraining | None, ScoredEvents | None]:
    if sample.part == "independent":
        return None, None
    rows = sample.training & sample.selected(result.selection)
    paired = sample.train_score is not None
    try:
        train = _prepared(result, sample, rows, [], in_fold=paired)
    except DataError as error:
        notes.append(f"no overtraining test: {error.problem}")
        return None, None
    if paired:
        train = replace(train, weight=events.weight)
        notes.append(
            "in-fold scores are means over the folds that trained on a candidate, which alone makes them a little "
            "better: the overtraining gap is an upper estimate"
        )
    return overtraining_gaps(train, events, paired=paired, n=options[0], seed=options[1]), train


def _multiclass(result: Evaluation, sample: Sample, chosen: NDArray[np.bool_], dataset: Dataset) -> Evaluation:
    score = sample.score[chosen, sample.central].astype(np.float64)
    names = tuple(str(name) for name in dataset.task.get("names", ()))
    metrics = multiclass_metrics(
        score, sample.y[chosen], sample.weight[chosen], names if len(names) == score.shape[1] else ()
    )
    notes = ("rejection, thresholds, calibration and overtraining are defined for two classes: not given",)
    return replace(result, multiclass=metrics, notes=_without_reweighting(result, notes))


def _regression(result: Evaluation, sample: Sample, chosen: NDArray[np.bool_], dataset: Dataset) -> Evaluation:
    prediction = sample.score[chosen, sample.central].astype(np.float64).reshape(int(chosen.sum()), -1)
    target = sample.y[chosen].astype(np.float64).reshape(prediction.shape)
    names = tuple(str(name) for name in dataset.task.get("names", ()))
    names = names if len(names) == prediction.shape[1] else tuple(f"target {i}" for i in range(prediction.shape[1]))
    weight = sample.weight[chosen]
    metrics = {name: regression_metrics(prediction[:, i], target[:, i], weight) for i, name in enumerate(names)}
    notes = ("ROC, rejection, thresholds and calibration are defined for classes: not given for a regression",)
    return replace(result, regression=metrics, notes=_without_reweighting(result, notes))


def _without_reweighting(result: Evaluation, notes: tuple[str, ...]) -> tuple[str, ...]:
    return (*notes, "reweighting needs signal and background: not applied") if result.reweighted else notes
