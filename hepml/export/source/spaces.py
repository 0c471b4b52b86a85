"""Windows in one, two or three axes that no faster kernel is for: groups, depth, by channel, transposed, volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hepml.export.source.activations import activate, function_of
from hepml.export.source.program import Layer, Program, Tensor, up
from hepml.export.source.windows import Window, directions, read_window

__all__ = ["by_channel", "in_groups", "pool_volume"]

LANES = 8


@dataclass(frozen=True)
class _Axis:
    """How a window moves along an axis, or, transposed, how it spreads an input: as in cpp/src/layers/axes.cpp."""

    window: Window
    taps: int
    dilation: int
    transposed: bool

    @property
    def _more(self) -> int:
        return max(self.window.reach - self.window.step, 0)

    def output(self, size: int) -> int:
        """Places of output."""
        if not self.transposed:
            return self.window.output(size)
        return size * self.window.step + (0 if self.window.padding == "same" else self._more)

    def steps(self, program: Program, x: Tensor) -> tuple[str, int]:
        """Places of output on the steps of a sequence, as Tensor.steps."""
        if not self.transposed:
            return self.window.steps(program, x)
        n, most = x.steps
        return program.new_steps(f"{n} * {self.window.step} + {self.output(0)}", self.output(most))

    def text(self, x: Tensor, axis: int) -> str:
        """C++ text of the kernels' Axis."""
        size = x.steps[0] if x.is_dynamic else str(x.fixed[axis])
        before = self.window.before_text(x, axis)
        if self.transposed:
            before = str(self._more // 2 if self.window.padding == "same" else 0)
        moves = f"{self.taps}, {self.window.step}, {self.dilation}, {before}, {size}"
        return f"Axis{{{moves}, {str(self.transposed).lower()}}}"


def _axes(layer: Layer, key: str, n: int) -> list[_Axis]:
    taps = directions(layer, key, n)
    strides = directions(layer, "strides", n, taps if key == "pool_size" else [1] * n)
    dilation = directions(layer, "dilation_rate", n, [1] * n)
    transposed = layer.data["architecture"].endswith("transpose")
    return [
        _Axis(read_window(layer, (taps[i] - 1) * dilation[i] + 1, strides[i]), taps[i], dilation[i], transposed)
        for i in range(n)
    ]


def _slide(program: Program, axes: list[_Axis], x: Tensor, channels: int, call: Callable[[str, str], str]) -> Tensor:
    """A step that moves a window; `call` gives its C++ text from those of the input and of the output's places."""
    if x.is_dynamic:
        y = program.tensor((None, channels), axes[0].steps(program, x))
    else:
        y = program.tensor((*(a.output(size) for a, size in zip(axes, x.fixed, strict=False)), channels))
    n = len(axes)

    def text() -> list[str]:
        alone = "Axis{1, 1, 1, 0, 1, false}"
        of_input = [alone] * (3 - n) + [a.text(x, i) for i, a in enumerate(axes)]
        outer = [1] * (3 - n) + list(y.fixed[: n - 1])
        space = f"Space{{{', '.join(of_input)}, {x.row_stride}, {x.channels}}}, {x.at}"
        places = f"{y.at}, Places{{{outer[0]}, {outer[1]}, {y.columns}, {y.row_stride}, {y.channels}}}"
        return [call(space, places)]

    return program.step([x], y, text, kernels=["windows"])


def _n_axes(layer: Layer) -> int:
    return int(layer.data["architecture"].removesuffix("transpose")[-2])


def _activated(program: Program, layer: Layer, make: Callable[[str], Tensor]) -> Tensor:
    function, rows = function_of(program, layer)
    y = make("Linear{}" if rows else function)
    return activate(program, y, function, rows) if rows else y


def in_groups(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """A convolution, also in groups or transposed: weights [tap][in][filter] in C order."""
    (x,) = inputs
    axes = _axes(layer, "kernel_size", _n_axes(layer))
    filters, groups = layer.data["filters"], layer.data.get("groups", 1)
    taps, n_in, n_out = np.prod([axis.taps for axis in axes], dtype=int), x.channels // groups, filters // groups
    size = up(n_out, LANES)
    weights = np.zeros((groups, taps, n_in, size), np.float32)
    weights[..., :n_out] = layer.floats("weights").reshape(taps, n_in, groups, n_out).transpose(2, 0, 1, 3)
    bias = np.zeros((groups, size), np.float32)
    if layer.data.get("bias"):
        bias[:, :n_out] = layer.floats("bias").reshape(groups, n_out)

    def make(function: str) -> Tensor:
        def call(space: str, places: str) -> str:
            arrays = ", ".join(program.array(one) for one in (np.zeros(n_in), weights, bias))
            return f"convolve_windows<{groups}, {n_in}, {n_out}, {size}>({space}, {arrays}, {places}, {function});"

        return _slide(program, axes, x, filters, call)

    return _activated(program, layer, make)


def by_channel(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Each channel on its own, times a multiplier: weights [tap][channel][filter]."""
    (x,) = inputs
    multiplier = layer.data["depth_multiplier"]
    filters = x.channels * multiplier
    bias = layer.floats("bias") if layer.data.get("bias") else np.zeros(filters, np.float32)

    def make(function: str) -> Tensor:
        def call(space: str, places: str) -> str:
            arrays = f"{program.array(layer.floats('weights'))}, {program.array(bias)}"
            return f"convolve_channels<{x.channels}, {multiplier}>({space}, {arrays}, {places}, {function});"

        return _slide(program, _axes(layer, "kernel_size", _n_axes(layer)), x, filters, call)

    return _activated(program, layer, make)


def pool_volume(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Max and average poolings of volumes."""
    (x,) = inputs
    largest = "true" if layer.data["architecture"].startswith("max") else "false"

    def call(space: str, places: str) -> str:
        return f"pool_windows<{largest}, {x.channels}>({space}, {places});"

    return _slide(program, _axes(layer, "pool_size", 3), x, x.channels, call)
