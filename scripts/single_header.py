"""Write the library hepml::hepml as one header, for people who vendor.

    python scripts/single_header.py hepml.hpp

The header declares what the public headers do. In one file of the application, `#define HEPML_IMPLEMENTATION` before
the include defines it; that file alone needs nlohmann/json. The sources are those that CMake builds, one behind the
other, so names of an unnamed namespace get the name of their file, and the kernels of each instruction set a pragma in
the place of compiler options. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CPP = ROOT / "cpp"
# a lambda, which g++'s pragma passes over; one that captures nothing becomes a function pointer too, which no attribute
# reaches
LAMBDA = re.compile(r"\[([&=\w, ]*)\](\([^()]*\)) \{")
INCLUDE = re.compile(r'^#include (?:<(hepml/[^>]+)>|"([^"]+)")\n', re.M)
SYSTEM = re.compile(r"^#include <[^>]+>\n", re.M)
SYSTEM_IF = re.compile(r"^#if .*\n(?:#include <[^>]+>\n)+#endif\n", re.M)
LITERAL = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|(?<!\d)'(?:\\.|[^'\\\n])'", re.S)
# What CMake's options name for the kernels of each set.
SETS = {"generic": "", "avx2": "avx2,fma", "avx512": "avx512f,avx2,fma"}

USE = """\
// hepml {version}, https://arxiv.org/abs/2011.01984: evaluates exported networks one event at a time.
// Written by scripts/single_header.py of the sources: change those.
//
// In one file of the application
//
//     #define HEPML_IMPLEMENTATION
//     #include "hepml.hpp"
//
// and the include alone in all others. The one file needs nlohmann/json.hpp, and g++ or clang with optimization.
"""
# What Tagger::Parts and the like hold is of an unnamed namespace: here in a header, but included once. And g++ 12 with
# -O3 as C++20 takes the strings of "[" + text for overlapping (its bug 105651).
DIAGNOSTIC = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#pragma GCC diagnostic ignored "-Wrestrict"
#endif
"""
END_DIAGNOSTIC = "#if defined(__GNUC__) && !defined(__clang__)\n#pragma GCC diagnostic pop\n#endif\n"
NO_FAST_MATH = """\
#if defined(__FAST_MATH__)
#error "hepml knows NaN and infinity: compile the file with HEPML_IMPLEMENTATION without -ffast-math"
#endif
"""
CONTRACT = """\
#if defined(__clang__)
#pragma clang fp contract({clang})
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract={gcc}")
#endif
"""
PUSH = "#if !defined(__clang__)\n#pragma GCC push_options\n#endif\n"
POP = PUSH.replace("push", "pop")
TARGET = """\
#define HEPML_TARGET __attribute__((target("{target}")))
#if defined(__clang__)
#pragma clang attribute push(HEPML_TARGET, apply_to = function)
#else
#pragma GCC target("{target}")
#endif
"""
END_TARGET = "#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n"


