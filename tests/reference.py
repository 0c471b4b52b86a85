"""Slow, obvious NumPy versions of what C++ does to an event: whole maps of the detector, one tower at a time."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hepml.geometry import Geometry, Grid
from hepml.trees import Events, Towers

Array = NDArray[Any]


class Found(NamedTuple):
    """What the selection says about one object."""

    status: str
    cell: tuple[int, int] = (-1, -1)
    hcal_first: tuple[int, int] = (-1, -1)
    seed: tuple[int, int] = (-1, -1)


def eta_cell(grid: Grid, eta: float) -> int | None:
    x = grid.n_eta * (eta - grid.eta_min) / (grid.eta_max - grid.eta_min)
    return int(x) if 0 <= x < grid.n_eta else None


def phi_cell(grid: Grid, phi: float) -> int:
    return math.floor(grid.n_phi * (phi + math.pi) / (2 * math.pi)) % grid.n_phi


def wrapped(difference: float) -> float:
    return math.atan2(math.sin(difference), math.cos(difference))


def event_towers(towers: Towers, row: int, centres: bool) -> list[tuple[float, float, float, float]]:
    """(et, e, eta, phi) of one event's towers, at the centres of their edges or as stored."""
    found = []
    for i in range(towers.offsets[row], towers.offsets[row + 1]):
        eta, phi = float(towers.eta[i]), float(towers.phi[i])
        if centres and towers.edges is not None:
            lo, hi, low, high = map(float, towers.edges[i])
            eta, phi = 0.5 * (lo + hi), 0.5 * (low + high)
        found.append((float(towers.et[i]), float(towers.e[i]), eta, phi))
    return found


def cell_map(grid: Grid, towers: list[tuple[float, float, float, float]], which: int) -> Array:
    """ET (which = 0) or E (1) in every cell of the grid."""
    cells = np.zeros((grid.n_eta, grid.n_phi))
    for tower in towers:
        eta = eta_cell(grid, tower[2])
        if eta is not None:
            cells[eta, phi_cell(grid, tower[3])] += tower[which]
    return cells


def find(events: Events, row: int, seed_at: tuple[float, float], geometry: Geometry, convention: str | None) -> Found:
    """The hottest cell around an object at (eta, phi), and the HCal window."""
    published = convention is not None
    ecal, hcal, search = geometry.ecal, geometry.hcal, geometry.search
    seed_eta = eta_cell(ecal, seed_at[0])
    if seed_eta is None:
        return Found("outside_grid")
    seed = (seed_eta, phi_cell(ecal, seed_at[1]))
    if not search <= seed[0] <= ecal.n_eta - 1 - search - published:
        return Found("search_window")
    cells = cell_map(ecal, event_towers(events.ecal, row, not published), 0)
    cell, highest = None, cells[seed]
    for i in range(seed[0] - search, seed[0] + search + 1):
        for j in range(seed[1] - search, seed[1] + search + 1):
            if cells[i, j % ecal.n_phi] > highest:
                cell, highest = (i, j % ecal.n_phi), cells[i, j % ecal.n_phi]
    if cell is None:
        if published:
            return Found("own_cell_hottest")
        cell = seed
    half = geometry.ecal_window // 2
    if not half <= cell[0] <= ecal.n_eta - 1 - half - published:
        return Found("image_window")
    centre = (float(ecal.eta_center(cell[0])), float(ecal.phi_center(cell[1])))
    below = (eta_cell(hcal, centre[0]), phi_cell(hcal, centre[1]))
    if below[0] is None:
        return Found("image_window")
    middle = (float(hcal.eta_center(below[0])), float(hcal.phi_center(below[1])))
    if published:
        above = (ecal.eta_center(seed[0]) > middle[0], ecal.phi_center(seed[1]) > middle[1])
    else:
        above = (centre[0] > middle[0], wrapped(centre[1] - middle[1]) > 0)
    half = geometry.hcal_window // 2
    first = (below[0] - half + int(above[0]), (below[1] - half + int(above[1])) % hcal.n_phi)
    if not published and not 0 <= first[0] <= hcal.n_eta - geometry.hcal_window:
        return Found("image_window")
    return Found("ok", cell, first, seed)


