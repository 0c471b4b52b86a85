"""Small trainings: two classes in a plane, and data.h5 from the bundled sample."""

from typing import Any

import numpy as np

SMALL = {"layers": 1, "units": 8, "epochs": 3, "learning_rate": 0.01}


def plane(n: int = 600, seed: int = 0) -> dict[str, Any]:
    """Two overlapping classes with unequal scales and offsets of the variables."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 2)) + y[:, None] * [1.5, 0.5]
    return {"arrays": {"x": x * [10.0, 0.1] + [100.0, 0.0]}, "y": y}


def squares(n: int = 400) -> dict[str, Any]:
    """Small images of one bright square each, brighter for label 1."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = np.zeros((n, 12, 12, 1), dtype=np.float32)
    for event, label in zip(x, y, strict=True):
        row, column = rng.integers(2, 9, size=2)
        event[row : row + 2, column : column + 2] = (1 + 2 * label) * rng.uniform(0.5, 1, size=(2, 2, 1))
    return {"arrays": {"et": x}, "y": y}
