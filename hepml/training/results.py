"""Result files as the published scripts wrote them, and the collector of best results.

The published collector took the network with the best AUC on the test split; this one selects on validation and only
shows the held-out AUC.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, InputFileError, TrainingError
from hepml.ledger import atomic_path
from hepml.training.run import Run, Scores, load_run, read_history

__all__ = ["BestResult", "best_results", "reference_name", "results_table", "write_reference_results"]

_log = logging.getLogger("hepml")


def reference_name(run: Run) -> str:
    """The published scripts' name of a training.

    Example:
        >>> reference_name(load_run("runs/hl"))  # doctest: +SKIP
        'feature_hl_numLayers_5_units_149_lr_0.0010_dp_0.0019_epochs_100'
    """
    settings = run.config
    name = (
        f"feature_{run.features}_numLayers_{settings.layers}_units_{settings.units}"
        f"_lr_{settings.learning_rate:.4f}_dp_{settings.dropout:.4f}_epochs_{settings.epochs}"
    )
    if any(len(record["shape"]) == 3 for record in run.record["inputs"]):
        name += f"_numConvBlocks_{settings.conv_blocks}_filters_{settings.filters}"
    return name.replace(" ", "_")


def write_reference_results(run: Run, folder: str | Path, overwrite: bool = False) -> list[Path]:
    """Writes a run's results under the published names.

    `<features>/models/<name>_model.h5`, `logs/<name>_log.csv` (epoch, loss, val_loss), `auc/<name>_auc.csv` (one
    number), `auc/<name>_fpr.npy` and `auc/<name>_tpr.npy` (background and signal efficiency of held-out candidates).

    Args:
        run: a finished binary run.
        folder: gets the sub-folder of the features.
        overwrite: replace existing files.

    Returns:
        The files.

    Raises:
        DataError: the labels are not binary.
        OutputError: a file exists or cannot be written.

    Source:
        Layout of the training scripts of arXiv:2011.01984.
    """
    background, signal, auc = _held_out_roc(run)
    base, name, history = Path(folder) / run.features, reference_name(run), run.history
    rows = zip(history["epoch"], history["loss"], history["val_loss"], strict=True)
    log = "epoch,loss,val_loss\n" + "".join(f"{int(epoch)},{loss!r},{valid!r}\n" for epoch, loss, valid in rows)
    written = []

    def write(path: Path, save: Any) -> None:
        with atomic_path(path, overwrite=overwrite) as temporary:
            save(temporary)
        written.append(path)

    write(base / "logs" / f"{name}_log.csv", lambda path: path.write_text(log, encoding="utf-8"))
    write(base / "auc" / f"{name}_auc.csv", lambda path: path.write_text(f"{auc!r}\n", encoding="utf-8"))
    write(base / "auc" / f"{name}_fpr.npy", lambda path: np.save(path, background))
    write(base / "auc" / f"{name}_tpr.npy", lambda path: np.save(path, signal))
    write(base / "models" / f"{name}_model.h5", lambda path: _save_h5(run.model, path))
    return written


def _save_h5(model: Any, path: Path) -> None:
    """In Keras' old HDF5 layout, which the published scripts load; its advice to use .keras is not passed on."""
    import logging

    quiet = logging.getLogger("absl")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        model.save(path)
    finally:
        quiet.setLevel(level)


def _held_out_roc(run: Run) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    if run.task != "binary":
        raise DataError("a ROC curve needs binary labels", where=run.path, found=f"task {run.task!r}")
    scores = run.scores()
    return _roc(scores)


def _held_out_auc(run: Run) -> float | None:
    """None where it cannot be told: another task, or not both classes among the held-out candidates."""
    scores = run.scores()
    try:
        return _roc(scores)[2] if run.task == "binary" else None
    except DataError:
        return None


