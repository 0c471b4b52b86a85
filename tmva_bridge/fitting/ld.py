"""LD, the linear discriminant: least squares to 1 for signal and 0 for background, or to the targets."""

from __future__ import annotations

import numpy as np

from hepml.errors import DataError
from tmva_bridge.declared import COMMON
from tmva_bridge.fitting.training import Outcome, Task, Training
from tmva_bridge.writing.markup import Tag

__all__ = ["LD"]


def _fit(task: Task) -> Outcome:
    values, w = task.values(), task.sample.weights
    regression = task.setup.analysis == "Regression"
    goal = task.targets() if regression else (task.sample.classes == 0).astype(np.float64)[:, None]
    x = np.concatenate([np.ones((len(values), 1)), values], axis=1)
    sums = (x * w[:, None]).T @ x
    try:
        found = np.linalg.solve(sums, (x * w[:, None]).T @ goal)
    except np.linalg.LinAlgError:
        raise DataError(
            "the least squares have no single solution",
            expected="variables that do not depend on each other",
            fix="take out a constant variable, or one that is a sum of others",
        ) from None
    if not regression:  # TMVA puts the zero at half of the mean response
        found[0] = -(found[1:, 0] @ sums[0, 1:]) / sums[0, 0] / 2
    rows = [
        Tag("Coefficient", {"IndexOut": i, "IndexCoeff": j, "Value": float(found[j, i])})
        for i in range(found.shape[1])
        for j in range(len(found))
    ]
    return Outcome(Tag("Weights", {"NOut": found.shape[1], "NCoeff": len(found)}, rows))


LD = Training("LD", dict(COMMON), _fit, ("Classification", "Regression"))
