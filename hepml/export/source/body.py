"""The lines of struct Network: what run() does, and what the constructor does for images that are mostly empty."""

from __future__ import annotations

import numpy as np

from hepml.export.source.activations import hexadecimal
from hepml.export.source.names import Names
from hepml.export.source.network import Port, Result
from hepml.export.source.program import Program, Step, Tensor

__all__ = ["struct"]


def struct(program: Program, ports: list[Port], results: list[Result], names: Names) -> list[str]:
    """The lines of struct Network."""
    parameters = []
    for name, port in zip(names.inputs, ports, strict=True):
        parameters.append(f"const float* {name}")
        if port.tensor.is_dynamic:
            parameters.append(f"std::size_t {port.tensor.steps[0]}")
    parameters += [f"float* {name}" for name in names.outputs]
    sparse = [tensor for tensor in program.tensors if tensor.sparse]
    body = ["using namespace kernels;", "using namespace weights;", "Status status = Status::ok;"]
    dynamic = [port.tensor.steps[0] for port in ports if port.tensor.is_dynamic]
    body += [f"if ({steps} > max_steps) status = Status::wrong_steps;" for steps in dynamic]
    body += program.prologue
    if body[3:]:
        body += _refused([one for one in zip(names.outputs, results, strict=True) if not one[1].tensor.is_dynamic])
    for name, port in zip(names.inputs, ports, strict=True):
        body += _prepare(program, name, port)
    body += _refused(list(zip(names.outputs, results, strict=True)))
    for name, port in zip(names.inputs, ports, strict=True):
        if port.tensor.sparse:
            x = port.tensor
            body.append(f"find_active({name}, {x.rows}, {x.columns}, {x.channels}, active_{sparse.index(x)});")
    for step in program.steps:
        lines = step.text()
        body += _sparse_step(step, lines, sparse) if step.target.sparse else lines
        body += _clear(step.target)
    for name, result in zip(names.outputs, results, strict=True):
        body += _deliver(name, result)
    return [
        "struct Network {",
        *(_start(program, ports, sparse) if sparse else []),
        "  /// Raw values in; what the trained network answers out.",
        f"  Status run({', '.join(parameters)}) noexcept {{",
        *(f"    {line}" for line in body),
        "    return status;",
        "  }",
        "",
        " private:",
        f"  alignas(64) float m[{program.size}] = {{}};",
        *_sparse_members(sparse, [port.tensor for port in ports]),
        "};",
    ]


def _refused(results: list[tuple[str, Result]]) -> list[str]:
    fills = [f"  fill({name}, {result.tensor.n}, nan);" for name, result in results]
    return ["if (status != Status::ok) {", *fills, "  return status;", "}"]


def _clear(x: Tensor) -> list[str]:
    """Zeros around a sequence whose end differs by event."""
    if not (x.is_dynamic and any(x.border)):
        return []
    left, right = x.border[1] * x.channels, x.border[3] * x.channels
    return [f"fill({x.at} - {left}, {left}, 0.0F);", f"fill({x.at} + {x.n}, {right}, 0.0F);"]


def _start(program: Program, ports: list[Port], sparse: list[Tensor]) -> list[str]:
    """The constructor: the response to empty images."""
    lines = [
        "  /// Computes the response to empty images.",
        "  Network() noexcept {",
        "    using namespace kernels;",
        "    using namespace weights;",
    ]
    for port in ports:
        if not port.tensor.sparse:
            continue
        x = port.tensor
        lines.append(f"    for (std::size_t i = 0; i < {x.rows}; ++i) {{")
        lines.append(f"      float* y = {x.at} + i * {x.row_stride};")
        for place in range(len(port.scale)) if len(port.scale) > 1 else [None]:
            empty = np.float64(np.float32(port.offset[place or 0])) * port.scale[place or 0]
            at = "k" if place is None else f"k * {x.channels} + {place}"
            n = x.extent[1] * x.channels if place is None else x.extent[1]
            lines.append(f"      for (std::size_t k = 0; k < {n}; ++k) y[{at}] = {hexadecimal(float(empty))};")
        lines.append("    }")
    for step in program.steps:
        if step.target.sparse:
            lines += [f"    {line}" for line in step.text()]
    for x in sparse:
        lines.append(f"    copy_floats(m + {x.whole}, m + {x.background}, {x.size});")
    return [*lines, "  }"]


