"""Tables of the columns of an efps.h5 that are enough, and of those that others stand for."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.efps import EFPFile
from hepml.dataset.output import check_own
from hepml.efp.duplicates import Duplicates, find_duplicates
from hepml.ledger import atomic_folder, check_not_input

__all__ = ["TABLES", "efp_duplicates", "write_duplicates"]

TABLES = ("uniques.csv", "duplicates.csv", "constants.csv", "split.csv", "not_finite.csv")
_COLUMNS = 64  # that are in memory together


def efp_duplicates(efps: str | Path | EFPFile, split: str = "test", events: int | None = 500) -> Duplicates:
    """The duplicates among the stored columns of a file of `hepml efp`; see `hepml.efp.duplicates`.

    Its aliases, equal by definition, are not looked at again.

    Args:
        efps: the file, or its path.
        split: of the sample.
        events: how many of its first rows; None for all.

    Raises:
        DataError: no such split, or one without rows.
        InputFileError: the file cannot be read.

    Example:
        >>> efp_duplicates("efps.h5").duplicates[:1]  # doctest: +SKIP
    """
    file = efps if isinstance(efps, EFPFile) else EFPFile.open(efps)
    return find_duplicates(_columns(file, split, events))


def _columns(file: EFPFile, split: str, events: int | None) -> Iterator[tuple[str, NDArray[Any]]]:
    for start in range(0, len(file.names), _COLUMNS):
        names = file.names[start : start + _COLUMNS]
        values = file.columns(names, split, events)
        yield from zip(names, np.ascontiguousarray(values.T), strict=True)


def write_duplicates(
    efps: str | Path, output: str | Path, split: str = "test", events: int | None = 500, *, overwrite: bool = False
) -> Duplicates:
    """Writes uniques.csv (efp), duplicates.csv (efp, same_as, relation, slope, intercept), constants.csv, split.csv,
    not_finite.csv (efp, values: how many of it are not finite).

    In duplicates.csv are also the columns that equal another by definition, with the relation "definition".

    Args:
        efps, split, events: as for `efp_duplicates`.
        output: the folder, which appears with all tables or not at all.
        overwrite: replace an existing folder.

    Raises:
        DataError, InputFileError: as `efp_duplicates`.
        OutputError: the folder exists (with `overwrite`: and holds other files), or cannot be written.

    Example:
        >>> write_duplicates("efps.h5", "tables")  # doctest: +SKIP
    """
    check_not_input(output, [efps])
    check_own(output, TABLES)
    file = EFPFile.open(efps)
    found = efp_duplicates(file, split, events)
    by_definition = [(name, same, "definition", 1.0, 0.0) for name, same in file.aliases.items()]
    tables: dict[str, tuple[tuple[str, ...], Iterable[Iterable[Any]]]] = {
        "uniques": (("efp",), ((name,) for name in found.uniques)),
        "duplicates": (
            ("efp", "same_as", "relation", "slope", "intercept"),
            [
                *by_definition,
                *((one.name, one.same_as, one.relation, one.slope, one.intercept) for one in found.duplicates),
            ],
        ),
        "constants": (("efp", "value"), found.constants.items()),
        "split": (("efp", "other"), found.split),
        "not_finite": (("efp", "values"), found.not_finite.items()),
    }
    with atomic_folder(output, overwrite) as folder:
        for name, (header, rows) in tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as table:
                csv.writer(table, lineterminator="\n").writerows([header, *rows])
    return found
