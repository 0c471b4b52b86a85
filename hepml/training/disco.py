r"""A loss that grows with the dependence between the score of the background and a variable.

.. math:: L = L_{classifier} + \sum_v \lambda_v\,\mathrm{dCorr}^2_{y=0}(v, s)

    dCorr^2(X, Y) = dCov^2(X, Y) / sqrt(dCov^2(X, X) dCov^2(Y, Y)),    dCov^2(X, Y) = sum_jk p_j p_k A_jk B_jk,
    A_jk = a_jk - a_j. - a_.k + a_..,    a_jk = |X_j - X_k|,    a_j. = sum_k p_k a_jk,    a_.. = sum_jk p_j p_k a_jk

with p the event weights of the background candidates of a batch over their sum, and B likewise from Y. The distance
correlation is 0 for independent variables only, and 1 for a linear relation. It is estimated in each batch: the
estimate of n independent candidates is about 1/n above 0, so batches should hold some hundreds of background. Weights
enter by their magnitude; a batch with fewer than two background candidates has no penalty.

The paper's classifier loss has weights of mean 1. Keras sums weight x loss over a batch and divides by its number of
rows, so that all weights times c give c times the loss; the penalty, which does not know the size of the weights, is
therefore multiplied by their mean magnitude in the batch. Lambda means the same for any normalisation.

Source:
    G. Kasieczka, D. Shih, Phys. Rev. Lett. 125 (2020) 122001, arXiv:2001.05310 (the penalty, its square and its event
    weights); G. J. Szekely, M. L. Rizzo, N. K. Bakirov, Ann. Stat. 35 (2007) 2769 (the distance correlation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.training.source import Source

__all__ = ["distance_correlation", "penalised_loss", "with_variables"]

_SMALL = 1e-12


def distance_correlation(x: Any, y: Any, weight: Any) -> Any:
    """The squared distance correlation of two columns, as a tensor of any Keras back end.

    Args:
        x, y: shape (n,), float32.
        weight: shape (n,), not negative; a row of weight 0 does not count.

    Returns:
        A number from 0 to 1; 0 where a column is constant, or fewer than two rows have weight.

    Example:
        >>> line = np.arange(10, dtype=np.float32)
        >>> round(float(distance_correlation(line, 3 * line, np.ones(10, np.float32))), 5)
        1.0
    """
    from keras import ops

    p = weight / ops.maximum(ops.sum(weight), _SMALL)
    a, b = _centred(ops, x, p), _centred(ops, y, p)
    pairs = p[:, None] * p[None, :]
    both, first, second = (ops.sum(pairs * u * v) for u, v in ((a, b), (a, a), (b, b)))
    product = first * second
    some = product > _SMALL**2
    return ops.where(some, both / ops.sqrt(ops.where(some, product, ops.ones_like(product))), ops.zeros_like(both))


def _centred(ops: Any, x: Any, p: Any) -> Any:
    distance = ops.abs(x[:, None] - x[None, :])
    row = ops.sum(distance * p[None, :], axis=1)
    return distance - row[:, None] - row[None, :] + ops.sum(row * p)


def with_variables(source: Source, weight: NDArray[np.float32], columns: Mapping[str, NDArray[np.float64]]) -> Source:
    """The source as a network with the penalty is fed: label, weight and standardised variables as the target.

    The weights are in the target because the penalty of a batch cannot be weighted row by row from outside.

    Raises:
        DataError: a variable is not finite.
    """
    for name, values in columns.items():
        if not np.isfinite(values).all():
            bad = int(np.count_nonzero(~np.isfinite(values)))
            raise DataError(f"the variable {name!r} is not finite: no penalty", found=f"{bad} of {len(values)} rows")
    z = [(values - values.mean()) / max(float(values.std()), 1e-30) for values in columns.values()]
    return replace(source, y=np.column_stack([source.y, weight, *z]).astype(np.float32))


def penalised_loss(strengths: tuple[float, ...]) -> Any:
    """The loss on targets of `with_variables`: weighted cross-entropy plus each strength times its dCorr^2.

    The penalty is multiplied by the mean magnitude of the weights, as the mean of the weighted cross-entropies is.

    Args:
        strengths: lambda of each variable, in the order of the columns.
    """

    def loss(target: Any, score: Any) -> Any:
        from keras import ops

        label, weight = target[:, 0], target[:, 1]
        s = ops.reshape(score, (-1,))
        p = ops.clip(s, 1e-7, 1.0 - 1e-7)
        entropy = -weight * (label * ops.log(p) + (1.0 - label) * ops.log(1.0 - p))
        background = ops.abs(weight) * (1.0 - label)
        total = 0.0
        for place, strength in enumerate(strengths):
            total = total + strength * distance_correlation(target[:, 2 + place], s, background)
        return entropy + ops.mean(ops.abs(weight)) * total

    return loss
