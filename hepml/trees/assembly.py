"""From the columns of a chunk to towers and objects: units, directions, selections, shares of a tower."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.layouts import Block
from hepml.trees.columns import Columns
from hepml.trees.events import Objects, Towers

__all__ = ["objects_of", "towers_of"]

Values = dict[str, NDArray[np.float64]]


def towers_of(chunk: Columns, block: Block, names: Mapping[str, str]) -> Towers:
    """The towers of one calorimeter, in GeV and radians; what is not stored is computed from what is."""
    offsets, columns, _ = _columns(chunk, block, names)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        _add_direction(columns)
        if "et" not in columns:
            columns["et"] = columns["e"] / chunk.cosh(columns["eta"])
        if "e" not in columns:
            columns["e"] = columns["et"] * chunk.cosh(columns["eta"])
        if "part" in columns:
            share = columns["part"] / columns["e"]
            columns["et"] = np.where(columns["e"] == 0, 0.0, columns["et"] * share)
            columns["e"] = columns.pop("part")
            offsets, columns = _keep(offsets, columns, columns["e"] != 0)
    edges = columns.get("edges")
    sides = [columns.get(key) for key in ("eta_lo", "eta_hi", "phi_lo", "phi_hi")]
    if edges is None and all(side is not None for side in sides):
        edges = np.stack([side for side in sides if side is not None], axis=1)
    return Towers(offsets, columns["et"], columns["e"], columns["eta"], columns["phi"], edges)


def objects_of(chunk: Columns, block: Block, names: Mapping[str, str]) -> Objects:
    """A collection of objects, in GeV and radians."""
    offsets, columns, fields = _columns(chunk, block, names)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        _add_direction(columns)
        if "pt" not in columns:
            columns["pt"] = columns["e"] / chunk.cosh(columns["eta"])
    return Objects(offsets, columns["pt"], columns["eta"], columns["phi"], fields)


def _columns(
    chunk: Columns, block: Block, names: Mapping[str, str]
) -> tuple[NDArray[np.int64], Values, dict[str, NDArray[np.generic]]]:
    """Every column of a collection with common offsets, after the units and the selection."""
    offsets: NDArray[np.int64] | None = None
    reference = ""
    columns: Values = {}
    fields: dict[str, NDArray[np.generic]] = {}
    keep: NDArray[np.bool_] | None = None
    for key, branch in names.items():
        if key == "index":
            continue
        width = 4 if key == "edges" else 0
        own = chunk.offsets(branch, width)
        if offsets is None:
            offsets, reference = own, branch
        elif own is not offsets and not np.array_equal(own, offsets):
            _refuse_lengths(chunk, (reference, branch), offsets, own)
        if key == "where":
            assert block.where is not None
            values = chunk.values(branch)
            keep = np.isin(np.abs(values) if block.where.absolute else values, block.where.values)
        elif key.startswith("fields."):
            values = chunk.values(branch)
            fields[key.removeprefix("fields.")] = values.astype(values.dtype.newbyteorder("="))
        else:
            columns[key] = chunk.numbers(branch, width, _factor(key, block))
    assert offsets is not None
    if "index" in names:
        new, rows = _positions(chunk, names["index"], offsets)
        columns = {key: values[rows] for key, values in columns.items()}
        fields = {key: values[rows] for key, values in fields.items()}
        offsets, keep = new, None if keep is None else keep[rows]
    if keep is not None:
        kept_offsets, columns = _keep(offsets, columns, keep)
        fields = {key: values[keep] for key, values in fields.items()}
        offsets = kept_offsets
    return offsets, columns, fields


def _positions(chunk: Columns, branch: str, offsets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of the subset, and the rows of the collection that it takes."""
    new, index = chunk.offsets(branch), chunk.values(branch)
    event = np.repeat(np.arange(len(new) - 1), np.diff(new))
    rows = index.astype(np.int64) + offsets[event]
    bad = (rows < offsets[event]) | (rows >= offsets[event + 1])
    if bad.any():
        raise DataError(
            f"the branch {branch!r} points outside its collection",
            where=f"{chunk.tree.where}, entry {chunk.first + int(event[np.argmax(bad)])}",
            found=int(index[np.argmax(bad)]),
        )
    return new, rows


def _factor(key: str, block: Block) -> float | tuple[float, ...] | None:
    """What brings a column to GeV and radians; None where it is in them."""
    if key in ("et", "e", "part", "pt", "px", "py", "pz"):
        return None if block.energy == 1 else block.energy
    if block.angle == 1:
        return None
    if key == "edges":
        return 1.0, 1.0, block.angle, block.angle
    return block.angle if key in ("phi", "phi_lo", "phi_hi") else None


def _keep(offsets: NDArray[np.int64], columns: Values, keep: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Values]:
    before = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
    return before[offsets], {key: values[keep] for key, values in columns.items()}


def _add_direction(columns: Values) -> None:
    """Eta and phi from momenta or positions, pt and e from momenta, where they are not stored."""
    if "eta" in columns and "phi" in columns:
        return
    x, y, z = (columns[key] for key in (("px", "py", "pz") if "px" in columns else ("x", "y", "z")))
    transverse = np.hypot(x, y)
    columns["eta"] = np.arcsinh(z / transverse)
    columns["phi"] = np.arctan2(y, x)
    if "px" in columns:
        columns.setdefault("pt", transverse)
        columns.setdefault("e", np.hypot(transverse, z))


def _refuse_lengths(
    chunk: Columns, branches: tuple[str, str], offsets: NDArray[np.int64], own: NDArray[np.int64]
) -> None:
    one, other = branches
    a, b = np.diff(offsets), np.diff(own)
    entry = int(np.argmax(a != b))
    raise DataError(
        "two branches of one collection have different lengths",
        where=f"{chunk.tree.where}, entry {chunk.first + entry}",
        expected=f"as many values in {other!r} as in {one!r}, which has {a[entry]}",
        found=f"{b[entry]} values",
        fix="name branches of one collection in the layout",
    )
