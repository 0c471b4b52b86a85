"""Layers that work along axes, or element by element on tensors of several shapes: nested loops over places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hepml.export.source.activations import ROWS, hexadecimal
from hepml.export.source.loops import loops, names_of, place_of, sizes_of
from hepml.export.source.program import Layer, Program, Tensor, product

__all__ = ["COMBINATIONS", "MOVES", "combine", "concatenate_axis", "gather", "move", "on_axes", "reduce"]

COMBINATIONS = {
    "add": "Add{}",
    "arctan2": "Arctan2{}",
    "average": "Add{}",
    "divide": "Divide{}",
    "drop": "Drop{}",
    "equal": "Equal{}",
    "greater": "Greater{}",
    "greater_equal": "GreaterEqual{}",
    "keep": "Keep{}",
    "maximum": "Maximum{}",
    "minimum": "Minimum{}",
    "multiply": "Multiply{}",
    "not_equal": "NotEqual{}",
    "power": "Power{}",
    "prelu": "Prelu{}",
    "squared_difference": "SquaredDifference{}",
    "subtract": "Subtract{}",
}
KERNELS_OF = {"arctan2": ["angles"], "power": ["power"]}  # beside those of all combinations
REDUCTIONS = {
    "sum": "Sum{}",
    "mean": "Mean{}",
    "maximum": "Largest{}",
    "minimum": "Smallest{}",
    "product": "Product{}",
    "variance": "Variance{}",
    "deviation": "Deviation{}",
    "norm": "Norm{}",
    "log_sum_exp": "LogSumExp{}",
}
MOVES = ("broadcast", "cropping", "reshape", "reverse", "slice", "transpose", "upsampling", "zeropadding")
STANDARDS = {"layer": "true, false", "rms": "false, false", "unit": "false, true"}


def combine(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Tensors element by element; an axis of length 1 is repeated. `weights` are a constant operand."""
    name = layer.data["architecture"]
    shapes: list[tuple[int | None, ...]] = [x.shape for x in inputs]
    constant = "weights" in layer.data
    operands: list[Tensor | None] = list(inputs)
    if constant:
        at = 0 if layer.data.get("first") else len(shapes)
        shapes.insert(at, tuple(layer.data["shape"]))
        operands.insert(at, None)
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    shape = tuple(next((s for s in sizes if s != 1), 1) for sizes in zip(*padded, strict=True))
    dynamic = next((x for x in inputs if x.is_dynamic), None)
    y = program.tensor(shape, dynamic.steps if dynamic else ("", 0))
    function = COMBINATIONS[name]

    def strides(operand: Tensor | None, of: tuple[int | None, ...]) -> list[int]:
        if operand is None:
            known = [product([s or 1 for s in of[axis + 1 :]]) for axis in range(len(of))]
        else:
            known = operand.strides()
        known = [0] * (rank - len(of)) + known
        return [0 if size == 1 else stride for size, stride in zip((1,) * (rank - len(of)) + of, known, strict=True)]

    def text() -> list[str]:
        sizes, names = sizes_of(y), names_of(rank)
        weights = program.array(layer.floats("weights")) if constant else ""

        def address(k: int) -> tuple[str, int]:
            steps = strides(operands[k], shapes[k])
            base = weights if operands[k] is None else operands[k].at  # type: ignore[union-attr]
            return f"{base} + {place_of(names[:-1], sizes[:-1], steps[:-1])}", steps[-1]

        to = f"{y.at} + {place_of(names[:-1], sizes[:-1], y.strides()[:-1])}"
        lines = []
        left = address(0)
        for k in range(1, len(operands)):
            right = address(k)
            call = (
                f"combine<{min(left[1], 1)}, {min(right[1], 1)}>({left[0]}, {right[0]}, {to}, {sizes[-1]}, {function});"
            )
            lines += loops(sizes[:-1], names[:-1], [call])
            left = (to, 1)
        if name == "average":
            share = program.array([float(len(operands))])
            call = f"combine<1, 0>({to}, {share}, {to}, {sizes[-1]}, Divide{{}});"
            lines += loops(sizes[:-1], names[:-1], [call])
        return lines

    program.same_steps(inputs)
    return program.step(inputs, y, text, kernels=["tensors", *KERNELS_OF.get(name, ())])


def _split(x: Tensor, axes: Sequence[int]) -> tuple[list[int], list[int]]:
    outer = [axis for axis in range(len(x.shape)) if axis not in axes]
    return outer, list(axes)


