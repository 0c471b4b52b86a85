"""Signal efficiency and rejection against pT, eta or pile-up at one fixed threshold.

A cut fixed beforehand (from the validation split) makes the counts in a bin binomial: Clopper-Pearson for equal
weights. With weights the candidates of a bin are resampled; the threshold stays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.metrics.intervals import clopper_pearson, percentile_interval
from hepml.metrics.results import CONFIDENCE, BinnedEfficiency, Floats, ScoredEvents

__all__ = ["binned_efficiency", "equal_count_edges"]


def equal_count_edges(values: ArrayLike, bins: int) -> Floats:
    """Edges of bins with about equal numbers of candidates; fewer bins where values repeat.

    Args:
        values: shape (n,); those that are not finite are left out.
        bins: wanted number of bins.

    Returns:
        Ascending edges, the last a little above the largest value; shape (0,) for no values.

    Example:
        >>> equal_count_edges([1.0, 2.0, 3.0, 4.0], 2)[:2].tolist()
        [1.0, 2.5]
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    if not len(x):
        return np.zeros(0)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)))
    top = np.nextafter(np.float32(edges[-1]), np.float32(np.inf))  # columns are float32
    return np.append(edges[:-1] if len(edges) > 1 else edges, float(top))


def binned_efficiency(
    events: ScoredEvents,
    variable: ArrayLike,
    edges: ArrayLike,
    threshold: float,
    *,
    quantity: str = "signal_efficiency",
    name: str = "",
    unit: str = "",
    signal_efficiency: float = float("nan"),
    n: int = 400,
    seed: int = 0,
    level: float = CONFIDENCE,
) -> BinnedEfficiency:
    """Efficiency of the signal, or rejection of the background, in bins of a variable.

    Args:
        events: checked by `make_events`.
        variable: shape (n,), the binned variable; a value outside the edges (or nan) is in no bin.
        edges: ascending, shape (bins + 1,); a bin holds its lower edge.
        threshold: the cut, score >= threshold, fixed beforehand.
        quantity: "signal_efficiency" or "rejection".
        name, unit, signal_efficiency: of the variable and of the global working point, carried into the record.
        n, seed: bootstrap replicas and seed, used for weighted events only.
        level: confidence of the intervals.

    Returns:
        One entry a bin. A rejection with nothing passing is inf with a finite lower bound (equal weights).

    Raises:
        DataError: another quantity, or edges that do not ascend.

    Source:
        Clopper and Pearson, Biometrika 26 (1934) 404.
    """
    if quantity not in ("signal_efficiency", "rejection"):
        raise DataError(f"no quantity is named {quantity!r}", expected="signal_efficiency or rejection")
    bounds, x = np.asarray(edges, dtype=np.float64), np.asarray(variable, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise DataError("bin edges must ascend, two at least", where=name or None, found=bounds.tolist())
    bins = len(bounds) - 1
    chosen = events.label == (1 if quantity == "signal_efficiency" else 0)
    place = np.searchsorted(bounds, x[chosen], side="right") - 1
    inside = (place >= 0) & (place < bins)
    place, w = place[inside], events.weight[chosen][inside]
    above = (events.score[chosen] >= threshold)[inside]
    count = np.bincount(place, minlength=bins)
    passing = np.bincount(place[above], minlength=bins)
    if not len(w) or (w == w[0]).all():
        efficiency = np.where(count > 0, passing / np.maximum(count, 1), np.nan)
        low, high = clopper_pearson(passing, count, level)
        low, high = np.where(count > 0, low, np.nan), np.where(count > 0, high, np.nan)
    else:
        efficiency = _efficiency(place, above, w, bins)
        low, high = percentile_interval(_replicas(place, above, w, bins=bins, n=n, seed=seed), level)
    if quantity == "rejection":
        with np.errstate(divide="ignore"):
            efficiency, low, high = (1.0 / np.maximum(e, 0.0) for e in (efficiency, high, low))
    return BinnedEfficiency(
        name, bounds, efficiency, low, high, quantity, count, passing, signal_efficiency, float(threshold), unit
    )


def _efficiency(place: NDArray[np.int64], above: NDArray[np.bool_], weight: Floats, bins: int) -> Floats:
    total = np.bincount(place, weights=weight, minlength=bins)
    passing = np.bincount(place[above], weights=weight[above], minlength=bins)
    return np.where(total > 0, passing / np.where(total > 0, total, 1.0), np.nan)


def _replicas(
    place: NDArray[np.int64], above: NDArray[np.bool_], weight: Floats, *, bins: int, n: int, seed: int
) -> Floats:
    rng = np.random.default_rng(seed)
    drawn = np.empty((n, bins))
    for replica in range(n):
        counts = np.bincount(rng.integers(0, len(weight), len(weight)), minlength=len(weight))
        drawn[replica] = _efficiency(place, above, weight * counts, bins)
    return drawn
