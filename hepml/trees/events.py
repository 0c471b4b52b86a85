"""The events of a file as flat arrays: a jagged collection is one array a column, and offsets.

Tower `i` of event `j` is at `offsets[j] + i`; event `j` holds `offsets[j + 1] - offsets[j]` of them. This is the form
in which the C++ code takes them. Values are as stored: not-a-number energies stay, and are counted where candidates
are selected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hepml.geometry import PAPER, Geometry

__all__ = ["Events", "Objects", "Towers"]


@dataclass(frozen=True)
class Towers:
    """The towers of one calorimeter.

    Attributes:
        offsets: int64, shape (n_events + 1,).
        et, e: transverse energy and energy, float64, shape (n_towers,), GeV.
        eta, phi: position as stored, float64, shape (n_towers,); Delphes smears it inside the cell.
        edges: eta_lo, eta_hi, phi_lo, phi_hi of the cell, float64, shape (n_towers, 4), or None if not stored.
    """

    offsets: NDArray[np.int64]
    et: NDArray[np.float64]
    e: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    edges: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return int(self.et.shape[0])

    @classmethod
    def empty(cls, n_events: int) -> Towers:
        """No towers in `n_events` events."""
        nothing = np.zeros(0)
        return cls(np.zeros(n_events + 1, np.int64), nothing, nothing, nothing, nothing)


@dataclass(frozen=True)
class Objects:
    """A collection of objects: electrons, muons, jets, tracks, generator particles.

    Attributes:
        offsets: int64, shape (n_events + 1,).
        pt, eta, phi: float64, shape (n_objects,), GeV and radians.
        fields: further columns of the layout ("charge", "pid", "status", "mother" ...), shape (n_objects,).
    """

    offsets: NDArray[np.int64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    fields: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.pt.shape[0])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Objects in each event, shape (n_events,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True)
class Events:
    """Events of one tree, or a range of them.

    Attributes:
        path, tree, layout: where they were read, and how.
        entry: tree entry of each event, int64, shape (n_events,).
        ecal, hcal: towers; no towers if the layout has none.
        objects: "electron", "muon", "jet", "track", "particle" (generator), as far as the file offers them.
        weight: event weight, float64, shape (n_events,); 1 if the layout names no branch.
        run, lumi, event: int64, shape (n_events,), or None unless run and lumi are both stored.
        group: the user's group column, int64, shape (n_events,), or None.
        pileup: for example the number of vertices, float64, shape (n_events,), or None.
        columns: further event columns that were asked for, shape (n_events,).
        sample: content checksum of the whole tree (hex), the same for every compression and step size.
        geometry: the layout's grids.
    """

    path: str
    tree: str
    layout: str
    entry: NDArray[np.int64]
    ecal: Towers
    hcal: Towers
    objects: Mapping[str, Objects]
    weight: NDArray[np.float64]
    run: NDArray[np.int64] | None = None
    lumi: NDArray[np.int64] | None = None
    event: NDArray[np.int64] | None = None
    group: NDArray[np.int64] | None = None
    pileup: NDArray[np.float64] | None = None
    columns: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    sample: str = ""
    geometry: Geometry = PAPER

    def __len__(self) -> int:
        return int(self.entry.shape[0])
