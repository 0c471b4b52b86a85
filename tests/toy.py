"""Events written by hand: a few towers and objects."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from hepml.geometry import PAPER, Geometry, Grid
from hepml.trees import Events, Objects, Towers

Deposit = tuple[int, int, float, float]  # eta index, phi index, ET, E


def offsets(parts: Sequence[Sequence[object]]) -> np.ndarray:
    return np.array([0, *accumulate(map(len, parts))], np.int64)


def towers_in_cells(grid: Grid, events: Sequence[Sequence[Deposit]], edges: bool = True) -> Towers:
    """One tower at the centre of each named cell."""
    flat = np.array([deposit for event in events for deposit in event], np.float64).reshape(-1, 4)
    eta, phi = grid.eta_center(flat[:, 0]), grid.phi_center(flat[:, 1])
    half = (0.5 * grid.eta_width, 0.5 * grid.phi_width)
    stored = np.column_stack([eta - half[0], eta + half[0], phi - half[1], phi + half[1]]).astype(np.float32)
    return Towers(
        offsets(events), flat[:, 2].copy(), flat[:, 3].copy(), eta, phi, stored.astype(np.float64) if edges else None
    )


def events_of(
    objects: Sequence[Sequence[tuple[float, float, float]]],
    ecal: Towers | Sequence[Sequence[Deposit]],
    hcal: Towers | Sequence[Sequence[Deposit]] | None = None,
    geometry: Geometry = PAPER,
    collection: str = "electron",
) -> Events:
    """Events with (pt, eta, phi) objects and towers; deposits are (eta index, phi index, ET, E)."""
    n = len(objects)
    flat = np.array([values for event in objects for values in event], np.float64).reshape(-1, 3)
    if hcal is None:
        hcal = Towers.empty(n)
    return Events(
        path="toy",
        tree="toy",
        layout="toy",
        entry=np.arange(n),
        ecal=ecal if isinstance(ecal, Towers) else towers_in_cells(geometry.ecal, ecal),
        hcal=hcal if isinstance(hcal, Towers) else towers_in_cells(geometry.hcal, hcal),
        objects={collection: Objects(offsets(objects), flat[:, 0].copy(), flat[:, 1].copy(), flat[:, 2].copy())},
        weight=np.ones(n),
        sample="0123456789abcdef" * 4,
        geometry=geometry,
    )


def at_cell(grid: Grid, eta: int, phi: int, pt: float = 20.0) -> tuple[float, float, float]:
    """An object at the centre of a cell."""
    return pt, float(grid.eta_center(eta)), float(grid.phi_center(phi))
