"""Which object is classified: leading or all, hottest cell, acceptance, truth class, cut flow.

    events -> objects of a collection -> hottest ECal cell around each -> both image windows inside the grid?

Towers are first put into cells: a tower whose edges nest in a cell of the grid goes to that cell's index whatever
position inside the cell is stored; one that does not nest is shared by overlap area, or refused. Every object that is
no candidate is counted under the name of the reason, so that the lines of the cut flow add up.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.errors import DataError, SchemaError, check_choice, check_kind, nearest, printable
from hepml.geometry import Geometry
from hepml.identity import candidate_ids
from hepml.trees import Events, Objects
from hepml.trees.choosing import choose_towers
from hepml.trees.placing import TowerArrays, towers_at_cells
from hepml.truth import classify

__all__ = ["CONVENTIONS", "LIMIT", "PRESELECTIONS", "STATUS_NAMES", "Candidates", "count_objects", "select_candidates"]

CONVENTIONS = (None, "2011.01984")
PRESELECTIONS = ("hard",)
STATUS_NAMES: tuple[str, ...] = tuple(_core.status_name(code) for code in range(11))

logger = logging.getLogger("hepml")

LIMIT = 1e30  # of a value that is no mistake; as for towers, in C++
_PHI_LIMIT = 1e6
_CODES = {name: code for code, name in enumerate(STATUS_NAMES)}


@dataclass(frozen=True)
class Candidates:
    """The objects of some events that become images, and why the others did not.

    Attributes:
        events: where they are.
        row: row of the event in `events`, int64, shape (n,).
        index: position of the object in its collection, int32, shape (n,).
        entry: tree entry of the event, int64, shape (n,).
        pt, eta, phi: of the object, float64, shape (n,), GeV and radians.
        cell: (eta, phi) index of the hottest ECal cell, counted from 0, int32, shape (n, 2).
        hcal_first: (eta, phi) index of the first HCal cell of the HCal window, int32, shape (n, 2); phi wraps.
        hcal_offset: centre of the HCal image minus centre of the ECal image, (deta, dphi), float64, shape (n, 2).
        truth: code of `hepml.truth.TRUTH_CLASSES`, uint8, shape (n,).
        identity, group: uint64, shape (n,); see `hepml.identity`.
        weight: event weight, float64, shape (n,).
        status: code of `STATUS_NAMES` of every object considered, uint8: one an event if the leading object was asked
            for, else one an object of the collection, in order; 0 are the candidates.
        cut_flow: "read" (objects or events considered), the rejections by name, "written"; the first is the sum of
            the others.
        towers: what happened when towers were put into cells: numbers of towers shared between cells and outside of
            the grid, and the ET lost outside (GeV), for each calorimeter; and of those that were left out before.
        collection, which, convention, geometry: as asked for.
        cells: towers of the ECal and of the HCal at their cells, as C++ takes them.
    """

    events: Events
    row: NDArray[np.int64]
    index: NDArray[np.int32]
    entry: NDArray[np.int64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    cell: NDArray[np.int32]
    hcal_first: NDArray[np.int32]
    hcal_offset: NDArray[np.float64]
    truth: NDArray[np.uint8]
    identity: NDArray[np.uint64]
    group: NDArray[np.uint64]
    weight: NDArray[np.float64]
    status: NDArray[np.uint8]
    cut_flow: dict[str, int]
    towers: dict[str, float]
    collection: str
    which: str
    convention: str | None
    geometry: Geometry
    cells: tuple[TowerArrays, TowerArrays] = field(repr=False)

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Candidates:
        """Some of the candidates, by mask or position; status and cut flow stay those of the whole selection."""
        try:
            rows = np.arange(len(self))[which]
        except IndexError as error:
            raise DataError(f"no such rows of {len(self)} candidates", found=error) from error
        if rows.ndim != 1:
            raise DataError("rows that cannot be used", expected="a mask, or a list of positions", found=repr(which))
        return replace(self, **{name: getattr(self, name)[rows] for name in _PER_CANDIDATE})


_PER_CANDIDATE = (
    *("row", "index", "entry", "pt", "eta", "phi", "cell", "hcal_first", "hcal_offset"),
    *("truth", "identity", "group", "weight"),
)


def select_candidates(
    events: Events,
    *,
    collection: str = "electron",
    which: str = "leading",
    convention: str | None = None,
    geometry: Geometry | None = None,
    overlap: str = "share",
    truth: bool = True,
    max_eta: float | None = None,
    min_pt: float | None = None,
    preselection: str | None = None,
    max_towers: int | None = None,
    not_finite: str = "drop",
) -> Candidates:
    """The objects to classify, each with the ECal cell that its images are centred on.

    The ECal cell with the highest ET in the square of 17 x 17 cells around the object is the centre (ties: the object's
    own cell, then the lowest eta, then the lowest phi). The square and both image windows must lie inside the grid in
    eta; phi wraps. An object is rejected as "not_finite" if its own numbers or any tower of its event are NaN,
    infinite or beyond 1e30, or its phi is beyond 1e6, where float32 tells no cells apart; negative energies are
    kept and summed as they are. With ``not_finite="keep"`` such towers are left out instead, and their event is as if
    they were not there.

    Args:
        events: from `open_events` or `iterate_events`.
        collection: "electron", "muon", "jet", or another name of the layout.
        which: "leading" (highest pT of each event; of equal ones the first) or "all".
        convention: None for the correct definitions; "2011.01984" for those of the published macros: towers at their
            smeared positions, events whose own cell is the hottest are lost ("own_cell_hottest"), acceptance one cell
            too small at high eta, of equal pT the last, HCal window chosen by the object's own cell.
        geometry: grids and windows; default: those of the layout.
        overlap: a tower that does not nest in a cell is divided over cells by area ("share") or an error ("refuse").
        truth: match to generator particles; otherwise every class is "unknown".
        max_eta, min_pt: keep objects with ``abs(eta) <= max_eta``, ``pt >= min_pt`` (after the leading was chosen).
        preselection: "hard": see `hepml.features.hard_selection`.
        max_towers: how many towers of an event count; see `hepml.trees.choosing.choose_towers`. None: all.
        not_finite: what becomes of an event with a tower that is not finite: "drop" rejects it, "keep" leaves out the
            tower.

    Returns:
        The candidates; none for empty events or if all objects were rejected.

    Raises:
        DataError: not events; an unknown collection or option.
        GranularityError: towers that do not nest, with ``overlap="refuse"``.
        SchemaError: a geometry from which no image can be cut.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> candidates = select_candidates(events)
        >>> candidates.cut_flow["read"], len(candidates) == candidates.cut_flow["written"]
        (20, True)

    Source:
        arXiv:2011.01984, Sec. II, and its image macro.
    """
    check_kind(events, Events, "open_events(PATH)")
    limits: dict[str, Any] = {"min_pt": min_pt, "max_eta": max_eta}
    for option, value in limits.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Real) or np.isnan(float(value))):
            raise DataError(f"the option {option!r} cannot be {value!r}", expected="a number, or None")
    check_choice("which", which, ("leading", "all"))
    check_choice("convention", convention, CONVENTIONS)
    check_choice("preselection", preselection, (None, *PRESELECTIONS))
    geometry = events.geometry if geometry is None else geometry
    check_kind(geometry, Geometry, "Geometry(...)")
    core = core_geometry(geometry)
    objects = object_collection(events, collection)
    chosen, left_out = choose_towers(events, max_towers, not_finite, as_stored=convention is not None)
    cells, placed = towers_at_cells(chosen, geometry, convention is not None, overlap)

    last = convention is not None
    row, position, slot = _leading(objects, last) if which == "leading" else _all(objects)
    pt, eta, phi = objects.pt[position], objects.eta[position], objects.phi[position]
    status = np.full(len(events) if which == "leading" else len(row), _CODES["no_object"], np.uint8)
    code = np.zeros(len(row), np.uint8)
    usable = (np.abs(pt) <= LIMIT) & (np.abs(eta) <= LIMIT) & (np.abs(phi) <= _PHI_LIMIT)  # false for NaN
    _reject(code, ~usable, "not_finite")
    if min_pt is not None:
        _reject(code, pt < min_pt, "below_min_pt")
    if max_eta is not None:
        _reject(code, np.abs(eta) > max_eta, "above_max_eta")
    asked = np.flatnonzero(code == 0)
    found, cell, hcal_first, hcal_offset = _core.find_candidates(
        core, convention_code(convention), *cells, row[asked], eta[asked], phi[asked]
    )
    code[asked] = found
    if preselection == "hard":
        ok = found == 0
        sparse = fill_sparse(core, convention, cells, (row[asked][ok], cell[ok], hcal_first[ok]))
        code[asked[np.flatnonzero(ok)[~_core.hard_selection(core, sparse)]]] = _CODES["preselection"]
    status[slot] = code
    kept = code == 0
    of_asked = kept[asked]

    row, index = row[kept], (position - objects.offsets[row])[kept].astype(np.int32)
    pt, eta, phi = pt[kept], eta[kept], phi[kept]
    identity, group = candidate_ids(events, row, index)
    if truth:
        truth_class = classify(events, row, eta, phi, pt=pt, collection=collection)
    else:
        truth_class = np.zeros(len(row), np.uint8)
    if len(row) and not len(events.ecal) and not len(events.hcal):
        logger.warning("%s: no towers in %d events, every image is empty", printable(events.path), len(events))
    names = _flow_names(convention, min_pt, max_eta, preselection)
    return Candidates(
        events=events,
        row=row,
        index=index,
        entry=events.entry[row],
        pt=pt,
        eta=eta,
        phi=phi,
        cell=cell[of_asked],
        hcal_first=hcal_first[of_asked],
        hcal_offset=hcal_offset[of_asked],
        truth=truth_class,
        identity=identity,
        group=group,
        weight=events.weight[row],
        status=status,
        cut_flow=_cut_flow(status, names),
        towers={**placed, **left_out},
        collection=collection,
        which=which,
        convention=convention,
        geometry=geometry,
        cells=cells,
    )


def count_objects(events: Events, collection: str = "electron") -> NDArray[np.int64]:
    """Objects of a collection in each event, int64, shape (n_events,).

    Raises:
        DataError: the events hold no such collection.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> bool((count_objects(events) >= 1).all())
        True
    """
    return np.asarray(np.diff(object_collection(events, collection).offsets), dtype=np.int64)


@lru_cache(maxsize=16)
def core_geometry(geometry: Geometry) -> Any:
    """The geometry as C++ has it. Raises SchemaError if no image can be cut from these grids."""
    grids = [(grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max) for grid in (geometry.ecal, geometry.hcal)]
    try:
        return _core.EventGeometry(
            *grids, geometry.ecal_window, geometry.hcal_window, geometry.hcal_expand, geometry.search
        )
    except ValueError as error:
        raise SchemaError("no image can be cut from these grids", expected=error, found=geometry) from error


def convention_code(convention: str | None) -> int:
    """Number of a convention in C++."""
    check_choice("convention", convention, CONVENTIONS)
    return CONVENTIONS.index(convention)


def fill_sparse(
    core: Any, convention: str | None, cells: tuple[TowerArrays, TowerArrays], places: Any, energy: bool = True
) -> tuple[Any, ...]:
    """Images at (row, cell, hcal_first), as (counts, index, value): ET, and E if asked for, of ECal and HCal."""
    where = [np.ascontiguousarray(part) for part in places]
    code = convention_code(convention)
    ecal, hcal = (
        _core.fill_images(core, code, is_ecal, towers, *where, energy)
        for is_ecal, towers in zip((True, False), cells, strict=True)
    )
    return (*ecal, *hcal)


def object_collection(events: Events, collection: str) -> Objects:
    """The objects of that name. Raises DataError, with the nearest names, if the events hold none."""
    if collection not in list(events.objects):  # a list asks nothing of what it is compared with
        raise DataError(
            f"no collection {collection!r} in these events",
            where=f"{events.path}, layout {events.layout!r}",
            expected="one of " + (", ".join(map(repr, events.objects)) or "none: the layout names no objects"),
            nearest=nearest(collection, events.objects),
            fix="name the collection in the layout, or choose another with collection=",
        )
    return events.objects[collection]


def _leading(objects: Objects, last: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Event, position in the collection and slot in the status array of the object with the highest pT."""
    row, position, _ = _all(objects)
    if not len(row):
        return row, position, row
    pt = np.where(np.isnan(objects.pt[position]), np.inf, objects.pt[position])  # NaN is chosen, then rejected by name
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    highest = np.maximum.reduceat(pt, starts)
    is_highest = np.flatnonzero(pt == np.repeat(highest, np.diff(starts, append=len(row))))
    if last:
        is_highest = is_highest[::-1]
    events, first = np.unique(row[is_highest], return_index=True)
    return events, position[is_highest[first]], events


def _all(objects: Objects) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    counts = np.diff(objects.offsets)
    row = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    position = np.arange(len(row), dtype=np.int64)
    return row, position, position


def _reject(code: NDArray[np.uint8], rejected: NDArray[np.bool_], name: str) -> None:
    code[rejected & (code == 0)] = _CODES[name]


def _flow_names(
    convention: str | None, min_pt: float | None, max_eta: float | None, preselection: str | None
) -> list[str]:
    optional: Mapping[str, bool] = {
        "below_min_pt": min_pt is not None,
        "above_max_eta": max_eta is not None,
        "own_cell_hottest": convention is not None,
        "preselection": preselection is not None,
    }
    first = ("no_object", "not_finite", "below_min_pt", "above_max_eta", "outside_grid", "search_window")
    return [name for name in (*first, "own_cell_hottest", "image_window", "preselection") if optional.get(name, True)]


def _cut_flow(status: NDArray[np.uint8], names: list[str]) -> dict[str, int]:
    counts = np.bincount(status, minlength=len(STATUS_NAMES))
    flow = {"read": len(status), **{name: int(counts[_CODES[name]]) for name in names}}
    return {**flow, "written": int(counts[0])}
