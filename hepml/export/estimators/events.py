"""Events to try an ensemble on: on its thresholds, beside them, around them, and far away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.export.estimators.ensemble import Ensemble

__all__ = ["threshold_events"]


def threshold_events(ensemble: Ensemble, n_features: int, n: int, seed: int) -> NDArray[np.float32]:
    """float32 (n, n_features), finite, the same on every machine.

    Values are thresholds of their feature rounded to float32, the float32 numbers next to those, numbers between the
    smallest and the largest threshold, and some that are zero or huge.
    """
    generator = np.random.default_rng([seed, 20111984])
    features = np.concatenate([tree.feature for tree in ensemble.trees])
    thresholds = np.concatenate([tree.threshold for tree in ensemble.trees])
    largest = np.finfo(np.float32).max
    events = np.empty((n, n_features), np.float32)
    for k in range(n_features):
        limits = np.unique(np.clip(thresholds[features == k], -largest, largest)).astype(np.float32)
        limits = limits[np.abs(limits) < 1e30] if np.any(np.abs(limits) < 1e30) else np.zeros(1, np.float32)
        picked = generator.choice(limits, n)
        low, high = float(limits[0]), float(limits[-1])
        spread = max(high - low, abs(high), 1e-3)
        between = (low - 0.25 * spread + 1.5 * spread * generator.random(n)).astype(np.float32)
        far = generator.choice(np.array([0.0, -0.0, 1e30, -1e30, 1e-40], np.float32), n)
        candidates = [picked, np.nextafter(picked, np.float32(np.inf)), np.nextafter(picked, -np.float32(np.inf)), far]
        kind = generator.integers(0, 10, n)
        events[:, k] = np.select([kind == 0, kind == 1, kind == 2, kind == 3], candidates, between)
    return events
