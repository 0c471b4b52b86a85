"""Copy the entries that are kept into a new tree: every branch of numbers, of one file or of many.

The new tree has separate arrays (`ECalTowers_ET`, with `nECalTowers`), which the layouts read as they read the
original. Fixed-size arrays per object become numbered branches (`ECalTowers_Edges_0` to `_3`). Branches that hold
objects, such as references, are left out and named; so is TObject's `fBits`, whose entries vary in length.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import MissingBranchError
from hepml.layouts import Layout
from hepml.layouts.binding import plain
from hepml.ledger import atomic_path, check_not_input, check_output, check_unchanged, file_state
from hepml.stages import stage
from hepml.trees.checksum import sample_checksum
from hepml.trees.chunk import Request, assemble, branches_to_read
from hepml.trees.columns import Columns, Tree
from hepml.trees.events import Events
from hepml.trees.files import Source, expand_files, reading
from hepml.trees.reading import in_attempts, opened

__all__ = ["Skim", "skim"]

log = logging.getLogger("hepml")
Files = str | PathLike[str] | Source | Iterable[str | PathLike[str] | Source]


@dataclass(frozen=True)
class Skim:
    """What was copied: entries read and written, branches copied and left out."""

    read: int
    written: int
    branches: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Branch:
    """One branch of the output: where it comes from, and its place: a group with a common length, or none."""

    source: str
    group: str | None
    name: str
    dtype: str
    jagged: bool = True
    width: int = 0


def skim(
    files: Files,
    output: str | Path,
    keep: Callable[[Events], NDArray[np.bool_]],
    *,
    layout: str | Path | Layout | None = None,
    tree: str | None = None,
    step_size: int | str = "100 MB",
    overwrite: bool = False,
) -> Skim:
    """Write the entries for which `keep` is true into one tree, in the order of reading.

    Args:
        files: a file, a glob, "file.root:tree", or a list of these; all must hold the branches of the first.
        output: the ROOT file; it appears when it is complete.
        keep: takes Events, returns booleans, shape (n_events,).
        layout, tree, step_size: as for `iterate_events`.
        overwrite: replace an existing file.

    Returns:
        Counts and branches; a tree without entries if nothing is kept.

    Raises:
        InputFileError, MissingBranchError, DataError: as `iterate_events` does, before anything is written if a branch
            is missing in a later file.
        OutputError: the output exists or cannot be written.
    """
    import uproot

    sources = expand_files(files)
    own = [] if layout is None or isinstance(layout, Layout) else [layout]
    check_not_input(output, [*own, *(source.path for source in sources)])
    check_output(output, overwrite)
    plan, left_out, name = _plan(sources, layout, tree)
    n_read = n_written = 0
    with atomic_path(output, overwrite) as temporary, uproot.recreate(temporary) as file:
        new: Any = None
        for source in sources:
            if new is None:
                new = file.mktree(name, _types(plan), title="written by hepml skim")
            state = None if source.remote else file_state(source.path)
            chunks = partial(_chunks, source, (layout, tree), plan, step_size)
            for events, arrays in in_attempts(source.path, chunks, lambda chunk: chunk[0]):
                stage("chunk", f"{source.path}, {len(events)} entries")
                mask = np.asarray(keep(events), dtype=np.bool_)
                n_read += len(mask)
                n_written += int(mask.sum())
                if mask.any():
                    with reading(source.path, "what is to be copied"):
                        kept = _columns(source.path, plan, {key: array[mask] for key, array in arrays.items()})
                    new.extend(kept)
            if state is not None:
                check_unchanged(source.path, state)
    for branch in left_out:
        log.info("left out: %s", branch)
    return Skim(n_read, n_written, tuple(branch.source for branch in plan), tuple(left_out))


def _plan(
    sources: list[Source], layout: str | Path | Layout | None, tree: str | None
) -> tuple[list[_Branch], list[str], str]:
    """The branches to copy, by the first file; all others are checked for them."""
    plan: list[_Branch] = []
    left_out: list[str] = []
    name = ""
    for number, source in enumerate(sources):
        with opened(source, layout, tree) as (data, binding):
            branches_to_read(data, binding, Request(None, ()))
            names = data.names()
            if number == 0:
                name = data.name
                plan, left_out = _copied(data, names)
                continue
            missing = [branch.source for branch in plan if branch.source not in names]
            if missing:
                raise MissingBranchError(
                    f"the branch {missing[0]!r} of the first file is not in the tree",
                    where=data.where,
                    expected=f"the branches of {sources[0].path}",
                )
    return plan, left_out, name


def _copied(data: Tree, names: list[str]) -> tuple[list[_Branch], list[str]]:
    """The branches of numbers, and the others; counters and parents are neither, they are made again."""
    parents = {name.rpartition(mark)[0] for name in names for mark in "/." if mark in name}
    types = {name: data.numeric(name) for name in names if name not in parents}
    counters = {f"n{plain(data.group(name))}" for name, (_, jagged) in types.items() if jagged}
    plan: list[_Branch] = []
    left_out: list[str] = []
    for name, (dtype, jagged) in types.items():
        last = name.rsplit("/", 1)[-1].split("[", 1)[0]
        if dtype is None or (dtype.shape and not jagged) or last.endswith("fBits"):
            left_out.append(f"{name} ({data.typename(name)})")
            continue
        kind = dtype.base.newbyteorder("=").name
        if jagged:
            group = data.group(name)
            rest = last[len(group) :].lstrip("._") if last.startswith(group) else last
            width = int(np.prod(dtype.shape)) if dtype.shape else 0
            plan.append(_Branch(name, plain(group) if rest else None, plain(rest or last), kind, True, width))
        elif name not in counters:
            plan.append(_Branch(name, None, plain(last), kind, False))
    return plan, left_out


def _chunks(
    source: Source, how: tuple[Any, ...], plan: list[_Branch], step_size: int | str, start: int
) -> Iterator[tuple[Events, Any]]:
    """The events of a file from an entry on, with the arrays to copy from."""
    request = Request(None, ())
    with opened(source, *how) as (data, binding):
        sample = sample_checksum(data, binding)
        names = list(dict.fromkeys([*branches_to_read(data, binding, request), *(branch.source for branch in plan)]))
        for first, last, arrays in data.iterate(names, step_size, start, data.n_entries, awkward=True):
            yield assemble(data, binding, request, sample, (first, last, Columns(data, arrays, first))), arrays


def _columns(path: str, plan: list[_Branch], arrays: Any) -> dict[str, Any]:
    """The columns of the output: groups of jagged arrays as records, everything else by itself."""
    import awkward as ak

    groups: dict[str, dict[str, Any]] = {}
    columns: dict[str, Any] = {}
    for branch in plan:
        array = arrays[branch.source]
        if branch.group is None:
            columns[branch.name] = array
            continue
        group = groups.setdefault(branch.group, {})
        if branch.width:
            flat = ak.flatten(array, axis=1)
            values = np.asarray(flat).reshape(len(flat), -1)
            counts = ak.num(array, axis=1)
            group.update({f"{branch.name}_{i}": ak.unflatten(values[:, i], counts) for i in range(branch.width)})
        else:
            group[branch.name] = array
    for name, group in groups.items():
        with reading(path, f"the collection {name!r}"):
            columns[name] = ak.zip(group)
    return columns


def _types(plan: list[_Branch]) -> dict[str, Any]:
    """The types of the output's columns, as `_columns` makes them."""
    from awkward.types import ListType, NumpyType, RecordType

    groups: dict[str, dict[str, Any]] = {}
    types: dict[str, Any] = {}
    for branch in plan:
        kind = NumpyType(branch.dtype)
        if branch.group is None:
            types[branch.name] = ListType(kind) if branch.jagged else kind
        else:
            names = [f"{branch.name}_{i}" for i in range(branch.width)] or [branch.name]
            groups.setdefault(branch.group, {}).update(dict.fromkeys(names, kind))
    types.update({name: ListType(RecordType(list(group.values()), list(group))) for name, group in groups.items()})
    return types
