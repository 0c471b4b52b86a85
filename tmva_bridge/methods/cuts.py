"""Cuts: 1 for events inside of the rectangle that has the wanted signal efficiency, else 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond
from tmva_bridge.xmlfile import Element

__all__ = ["read"]


def read(weights: Element, header: Header) -> Respond:
    """Reads `Bin ibin effS effB` with `Cuts cutMin_i cutMax_i`, one rectangle for each bin of signal efficiency."""
    if header.analysis != "Classification":
        weights.wrong("cuts separate two classes", expected="Classification", found=header.analysis)
    count = len(header.variables)
    bins = weights.whole("nbins", 1, 1_000_000)
    limits = np.full((bins, 2, count), np.nan)
    for item in weights.every("Bin"):
        cuts = item.child("Cuts")
        place = item.whole("ibin", 1, bins + 1) - 1
        limits[place] = [[cuts.real(f"{name}_{i}") for i in range(count)] for name in ("cutMin", "cutMax")]
    if np.isnan(limits).any():
        there = int(np.isfinite(limits).all(axis=(1, 2)).sum())
        weights.wrong("bins are missing", expected=f"{bins} elements Bin, ibin from 1", found=there)

    def respond(events: Events) -> NDArray[np.float64]:
        wanted = events.signal_efficiency
        if wanted is None or not wanted <= 1:
            raise DataError(f"the signal efficiency cannot be {wanted!r}", expected="a number up to 1, such as 0.7")
        if wanted <= 0:
            return np.zeros(len(events.raw))
        place = min(_bin(wanted, bins), bins - 1)
        low, high = limits[place]
        x = events.transformed().astype(np.float64)
        out: NDArray[np.float64] = ((x > low) & (x <= high)).all(axis=1).astype(np.float64)
        return out

    return respond


def _bin(wanted: float, bins: int) -> int:
    """The bin of an efficiency, from 1, in `bins` of [0, 1]; at an edge, as ROOT decides since 6.38.

    TMVA takes the entry of this number counted from 0, the one after the bin's own.

    Example:
        >>> _bin(0.695, 100), _bin(0.7, 100)  # 70 * (1 / 100) is just above 0.7
        (70, 70)
    """
    found = int(bins * wanted) + 1
    return found + (found * (1 / bins) <= wanted) - (wanted < (found - 1) * (1 / bins))
