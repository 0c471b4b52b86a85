"""The JSON Schema of exported files, and the check against it.

The schema describes form: keys, types, ranges. Whether weights fit their layers and the reference vectors reproduce is
checked by every load in C++.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from hepml.errors import SchemaError

__all__ = ["schema", "validate"]


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of format version 1.

    Example:
        >>> schema()["title"]
        'hepml model, format version 1'
    """
    text = (files("hepml.export") / "schema" / "hepml-model-1.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def validate(document: Any) -> None:
    """Checks a file that `json.loads` has read against the schema.

    Args:
        document: what `json.loads` gave.

    Raises:
        SchemaError: the first thing that does not follow the schema, with its JSON path.

    Example:
        >>> try:
        ...     validate({})
        ... except SchemaError as error:
        ...     print(error)
        not a hepml model: 'inputs' is a required property
          where:    $
    """
    from jsonschema.exceptions import best_match

    extension = document.get("hepml") if isinstance(document, Mapping) else None
    version = extension.get("format_version") if isinstance(extension, Mapping) else None
    if isinstance(version, int) and version > 1:
        raise SchemaError(
            "the file is newer than this hepml",
            where="$.hepml.format_version",
            expected=1,
            found=version,
            fix="update: pip install --upgrade hepml",
        )
    error = best_match(_validator().iter_errors(document))
    if error is not None:
        text = error.message if len(error.message) < 300 else f"{error.message[:120]} ... {error.message[-120:]}"
        raise SchemaError(f"not a hepml model: {text}", where=error.json_path)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    plain = Draft202012Validator.VALIDATORS["items"]

    def items(validator: Any, rule: Any, instance: Any, parent: Any) -> Iterator[Any]:
        """Long lists of weights at once; a number a time would take seconds."""
        if rule != {"type": "number"} or not isinstance(instance, list):
            yield from plain(validator, rule, instance, parent)
            return
        for k, number in enumerate(instance):
            if not (type(number) is int or (type(number) is float and math.isfinite(number))):
                found = ValidationError(f"{number!r:.80} is not of type 'number'", validator="type")
                found.path.appendleft(k)
                yield found
                return

    def number(_checker: Any, instance: Any) -> bool:
        return type(instance) is int or (type(instance) is float and math.isfinite(instance))

    checker = Draft202012Validator.TYPE_CHECKER.redefine("number", number)
    build: Any = extend
    return build(Draft202012Validator, {"items": items}, type_checker=checker)(schema())
