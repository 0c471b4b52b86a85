"""Weights that give the background the signal's (pT, eta) spectrum, so that shapes are compared, not kinematics.

Both classes are counted in bins of pT and |eta| with equal numbers of signal; a background candidate is multiplied by
signal/background of its bin, normalised inside each class. A bin without signal gets 0, for the signal has no density
there; signal in bins without background cannot be matched and is reported. The weights are taken as exact: intervals
of reweighted numbers do not contain their error, which is small while bins hold tens of candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.metrics.binned import equal_count_edges
from hepml.metrics.results import Floats, ScoredEvents
from hepml.metrics.roc import effective_number

__all__ = ["Reweighting", "reweight_background"]


@dataclass(frozen=True)
class Reweighting:
    """New weights and what they cost.

    Args:
        weight: shape (n,), the signal's unchanged, the background's multiplied.
        factor: by bin, shape (pt bins, eta bins).
        pt_edges, eta_edges: of pT in GeV and |eta|.
        n_effective: of the background after reweighting.
        unmatched: fraction of the signal in bins without background.
    """

    weight: Floats
    factor: Floats
    pt_edges: Floats
    eta_edges: Floats
    n_effective: float
    unmatched: float


def reweight_background(
    events: ScoredEvents, pt: ArrayLike, eta: ArrayLike, *, pt_bins: int = 20, eta_bins: int = 8
) -> Reweighting:
    """Weights of the background after matching its (pT, |eta|) distribution to the signal's.

    Args:
        events: checked by `make_events`.
        pt: transverse momenta in GeV, shape (n,).
        eta: pseudorapidities, shape (n,).
        pt_bins, eta_bins: numbers of bins; half as many, and so on, where a bin would hold less than 10 signal.

    Returns:
        The weights and the bins; the sum of the background's weights is unchanged.

    Raises:
        DataError: pt or eta not finite, or no bin holds both classes.
    """
    p, e = np.asarray(pt, dtype=np.float64), np.abs(np.asarray(eta, dtype=np.float64))
    if not (np.isfinite(p).all() and np.isfinite(e).all()):
        raise DataError("pt and eta must be finite to reweight", fix="evaluate without reweighting")
    signal = events.label == 1
    while pt_bins * eta_bins > max(1, int(signal.sum()) // 10) and pt_bins * eta_bins > 1:
        pt_bins, eta_bins = max(1, pt_bins // 2), max(1, eta_bins // 2)
    edges = equal_count_edges(p[signal], pt_bins), equal_count_edges(e[signal], eta_bins)
    shape = len(edges[0]) - 1, len(edges[1]) - 1
    row, column = (np.searchsorted(bounds, x, side="right") - 1 for bounds, x in zip(edges, (p, e), strict=True))
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    cell = np.where(inside, row * shape[1] + column, 0)
    sums = {
        label: np.bincount(
            cell[inside & (events.label == label)],
            weights=events.weight[inside & (events.label == label)],
            minlength=shape[0] * shape[1],
        )
        for label in (0, 1)
    }
    usable = (sums[0] > 0) & (sums[1] > 0)
    if not usable.any():
        raise DataError("signal and background share no (pt, eta) bin", fix="evaluate without reweighting")
    factor = np.where(usable, sums[1] / np.where(usable, sums[0], 1.0), 0.0)
    background = events.weight[~signal].sum()
    factor *= background / np.sum(factor * sums[0])
    weight = np.where(signal, events.weight, events.weight * np.where(inside, factor[cell], 0.0))
    unmatched = 1.0 - float(sums[1][usable].sum() / sums[1].sum())
    grid: NDArray[np.float64] = factor.reshape(shape)
    return Reweighting(weight, grid, edges[0], edges[1], effective_number(weight[~signal]), max(0.0, unmatched))
