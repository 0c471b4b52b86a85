"""From the arrays of a chunk to Events: which branches are read, and how they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, MissingBranchError, check_names, nearest
from hepml.layouts import Binding, Column, Layout, bind
from hepml.trees.assembly import objects_of, towers_of
from hepml.trees.columns import Columns, Tree, widened
from hepml.trees.events import Events, Objects, Towers

__all__ = ["Request", "assemble", "branches_to_read", "named"]


@dataclass(frozen=True)
class Request:
    """What is to be read beside the layout's towers: which collections, and branches named by the caller."""

    collections: frozenset[str] | None
    columns: tuple[str, ...]

    @classmethod
    def of(cls, collections: object, columns: object) -> Request:
        """From the caller's options, a name or several each. Raises DataError for anything else."""
        chosen = None if collections is None else frozenset(check_names("collections", collections))
        return cls(chosen, check_names("columns", columns))

    def wants(self, key: str) -> bool:
        """Whether a block of a layout, "towers.ecal" or "objects.jet", is to be read."""
        kind, name = key.split(".", 1)
        return kind == "towers" or self.collections is None or name in self.collections


def branches_to_read(data: Tree, binding: Binding, request: Request) -> list[str]:
    """Every branch to read, checked for its type."""
    if request.collections is not None:
        unknown = sorted(request.collections - set(binding.layout.objects))
        if unknown:
            raise DataError(
                f"the layout {binding.layout.name!r} has no collection {unknown[0]!r}",
                expected=", ".join(binding.layout.objects),
                nearest=nearest(unknown[0], binding.layout.objects),
            )
    names = [name for key, block in binding.blocks.items() if request.wants(key) for name in block.values()]
    names = list(dict.fromkeys([*names, *binding.event.values(), *_extra(data, request).values()]))
    data.check(names)
    return names


def _extra(data: Tree, request: Request) -> dict[str, str]:
    return named(data, {name: name for name in request.columns}, "columns= or, in a samples file, target:")


def named(data: Tree, names: Mapping[str, str], option: str | None = None) -> dict[str, str]:
    """The branches that the caller, not the layout, names, by key.

    Args:
        option: where they were named; the key itself if None.

    Raises:
        MissingBranchError: the tree has no such branch.
        DataError: not a name.
    """
    if not names:
        return {}
    columns = {key: Column(check_names(key, name)) for key, name in names.items()}
    binding = bind(Layout("", "", event=columns), data.names())
    for missing in binding.missing:
        key = missing.place.removeprefix("event.")
        place = option or f"{key}= or, in a samples file, {key}:"
        raise MissingBranchError(
            f"the branch {missing.names[0]!r} is not in the tree",
            where=data.where,
            expected=f"the branch that you named with {place}",
            nearest=missing.nearest,
            fix=f"see `hepml inspect --branches {data.path}`",
        )
    return dict(binding.event)


def assemble(
    data: Tree,
    binding: Binding,
    request: Request,
    sample: str,
    chunk: tuple[int, int, Columns | None],
) -> Events:
    """The events of one chunk: first entry, last entry + 1, columns (None: no entries were read)."""
    layout, (first, last, read) = binding.layout, chunk
    n = last - first
    towers = {"ecal": Towers.empty(n), "hcal": Towers.empty(n)}
    objects: dict[str, Objects] = {}
    for key, names in binding.blocks.items():
        kind, name = key.split(".", 1)
        if not request.wants(key):
            continue
        if read is None:
            if kind == "objects":
                nothing = np.zeros(0)
                objects[name] = Objects(np.zeros(n + 1, np.int64), nothing, nothing, nothing)
        elif kind == "towers":
            towers[name] = towers_of(read, layout.towers[name], names)
        else:
            objects[name] = objects_of(read, layout.objects[name], names)

    def numbers(branch: str | None) -> NDArray[np.float64] | None:
        if branch is None:
            return None
        return np.zeros(0) if read is None else widened(read.scalar(branch))

    def integers(key: str) -> NDArray[np.int64] | None:
        branch = binding.event.get(key)
        if branch is None:
            return None
        values = np.zeros(0, np.int64) if read is None else read.scalar(branch)
        if values.dtype.kind not in "iu":
            raise DataError(
                f"the branch {branch!r} ({key}) does not hold integers", where=data.where, found=str(values.dtype)
            )
        return values.astype(np.int64)

    weight = numbers(binding.event.get("weight"))
    run, lumi, event = (integers(key) for key in ("run", "lumi", "event"))
    whole = run is not None and lumi is not None and event is not None
    columns = {name: numbers(branch) for name, branch in _extra(data, request).items()}
    return Events(
        path=data.path,
        tree=data.name,
        layout=layout.name,
        entry=np.arange(first, last, dtype=np.int64),
        ecal=towers["ecal"],
        hcal=towers["hcal"],
        objects=objects,
        weight=np.ones(n) if weight is None else weight,
        run=run if whole else None,
        lumi=lumi if whole else None,
        event=event if whole else None,
        group=integers("group"),
        pileup=numbers(binding.event.get("pileup")),
        columns={name: values for name, values in columns.items() if values is not None},
        sample=sample,
        geometry=layout.geometry,
    )
