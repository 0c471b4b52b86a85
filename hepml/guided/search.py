"""The loop of the guided search: train, ask which pairs are still ordered otherwise, add a polynomial, again."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hepml.atomic import alone, sweep
from hepml.dataset import SPLITS
from hepml.dataset.efp_input import fitting
from hepml.dataset.shape import NUMBER, check_shape
from hepml.errors import DataError, InputFileError, OutputError, TrainingError
from hepml.guided.problem import SELECTION, Problem, load_problem, stored_seed
from hepml.guided.results import Chosen, Guided, look
from hepml.ledger import check_not_input, check_output, code_version, make_folder, read_json, sealed, write_json
from hepml.metrics import DisorderedPairs, auc, to_json
from hepml.metrics.results import Floats
from hepml.models import Settings
from hepml.processors import threads_of
from hepml.stages import stage
from hepml.training import Run, train
from hepml.training.checkpoint import write_arrays

__all__ = ["SETTINGS", "guide", "search"]

SETTINGS = Settings(layers=3, units=50, learning_rate=1e-3)
"""The network of every pass: the published 3 x 50, trained as all of hepml's are."""

FORMAT, FORMAT_VERSION = "hepml-guided", 1
_BLOCK = 64  # polynomials that are read at a time
_NEXT = 9  # that are kept beside the one that is chosen
_REMOVED = "removed"
_OWN = re.compile(r"\..*|pass\d+|candidates\d+\.npz|figures|(state|guided)\.json")  # what a search has in its folder
_CHOSEN = {"name": str, "ordering": NUMBER, "pairs": int, "fraction": NUMBER, "candidates": int, "next": list}
_SHAPE = {"format_version": int, "status": str, "config": dict, "chosen": [_CHOSEN]}

_log = logging.getLogger("hepml")


def guide(
    data: str | Path,
    efps: str | Path,
    output: str | Path,
    *,
    benchmark: str | Path,
    start: str | Sequence[str] = "hl",
    kappa: float | None = None,
    **options: Any,
) -> Guided:
    """Searches the polynomials that explain a benchmark; goes on with a search that was interrupted.

    Args:
        data, efps, benchmark, start, kappa: as for `load_problem`.
        output: the folder: runs pass0, pass1 ..., the state of the search, guided.json.
        options: as for `search`.

    Returns:
        What was chosen on training and validation candidates, measured once on the test split.

    Raises:
        As `load_problem` and `search`.

    Example:
        >>> found = guide("data.h5", "efps.h5", "runs/guided", benchmark="runs/cnn")  # doctest: +SKIP
        >>> found.names[0], found.steps[1].auc.value  # doctest: +SKIP
        ('et_efp_2_1_0_k_2_b_0.5', 0.9699)
    """
    check_not_input(Path(output), [data, efps, benchmark])
    return search(load_problem(data, efps, benchmark, start=start, kappa=kappa), output, **options)


