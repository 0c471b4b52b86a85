"""Polynomials as the input `efp` of a network: which columns, and their values as networks take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.efp_blocks import row_columns
from hepml.dataset.efps import EFPFile
from hepml.dataset.reader import Dataset
from hepml.efp.columns import parse_column
from hepml.errors import DataError, SchemaError, check_names

__all__ = ["chosen_columns", "efp_values", "fitting"]

_ROWS = 4096  # whose images are in memory together

# A network computes in float32. It sees (x - mean) / deviation: the values must be numbers there, and 1 / deviation too
_LARGEST, _LEAST = 1e37, 1e-30


def chosen_columns(
    names: str | Sequence[str] | None,
    positions: Sequence[int] | None,
    efps: str | Path | EFPFile | None,
    data: Dataset,
) -> tuple[str, ...]:
    """The columns that names, or positions in the names of an efps.h5, choose; none if neither is given.

    Args:
        names: of columns.
        positions: of columns in `EFPFile.names`.
        efps: that file, or its path.
        data: the open data file that it has to be made from.

    Raises:
        SchemaError: both are given, or positions without a file.
        DataError: no such column, one twice, or polynomials of other data.
        InputFileError: the file cannot be read.
    """
    if names is not None and positions is not None:
        raise SchemaError("efp_names and efp_positions are both given", fix="give one of them")
    if positions is not None and efps is None:
        raise SchemaError("efp_positions count the columns of a file", fix='name it: efps="efps.h5" (--efps efps.h5)')
    file = EFPFile.open(efps) if isinstance(efps, str | Path) else efps
    if file is not None:
        file.check_data(data.checksum, data.path)
    if positions is not None and file is not None:
        return file.at(positions)
    found = check_names("efp_names", names) if names is not None else ()
    for name in found:
        parse_column(name)
        if file is not None:
            file.resolve(name)
    if len(set(found)) < len(found):
        raise DataError("a polynomial is named twice", found=", ".join(found))
    return found


def efp_values(data: Dataset, names: Sequence[str], split: str, efps: EFPFile | None = None) -> NDArray[np.float32]:
    """The columns of a split, from its images or from a file of `hepml efp`; raises as `fitting`."""
    where = f"{data.path}, split {split!r}"
    if efps is not None:
        efps.check_data(data.checksum, data.path)
        return fitting(efps.columns(names, split), names, where, vary=split == "train")
    n = data.n(split)
    values = [row_columns(data, names, (split, start, min(start + _ROWS, n))) for start in range(0, n, _ROWS)]
    return fitting(np.concatenate([np.empty((0, len(names))), *values]), names, where, vary=split == "train")


def fitting(
    values: NDArray[np.float64], names: Sequence[str], where: object, *, vary: bool = False
) -> NDArray[np.float32]:
    """Columns rounded to float32.

    Args:
        values: (n, columns).
        names: of the columns.
        where: for messages.
        vary: these are the rows that scalings are fitted on.

    Raises:
        DataError: a column is too large, or varies too little, for a network to see it in float32.
    """
    if not len(values):
        return values.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused below
        largest, deviation = np.abs(values).max(axis=0), values.std(axis=0)
    wrong = ~(largest <= _LARGEST) | (vary & (deviation < _LEAST) & (deviation > 1e-12 * largest))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"a network cannot take the polynomial {names[first]!r}: it computes in float32",
            where=where,
            expected=f"values up to {_LARGEST:g} that vary by {_LEAST:g} or more, or are constant",
            found=f"up to {largest[first]:.3g}, standard deviation {deviation[first]:.3g}",
            fix="choose other exponents",
        )
    return values.astype(np.float32)
