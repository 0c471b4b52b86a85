"""The text of a header: what it says of itself, the kernels that it needs, the weights, and the network."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import hexadecimal
from hepml.export.source.network import Port, Result
from hepml.export.source.program import Program, Step, Tensor

__all__ = ["Names", "header", "kernel_text"]

# in the order in which they may call each other
KERNELS = ("vectors", "functions", "more", "rows", "tensors", "elementwise", "dense", "convolution", "pixels", "pooling", "sparse", "recurrent", "trees")
NEEDS = {
    "pixels": ("convolution",),
    "recurrent": ("dense",),
    "sparse": ("convolution",),
    "tensors": ("rows", "more"),
}
WIDTH = 110
IDENTITY = "0123456789abcdef"  # becomes the checksum


@dataclass(frozen=True)
class Names:
    """C++ names.

    Attributes:
        namespace: of everything.
        inputs, outputs: parameters of run(), in the order of the file.
    """

    namespace: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def kernel_text(names: set[str]) -> str:
    """The kernels of these names and those that they need."""
    wanted = set(names)
    for name in reversed(KERNELS):
        if name in wanted:
            wanted.update(NEEDS.get(name, ()))
    folder = files("hepml.export.source") / "kernels"
    return "\n".join((folder / f"{name}.hpp").read_text(encoding="utf-8") for name in KERNELS if name in wanted)


def header(
    program: Program,
    ports: list[Port],
    results: list[Result],
    names: Names,
    model_id: str | None,
    reference: dict[str, Any] | None,
) -> str:
    """The whole text. The program has its memory placed."""
    body = _run(program, ports, results, names)  # asks for weights and kernels
    text = "\n".join(
        [
            _opening(program, ports, results, names, model_id),
            "namespace kernels {",
            "",
            kernel_text(program.kernels),
            "}  // namespace kernels",
            "",
            "namespace weights {",
            "",
            *(_array(name, kind, values) for name, (kind, values) in program.arrays.items()),
            "",
            "}  // namespace weights",
            "",
            *body,
            "",
            "}  // namespace HEPML_SOURCE_SET",
            f"}}  // namespace {names.namespace}",
            "",
            "#undef HEPML_SOURCE_INLINE",
            "#undef HEPML_SOURCE_SET",
            "#undef HEPML_SOURCE_UNROLL",
            "#undef HEPML_SOURCE_WIDTH",
            "",
        ]
    )
    return text.replace(IDENTITY, hashlib.sha256(text.encode()).hexdigest()[: len(IDENTITY)])


def _opening(
    program: Program, ports: list[Port], results: list[Result], names: Names, model_id: str | None
) -> str:
    shown = [*(f"{name}" for name in _arguments(ports, names)), *names.outputs]
    lines = [
        f"// A trained network, written by hepml {version('hepml')}: do not edit, but write it again.",
        f"// Model {model_id or 'without an identity'}.",
        "//",
        f"//   static {names.namespace}::Network network;  // one a thread, {program.size * 4:,} bytes",
        *(f"//   float {name}[{_size(result)}];" for name, result in zip(names.outputs, results, strict=True)),
        f"//   network.run({', '.join(shown)});  // raw values in",
        "//",
        "// No heap, no library, no exception. Compile with -O2 or more and the instruction set of the processor",
        "// (-march=x86-64-v3, -march=native). The set and a checksum of this file are part of every name, so that",
        "// files compiled for different processors, and libraries with different networks, do not mix.",
        "",
        "#pragma once",
        "",
        "#include <cstddef>",
        "#include <cstdint>",
        "",
        "#if defined(HEPML_SOURCE_PLAIN) || !defined(__GNUC__)",
        "#define HEPML_SOURCE_WIDTH 4",
        f"#define HEPML_SOURCE_SET plain_{IDENTITY}",
        "#elif defined(__AVX512F__)",
        "#define HEPML_SOURCE_WIDTH 16",
        f"#define HEPML_SOURCE_SET avx512_{IDENTITY}",
        "#elif defined(__AVX__) && defined(__FMA__)",
        "#define HEPML_SOURCE_WIDTH 8",
        f"#define HEPML_SOURCE_SET avx_fma_{IDENTITY}",
        "#elif defined(__AVX__)",
        "#define HEPML_SOURCE_WIDTH 8",
        f"#define HEPML_SOURCE_SET avx_{IDENTITY}",
        "#else",
        "#define HEPML_SOURCE_WIDTH 4",
        f"#define HEPML_SOURCE_SET generic_{IDENTITY}",
        "#endif",
        "#if defined(__clang__)",
        '#define HEPML_SOURCE_INLINE inline __attribute__((always_inline))',
        '#define HEPML_SOURCE_UNROLL _Pragma("clang loop unroll(full)")',
        "#elif defined(__GNUC__)",
        '#define HEPML_SOURCE_INLINE inline __attribute__((always_inline))',
        '#define HEPML_SOURCE_UNROLL _Pragma("GCC unroll 16")',
        "#else",
        "#define HEPML_SOURCE_INLINE inline",
        "#define HEPML_SOURCE_UNROLL",
        "#endif",
        "",
        f"namespace {names.namespace} {{",
        "inline namespace HEPML_SOURCE_SET {",
        "",
        f"inline constexpr char model_id[] = {_quoted(model_id or '')};",
    ]
    for name, port in zip(names.inputs, ports, strict=True):
        steps = " of a step" if port.tensor.is_dynamic else ""
        lines.append(f"inline constexpr std::size_t {name}_size = {_size(port)};  // floats{steps}")
        if port.variables:
            lines.append(_texts(f"{name}_variables", port.variables))
    for name, result in zip(names.outputs, results, strict=True):
        steps = " of a step" if result.tensor.is_dynamic else ""
        lines.append(f"inline constexpr std::size_t {name}_size = {_size(result)};  // floats{steps}")
        if all(result.labels):
            lines.append(_texts(f"{name}_labels", result.labels))
    if any(port.tensor.is_dynamic for port in ports):
        lines.append(f"inline constexpr std::size_t max_steps = {program.max_steps};")
    lines += [
        "",
        "enum class Status : unsigned char {",
        "  ok,",
        "  not_finite,   // an input or an output is not a number: the outputs are NaN",
        "  wrong_steps,  // more steps than max_steps, or too few for a window",
        "};",
        "",
    ]
    return "\n".join(lines)


def _size(one: Port | Result) -> int:
    shape = one.tensor.shape
    return int(np.prod([size for size in shape if size is not None]))


def _texts(name: str, texts: tuple[str, ...]) -> str:
    return f"inline constexpr const char* {name}[] = {{{', '.join(map(_quoted, texts))}}};"


def _quoted(text: str) -> str:
    """A C++ literal; JSON's escapes are C++'s but for controls and what lies outside ASCII."""
    out = []
    for byte in text.encode():
        plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        out.append(chr(byte) if plain else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def _arguments(ports: list[Port], names: Names) -> list[str]:
    out = []
    for name, port in zip(names.inputs, ports, strict=True):
        out.append(name)
        if port.tensor.is_dynamic:
            out.append(port.tensor.steps[0])
    return out


def _array(name: str, kind: str, values: NDArray[Any]) -> str:
    if kind in ("float", "double"):
        texts = [hexadecimal(value, kind) for value in values.tolist()]
    elif values.dtype.names is not None:
        rows = values.tolist()
        texts = [f"{{{hexadecimal(row[0])},{','.join(map(str, row[1:]))}}}" for row in rows]
    else:
        texts = [str(value) for value in values.tolist()]
    # infinity is no constant everywhere
    qualifier = "const" if any("infinity" in text for text in texts) else "constexpr"
    lines, line = [], ""
    for text in texts:
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = ""
        line += text + ","
    return f"alignas(64) inline {qualifier} {kind} {name}[{len(texts)}] = {{\n" + "\n".join([*lines, line]) + "};"


def _run(program: Program, ports: list[Port], results: list[Result], names: Names) -> list[str]:
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
        *_sparse_members(sparse),
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
    lines = ["  /// Computes the response to empty images.", "  Network() noexcept {", "    using namespace kernels;", "    using namespace weights;"]
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


def _sparse_members(sparse: list[Tensor]) -> list[str]:
    if not sparse:
        return []
    lines = [
        f"  std::uint64_t active_{k}[{x.rows}] = {{}}, before_{k}[{x.rows}] = {{}};" for k, x in enumerate(sparse)
    ]
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
        f"  const std::size_t n = find_reached(active_{i}, {x.rows}, {reaches}, active_{k}, {y.rows}, {y.columns}, at);",
        f"  if (n > {most}) {{",
        *(f"    {line}" for line in dense),
        f"    for (std::size_t i = 0; i < {y.rows}; ++i) before_{k}[i] = active_{k}[i];",
        "  } else {",
        f"    restore(before_{k}, active_{k}, {y.rows}, {y.at}, m + {y.background + y.inset}, {y.row_stride}, {y.channels});",
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
        row = f"{x.columns} * {x.channels}"
        calls = [
            f"for (std::size_t r = 0; r < {x.rows}; ++r)",
            f"  for (std::size_t c = 0; c < {x.columns}; ++c)",
            f"    good &= prepare({name} + r * {row} + c * {x.channels}, {scaling}"
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
