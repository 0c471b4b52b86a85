"""One network of a run: fit, retry if it collapses, go on after a kill, score every row."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import interruption
from hepml.atomic import sweep
from hepml.errors import DataError, TrainingError
from hepml.ledger import read_json, sha256_array, write_json
from hepml.models import InputSpec
from hepml.ranges import measure_ranges
from hepml.stages import stage
from hepml.training import collapse
from hepml.training.checkpoint import read_arrays, read_checkpoint, restore, write_arrays
from hepml.training.decorrelate import fold
from hepml.training.decorrelation import Feeding, planing_of
from hepml.training.files import save_model, write_history
from hepml.training.folds import Member
from hepml.training.network import Recipe
from hepml.training.planing import Planing
from hepml.training.resident import STEPS, resident_steps
from hepml.training.source import Source
from hepml.training.watch import Attempt, Progress, Report, State, watcher

__all__ = ["Fitted", "Job", "fit_member"]

N_REFERENCE = 16
_PROBE_ROWS = 256
_CHUNK = 2048


@dataclass(frozen=True)
class Fitted:
    """A finished network: its record and its scores of all rows, shape (n, outputs), float32."""

    record: dict[str, Any]
    scores: NDArray[np.float32]
    folder: Path


@dataclass(frozen=True)
class Job:
    """One network to train.

    Attributes:
        source: the rows.
        member: which of them train, stop and score.
        recipe: makes the network.
        folder: gets model.keras, history.csv, scores.npz, reference.npz, ranges.json and, last, member.json.
        config: hash of the run's configuration; a checkpoint of another one is refused.
        report: is told each epoch.
        progress: what to tell besides.
        log: writes a line to the sidecar log.
    """

    source: Source
    member: Member
    recipe: Recipe
    folder: Path
    config: str
    report: Report
    progress: Progress
    log: Callable[[str], None]

    @property
    def checkpoint(self) -> Path:
        """Where the state of the fit is kept until it ends."""
        return self.folder / "checkpoint.npz"


def fit_member(job: Job) -> Fitted:
    """Trains one network, or returns it if its folder holds it already.

    Raises:
        TrainingError: every attempt collapsed, or the checkpoint does not belong here.
    """
    folder = job.folder
    if (folder / "member.json").exists():
        sweep(folder / "member.json")
        job.checkpoint.unlink(missing_ok=True)  # by a process that was killed just before
        scores = read_arrays(folder / "scores.npz")["score"]
        return Fitted(read_json(folder / "member.json"), scores, folder)
    folder.mkdir(parents=True, exist_ok=True)
    sweep(job.checkpoint)  # the rest of the training may be too short for another one
    stored = job.member.fold < 0 and bool(np.all(job.source.split[job.member.train] == 0))
    specs = job.recipe.specs(job.source.scaled_specs(job.member.train, stored))
    saved = read_checkpoint(job.checkpoint)
    if saved is not None and saved[0]["config"] != job.config:
        raise TrainingError("the checkpoint is of another configuration", where=job.checkpoint, fix="pass overwrite")
    tried: list[dict[str, Any]] = list(saved[0]["failed"]) if saved else []
    planing = planing_of(job.recipe.settings, job.source, job.member.train)
    weights = _weights(job, planing)
    feeding = Feeding.of(job.recipe.settings, job.source, weights)
    matrix = job.recipe.mixing(specs, job.member.train)
    while True:
        network, attempt = _attempt(job, specs, feeding, tried, matrix)
        deployed = job.recipe.make(specs, attempt.header["seed"])
        attempt.keep = functools.partial(_keep, deployed, matrix, folder / "model.keras")
        if saved is not None:
            restore(network, saved[1], job.checkpoint)
            attempt.state, attempt.best = State(**saved[0]["state"]), saved[1]["best"]
            job.log(f"resumed after epoch {attempt.state.epoch}")
            saved = None
        _fit(job, network, attempt, feeding)
        outcome = attempt.state.collapsed or _judge(job, network, attempt, weights)
        known = {key: attempt.header[key] for key in ("seed", "learning_rate")}
        tried.append({**known, "epochs": attempt.state.epoch, "outcome": outcome or attempt.state.stopped})
        if not outcome:
            fold(network, deployed, matrix)
            return _finish(job, deployed, specs, attempt, {"attempts": tried} | _recorded(planing))
        (folder / "model.keras").unlink(missing_ok=True)
        job.log(f"collapsed: {outcome}")
        job.report(dataclasses.replace(job.progress, message=f"collapsed: {outcome}"))
        if len(tried) > job.recipe.settings.retries:
            rates = ", ".join(f"{one['learning_rate']:g}" for one in tried)
            raise TrainingError(
                f"the training collapsed {len(tried)} times",
                where=folder,
                expected="a loss below that of a constant output",
                found=f"{outcome} (learning rates {rates})",
                fix="lower learning_rate or dropout, or look whether the inputs tell the classes apart",
            )


def _fit(job: Job, network: Any, attempt: Attempt, feeding: Feeding) -> None:
    """Epochs until the watch stops them, or a signal."""
    watch = watcher(attempt)
    try:
        _epochs(job, network, attempt, feeding, watch)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit) or interruption.received():
            watch.leave()
        raise


def _epochs(job: Job, network: Any, attempt: Attempt, feeding: Feeding, watch: Any) -> None:
    """In TensorFlow's memory for vectors, by Keras' fit for images."""
    settings, state = attempt.settings, attempt.state
    names, rows, vectors = job.recipe.names(network), job.member.valid, not any(s.is_image for s in job.source.specs)
    valid = feeding.validation(rows, names)
    epoch = resident_steps(network, attempt.feed, settings.steps_per_execution or STEPS) if vectors else None
    if epoch is None:
        more = {"initial_epoch": state.epoch, "epochs": settings.epochs}
        network.fit(attempt.feed, validation_data=valid, callbacks=[watch], verbose=0, shuffle=False, **more)
        return
    one = valid[0] if len(valid) == 1 else None
    watch.set_model(network)
    network.stop_training = False
    while state.epoch < settings.epochs and not network.stop_training:
        watch.on_epoch_begin(state.epoch)
        for done, logs in epoch():
            watch.on_train_batch_end(done - 1, logs)
        logs = {"loss": float(logs["loss"])}
        network.reset_metrics()
        found = (
            network.test_on_batch(*one, return_dict=True)
            if one
            else network.evaluate(valid, verbose=0, return_dict=True)
        )
        watch.on_epoch_end(state.epoch, logs | {"val_loss": found["loss"]})


def _recorded(planing: Planing | None) -> dict[str, Any]:
    return {} if planing is None else {"planing": planing.to_dict()}


def _weights(job: Job, planing: Planing | None) -> NDArray[np.float32]:
    """Weights of all rows, mean magnitude 1 in training."""
    source, train, settings = job.source, job.member.train, job.recipe.settings
    weight = source.weight.copy() if settings.weights else np.ones(len(source))
    if planing is not None:
        weight *= planing.weights(source.variables, source.y)
    if settings.balance and source.task != "regression":
        labels = source.y.astype(np.int64)
        sums = np.bincount(labels[train], weights=weight[train], minlength=int(labels.max()) + 1)
        if np.any(sums <= 0):
            raise DataError("a class cannot be balanced", found=f"sums of weights {sums}", fix="balance=False")
        weight *= (sums.mean() / sums)[labels]
    return np.asarray(weight / np.mean(np.abs(weight[train])), dtype=np.float32)


def _attempt(
    job: Job, specs: tuple[InputSpec, ...], feeding: Feeding, tried: list[dict[str, Any]], matrix: Any
) -> tuple[Any, Attempt]:
    """A compiled network and its watch; each attempt has another seed and half the learning rate of the one before."""
    source, member, settings = job.source, job.member, job.recipe.settings
    number = len(tried)
    seed = int(np.random.SeedSequence([member.seed, member.fold + 1, number]).generate_state(1)[0])
    rate = settings.learning_rate * 0.5**number
    steps = max(1, min(settings.steps_per_execution, len(member.train) // settings.batch_size))
    network = job.recipe.compiled(specs, seed, learning_rate=rate, steps=steps, matrix=matrix, loss=feeding.loss)
    names = job.recipe.names(network)
    y, w = source.y[member.train], feeding.weight[member.train]
    rows = member.valid[_spaced(len(member.valid), _PROBE_ROWS)]
    attempt = Attempt(
        settings=settings,
        state=State(),
        feed=feeding.training(member.train, names, settings.batch_size, seed),
        constant=collapse.constant_loss(y, w, y, w, classes=source.n_classes),
        probe=lambda model: collapse.spread(predict(model, source, rows, names), source.y[rows], source.task),
        path=job.checkpoint,
        header={"config": job.config, "failed": list(tried), "seed": seed, "learning_rate": rate},
        report=job.report,
        progress=job.progress,
        log=job.log,
    )
    return network, attempt


def _spaced(n: int, wanted: int) -> NDArray[np.int64]:
    """At most `wanted` positions, evenly over n: rows are often sorted by class."""
    return np.unique(np.linspace(0, n - 1, min(n, wanted)).astype(np.int64))


def _reference_rows(source: Source, rows: NDArray[np.int64], specs: tuple[InputSpec, ...]) -> NDArray[np.int64]:
    """The rows that an export is verified on: half of them typical, half those farthest out, where rounding shows."""
    far = np.zeros(len(rows))
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        for spec in specs:
            x = source.columns[spec.name].dense(rows[part]).reshape(len(far[part]), -1).astype(np.float64)
            offset = 0.0 if spec.offset is None else np.asarray(spec.offset)
            scale = 1.0 if spec.scale is None else np.asarray(spec.scale)
            z = np.abs((x + offset) * scale)
            far[part] = np.maximum(far[part], z.sum(axis=1) if spec.is_image else z.max(axis=1))
    farthest = np.argsort(-far, kind="stable")[: N_REFERENCE // 2]
    others = np.setdiff1d(np.arange(len(rows)), farthest)
    typical = others[_spaced(len(others), N_REFERENCE // 2)] if len(others) else others
    return np.asarray(rows[np.sort(np.concatenate([typical, farthest]))])


def predict(network: Any, source: Source, rows: NDArray[np.int64], names: list[str]) -> NDArray[np.float32]:
    """Outputs for some rows, shape (n, outputs), float32; nothing is traced, so that many networks cost little."""
    import keras

    size = 256 if any(spec.is_image for spec in source.specs) else 8192
    parts = []
    for start in range(0, len(rows), size):
        x = source.batches(rows[start : start + size], names)
        out = network(x[0] if len(x) == 1 else x, training=False)
        parts.append(np.asarray(keras.ops.convert_to_numpy(out), dtype=np.float32).reshape(len(x[0]), -1))
    return np.concatenate(parts)


def _judge(job: Job, network: Any, attempt: Attempt, weights: NDArray[np.float32]) -> str:
    """Why a finished training is worthless; empty if it is not."""
    network.set_weights(attempt.best)
    y, w = job.source.y[job.member.valid], weights[job.member.valid]
    constant = collapse.constant_loss(y, w, y, w, classes=job.source.n_classes)
    return collapse.never_learnt(attempt.state.best_loss, constant, attempt.probe(network))


def _keep(deployed: Any, matrix: Any, path: Path, network: Any, best: list[NDArray[Any]]) -> None:
    """Saves the best network so far; the one that trains stays as it is."""
    current = network.get_weights()
    network.set_weights(best)
    fold(network, deployed, matrix)
    network.set_weights(current)
    save_model(deployed, path)


def _ranges(source: Source, rows: NDArray[np.int64]) -> dict[str, Any]:
    """What the inputs are in the rows that were trained on."""
    names = [spec.name for spec in source.specs]
    parts = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    batches = (dict(zip(names, source.batches(part, names), strict=True)) for part in parts)
    return measure_ranges(batches, {spec.name: spec.variables for spec in source.specs})


def _finish(job: Job, network: Any, specs: tuple[InputSpec, ...], attempt: Attempt, more: dict[str, Any]) -> Fitted:
    """Writes the finished network; member.json comes last and says that all is there."""
    source, member, state, folder = job.source, job.member, attempt.state, job.folder
    stage("finish", folder)
    # by the network that is saved: the tiles of a sparse tower round otherwise, up to 3e-6 in a score
    scores = predict(network, source, np.arange(len(source)), job.recipe.names(network))
    if not np.all(np.isfinite(scores)):
        raise TrainingError("the trained network gives NaN", where=folder, fix="lower learning_rate")
    save_model(network, folder / "model.keras")
    write_history(folder / "history.csv", state.history)
    rows, names = _reference_rows(source, member.valid, specs), [spec.name for spec in specs]
    write_arrays(folder / "reference.npz", dict(zip(names, source.batches(rows, names), strict=True)))
    write_json(folder / "ranges.json", _ranges(source, member.train))
    write_arrays(folder / "scores.npz", {"score": scores})
    record = {
        "name": member.name,
        "fold": member.fold,
        "seed": member.seed,
        **more,
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "val_loss": state.best_loss,
        "loss": state.history[state.best_epoch]["loss"],
        "n_train": len(member.train),
        "n_valid": len(member.valid),
        "n_held_out": len(member.held_out),
        "parameters": int(network.count_params()),
        "weights_sha256": sha256_array(np.concatenate([np.ravel(weight) for weight in network.get_weights()])),
        "inputs": [spec.to_dict() for spec in specs],
    }
    write_json(folder / "member.json", record)
    job.checkpoint.unlink(missing_ok=True)
    return Fitted(record, scores, folder)
