"""How good a classifier is, and whether it is overtrained, by TMVA's definitions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import kolmogorov

from hepml.errors import DataError
from tmva_bridge.output.curves import roc_integral

__all__ = ["kolmogorov_test", "roc_integral"]


def kolmogorov_test(first: ArrayLike, second: ArrayLike, first_squares: ArrayLike, second_squares: ArrayLike) -> float:
    """The probability that two histograms are samples of one distribution, as ROOT's TH1::KolmogorovTest.

    TMVA's GUI compares the responses of training and test samples so; where one probability is below 0.01, a method
    is commonly called overtrained. Binned contents give somewhat larger probabilities than events would.

    Args:
        first, second: (bins,) contents; their scale does not matter.
        first_squares, second_squares: (bins,) sums of squared weights, on the same scale.

    Returns:
        A number between 0 and 1; 0 if one of them is empty, as ROOT.

    Raises:
        DataError: histograms of different binnings.

    Example:
        >>> round(kolmogorov_test([10, 20, 10], [12, 18, 10], [10, 20, 10], [12, 18, 10]), 3)
        1.0
    """
    a, b, u, v = (np.asarray(one, dtype=np.float64) for one in (first, second, first_squares, second_squares))
    if not a.shape == b.shape == u.shape == v.shape:
        raise DataError("histograms of different binnings", expected=a.shape, found=(b.shape, u.shape, v.shape))
    sums = a.sum(), b.sum()
    if not all(sums):
        return 0.0
    effective = [
        total**2 / squares.sum() if squares.any() else np.inf for total, squares in zip(sums, (u, v), strict=True)
    ]
    events = effective[0] if np.isinf(effective[1]) else effective[1]
    if not np.isinf(effective).any():
        events = effective[0] * effective[1] / sum(effective)
    largest = np.abs(np.cumsum(a) / sums[0] - np.cumsum(b) / sums[1]).max()
    return float(kolmogorov(largest * np.sqrt(events)))
