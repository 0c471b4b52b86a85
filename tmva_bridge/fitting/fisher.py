"""Fisher's discriminant: the direction that separates the means best, in units of the scatter inside of the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.declared import COMMON
from tmva_bridge.fitting.training import Outcome, Task, Training
from tmva_bridge.options import Choice
from tmva_bridge.writing.markup import Tag

__all__ = ["FISHER"]

Array = NDArray[np.float64]


def _scatter(x: Array, weights: Array, about: Array) -> Array:
    d = x - about
    out: Array = (d * weights[:, None]).T @ d
    return out


def _fit(task: Task) -> Outcome:
    x, w = task.values(), task.sample.weights
    signal = task.sample.classes == 0
    parts = [(x[mask], w[mask]) for mask in (signal, ~signal)]
    sums = np.array([weights.sum() for _, weights in parts])
    if not (sums > 0).all():
        raise DataError("a class whose weights do not add up to more than 0", expected="positive sums", found=sums)
    means = [weights @ values / weights.sum() for values, weights in parts]
    within = np.sum(
        [_scatter(*part, mean) / n for part, mean, n in zip(parts, means, sums, strict=True)], axis=0
    )  # the sum of the covariances, not their mean
    middle = (sums[0] * means[0] + sums[1] * means[1]) / sums.sum()
    between = np.sum([n * np.outer(mean - middle, mean - middle) for n, mean in zip(sums, means, strict=True)], axis=0)
    matrix = within if task.options["Method"] == "Fisher" else within + between / sums.sum()
    try:
        direction = np.linalg.solve(matrix, means[0] - means[1])
    except np.linalg.LinAlgError:
        raise DataError(
            "the covariance of the variables cannot be inverted",
            expected="variables that do not depend on each other",
            fix="take out a constant variable, or one that is a sum of others",
        ) from None
    slopes = np.sqrt(sums[0] * sums[1]) / sums.sum() * direction
    coefficients = [-float(slopes @ (means[0] + means[1])) / 2, *slopes.tolist()]
    rows = [Tag("Coefficient", {"Index": i, "Value": value}) for i, value in enumerate(coefficients)]
    return Outcome(Tag("Weights", {"NCoeff": len(rows)}, rows))


FISHER = Training("Fisher", {**COMMON, "Method": Choice(("Fisher", "Mahalanobis"))}, _fit)
