"""Calorimeter grids and image windows: data, not code.

A `Grid` divides eta-phi into cells of equal size; `ECAL` and `HCAL` are the grids of arXiv:2011.01984. A `Geometry`
puts two grids together with the windows that images are cut from.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import SchemaError

__all__ = ["ECAL", "HCAL", "PAPER", "Geometry", "Grid", "delta_phi"]


def delta_phi(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """The difference a - b of two azimuths in radians, wrapped into [-pi, pi).

    Example:
        >>> round(float(delta_phi(3.1, -3.1)), 4)
        -0.0832
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return np.asarray((difference + math.pi) % (2 * math.pi) - math.pi, dtype=np.float64)


@dataclass(frozen=True)
class Grid:
    """Cells of equal size in eta and phi; phi covers [-pi, pi) and wraps.

    Attributes:
        name: for messages.
        n_eta, eta_min, eta_max: cells and range in eta.
        n_phi: cells in phi.

    Example:
        >>> ECAL.eta_width, round(ECAL.phi_width, 6)
        (0.025, 0.024933)
    """

    name: str
    n_eta: int
    n_phi: int
    eta_min: float = -2.5
    eta_max: float = 2.5

    def __post_init__(self) -> None:
        if self.n_eta < 1 or self.n_phi < 1 or not self.eta_min < self.eta_max:
            raise SchemaError(
                f"grid {self.name!r} has no cells",
                expected="n_eta >= 1, n_phi >= 1, eta_min < eta_max",
                found=f"n_eta={self.n_eta}, n_phi={self.n_phi}, eta from {self.eta_min} to {self.eta_max}",
            )

    @property
    def eta_width(self) -> float:
        """Width of a cell in eta."""
        return (self.eta_max - self.eta_min) / self.n_eta

    @property
    def phi_width(self) -> float:
        """Width of a cell in phi, radians."""
        return 2 * math.pi / self.n_phi

    def eta_center(self, index: ArrayLike) -> NDArray[np.float64]:
        """Eta of the centre of each cell index."""
        return self.eta_min + (np.asarray(index, dtype=np.float64) + 0.5) * self.eta_width

    def phi_center(self, index: ArrayLike) -> NDArray[np.float64]:
        """Phi of the centre of each cell index, in [-pi, pi); the index wraps modulo n_phi."""
        wrapped = np.mod(np.asarray(index), self.n_phi)
        return -math.pi + (wrapped.astype(np.float64) + 0.5) * self.phi_width

    def describe(self) -> str:
        """One line for messages."""
        return (
            f"{self.name}: {self.n_eta} x {self.n_phi} cells of {self.eta_width:.6g} x {self.phi_width:.6g} "
            f"in eta from {self.eta_min:g} to {self.eta_max:g}"
        )


ECAL = Grid("ecal", n_eta=200, n_phi=252)
HCAL = Grid("hcal", n_eta=50, n_phi=62)


@dataclass(frozen=True)
class Geometry:
    """Two grids and the windows around a candidate.

    Attributes:
        ecal, hcal: the grids.
        ecal_window: pixels of the ECal image along each axis, odd.
        hcal_window: HCal cells of the HCal image along each axis, even.
        hcal_expand: pixels that each HCal cell is divided into, along each axis.
        search: half width, in ECal cells, of the square searched for the hottest cell.
    """

    ecal: Grid = field(default=ECAL)
    hcal: Grid = field(default=HCAL)
    ecal_window: int = 31
    hcal_window: int = 8
    hcal_expand: int = 4
    search: int = 8

    @property
    def hcal_pixels(self) -> int:
        """Pixels of the expanded HCal image along each axis."""
        return self.hcal_window * self.hcal_expand

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, as stored in data.h5 and net.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Geometry:
        """The inverse of `to_dict`; raises SchemaError on unknown or missing keys."""
        try:
            return cls(**{**record, "ecal": Grid(**record["ecal"]), "hcal": Grid(**record["hcal"])})
        except (KeyError, TypeError) as error:
            raise SchemaError(
                "not a geometry", expected="keys " + ", ".join(cls().to_dict()), found=str(error)
            ) from error


PAPER = Geometry()
