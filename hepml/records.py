"""What an Evaluator says of its network, and what it finds: the records of `hepml.evaluator`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["InputRecord", "OutputRecord", "Tags", "Variable"]


@dataclass(frozen=True)
class Variable:
    """One number of a vector input; the network sees (value + offset) * scale.

    Attributes:
        name: as written in the file.
        offset, scale: of the file.
        default: what a user may put in place of a missing value; never applied by the evaluator.
    """

    name: str
    offset: float
    scale: float
    default: float | None = None


@dataclass(frozen=True)
class InputRecord:
    """An input of a network.

    Attributes:
        name: token, such as "hl" or "et".
        shape: of one event, (n,), (rows, columns, channels) or (steps, n); None for steps that each event sets.
        variables: of a vector or of a step, empty for an image.
    """

    name: str
    shape: tuple[int | None, ...]
    variables: tuple[Variable, ...]


@dataclass(frozen=True)
class OutputRecord:
    """An output of a network.

    Attributes:
        name: "output" in files of hepml.
        shape: of one event, (n,), (steps, n) or (rows, columns, channels); None for steps that differ by event.
        labels: of its last axis.
        n_trees: of an ensemble of trees, whose leaves `Evaluator.leaves` gives; else 0.
    """

    name: str
    shape: tuple[int | None, ...]
    labels: tuple[str, ...]
    n_trees: int = field(default=0, repr=False)


@dataclass(frozen=True)
class Tags:
    """What `Evaluator.tag` found for each seed.

    Attributes:
        score: float32 (n,), NaN where rejected.
        logit: float32 (n,), what the output's activation was applied to, NaN where rejected.
        status: uint8 (n,), 0 where accepted, else why not.
    """

    score: NDArray[np.float32]
    logit: NDArray[np.float32]
    status: NDArray[np.uint8]