def masked(text: str) -> str:
    """The text with blanks for comments and literals."""
    return LITERAL.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def closing(text: str, start: int) -> int:
    """The place of the brace that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError("a brace is not closed")


def declarations(text: str) -> Iterator[str]:
    """What a namespace declares, without bodies."""
    start = place = depth = 0
    while place < len(text):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if text[place] == "{":
            end = closing(text, place)
            if depth == 0 and "=" not in text[start:place]:
                yield text[start:place]
                start = end + 1
            place = end
        elif text[place] == ";" and depth == 0:
            yield text[start:place]
            start = place + 1
        place += 1


def name_of(declaration: str) -> str | None:
    """The name that a declaration makes, if any."""
    words = re.sub(r"^template <(?:[^<>]|<[^<>]*>)*>", "", declaration.strip()).strip()
    words = re.sub(r"^#.*$", "", words, flags=re.M).strip()
    if kind := re.match(r"(?:struct|class|enum class|enum)\s+(\w+)", words):
        return kind[1]
    if words.startswith("using "):
        alias = re.match(r"using (\w+) =", words)
        return alias[1] if alias else None
    name = re.match(r"[^(=\[]*?(::)?([A-Za-z_]\w*)\s*(?:$|[(=\[])", words)
    return name[2] if name and not name[1] and name[2] != "static_assert" else None


def local_names(text: str) -> set[str]:
    """The names that the unnamed namespaces of a masked text declare."""
    names = set()
    for found in re.finditer(r"\bnamespace \{", text):
        inside = text[found.end() : closing(text, found.end() - 1)]
        names |= {name for part in declarations(inside) if (name := name_of(part))}
    return names


def renamed(text: str, suffix: str) -> str:
    """The text of a source, its local names with the suffix: all sources share one translation unit."""
    code = masked(text)
    names = "|".join(sorted(local_names(code)))
    if not names:
        return text
    pieces, last = [], 0
    for found in re.finditer(rf"(?<![.\w])(?<!->)(?<!::)(?:{names})\b", code):
        pieces += [text[last : found.end()], f"_{suffix}"]
        last = found.end()
    return "".join([*pieces, text[last:]])


class Collector:
    """Sources in the order in which they need one another, includes of the system apart."""

    def __init__(self) -> None:
        self.done: set[Path] = set()
        self.system: set[str] = set()

    def find(self, name: str, beside: Path) -> Path:
        for folder in (beside, CPP / "src", CPP / "include"):
            if (folder / name).is_file():
                return (folder / name).resolve()
        raise FileNotFoundError(f"{name}, included in {beside}")

    def headers(self, path: Path) -> list[Path]:
        """The headers that a file includes and that are new, each behind those that it includes."""
        found = []
        for name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            header = self.find(name[0] or name[1], path.parent)
            if header not in self.done:
                self.done.add(header)
                found += [*self.headers(header), header]
        return found

    def without_system(self, path: Path) -> str:
        """A file without its includes of the system, which are kept apart."""
        text = path.read_text(encoding="utf-8").replace("#pragma once\n", "")
        for pattern in (SYSTEM_IF, SYSTEM):
            self.system |= {line for line in pattern.findall(text) if "<hepml/" not in line}
            text = pattern.sub(lambda found: found[0] if "<hepml/" in found[0] else "", text)
        return text

    def text(self, path: Path) -> str:
        """A file without its includes."""
        text = INCLUDE.sub("", self.without_system(path))
        text = text.replace("defined(HEPML_X86)", "defined(__x86_64__)").replace("HEPML_VERSION", f'"{version()}"')
        return f"// ---- {path.relative_to(CPP).as_posix()}\n{text.strip()}\n\n"

    def includes(self) -> str:
        """What the texts so far took from the system."""
        lines = "".join(sorted(self.system, key=lambda line: (line.startswith("#if"), line)))
        self.system.clear()
        return lines + "\n"


def kernels(path: Path, collector: Collector) -> str:
    """The kernels of one instruction set, in a namespace and under a pragma of their own."""
    target = SETS[path.stem]
    once = {path.parent / "kernels.hpp"}

    def whole(file: Path) -> str:
        def included(found: re.Match[str]) -> str:
            header = collector.find(found[1] or found[2], file.parent)
            if header in once:
                return ""
            once.add(header)
            return whole(header)

        return INCLUDE.sub(included, collector.without_system(file)).strip() + "\n"

    space = f"in_{path.stem}"
    text = whole(path).replace('kernels_named("', f'{space}::kernels_named("')
    text = text.replace("namespace {\n", f"namespace hepml::kernels::{space} {{\nnamespace {{\n")
    text = text.replace("}  // namespace\n", f"}}  // namespace\n}}  // namespace hepml::kernels::{space}\n")
    text = LAMBDA.sub(lambda found: f"[{found[1] or '=' * ('V ' in found[2])}]{found[2]} HEPML_TARGET {{", text)
    macros = sorted(set(re.findall(r"^#define (\w+)", text, re.M)))
    fast, strict = (CONTRACT.format(clang=clang, gcc=gcc) for clang, gcc in (("on", "fast"), ("off", "off")))
    parts = [
        f"// ---- {path.relative_to(CPP).as_posix()}\n",
        "#if defined(__x86_64__)\n" if target else "",
        PUSH,
        # the library's generic kernels are for x86-64 without FMA
        fast if target else f"#if !defined(__x86_64__)\n{fast}#endif\n",
        TARGET.format(target=target) if target else "#define HEPML_TARGET\n",
        text,
        END_TARGET if target else "",
        strict,
        POP,
        *(f"#undef {macro}\n" for macro in [*macros, "HEPML_TARGET"]),
        "#endif\n" if target else "",
        "\n",
    ]
    return "".join(parts)


def sources() -> list[Path]:
    """What CMake builds hepml::hepml of, in its order."""
    lists = (CPP / "CMakeLists.txt").read_text(encoding="utf-8")
    found = []
    for name in ("HEPML_EVENT_SOURCES", "HEPML_INFERENCE_SOURCES"):
        names = re.search(rf"^set\({name}\n(.*?)\)", lists, re.M | re.S)
        assert names is not None, name
        found += [CPP / line for line in names[1].split()]
    return found


def version() -> str:
    """The version of the project."""
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    assert found is not None
    return found[1]


def header() -> str:
    """The whole header."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").rstrip().splitlines()
    public = Collector()
    declared = [public.text(path) for path in public.headers(CPP / "include" / "hepml" / "hepml.hpp")]
    private = Collector()
    private.done = set(public.done) | {CPP / "include" / "hepml" / "hepml.hpp"}
    defined = []
    of_sets = [path for path in sources() if path.parent.name == "kernels" and path.stem in SETS]
    for path in sources():
        if path not in of_sets:
            defined += [private.text(one) for one in private.headers(path)]
            defined.append(renamed(private.text(path), path.stem))
    defined += [kernels(path, private) for path in of_sets]
    parts = [
        USE.format(version=version()),
        "//\n",
        *(f"// {line}".rstrip() + "\n" for line in licence),
        "\n#ifndef HEPML_SINGLE_HEADER\n#define HEPML_SINGLE_HEADER\n\n",
        public.includes(),
        *declared,
        "#endif  // HEPML_SINGLE_HEADER\n\n",
        "#if defined(HEPML_IMPLEMENTATION) && !defined(HEPML_IMPLEMENTED)\n#define HEPML_IMPLEMENTED\n\n",
        NO_FAST_MATH,
        private.includes(),
        DIAGNOSTIC,
        PUSH,
        CONTRACT.format(clang="off", gcc="off"),
        "\n",
        *defined,
        POP,
        "#if defined(__clang__)\n#pragma STDC FP_CONTRACT DEFAULT\n#endif\n",
        END_DIAGNOSTIC,
        "\n#endif  // HEPML_IMPLEMENTATION\n",
    ]
    return "".join(parts)


def main() -> None:
    """Write the header."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("header", type=Path, help="file to write")
    path = parser.parse_args().header
    path.write_text(header(), encoding="utf-8")
    print(f"{path}: hepml {version()}", file=sys.stderr)


if __name__ == "__main__":
    main()