def images(events: Events, row: int, found: Found, geometry: Geometry, convention: str | None) -> dict[str, Array]:
    """The four images, float32, HCal as cells."""
    make = published_images if convention is not None else window_images
    return {name: image.astype(np.float32) for name, image in make(events, row, found, geometry).items()}


def window_images(events: Events, row: int, found: Found, geometry: Geometry) -> dict[str, Array]:
    """Windows cut out of the map of the whole detector."""
    half = geometry.ecal_window // 2
    ecal_first = (found.cell[0] - half, found.cell[1] - half)
    result = {}
    for names, towers, grid, first, side in (
        (("et", "ee"), events.ecal, geometry.ecal, ecal_first, geometry.ecal_window),
        (("ht", "he"), events.hcal, geometry.hcal, found.hcal_first, geometry.hcal_window),
    ):
        columns = np.arange(first[0], first[0] + side)
        rows = np.arange(first[1], first[1] + side) % grid.n_phi
        for which, name in enumerate(names):
            cells = cell_map(grid, event_towers(towers, row, True), which)
            result[name] = cells[np.ix_(columns, rows)].T[::-1]  # rows: phi descending, columns: eta ascending
    return result


def published_images(events: Events, row: int, found: Found, geometry: Geometry) -> dict[str, Array]:
    """As the macro of arXiv:2011.01984 fills them, with smeared tower positions."""
    ecal, hcal = geometry.ecal, geometry.hcal
    side, eta_0, phi_0 = 31, float(ecal.eta_center(found.cell[0])), float(ecal.phi_center(found.cell[1]))
    reach = (15.5 * ecal.eta_width, 15.5 * ecal.phi_width)
    et, ee = np.zeros((side, side)), np.zeros((side, side))
    for tower in event_towers(events.ecal, row, False):
        x, y = tower[2] - eta_0, wrapped(tower[3] - phi_0)
        if abs(x) < reach[0] and abs(y) < reach[1]:
            column, line = int(side * (x + reach[0]) / (2 * reach[0])), int(side * (y + reach[1]) / (2 * reach[1]))
            et[side - 1 - line, column] += tower[0]
            ee[side - 1 - line, column] += tower[1]

    below = (int(hcal.n_eta * (eta_0 - hcal.eta_min) / (hcal.eta_max - hcal.eta_min)), phi_cell(hcal, phi_0))
    middle = (float(hcal.eta_center(below[0])), float(hcal.phi_center(below[1])))
    widths = (hcal.eta_width, hcal.phi_width)
    seed = (float(ecal.eta_center(found.seed[0])), float(ecal.phi_center(found.seed[1])))
    low = [-3.5 if seed[axis] > middle[axis] else -4.5 for axis in (0, 1)]
    ht, he = np.zeros((8, 8)), np.zeros((8, 8))
    for tower in event_towers(events.hcal, row, False):
        step = (tower[2] - middle[0], wrapped(tower[3] - middle[1]))
        if not all(low[a] * widths[a] < step[a] < (low[a] + 8) * widths[a] for a in (0, 1)):
            continue
        column, line = (math.floor(8 * (step[a] + 4 * widths[a]) / (8 * widths[a])) for a in (0, 1))
        if 0 <= column < 8 and 0 <= line < 8:
            ht[7 - line, column] += tower[0]
            he[7 - line, column] += tower[1]
    return {"et": et, "ee": ee, "ht": ht, "he": he}


