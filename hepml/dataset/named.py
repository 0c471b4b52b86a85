"""Variables of candidates by name: kinematics, pile-up, and every column of a flat input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.layout import SPLITS
from hepml.dataset.tokens import FLATS
from hepml.errors import DataError, nearest

if TYPE_CHECKING:
    from hepml.dataset.reader import Dataset

__all__ = ["named_variable", "variable_names"]

_COLUMNS = ("pt", "eta", "phi", "pileup")


def variable_names(dataset: Dataset) -> tuple[str, ...]:
    """Every name that `named_variable` knows for a file: pt, eta, abs_eta, phi, pileup, r_had ..., mass ..."""
    flats = [token for token in dataset.tokens if token in FLATS]
    return (*_COLUMNS, "abs_eta", *(name for token in flats for name in dataset.variables(token)))


def named_variable(dataset: Dataset, name: str) -> NDArray[np.float64]:
    """A variable of all candidates, in the order of the splits train, valid, test; float64, shape (n,).

    Raises:
        DataError: the file holds no variable of that name.

    Example:
        >>> named_variable(Dataset.open("data.h5"), "abs_eta").max()  # doctest: +SKIP
        2.12
    """
    if name == "abs_eta":
        return np.asarray(np.abs(named_variable(dataset, "eta")))
    if name in _COLUMNS:
        return np.concatenate([np.asarray(dataset.column(name, split), np.float64) for split in SPLITS])
    for token in dataset.tokens:
        if token in FLATS and name in dataset.variables(token):
            place = dataset.variables(token).index(name)
            return np.concatenate([dataset.raw(token, split)[:, place].astype(np.float64) for split in SPLITS])
    known = variable_names(dataset)
    raise DataError(
        f"the data hold no variable {name!r}",
        where=dataset.path,
        expected=", ".join(known),
        nearest=nearest(name, known),
    )
