"""Towers at the cells of a grid, in C++: at its centre if a tower nests in one cell, else shared by overlap area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.geometry import Grid
from hepml.trees.events import Towers

__all__ = ["TowerArrays", "as_arrays", "place_towers"]

TowerArrays = tuple[
    NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]
]


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
    arrays, numbers = as_arrays(towers), (grid.n_eta, grid.n_phi, grid.eta_min, grid.eta_max)
    if towers.edges is None:
        outside, et = _core.towers_outside(numbers, arrays)
        return {"towers": arrays, "shared": 0, "outside": outside, "et_outside": et}
    edges = np.ascontiguousarray(towers.edges, dtype=np.float64)
    placed, shared, outside, et = _core.place_towers(numbers, arrays, edges)
    return {"towers": placed, "shared": shared, "outside": outside, "et_outside": et}
