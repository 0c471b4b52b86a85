r"""Weights that make signal and background alike in some variables, so that a network cannot learn from them.

The variables are divided into bins; with S and B the fractions of each class in a bin, a signal candidate is weighted
with B / (S + B) and a background candidate with S / (S + B). Both classes then have the distribution S B / (S + B),
exactly in the bins, no weight is above 1, and a bin that only one class reaches counts for nothing. The weights are
fitted on the training rows alone and applied to the validation rows too, so that the best epoch is chosen by the loss
that is trained.

Source:
    F. Li, K. L. Morgan, A. M. Zaslavsky, J. Am. Stat. Assoc. 113 (2018) 390 (overlap weights); planing: S. Chang,
    T. Cohen, B. Ostdiek, Phys. Rev. D 97 (2018) 056009, arXiv:1709.10106.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError

__all__ = ["Planing", "fit_planing"]

Floats = NDArray[np.float64]
_ROWS_PER_BIN = 100
_MOST_BINS = 40


@dataclass(frozen=True)
class Planing:
    """Bins, and the factor of each class in them.

    Attributes:
        edges: by variable, ascending; the first and the last bin are open.
        factor: of background and signal, shape (2, bins of the first variable, of the second ...).
        n_effective: of background and signal training rows, before and after: ((b, s), (b, s)).
    """

    edges: Mapping[str, Floats]
    factor: Floats
    n_effective: tuple[tuple[float, float], tuple[float, float]]

    def weights(self, columns: Mapping[str, Floats], y: NDArray[Any]) -> Floats:
        """The factor of every row, shape (n,)."""
        return self.factor.reshape(2, -1)[y.astype(np.int64), _places(self.edges, columns)]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for the record of a run."""
        names = ("background", "signal")
        return {
            "edges": {name: edges.tolist() for name, edges in self.edges.items()},
            "factor": dict(zip(names, self.factor.tolist(), strict=True)),
            "n_effective": dict(zip(("before", "after"), map(list, self.n_effective), strict=True)),
        }


def fit_planing(columns: Mapping[str, Floats], y: NDArray[Any], weight: Floats) -> Planing:
    """Planing weights from training rows.

    Args:
        columns: the variables, shape (n,) each, finite.
        y: labels, 1 signal, 0 background.
        weight: event weights.

    Returns:
        The weights, in bins with about equal numbers of rows: as many as leave 100 rows in a bin of all variables, at
        most 40 a variable.

    Raises:
        DataError: a value is not finite, or signal and background share no bin.

    Example:
        >>> x = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0] * 100)
        >>> y = np.repeat([0, 0, 0, 0, 1, 1, 1, 1], 100)[np.arange(800).reshape(100, 8).T.argsort(axis=None)]
        >>> planing = fit_planing({"x": x}, y, np.ones(800))
        >>> w = planing.weights({"x": x}, y)
        >>> round(float(np.average(x[y == 1], weights=w[y == 1]) - np.average(x[y == 0], weights=w[y == 0])), 12)
        0.0
    """
    for name, values in columns.items():
        if not np.isfinite(values).all():
            bad = int(np.count_nonzero(~np.isfinite(values)))
            raise DataError(
                f"the variable {name!r} cannot be planed: it is not finite", found=f"{bad} of {len(y)} rows"
            )
    wanted = int(np.clip((len(y) / _ROWS_PER_BIN) ** (1 / len(columns)), 2, _MOST_BINS))
    edges = {name: np.unique(np.quantile(values, np.linspace(0, 1, wanted + 1))) for name, values in columns.items()}
    shape = [max(1, len(one) - 1) for one in edges.values()]
    place, labels = _places(edges, columns), y.astype(np.int64)
    sums = np.stack(
        [np.bincount(place[labels == c], weight[labels == c], minlength=int(np.prod(shape))) for c in (0, 1)]
    )
    share = np.maximum(sums, 0.0)  # negative event weights can leave less than nothing
    share /= np.maximum(share.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    common = (share > 0).all(axis=0)
    factor = np.where(common, share[::-1] / np.where(common, share.sum(axis=0), 1.0), 0.0)
    if not (factor * share).any():
        raise DataError(
            "signal and background share no bin of the variables to plane", found=", ".join(columns), fix="plane others"
        )
    after = weight * factor[labels, place]
    counts = [tuple(_effective(w[labels == c]) for c in (0, 1)) for w in (weight, after)]
    return Planing(edges, factor.reshape(2, *shape), (counts[0], counts[1]))  # type: ignore[arg-type]


def _places(edges: Mapping[str, Floats], columns: Mapping[str, Floats]) -> NDArray[np.int64]:
    """Number of the bin of every row; what lies outside belongs to the first or the last bin."""
    place = np.zeros(len(next(iter(columns.values()))), dtype=np.int64)
    for name, bounds in edges.items():
        place = place * max(1, len(bounds) - 1) + np.searchsorted(bounds[1:-1], columns[name], side="right")
    return place


def _effective(weight: Floats) -> float:
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares > 0 else 0.0
