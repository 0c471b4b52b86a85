"""Gaussian toys with known answers: signal N(separation, 1), background N(0, 1)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import settings
from scipy.stats import norm

from hepml.metrics import ScoredEvents, make_events

settings.register_profile("metrics", deadline=None)  # facts, not speed, are asserted
settings.load_profile("metrics")


class Toys:
    @staticmethod
    def gaussian(n_signal, n_background, seed, separation=2.0, *, weight=None, group=None) -> ScoredEvents:
        rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
        score = np.concatenate([rng.normal(separation, 1, n_signal), rng.normal(0, 1, n_background)])
        label = np.concatenate([np.ones(n_signal), np.zeros(n_background)])
        return make_events(score, label, weight, group)

    @staticmethod
    def auc(separation=2.0) -> float:
        return float(norm.cdf(separation / math.sqrt(2)))

    @staticmethod
    def rejection(signal_efficiency, separation=2.0) -> float:
        return float(1 / norm.sf(norm.isf(signal_efficiency) + separation))


@pytest.fixture(scope="session")
def toys() -> type[Toys]:
    return Toys
