"""TMVA's transformations for models that are trained outside of TMVA, on transformed values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from tmva_bridge.fitting.chain import FittedChain, fit_chain
from tmva_bridge.header import Variable, as_variables
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.transforms import Events

__all__ = ["Transforms", "fit_transforms"]

_KEPT = 1000  # events to compare files at


@dataclass(frozen=True)
class Transforms:
    """A chain of TMVA's transformations, fitted. `fit_transforms` makes it.

    Attributes:
        text: as TMVA's VarTransform says it.
        variables: its inputs.
    """

    text: str
    variables: tuple[Variable, ...]
    classes: tuple[str, ...]
    chain: FittedChain
    some: Events

    def apply(self, values: ArrayLike) -> Events:
        """Transformed values, float32 (n, variables): what a model behind the chain is trained on and gets.

        Raises:
            DataError: another number of columns.
        """
        return self.chain.forward(_sample(values, len(self.variables)))[0]

    def check(self, setup: Setup) -> None:
        """Raises DataError unless variables and classes are those of a file."""
        for name, mine, other in (
            ("variables", [one.label for one in self.variables], [one.label for one in setup.variables]),
            ("classes", list(self.classes), list(setup.classes)),
        ):
            if mine != other:
                raise DataError(
                    f"the transformations were fitted to other {name}",
                    expected=", ".join(other),
                    found=", ".join(mine),
                    fix=f"give fit_transforms and write_weights the same {name}",
                )


def fit_transforms(
    chain: str,
    values: ArrayLike,
    classes_of: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    variables: Sequence[str | Variable] | None = None,
    classes: Sequence[str] = ("Signal", "Background"),
) -> Transforms:
    """TMVA's transformations of input variables, fitted to an array, for `write_weights`.

    Args:
        chain: such as "N", "D", "P", "G,D" or "N(pt,eta)+P".
        values: (n, variables); they become float32.
        classes_of: (n,), the index of each event's class: 0 for the first of `classes`, which is the signal.
        weights: (n,) of the events, for D, U and G; 1 by default.
        variables: names or expressions, as for `write_weights`.
        classes: names; ("Regression",) for a regression, whose classes_of are all 0.

    Raises:
        DataError: shapes that do not fit, a class without events, a chain that cannot be fitted.

    Example:
        >>> values = np.float32([[0, 1], [2, 5], [1, 3], [2, 1]])
        >>> fitted = fit_transforms("N", values, [0, 0, 1, 1], variables=["x", "y"])
        >>> fitted.apply([[1, 3]]).tolist()
        [[0.0, 0.0]]
    """
    x = np.asarray(values)
    names = as_variables(variables or [f"var{i}" for i in range(x.shape[1] if x.ndim == 2 else 0)])
    sample = _sample(x, len(names), classes_of, weights)
    known = tuple(classes)
    if sample.classes.min(initial=0) < 0 or sample.classes.max(initial=0) >= len(known):
        raise DataError(
            "indices of classes that are not there",
            expected=f"0 to {len(known) - 1}",
            found=sorted(set(sample.classes.tolist()))[:10],
        )
    analysis = {1: "Regression", 2: "Classification"}.get(len(known), "Multiclass")
    fitted = fit_chain(chain, sample, Setup("dataset", analysis, known, names))
    return Transforms(chain, names, known, fitted, sample.values[:_KEPT])


def _sample(
    values: ArrayLike, count: int, classes_of: ArrayLike | None = None, weights: ArrayLike | None = None
) -> Sample:
    x = np.asarray(values, np.float32)
    if x.ndim != 2 or x.shape[1] != count:
        raise DataError("events of another shape", expected=f"(n, {count})", found=x.shape)
    none = np.empty((len(x), 0), np.float32)
    of: NDArray[np.int32] = np.zeros(len(x), np.int32) if classes_of is None else np.asarray(classes_of, np.int32)
    w: NDArray[np.float64] = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    if of.shape != (len(x),) or w.shape != (len(x),):
        raise DataError("arrays of different lengths", expected=f"({len(x)},)", found=f"{of.shape} and {w.shape}")
    if not (np.isfinite(w).all() and (classes_of is None or np.isfinite(x).all())):
        raise DataError("values or weights that are not finite", expected="finite values")
    return Sample(x, none, none, of, w)
