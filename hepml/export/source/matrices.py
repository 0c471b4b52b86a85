"""Products of tensors, attention, and tables of categories."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from hepml.export.source.activations import hexadecimal
from hepml.export.source.loops import loops, names_of, place_of, sizes_of
from hepml.export.source.program import Layer, Program, Tensor, up

__all__ = ["attention", "embedding", "matmul"]


def matmul(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """[..., rows, k] times [..., k, columns], or with `transposed` [..., columns, k]; the axes in front broadcast."""
    a, b = inputs
    transposed = bool(layer.data.get("transposed"))
    n_in, n_out = a.channels, b.fixed[-2 if transposed else -1]
    fronts = [x.fixed[:-2] for x in inputs]
    outer = [max(sizes) for sizes in zip_longest(*(reversed(front) for front in fronts), fillvalue=1)][::-1]
    y = program.tensor((*outer, a.shape[-2], n_out), a.steps)

    def text() -> list[str]:
        names, sizes = names_of(len(outer)), [str(size) for size in outer]

        def at(x: Tensor) -> str:
            front = x.fixed[:-2]
            steps = [0 if size == 1 else step for size, step in zip(front, x.strides(), strict=False)]
            return f"{x.at} + {place_of(names, sizes, [0] * (len(outer) - len(front)) + steps)}"

        row_of = [x.strides()[-2] for x in (a, b, y)]
        given = f"{at(a)}, {row_of[0]}, {sizes_of(a)[-2]}, {at(b)}, {row_of[1]}, {at(y)}, {row_of[2]}"
        return loops(sizes, names, [f"matmul<{n_in}, {n_out}, {str(transposed).lower()}>({given});"])

    return program.step(inputs, y, text, kernels=["matrices"])


def attention(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Means of the steps of `value`, weighted by the softmax of query times key, or of what is left of their sum."""
    query, key, value = inputs
    heads = layer.data["heads"]
    groups = layer.data.get("key_heads", heads)
    size, width = query.channels // heads, value.channels // groups
    causal, window = str(bool(layer.data.get("causal"))).lower(), layer.data.get("window", 0)
    y = program.tensor((query.shape[0], width * heads), query.steps)
    if key.is_dynamic and key.steps[0] != value.steps[0]:
        program.prologue.append(f"if ({key.steps[0]} != {value.steps[0]}) status = Status::wrong_steps;")

    def text() -> list[str]:
        scale = hexadecimal(layer.data["scale"])
        score = f"ScaledProduct<{size}>{{{scale}}}"
        if "weights" in layer.data:
            weights = np.append(layer.floats("weights"), np.zeros(up(size) - size, np.float32))
            score = f"AdditiveScore<{size}>{{{scale}, {program.array(weights)}}}"
        sizes = f"{heads}, {heads // groups}, {size}, {width}, {causal}, {window}"
        given = f"{query.at}, {query.columns}, {key.at}, {value.at}, {key.columns}, m, {y.at}, {score}"
        return [f"attention<{sizes}>({given});"]

    return program.step(inputs, y, text, kernels=["matrices"], scratch=key.fixed[0])


def embedding(program: Program, layer: Layer, inputs: list[Tensor]) -> Tensor:
    """Of every number its row of weights [category][out]; with `sublayers`, lwtnn's, of some variables of a step."""
    (x,) = inputs
    if "sublayers" in layer.data:
        return _some_variables(program, layer, x)
    n = layer.data["n_out"]
    weights = layer.floats("weights")
    alone = x.is_dynamic and x.channels == 1
    shape = x.shape[:1] if alone else x.shape
    y = program.tensor((*shape, n), x.steps)

    def text() -> list[str]:
        names, sizes = names_of(len(x.shape)), sizes_of(x)
        to = y.strides()[:-1]
        target = place_of(names, sizes, [*to, 0] if alone else to)
        table = f"{program.array(weights)}, {len(weights) // n}"
        call = f"look_up<{n}>(({x.at})[{place_of(names, sizes, x.strides())}], {table}, {y.at} + {target});"
        return loops(sizes, names, [call])

    return program.step([x], y, text, kernels=["embedding"])


def _some_variables(program: Program, layer: Layer, x: Tensor) -> Tensor:
    """Those variables give way to their columns, weights [out][category]; the others stay."""
    tables = {part["index"]: Layer(part, layer.where) for part in layer.data["sublayers"]}
    widths = [tables[i].data["n_out"] if i in tables else 1 for i in range(x.channels)]
    starts = np.cumsum([0, *widths]).tolist()
    y = program.tensor((x.shape[0], starts[-1]), x.steps)

    def text() -> list[str]:
        body = []
        for i, (n, start) in enumerate(zip(widths, starts, strict=False)):
            source = f"({x.at})[k * {x.channels} + {i}]"
            if i not in tables:
                body.append(f"({y.at})[k * {y.channels} + {start}] = {source};")
                continue
            columns = np.ascontiguousarray(tables[i].floats("weights").reshape(n, -1).T)
            table = f"{program.array(columns)}, {len(columns)}"
            body.append(f"look_up<{n}>({source}, {table}, {y.at} + k * {y.channels} + {start});")
        return [f"for (std::size_t k = 0; k < {x.columns}; ++k) {{", *(f"  {line}" for line in body), "}"]

    return program.step([x], y, text, kernels=["embedding"])
