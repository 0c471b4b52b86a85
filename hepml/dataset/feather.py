"""The files of the published study: a feather file for each column and split, with the labels beside it.

    DIR/<split>/<name>.feather      columns `features` and `targets`

They take an open for each column of each split, where efps.h5 takes one; they are for programs that read them already.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepml.dataset.efps import EFPFile
from hepml.dataset.layout import SPLITS
from hepml.dataset.output import check_own
from hepml.dataset.reader import Dataset
from hepml.errors import MissingExtraError
from hepml.ledger import atomic_folder, check_not_input

__all__ = ["FEATHERS", "require_feather", "write_feather"]

FEATHERS = tuple(f"{split}/*.feather" for split in SPLITS)
_COLUMNS = 64  # that are in memory together


def require_feather() -> Any:
    """The library that writes feather files.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.feather
    except ImportError as error:
        raise MissingExtraError(
            "feather files need pyarrow", found=error, fix="pip install 'hepml[feather]'"
        ) from error
    return pa


def write_feather(
    efps: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Writes every column of an efps.h5, those that equal another by definition too, as the reference's files.

    Args:
        efps: the file.
        data: the data file that it was made from, for the labels.
        output: the folder, which appears with all files or not at all.
        overwrite: replace an existing folder.
        progress: called with the folder, the files just written, and their number in all.

    Returns:
        How many files were written.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: the polynomials are those of other data.
        OutputError: the folder exists (with `overwrite`: and holds other files), or cannot be written.

    Example:
        >>> write_feather("efps.h5", "data.h5", "data/efp")  # doctest: +SKIP
        45810
    """
    pa = require_feather()
    file, dataset = EFPFile.open(efps), Dataset.open(data)
    file.check_data(dataset.checksum, data)
    check_not_input(output, [efps, data])
    check_own(output, FEATHERS)
    stored: dict[str, list[str]] = {name: [name] for name in file.names}
    for name, same in file.aliases.items():
        stored[same].append(name)
    total = len(file.splits) * sum(map(len, stored.values()))
    with atomic_folder(output, overwrite) as folder:
        for split in file.splits:
            (folder / split).mkdir()
            targets = dataset.y(split)
            for start in range(0, len(file.names), _COLUMNS):
                names = file.names[start : start + _COLUMNS]
                written = 0
                for name, values in zip(names, file.columns(names, split).T, strict=True):
                    table = pa.table({"features": values.astype(file.dtype), "targets": targets})
                    for same in stored[name]:
                        pa.feather.write_feather(table, str(folder / split / f"{same}.feather"))
                    written += len(stored[name])
                if progress is not None:
                    progress(str(output), written, total)
    return total
