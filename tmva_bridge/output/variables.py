"""Histograms of variables and targets, of pairs of them, and their linear correlations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Variable
from tmva_bridge.output.histograms import Axis, Histogram, histogram, histogram2d, profile
from tmva_bridge.sample import Sample, Setup

__all__ = ["Columns", "columns_of", "correlation_matrices", "plots"]

_BINS, _BINS_2D, _RMS = 40, 300, 8.0
_MOST = 20  # variables and targets for which pairs are drawn


@dataclass(frozen=True)
class Columns:
    """Values of a sample in some transformation.

    Attributes:
        values: float32 (n, variables and targets).
        chain: short names of the transformations, joined by "_", such as "Gauss_Deco"; "Id" of none.
    """

    values: NDArray[np.float32]
    classes: NDArray[np.int32]
    weights: NDArray[np.float64]
    chain: str


def columns_of(sample: Sample, values: NDArray[np.float32], targets: NDArray[np.float32], chain: str) -> Columns:
    """The sample with these, transformed, values and targets."""
    joined = np.concatenate([values, targets], axis=1)
    return Columns(joined, sample.classes, sample.weights.astype(np.float32).astype(np.float64), chain)


def plots(setup: Setup, columns: Columns, suffix: str = "", pairs: bool = True) -> Iterator[tuple[str, Histogram]]:
    """Paths and histograms, one after the other.

    Args:
        suffix: of the names, such as "_Id".
        pairs: whether to make those of two variables too, in the folder CorrelationPlots.
    """
    infos = (*setup.variables, *setup.targets)
    count = len(setup.variables)
    values = columns.values.astype(np.float64)
    low, high = values.min(axis=0, initial=np.inf), values.max(axis=0, initial=-np.inf)
    mean, rms = _moments(values, columns.weights)
    of_class = [columns.classes == c for c in range(len(setup.classes))]
    weights = [columns.weights[chosen] for chosen in of_class]
    for i, info in enumerate(infos):
        axis = _axis(info, columns.chain, *map(float, (low[i], high[i], mean[i], rms[i])))
        y_title = f"dN_{{ }}/^{{ }}{(axis.high - axis.low) / axis.bins:.3g} {info.unit}"
        for c, name in enumerate(setup.classes):
            label = name + ("_target" if i >= count and len(setup.targets) == 1 else "")
            made = histogram("TH1F", _title(info), axis, values[of_class[c], i], weights[c])
            yield f"{info.internal}__{label}{suffix}", replace(made, y_title=y_title)
    if not pairs or len(infos) > _MOST or count < 2:
        return
    for i in range(count):
        for j in range(i + 1, count):
            one, other = infos[i], infos[j]
            x = Axis(_BINS_2D, float(low[i]), float(high[i]), _axis_title(one, columns.chain))
            y = Axis(_BINS_2D, float(low[j]), float(high[j]), _axis_title(other, columns.chain))
            rough = Axis(_BINS, x.low, x.high, x.title)
            for c, name in enumerate(setup.classes):
                a, b = values[of_class[c], i], values[of_class[c], j]
                said = f"{_title(other)} versus {_title(one)} ({name}){suffix}"
                ending = f"{other.internal}_vs_{one.internal}_{name}{suffix}"
                yield f"CorrelationPlots/scat_{ending}", histogram2d(said, x, y, a, b, weights[c])
                made = profile(f"profile {said}", rough, y.title, a, b, weights[c])
                yield f"CorrelationPlots/prof_{ending}", made


def _moments(values: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    total = weights.sum()
    if not total:
        return np.zeros(values.shape[1]), np.zeros(values.shape[1])
    mean = weights @ values / total
    return mean, np.sqrt(np.maximum(weights @ (values * values) / total - mean * mean, 0))


def _axis(info: Variable, chain: str, low: float, high: float, mean: float, rms: float) -> Axis:  # noqa: PLR0917
    title = _axis_title(info, chain)
    if not low <= high:  # no events
        return Axis(_BINS, 0.0, 1.0, title)
    if info.kind == "I":
        whole = round(low), round(high + 1)
        return Axis(whole[1] - whole[0], float(whole[0]), float(whole[1]), title)
    first, last = max(low, mean - _RMS * rms), min(high, mean + _RMS * rms)
    if first >= last:
        last = first * 1.1
    if first >= last:
        last = first + 1
    return Axis(_BINS, first, last + (last - first) / _BINS, title)


def _title(info: Variable) -> str:
    return info.title or info.label


def _axis_title(info: Variable, chain: str) -> str:
    transformed = "" if chain == "Id" else f" ({chain})"
    return _title(info) + transformed + (f"  [{info.unit}]" if info.unit else "")


def correlation_matrices(setup: Setup, sample: Sample) -> Iterator[tuple[str, Histogram]]:
    """Names and matrices of linear correlations in percent, of each class of the training sample."""
    names = {
        "Classification": [("S", "signal"), ("B", "background")],
        "Multiclass": [(name, name) for name in setup.classes],
        "Regression": [("", "")],
    }[setup.analysis]
    titles = tuple(_title(one) for one in setup.variables)
    count = len(titles)
    axis = Axis(count, 0, count, labels=titles)
    for c, (name, said) in enumerate(names):
        chosen = sample.classes == c
        matrix = np.zeros((count + 2, count + 2))
        matrix[1:-1, 1:-1] = _correlations(sample.values[chosen], sample.weights[chosen]).astype(np.float32)
        yield (
            f"CorrelationMatrix{name}",
            Histogram(
                "TH2F",
                f"Correlation Matrix ({said})" if said else "Correlation Matrix",
                axis,
                np.trunc((100 * matrix).astype(np.float32)).ravel(),
                y=axis,
                squares=np.abs(matrix).ravel() * 1e4,
                entries=2.0 * count * count,
                limits=(-100.0, 100.0),
                marker={"fMarkerSize": 1.5, "fMarkerColor": 0},
            ),
        )


def _correlations(values: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    x = values.astype(np.float64)
    total = weights.sum()
    if not total:
        return np.eye(x.shape[1])
    mean = weights @ x / total
    covariance = (x * weights[:, None]).T @ x / total - np.outer(mean, mean)
    variances = np.outer(np.diag(covariance), np.diag(covariance))
    out = np.where(variances > 1e-20, covariance / np.sqrt(np.maximum(variances, 1e-20)), 0)
    np.fill_diagonal(out, 1.0)
    return out
