"""Write docs/layers.md: every layer of Keras, how it is exported or why it is not; and in docs/source.md what generated
source has.

python scripts/layers_table.py [--check]
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

import keras

from hepml.export.layers import CALL_HANDLERS, HANDLERS
from hepml.export.layers.absent import reason_of
from hepml.export.source.activations import FUNCTIONS, ROWS
from hepml.export.source.network import HANDLERS as IN_SOURCE
from hepml.export.source.network import ON_LAST_AXIS

PAGE = Path(__file__).parents[1] / "docs" / "layers.md"
SOURCE_PAGE = PAGE.with_name("source.md")
BEGIN, END = "<!-- layers:source -->\n", "<!-- end of layers -->"


def classes() -> list[str]:
    """The classes of `keras.layers`, each under its own name; those that the installed Keras has."""
    found = {name for name in dir(keras.layers) if inspect.isclass(getattr(keras.layers, name))}
    known = {*HANDLERS, *CALL_HANDLERS}
    # A class may be offered under several names: MaxPool2D and MaxPooling2D
    return sorted(name for name in found if name in known or getattr(keras.layers, name).__name__ == name)


def how(kind: str) -> str:
    """The first sentence of the handler's docstring."""
    text = inspect.getdoc(HANDLERS.get(kind) or CALL_HANDLERS.get(kind)) or ""
    first = text.split("\n\n")[0].replace("\n", " ").strip()
    return re.sub(r"\s+", " ", first).rstrip(".")


def rows(names: list[str], text: Callable[[str], str]) -> list[str]:
    """Rows of the table, layers with one text together."""
    together: dict[str, list[str]] = {}
    for name in names:
        together.setdefault(text(name), []).append(name)
    return [f"| {', '.join(group)} | {words} |" for words, group in together.items()]


def page() -> str:
    """The text of docs/layers.md."""
    exported = [name for name in classes() if name in HANDLERS or name in CALL_HANDLERS]
    absent = [
        name for name in classes() if name not in exported and getattr(keras.layers, name).__name__ not in exported
    ]
    lines = [
        "# The layers of Keras",
        "",
        "Written by `scripts/layers_table.py`. The conditions are in [export.md](export.md), the form of the file in",
        "[format.md](format.md).",
        "",
        f"## Exported: {len(exported)}",
        "",
        "| layers | how |",
        "|---|---|",
        *rows(exported, how),
        "",
        f"## Not exported: {len(absent)}",
        "",
        "| layers | why |",
        "|---|---|",
        *rows(absent, reason_of),
    ]
    return "\n".join(lines) + "\n"


def source_page() -> str:
    """The text of docs/source.md, with the layers and activations that the code has."""

    def listed(names: Iterable[str]) -> list[str]:
        return textwrap.wrap(" ".join(f"`{name}`" for name in sorted(names)), 120)

    before, rest = SOURCE_PAGE.read_text(encoding="utf-8").split(BEGIN)
    lines = [
        *(f"Layers, as they are called in the file ({len(IN_SOURCE)}):", "", *listed(IN_SOURCE), ""),
        *(f"Activations ({len(FUNCTIONS) + len(ROWS)}):", "", *listed([*FUNCTIONS, *ROWS]), ""),
        *("On each step of a sequence, in lwtnn's `time_distributed`:", "", *listed(ON_LAST_AXIS), ""),
    ]
    return before + BEGIN + "\n".join(lines) + END + rest.split(END)[1]


if __name__ == "__main__":
    pages = {PAGE: page(), SOURCE_PAGE: source_page()}
    if sys.argv[1:] == ["--check"]:
        old = [path.name for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
        sys.exit(f"old pages: {', '.join(old)}: run scripts/layers_table.py" if old else 0)
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
