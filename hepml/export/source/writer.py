"""export_source: a network file as one C++ header."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.errors import DataError
from hepml.evaluator import Evaluator
from hepml.export.packing import expanded
from hepml.export.source.header import header
from hepml.export.source.names import Names, reserved_words
from hepml.export.source.network import build
from hepml.ledger import atomic_path, read_json

__all__ = ["SourceExport", "SourceFile", "beside", "export_source", "is_network_file", "source_text"]

MOST_STEPS = 1 << 16


@dataclass(frozen=True)
class SourceFile:
    """A header to write beside a network file.

    Attributes:
        path: the header.
        namespace: C++ namespace; by default the name of the header.
        max_steps: of sequences whose number of steps differs by event.
    """

    path: Path
    namespace: str | None = None
    max_steps: int = 256


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
        UnsupportedLayerError: a layer that the header cannot have; the message names it.
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


@contextlib.contextmanager
def beside(source: SourceFile | str | Path | None, overwrite: bool) -> Iterator[Callable[[Path], None]]:
    """A function that writes the header of a network file that has no name yet; the block gives both their names.

    Both are on the disk before either has its name.
    """
    if source is None:
        yield lambda network: None
        return
    wanted = source if isinstance(source, SourceFile) else SourceFile(Path(source))
    with atomic_path(wanted.path, overwrite=overwrite) as temporary:

        def write(network: Path) -> None:
            text, _, _ = source_text(network, wanted.namespace or wanted.path.stem, max_steps=wanted.max_steps)
            temporary.write_text(text, encoding="utf-8")
            with network.open("rb") as stream:
                os.fsync(stream.fileno())

        yield write


def source_text(
    network: str | Path | Mapping[str, Any], namespace: str, *, max_steps: int = 256
) -> tuple[str, Names, int]:
    """The text of the header, its names, and the bytes of a `Network`. As export_source, but nothing is written."""
    part = r"[A-Za-z][A-Za-z0-9_]*"
    parts, reserved = namespace.split("::"), reserved_words()
    if not all(re.fullmatch(part, one) and one not in reserved and "__" not in one for one in parts):
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
        document = read_json(network)
    records = evaluator.inputs, evaluator.outputs
    names = Names.of(namespace, *([record.name for record in one] for one in records))
    document = expanded(document)
    program, ports, results = build(document, evaluator, names, max_steps)
    program.place()
    text = header(program, ports, results, names, document.get("hepml") or {})
    return text, names, 4 * program.size


def is_network_file(path: Path) -> bool:
    """Whether a path names a network file: JSON with inputs, layers and outputs at the top.

    Raises:
        InputFileError: it is named .json, and absent or no JSON.

    Example:
        >>> is_network_file(Path("model.keras"))
        False
    """
    if path.suffix != ".json" or path.is_dir():
        return False
    document = read_json(path)
    return isinstance(document, dict) and {"inputs", "layers", "outputs"} <= document.keys()
