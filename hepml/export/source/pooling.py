"""Poolings."""

from __future__ import annotations

import math

from hepml.export.source.program import Layer, Local, Program, Tensor
from hepml.export.source.windows import Window, directions, read_window

__all__ = ["global_pooling", "pooling"]


def pooling(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Max and average poolings of sequences and images."""
    (x,) = inputs
    name = layer.data["architecture"]
    n = int(name[-2])
    pool = directions(layer, "pool_size", n)
    strides = directions(layer, "strides", n, pool)
    windows = [read_window(layer, *pair) for pair in zip(pool, strides, strict=True)]
    largest = "true" if name.startswith("max") else "false"
    if n == 1:
        steps = windows[0].steps(program, x)
        y = program.tensor((None if x.is_dynamic else windows[0].output(x.fixed[0]), x.channels), steps)
        windows.insert(0, Window(1, 1, "valid"))
    else:
        y = program.tensor((*(w.output(size) for w, size in zip(windows, x.fixed, strict=False)), x.channels))

    def pools() -> str:
        before = (
            ["0", windows[1].before_text(x, 0)]
            if n == 1
            else [str(w.before(s)) for w, s in zip(windows, x.fixed, strict=False)]
        )
        texts = [f"Pool{{{w.reach}, {w.step}, {b}}}" for w, b in zip(windows, before, strict=True)]
        return f"{x.at}, {x.rows}, {x.columns}, {x.row_stride}, {', '.join(texts)}"

    def text() -> list[str]:
        return [f"pool<{largest}, {x.channels}>({pools()}, {y.at}, {y.rows}, {y.columns}, {y.row_stride});"]

    def at() -> str:
        place = f"{y.at} + at[i].row * {y.row_stride} + at[i].column * {y.channels}"
        call = f"pool_pixel<{largest}, {x.channels}>({pools()}, at[i].row, at[i].column, {place});"
        return f"for (std::size_t i = 0; i < n; ++i) {call}"

    local = None
    if name == "maxpooling2d":
        reach = [(w.reach, w.step, w.before(s)) for w, s in zip(windows, x.fixed, strict=False)]
        local = Local(reach[0], reach[1], at, math.prod(y.fixed) * windows[0].reach * windows[1].reach)
    return program.step([x], y, text, kernels=["pooling"], local=local)


def global_pooling(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Over all places."""
    (x,) = inputs
    largest = "true" if layer.data["architecture"] == "globalmaxpooling" else "false"
    kept = [1] * (len(x.shape) - 1) if layer.data.get("keepdims") else []
    y = program.tensor((*kept, x.channels))

    def text() -> list[str]:
        return [f"pool_all<{largest}>({x.at}, {x.rows}, {x.columns}, {x.row_stride}, {x.channels}, {y.at});"]

    return program.step([x], y, text, kernels=["pooling"])