def _roc(scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Background and signal efficiency at every threshold, from 0 to 1, and the area; scores are means over seeds."""
    keep = scores.held_out
    if not keep.any():
        raise DataError("no candidates are held out")
    score = scores.score[keep].astype(np.float64).mean(axis=1)
    label, weight = scores.y[keep] > 0.5, scores.weight[keep]
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    signal, background = (np.cumsum(np.where(which, weight, 0.0)[order])[last] for which in (label, ~label))
    if signal[-1] <= 0 or background[-1] <= 0:
        raise DataError("a class is missing among the held-out candidates")
    tpr, fpr = np.append(0.0, signal / signal[-1]), np.append(0.0, background / background[-1])
    return fpr, tpr, float(np.sum(np.diff(fpr) * (tpr[1:] + tpr[:-1]) / 2))


@dataclass(frozen=True)
class BestResult:
    """The best training of a feature set on one data set.

    Attributes:
        features: tokens joined by _and_.
        name: of the training.
        path: its run folder, or the model file of published-style results.
        n_trainings: how many were compared.
        val_loss: what it was chosen by; the mean over networks where a run has several.
        auc: on held-out candidates; not used to choose. None if it cannot be told.
    """

    features: str
    name: str
    path: Path
    n_trainings: int
    val_loss: float
    auc: float | None


def best_results(folder: str | Path) -> list[BestResult]:
    """The best finished training of every feature set below a folder, chosen by validation loss.

    Finds run folders and result files written by `write_reference_results`. Runs on different data are not compared
    with one another. Runs that have not ended are left out; damaged ones and result files too, with a warning.

    Raises:
        InputFileError: no such folder.

    Example:
        >>> print(results_table(best_results("runs")))  # doctest: +SKIP
        features   trainings  val_loss  held-out AUC  best
        hl                 3   0.17712        0.9781  runs/hl
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputFileError("no such folder", where=folder)
    groups: dict[tuple[str, str], list[BestResult]] = {}
    for key, result in (*_runs(folder), *_files(folder)):
        groups.setdefault((result.features, key), []).append(result)
    best = []
    for members in groups.values():
        chosen = min(members, key=lambda one: one.val_loss)
        best.append(BestResult(chosen.features, chosen.name, chosen.path, len(members), chosen.val_loss, chosen.auc))
    return sorted(best, key=lambda one: (one.features, str(one.path)))


def _runs(folder: Path) -> Iterator[tuple[str, BestResult]]:
    for path in sorted(folder.rglob("run.json")):
        try:
            run = load_run(path.parent)
            auc = _held_out_auc(run)
        except TrainingError:  # it has not ended
            continue
        except InputFileError as error:
            _log.warning("left out: %s", error)
            continue
        loss = float(np.mean([member["val_loss"] for member in run.record["members"]]))
        data = str(run.record["config"]["data"])
        yield data, BestResult(run.features, run.path.name, run.path, 1, loss, auc)


def _files(folder: Path) -> Iterator[tuple[str, BestResult]]:
    for log in sorted(folder.rglob("logs/*_log.csv")):
        base, name = log.parent.parent, log.name.removesuffix("_log.csv")
        auc = base / "auc" / f"{name}_auc.csv"
        try:
            loss = float(np.min(read_history(log)["val_loss"]))
            found = float(auc.read_text(encoding="utf-8").split(",")[0]) if auc.exists() else None
        except (InputFileError, KeyError, OSError, ValueError) as error:
            _log.warning("left out: %s: %s", log, error)
            continue
        model = base / "models" / f"{name}_model.h5"
        yield str(base), BestResult(base.name, name, model, 1, loss, found)


def results_table(results: list[BestResult]) -> str:
    """The results as lines of text."""
    width = max([8, *(len(one.features) for one in results)])
    lines = [f"{'features':<{width}}  trainings  val_loss  held-out AUC  best"]
    for one in results:
        auc = "-" if one.auc is None else f"{one.auc:.4f}"
        lines.append(f"{one.features:<{width}}  {one.n_trainings:>9}  {one.val_loss:.5f}  {auc:>12}  {one.path}")
    return "\n".join(lines)