def search(
    problem: Problem,
    output: str | Path,
    *,
    max_passes: int = 5,
    stop_at: float | None = None,
    settings: Settings | None = None,
    seeds: int = 5,
    seed: int = 0,
    bootstrap: int = 50,
    jobs: int | None = None,
    overwrite: bool = False,
    telling: Callable[[str], object] = _log.info,
    progress: Any = False,
) -> Guided:
    """The same for any problem.

    Args:
        problem: candidates, benchmark, variables, polynomials.
        output: the folder.
        max_passes: polynomials that are added at most; a search that has ended goes on if it is raised.
        stop_at: validation AUC at which the search ends; None is the benchmark's.
        settings: of the networks; None for `SETTINGS`.
        seeds: networks of each pass; the one with the lowest validation loss is that of the pass.
        seed: of the first, and of the bootstrap.
        bootstrap: resampled sets of test candidates for the errors.
        jobs: threads for the polynomials; None for as many as processors.
        overwrite: replace the search in the folder.
        telling: called with a line for each step.
        progress: of the trainings, as for `hepml.train`.

    Raises:
        DataError: an option that cannot be.
        TrainingError: the folder holds a search in other data or with other options; a training collapsed.
        OutputError: the folder holds something else, or more than a search that is to be replaced; it cannot be
            written.
    """
    if max_passes < 0 or bootstrap < 2 or not math.isfinite(stop_at or 0):
        raise DataError("a number that cannot be", expected="max_passes from 0, bootstrap from 2, a finite stop_at")
    jobs, folder = threads_of(jobs), Path(output)
    networks = settings or SETTINGS
    options = {"seeds": seeds, "seed": seed, "stop_at": stop_at, "settings": networks.to_dict()}
    config = {**problem.identity, **options}
    valid = problem.rows("valid")
    goal = auc(problem.benchmark[valid, 0], problem.label[valid], problem.weight[valid]) if stop_at is None else stop_at
    with _claimed(folder, config, overwrite) as chosen:
        scores: list[Floats] = []
        stopped = ""
        while not stopped:
            names = [one.name for one in chosen[: len(scores)]]
            run = _trained(problem, names, folder, networks, {"seeds": seeds, "seed": seed, "progress": progress})
            scores.append(_scores(run))
            own = auc(scores[-1][valid, 0], problem.label[valid], problem.weight[valid])
            telling(f"pass {len(names)}: AUC on validation {own:.5f}, to reach {goal:.5f}")
            if own >= goal:
                stopped = "reached the AUC on validation"
            elif len(names) >= max_passes:
                stopped = f"after {max_passes} passes"
            elif len(names) == len(chosen):
                found = _choose(problem, scores[-1], chosen, folder, jobs)
                if found is None:
                    is_left = len(chosen) < len(problem.names)
                    stopped = "no polynomial orders what is left" if is_left else "every polynomial is taken"
                else:
                    chosen.append(found)
                    _write_state(folder, config, chosen)
                    telling(
                        f"pass {len(chosen)}: {found.name} orders {100 * found.ordering:.2f} % of {found.pairs} pairs"
                    )
        stage("look", folder)
        about = {"path": folder, "start": str(config.get("start", "_and_".join(problem.inputs))), "target": goal}
        about |= {"kappa": config.get("kappa"), "stopped": stopped, "seeds": seeds}
        result = look(problem, scores, chosen[: len(scores) - 1], bootstrap=bootstrap, seed=seed, about=about)
        record = {key: value for key, value in to_json({**vars(result), "path": None}).items() if key != "path"}
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "config": config, "code": code_version()}
        write_json(folder / "guided.json", sealed({**head, **record}))
    return result


def _trained(problem: Problem, names: Sequence[str], folder: Path, settings: Settings, options: Any) -> Run:
    """The network of a pass: a run on the variables and the polynomials so far."""
    where = folder / f"pass{len(names)}"
    tokens = (*problem.inputs, "efp") if names else tuple(problem.inputs)
    if problem.dataset is not None:
        return train(problem.dataset, tokens, where, settings=settings, efp_names=names or None, **options)
    rows: dict[str, Any] = {"weight": problem.weight, "split": problem.split, "group": problem.group}
    arrays: dict[str, Any] = dict(problem.inputs)
    if names:
        arrays["efp"] = fitting(problem.read(names, SPLITS), names, "the polynomials")
    return train(arrays=arrays, y=problem.label, output=where, settings=settings, **rows, **options)


def _scores(run: Run) -> Floats:
    """(n, seeds), the stored network's first."""
    found = run.scores()
    central = stored_seed(run, found.seeds)
    order = [central, *(k for k in range(len(found.seeds)) if k != central)]
    return np.asarray(found.score[:, order], dtype=np.float64)


def _choose(problem: Problem, score: Floats, chosen: Sequence[Chosen], folder: Path, jobs: int) -> Chosen | None:
    """The polynomial that orders most pairs as the benchmark does, of those that the network orders otherwise."""
    stage("scan", folder)
    rows = problem.selection
    label, weight = problem.label[rows], problem.weight[rows]
    pairs = DisorderedPairs(problem.benchmark[rows, 0], score[rows, 0], label, weight)
    taken = {one.name for one in chosen}
    names = [name for name in problem.names if name not in taken]
    if not names or not pairs.fraction > 0:
        return None

    def ordered(start: int) -> Floats:
        some = names[start : start + _BLOCK]
        values = np.ascontiguousarray(problem.read(some, SELECTION).T)
        return np.array([_order(pairs, name, column) for name, column in zip(some, values, strict=True)])

    with ThreadPoolExecutor(jobs) as pool:
        try:
            found = np.concatenate([*pool.map(ordered, range(0, len(names), _BLOCK))])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    write_arrays(folder / f"candidates{len(chosen) + 1}.npz", {"name": np.array(names), "ordering": found})
    folded = np.maximum(found, 1 - found)
    order = np.argsort(-folded, kind="stable").tolist()
    best = next((k for k in order if folded[k] > 0.5 and _fits(problem, names[k])), None)
    if best is None:
        return None
    following = tuple((names[k], float(folded[k])) for k in order[: _NEXT + 1] if k != best)[:_NEXT]
    return Chosen(names[best], float(folded[best]), pairs.pairs, pairs.fraction, len(names), following)


