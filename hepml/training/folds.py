"""Which rows train, stop and score each network: the stored splits, or k folds by hash of the group.

Every decision hashes the group in its own way, so that relatives (two electrons of an event, events of one parton
configuration) stay together and a decision does not depend on the order or the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.training.source import Source

__all__ = ["Member", "members"]

_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Member:
    """One network of a run.

    Attributes:
        name: of its sub-folder; empty when the run is a single network.
        fold: held-out fold, or -1.
        seed: of weights, dropout and batch order.
        train, valid, held_out: row numbers.
    """

    name: str
    fold: int
    seed: int
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    held_out: NDArray[np.int64]


def members(source: Source, folds: int, seeds: int, seed: int) -> tuple[list[Member], NDArray[np.int8]]:
    """The networks of a run in the order of training, and each row's fold (-1 without folds).

    With folds, a fifth of the rows outside the held-out fold stops the training and chooses its best epoch: 64, 16
    and 20 % for five folds, as in the stored splits.

    Raises:
        DataError: an empty part, or a part without one of the classes.
    """
    from hepml.identity import fold_of

    found = []
    fold = np.full(len(source), -1, dtype=np.int8)
    if folds:
        fold = fold_of(source.group, folds)
        parts = []
        for k in range(folds):
            salt = np.uint64((k + 1) * _GOLDEN % 2**64)  # another fifth in every fold
            stop = (fold_of(source.group ^ salt, 5) == 0) & (fold != k)
            parts.append(((fold != k) & ~stop, stop, fold == k))
    elif np.all(source.split == 255):  # every row in every part
        everything = np.ones(len(source), dtype=bool)
        parts = [(everything, everything, everything)]
    else:
        parts = [(source.split == 0, source.split == 1, source.split == 2)]
    for k, masks in enumerate(parts):
        train, valid, held_out = (np.flatnonzero(mask) for mask in masks)
        where = f"{source.where}, fold {k}" if folds else source.where
        _check(source, train, "training", where)
        _check(source, valid, "validation", where)
        for s in range(seed, seed + seeds):
            name = f"fold{k}_seed{s}" if folds else f"seed{s}" if seeds > 1 else ""
            found.append(Member(name, k if folds else -1, s, train, valid, held_out))
    return found, fold


def _check(source: Source, rows: NDArray[np.int64], what: str, where: str) -> None:
    if not len(rows):
        raise DataError(
            f"no rows in the {what} split", where=where, fix="use a larger sample, or write the data with three splits"
        )
    weight = source.weight[rows]
    if source.task != "regression":
        label = source.y[rows].astype(np.int64)
        counts = np.bincount(label, minlength=source.n_classes)
        found = ", ".join(f"label {k}: {count}" for k, count in enumerate(counts))
        if not counts.all():
            raise DataError(f"a class is missing in the {what} split", where=where, found=found)
        sums = np.bincount(label, weight, minlength=source.n_classes)
        if not (sums > 0).all():
            raise DataError(
                f"the weights of a class in the {what} split do not sum to more than 0",
                where=where,
                found=", ".join(f"label {k}: {total:g}" for k, total in enumerate(sums)),
                fix="look at the weights; a class without weight cannot be learned",
            )
    if not float(np.sum(weight)) > 0:
        raise DataError(f"the weights of the {what} split do not sum to more than 0", where=where)
