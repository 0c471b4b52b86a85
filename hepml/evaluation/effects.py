"""What may be different in the detector: events in, events with other towers out.

The effects of a variation act in the order in which a detector has them, whatever the order they are given in:

    pileup      the towers of an event of another file are added
    scale       energy and ET times a factor
    resolution  each tower times 1 + value * g, g Gaussian of width 1; what would be negative is 0
    noise       a Gaussian deposit of that width in GeV in every cell near an object, those without a tower included
    dead        that fraction of the cells gives nothing, the same cells in every event
    threshold   cells below that energy in GeV give nothing (zero suppression)
    shift       towers are moved by so many ECal cells in eta and in phi, against the objects

All act on the energy of towers or cells; objects (electrons, tracks) stay as they are. A random number is a hash of the
seed, the identity of the event, the calorimeter and the tower or cell: it depends on neither chunks, processes nor the
other events, and a stronger variation moves every tower the same way, only further.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import GranularityError, SchemaError
from hepml.geometry import Geometry, Grid
from hepml.identity import candidate_ids, uniform_of
from hepml.trees import Events, Towers

__all__ = ["CALORIMETERS", "EFFECTS", "apply_effect", "check_size"]

CALORIMETERS = ("ecal", "hcal")
# effect -> lowest and highest size that means something, and what the size is
_SIZES: dict[str, tuple[float, float, str]] = {
    "scale": (0.1, 10.0, "a factor"),
    "resolution": (0.0, 10.0, "a relative width"),
    "noise": (0.0, 100.0, "a width in GeV"),
    "dead": (0.0, 1.0, "a fraction"),
    "threshold": (0.0, 100.0, "an energy in GeV"),
    "shift": (-8.0, 8.0, "a number of ECal cells"),
}
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """The towers of one calorimeter on their way, and what an effect may need besides.

    Attributes:
        towers: of the events.
        grid: of the calorimeter; `ecal` is that of the ECal.
        name: "ecal" or "hcal".
        key: identity of each event, uint64, shape (n_events,).
        seed: of the random numbers.
        near: (event, eta, phi) of the objects, and how far from them an image can reach in eta and in phi.
        axes: directions of a shift.
    """

    towers: Towers
    grid: Grid
    ecal: Grid
    name: str
    key: NDArray[np.uint64]
    seed: int
    near: tuple[Ints, Floats, Floats, float, float]
    axes: tuple[str, ...]

    @property
    def event(self) -> Ints:
        """Row of the event of each tower."""
        return np.repeat(np.arange(len(self.key)), np.diff(self.towers.offsets))

    def uniform(self, purpose: str, *keys: ArrayLike) -> Floats:
        """Random numbers of this calorimeter."""
        return uniform_of(purpose, self.seed, CALORIMETERS.index(self.name), *keys)

    def gauss(self, purpose: str, *keys: ArrayLike) -> Floats:
        """Random numbers of a Gaussian of mean 0 and width 1."""
        from scipy.special import ndtri

        return np.asarray(ndtri(self.uniform(purpose, *keys) + 2.0**-54), dtype=np.float64)


def check_size(name: str, size: float, found: object, where: str | None = None) -> None:
    """Refuses a size of an effect that means nothing, such as a negative threshold.

    Args:
        name: of the effect; pileup has no size.
        size: the number; NaN is refused.
        found: how it was given, for the message.
        where: the variation.

    Raises:
        SchemaError: it is out of range.
    """
    low, high, meaning = _SIZES.get(name, (-math.inf, math.inf, ""))
    if not low <= size <= high:  # false for NaN
        raise SchemaError(
            f"the size of {name} cannot be {found!r}", where=where, expected=f"{meaning} from {low:g} to {high:g}"
        )


def apply_effect(
    events: Events,
    name: str,
    value: float,
    *,
    calorimeters: tuple[str, ...] = CALORIMETERS,
    axes: tuple[str, ...] = ("eta", "phi"),
    collection: str = "electron",
    geometry: Geometry | None = None,
    overlay: Events | None = None,
    seed: int = 0,
) -> Events:
    """Events with the towers that a detector with this effect would give.

    Args:
        events: from `open_events` or `iterate_events`.
        name: one of `EFFECTS`.
        value: its size; see the top of this module. For `pileup` it is not used.
        calorimeters: which of them have it.
        axes: directions of `shift`.
        collection: the objects near which `noise` is made: as far as an image of a candidate can reach.
        geometry: grids and windows; those of the events if None.
        overlay: for `pileup`: the events whose towers are added; which one, the event's identity decides.
        seed: of the random numbers.

    Returns:
        The events; objects, weights and identities are the same.

    Raises:
        SchemaError: a size out of range.
        GranularityError: the overlay has other grids.
        DataError: the events carry neither run numbers nor a checksum.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> louder = apply_effect(events, "scale", 1.01, calorimeters=("ecal",))
        >>> round(float(louder.ecal.e.sum() / events.ecal.e.sum()), 4), louder.hcal is events.hcal
        (1.01, True)
    """
    check_size(name, value, value)
    geometry = events.geometry if geometry is None else geometry
    key, _ = candidate_ids(events, np.arange(len(events)), np.zeros(len(events), np.int64))
    if name == "pileup":
        return _overlaid(events, overlay, key, seed)
    objects = events.objects[collection]
    usable = (np.abs(objects.eta) < 1e3) & (np.abs(objects.phi) < 1e3)
    where = np.repeat(np.arange(len(events)), objects.counts)[usable]
    found: dict[str, Any] = {}
    for one in calorimeters:
        grid: Grid = getattr(geometry, one)
        half = geometry.ecal_window // 2 if one == "ecal" else geometry.hcal_window // 2 + 1
        reach = [
            (geometry.search + 1) * first + (half + 1) * own
            for first, own in (
                (geometry.ecal.eta_width, grid.eta_width),
                (geometry.ecal.phi_width, grid.phi_width),
            )
        ]
        near = (where, objects.eta[usable], objects.phi[usable], reach[0], reach[1])
        found[one] = _TOWERS[name](Scene(getattr(events, one), grid, geometry.ecal, one, key, seed, near, axes), value)
    return replace(events, **found)


def _scale(scene: Scene, value: float) -> Towers:
    towers = scene.towers
    return replace(towers, et=towers.et * value, e=towers.e * value)


def _resolution(scene: Scene, value: float) -> Towers:
    towers, event = scene.towers, scene.event
    place = np.arange(len(towers)) - towers.offsets[event]
    factor = np.maximum(1.0 + value * scene.gauss("smear", scene.key[event], place), 0.0)
    return replace(towers, et=towers.et * factor, e=towers.e * factor)


def _noise(scene: Scene, value: float) -> Towers:
    event, eta, phi = _cells_near(scene)
    cell = eta * scene.grid.n_phi + phi
    e = value * scene.gauss("noise", scene.key[event], cell)
    center = scene.grid.eta_center(eta)
    offsets = np.searchsorted(event, np.arange(len(scene.key) + 1))
    deposits = Towers(offsets, e / np.cosh(center), e, center, scene.grid.phi_center(phi))
    return _joined(scene.towers, deposits, scene.grid)


def _dead(scene: Scene, value: float) -> Towers:
    cell = cell_of(scene.towers, scene.grid)
    return _kept(scene, (scene.uniform("dead", cell) >= value) | (cell < 0))


def _threshold(scene: Scene, value: float) -> Towers:
    towers, grid = scene.towers, scene.grid
    cell = cell_of(towers, grid)
    _, number = np.unique(scene.event * (grid.n_eta * grid.n_phi + 1) + cell, return_inverse=True)
    energy = np.bincount(number, weights=towers.e, minlength=1)[number]
    return _kept(scene, (energy >= value) | (cell < 0))


def _shift(scene: Scene, value: float) -> Towers:
    towers = scene.towers
    deta, dphi = (
        value * width if axis in scene.axes else 0.0
        for axis, width in (("eta", scene.ecal.eta_width), ("phi", scene.ecal.phi_width))
    )
    edges = _edges(towers, scene.grid) + np.array([deta, deta, dphi, dphi])
    edges[:, 2:] = _wrapped(edges[:, 2:])
    return replace(towers, eta=towers.eta + deta, phi=_wrapped(towers.phi + dphi), edges=edges)


_TOWERS: dict[str, Callable[[Scene, float], Towers]] = {
    "scale": _scale,
    "resolution": _resolution,
    "noise": _noise,
    "dead": _dead,
    "threshold": _threshold,
    "shift": _shift,
}
EFFECTS = ("pileup", *_TOWERS)
"""In the order in which the effects of one variation act."""


def _overlaid(events: Events, overlay: Events | None, key: NDArray[np.uint64], seed: int) -> Events:
    if overlay is None or not len(overlay):
        raise GranularityError("no events to overlay", where=None if overlay is None else overlay.path)
    if overlay.geometry != events.geometry:
        raise GranularityError(
            "the overlay has other grids than the events",
            where=overlay.path,
            expected=f"{events.geometry.ecal.describe()}; {events.geometry.hcal.describe()}",
            found=f"{overlay.geometry.ecal.describe()}; {overlay.geometry.hcal.describe()}",
        )
    row = np.minimum(uniform_of("overlay", seed, key) * len(overlay), len(overlay) - 1).astype(np.int64)
    added: dict[str, Any] = {
        name: _joined(getattr(events, name), getattr(overlay, name).take(row), getattr(events.geometry, name))
        for name in CALORIMETERS
    }
    return replace(events, **added)


def cell_of(towers: Towers, grid: Grid) -> Ints:
    """Number of the cell that holds the centre of each tower, eta index * n_phi + phi index; -1 outside of the grid."""
    eta, phi = towers.eta, towers.phi
    if towers.edges is not None:
        low, high = towers.edges[:, 2], towers.edges[:, 3]
        eta = 0.5 * (towers.edges[:, 0] + towers.edges[:, 1])
        phi = 0.5 * (low + high + np.where(high < low, 2 * math.pi, 0.0))  # a tower across -pi
    column = np.floor((eta - grid.eta_min) / grid.eta_width)
    row = np.floor((phi + math.pi) / grid.phi_width) % grid.n_phi
    inside = (column >= 0) & (column < grid.n_eta) & np.isfinite(row)
    return np.where(inside, np.nan_to_num(column * grid.n_phi + row), -1).astype(np.int64)


def _cells_near(scene: Scene) -> tuple[Ints, Ints, Ints]:
    """Event, eta and phi index of every cell near an object, each once, in order."""
    grid, (event, eta, phi, reach_eta, reach_phi) = scene.grid, scene.near
    seed_eta = np.floor((eta - grid.eta_min) / grid.eta_width).astype(np.int64)
    seed_phi = np.floor((phi + math.pi) / grid.phi_width).astype(np.int64)
    steps_eta = np.arange(-math.ceil(reach_eta / grid.eta_width), math.ceil(reach_eta / grid.eta_width) + 1)
    wide = min(math.ceil(reach_phi / grid.phi_width), grid.n_phi // 2)
    steps_phi = np.arange(-wide, wide + 1)
    columns = seed_eta[:, None, None] + steps_eta[None, :, None]
    rows = (seed_phi[:, None, None] + steps_phi[None, None, :]) % grid.n_phi
    number = (event[:, None, None] * grid.n_eta + columns) * grid.n_phi + rows
    inside = np.broadcast_to((columns >= 0) & (columns < grid.n_eta), number.shape)
    cells = np.unique(number[inside])
    return cells // (grid.n_eta * grid.n_phi), cells // grid.n_phi % grid.n_eta, cells % grid.n_phi


def _edges(towers: Towers, grid: Grid) -> Floats:
    """The stored edges, or those of the cell that each tower is in."""
    if towers.edges is not None:
        return np.asarray(towers.edges, dtype=np.float64)
    column = np.floor((towers.eta - grid.eta_min) / grid.eta_width)
    row = np.floor((towers.phi + math.pi) / grid.phi_width)
    low_eta, low_phi = grid.eta_min + column * grid.eta_width, -math.pi + row * grid.phi_width
    return np.stack([low_eta, low_eta + grid.eta_width, low_phi, low_phi + grid.phi_width], axis=1)


def _wrapped(phi: Floats) -> Floats:
    """In [-pi, pi], unchanged where they are already: the upper edge of the last cell stays."""
    return np.where(np.abs(phi) > math.pi + 1e-6, (phi + math.pi) % (2 * math.pi) - math.pi, phi)


def _kept(scene: Scene, mask: NDArray[np.bool_]) -> Towers:
    towers = scene.towers
    offsets = np.concatenate([[0], np.cumsum(mask)])[towers.offsets].astype(np.int64)
    edges = None if towers.edges is None else towers.edges[mask]
    return Towers(offsets, towers.et[mask], towers.e[mask], towers.eta[mask], towers.phi[mask], edges)


def _joined(first: Towers, second: Towers, grid: Grid) -> Towers:
    """The towers of both, event by event, those of the first before those of the second."""
    counts = np.diff(first.offsets), np.diff(second.offsets)
    n = len(counts[0])
    event = np.concatenate([np.repeat(np.arange(n), part) for part in counts])
    order = np.argsort(event, kind="stable")
    columns = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])[order] for name in ("et", "e", "eta", "phi")
    }
    edges = None
    if first.edges is not None:
        edges = np.concatenate([_edges(first, grid), _edges(second, grid)])[order]
    return Towers(first.offsets + second.offsets, **columns, edges=edges)
