"""Layers that work on single elements, and those that only move them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.program import Layer, Local, Program, Tensor, product

__all__ = ["add", "affine", "concatenate", "flatten", "last_step", "normalization", "sum_of_steps"]


def places(x: Tensor, y: Tensor, body: str) -> list[str]:
    """C++ lines that run `body` at every pixel, with its addresses x and y."""
    return [
        f"for (std::size_t r = 0; r < {x.rows}; ++r) {{",
        f"  for (std::size_t c = 0; c < {x.columns}; ++c) {{",
        f"    const float* x = {x.at} + r * {x.row_stride} + c * {x.channels};",
        f"    float* y = {y.at} + r * {y.row_stride} + c * {y.channels};",
        f"    {body}",
        "  }",
        "}",
    ]


def affine(program: Program, scale: NDArray[np.float32], shift: NDArray[np.float32], x: Tensor) -> Tensor:
    """y = scale * (x + shift) along the last axis."""
    y = program.tensor(x.shape, x.steps)

    def call(x_at: str, y_at: str) -> str:
        return f"normalize({x_at}, {program.array(scale)}, {program.array(shift)}, {y_at}, {x.channels});"

    def text() -> list[str]:
        return [call(x.at, y.at)] if len(x.shape) == 1 else places(x, y, call("x", "y"))

    local = Local((1, 1, 0), (1, 1, 0), lambda: pixels(x, y, call("x", "y"))) if len(x.shape) == 3 else None
    return program.step([x], y, text, kernels=["elementwise"], local=local)


def pixels(x: Tensor, y: Tensor, body: str) -> str:
    """C++ text that runs `body` at the pixels `at`, `n` of them."""
    return (
        f"for (std::size_t i = 0; i < n; ++i) {{ const float* x = {x.at} + at[i].row * {x.row_stride} + "
        f"at[i].column * {x.channels}; float* y = {y.at} + at[i].row * {y.row_stride} + "
        f"at[i].column * {y.channels}; {body} }}"
    )


def normalization(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """lwtnn's form: y = weights * (x + bias)."""
    return affine(program, layer.floats("weights"), layer.floats("bias"), inputs[0])


def add(program: Program, inputs: list[Tensor]) -> Tensor:
    """The sum of tensors of one shape."""
    x = inputs[0]
    program.same_steps(inputs)
    y = program.tensor(x.shape, x.steps)

    def text() -> list[str]:
        n = f"{x.columns} * {x.channels}"
        lines = [f"for (std::size_t r = 0; r < {x.rows}; ++r) {{", f"  float* y = {y.at} + r * {y.row_stride};"]
        lines.append(f"  copy_floats({x.at} + r * {x.row_stride}, y, {n});")
        lines += [f"  add_to(y, {other.at} + r * {other.row_stride}, {n});" for other in inputs[1:]]
        return [*lines, "}"]

    return program.step(inputs, y, text, kernels=["elementwise"])


def concatenate(program: Program, inputs: list[Tensor]) -> Tensor:
    """Along the last axis."""
    first = inputs[0]
    program.same_steps(inputs)
    y = program.tensor((*first.shape[:-1], sum(x.channels for x in inputs)), first.steps)

    def text() -> list[str]:
        lines, start = [], 0
        for x in inputs:
            lines += places(x, y, f"copy_floats(x, y + {start}, {x.channels});")
            start += x.channels
        return lines

    return program.step(inputs, y, text, missing="passed")


def flatten(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Rows, columns, channels in C order."""
    (x,) = inputs
    if len(x.shape) == 1:
        return x
    n = product(x.fixed)
    y = program.tensor((n,))

    def text() -> list[str]:
        row = n // x.rows
        if x.is_packed:
            return [f"copy_floats({x.at}, {y.at}, {n});"]
        return [
            f"for (std::size_t r = 0; r < {x.rows}; ++r)",
            f"  copy_floats({x.at} + r * {x.row_stride}, {y.at} + r * {row}, {row});",
        ]

    return program.step([x], y, text)


def last_step(program: Program, x: Tensor) -> Tensor:
    """The last step of a sequence; zeros if it has none."""
    y = program.tensor((x.channels,))
    n = x.channels

    def text() -> list[str]:
        return [
            f"if ({x.columns} == 0) fill({y.at}, {n}, 0.0F);"
            f" else copy_floats({x.at} + ({x.columns} - 1) * {n}, {y.at}, {n});"
        ]

    return program.step([x], y, text)


def sum_of_steps(program: Program, x: Tensor) -> Tensor:
    """Of a sequence to a vector."""
    y = program.tensor((x.channels,))
    n = x.channels

    def text() -> list[str]:
        return [
            f"fill({y.at}, {n}, 0.0F);",
            f"for (std::size_t i = 0; i < {x.columns}; ++i) add_to({y.at}, {x.at} + i * {n}, {n});",
        ]

    return program.step([x], y, text, kernels=["elementwise"])
