"""What methods are trained on: the events of a training or test sample, and what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.header import Variable

__all__ = ["Sample", "Setup"]


@dataclass(frozen=True)
class Setup:
    """What the DataLoader was told, before any event.

    Attributes:
        loader: the name of the DataLoader, which is its folder.
        analysis: "Classification", "Regression" or "Multiclass".
        classes: names by index; a classification has the signal first, a regression has ("Regression",).
    """

    loader: str
    analysis: str
    classes: tuple[str, ...]
    variables: tuple[Variable, ...]
    spectators: tuple[Variable, ...] = ()
    targets: tuple[Variable, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Events; TMVA holds values as float32, so they are float32 here.

    Attributes:
        values: (n, variables) float32.
        spectators: (n, spectators) float32.
        targets: (n, targets) float32.
        classes: (n,) int32, indices into the classes of the setup.
        weights: (n,) float64; of a training sample after NormMode, of a test sample as given.
    """

    values: NDArray[np.float32]
    spectators: NDArray[np.float32]
    targets: NDArray[np.float32]
    classes: NDArray[np.int32]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)
