"""The events of a file as flat arrays: a jagged collection is one array a column, and offsets.

Tower `i` of event `j` is at `offsets[j] + i`; event `j` holds `offsets[j + 1] - offsets[j]` of them. This is the form
in which the C++ code takes them. Values are as stored: not-a-number energies stay, and are counted where candidates
are selected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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

    def take(self, rows: NDArray[np.integer[Any]]) -> Towers:
        """The towers of some events, by position, in the given order; an event may be taken more than once."""
        offsets, places = _taken(self.offsets, rows)
        edges = None if self.edges is None else self.edges[places]
        return Towers(offsets, self.et[places], self.e[places], self.eta[places], self.phi[places], edges)


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

    def take(self, rows: NDArray[np.integer[Any]]) -> Objects:
        """The objects of some events, by position, in the given order."""
        offsets, places = _taken(self.offsets, rows)
        fields = {name: values[places] for name, values in self.fields.items()}
        return Objects(offsets, self.pt[places], self.eta[places], self.phi[places], fields)


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

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Events:
        """Some of the events, by mask or position, in the given order.

        Example:
            >>> from importlib.resources import files
            >>> from hepml.trees import open_events
            >>> events = open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=10)
            >>> part = events.take(np.array([7, 2]))
            >>> part.entry.tolist(), bool(part.ecal.et[0] == events.ecal.et[events.ecal.offsets[7]])
            ([7, 2], True)
        """
        rows = np.arange(len(self))[which]
        single = ("entry", "weight", "run", "lumi", "event", "group", "pileup")
        columns = {name: getattr(self, name) for name in single}
        values: dict[str, Any] = {name: None if column is None else column[rows] for name, column in columns.items()}
        return replace(
            self,
            **values,
            ecal=self.ecal.take(rows),
            hcal=self.hcal.take(rows),
            objects={name: objects.take(rows) for name, objects in self.objects.items()},
            columns={name: column[rows] for name, column in self.columns.items()},
        )


def _taken(offsets: NDArray[np.int64], rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Offsets of the taken events, and where their items are."""
    counts = np.diff(offsets)[rows]
    taken = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return taken, np.arange(taken[-1]) + np.repeat(offsets[:-1][rows] - taken[:-1], counts)
