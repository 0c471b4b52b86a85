"""The smoothing of histograms that TMVA asks of ROOT: "353QH, twice" (Friedman, in CERN's program library)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["smooth"]

Bins = NDArray[np.float64]
Number = TypeVar("Number", np.float32, np.float64)


def smooth(contents: NDArray[Number], passes: int) -> NDArray[Number]:
    """The contents of a histogram's bins after `passes` of smoothing, as ROOT 6.38 smooths.

    The work is in double precision, the result of the type of the contents. Fewer than three bins stay as they are.

    Args:
        contents: float32 or float64 (bins,).
        passes: how often.

    Example:
        >>> smooth(np.float32([0, 0, 9, 0, 0]), 1).tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    if len(contents) < 3:
        return contents
    data = contents.astype(np.float64)
    least = 0.0 if data.min() >= 0 else -np.inf
    for _ in range(passes):
        rough = _rough(data)
        data = np.maximum(rough + _rough(data - rough), least)
    return data.astype(contents.dtype)


def _rough(data: Bins) -> Bins:
    """Running medians of 3, 5 and 3 bins, parabolas through flat places, and a mean of 1/4, 1/2, 1/4."""
    first = _median3(data)
    first[0] = np.median([first[1], data[0], 3 * first[1] - 2 * first[2]])
    first[-1] = np.median([first[-2], data[-1], 3 * first[-2] - 2 * first[-3]])
    third = _median3(_median5(first))
    return _hanning(_flat_places(third))


def _median3(data: Bins) -> Bins:
    """The median of each bin and its two neighbours; the ends stay."""
    out = data.copy()
    out[1:-1] = np.median(np.stack([data[:-2], data[1:-1], data[2:]]), axis=0)
    return out


def _median5(data: Bins) -> Bins:
    """The median of five bins; of three beside the ends; the ends stay."""
    out = _median3(data)
    if len(data) >= 5:
        out[2:-2] = np.median(np.stack([data[i : len(data) - 4 + i] for i in range(5)]), axis=0)
    return out


def _flat_places(data: Bins) -> Bins:
    """Two of three equal bins are replaced where both outer neighbours lie on the same side."""
    out = data.copy()
    for i in range(2, len(data) - 2):
        if not data[i - 1] == data[i] == data[i + 1]:
            continue
        left, right = data[i - 2] - data[i], data[i + 2] - data[i]
        if left * right <= 0:
            continue
        side = -1 if abs(right) > abs(left) else 1  # toward the nearer of the outer neighbours
        near, far = data[i + 2 * side], data[i - 2 * side]
        out[i] = -far / 2 + data[i] / 0.75 + near / 6
        out[i + side] = (near - far) / 2 + data[i]
    return out


def _hanning(data: Bins) -> Bins:
    out = data.copy()
    out[1:-1] = data[:-2] / 4 + data[1:-1] / 2 + data[2:] / 4
    return out