def _sparse_members(sparse: list[Tensor], inputs: list[Tensor]) -> list[str]:
    if not sparse:
        return []
    lines = []
    for k, x in enumerate(sparse):
        before = "" if x in inputs else f", before_{k}[{x.rows}] = {{}}"
        lines.append(f"  std::uint64_t active_{k}[{x.rows}] = {{}}{before};")
    return [*lines, f"  kernels::Pixel at[{max(x.rows * x.extent[1] for x in sparse)}];"]


def _sparse_step(step: Step, dense: list[str], sparse: list[Tensor]) -> list[str]:
    """All pixels, or only those that the event reaches; from three quarters on, all are as fast."""
    (x,), y, local = step.sources, step.target, step.local
    assert local is not None
    i, k = sparse.index(x), sparse.index(y)
    reaches = ", ".join(f"Reach{{{a}, {b}, {c}}}" for a, b, c in (local.rows, local.columns))
    most = 3 * y.rows * y.extent[1] // 4
    return [
        "{",
        f"  const std::size_t n = find_reached(active_{i}, {x.rows}, {reaches}, active_{k}, {y.rows}, {y.columns}, "
        "at);",
        f"  if (n > {most}) {{",
        *(f"    {line}" for line in dense),
        f"    for (std::size_t i = 0; i < {y.rows}; ++i) before_{k}[i] = active_{k}[i];",
        "  } else {",
        f"    restore(before_{k}, active_{k}, {y.rows}, {y.at}, m + {y.background + y.inset}, {y.row_stride}, "
        f"{y.channels});",
        f"    {local.text()}",
        "  }",
        "}",
    ]


def _prepare(program: Program, name: str, port: Port) -> list[str]:
    """From raw values to what the network sees, and whether they are numbers."""
    x = port.tensor
    identity = not np.any(port.offset) and np.all(port.scale == 1.0)
    alone = len(port.scale) == 1
    scaling = "" if identity else f"{program.array(port.offset, 'double')}, {program.array(port.scale, 'double')}, "
    scaling += "" if identity else ("0, " if alone else "1, ")
    if x.is_packed and (alone or identity or len(x.shape) == 1):
        calls = [f"good &= prepare({name}, {scaling}{x.at}, {x.n});"]
    elif alone or identity:
        row = x.extent[1] * x.channels
        calls = [
            f"for (std::size_t r = 0; r < {x.rows}; ++r)",
            f"  good &= prepare({name} + r * {row}, {scaling}{x.at} + r * {x.row_stride}, {row});",
        ]
    else:
        columns = f"{x.columns} * {x.channels}"
        calls = [
            f"for (std::size_t r = 0; r < {x.rows}; ++r)",
            f"  for (std::size_t c = 0; c < {x.columns}; ++c)",
            f"    good &= prepare({name} + r * {columns} + c * {x.channels}, {scaling}"
            f"{x.at} + r * {x.row_stride} + c * {x.channels}, {x.channels});",
        ]
    allowed = f" && !no_infinity({name}, {x.n})" if port.missing else ""
    good = [*(f"  {call}" for call in calls), f"  if (!good{allowed}) status = Status::not_finite;"]
    return ["{", "  bool good = true;", *good, "}", *_clear(x)]


def _deliver(name: str, result: Result) -> list[str]:
    x = result.tensor
    if x.is_packed:
        return [f"if (!deliver({x.at}, {name}, {x.n})) status = Status::not_finite;"]
    row = x.extent[1] * x.channels
    return [
        f"for (std::size_t r = 0; r < {x.rows}; ++r)",
        f"  if (!deliver({x.at} + r * {x.row_stride}, {name} + r * {row}, {row})) status = Status::not_finite;",
    ]
