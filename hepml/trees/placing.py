"""Towers at the cells of a grid, in C++: at its centre if a tower nests in one cell, else shared by overlap area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.geometry import Grid
from hepml.trees.events import Towers

__all__ = ["TowerArrays", "as_arrays", "place_towers"]

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


def _numbers(grid: Grid) -> tuple[int, int, float, float]:
    return grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max
