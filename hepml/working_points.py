"""Which candidates pass: a number, or the thresholds of a network file, in bins of pT and eta or everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.evaluator import Evaluator
from hepml.folds import Folds

__all__ = ["WorkingPoint", "working_point"]


@dataclass(frozen=True)
class WorkingPoint:
    """When a candidate passes: score >= threshold of the bin that holds its pT (GeV) and eta.

    Attributes:
        cuts: (threshold, pt, eta); a bin is [low, high) or None for all. Outside of all bins nothing passes.
    """

    cuts: tuple[tuple[float, tuple[float, float] | None, tuple[float, float] | None], ...]

    def passes(
        self, score: NDArray[np.float32], pt: NDArray[np.float64], eta: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which candidates pass, bool (n,); a NaN score never does."""
        passed = np.zeros(len(score), dtype=bool)
        for threshold, *bins in self.cuts:
            inside = np.ones(len(score), dtype=bool)
            for value, limits in zip((pt, eta), bins, strict=True):
                if limits is not None:
                    inside &= (value >= limits[0]) & (value < limits[1])
            passed |= inside & (score.astype(np.float64) >= threshold)
        return passed


def working_point(
    network: Evaluator | Folds, *, threshold: float | None = None, signal_efficiency: float | None = None
) -> WorkingPoint | None:
    """The working point that was asked for: a number, or one that is stored in the file; None for neither.

    Of the stored ones those in bins of pT and eta are taken if there are any, as `hepml::Tagger::passes` does.

    Raises:
        DataError: both are given, the file stores nothing for this signal efficiency, or it is asked of the networks
            of several folds, which have no cut in common.
    """
    if threshold is not None and signal_efficiency is not None:
        raise DataError("a threshold and a signal efficiency are both given", fix="give one of them")
    if threshold is not None:
        return WorkingPoint(((threshold, None, None),))
    if signal_efficiency is None:
        return None
    if isinstance(network, Folds):
        raise DataError(
            "the networks of folds have no working point in common",
            expected="a threshold on the scores",
            found=f"a signal efficiency of {signal_efficiency:g}",
            fix="give --threshold",
        )
    stored = [t for t in network.thresholds if abs(t["signal_efficiency"] - signal_efficiency) < 1e-9]
    if not stored:
        known = sorted({t["signal_efficiency"] for t in network.thresholds})
        raise DataError(
            f"the file stores no threshold for a signal efficiency of {signal_efficiency:g}",
            expected="one of " + (", ".join(f"{value:g}" for value in known) or "none: it stores no working points"),
            fix="run hepml evaluate before hepml export, or give --threshold",
        )
    bins = [(t["threshold"], *(tuple(t[k]) if t.get(k) else None for k in ("pt", "eta"))) for t in stored]
    binned = [cut for cut in bins if cut[1:] != (None, None)]
    return WorkingPoint(tuple(binned or bins[:1]))
