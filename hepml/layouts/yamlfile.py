"""Read a YAML file against a JSON schema: one message with the file, the line, the place and what was expected."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from hepml.errors import InputFileError, SchemaError, check_path, nearest
from hepml.ledger import check_regular

__all__ = ["Lines", "read_lines", "read_yaml"]


_MOST = 1_000_000  # values in a file


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        name = loader.construct_object(key)
        if repr(name) in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {str(name)!r} is given twice", key.start_mark)
        seen.add(repr(name))
    return loader.construct_mapping(node, deep=True)


# YAML 1.1 takes 8.4e7 for a string; YAML 1.2, and everybody who writes a cross section, for a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class Lines:
    """Where in a YAML file its keys and values are.

    Example:
        >>> lines = Lines(yaml.compose("a: 1\\nb:\\n  c: [x, y]"))
        >>> lines.of("b", "c"), lines.of("b", "c", 1), lines.of("b", "d"), lines.naming(("b",), "no file 'y'")
        (3, 3, 2, 3)
    """

    def __init__(self, root: yaml.Node | None) -> None:
        self._root = root

    def of(self, *place: str | int) -> int:
        """The line of a key or an item, from 1; if it is not there, of what should hold it."""
        return self._find(place)[0]

    def naming(self, place: Sequence[str | int], text: str, file: str = "") -> int:
        """The line of what a text quotes, or of a text with the name `file`, at a place or below; else of the place."""
        line, node = self._find(place)
        for scalar in _scalars(node, set()):
            if repr(scalar.value) in text or (file and file in scalar.value):
                return int(scalar.start_mark.line) + 1
        return line

    def _find(self, place: Sequence[str | int]) -> tuple[int, yaml.Node | None]:
        node, line = self._root, 1
        for part in place:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(part)][-1:]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                pairs = [(item, item) for item in node.value[part : part + 1]]
            else:
                pairs = []
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        return line, node


def _scalars(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield node
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        for part in item if isinstance(item, tuple) else (item,):
            yield from _scalars(part, seen)


def read_yaml(path: str | Path, package: str, schema: str) -> dict[str, Any]:
    """The content of a YAML file that follows `schema`, a JSON file in `package`.

    Raises:
        DataError: not a path.
        InputFileError: the file is absent, a pipe, or not text.
        SchemaError: it is not YAML, its aliases stand for more than a million values, or it does not follow the schema;
            the message names the line and the place.
    """
    return read_lines(path, package, schema)[0]


def read_lines(path: str | Path, package: str, schema: str) -> tuple[dict[str, Any], Lines]:
    """As `read_yaml`, with the lines of all that is in the file."""
    path = check_path(path)
    check_regular(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        folder = Path(path).parent
        close = nearest(Path(path).name, [p.name for p in folder.iterdir()]) if folder.is_dir() else []
        raise InputFileError("no such file", where=path, nearest=close) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError("the file cannot be read as text", where=path, found=error) from error
    try:
        loader = _Loader(text)  # a SafeLoader
        root = loader.get_single_node()
        _check_size(root, path)
        content: Any = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = path if mark is None else f"{path}, line {mark.line + 1}"
        said = ", ".join(text for text in (error.context, error.problem) if text)
        raise SchemaError("not a YAML file", where=where, found=said) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SchemaError("not a YAML file", where=path, found=" ".join(str(error).split())) from error
    lines = Lines(root)
    _validate(content, package, schema, path, lines)
    return dict(content), lines


def _check_size(node: yaml.Node | None, path: str) -> None:
    """Refuses a file that is small, and huge once its aliases are written out, or endless."""
    sizes: dict[int, float] = {}

    def size(one: Any) -> float:
        if id(one) not in sizes:
            sizes[id(one)] = math.inf  # until it is known: what holds itself has no end
            parts = [each for pair in one.value for each in pair] if isinstance(one, yaml.MappingNode) else one.value
            sizes[id(one)] = 1 + (0 if isinstance(one, yaml.ScalarNode) else sum(map(size, parts)))
        return sizes[id(one)]

    if node is not None and size(node) > _MOST:
        raise SchemaError(
            "the aliases (*name) stand for more than a file of this kind can hold",
            where=path,
            expected=f"at most {_MOST} values, all of them written out",
            fix="do not trust this file" if math.isinf(sizes[id(node)]) else "write shorter lists",
        )


def _validate(content: object, package: str, schema: str, path: str, lines: Lines) -> None:
    """Checks `content` against the JSON schema; raises SchemaError that names the place."""
    rules = json.loads((files(package) / schema).read_text(encoding="utf-8"))
    errors = list(jsonschema.Draft202012Validator(rules).iter_errors(content))
    if not errors:
        return
    worst = jsonschema.exceptions.best_match(errors)
    place = ".".join(str(part) for part in worst.absolute_path) or "the top level"
    known: list[str] = []
    unknown: Any = None
    if worst.validator == "additionalProperties" and isinstance(worst.schema, dict):
        known = list(worst.schema.get("properties", {}))
        unknown = next((key for key in worst.instance if key not in known), None)
    of_enum = [str(one) for one in worst.validator_value] if worst.validator == "enum" else []
    named = unknown if "propertyNames" not in worst.absolute_schema_path else worst.instance
    line = lines.of(*worst.absolute_path, *([] if named is None else [named]))
    raise SchemaError(
        f"{worst.message[:200]} at {place}" if unknown is None else f"the key {str(unknown)!r} is not known at {place}",
        where=f"{path}, line {line}",
        expected=", ".join(known) or None,
        nearest=nearest(worst.instance if unknown is None else unknown, of_enum or known),
        fix=f"follow the schema {rules['title']} (version 1)",
    )
