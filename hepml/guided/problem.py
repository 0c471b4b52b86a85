"""What a guided search is given: candidates with a benchmark's scores, variables to start from, and polynomials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset import SPLITS, Dataset
from hepml.dataset.tokens import IMAGES, parse_features
from hepml.efp.columns import parse_column
from hepml.errors import DataError, VerificationError
from hepml.ledger import sha256_array
from hepml.metrics.results import Floats
from hepml.training import Run, load_run

if TYPE_CHECKING:
    from hepml.dataset.efps import EFPFile

__all__ = ["Problem", "load_problem", "stored_seed"]

SELECTION = ("train", "valid")


@dataclass(frozen=True)
class Problem:
    """Candidates, in the order train, valid, test.

    Attributes:
        inputs: variables that every network gets, by input name, each (n, columns) float32.
        label, weight, group: shape (n,).
        split: 0 train, 1 valid, 2 test, ascending, shape (n,).
        benchmark: the scores that are to be explained, shape (n, seeds); the first column is the benchmark itself.
        names: of the polynomials to choose from.
        read: (names, splits) -> their values in these splits, (rows, names) float64.
        identity: what a search that goes on must find again: checksums and names.
        dataset: the data.h5, if the networks are to be runs on it.
    """

    inputs: Mapping[str, NDArray[np.float32]]
    label: Floats
    weight: Floats
    group: NDArray[np.uint64] | None
    split: NDArray[np.uint8]
    benchmark: Floats
    names: tuple[str, ...]
    read: Callable[[Sequence[str], Sequence[str]], Floats]
    identity: Mapping[str, Any]
    dataset: Dataset | None = None

    def __post_init__(self) -> None:
        n = len(self.label)
        columns: dict[str, NDArray[Any]] = {"weight": self.weight, "split": self.split, "benchmark": self.benchmark}
        columns |= self.inputs if self.group is None else {**self.inputs, "group": self.group}
        for name, values in columns.items():
            if len(values) != n:
                raise DataError(f"{name} and labels differ in length", expected=f"{n} rows", found=len(values))
            if not np.isfinite(values).all():
                raise DataError(f"{name} is not finite", fix="look for what gives NaN")
        if np.any(np.diff(self.split.astype(np.int8)) < 0) or not set(self.split.tolist()) == {0, 1, 2}:
            raise DataError("the rows are not those of a training, a validation and a test split, one after the other")
        for code, name in enumerate(SPLITS):
            classes = sorted(set(self.label[self.split == code].tolist()))
            if classes != [0, 1]:
                raise DataError(f"the split {name!r} is not of two classes", expected="labels 0 and 1", found=classes)
        if not self.names:
            raise DataError("there is no polynomial to choose from", fix="make others, or ask for another kappa")

    @property
    def selection(self) -> slice:
        """The rows that may be looked at while polynomials are chosen: training and validation."""
        return slice(0, int(np.count_nonzero(self.split < 2)))

    def rows(self, split: str) -> slice:
        """The rows of a split."""
        code = SPLITS.index(split)
        return slice(*(int(np.count_nonzero(self.split < one)) for one in (code, code + 1)))


def load_problem(
    data: str | Path,
    efps: str | Path,
    benchmark: str | Path,
    *,
    start: str | Sequence[str] = "hl",
    kappa: float | None = None,
) -> Problem:
    """The problem in a data.h5, an efps.h5 and a run folder.

    Args:
        data: of `hepml convert`.
        efps: polynomials of its images, of `hepml efp`.
        benchmark: a run on it.
        start: tokens of the variables to start from, no images.
        kappa: only polynomials of this exponent of the energies; 1 is infrared and collinear safe.

    Raises:
        InputFileError: one of them cannot be read.
        DataError: polynomials of other data, a token that is an image or not in the file, no such kappa, data of more
            than two classes, or of one in some split; a benchmark of folds, which has seen the test split.
        VerificationError: the benchmark was trained on other data.
    """
    from hepml.dataset.efps import EFPFile

    dataset, columns, run = Dataset.open(data), EFPFile.open(efps), load_run(benchmark)
    if dataset.task["kind"] != "binary":
        raise DataError("pairs are of signal and background", where=data, found=f"task {dataset.task['kind']!r}")
    tokens = parse_features(start)
    if wrong := [token for token in tokens if token in IMAGES or token.startswith("efp") or token == "constituents"]:
        raise DataError(f"a search does not start from {wrong[0]!r}", expected="variables, such as hl or hl_and_mass")
    columns.check_data(dataset.checksum, data)
    scores = run.scores()
    if scores.checksum != dataset.checksum or scores.score.ndim != 2:
        raise VerificationError(
            "the benchmark is no run on these data",
            where=benchmark,
            expected=f"one score a candidate, data {dataset.checksum[:16]}...",
            found=f"scores {scores.score.shape}, data {scores.checksum[:16]}...",
            fix="train it on this data.h5",
        )
    if scores.n_folds:
        raise DataError(
            "networks of folds have seen the test split, and would choose with what they saw",
            where=benchmark,
            found=f"{scores.n_folds} folds",
            fix="train the benchmark without --folds",
        )
    central = stored_seed(run, scores.seeds)
    order = [central, *(k for k in range(len(scores.seeds)) if k != central)]
    names = _of_kappa(columns, kappa)
    return Problem(
        inputs={one: np.concatenate([dataset.raw(one, split) for split in SPLITS]) for one in tokens},
        label=scores.y.astype(np.float64),
        weight=scores.weight,
        group=np.concatenate([dataset.column("group", split) for split in SPLITS]),
        split=np.repeat(np.arange(3, dtype=np.uint8), [dataset.n(split) for split in SPLITS]),
        benchmark=scores.score[:, order].astype(np.float64),
        names=names,
        read=lambda wanted, splits: np.concatenate([columns.columns(list(wanted), split) for split in splits]),
        identity={
            "data": dataset.checksum,
            "efps": columns.checksum,
            "benchmark": sha256_array(scores.score[:, central]),
            "start": "_and_".join(tokens),
            "kappa": kappa,
        },
        dataset=dataset,
    )


def _of_kappa(columns: EFPFile, kappa: float | None) -> tuple[str, ...]:
    if kappa is None:
        return columns.names
    found = {name: parse_column(name).kappa for name in columns.names}
    if kappa not in found.values():
        known = ", ".join(f"{one:g}" for one in sorted(set(found.values())))
        raise DataError(f"no polynomial has the exponent kappa = {kappa:g}", where=columns.path, expected=known)
    return tuple(name for name, own in found.items() if own == kappa)


def stored_seed(run: Run, seeds: Sequence[int]) -> int:
    """The position of the stored network's seed."""
    name = run.record["best"]["member"]
    best = next(one for one in run.record["members"] if one["name"] == name)
    return list(seeds).index(int(best.get("seed", seeds[0])))
