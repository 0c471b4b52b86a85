"""Convolutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.program import Program, Tensor

__all__ = ["pointwise"]


def pointwise(
    program: Program, matrix: NDArray[np.float32], bias: NDArray[np.float32], x: Tensor, function: str
) -> Tensor:
    raise NotImplementedError
