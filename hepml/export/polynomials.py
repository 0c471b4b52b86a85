"""The definitions of energy-flow polynomials in a file: what the numbers of its input `efp` are, for the C++ Tagger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.efp.columns import Column, compute_columns, parse_column
from hepml.errors import DataError, SchemaError
from hepml.export.inputs import InputRecord
from hepml.geometry import PAPER, Geometry

__all__ = ["EFP_INPUT", "polynomials"]

EFP_INPUT = "efp"
_VERSION = 1
_EVENTS = 4  # of reference
_FILLED = 12  # pixels of each of their images


def polynomials(records: Sequence[InputRecord], geometry: Mapping[str, Any] | None) -> dict[str, Any]:
    """The key `efps` of the block `hepml`, with images whose polynomials every load computes again.

    Args:
        records: the model's inputs; the variables of `efp` are names of columns.
        geometry: of the images.

    Returns:
        Nothing where no input is `efp`, its variables have other names, or the geometry is not known: then the input is
        a vector like any other, which towers do not give.

    Raises:
        DataError: some of the variables are names of columns, and others are not.
    """
    record = next((one for one in records if one.name == EFP_INPUT and len(one.shape) == 1), None)
    if record is None or geometry is None:
        return {}
    found = [_parsed(name) for name in record.variables]
    if not any(found):
        return {}
    columns = [one or parse_column(name) for one, name in zip(found, record.variables, strict=True)]
    entries = [
        {
            "name": column.name,
            "calorimeter": column.calorimeter,
            "n": column.graph.n,
            "edges": [list(edge) for edge in column.graph.edges],
            "kappa": column.kappa,
            "beta": column.beta,
            "normed": True,
        }
        for column in columns
    ]
    return {"efps": {"version": _VERSION, "columns": entries, "reference": _reference(columns, geometry)}}


def _parsed(name: str) -> Column | None:
    try:
        return parse_column(name)
    except DataError:
        return None


@dataclass
class _Event:
    """Images of both calorimeters, and the pixels that hold something."""

    images: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    pixels: dict[str, list[list[float]]] = field(default_factory=dict)


def _reference(columns: Sequence[Column], geometry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Random images and their polynomials; none for pixels that Python does not know."""
    try:
        known = Geometry.from_dict(dict(geometry))
    except SchemaError:
        return []  # refused when the file is read
    cells = [(one.n_eta, one.n_phi, one.eta_min, one.eta_max) for one in (known.ecal, known.hcal)]
    paper = [(one.n_eta, one.n_phi, one.eta_min, one.eta_max) for one in (PAPER.ecal, PAPER.hcal)]
    sides = {"ecal": known.ecal_window, "hcal": known.hcal_pixels}
    if cells != paper or sides != {"ecal": PAPER.ecal_window, "hcal": PAPER.hcal_pixels}:
        return []
    generator = np.random.default_rng(20101199)
    events = [_event(generator, sides, {column.calorimeter for column in columns}) for _ in range(_EVENTS)]
    ecal, hcal = (
        np.stack([event.images[name] for event in events]) if name in events[0].images else None for name in sides
    )
    values = compute_columns(ecal, hcal, [column.name for column in columns], threads=1)
    return [
        {**event.pixels, "values": row.tolist()}
        for event, row in zip(events, values, strict=True)
        if np.isfinite(row).all()
    ]


def _event(generator: np.random.Generator, sides: Mapping[str, int], needed: set[str]) -> _Event:
    event = _Event()
    for name, side in sides.items():
        if name not in needed:
            continue
        places = np.sort(generator.choice(side * side, _FILLED, replace=False))
        energies = np.ceil(generator.exponential(80, _FILLED)).astype(np.float32) / 8  # few digits hold them
        image = np.zeros(side * side, np.float32)
        image[places] = energies
        event.images[name] = image.reshape(side, side)
        event.pixels[name] = [
            [place // side, place % side, energy]
            for place, energy in zip(places.tolist(), energies.tolist(), strict=True)
        ]
    return event
