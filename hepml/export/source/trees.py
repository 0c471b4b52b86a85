"""Decision trees, packed so that a walk needs no branch: as the evaluator packs them (cpp/src/layers/trees.hpp)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import hexadecimal
from hepml.export.source.program import Layer, Program, Tensor

__all__ = ["NODE", "trees"]

NODE = np.dtype([("threshold", "f4"), ("feature", "u4"), ("child", "u4"), ("leaf", "u4")])
LARGEST = np.finfo(np.float32).max
LINKS = {"identity": "IdentityLink{}", "sigmoid": "SigmoidLink{}", "softmax": "SoftmaxLink{}", "exp": "ExpLink{}"}


def _limits(thresholds: NDArray[np.float64], strict: bool) -> NDArray[np.float32]:
    """A float32 x is <= (or <, if strict) a threshold if and only if it is <= its limit."""
    with np.errstate(over="ignore"):
        limits = thresholds.astype(np.float32)
    wide = limits.astype(np.float64)
    lower = np.isfinite(limits) & ((wide > thresholds) | (strict & (wide == thresholds)))
    limits = np.where(lower, np.nextafter(limits, np.float32(-np.inf)), limits)
    return np.minimum(limits, LARGEST).astype(np.float32)  # no input is infinite


def trees(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """link(factor * (base + sum of leaf values) / divisor)."""
    (x,) = inputs
    data = layer.data
    limits = _limits(np.asarray(data["threshold"], np.float64), data["comparison"] == "less")
    base = np.asarray(data["base"], np.float64)
    n_outputs = len(base)
    values = np.asarray(data["value"], np.float64).reshape(len(limits), -1)
    nodes = np.zeros(len(limits), NODE)
    roots: list[int] = []
    kept: list[int] = []
    first = place = 0
    for size in data["sizes"]:
        roots.append(place)
        order = [0]
        for i, node in enumerate(order):  # breadth first, siblings side by side
            at = first + node
            if data["feature"][at] == -1:
                nodes[place + i] = (LARGEST, 0, place + i, len(kept))
                kept.append(at)
                continue
            nodes[place + i] = (limits[at], data["feature"][at], place + len(order), data["missing_left"][at])
            order += [int(data["left"][at]), int(data["right"][at])]
        first += size
        place += len(order)
    outputs = data.get("outputs")
    y = program.tensor((n_outputs,))
    narrow = data["precision"] == "float32"

    def text() -> list[str]:
        arrays = [
            program.array(nodes[:place], "kernels::TreeNode"),
            program.array(roots, "std::uint32_t"),
            str(len(roots)),
            program.array(values[kept], "double"),
            "nullptr" if outputs is None or n_outputs == 1 else program.array(outputs, "std::uint32_t"),
            program.array(base, "double"),
            hexadecimal(data["divisor"], "double"),
            hexadecimal(data["factor"], "double"),
        ]
        arguments = f"{', '.join(arrays)}, {x.at}, {y.at}, {LINKS[data['link']]}"
        kind = "float" if narrow else "double"
        if data["missing"]:
            return [f"trees<{kind}, true, {n_outputs}>({arguments});"]
        # NaN has no direction: the answer is NaN
        return [
            f"if (any_nan({x.at}, {x.n})) fill({y.at}, {n_outputs}, nan);",
            f"else trees<{kind}, false, {n_outputs}>({arguments});",
        ]

    missing = "answered" if data["missing"] else "spoils"
    return program.step([x], y, text, kernels=["trees"], missing=missing)
