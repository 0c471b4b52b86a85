"""Responses of multiclass methods, and how far a regression is off its targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.output.histograms import Axis, Histogram, histogram, histogram2d, unit_area
from tmva_bridge.sample import Sample, Setup

__all__ = ["multiclass", "regression"]

_BINS, _MARGIN = 40, 0.0002
_BINS_2D, _ROOM = 50, 1.01  # bins, and room beside the values in bins
_FINE, _PART = 500, 0.9


def multiclass(
    prefix: str, setup: Setup, sample: Sample, responses: NDArray[np.float32]
) -> Iterator[tuple[str, Histogram]]:
    """Names and histograms; of the response for one class in events of another, as TMVA names them.

    Args:
        prefix: such as "MVA_BDTG_Test".
        responses: (n, classes).
    """
    axis = Axis(_BINS, float(np.float32(-_MARGIN)), float(np.float32(1 + _MARGIN)))
    weights = sample.weights.astype(np.float32)
    for true, in_events in enumerate(setup.classes):
        chosen = sample.classes == true
        for place, response in enumerate(setup.classes):
            name = f"{prefix}_{response}_prob_for_{in_events}"
            yield name, unit_area(histogram("TH1F", name, axis, responses[chosen, place], weights[chosen]))


def regression(
    prefix: str, setup: Setup, sample: Sample, train: Sample, responses: NDArray[np.float32]
) -> Iterator[tuple[str, Histogram]]:
    """Names and histograms.

    Args:
        prefix: such as "MVA_LDtest".
        train: the training sample, whose values belong to the ranges too.
        responses: (n, targets).
    """
    groups = (
        ("var", setup.variables, sample.values, train.values),
        ("tgt", setup.targets, sample.targets, train.targets),
    )
    differences = responses - sample.targets  # float32, as in TMVA
    for label, infos, values, trained in groups:
        for i, info in enumerate(infos):
            x = _spread(np.concatenate([values[:, i], trained[:, i]]), info.title or info.label)
            for j, target in enumerate(setup.targets):
                title = target.title or target.label
                y = _spread(differences[:, j], f"{title}_{{regression}} - {title}_{{true}}")
                name = f"{prefix}_reg_{label}{i}_rtgt{j}"
                yield name, histogram2d(name, x, y, values[:, i], differences[:, j])
    for j in range(len(setup.targets)):
        squares = differences[:, j] * differences[:, j]
        name = f"{prefix}_Quadr_Deviation_target_{j}_"
        made = _quadratic(name, squares, sample.weights, float(squares.max(initial=0)))
        yield name, made
        limit = quantile(made, _PART)
        kept = squares.astype(np.float64) <= limit
        name = f"{prefix}_Quadr_Dev_best90perc_target_{j}_"
        yield name, _quadratic(name, squares[kept], sample.weights[kept], limit)


def _spread(values: NDArray[np.float32], title: str) -> Axis:
    """All values and a bin's room on both sides, computed in float32."""
    if not len(values):
        return Axis(_BINS_2D, 0.0, 1.0, title)
    low, high = values.min(), values.max()
    room = _ROOM * float((high - low) / np.float32(_BINS_2D - 1))
    return Axis(_BINS_2D, float(np.float32(float(low) - room)), float(np.float32(float(high) + room)), title)


def _quadratic(name: str, squares: NDArray[np.float32], weights: NDArray[np.float64], largest: float) -> Histogram:
    high = float(np.float32(float(np.float32(largest)) * 1.1)) or 1.0
    axis = Axis(_FINE, 0.0, high, "Quadratic Deviation")
    made = histogram("TH1F", name, axis, squares, weights.astype(np.float32))
    return replace(made, y_title="Weighted Entries")


def quantile(one: Histogram, part: float) -> float:
    """Where a part of the contents lies below, linear inside of the bin, as ROOT computes it.

    Example:
        >>> quantile(histogram("TH1F", "", Axis(2, 0, 2), [0.5, 1.5]), 0.75)
        1.5
    """
    sums = np.concatenate([[0.0], np.cumsum(one.values.astype(np.float64))])
    if not sums[-1] > 0:
        return one.x.low
    below = sums / sums[-1]
    at = int(np.searchsorted(below[:-1], part, side="right")) - 1
    width = (one.x.high - one.x.low) / one.x.bins
    inside = float(below[at + 1] - below[at])
    return one.x.low + at * width + (width * (part - float(below[at])) / inside if inside > 0 else 0.0)
