"""Towers at the cells of a grid, in C++: at its centre if a tower nests in one cell, else shared by overlap area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.geometry import Grid
from hepml.trees.events import Towers

__all__ = ["LocatedTowers", "as_arrays", "locate_towers", "place_towers"]

_Floats = NDArray[np.float64]
# offsets, ET, E, eta, phi; and with the cells in eta and in phi, and which events hold nothing but finite numbers
TowerArrays = tuple[NDArray[np.int64], _Floats, _Floats, _Floats, _Floats]
LocatedTowers = tuple[
    NDArray[np.int64], _Floats, _Floats, _Floats, _Floats, NDArray[np.int16], NDArray[np.int16], NDArray[np.bool_]
]


def as_arrays(towers: Towers) -> TowerArrays:
    """Offsets, ET, E, eta and phi as C++ takes them."""
    et, e, eta, phi = (
        np.ascontiguousarray(column, dtype=np.float64) for column in (towers.et, towers.e, towers.eta, towers.phi)
    )
    return np.ascontiguousarray(towers.offsets, dtype=np.int64), et, e, eta, phi


def locate_towers(towers: TowerArrays, grid: Grid) -> LocatedTowers:
    """The towers with their cells, as C++ makes images from them."""
    return *towers, *_core.locate_towers(_numbers(grid), towers)


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


def _numbers(grid: Grid) -> tuple[int, int, float, float]:
    return grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max
