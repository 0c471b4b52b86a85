"""The text of a header: what it says of itself, the kernels that it needs, the weights, and the network."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.source.activations import hexadecimal
from hepml.export.source.body import struct
from hepml.export.source.names import Names, kernel_text
from hepml.export.source.network import Port, Result
from hepml.export.source.program import Program

__all__ = ["header"]

WIDTH = 110
MOST_EVENTS = 4  # of the reference vectors: they are part of the header
IDENTITY = "\0"  # becomes the checksum; nothing else has it, since texts are escaped


def header(program: Program, ports: list[Port], results: list[Result], names: Names, block: dict[str, Any]) -> str:
    """The whole text. The program has its memory placed; `block` is the block `hepml` of the file."""
    model_id, reference = block.get("model_id"), block.get("reference")
    body = struct(program, ports, results, names)  # asks for weights and kernels
    if reference is not None:
        body += _reference(program, ports, results, reference)
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
            "#undef HEPML_SOURCE_LOOP",
            "#undef HEPML_SOURCE_SET",
            "#undef HEPML_SOURCE_UNROLL",
            "#undef HEPML_SOURCE_WIDTH",
            "",
        ]
    )
    return text.replace(IDENTITY, hashlib.sha256(text.encode()).hexdigest()[:16])


def _opening(program: Program, ports: list[Port], results: list[Result], names: Names, model_id: str | None) -> str:
    shown = [*(f"{name}" for name in _arguments(ports, names)), *names.outputs]
    lines = [
        f"// A trained network, written by hepml {version('hepml')}: do not edit, but write it again.",
        f"// Model {_quoted(model_id)[1:-1] if model_id else 'without an identity'}.",
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
        "#if defined(__clang__) && !defined(HEPML_SOURCE_PLAIN)",
        "#define HEPML_SOURCE_INLINE inline __attribute__((always_inline))",
        '#define HEPML_SOURCE_UNROLL _Pragma("clang loop unroll(full)")',
        "#define HEPML_SOURCE_LOOP",
        "#elif defined(__GNUC__) && !defined(HEPML_SOURCE_PLAIN)",
        "#define HEPML_SOURCE_INLINE inline __attribute__((always_inline))",
        '#define HEPML_SOURCE_UNROLL _Pragma("GCC unroll 16")',
        '#define HEPML_SOURCE_LOOP _Pragma("GCC unroll 1")  // so that it becomes one of vectors',
        "#else",
        "#define HEPML_SOURCE_INLINE inline",
        "#define HEPML_SOURCE_UNROLL",
        "#define HEPML_SOURCE_LOOP",
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
        "  wrong_steps,  // more steps than max_steps, or too few: sequences among the outputs are left as they were",
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
    size = len(texts) + (8 if kind == "float" else 0)  # half a vector of 16 may be read beyond the last weight
    # infinity is no constant everywhere
    qualifier = "const" if any("infinity" in text for text in texts) else "constexpr"
    lines, line = [], ""
    for text in texts:
        if len(line) + len(text) > WIDTH:
            lines.append(line)
            line = ""
        line += text + ","
    return f"alignas(64) inline {qualifier} {kind} {name}[{size}] = {{\n" + "\n".join([*lines, line]) + "};"


def _reference(program: Program, ports: list[Port], results: list[Result], reference: dict[str, Any]) -> list[str]:
    """A function that evaluates the reference vectors of the file, if any has no more steps than a `Network`."""

    def fits(event: int) -> bool:
        sequences = [port for port in ports if port.tensor.is_dynamic]
        return all(len(reference["inputs"][port.name][event]) <= program.max_steps * _size(port) for port in sequences)

    events = [event for event in range(min(map(len, reference["outputs"].values()))) if fits(event)][:MOST_EVENTS]
    if not events:
        return []
    lines = [
        "",
        "/// Evaluates the reference vectors of the export: are they what the trained network answered?",
        "inline bool reproduces_reference(Network& network) noexcept {",
        "  bool good = true;",
    ]
    sizes = [max(len(reference["outputs"][result.name][event]) for event in events) for result in results]
    lines += [f"  float y{k}[{size}];" for k, size in enumerate(sizes)]
    for event in events:
        arguments = []
        for port in ports:
            values = reference["inputs"][port.name][event]
            arguments.append(f"weights::{program.array(values)}")
            if port.tensor.is_dynamic:
                arguments.append(str(len(values) // _size(port)))
        arguments += [f"y{k}" for k, _ in enumerate(results)]
        lines.append(f"  good &= network.run({', '.join(arguments)}) == Status::ok;")
        for k, result in enumerate(results):
            values = reference["outputs"][result.name][event]
            tolerance = hexadecimal(reference["tolerance"])
            lines.append(
                f"  good &= kernels::are_near(y{k}, weights::{program.array(values)}, {len(values)}, {tolerance});"
            )
    return [*lines, "  return good;", "}"]
