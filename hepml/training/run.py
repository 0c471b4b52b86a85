"""A finished run: its record, its best network, its scores.

runs/NAME/run.json        configuration, versions, seeds, networks, inputs
runs/NAME/model.keras     the best network on validation; takes raw inputs
runs/NAME/history.csv     of that network
runs/NAME/reference.npz   raw validation events that exported files carry
runs/NAME/ranges.json     what its inputs were in training, for monitors
runs/NAME/scores.h5       a score of every candidate
runs/NAME/fold0_seed0/... the single networks, where there are several
runs/NAME/log.txt         times and host: the only file that differs between two equal runs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.shape import NUMBER, check_shape
from hepml.errors import InputFileError, TrainingError
from hepml.geometry import Geometry
from hepml.ledger import atomic_path, read_json
from hepml.models import InputSpec, Settings
from hepml.training.checkpoint import read_arrays

__all__ = ["Run", "Scores", "load_run", "read_scores", "write_scores"]

FORMAT = "hepml-run"
FORMAT_VERSION = 1
_SHAPE = {
    "format_version": int,
    "status": str,
    "config": {
        **dict.fromkeys(("features", "task"), str),
        **dict.fromkeys(("folds", "seeds", "seed"), int),
        "settings": dict,
        "data": (str, type(None)),
    },
    "config_hash": str,
    "code": {"version": str},
    "environment": {"packages": dict},
}
_ENDED_SHAPE = {
    "best": {"member": str},
    "inputs": [{"name": str, "shape": [int], "variables": [str], "geometry": (dict, type(None))}],
    "members": [{"name": str, "val_loss": NUMBER}],
}
_BIN = (list, type(None))
_THRESHOLD = {"signal_efficiency": NUMBER, "threshold": NUMBER, "pt": _BIN, "eta": _BIN}
_RANGES = {"events": int, "levels": [NUMBER], "quantities": [dict]}
_COLUMNS = ("identity", "y", "weight", "split", "fold")


@dataclass(frozen=True)
class Scores:
    """Scores of all candidates, in the order of data.h5's train, valid and test splits.

    Attributes:
        identity: uint64 (n,).
        y, weight: label and event weight (n,).
        split: 0 train, 1 valid, 2 test (n,), uint8; 255 where every row is in every split.
        fold: the fold that held the candidate out (n,), int8; -1 without folds.
        score: float32 (n, n_seeds), or (n, n_seeds, n_outputs) with several outputs. With folds each is out-of-fold;
            else only those of split 2 are held out.
        train_score: the same from networks that trained on the candidate, averaged over folds; None without folds.
        features, n_folds, seeds, checksum: of the run and its data.
    """

    identity: NDArray[np.uint64]
    y: NDArray[np.float32]
    weight: NDArray[np.float64]
    split: NDArray[np.uint8]
    fold: NDArray[np.int8]
    score: NDArray[np.float32]
    train_score: NDArray[np.float32] | None
    features: str
    n_folds: int
    seeds: tuple[int, ...]
    checksum: str

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """Candidates that no network saw: all with folds, else the test split."""
        if self.n_folds:
            return np.ones(len(self.y), dtype=bool)
        return np.asarray((self.split == 2) | (self.split == 255))


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder.
        record: the content of run.json.

    Example:
        >>> run = load_run("runs/hl")  # doctest: +SKIP
        >>> run.features, run.config.units  # doctest: +SKIP
        ('hl', 149)
    """

    path: Path
    record: Mapping[str, Any]

    @property
    def features(self) -> str:
        """Tokens joined by _and_; the names of the arrays for a run on arrays."""
        return str(self.record["config"]["features"])

    @cached_property
    def config(self) -> Settings:
        """The settings of the training; `record["config"]` holds seeds, folds and checksum besides."""
        return Settings.from_dict(self.record["config"]["settings"])

    @property
    def task(self) -> str:
        """binary, multiclass or regression."""
        return str(self.record["config"]["task"])

    @cached_property
    def model(self) -> Any:
        """The best network on validation, a `keras.Model` that takes raw inputs."""
        return self.network("")

    def network(self, member: str) -> Any:
        """One network of the run by its member's name, "fold0_seed0"; the best one on validation for ""."""
        from hepml.models.stored import load_model

        return load_model(self.path / member / "model.keras")

    @cached_property
    def inputs(self) -> list[InputSpec]:
        """The inputs of `model`, in its order, with up to 16 raw validation events each."""
        reference = read_arrays(self.path / "reference.npz")
        return [InputSpec.from_dict(record, reference.get(record["name"])) for record in self.record["inputs"]]

    @property
    def efp_names(self) -> tuple[str, ...]:
        """The columns of the input `efp`, for `Dataset.with_efp`; none for a run without."""
        found = [record["variables"] for record in self.record["inputs"] if record["name"] == "efp"]
        return tuple(found[0]) if found and self.record["config"].get("efp") else ()

    @property
    def history(self) -> dict[str, NDArray[np.float64]]:
        """Columns of the best network's training: epoch, loss, val_loss, learning_rate."""
        return read_history(self.path / "history.csv")

    @property
    def histories(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """The same for every network of the run, by name ("" for the only one)."""
        names = [str(member["name"]) for member in self.record["members"]]
        return {name: read_history(self.path / name / "history.csv") for name in names}

    @property
    def geometry(self) -> Geometry | None:
        """Of the images, None for a run without."""
        found = [record["geometry"] for record in self.record["inputs"] if record["geometry"] is not None]
        return Geometry.from_dict(found[0]) if found else None

    def scores(self) -> Scores:
        """A score of every candidate of the data."""
        return read_scores(self.path / "scores.h5")

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What `hepml evaluate` stored, None before."""
        found: dict[str, Any] | None = _stored(self.path / "metrics.json", dict)
        return found

    def ranges(self, member: str = "") -> dict[str, Any] | None:
        """What the inputs were in training, see `hepml.ranges`; None for a run that was made without.

        Args:
            member: the name of a network; "" for `model`.
        """
        found: dict[str, Any] | None = _stored(self.path / member / "ranges.json", _RANGES)
        return found

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Working points that `hepml evaluate` stored; empty before."""
        return list(_stored(self.path / "thresholds.json", [_THRESHOLD]) or [])


def _stored(path: Path, shape: Any) -> Any:
    """The content of a JSON file of a run; None if there is none.

    Raises:
        InputFileError: damaged.
    """
    if not path.exists():
        return None
    found = read_json(path)
    try:
        check_shape(found, shape, "$")
    except ValueError as error:
        raise InputFileError("not a file that hepml wrote whole", where=path, found=error) from error
    return found


def load_run(path: str | Path) -> Run:
    """The run in a folder.

    Raises:
        InputFileError: no such folder, or it holds no run, or a damaged one.
        TrainingError: the training has not ended.
    """
    path = Path(path)
    record = read_record(path)
    if record["status"] != "done":
        raise TrainingError("the training has not ended", where=path, fix="give the same hepml train command again")
    return Run(path, record)


def read_record(path: Path) -> dict[str, Any]:
    """The run.json of a folder, of a training that has ended or not.

    Raises:
        InputFileError: no such folder, or it holds no run, or a damaged one.
    """
    file = path / "run.json"
    if not file.is_file():
        raise InputFileError(
            "a folder, but not that of a run" if path.exists() else "no such folder",
            where=path,
            expected="run.json in it, as hepml train writes",
        )
    record = read_json(file)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputFileError("not the record of a run", where=file, expected=f"format {FORMAT!r}")
    version = record.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise InputFileError(
            "the run was written by a newer hepml",
            where=path,
            expected=f"format_version {FORMAT_VERSION}",
            found=version,
            fix="update hepml",
        )
    ended = record.get("status") == "done"
    try:
        check_shape(record, _SHAPE | {k: v for k, v in _ENDED_SHAPE.items() if ended or k in record}, "run")
        if ended and record["best"]["member"] not in [member["name"] for member in record["members"]]:
            raise ValueError(f"run.best.member {record['best']['member']!r} is none of run.members")
    except ValueError as error:
        raise InputFileError(
            "not the whole record of a run", where=file, found=error, fix="train it again: hepml train --overwrite"
        ) from error
    return record


def read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    """The columns of a history.csv.

    Raises:
        InputFileError: absent or damaged.
    """
    try:
        names = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        return {name: table[:, k] for k, name in enumerate(names)}
    except (OSError, ValueError, IndexError) as error:
        raise InputFileError("not a training history", where=path, found=error) from error


def write_scores(path: Path, scores: Scores) -> None:
    """Writes scores.h5, atomically."""
    import h5py

    from hepml.dataset.seal import seal

    with atomic_path(path, overwrite=True) as temporary:
        with h5py.File(temporary, "w") as file:
            for name in (*_COLUMNS, "score"):
                file[name] = getattr(scores, name)
            if scores.train_score is not None:
                file["train_score"] = scores.train_score
            file.attrs.update(
                {
                    "features": scores.features,
                    "n_folds": scores.n_folds,
                    "seeds": np.asarray(scores.seeds, dtype=np.int64),
                    "checksum": scores.checksum,
                }
            )
        seal(temporary)


def read_scores(path: Path) -> Scores:
    """The content of a scores.h5.

    Raises:
        InputFileError: absent or damaged.
    """
    from hepml.dataset.guard import guarded, has_own, open_hdf5

    try:
        with open_hdf5(path) as file:
            columns = {name: guarded(file, name)[()] for name in (*_COLUMNS, "score")}
            lengths = {name: len(values) for name, values in columns.items()}
            if len(set(lengths.values())) > 1:
                raise ValueError(f"columns of different lengths: {lengths}")
            return Scores(
                **columns,
                train_score=guarded(file, "train_score")[()] if has_own(file, "train_score") else None,
                features=str(file.attrs["features"]),
                n_folds=int(file.attrs["n_folds"]),
                seeds=tuple(int(seed) for seed in file.attrs["seeds"]),
                checksum=str(file.attrs["checksum"]),
            )
    except InputFileError as error:
        found = ": ".join(filter(None, [error.problem, error.parts.get("found")]))
        raise InputFileError("not the scores of a run", where=path, found=found, fix="train the run again") from error
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputFileError("not the scores of a run", where=path, found=error) from error
