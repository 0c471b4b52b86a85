"""Towers at the cells of a grid, in C++: at its centre if a tower nests in one cell, else shared by overlap area."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.errors import GranularityError, check_choice
from hepml.geometry import Geometry, Grid
from hepml.trees.events import Events, Towers

__all__ = ["TowerArrays", "as_arrays", "place_towers", "towers_at_cells"]

logger = logging.getLogger("hepml")

_Floats = NDArray[np.float64]
TowerArrays = tuple[NDArray[np.int64], _Floats, _Floats, _Floats, _Floats]  # offsets, ET, E, eta, phi


def as_arrays(towers: Towers) -> TowerArrays:
    """Offsets, ET, E, eta and phi as C++ takes them."""
    et, e, eta, phi = (
        np.ascontiguousarray(column, dtype=np.float64) for column in (towers.et, towers.e, towers.eta, towers.phi)
    )
    return np.ascontiguousarray(towers.offsets, dtype=np.int64), et, e, eta, phi


def place_towers(towers: Towers, grid: Grid) -> dict[str, Any]:
    """The "towers" (`TowerArrays`) at their cells, how many were "shared" or lie "outside", and their "et_outside".

    Towers without edges stay where they are.
    """
    arrays = as_arrays(towers)
    if towers.edges is None:
        outside, et = _core.towers_outside(_numbers(grid), arrays)
        return {"towers": arrays, "shared": 0, "outside": outside, "et_outside": et}
    edges = np.ascontiguousarray(towers.edges, dtype=np.float64)
    placed, shared, outside, et = _core.place_towers(_numbers(grid), arrays, edges)
    return {"towers": placed, "shared": shared, "outside": outside, "et_outside": et}


def towers_at_cells(
    events: Events, geometry: Geometry, as_stored: bool, overlap: str, count: bool = True
) -> tuple[tuple[TowerArrays, TowerArrays], dict[str, float]]:
    """The towers of the ECal and of the HCal at their cells, and what happened to those that do not nest.

    With `as_stored`, for the published macros, towers stay where they are. Without `count`, which takes a pass over
    them, nothing is told of towers without edges. Raises GranularityError if some do not nest, with
    ``overlap="refuse"``.
    """
    check_choice("overlap", overlap, ("share", "refuse"))
    if not count and events.ecal.edges is None and events.hcal.edges is None:
        return (as_arrays(events.ecal), as_arrays(events.hcal)), {}
    ecal, ecal_record = _place(events, "ecal", geometry.ecal, as_stored, overlap)
    hcal, hcal_record = _place(events, "hcal", geometry.hcal, as_stored, overlap)
    return (ecal, hcal), {**ecal_record, **hcal_record}


def _place(
    events: Events, name: str, grid: Grid, as_stored: bool, overlap: str
) -> tuple[TowerArrays, dict[str, float]]:
    towers: Towers = getattr(events, name)
    placed = place_towers(towers, grid)
    if placed["shared"] and overlap == "refuse":
        raise GranularityError(
            f"{name.upper()} towers do not nest in the cells of the grid",
            where=f"{events.path}, layout {events.layout!r}",
            expected=grid.describe(),
            found=f"{placed['shared']} of {len(towers)} towers do not nest; sizes: {_sizes(towers, grid)}",
            fix="give the geometry of these towers, or overlap='share' to divide them over cells by area",
        )
    record = {
        f"{name}_shared": placed["shared"],
        f"{name}_outside": placed["outside"],
        f"{name}_et_outside": placed["et_outside"],
    }
    if placed["shared"] and not as_stored:
        logger.info("%s: %d of %d %s towers shared between cells", events.path, placed["shared"], len(towers), name)
    return as_arrays(towers) if as_stored else placed["towers"], record


def _sizes(towers: Towers, grid: Grid) -> str:
    """The commonest sizes of the towers inside the grid, for messages."""
    edges = np.asarray(towers.edges)
    inside = edges[(edges[:, 1] > grid.eta_min) & (edges[:, 0] < grid.eta_max)]
    sizes, counts = np.unique(np.round(inside[:, 1::2] - inside[:, ::2], 5), axis=0, return_counts=True)
    common = np.argsort(-counts, kind="stable")
    return ", ".join(f"{sizes[i, 0]:g} x {sizes[i, 1]:g}" for i in common[:3]) + (", ..." if len(common) > 3 else "")


def _numbers(grid: Grid) -> tuple[int, int, float, float]:
    return grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max
