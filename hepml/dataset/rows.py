"""From one file of towers to blocks of rows: candidates, images, variables, and what was cut on the way."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.candidates import LIMIT, Candidates, select_candidates
from hepml.dataset.blocks import Block
from hepml.dataset.layout import COLUMNS
from hepml.dataset.overlap import ahead
from hepml.dataset.sources import Input
from hepml.dataset.sums import exact_sum
from hepml.features import FEATURE_NAMES, MASS_NAMES, hard_selection, high_level, masses
from hepml.geometry import Geometry
from hepml.images import make_images
from hepml.trees import Events, iterate_events
from hepml.truth import TRUTH_CLASSES

__all__ = ["VARIABLES", "Options", "Rows", "events_of", "read_input", "rows_of", "select", "without"]

VARIABLES: dict[str, tuple[str, ...]] = {"hl": FEATURE_NAMES, **{token: (token,) for token in MASS_NAMES}}


@dataclass(frozen=True)
class Options:
    """How candidates are made: all that the rows depend on, beside the files. See `hepml.select_candidates`."""

    which: str = "leading"
    collection: str = "electron"
    convention: str | None = None
    preselection: str | None = None
    overlap: str = "share"
    max_eta: float | None = None
    min_pt: float | None = None
    max_towers: int | None = None
    not_finite: str = "drop"


@dataclass(frozen=True)
class Rows:
    """What one step of reading gave.

    Attributes:
        file_id: number of the file.
        block: the rows.
        cut_flow: "read", named rejections, "written"; the first is the sum of the others.
        entries: first entry and the one after the last.
        tree, layout, content, geometry: facts about the file; content is the checksum of the tree.
        sum_of_weights: of all events read whose weight is finite, as numbers that add up to it exactly.
        bad_weights: events whose weight is not; their candidates are cut as `not_finite_row`.
        towers: how many were shared between cells or lay outside of the grid; see `hepml.candidates.Candidates`.
        not_finite: column -> values of the events read that are NaN, infinite or beyond 1e30, where there are any.
        sha256: of the file; None for a URL.
    """

    file_id: int
    block: Block
    cut_flow: dict[str, int]
    entries: tuple[int, int]
    tree: str
    layout: str
    content: str
    geometry: Geometry
    sum_of_weights: list[float]
    bad_weights: int
    towers: dict[str, float]
    not_finite: dict[str, int] = field(default_factory=dict)
    sha256: str | None = None


def read_input(each: Input, options: Options, step_size: int | str = "5 MB") -> Iterator[Rows]:
    """The rows of one file, a step at a time."""
    for events in ahead(events_of(each, step_size)):
        yield rows_of(select(events, each, options), each)


def events_of(each: Input, step_size: int | str = "5 MB") -> Generator[Events]:
    """The events of one file as the rows are made from them, a step at a time."""
    sample = each.sample
    yield from iterate_events(
        each.file,
        layout=sample.layout,
        step_size=step_size,
        weight=sample.weight,
        group=sample.group,
        columns=() if sample.target is None else (sample.target,),
        collections=each.collections,
    )


def select(events: Events, each: Input, options: Options) -> Candidates:
    """The candidates of a file's events."""
    return select_candidates(events, truth=each.sample.truth is None, **options.__dict__)


def rows_of(candidates: Candidates, each: Input) -> Rows:
    """The rows of candidates of one file."""
    events = candidates.events
    finite = np.isfinite(events.weight)
    block, cut_flow = _block(events, candidates, each)
    return Rows(
        file_id=each.number,
        block=block,
        cut_flow=cut_flow,
        entries=(int(events.entry[0]), int(events.entry[-1]) + 1) if len(events) else (0, 0),
        tree=events.tree,
        layout=events.layout,
        content=events.sample,
        geometry=events.geometry,
        sum_of_weights=exact_sum(events.weight[finite].tolist()),
        bad_weights=int(np.count_nonzero(~finite)),
        towers=candidates.towers,
        not_finite=_not_finite(events, candidates),
    )


def _not_finite(events: Events, candidates: Candidates) -> dict[str, int]:
    """What events are rejected as "not_finite" for, or kept without, by column."""
    if not candidates.cut_flow["not_finite"] and not candidates.towers.get("not_finite_events"):
        return {}
    objects = events.objects[candidates.collection]
    collections = {"ecal": events.ecal, "hcal": events.hcal, candidates.collection: objects}
    names = {f"{key}.{name}": values for key, one in collections.items() for name, values in vars(one).items()}
    counts = {
        name: int(np.count_nonzero(~(np.abs(values) <= LIMIT)))
        for name, values in names.items()
        if isinstance(values, np.ndarray) and values.dtype.kind == "f"
    }
    return {name: count for name, count in counts.items() if count}


def without(rows: Rows, name: str, rejected: NDArray[np.bool_]) -> Rows:
    """Rows after a further rejection, counted in the cut flow under its name."""
    block, cut_flow = _cut(rows.block, rows.cut_flow, {name: rejected})
    return replace(rows, block=block, cut_flow=cut_flow)


def _block(events: Events, candidates: Candidates, each: Input) -> tuple[Block, dict[str, int]]:
    sample = each.sample
    images = make_images(candidates)
    flats = {"hl": high_level(images).astype(np.float32)}
    flats |= dict(zip(MASS_NAMES, masses(images).astype(np.float32).T[:, :, None].copy(), strict=True))
    n = len(candidates.row)
    columns: dict[str, Any] = {
        "identity": candidates.identity,
        "group": candidates.group,
        "entry": candidates.entry,
        "index": candidates.index,
        "file_id": np.full(n, each.number),
        "sample_id": np.full(n, each.sample_id),
        "truth": candidates.truth if sample.truth is None else np.full(n, TRUTH_CLASSES.index(sample.truth)),
        "hard": hard_selection(images),
        "weight": candidates.weight,
        "pt": candidates.pt,
        "eta": candidates.eta,
        "phi": candidates.phi,
        "pileup": np.full(n, np.nan) if events.pileup is None else events.pileup[candidates.row],
        "hcal_offset": images.hcal_offset,
    }
    y = np.full(n, sample.label) if sample.target is None else events.columns[sample.target][candidates.row]
    block = Block(
        y=y.astype(np.float32),
        flats=flats,
        images=dict(images.sparse),
        columns={name: np.asarray(columns[name]).astype(dtype) for name, (dtype, _) in COLUMNS.items()},
    )
    numbers = [*flats.values(), block.y[:, None], block.columns["weight"][:, None]]
    finite = np.isfinite(np.concatenate(numbers, axis=1)).all(axis=1)
    return _cut(block, candidates.cut_flow, {"not_finite_row": ~finite})


def _cut(
    block: Block, cut_flow: Mapping[str, int], cuts: Mapping[str, NDArray[np.bool_]]
) -> tuple[Block, dict[str, int]]:
    """Applies further rejections; the flow's last line, "written", becomes what is left."""
    flow = dict(cut_flow)
    written = flow.pop("written")
    keep = np.ones(len(block), bool)
    for name, rejected in cuts.items():
        flow[name] = int(np.count_nonzero(rejected & keep))
        written -= flow[name]
        keep &= ~rejected
    flow["written"] = written
    return block if keep.all() else block.take(np.flatnonzero(keep)), flow
