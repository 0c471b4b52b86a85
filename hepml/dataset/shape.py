"""What stored JSON must look like, so that whoever reads it need not ask at every key."""

from __future__ import annotations

from typing import Any

__all__ = ["NUMBER", "check_shape"]

NUMBER = (int, float)


def check_shape(value: Any, shape: Any, place: str) -> None:
    """Refuses JSON without the keys and types that are needed; other keys are free.

    Args:
        value: what was read.
        shape: a type or several; a dict of shapes by key, or {str: shape} for any keys; [shape] for a list of them.
        place: name of the value, for the message.

    Raises:
        ValueError: the first difference.

    Example:
        >>> check_shape({"kind": "binary", "names": [1]}, {"kind": str, "names": [str]}, "task")
        Traceback (most recent call last):
        ValueError: task.names[0] is a number where text is expected
    """
    if not isinstance(value, _type(shape)):
        raise ValueError(f"{place} is {_word(type(value))} where {_word(_type(shape))} is expected")
    if isinstance(shape, list):
        for number, item in enumerate(value):
            check_shape(item, shape[0], f"{place}[{number}]")
    elif isinstance(shape, dict):
        for key in value if str in shape else shape:
            if key not in value:
                raise ValueError(f"{place}.{key} is missing")
            check_shape(value[key], shape.get(str, shape.get(key)), f"{place}.{key}")


def _type(shape: Any) -> Any:
    return type(shape) if isinstance(shape, dict | list) else shape


def _word(types: Any) -> str:
    words = {int: "a number", float: "a number", str: "text", dict: "an object", list: "a list"}
    several = types if isinstance(types, tuple) else (types,)
    return " or ".join(dict.fromkeys(words.get(one, "null") for one in several))