def features(image: dict[str, Array], geometry: Geometry, convention: str | None) -> list[float]:
    """The seven variables of one candidate."""
    widths = (geometry.ecal.eta_width, geometry.ecal.phi_width)
    eta_width, phi_width = widths if convention is None else widths[::-1]
    e = image["ee"].astype(np.float64)
    middle = geometry.ecal_window // 2

    def window(eta: int, phi: int) -> Array:
        return e[middle - phi // 2 : middle + phi // 2 + 1, middle - eta // 2 : middle + eta // 2 + 1]

    def total(values: Array) -> float:
        result = 0.0
        for value in values.astype(np.float64).ravel():
            result += float(value)
        return result

    def ratio(a: float, b: float) -> float:
        return a / b if b > 0 else 0.0

    sums = [0.0, 0.0, 0.0]
    for line in window(3, 5):
        for i, value in zip((-1, 0, 1), line, strict=True):
            eta = i * eta_width
            sums = [sums[0] + value, sums[1] + value * eta, sums[2] + value * eta * eta]
    variance = sums[2] / sums[0] - (sums[1] / sums[0]) * (sums[1] / sums[0]) if sums[0] > 0 else 0.0

    weights = moment = 0.0
    for line in window(5, 5):
        for i, value in zip((-2, -1, 0, 1, 2), line, strict=True):
            if value > 0:
                weights += abs(math.log(value))
                moment += abs(math.log(value)) * i * i

    cones = [0.0, 0.0]
    for line, column in zip(*np.nonzero(e), strict=True):
        eta, phi = (column - middle) * eta_width, (middle - line) * phi_width
        for k, radius in enumerate((0.3, 0.4)):
            if math.sqrt(eta * eta + phi * phi) < radius:
                cones[k] += e[line, column]
    return [
        ratio(total(image["ht"]), total(image["et"])),
        math.sqrt(max(variance, 0.0)),
        ratio(total(window(3, 3)), total(window(3, 7))),
        ratio(total(window(3, 7)), total(window(7, 7))),
        math.sqrt(max(ratio(moment, weights), 0.0)),
        *cones,
    ]


def mass(
    image: dict[str, Array], geometry: Geometry, names: tuple[str, ...], hcal_offset: tuple[float, float]
) -> float:
    """Sum over pairs of deposits of 2 ET ET (cosh(deta) - cos(dphi)), exactly summed."""
    deposits = []
    for name in names:
        grid = geometry.hcal if name == "ht" else geometry.ecal
        shift = hcal_offset if name == "ht" else (0.0, 0.0)
        side = len(image[name])
        for line, column in zip(*np.nonzero(image[name]), strict=True):
            eta = (column - (side - 1) / 2) * grid.eta_width + shift[0]
            phi = ((side - 1) / 2 - line) * grid.phi_width + shift[1]
            deposits.append((float(image[name][line, column]), eta, phi))
    pairs = [
        2 * a[0] * b[0] * (math.cosh(a[1] - b[1]) - math.cos(a[2] - b[2]))
        for i, a in enumerate(deposits)
        for b in deposits[:i]
    ]
    return math.sqrt(max(math.fsum(pairs), 0.0))


def shared(grid: Grid, towers: list[tuple[float, tuple[float, float, float, float]]]) -> Array:
    """Deposits divided by overlap area over every cell of the grid, tried one by one."""
    cells = np.zeros((grid.n_eta, grid.n_phi))
    eta_edges = grid.eta_min + np.arange(grid.n_eta + 1) * grid.eta_width
    phi_edges = -math.pi + np.arange(grid.n_phi + 1) * grid.phi_width
    for value, (eta_lo, eta_hi, phi_lo, phi_hi) in towers:
        for i, (left, right) in enumerate(pairwise(eta_edges)):
            in_eta = max(0.0, min(eta_hi, right) - max(eta_lo, left)) / (eta_hi - eta_lo)
            if in_eta == 0:
                continue
            for j, (low, high) in enumerate(pairwise(phi_edges)):
                for turn in (-2 * math.pi, 0.0, 2 * math.pi):
                    in_phi = max(0.0, min(phi_hi + turn, high) - max(phi_lo + turn, low)) / (phi_hi - phi_lo)
                    cells[i, j] += value * in_eta * in_phi
    return cells
