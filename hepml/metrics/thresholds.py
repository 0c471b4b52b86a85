"""Cuts for target signal efficiencies, everywhere and in (pT, eta) bins, to be stored and applied by C++.

They come from candidates that neither trained the network nor are evaluated: the validation split. A candidate passes
if score >= threshold. The bins tile the plane: the first pT bin starts at 0, the last ends at `PT_MAX`, eta runs over
[-ETA_MAX, ETA_MAX], so that every candidate a trigger can meet has a cut.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from hepml.errors import DataError
from hepml.metrics.rejection import EFFICIENCIES
from hepml.metrics.results import Floats, ScoredEvents, Threshold

__all__ = ["ETA_MAX", "PT_MAX", "bin_edges", "derive_thresholds"]

PT_MAX = 1.0e6
ETA_MAX = 10.0
MINIMUM_SIGNAL = 50


def bin_edges(pt: ArrayLike, eta: ArrayLike, *, pt_bins: int = 3, eta_bins: int = 4) -> tuple[Floats, Floats]:
    """Edges for thresholds: pT at quantiles rounded to GeV, eta in equal steps symmetric about 0, both left open.

    Args:
        pt, eta: of the signal, shape (n,).
        pt_bins, eta_bins: wanted numbers of bins; fewer where a mean bin would hold less than `MINIMUM_SIGNAL`.

    Returns:
        Edges in pT (GeV, from 0 to `PT_MAX`) and eta (from -`ETA_MAX` to `ETA_MAX`).

    Example:
        >>> import numpy as np
        >>> [len(edges) for edges in bin_edges(np.linspace(10, 40, 600), np.linspace(-2, 2, 600))]
        [4, 5]
    """
    p, e = np.asarray(pt, dtype=np.float64), np.asarray(eta, dtype=np.float64)
    while pt_bins * eta_bins > max(1, len(p) // MINIMUM_SIGNAL):
        pt_bins, eta_bins = (pt_bins - 1, eta_bins) if pt_bins >= eta_bins else (pt_bins, max(1, eta_bins - 2))
    inner_pt = np.unique(np.round(np.quantile(p, np.linspace(0, 1, pt_bins + 1)[1:-1]))) if len(p) else np.zeros(0)
    inner_pt = inner_pt[(inner_pt > 0) & (inner_pt < PT_MAX)]
    reach = float(np.round(np.abs(e).max(), 1)) if len(e) else 1.0
    inner_eta = np.round(np.linspace(-reach, reach, eta_bins + 1)[1:-1], 3) + 0.0  # no negative zero
    return np.concatenate([[0.0], inner_pt, [PT_MAX]]), np.concatenate([[-ETA_MAX], inner_eta, [ETA_MAX]])


def derive_thresholds(
    events: ScoredEvents,
    targets: tuple[float, ...] = EFFICIENCIES,
    *,
    pt: ArrayLike | None = None,
    eta: ArrayLike | None = None,
    edges: tuple[Floats, Floats] | None = None,
) -> tuple[Threshold, ...]:
    """Thresholds for target signal efficiencies.

    Args:
        events: candidates of both classes or of the signal only; the background is not used.
        targets: signal efficiencies in (0, 1].
        pt, eta: of the candidates, shape (n,); without them only global thresholds are made.
        edges: of the bins; `bin_edges` of the signal if None.

    Returns:
        The global thresholds first, then those of the bins, each for all targets. A bin with less than
        `MINIMUM_SIGNAL` signal candidates gets the global threshold.

    Raises:
        DataError: no signal, or its weights do not sum to more than 0.

    Example:
        >>> from hepml.metrics import make_events
        >>> events = make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
        >>> derive_thresholds(events, (0.5,))[0].threshold
        0.8
    """
    score, weight = events.of(1)
    if not len(score) or weight.sum() <= 0:
        raise DataError("no signal to derive thresholds from", fix="give the validation split signal candidates")
    overall = [_quantile(score, weight, target) for target in targets]
    found = [Threshold(float(t), value) for t, value in zip(targets, overall, strict=True)]
    if pt is None or eta is None:
        return tuple(found)
    p, e = (np.asarray(x, dtype=np.float64)[events.label == 1] for x in (pt, eta))
    pt_edges, eta_edges = bin_edges(p, e) if edges is None else edges
    if len(pt_edges) == 2 and len(eta_edges) == 2:
        return tuple(found)
    for low, high in pairwise(pt_edges):
        for left, right in pairwise(eta_edges):
            chosen = (p >= low) & (p < high) & (e >= left) & (e < right)
            enough = int(chosen.sum()) >= MINIMUM_SIGNAL and weight[chosen].sum() > 0
            for target, value in zip(targets, overall, strict=True):
                cut = _quantile(score[chosen], weight[chosen], target) if enough else value
                found.append(Threshold(float(target), cut, (float(low), float(high)), (float(left), float(right))))
    return tuple(found)


def _quantile(score: Floats, weight: Floats, target: float) -> float:
    """The highest threshold at which the weighted efficiency reaches the target (see `roc.Ordered.cut`)."""
    ranked = np.argsort(-score, kind="stable")
    sums = np.cumsum(weight[ranked])
    reached = np.searchsorted(np.maximum.accumulate(sums), target * sums[-1] * (1 - 1e-11), side="left")
    return float(score[ranked][min(int(reached), len(score) - 1)])
