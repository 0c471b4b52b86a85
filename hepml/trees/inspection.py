"""What is in a file: trees, branches, which layouts fit, what is missing, how many towers and electrons, how fine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hepml.geometry import Grid
from hepml.layouts import Binding, Layout, bind, layout_names, load_layout
from hepml.trees.assembly import objects_of
from hepml.trees.columns import Columns, Tree
from hepml.trees.events import Events, Towers
from hepml.trees.files import Source, choose_tree, list_trees, one_file, open_file, reading
from hepml.trees.placing import place_towers
from hepml.trees.reading import open_events

__all__ = ["Content", "FileReport", "Fit", "ObjectCount", "TowerSummary", "TreeReport", "inspect_file", "object_counts"]


@dataclass(frozen=True)
class Fit:
    """How a layout fits a tree.

    Attributes:
        layout: its name.
        fits: whether nothing is missing.
        missing: (place in the layout, names looked for, nearest names in the tree).
        absent: optional collections that the tree lacks.
        unsplit: branches that hold whole objects, which uproot cannot turn into arrays.
    """

    layout: str
    fits: bool
    missing: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    absent: tuple[str, ...]
    unsplit: tuple[str, ...]


@dataclass(frozen=True)
class TowerSummary:
    """The towers of one calorimeter in the events looked at.

    Attributes:
        towers, per_event: number of towers, and mean number in an event.
        not_finite: towers with a NaN or infinite value.
        cells: sizes found from the cells' edges: (eta width, phi width, share of the towers), most frequent first.
        grid: the layout's grid, in words.
        outside: share of the towers beyond the grid's range in eta, None if no edges are stored.
        nested: share of the others that lie in one of its cells, as candidates place them, None if no edges are stored.
    """

    towers: int
    per_event: float
    not_finite: int
    cells: tuple[tuple[float, float, float], ...]
    grid: str
    outside: float | None
    nested: float | None


@dataclass(frozen=True)
class ObjectCount:
    """Objects of a collection in the whole tree: their number, and the number of events with none, one, two, ..."""

    total: int
    events_with: int
    multiplicity: tuple[int, ...]


@dataclass(frozen=True)
class Content:
    """What a layout reads from the tree.

    Attributes:
        layout: its name.
        sample: content checksum (hex).
        looked_at: entries whose towers were read.
        towers: "ecal" and "hcal".
        objects: counts of every collection but tracks and generator particles, over the whole tree.
    """

    layout: str
    sample: str
    looked_at: int
    towers: dict[str, TowerSummary]
    objects: dict[str, ObjectCount]


@dataclass(frozen=True)
class TreeReport:
    """One tree: its branches (name, type), how the layouts fit, and what the first that fits reads."""

    name: str
    kind: str
    entries: int
    branches: tuple[tuple[str, str], ...]
    fits: tuple[Fit, ...]
    content: Content | None = None


@dataclass(frozen=True)
class FileReport:
    """A file and its trees."""

    path: str
    size: int
    trees: tuple[TreeReport, ...] = field(default_factory=tuple)


def inspect_file(
    path: str | os.PathLike[str] | Source, *, layout: str | Path | Layout | None = None, max_entries: int = 10_000
) -> FileReport:
    """What is in a ROOT file.

    Args:
        path: the file, or "file.root:tree" for one of its trees.
        layout: try this one only; default: all that hepml ships.
        max_entries: towers are read from so many entries at most; objects are counted in all.

    Raises:
        InputFileError: absent, not a ROOT file, truncated or damaged, or without a tree.
        DataError: several files.

    Example:
        >>> from importlib.resources import files
        >>> report = inspect_file(files("hepml") / "data" / "sample_electrons.root")
        >>> report.trees[0].content.objects["electron"].total
        3476
    """
    source = one_file(path)
    layouts = [load_layout(name) for name in ((layout,) if layout is not None else layout_names())]
    reports = []
    with open_file(source) as file:
        kinds = list_trees(file, source.path)
        if source.tree is not None or not kinds:
            kinds = {name: kinds[name] for name in (choose_tree(file, source.path, source.tree),)}
        for name, kind in kinds.items():
            with reading(source.path, f"the tree {name!r}"):
                tree = Tree(file[name], source.path, name)
            reports.append(_tree(tree, kind, layouts, max_entries))
    size = 0 if source.remote else os.path.getsize(source.path)
    return FileReport(source.path, size, tuple(reports))


def _tree(tree: Tree, kind: str, layouts: Sequence[Layout], max_entries: int) -> TreeReport:
    names = tree.names()
    bindings = [bind(layout, names) for layout in layouts]
    best = next((binding for binding in bindings if binding.fits), None)
    return TreeReport(
        name=tree.name,
        kind=kind,
        entries=tree.n_entries,
        branches=tuple((name, tree.typename(name)) for name in names),
        fits=tuple(_fit(tree, binding) for binding in bindings),
        content=None if best is None else _content(tree, best, max_entries),
    )


def _fit(tree: Tree, binding: Binding) -> Fit:
    unsplit = (tree.unsplit(name) for missing in binding.missing for name in missing.names)
    return Fit(
        layout=binding.layout.name,
        fits=binding.fits,
        missing=tuple((item.place, item.names, item.nearest) for item in binding.missing),
        absent=tuple(place.split(".", 1)[1] for place in binding.absent),
        unsplit=tuple(dict.fromkeys(name for name in unsplit if name)),
    )


def _content(tree: Tree, binding: Binding, max_entries: int) -> Content:
    events = open_events(Source(tree.path, tree.name), layout=binding.layout, entry_stop=max_entries, collections=())
    grids = {"ecal": binding.layout.geometry.ecal, "hcal": binding.layout.geometry.hcal}
    towers = {name: _towers(events, getattr(events, name), grids[name]) for name in binding.layout.towers}
    return Content(binding.layout.name, events.sample, len(events), towers, object_counts(tree, binding))


def object_counts(tree: Tree, binding: Binding) -> dict[str, ObjectCount]:
    """Objects of each collection over the whole tree, counted from one branch each if no selection needs more."""
    branches: dict[str, dict[str, str]] = {}
    for place, names in binding.blocks.items():
        kind, name = place.split(".", 1)
        if kind == "objects" and name not in ("track", "particle"):
            selected = "where" in names or "index" in names
            branches[name] = dict(names) if selected else dict([next(iter(names.items()))])
    read = list(dict.fromkeys(branch for names in branches.values() for branch in names.values()))
    tree.check(read)
    histograms = {name: np.zeros(1, np.int64) for name in branches}
    for first, _, arrays in tree.iterate(read, "50 MB", 0, tree.n_entries):
        for name, names in branches.items():
            if len(names) == 1:
                branch = next(iter(names.values()))
                counts = np.diff(tree.jagged(branch, arrays[branch])[0])
            else:
                counts = objects_of(Columns(tree, arrays, first), binding.layout.objects[name], names).counts
            new = np.bincount(counts)
            size = max(len(new), len(histograms[name]))
            histograms[name] = np.pad(histograms[name], (0, size - len(histograms[name]))) + np.pad(
                new, (0, size - len(new))
            )
    return {
        name: ObjectCount(
            int(np.arange(len(counts)) @ counts), int(counts[1:].sum()), tuple(int(number) for number in counts)
        )
        for name, counts in histograms.items()
    }


def _towers(events: Events, towers: Towers, grid: Grid) -> TowerSummary:
    finite = np.isfinite(towers.et) & np.isfinite(towers.e) & np.isfinite(towers.eta) & np.isfinite(towers.phi)
    cells: list[tuple[float, float, float]] = []
    outside = nested = None
    if towers.edges is not None and len(towers):
        widths = np.stack([towers.edges[:, 1] - towers.edges[:, 0], _phi_width(towers.edges)], axis=1)
        _, kind, counts = np.unique(np.round(widths, 4), axis=0, return_inverse=True, return_counts=True)
        means = np.stack([np.bincount(kind.ravel(), widths[:, axis]) for axis in (0, 1)], axis=1) / counts[:, None]
        order = np.argsort(-counts, kind="stable")[:6]
        cells = [(float(means[i, 0]), float(means[i, 1]), float(counts[i] / len(towers))) for i in order]
        placed = place_towers(towers, grid)
        outside = placed["outside"] / len(towers)
        nested = 1 - placed["shared"] / max(len(towers) - placed["outside"], 1)
    return TowerSummary(
        towers=len(towers),
        per_event=len(towers) / max(len(events), 1),
        not_finite=int((~finite).sum()),
        cells=tuple(cells),
        grid=grid.describe(),
        outside=outside,
        nested=nested,
    )


def _phi_width(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.mod(edges[:, 3] - edges[:, 2], 2 * np.pi), dtype=np.float64)
