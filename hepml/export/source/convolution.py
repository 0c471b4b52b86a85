"""Convolutions on sequences and images, and dense layers on each of their places."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import activate, function_of
from hepml.export.source.program import Layer, Local, Matrix, Program, Tensor, up
from hepml.export.source.spaces import in_groups
from hepml.export.source.windows import Window, directions, read_window

__all__ = ["conv1d", "conv2d", "pointwise"]

LANES = 8
BLOCK = 16  # filters whose weights lie side by side, as in kernels/convolution.hpp


@dataclass(frozen=True)
class _Kernel:
    """Weights [row][column][in][filter], and how they move."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    rows: Window
    columns: Window
    dilation: tuple[int, int]


def _packed(weights: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """[tap and channel][filter], with zeros up to `size` filters, as [block of filters][tap and channel][filter]."""
    padded = np.zeros((len(weights), size), np.float32)
    padded[:, : weights.shape[1]] = weights
    return np.concatenate([padded[:, start : start + BLOCK].ravel() for start in range(0, size, BLOCK)])


def _convolution(program: Program, kernel: _Kernel, x: Tensor, function: str) -> Tensor:
    tap_rows, tap_columns, n_in, filters = kernel.weights.shape
    image = len(x.shape) >= 3
    columns_axis = len(x.shape) - 2
    size = x.extent[1]
    if image:
        shape = (*x.shape[:-3], kernel.rows.output(x.fixed[-3]), kernel.columns.output(size), filters)
        y = program.tensor(shape)
    else:
        steps = kernel.columns.steps(program, x)
        y = program.tensor((None if x.is_dynamic else kernel.columns.output(size), filters), steps)
    border = _border(kernel, x)

    def arguments() -> tuple[str, str]:
        """Its sizes; taps, weights, bias, where the first window begins and how it moves; its output."""
        dilation = kernel.dilation
        together = dilation[1] == 1
        taps = f"Taps<{tap_rows}, {1 if together else tap_columns}, {n_in * (tap_columns if together else 1)}>"
        taps += f"{{{dilation[0] * x.row_stride}, {dilation[1] * x.channels}}}"
        before = kernel.columns.before_text(x, columns_axis)
        top = kernel.rows.before(x.fixed[-3]) if image else 0
        start = f"m + {x.whole + x.inset - top * x.row_stride}"
        start += f" - {before} * {x.channels}" if before != "0" else ""
        size = up(filters, LANES)
        weights = program.array(_packed(kernel.weights.reshape(-1, filters), size))
        bias = program.array(np.append(kernel.bias, np.zeros(size - filters, np.float32)))
        given = f"{taps}, {weights}, {bias}, {start}, {kernel.rows.step * x.row_stride}"
        given += f", {kernel.columns.step * x.channels}, {y.at}, {y.row_stride}, {y.channels}"
        return f"{size}, {filters}", given

    def text() -> list[str]:
        sizes, given = arguments()
        columns = 0 if y.is_dynamic else y.extent[1]
        few = n_in == 1 and filters in (1, 2, 4) and kernel.columns.step == 1 and kernel.dilation[1] == 1
        call = f"convolve{'_few' if few else ''}<{sizes}, {columns}>"
        return [f"{call}({given}, {y.rows}, {y.columns}, {function});"]

    def at() -> str:
        sizes, given = arguments()
        return f"convolve_at<{sizes}>({given}, at, n, {function});"

    local = None
    if len(x.shape) == 3:
        reach = [(w.reach, w.step, w.before(s)) for w, s in ((kernel.rows, x.fixed[0]), (kernel.columns, x.fixed[1]))]
        work = math.prod(y.fixed) * tap_rows * tap_columns * n_in
        local = Local(reach[0], reach[1], at, work)
    return program.step([x], y, text, kernels=["convolution"], border=border, local=local)


def _border(kernel: _Kernel, x: Tensor) -> tuple[int, int, int, int]:
    columns, size = kernel.columns, x.extent[1]
    if x.is_dynamic:  # the padding depends on the number of steps: room for the most
        most = 0 if columns.padding == "valid" else columns.reach - 1
        return 0, most, 0, most
    top, bottom = (kernel.rows.before(x.fixed[-3]), kernel.rows.after(x.fixed[-3])) if len(x.shape) >= 3 else (0, 0)
    return top, columns.before(size), bottom, columns.after(size)


def _bias(layer: Layer, filters: int) -> NDArray[np.float32]:
    bias = layer.floats("bias")
    return bias if bias.size else np.zeros(filters, np.float32)


def _activated(program: Program, layer: Layer, kernel: _Kernel, x: Tensor) -> Tensor:
    function, rows = function_of(program, layer)
    y = _convolution(program, kernel, x, "Linear{}" if rows else function)
    return activate(program, y, function, rows) if rows else y


def conv2d(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Keras' Conv2D, channels last: weights [row][column][in][filter]."""
    (x,) = inputs
    if layer.data.get("groups", 1) != 1:
        return in_groups(program, layer, inputs)
    taps = directions(layer, "kernel_size", 2)
    strides, dilation = directions(layer, "strides", 2, [1, 1]), directions(layer, "dilation_rate", 2, [1, 1])
    filters = layer.data["filters"]
    windows = [read_window(layer, (taps[i] - 1) * dilation[i] + 1, strides[i]) for i in (0, 1)]
    weights = layer.floats("weights").reshape(taps[0], taps[1], x.channels, filters)
    kernel = _Kernel(weights, _bias(layer, filters), windows[0], windows[1], (dilation[0], dilation[1]))
    return _activated(program, layer, kernel, x)


def conv1d(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """lwtnn's layout, weights [filter][in][tap], with the padding of Keras."""
    (x,) = inputs
    (stride,), (dilation,) = directions(layer, "strides", 1, [1]), directions(layer, "dilation_rate", 1, [1])
    filters = layer.data.get("filters") or len(layer.data["bias"])
    weights = layer.floats("weights").reshape(filters, x.channels, -1).transpose(2, 1, 0)[None]
    window = read_window(layer, (weights.shape[1] - 1) * dilation + 1, stride)
    kernel = _Kernel(weights, _bias(layer, filters), Window(1, 1, "valid"), window, (1, dilation))
    return _activated(program, layer, kernel, x)


def pointwise(program: Program, matrix: Matrix, x: Tensor, function: str) -> Tensor:
    """A matrix at each place of a tensor of two axes or more."""
    one = Window(1, 1, "same")  # fits no steps too
    weights = np.ascontiguousarray(matrix.weights.T)[None, None]
    return _convolution(program, _Kernel(weights, matrix.bias, one, one, (1, 1)), x, function)
