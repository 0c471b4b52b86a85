r"""Is a score a probability: reliability curve, expected calibration error, Brier score.

The observed signal fraction is that of the evaluated sample with its weights; a score can be calibrated only for the
mixture of classes it was trained on, so a curve off the diagonal after reweighting is expected.

.. math:: \mathrm{ECE} = \sum_b \frac{W_b}{W}\,|f_b - \bar s_b|, \qquad \mathrm{Brier} = \sum_i w_i (s_i - y_i)^2 / W

Source:
    Brier, Mon. Weather Rev. 78 (1950) 1; Naeini, Cooper, Hauskrecht, AAAI 29 (2015) 2901 (ECE, equal-width bins).
"""

from __future__ import annotations

import numpy as np

from hepml.errors import DataError
from hepml.metrics.intervals import weighted_efficiency_interval
from hepml.metrics.results import Calibration, ScoredEvents

__all__ = ["calibration_curve"]


def calibration_curve(events: ScoredEvents, bins: int = 10) -> Calibration:
    """Reliability of the scores in bins of equal width on [0, 1].

    Args:
        events: checked by `make_events`; scores in [0, 1].
        bins: number of bins.

    Returns:
        One entry for each bin with a positive sum of weights; intervals are Clopper-Pearson (weights: with effective
        counts).

    Raises:
        DataError: a score outside [0, 1]: not a probability.

    Example:
        >>> from hepml.metrics import make_events
        >>> round(calibration_curve(make_events([0.25, 0.75], [0, 1]), bins=2).ece, 3)
        0.25
    """
    s, y, w = events.score, events.label, events.weight
    if s.min() < 0 or s.max() > 1:
        raise DataError(
            "calibration needs scores that are probabilities",
            expected="scores in [0, 1]",
            found=f"{s.min():g} to {s.max():g}",
        )
    edges = np.linspace(0.0, 1.0, bins + 1)
    where = np.minimum((s * bins).astype(np.int64), bins - 1)
    count = np.bincount(where, minlength=bins)
    total, squares, signal, mean = (np.bincount(where, weights=x, minlength=bins) for x in (w, w * w, w * y, w * s))
    kept = total > 0
    fraction, score = signal[kept] / total[kept], mean[kept] / total[kept]
    lower, upper = weighted_efficiency_interval(signal[kept], total[kept], squares[kept])
    ece = float(np.sum(total[kept] * np.abs(fraction - score)) / total[kept].sum())
    brier = float(np.sum(w * (s - y) ** 2) / w.sum())
    prior = float(np.sum(w * y) / w.sum())
    return Calibration(edges, score, fraction, lower, upper, count[kept], ece, brier, prior * (1 - prior))
