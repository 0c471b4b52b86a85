"""export_source: a network file as one C++ header."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.errors import DataError
from hepml.evaluator import Evaluator
from hepml.export.source.header import KERNELS, Names, header, kernel_text
from hepml.export.source.network import Port, Result, build
from hepml.ledger import atomic_path

__all__ = ["SourceExport", "export_source", "is_network_file", "source_text"]

MOST_STEPS = 1 << 16
KEYWORDS = set(
    """alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
    co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace
    new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef
    typeid typename union unsigned using virtual void volatile wchar_t while xor xor_eq std main""".split()
)
OURS = {"m", "r", "c", "i", "k", "n", "at", "good", "status", "kernels", "weights", "model_id", "max_steps", "run", "infinity", "nan", "V", "I"}


@dataclass(frozen=True)
class SourceExport:
    """What was written.

    Attributes:
        path: the header.
        namespace: the C++ namespace.
        inputs, outputs: the parameters of `Network::run`, in this order.
        memory: bytes of a `Network`.
    """

    path: Path
    namespace: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    memory: int


def export_source(
    network: str | Path | Mapping[str, Any],
    path: str | Path,
    *,
    namespace: str | None = None,
    max_steps: int = 256,
    overwrite: bool = False,
) -> SourceExport:
    """Writes a network as one C++17 header that needs nothing: weights and arithmetic, no JSON, no heap, no library.

    The header computes what `hepml.Evaluator` computes with the same network, within 1e-6.

    Args:
        network: a network file (hepml's, or lwtnn's graph or sequential form), or its JSON as a mapping.
        path: the header to write, complete or not at all.
        namespace: C++ namespace, such as "net" or "trigger::net"; by default the name of the header.
        max_steps: of sequences whose number of steps differs by event; their memory is part of the `Network`.
        overwrite: replace an existing file.

    Returns:
        What was written.

    Raises:
        UnsupportedLayerError: a layer or activation that the header cannot have; the message names it.
        DataError: a namespace that is no C++ name.
        InputFileError, SchemaError, VerificationError: a network file that `hepml.Evaluator` refuses.
        OutputError: the file exists, or cannot be written.

    Example:
        >>> import tempfile
        >>> dense = {"architecture": "dense", "weights": [1, -1], "bias": [0], "activation": "sigmoid"}
        >>> net = {"inputs": [{"name": n, "offset": 0, "scale": 1} for n in "ab"], "layers": [dense], "outputs": ["s"]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = export_source(net, Path(folder) / "net.hpp")
        >>> written.namespace, written.inputs, written.outputs
        ('net', ('inputs',), ('outputs',))
    """
    path = Path(path)
    text, names, memory = source_text(network, namespace or path.stem, max_steps=max_steps)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return SourceExport(path, names.namespace, names.inputs, names.outputs, memory)


def source_text(
    network: str | Path | Mapping[str, Any], namespace: str, *, max_steps: int = 256
) -> tuple[str, Names, int]:
    """The text of the header, its names, and the bytes of a `Network`. As export_source, but nothing is written."""
    part = r"[A-Za-z][A-Za-z0-9_]*"
    parts = namespace.split("::")
    if not all(re.fullmatch(part, one) and one not in KEYWORDS and "__" not in one for one in parts):
        raise DataError(
            "the namespace is no C++ name",
            where="--namespace, or the name of the header",
            expected="letters, digits and _, such as net or trigger::net",
            found=repr(namespace),
            fix="pass --namespace",
        )
    if not 1 <= max_steps <= MOST_STEPS:
        raise DataError("max_steps is out of range", expected=f"1 to {MOST_STEPS}", found=max_steps)
    if isinstance(network, Mapping):
        evaluator = Evaluator.from_text(json.dumps(network))
        document = dict(network)
    else:
        evaluator = Evaluator(network)
        document = json.loads(Path(network).read_text(encoding="utf-8"))
    program, ports, results = build(document, evaluator, max_steps)
    program.place()
    names = _names(namespace, ports, results)
    block = document.get("hepml") or {}
    text = header(program, ports, results, names, block.get("model_id"), block.get("reference"))
    return text, names, 4 * program.size


def _names(namespace: str, ports: list[Port], results: list[Result]) -> Names:
    called = re.findall(r"([A-Za-z_]\w+)\s*[({<]", re.sub("//.*", "", kernel_text(set(KERNELS))))
    taken = KEYWORDS | OURS | set(called)

    def identifier(name: str) -> str:
        found = re.sub(r"\W", "_", name, flags=re.ASCII)
        found = re.sub("_+", "_", found).strip("_") or "input"
        found = f"x_{found}" if found[0].isdigit() else found
        while found in taken:
            found += "_"
        taken.add(found)
        return found

    inputs = tuple(identifier(port.name) for port in ports)
    outputs = tuple(identifier(result.name) for result in results)
    return Names(namespace, inputs, outputs)


def is_network_file(path: Path) -> bool:
    """Whether a path names a network file: JSON with inputs, layers and outputs at the top.

    Example:
        >>> is_network_file(Path("model.keras"))
        False
    """
    if path.suffix != ".json" or not path.is_file():
        return False
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"inputs", "layers", "outputs"} <= document.keys()
