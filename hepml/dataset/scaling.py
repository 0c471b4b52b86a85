"""Scaling constants, fitted on the training split alone: x' = (x + offset) * scale, as lwtnn writes it.

Flat inputs get mean 0 and standard deviation 1, column by column. An image has one scale, the inverse of the mean
image sum: a multiplication keeps empty pixels empty and the relation between pixels. The file holds raw values; the
constants are stored beside them and become part of every model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["apply_scaling", "fit_flat", "fit_image"]

_ROWS = 65536  # that are in memory together
Constants = dict[str, list[float]]


def fit_flat(values: Any) -> Constants:
    """Offset and scale of each column of a flat input, an array or an HDF5 data set of shape (n, variables).

    The scale of a constant column is 1; without rows every offset is 0 and every scale 1. Memory does not grow with n.
    """
    if not len(values):
        return {"offset": [0.0] * values.shape[1], "scale": [1.0] * values.shape[1]}
    mean = sum(np.sum(x, axis=0) for x in _steps(values)) / len(values)
    deviation = np.sqrt(sum(np.sum((x - mean) ** 2, axis=0) for x in _steps(values)) / len(values))
    largest = np.max([np.abs(x).max(axis=0) for x in _steps(values)], axis=0)
    constant = deviation <= 1e-12 * largest
    scale = 1.0 / np.where(constant, 1.0, deviation)
    return {"offset": (-mean).tolist(), "scale": scale.tolist()}


def _steps(values: Any) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(values), _ROWS):
        yield np.asarray(values[start : start + _ROWS], dtype=np.float64)


def fit_image(total: float, count: int) -> Constants:
    """The one scale of an image input: the inverse of the mean image sum; 1 if there is no image or no energy."""
    return {"offset": [0.0], "scale": [count / total if count and total > 0 else 1.0]}


def apply_scaling(values: NDArray[np.float32], constants: Mapping[str, Any]) -> NDArray[np.float32]:
    """(values + offset) * scale along the last axis, in float64, rounded to float32.

    Example:
        >>> apply_scaling(np.float32([[1, 2]]), {"offset": [-1, 0], "scale": [1, 0.5]})
        array([[0., 1.]], dtype=float32)
    """
    offset, scale = np.asarray(constants["offset"], np.float64), np.asarray(constants["scale"], np.float64)
    if not offset.any():
        return np.asarray(values * scale.astype(np.float32), dtype=np.float32)
    return np.asarray((values.astype(np.float64) + offset) * scale, dtype=np.float32)
