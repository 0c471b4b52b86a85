"""Where events come from: trees of uproot, files, mappings of arrays and DataFrames, read as columns of numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hepml.errors import DataError, MissingBranchError, nearest
from hepml.trees.files import choose_tree, expand_files, open_file, reading
from tmva_bridge.expressions import Column

__all__ = ["check_source", "column_names", "read_columns"]

_WHAT = "an uproot tree, a file (file.root:tree), a mapping of arrays or a DataFrame"


def check_source(source: Any) -> Any:
    """The tree, if it is of a kind that can be read.

    Raises:
        DataError: it is not.
        InputFileError: a file that is not there.
    """
    source = getattr(source, "_source", source)  # of the objects that speak like ROOT's
    if isinstance(source, str | os.PathLike):
        expand_files(source)
    elif not (hasattr(source, "keys") or getattr(getattr(source, "dtype", None), "names", None) or _fields(source)):
        raise DataError("not a tree", expected=_WHAT, found=repr(source)[:80])
    return source


def column_names(source: Any) -> list[str]:
    """The names of the columns of a tree, in its order. Raises InputFileError for a file that cannot be read."""
    if not isinstance(source, str | os.PathLike):
        return list(dict.fromkeys(name.rpartition("/")[2] for name in _names(source)))
    one = expand_files(source)[0]
    with open_file(one) as file:
        return column_names(file[choose_tree(file, one.path, one.tree)])


def read_columns(source: Any, names: Iterable[str], where: str) -> dict[str, Column]:
    """The columns of a tree, as float64; all entries.

    Args:
        source: as `check_source` gives it.
        names: which columns; with none, one column "" of zeros tells the number of entries.
        where: the tree, for messages.

    Raises:
        MissingBranchError: a column is absent; the message lists those that are there.
        DataError: a column is no number, or has two dimensions and more; columns of different lengths.
        InputFileError: a file is absent or damaged.

    Example:
        >>> read_columns({"x": [1, 2]}, ["x"], "events")["x"].values
        array([1., 2.])
    """
    wanted = sorted(names)
    if not isinstance(source, str | os.PathLike):
        return _columns(source, wanted, where)
    parts = []
    for one in expand_files(source):
        with open_file(one) as file:
            tree = choose_tree(file, one.path, one.tree)
            parts.append(_columns(file[tree], wanted, f"{one.path}:{tree}"))
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts: list[Column]) -> Column:
    counts = [part.counts for part in parts if part.counts is not None]
    if counts and len(counts) < len(parts):
        raise DataError("a branch is an array in some of the files only")
    return Column(np.concatenate([part.values for part in parts]), np.concatenate(counts) if counts else None)


def _columns(source: Any, names: list[str], where: str) -> dict[str, Column]:
    known = _names(source)
    for name in names:
        if name not in known:
            raise MissingBranchError(
                f"no branch {name!r}",
                where=where,
                expected=", ".join(list(known)[:30]) or "branches",
                nearest=nearest(name, known),
                fix="correct the expression that reads it",
            )
    columns = {name: _column(source, known[name], f"{where}, branch {name!r}") for name in names}
    if not columns:
        first = next(iter(known.values()), None)
        entries = source.num_entries if hasattr(source, "num_entries") else 0 if first is None else len(source[first])
        return {"": Column(np.zeros(entries))}
    if len({column.entries for column in columns.values()}) > 1:
        sizes = ", ".join(f"{name} {column.entries}" for name, column in columns.items())
        raise DataError("columns of different lengths", where=where, expected="one value or list an entry", found=sizes)
    return columns


def _fields(source: Any) -> list[str]:
    return list(getattr(source, "fields", None) or [])


def _names(source: Any) -> dict[str, str]:
    """What the columns are called in expressions -> in the tree."""
    if isinstance(source, Mapping) and not hasattr(source, "num_entries"):
        keys = [str(key) for key in source]
    elif getattr(getattr(source, "dtype", None), "names", None):
        keys = list(source.dtype.names)
    elif _fields(source) and not hasattr(source, "num_entries"):
        keys = _fields(source)
    else:
        keys = [str(key) for key in source.keys()]  # noqa: SIM118
    return {key.rpartition("/")[2]: key for key in keys} | {key: key for key in keys}


def _column(source: Any, key: str, where: str) -> Column:
    import awkward as ak

    if hasattr(source, "num_entries"):
        with reading(where, "the branch"):
            array = source[key].array(library="ak")
    else:
        array = source[key]
    try:
        values = ak.Array(array if isinstance(array, ak.Array | np.ndarray) else np.asarray(array))
    except (TypeError, ValueError):  # lists of different lengths
        values = ak.Array([np.asarray(one) for one in array])
    numeric = ak.type(ak.flatten(values, axis=None)).content
    if not isinstance(numeric, ak.types.NumpyType) or np.dtype(numeric.primitive).kind not in "biuf":
        raise DataError("a branch that is no number", where=where, expected="numbers", found=str(ak.type(values)))
    if values.ndim > 2:
        raise DataError("a branch of arrays of arrays", where=where, expected="a number or a list of numbers an entry")
    if ak.any(ak.is_none(values, axis=0)) or (values.ndim == 2 and ak.any(ak.is_none(values, axis=1))):
        raise DataError("a branch with missing values", where=where, expected="numbers", fix="fill or drop them")
    values = ak.drop_none(values)
    if values.ndim == 1:
        return Column(np.asarray(values, dtype=np.float64))
    return Column(np.asarray(ak.flatten(values), dtype=np.float64), np.asarray(ak.num(values), dtype=np.int64))
