"""Who may be evaluated: the scores of a run joined with the candidates of its data.h5, and the proof that the
evaluated ones were held out.

Without folds the test split is evaluated and thresholds come from the validation split. With folds every candidate is
evaluated with the score of networks that did not see it; the thresholds belong to one network, the stored one, and
come from the fold that it was not trained on. An independent data set (of which the run holds no candidate) is scored
by the stored network, all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset import SPLITS, Dataset
from hepml.dataset.named import named_variable, variable_names
from hepml.errors import DataError, VerificationError, nearest
from hepml.identity import fold_of
from hepml.metrics import ScoredEvents
from hepml.training import Run, Scores

__all__ = ["DEPENDENCE", "SELECTIONS", "Sample", "load_sample"]

SELECTIONS = ("hard",)
DEPENDENCE = {"pt": "GeV", "eta": "", "mass": "GeV", "iso_03": "GeV"}
"""Variables that the dependence of the score is shown on, with their units."""
_COLUMNS = ("truth", "pt", "eta", "pileup")
_BATCH = 4096


@dataclass(frozen=True)
class Sample:
    """Candidates of a data.h5 with the scores of a run, rows as in data.h5: train, valid, test.

    Args:
        score: shape (n, seeds) or (n, seeds, outputs), float32.
        train_score: in-fold scores of the same shape, None without folds.
        y, weight, group, identity: shape (n,) each (y also (n, targets)).
        columns: truth, pt, eta, pileup, the selections, and those of `DEPENDENCE` that the data hold, by name.
        evaluated, validation, training: masks; without folds disjoint, with folds evaluated = all.
        central: position of the stored network's seed.
        seeds: training seeds.
        part: "test", "out-of-fold" or "independent".
    """

    score: NDArray[np.float32]
    train_score: NDArray[np.float32] | None
    y: NDArray[np.float32]
    weight: NDArray[np.float64]
    group: NDArray[np.uint64]
    identity: NDArray[np.uint64]
    columns: Mapping[str, NDArray[Any]]
    evaluated: NDArray[np.bool_]
    validation: NDArray[np.bool_]
    training: NDArray[np.bool_]
    central: int
    seeds: tuple[int, ...]
    part: str

    def selected(self, selection: str | None) -> NDArray[np.bool_]:
        """Mask of a named subset; everything for None.

        Raises:
            DataError: no selection of that name.
        """
        if selection is None:
            return np.ones(len(self.y), dtype=bool)
        if selection not in SELECTIONS:
            raise DataError(
                f"no selection is named {selection!r}",
                expected=", ".join(SELECTIONS),
                nearest=nearest(selection, SELECTIONS),
            )
        return np.asarray(self.columns[selection] != 0)

    def events(self, rows: NDArray[np.bool_], seed: int, *, in_fold: bool = False) -> ScoredEvents:
        """Candidates of a mask with the score of one training seed (by position), unchecked."""
        scores = self.train_score if in_fold else self.score
        if scores is None:
            raise DataError("a run without folds has no in-fold scores")
        return ScoredEvents(
            scores[rows, seed].astype(np.float64), self.y[rows].astype(np.float64), self.weight[rows], self.group[rows]
        )


def load_sample(run: Run, dataset: Dataset, independent: bool = False) -> Sample:
    """Joins scores and candidates and checks that what is evaluated was held out.

    Args:
        run: a finished run.
        dataset: its data.h5; or, if `independent`, another one.
        independent: score all candidates of the file with the stored network.

    Raises:
        VerificationError: the file is not the one that the run was trained on.
        DataError: a candidate to be evaluated, or a relative of it, was trained on.
    """
    columns = {name: _column(dataset, name) for name in (*_COLUMNS, *SELECTIONS, "identity", "group", "weight", "y")}
    known = variable_names(dataset)
    columns |= {name: named_variable(dataset, name) for name in DEPENDENCE if name in known}
    if independent:
        return _independent(run, dataset, columns)
    scores = run.scores()
    if scores.checksum != dataset.checksum:
        raise VerificationError(
            "the data are not those of the run",
            where=dataset.path,
            expected=f"checksum {scores.checksum[:16]}... (recorded in {run.path})",
            found=f"checksum {dataset.checksum[:16]}...",
            fix="give the data.h5 that the run was trained on; for another sample pass --independent",
        )
    split = np.repeat(np.arange(3, dtype=np.uint8), [dataset.n(name) for name in SPLITS])
    if not (np.array_equal(scores.identity, columns["identity"]) and np.array_equal(scores.split, split)):
        raise VerificationError(
            "scores and candidates do not match", where=run.path / "scores.h5", fix="train the run again"
        )
    central, fold = _stored(run, scores)
    evaluated = scores.held_out
    _check_held_out(scores, columns["group"], evaluated, str(run.path))
    return Sample(
        score=scores.score,
        train_score=scores.train_score,
        y=scores.y,
        weight=scores.weight,
        group=columns["group"],
        identity=scores.identity,
        columns=columns,
        evaluated=evaluated,
        validation=scores.fold == fold if scores.n_folds else scores.split == 1,
        training=np.ones(len(split), dtype=bool) if scores.n_folds else scores.split == 0,
        central=central,
        seeds=scores.seeds,
        part="out-of-fold" if scores.n_folds else "test",
    )


def _column(dataset: Dataset, name: str) -> NDArray[Any]:
    return np.concatenate([dataset.y(split) if name == "y" else dataset.column(name, split) for split in SPLITS])


def _stored(run: Run, scores: Scores) -> tuple[int, int]:
    """Position of the seed and the held-out fold of the stored network."""
    name = run.record["best"]["member"]
    member = next(record for record in run.record["members"] if record["name"] == name)
    seed = int(member.get("seed", scores.seeds[0]))
    return scores.seeds.index(seed), int(member.get("fold", -1))


def _check_held_out(scores: Scores, group: NDArray[np.uint64], evaluated: NDArray[np.bool_], where: str) -> None:
    if scores.n_folds:
        if not np.array_equal(scores.fold, fold_of(group, scores.n_folds)):
            raise DataError(
                "the folds of the scores are not those of the candidates' groups: relatives may have been trained on",
                where=where,
                fix="train the run again",
            )
        return
    if (scores.split[evaluated] == 0).any() or (scores.split == 255).any():
        raise DataError(
            "the evaluated candidates were trained on", where=where, expected="a test split", fix="train with splits"
        )
    shared = np.isin(group[evaluated], group[~evaluated])
    if shared.any():
        raise DataError(
            "relatives of evaluated candidates (same group) were trained on",
            where=where,
            found=f"{int(shared.sum())} of {int(evaluated.sum())}",
            fix="write the data again: splits must follow the groups",
        )


def _independent(run: Run, dataset: Dataset, columns: Mapping[str, NDArray[Any]]) -> Sample:
    known = run.scores().identity
    seen = np.isin(columns["identity"], known)
    if seen.any():
        raise DataError(
            "the data are not independent: the run holds candidates of this file",
            where=dataset.path,
            found=f"{int(seen.sum())} of {len(seen)}",
            fix="evaluate without --independent on the run's own data.h5",
        )
    names = [spec.name for spec in run.inputs]
    absent = [name for name in names if name not in dataset.tokens]
    if absent:
        raise DataError(
            "the data lack inputs of the run", where=dataset.path, expected=", ".join(names), found=dataset.tokens
        )
    parts = []
    for split in SPLITS:
        for x, _, _ in dataset.batches(names, split, _BATCH, shuffle=False):
            inputs = [x[name] for name in names]
            output = run.model.predict_on_batch(inputs[0] if len(inputs) == 1 else inputs)
            parts.append(np.asarray(output, dtype=np.float32))
    if not parts:
        raise DataError("the data hold no candidates", where=dataset.path)
    score = np.concatenate(parts)
    every, none = np.ones(len(score), dtype=bool), np.zeros(len(score), dtype=bool)
    central, _ = _stored(run, run.scores())
    return Sample(
        score=score if score.shape[1] == 1 else score[:, None, :],
        train_score=None,
        y=columns["y"],
        weight=columns["weight"],
        group=columns["group"],
        identity=columns["identity"],
        columns=columns,
        evaluated=every,
        validation=none,
        training=none,
        central=0,
        seeds=(run.scores().seeds[central],),
        part="independent",
    )
