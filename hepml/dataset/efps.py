"""What `hepml efp` writes: the energy-flow polynomials of a data file, a column each, read by name.

et ht / <split>        (rows, columns) float64 or float32; the rows are those of the data file, in its order
attributes of et, ht   columns: their names, as JSON text
attributes of the file format, data_sha256, aliases, provenance, content_sha256; not_finite, where there are such values
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.checksum import damages
from hepml.dataset.guard import checked, guarded, has_own, open_hdf5
from hepml.dataset.layout import SPLITS, check_split
from hepml.dataset.shape import check_shape
from hepml.errors import DataError, InputFileError, VerificationError, check_names, check_path, nearest

__all__ = ["CHUNK", "EFPS_FORMAT", "EFPFile", "is_efp_file"]

EFPS_FORMAT, EFPS_FORMAT_VERSION = "hepml-efps", 1
GROUPS = ("et", "ht")
CHUNK = (1024, 8)  # rows and columns that lie together: 64 kB
_AGAIN = "write it again with hepml efp"
_PROVENANCE = {
    "code": {"version": str},
    "config": {"graphs": [str], "kappa": list, "beta": list, "calorimeters": [str], "splits": [str], "dtype": str},
    "config_hash": str,
    "input": {"name": str, "size": int, "sha256": str, "content_sha256": str},
}


class EFPFile:
    """An efps.h5. Nothing is kept in memory but the names; columns are read when they are asked for.

    Attributes:
        path: the file.
        names: of the stored columns, no two of which are equal by definition; `efp_positions` count in it.
        aliases: name -> the stored column that it equals by definition.
        splits: which of train, valid and test it holds.
        dtype: of the stored values.
        data_sha256: content checksum of the data file that it was made from.
        provenance: that file with its checksum, code, configuration.
        checksum: SHA-256 of the content.
        not_finite: column -> how many of its values are NaN or infinite, where any are.

    Example:
        >>> efps = EFPFile.open("efps.h5")  # doctest: +SKIP
        >>> efps.column("et_efp_2_1_0_k_1_b_1", "test").shape  # doctest: +SKIP
        (7718,)
    """

    def __init__(self, path: str | Path, found: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.aliases: dict[str, str] = found["aliases"]
        self.splits: tuple[str, ...] = tuple(found["sizes"])
        self.dtype = np.dtype(found["provenance"]["config"]["dtype"])
        self.data_sha256: str = found["data_sha256"]
        self.provenance: dict[str, Any] = found["provenance"]
        self.checksum: str = found["content_sha256"]
        self.not_finite: dict[str, int] = found["not_finite"]
        self._sizes: dict[str, int] = found["sizes"]
        self._columns: dict[str, list[str]] = found["columns"]
        self.names: tuple[str, ...] = tuple(name for names in self._columns.values() for name in names)
        self._place = {name: (key, k) for key, names in self._columns.items() for k, name in enumerate(names)}

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> EFPFile:
        """Opens a file that `hepml efp` wrote.

        Args:
            verify: compare every data set with its stored checksum.

        Raises:
            DataError: not a path.
            InputFileError: absent, not HDF5, another file, truncated, or written by a newer hepml.
            VerificationError: `verify` found data that do not agree with their checksum.
        """
        with open_hdf5(check_path(path), fix=_AGAIN) as file:
            if file.attrs.get("format") != EFPS_FORMAT:
                raise InputFileError(
                    "an HDF5 file, but not one of hepml's files of polynomials",
                    where=path,
                    expected=f"attribute format = {EFPS_FORMAT!r}",
                    found=repr(file.attrs.get("format")),
                    fix="write it with hepml efp",
                )
            version = int(file.attrs["format_version"])
            if version > EFPS_FORMAT_VERSION:
                raise InputFileError(
                    "a file of polynomials of a newer hepml",
                    where=path,
                    expected=f"format_version {EFPS_FORMAT_VERSION}",
                    found=version,
                    fix="update hepml",
                )
            if verify and (broken := damages(path)):
                raise VerificationError(
                    "the file does not agree with its checksums",
                    where=path,
                    found="damaged: " + ", ".join(broken),
                    fix=_AGAIN,
                )
            return cls(path, _content(file))

    def n(self, split: str) -> int:
        """Rows of a split.

        Raises:
            DataError: no such split, or the file was written without it.
        """
        check_split(split)
        if split not in self._sizes:
            raise DataError("the file was written without this split", where=self.path, found=split, fix=_AGAIN)
        return self._sizes[split]

    def column(self, name: str, split: str) -> NDArray[np.float64]:
        """One column of a split, float64, (n,); raises as `columns`."""
        return self.columns([name], split)[:, 0]

    def columns(self, names: str | Sequence[str], split: str, rows: int | None = None) -> NDArray[np.float64]:
        """Some columns of a split, float64, (n, columns), in the order of the names; those of `aliases` too.

        Args:
            names: of the columns.
            split: train, valid or test.
            rows: the first so many; None for all.

        Raises:
            DataError: no such column or split; the nearest names are listed.
            InputFileError: the file was replaced or is damaged.
        """
        wanted = [self._place[self.resolve(name)] for name in check_names("names", names)]
        n = self.n(split)
        values = np.empty((n if rows is None else min(max(rows, 0), n), len(wanted)))
        with open_hdf5(self.path, fix=_AGAIN) as file:
            if file.attrs.get("content_sha256") != self.checksum:
                raise InputFileError("the file was replaced while it was used", where=self.path)
            for key, stored in self._columns.items():
                node = checked(file, f"{key}/{split}", self.dtype, (n, len(stored)))
                places = np.array([k for group, k in wanted if group == key], dtype=np.int64)
                into = np.array([number for number, (group, _) in enumerate(wanted) if group == key], dtype=np.int64)
                for chunk in np.unique(places // CHUNK[1]):  # what lies together is read together
                    mine = places // CHUNK[1] == chunk
                    first, last = places[mine].min(), places[mine].max() + 1
                    values[:, into[mine]] = node[: len(values), first:last][:, places[mine] - first]
        return values

    def resolve(self, name: str) -> str:
        """The stored column of a name.

        Raises:
            DataError: there is none.
        """
        stored = self.aliases.get(name, name)
        if stored not in self._place:
            raise DataError(
                f"the file holds no column {name!r}",
                where=self.path,
                expected=f"one of {len(self.names)} names, as {self.names[0]}",
                nearest=nearest(str(name), self.names),
            )
        return stored

    def at(self, positions: Iterable[int]) -> tuple[str, ...]:
        """The names at some positions.

        Raises:
            DataError: beyond the last, or twice the same.

        Example:
            >>> EFPFile.open("efps.h5").at((0, 5))  # doctest: +SKIP
            ('et_efp_1_0_0_k_-1_b_0.5', 'et_efp_2_1_0_k_-1_b_0.5')
        """
        chosen = [*positions]
        for one in chosen:
            if isinstance(one, bool) or not isinstance(one, int | np.integer) or not 0 <= one < len(self.names):
                raise DataError(
                    f"the file has no column at position {one!r}",
                    where=self.path,
                    expected=f"whole numbers from 0 to {len(self.names) - 1}",
                )
        if len(set(chosen)) < len(chosen):
            raise DataError("a position is given twice", where=self.path, found=", ".join(map(str, chosen)))
        return tuple(self.names[one] for one in chosen)

    def check_data(self, checksum: str, path: object) -> None:
        """Raises DataError unless the file was made from the data of this content checksum."""
        if checksum != self.data_sha256:
            raise DataError(
                "the polynomials are those of other data",
                where=self.path,
                expected=f"made from {path}, content {checksum[:12]}",
                found=f"made from {self.provenance['input']['name']}, content {self.data_sha256[:12]}",
                fix="make them of this file: hepml efp",
            )

    def __repr__(self) -> str:
        sizes = " + ".join(str(self._sizes[split]) for split in self.splits)
        return f"<hepml.EFPFile {str(self.path)!r}: {sizes} candidates, {len(self.names)} columns>"


def is_efp_file(path: str | Path) -> bool:
    """Whether an HDF5 file says that it is one of polynomials; False for what cannot be opened."""
    try:
        with open_hdf5(path) as file:
            return bool(file.attrs.get("format") == EFPS_FORMAT)
    except InputFileError:
        return False


def _content(file: Any) -> dict[str, Any]:
    """Attributes, read and checked, and rows by split."""
    found = {key: file.attrs[key] for key in ("data_sha256", "content_sha256")}
    for key in ("aliases", "provenance"):
        found[key] = json.loads(file.attrs[key])
    found["not_finite"] = json.loads(file.attrs.get("not_finite", "{}"))
    found["columns"] = {key: json.loads(file[key].attrs["columns"]) for key in GROUPS if has_own(file, key)}
    shape = {"data_sha256": str, "content_sha256": str, "aliases": {str: str}, "columns": {str: [str]}}
    shape["not_finite"] = {str: int}
    check_shape(found, {**shape, "provenance": _PROVENANCE}, "attributes")
    for key in ("data_sha256", "content_sha256"):
        if re.fullmatch("[0-9a-f]{64}", found[key]) is None:
            raise ValueError(f"attributes.{key} is no checksum")
    if found["provenance"]["config"]["dtype"] not in ("float32", "float64"):
        raise ValueError("attributes.provenance.config.dtype is no type of values")
    splits = found["provenance"]["config"]["splits"]
    names = [name for names in found["columns"].values() for name in names]
    if not names or len({*names}) < len(names) or not {*splits} <= {*SPLITS} or not splits:
        raise ValueError("no columns, two of one name, or splits that do not exist")
    if lost := [name for name, stored in found["aliases"].items() if stored not in {*names} or name in {*names}]:
        raise ValueError(f"attributes.aliases names a column that is not there, or is itself one: {lost[0][:80]}")
    first = next(iter(found["columns"]))
    found["sizes"] = {split: len(guarded(file, f"{first}/{split}")) for split in SPLITS if split in splits}
    return found
