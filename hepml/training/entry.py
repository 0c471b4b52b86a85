"""`train`: the one call that every training goes through."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hepml.atomic import alone, copy_file, sweep
from hepml.errors import DataError, InputFileError, OutputError, SchemaError, TrainingError
from hepml.ledger import (
    check_not_input,
    check_output,
    code_version,
    config_hash,
    environment,
    make_folder,
    read_json,
    sealed,
    write_json,
)
from hepml.models import Settings, preset_settings
from hepml.stages import stage
from hepml.training.decorrelation import check_two_classes, variables_of
from hepml.training.fit import Fitted, Job, fit_member
from hepml.training.folds import members
from hepml.training.network import Recipe
from hepml.training.polynomials import with_polynomials
from hepml.training.run import FORMAT, FORMAT_VERSION, Run, Scores, load_run, read_record, write_scores
from hepml.training.source import Source, array_source, data_source
from hepml.training.verification import checksums_of
from hepml.training.watch import Progress, Report

__all__ = ["train"]

logger = logging.getLogger("hepml.training")
_REMOVED = "removed"  # the status of a run that is being replaced: what is left of it is not to be used


def train(
    data: Any = None,
    features: str | tuple[str, ...] | None = None,
    output: str | Path | None = None,
    *,
    preset: str | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    model: Any = None,
    arrays: Mapping[str, ArrayLike] | None = None,
    y: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    split: ArrayLike | str | None = None,
    group: ArrayLike | None = None,
    seed: int = 0,
    seeds: int = 1,
    folds: int = 0,
    efp_names: str | Sequence[str] | None = None,
    efp_positions: Sequence[int] | None = None,
    efps: Any = None,
    resume: bool = True,
    overwrite: bool = False,
    progress: bool | Report = True,
    **changes: Any,
) -> Run:
    """Trains a network, or several by folds and seeds, and records everything.

    Args:
        data: path of a data.h5, or an open `hepml.dataset.Dataset`.
        features: input tokens, "et_and_ht_and_hl" or ("et", "ht", "hl").
        output: the run folder.
        preset: settings of this published network; that of the features by default.
        settings: complete settings instead of a preset's.
        model: a `keras.Model` or a list of Keras layers to train instead of the network of the settings. It is a
            recipe: weights are drawn anew. A list gets the scaling in front, a model is taken as it is.
        arrays: input name -> (n, variables) or (n, rows, columns, channels), instead of `data` and `features`.
        y, weight, split, group: labels, weights, splits and groups of `arrays`; see `hepml.training.source`.
            `split="all"` trains, stops and scores on every row, for truth tables.
        seed: of weights, dropout and batch order.
        seeds: networks with seeds seed, seed + 1, ...
        folds: 0 for the stored splits; K trains a network for each of K folds by hash of the group, holds it out,
            and so scores every candidate out of fold.
        efp_names, efp_positions, efps: the columns of the input `efp`: names of energy-flow polynomials, or their
            positions in the names of the file `efps` of `hepml efp`. They are computed from the images; the run holds
            their names, and needs no other file afterwards.
        resume: go on with a run of the same configuration in `output`, or return it if it has ended.
        overwrite: replace the run in `output`.
        progress: False is silent, True logs to logging.getLogger("hepml.training"), a function gets each `Progress`.
        changes: settings that replace the preset's: epochs=20, units=100 ...

    Returns:
        The run; `run.model` is the network with the lowest validation loss.

    Raises:
        SchemaError: an unknown feature, preset or setting.
        DataError: NaN, one class only, an empty split, inputs that do not fit the network.
        InputFileError: the data cannot be read.
        TrainingError: the training collapsed after every retry; the folder holds a run of another configuration.
        OutputError: the folder holds something else, or cannot be written.

    Example:
        >>> import tempfile
        >>> x = np.random.default_rng(0).normal(size=(500, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = train(arrays={"x": x}, y=x[:, 0] > 0, output=folder + "/run", layers=1, units=8, epochs=3)
        ...     run.features, run.scores().score.shape
        ('x', (500, 1))
    """
    if output is None:
        raise SchemaError("no output folder is given", fix='output="runs/NAME"')
    for name, value, least in (("seeds", seeds, 1), ("folds", folds, 0), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise SchemaError(f"{name} cannot be {value!r}", expected=f"a whole number from {least}")
    if folds == 1 or folds > 100:
        raise SchemaError(f"folds cannot be {folds}", expected="0, or from 2 to 100")
    tokens = _tokens(data, features, arrays, y)
    given, data = data, with_polynomials(data, tokens, efp_names, efp_positions, efps)
    chosen = _settings(tokens, preset, settings, changes)
    named = variables_of(chosen)
    if arrays is None:
        source = data_source(data, tokens, chosen.task, named, chosen.memory)
    else:
        more = {"weight": weight, "split": split, "group": group, "task": chosen.task, "named": named}
        source = array_source(arrays, y, **more)  # type: ignore[arg-type]
    check_two_classes(chosen, source)
    recipe = Recipe(chosen, source, model)
    config = {
        "features": "_and_".join(tokens),
        "task": source.task,
        "settings": chosen.to_dict(),
        "network": recipe.record(),
        "sparse": recipe.sparse,
        "seed": seed,
        "seeds": seeds,
        "folds": folds,
        "data": source.checksum,
    }
    if "efp" in tokens and arrays is None:
        config["efp"] = list(data.variables("efp"))
    if source.group_branches != (None,):
        config["group_branches"] = list(source.group_branches)
    parts, fold = members(source, folds, seeds, seed)
    folder = Path(output)
    if isinstance(given, str | Path):
        check_not_input(folder, [given])
    with _claimed(folder, config, resume, overwrite) as finished:
        if finished is not None:
            return finished
        report = progress if callable(progress) else _logged if progress else _silent
        stage("open", folder)
        write_json(folder / "run.json", _record("running", config))
        log = _log(folder)
        log(f"start: {environment()} threads {_threads()}")
        fitted = []
        for number, member in enumerate(parts, 1):
            telling = Progress(member.name, number, len(parts))
            log(f"network {number} of {len(parts)}: {member.name or folder.name}")
            where = folder / member.name if member.name else folder
            fitted.append(fit_member(Job(source, member, recipe, where, config_hash(config), report, telling, log)))
            if len(parts) > 1:
                _clear()
        best = min(fitted, key=lambda one: one.record["val_loss"])
        if best.folder != folder:
            for name in ("model.keras", "history.csv", "reference.npz"):
                copy_file(best.folder / name, folder / name)
            if (best.folder / "ranges.json").exists():  # not in a network of an older hepml
                copy_file(best.folder / "ranges.json", folder / "ranges.json")
        write_scores(folder / "scores.h5", _scores(source, fitted, parts, fold, config))
        ended = _record("done", config, fitted, best) | {"checksums": checksums_of(folder)}
        write_json(folder / "run.json", sealed(ended))
        log("done")
    return load_run(folder)


def _tokens(data: Any, features: Any, arrays: Any, y: Any) -> tuple[str, ...]:
    if (data is None) == (arrays is None):
        raise SchemaError("train takes either a data.h5 or arrays", fix='train("data.h5", features="hl", output=...)')
    if arrays is not None:
        if y is None:
            raise DataError("arrays without labels", fix="pass y")
        return tuple(arrays)
    if not features:
        raise SchemaError("no features are given", fix='features="hl", or tokens joined by _and_')
    from hepml.dataset.tokens import parse_features

    return parse_features(features)


def _settings(tokens: tuple[str, ...], preset: str | None, settings: Any, changes: Mapping[str, Any]) -> Settings:
    if settings is None:
        return preset_settings(tokens, preset, **changes)
    if preset is not None:
        raise SchemaError("a preset and complete settings are both given", fix="give one of them")
    base = settings if isinstance(settings, Settings) else Settings.from_dict(settings)
    return base.replace(**changes)


def _record(
    status: str, config: dict[str, Any], fitted: list[Fitted] | None = None, best: Fitted | None = None
) -> dict[str, Any]:
    """run.json, without anything that differs between two equal runs."""
    found = environment()
    record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "status": status,
        "config": config,
        "config_hash": config_hash(config),
        "code": code_version(),
        "environment": {key: found[key] for key in ("python", "machine", "packages")} | {"threads": _threads()},
    }
    if fitted and best:
        own = [{key: value for key, value in one.record.items() if key != "inputs"} for one in fitted]
        record |= {
            "best": {"member": best.record["name"], "val_loss": best.record["val_loss"]},
            "parameters": best.record["parameters"],
            "inputs": best.record["inputs"],
            "members": own,
        }
    return record


def _scores(source: Source, fitted: list[Fitted], parts: list[Any], fold: Any, config: dict[str, Any]) -> Scores:
    """Held-out scores of every row by seed; with folds also the mean of the networks that trained on it."""
    seeds = sorted({part.seed for part in parts})
    shape = (len(source), len(seeds), fitted[0].scores.shape[1])
    score, train_score = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float64)
    times = np.zeros(shape[:2])
    for part, one in zip(parts, fitted, strict=True):
        s = seeds.index(part.seed)
        if part.fold < 0:
            score[:, s] = one.scores
            continue
        score[part.held_out, s] = one.scores[part.held_out]
        # a row that stopped every one of its networks and trained none (1 in 600 with 5 folds) has those instead
        for rows, share in ((part.train, 1.0), (part.valid, 1e-12)):
            train_score[rows, s] += share * one.scores[rows]
            times[rows, s] += share
    mean = np.asarray(train_score / times[..., None], dtype=np.float32) if config["folds"] else None
    single = shape[2] == 1
    return Scores(
        identity=source.identity,
        y=source.y,
        weight=source.weight,
        split=source.split,
        fold=fold,
        score=score[..., 0] if single else score,
        train_score=mean if mean is None or not single else mean[..., 0],
        features=config["features"],
        n_folds=config["folds"],
        seeds=tuple(seeds),
        checksum=source.checksum,
    )


@contextlib.contextmanager
def _claimed(folder: Path, config: dict[str, Any], resume: bool, overwrite: bool) -> Iterator[Run | None]:
    """The folder for this process alone; gives the run if it has ended already."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output is a file", where=folder, expected="the name of a folder")
    is_run = (folder / "run.json").is_file()
    overwrite = overwrite or (is_run and _status(folder) == _REMOVED)  # by a process that was killed then
    if folder.is_dir() and not is_run and any(not one.name.startswith(".") for one in folder.iterdir()):
        raise OutputError("the folder exists and holds no run", where=folder, fix="choose another name")
    if is_run and not (resume or overwrite):
        raise OutputError("the output exists", where=folder, fix="choose another name, resume, or pass --overwrite")
    if is_run and not overwrite:
        _compare(folder, config)
    check_output(folder / "run.json", overwrite=True)
    make_folder(folder)
    with alone(folder / ".lock", folder):
        if is_run and overwrite:
            write_json(folder / "run.json", {"format": FORMAT, "format_version": FORMAT_VERSION, "status": _REMOVED})
            for one in folder.iterdir():
                if one.name not in (".lock", "run.json"):
                    shutil.rmtree(one) if one.is_dir() else one.unlink()
            is_run = False
        done = is_run and read_json(folder / "run.json").get("status") == "done"
        if done:  # what a process has left that was killed at its very end
            sweep(folder / "run.json")
        yield load_run(folder) if done else None


def _status(folder: Path) -> object:
    """The status of a run; None if its record is damaged."""
    try:
        record = read_json(folder / "run.json")
    except InputFileError:
        return None
    return record.get("status") if isinstance(record, dict) else None


def _compare(folder: Path, config: dict[str, Any]) -> None:
    """Refuses to go on with a run of another configuration, and says what differs."""
    record = read_record(folder)
    old = record["config"]
    old = old | {"settings": {**Settings().to_dict(), **old["settings"]}}  # those that have come since: their defaults
    # how the convolutions are fitted matters to a fit that goes on, not to one that has ended
    old["sparse"] = config["sparse"] if record.get("status") == "done" else old.get("sparse", False)
    differs = [
        f"{key}: {_at(old, key)} there, {_at(config, key)} here"
        for key in dict.fromkeys([*_flat(old), *_flat(config)])
        if _at(old, key) != _at(config, key)
    ]
    if differs:
        raise TrainingError(
            "the folder holds a run of another configuration",
            where=folder,
            found="; ".join(differs[:8]),
            fix="choose another output, or overwrite the run (--overwrite)",
        )


def _flat(record: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in record.items():
        found += [f"{key}.{inner}" for inner in value] if key == "settings" and isinstance(value, dict) else [key]
    return found


def _at(record: Any, key: str) -> Any:
    for part in key.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def _log(folder: Path) -> Callable[[str], None]:
    path = folder / "log.txt"

    def write(line: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {line}\n")
        except OSError as error:
            raise OutputError(
                "cannot write the log", where=path, found=error.strerror, fix="free some space"
            ) from error

    return write


def _threads() -> dict[str, int | None]:
    """Threads that TensorFlow may use: 0 is as many as processors."""
    import keras

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if keras.backend.backend() != "tensorflow":
        return {"processors": processors}
    import tensorflow as tf

    threading = tf.config.threading
    return {
        "intra_op": int(threading.get_intra_op_parallelism_threads()),
        "inter_op": int(threading.get_inter_op_parallelism_threads()),
        "processors": processors,
    }


def _clear() -> None:
    """Frees the graphs of networks that are done with."""
    import keras

    keras.backend.clear_session()


def _logged(progress: Progress) -> None:
    name = f"{progress.member} ({progress.n_member}/{progress.n_members}) " if progress.n_members > 1 else ""
    if progress.message:
        logger.warning("%s%s", name, progress.message)
    elif not progress.batch:
        done = f"{progress.epoch}/{progress.epochs}"
        logger.info("%sepoch %s loss %.5f val_loss %.5f", name, done, progress.loss, progress.val_loss)


def _silent(progress: Progress) -> None:
    """Nothing to show."""
