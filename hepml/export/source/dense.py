"""Dense layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hepml.export.source.activations import activate, function_of
from hepml.export.source.convolution import pointwise
from hepml.export.source.elementwise import affine
from hepml.export.source.program import Layer, Matrix, Program, Tensor, up

__all__ = ["dense", "linear", "matrix_call"]

NARROW = 4  # outputs of a layer whose matrix is stored by rows, if it has more inputs than
SHORT = 32
PANEL = 24  # of 8 outputs, at most
LANES = 8


def _panels(n_out: int) -> list[int]:
    """Sizes of panels, in outputs: even, and whole vectors of 16 where there are that many."""
    units = up(n_out, LANES) // LANES
    units = up(units, 2) if units > 1 else units
    pieces = -(-units // PANEL)
    size = up(-(-units // pieces), 2) if pieces > 1 else units
    return [LANES * min(size, units - start) for start in range(0, units, size)]


def matrix_call(program: Program, matrix: Matrix, x: str, y: str, function: str) -> list[str]:
    """C++ lines for y = function(matrix x).

    Weights are packed as the kernel reads them. `x` and `y` are C++ addresses.
    """
    program.kernels.add("dense")
    n_out, n_in = matrix.weights.shape
    if n_out <= NARROW and n_in > SHORT:
        rows = np.zeros((n_out, up(n_in)), np.float32)
        rows[:, :n_in] = matrix.weights
        arguments = f"{program.array(rows)}, {program.array(matrix.bias)}, {y}, {function}"
        return [f"dense_narrow<{n_in}, {rows.shape[1]}, {n_out}>({x}, {arguments});"]
    sizes = _panels(n_out)
    columns = np.zeros((n_in, sum(sizes)), np.float32)
    columns[:, :n_out] = matrix.weights.T
    padded = np.zeros(sum(sizes), np.float32)
    padded[:n_out] = matrix.bias
    starts = np.cumsum([0, *sizes])
    packed = [columns[:, start:stop].ravel() for start, stop in pairwise(starts)]
    weights, biases = program.array(np.concatenate(packed)), program.array(padded)
    full = sum(1 for start, size in zip(starts, sizes, strict=False) if size == sizes[0] and start + size <= n_out)
    lines = []
    if full:
        lines.append(f"dense_panels<{n_in}, {sizes[0]}>({x}, {weights}, {biases}, {y}, {full}, {function});")
    if full < len(sizes):
        start, size = int(starts[full]), sizes[full]
        arguments = f"{x}, {weights} + {start * n_in}, {biases} + {start}, {y} + {start}, {function}"
        lines.append(f"dense_last<{n_in}, {size}, {n_out - start}>({arguments});")
    return lines


def dense(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """y = activation(W x + b) along the last axis; empty weights or bias mean none."""
    (x,) = inputs
    function, rows = function_of(program, layer)
    if not layer.data["weights"]:
        if layer.data["bias"]:
            x = affine(program, np.ones(x.channels, np.float32), layer.floats("bias"), x)
        return activate(program, x, function, rows)
    y = linear(program, Matrix.of(layer, x.channels), x, "Linear{}" if rows else function)
    return activate(program, y, function, True) if rows else y


def linear(program: Program, matrix: Matrix, x: Tensor, function: str) -> Tensor:
    """function(matrix x) along the last axis."""
    if len(x.shape) > 1:  # on each place: a convolution by windows of one
        return pointwise(program, matrix, x, function)
    y = program.tensor((len(matrix.bias),))
    return program.step([x], y, lambda: matrix_call(program, matrix, x.at, y.at, function))