def _order(pairs: DisorderedPairs, name: str, values: Floats) -> float:
    """The ordering of a polynomial; 1/2 if it is constant but for rounding, or too large for networks in float32."""
    try:
        fitting(values[:, None], [name], name, vary=True)
    except DataError:
        return 0.5
    is_constant = values.std() <= 1e-12 * np.abs(values).max()
    return 0.5 if is_constant else pairs.order(values)


def _fits(problem: Problem, name: str) -> bool:
    """Whether networks can take it in every split: all that is asked of test candidates before the look at them."""
    try:
        for split in SPLITS:
            fitting(problem.read([name], [split]), [name], f"split {split!r}", vary=split == "train")
    except DataError as error:
        _log.warning("passed over: %s", error)
        return False
    return True


def _write_state(folder: Path, config: Mapping[str, Any], chosen: Sequence[Chosen], status: str = "begun") -> None:
    record = {"format": FORMAT, "format_version": FORMAT_VERSION, "status": status, "config": config}
    write_json(folder / "state.json", sealed({**record, "chosen": [to_json(one) for one in chosen]}))


@contextlib.contextmanager
def _claimed(folder: Path, config: Mapping[str, Any], overwrite: bool) -> Iterator[list[Chosen]]:
    """The folder for this process alone; gives what was chosen in it already."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output is a file", where=folder, expected="the name of a folder")
    state = folder / "state.json"
    begun = state.is_file()
    if folder.is_dir() and not begun and any(not one.name.startswith(".") for one in folder.iterdir()):
        raise OutputError("the folder exists and holds no search", where=folder, fix="choose another name")
    check_output(state, overwrite=True)
    make_folder(folder)
    with alone(folder / ".lock", folder):
        record = _read_state(state) if begun and not overwrite else None
        if begun and (record is None or record["status"] == _REMOVED):
            if foreign := sorted(one.name for one in folder.iterdir() if not _OWN.fullmatch(one.name)):
                found = ", ".join(foreign[:5])
                raise OutputError("more than a search is in the folder", where=folder, found=found, fix="move it away")
            _write_state(folder, config, [], _REMOVED)
            for one in folder.iterdir():
                if one.name not in (".lock", "state.json"):
                    shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
            record = None
        if record is None:
            _write_state(folder, config, [])
            yield []
            return
        _compare(folder, record["config"], config)
        for name in ("state.json", "guided.json"):
            sweep(folder / name)
        yield [Chosen(**{**one, "next": tuple(map(tuple, one["next"]))}) for one in record["chosen"]]


def _read_state(path: Path) -> dict[str, Any]:
    record = read_json(path)
    try:
        if not isinstance(record, dict) or record.get("format") != FORMAT or sealed(record) != record:
            raise ValueError("not a state that hepml wrote whole")
        check_shape(record, _SHAPE, "state")
        if record["format_version"] > FORMAT_VERSION:
            raise ValueError("written by a newer hepml")
    except ValueError as error:
        raise InputFileError(
            "not the state of a search", where=path, found=error, fix="search again: hepml guide --overwrite"
        ) from error
    return record


def _compare(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuses to go on in other data or with other options, and says what differs."""
    names = dict.fromkeys([*old, *new])
    differs = [
        f"{name}: {old.get(name)} there, {new.get(name)} here" for name in names if old.get(name) != new.get(name)
    ]
    if differs:
        raise TrainingError(
            "the folder holds a search in other data or with other options",
            where=folder,
            found="; ".join(differs),
            fix="choose another output, or overwrite the search (--overwrite)",
        )
