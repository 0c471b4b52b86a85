"""Read a YAML file against a JSON schema: one message that names the file, the place and what was expected."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from hepml.errors import InputFileError, SchemaError, check_path, nearest

__all__ = ["read_yaml", "validate"]


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key given twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


# YAML 1.1 takes 8.4e7 for a string; YAML 1.2, and everybody who writes a cross section, for a number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: str | Path, package: str, schema: str) -> dict[str, Any]:
    """The content of a YAML file that follows `schema`, a JSON file in `package`.

    Raises:
        DataError: not a path.
        InputFileError: the file is absent or not text.
        SchemaError: it is not YAML, or does not follow the schema; the message names the place.
    """
    path = check_path(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        folder = Path(path).parent
        close = nearest(Path(path).name, [p.name for p in folder.iterdir()]) if folder.is_dir() else []
        raise InputFileError("no such file", where=path, nearest=close) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError("the file cannot be read as text", where=path, found=error) from error
    try:
        content = yaml.load(text, _Loader)  # a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise SchemaError("not a YAML file", where=path, found=" ".join(str(error).split())) from error
    validate(content, package, schema, path)
    return dict(content)


def validate(content: object, package: str, schema: str, where: object) -> None:
    """Check `content` against the JSON schema; raises SchemaError that names the place."""
    rules = json.loads((files(package) / schema).read_text(encoding="utf-8"))
    errors = list(jsonschema.Draft202012Validator(rules).iter_errors(content))
    if not errors:
        return
    worst = jsonschema.exceptions.best_match(errors)
    place = ".".join(str(part) for part in worst.absolute_path) or "the top level"
    known: list[str] = []
    unknown = ""
    if worst.validator == "additionalProperties" and isinstance(worst.schema, dict):
        known = list(worst.schema.get("properties", {}))
        unknown = next((str(key) for key in worst.instance if key not in known), "")
    raise SchemaError(
        f"the key {unknown!r} is not known at {place}" if unknown else f"{worst.message[:200]} at {place}",
        where=where,
        expected=", ".join(known) if known else None,
        nearest=nearest(unknown, known) if unknown else [],
        fix=f"follow the schema {rules['title']} (version 1)",
    )
