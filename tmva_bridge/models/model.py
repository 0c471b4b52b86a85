"""A model to be written: what its file says, and what its own library answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.options import Scalar
from tmva_bridge.writing.markup import Tag

__all__ = ["Written"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Written:
    """A model in TMVA's words.

    Attributes:
        name: of the model, for messages.
        kind: TMVA's type.
        analysis: "Classification", "Regression" or "Multiclass".
        weights: the element Weights.
        options: those that differ from the defaults.
        inputs: number of variables; `variables`: their names, if the model knows them.
        classes: names of the classes of a multiclass model, if it knows them.
        judge: (n, inputs) -> what the model's library answers, (n,) or (n, outputs).
        meaning: what TMVA answers -> the same.
        edges: for each variable, values at which the answer jumps.
        outputs: targets of a regression.
    """

    name: str
    kind: str
    analysis: str
    weights: Tag
    options: Mapping[str, Scalar]
    inputs: int
    variables: tuple[str, ...] | None
    classes: tuple[str, ...] | None
    judge: Callable[[Array], Array]
    meaning: Callable[[Array], Array]
    edges: Sequence[NDArray[np.float32]] = ()
    outputs: int = 1
