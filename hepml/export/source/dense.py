"""Dense layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import activate, function_of
from hepml.export.source.program import Layer, Program, Tensor, up

__all__ = ["dense", "matrix_call"]

NARROW = 4  # outputs of a layer whose matrix is stored by rows
PANEL = 10  # of 8 outputs, at most
LANES = 8


def _panels(n_out: int) -> list[int]:
    """Sizes of panels, in outputs: even, of 16 but for the last one."""
    units = up(n_out, LANES) // LANES
    pieces = -(-units // PANEL)
    size = up(-(-units // pieces), 2) if pieces > 1 else units
    return [LANES * min(size, units - start) for start in range(0, units, size)]


def matrix_call(
    program: Program, matrix: NDArray[np.float32], bias: NDArray[np.float32], x: str, y: str, function: str
) -> list[str]:
    """C++ lines for y = function(matrix x + bias); the matrix is [out][in].

    Weights are packed as the kernel reads them. `x` and `y` are C++ addresses.
    """
    program.kernels.add("dense")
    n_out, n_in = matrix.shape
    if n_out <= NARROW:
        rows = np.zeros((n_out, up(n_in)), np.float32)
        rows[:, :n_in] = matrix
        arguments = f"{program.array(rows)}, {program.array(bias)}, {y}, {function}"
        return [f"dense_narrow<{n_in}, {rows.shape[1]}, {n_out}>({x}, {arguments});"]
    sizes = _panels(n_out)
    columns = np.zeros((n_in, sum(sizes)), np.float32)
    columns[:, :n_out] = matrix.T
    padded = np.zeros(sum(sizes), np.float32)
    padded[:n_out] = bias
    starts = np.cumsum([0, *sizes])
    packed = [columns[:, start:stop].ravel() for start, stop in zip(starts, starts[1:], strict=False)]
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
    weights, bias = layer.floats("weights"), layer.floats("bias")
    function, rows = function_of(program, layer)
    n_in = x.channels
    if weights.size == 0:
        if bias.size:
            from hepml.export.source.elementwise import affine

            x = affine(program, np.ones(n_in, np.float32), bias, x)
        return activate(program, x, function, rows)
    matrix = weights.reshape(-1, n_in)
    if bias.size == 0:
        bias = np.zeros(len(matrix), np.float32)
    inner = "Linear{}" if rows else function
    if len(x.shape) > 1:  # on each place: a convolution by windows of one
        from hepml.export.source.convolution import pointwise

        y = pointwise(program, matrix, bias, x, inner)
    else:
        y = program.tensor((len(matrix),))
        y = program.step([x], y, lambda: matrix_call(program, matrix, bias, x.at, y.at, inner))
    return activate(program, y, function, True) if rows else y
