"""A figure together with the numbers it shows, and how both are written.

`save` writes three files: NAME.pdf for the paper, NAME.png for slides and pages, NAME.json with every number drawn,
in named columns with units. The same numbers give the same bytes: no file holds a date or a host.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.ledger import atomic_path
from hepml.plots.style import Style, drawing, settle

__all__ = ["Column", "FigureRecord", "Table", "save"]

FORMATS = ("pdf", "png", "json")


@dataclass(frozen=True)
class Column:
    """One named quantity of a table.

    Attributes:
        name: what it is, in the words of hepml.
        values: shape (n,), numbers or strings.
        unit: GeV, rad ...; empty if it has none.
        lower, upper: ends of the 68 % interval, shape (n,), or None.
    """

    name: str
    values: ArrayLike
    unit: str = ""
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain types; eight significant digits; nan and infinities become null."""
        record: dict[str, Any] = {"name": self.name, "unit": self.unit, "values": _numbers(self.values)}
        for key, values in (("lower", self.lower), ("upper", self.upper)):
            if values is not None:
                record[key] = _numbers(values)
        return record


@dataclass(frozen=True)
class Table:
    """Columns of equal length, and single numbers that belong to them (`facts`).

    Example:
        >>> table = Table("roc hl", [Column("signal_efficiency", [0.5, 0.9]), Column("rejection", [28.7, 8.74])])
        >>> table["rejection"]
        array([28.7 ,  8.74])
        >>> len(table)
        2
    """

    name: str
    columns: list[Column]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {column.name: np.size(np.asarray(column.values)) for column in self.columns}
        if len(set(lengths.values())) > 1:
            raise DataError(f"the columns of table {self.name!r} have different lengths", found=lengths)

    def __len__(self) -> int:
        return int(np.size(np.asarray(self.columns[0].values))) if self.columns else 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        for column in self.columns:
            if column.name == name:
                return np.asarray(column.values)
        raise DataError(
            f"table {self.name!r} has no column {name!r}", expected=", ".join(column.name for column in self.columns)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain types for JSON."""
        facts = {key: _number(value) if isinstance(value, float) else value for key, value in self.facts.items()}
        return {"name": self.name, "facts": facts, "columns": [column.to_json() for column in self.columns]}


@dataclass(frozen=True)
class FigureRecord:
    """What every plotting function returns.

    Attributes:
        figure: a matplotlib figure that pyplot does not know about.
        axes: the panels by name; "main" is always there.
        tables: the numbers drawn.
        caption: one or two sentences that say what is shown.
        style: what it was drawn with, needed again to render it.
    """

    figure: Figure
    axes: dict[str, Axes]
    tables: tuple[Table, ...]
    caption: str
    style: Style

    def __post_init__(self) -> None:
        with drawing(self.style):
            settle(self.figure)

    @property
    def table(self) -> Table:
        """The first table."""
        return self.tables[0]

    def render(self, kind: str = "png") -> bytes:
        """The bytes of the figure as "png" or "pdf", free of dates."""
        metadata: dict[str, Any] = {"Software": None} if kind == "png" else {"CreationDate": None}
        buffer = io.BytesIO()
        with drawing(self.style):
            self.figure.savefig(buffer, format=kind, metadata=metadata)
        return buffer.getvalue()

    def to_json(self, name: str) -> str:
        """The numbers as JSON text, one column a line."""
        head = {"format": "hepml-figure", "format_version": 1, "name": name, "caption": self.caption}
        lines = [json.dumps(head, ensure_ascii=False)[:-1] + ', "tables": [']
        for position, table in enumerate(self.tables):
            record = table.to_json()
            columns = record.pop("columns")
            lines.append(json.dumps(record, ensure_ascii=False)[:-1] + ', "columns": [')
            lines.append(",\n".join("  " + json.dumps(column, ensure_ascii=False) for column in columns))
            lines.append("]}" + ("," if position < len(self.tables) - 1 else ""))
        return "\n".join([*lines, "]}"]) + "\n"

    def save(self, folder: str | Path, name: str, *, overwrite: bool = True) -> list[Path]:
        """See `hepml.plots.save`."""
        return save(self, folder, name, overwrite=overwrite)

    def _repr_png_(self) -> bytes:  # notebooks show the record as its picture
        return self.render("png")


def save(record: FigureRecord, folder: str | Path, name: str, *, overwrite: bool = True) -> list[Path]:
    """Writes NAME.pdf, NAME.png and NAME.json into a folder; each is complete or absent.

    Args:
        record: from any function of `hepml.plots`.
        folder: made if absent.
        name: of the files, without suffix.
        overwrite: replace files of this name.

    Returns:
        The three paths.

    Raises:
        OutputError: a file exists and `overwrite` is off, the disk is full, the folder is read-only.
    """
    folder = Path(folder)
    if name in ("", ".", "..") or Path(name).name != name:
        raise DataError("not the name of a figure", expected="a file name without folder or suffix", found=repr(name))
    contents = {
        "pdf": record.render("pdf"),
        "png": record.render("png"),
        "json": record.to_json(name).encode(),
    }
    paths = [folder / f"{name}.{kind}" for kind in FORMATS]
    with contextlib.ExitStack() as stack:
        for path, content in zip(paths, contents.values(), strict=True):
            stack.enter_context(atomic_path(path, overwrite=overwrite)).write_bytes(content)
    return paths


def _numbers(values: ArrayLike) -> list[Any]:
    array = np.asarray(values)
    if array.dtype.kind in "biuOUS":
        return list(array.ravel().tolist())
    return [_number(value) for value in array.ravel().tolist()]


def _number(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.8g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