def _most(x: Tensor, axes: Sequence[int]) -> int:
    return product([x.fixed[axis] for axis in axes])


def on_axes(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """A function of the numbers along axes: softmax and its kin, or standardize."""
    (x,) = inputs
    y = program.tensor(x.shape, x.steps)
    axes = sorted(layer.data["axes"])
    if layer.data["architecture"] == "softmax":
        name = layer.data.get("activation", "softmax")
        name = name["function"] if isinstance(name, dict) else name
        function = f"{ROWS[name]}{{}}"
    else:
        function = f"Standardize<{STANDARDS[layer.data['function']]}>{{{hexadecimal(layer.data['epsilon'])}}}"

    def text() -> list[str]:
        sizes, names = sizes_of(x), names_of(len(x.shape))
        outer, inner = _split(x, axes)
        place = [
            place_of([names[a] for a in outer], [sizes[a] for a in outer], [t.strides()[a] for a in outer])
            for t in (x, y)
        ]
        inside = [
            place_of([names[a] for a in inner], [sizes[a] for a in inner], [t.strides()[a] for a in inner])
            for t in (x, y)
        ]
        n = " * ".join(sizes[a] for a in inner)
        if inner == [len(x.shape) - 1]:
            body = [f"{function}({x.at} + {place[0]}, {y.at} + {place[1]}, {n});"]
        else:
            copies = ["m[k++] = ({})[{} + {}];", "({})[{} + {}] = m[k++];"]
            moved = [
                loops([sizes[a] for a in inner], [names[a] for a in inner], [copy.format(t.at, p, q)])
                for copy, t, p, q in zip(copies, (x, y), place, inside, strict=True)
            ]
            body = ["std::size_t k = 0;", *moved[0], f"{function}(m, m, {n});", "k = 0;", *moved[1]]
        return ["{", *(f"  {line}" for line in loops([sizes[a] for a in outer], [names[a] for a in outer], body)), "}"]

    return program.step([x], y, text, kernels=["rows", "more", "tensors"], scratch=_most(x, axes))


def reduce(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """A number of those along axes, which go, or with `keepdims` become 1; 0 of no steps."""
    (x,) = inputs
    axes, keep = sorted(layer.data["axes"]), layer.data.get("keepdims", False)
    function = REDUCTIONS[layer.data["function"]]
    kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    shape = kept if keep else [size for axis, size in enumerate(x.shape) if axis not in axes] or [1]
    y = program.tensor(shape, x.steps if shape[0] is None and len(shape) > 1 else ("", 0))

    def text() -> list[str]:
        sizes, names = sizes_of(x), names_of(len(x.shape))
        outer, inner = _split(x, axes)
        strides = y.strides()
        to = [strides[axis] for axis in outer] if keep else strides if outer else []
        outer_names, outer_sizes = [names[a] for a in outer], [sizes[a] for a in outer]
        source = place_of(outer_names, outer_sizes, [x.strides()[a] for a in outer])
        target = place_of(outer_names, outer_sizes, to)
        inside = place_of([names[a] for a in inner], [sizes[a] for a in inner], [x.strides()[a] for a in inner])
        n = " * ".join(sizes[a] for a in inner)
        gather = loops(
            [sizes[a] for a in inner], [names[a] for a in inner], [f"m[k++] = ({x.at})[{source} + {inside}];"]
        )
        body = ["std::size_t k = 0;", *gather, f"({y.at})[{target}] = k == 0 ? 0.0F : {function}(m, {n});"]
        return ["{", *(f"  {line}" for line in loops(outer_sizes, outer_names, body)), "}"]

    return program.step([x], y, text, kernels=["rows", "more", "tensors"], scratch=_most(x, axes))


def concatenate_axis(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """After each other, along any axis."""
    axis = layer.data["axis"]
    first = inputs[0]
    program.same_steps(inputs)
    shape = list(first.shape)
    shape[axis] = sum(x.fixed[axis] for x in inputs)
    y = program.tensor(shape, first.steps)

    def text() -> list[str]:
        lines, start = [], 0
        for x in inputs:
            sizes, names = sizes_of(x), names_of(len(x.shape))
            source, target = place_of(names, sizes, x.strides()), place_of(names, sizes, y.strides())
            lines += loops(sizes, names, [f"({y.at} + {start * y.strides()[axis]})[{target}] = ({x.at})[{source}];"])
            start += x.fixed[axis]
        return lines

    return program.step(inputs, y, text, missing="passed" if len(shape) == 1 else "spoils")


def gather(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Some elements of a vector."""
    (x,) = inputs
    index = np.asarray(layer.data["index"], np.uint32)
    y = program.tensor((len(index),))

    def text() -> list[str]:
        places = program.array(index, "std::uint32_t")
        return [f"for (std::size_t k = 0; k < {len(index)}; ++k) ({y.at})[k] = ({x.at})[{places}[k]];"]

    return program.step([x], y, text, missing="passed")


def move(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Layers whose every number is one of the input, or 0."""
    (x,) = inputs
    data, name, rank = layer.data, layer.data["architecture"], len(x.shape)
    shape = list(x.shape)
    if name == "transpose":
        shape = [x.shape[axis] for axis in data["axes"]]
    elif name in ("reshape", "broadcast", "slice"):
        shape = [None if x.is_dynamic else data["shape"][0], *data["shape"][1:]]
    elif name == "zeropadding":
        shape = [*(s + a + b for s, (a, b) in zip(x.fixed, data["padding"], strict=False)), x.channels]
    elif name == "cropping":
        shape = [*(s - a - b for s, (a, b) in zip(x.fixed, data["cropping"], strict=False)), x.channels]
    elif name == "upsampling":
        shape = [*(s * k for s, k in zip(x.fixed, data["size"], strict=False)), x.channels]
    y = program.tensor(shape, x.steps if x.is_dynamic else ("", 0))

    def text() -> list[str]:
        names, sizes = names_of(len(shape)), sizes_of(y)
        source, target = x.strides(), place_of(names, sizes, y.strides())
        from_text = ""
        if name == "reshape":
            flat = loops(
                sizes_of(x),
                names_of(rank, "j"),
                [f"m[k++] = ({x.at})[{place_of(names_of(rank, 'j'), sizes_of(x), source)}];"],
            )
            back = loops(sizes, names, [f"({y.at})[{target}] = m[k++];"])
            return ["{", "  std::size_t k = 0;", *(f"  {line}" for line in [*flat, "k = 0;", *back]), "}"]
        if name == "transpose":
            from_text = place_of(names, sizes, [source[axis] for axis in data["axes"]])
        elif name == "broadcast":
            extra = len(shape) - rank
            steps = [0] * extra + [0 if size == 1 else stride for size, stride in zip(x.shape, source, strict=True)]
            from_text = place_of(names, sizes, steps)
        elif name == "slice":
            parts = []
            for one, size, begin, step, stride in zip(names, sizes, data["begin"], data["step"], source, strict=True):
                at = f"{begin} {'-' if step < 0 else '+'} {one} * {abs(step)}" if size != "1" else str(begin)
                parts.append(f"({at}) * {stride}")
            from_text = " + ".join(parts)
        elif name == "reverse":
            from_text = (
                f"({sizes[0]} - 1 - i0) * {source[0]} + {place_of(names[1:], sizes[1:], source[1:])}"
                if sizes[0] != "1"
                else place_of(names[1:], sizes[1:], source[1:])
            )
        elif name == "cropping":
            begins = [a for a, _ in data["cropping"]] + [0]
            start = sum(a * s for a, s in zip(begins, source, strict=True))
            from_text = f"{start} + {place_of(names, sizes, source)}"
        elif name == "upsampling":
            parts = [
                f"{one} / {k} * {s}"
                for one, size, k, s in zip(names, sizes, [*data["size"], 1], source, strict=True)
                if size != "1"
            ]
            from_text = " + ".join(parts) or "0"
        elif name == "zeropadding":
            begins = [a for a, _ in data["padding"]] + [0]
            start = sum(a * s for a, s in zip(begins, y.strides(), strict=True))
            inner = sizes_of(x)
            zeros = loops(sizes, names, [f"({y.at})[{target}] = 0.0F;"])
            to, from_text = (place_of(names, inner, strides) for strides in (y.strides(), source))
            return [*zeros, *loops(inner, names, [f"({y.at})[{start} + {to}] = ({x.at})[{from_text}];"])]
        return loops(sizes, names, [f"({y.at})[{target}] = ({x.at})[{from_text}];"])

    return program.step([x], y, text, scratch=product(x.fixed) if name == "reshape" else 0)
