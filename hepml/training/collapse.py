"""Is a network learning, or does it give one number for everything?

A collapsed network (dead rectifiers, a learning rate too high) has the loss of the best constant, ln 2 for balanced
classes, and an AUC of 0.5 that looks like a result: the published network on HCal images, with learning rate 0.01
and dropout 0.5, ended so. A slow but sound start has that loss too, but its output differs from event to event, so a
training is stopped early only for a constant output, and at its end for a loss that never left the constant's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEAD", "PATIENCE", "constant_loss", "never_learnt", "spread"]

DEAD = 1e-6  # outputs that differ by less do not depend on the input: dead rectifiers, a saturated sigmoid
PATIENCE = 3  # epochs in a row
_CONSTANT = 1e-4  # the same at the end of a training; at its start faint images can give so little
_FLAT = 0.02  # spread of an output that carries no information, when the loss says so too
_GAIN = 1e-3  # relative gain on the constant's loss that counts as learning


def constant_loss(
    y_train: NDArray[Any],
    w_train: NDArray[Any],
    y: NDArray[Any],
    w: NDArray[Any],
    *,
    classes: int,
) -> float:
    """The loss on (y, w) of the best constant prediction for (y_train, w_train), averaged as Keras does.

    Args:
        classes: number of classes; 0 for a regression, whose loss is the squared error.

    Example:
        >>> half = np.array([0, 1])
        >>> round(constant_loss(half, np.ones(2), half, np.ones(2), classes=2), 4)
        0.6931
    """
    if not classes:
        mean = np.average(y_train, axis=0, weights=w_train)
        squares = (y - mean) ** 2
        return float(np.mean(w * (squares if squares.ndim == 1 else squares.mean(axis=1))))
    share = np.bincount(y_train.astype(np.int64), weights=w_train, minlength=classes) / w_train.sum()
    share = np.clip(share, 1e-6, 1.0)  # negative weights can leave a class with less than nothing
    return float(np.mean(w * -np.log(share / share.sum())[y.astype(np.int64)]))


def spread(outputs: NDArray[Any], y: NDArray[Any], task: str) -> float:
    """Largest difference between the outputs of two events; in standard deviations of the target for a regression."""
    widest = float(np.max(np.ptp(outputs, axis=0)))
    if task != "regression":
        return widest
    deviation = float(np.max(np.std(y, axis=0)))
    return widest / deviation if deviation > 0 else widest


def never_learnt(best_loss: float, constant: float, width: float) -> str:
    """Why a finished training is worthless, one number for everything or no gain and next to no spread; else empty."""
    if width < _CONSTANT:
        return f"the output is constant to {width:.1g}"
    if best_loss > constant - _GAIN * abs(constant) and width < _FLAT:
        return f"the validation loss stayed at {best_loss:.5f}, a constant output has {constant:.5f}"
    return ""
