"""TMVA's option strings and chains of transformations, read by its grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hepml.errors import DataError, nearest

__all__ = ["Link", "boolean", "parse_chain", "parse_options"]

_TRUE, _FALSE = {"1", "true", "ktrue", "t"}, {"0", "false", "kfalse", "f"}
_NAMES = {
    "Identity": ("i", "ident", "identity"),
    "Decorrelation": ("d", "deco", "decorrelate"),
    "PCA": ("p", "pca"),
    "Uniform": ("u", "uniform"),
    "Gauss": ("g", "gauss"),
    "Normalize": ("n", "norm", "normalise", "normalize"),
}
_KINDS = {alias: kind for kind, aliases in _NAMES.items() for alias in aliases}


def boolean(text: str) -> bool:
    """A value of a boolean option. Raises DataError for what is none.

    Example:
        >>> boolean("kTRUE"), boolean("F")
        (True, False)
    """
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise DataError("not a boolean", expected="True, T, 1, kTRUE, False, F, 0 or kFALSE", found=repr(text))


def parse_options(text: str, declared: Mapping[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
    """The options of a string such as "!V:Silent:NTrees=100", over their defaults; names match in any case.

    Args:
        text: items between colons: `name=value`, `flag` or `!flag`.
        declared: every option with its default, which gives its type.

    Raises:
        DataError: an unknown option, with the nearest names, or a value of another type.

    Example:
        >>> parse_options("!Color:Silent", {"Color": True, "Silent": False})
        {'Color': False, 'Silent': True}
    """
    names = {name.lower(): name for name in declared}
    values = dict(declared)
    for item in text.replace("~", "").split(":"):
        bare, sign, given = item.strip().partition("=")
        if not bare:
            continue
        off = bare.startswith("!")
        name = names.get(bare.lstrip("!").strip().lower())
        if name is None:
            raise DataError(
                f"unknown option {bare.lstrip('!')!r}",
                where=f"the options {text!r}",
                expected=", ".join(declared),
                nearest=nearest(bare, declared),
            )
        default = declared[name]
        if not sign and not isinstance(default, bool):
            raise DataError(f"the option {name!r} needs a value", where=f"the options {text!r}", expected=f"{name}=...")
        if not sign:
            values[name] = not off
        elif off:
            raise DataError(f"the option {name!r} has both ! and a value", where=f"the options {text!r}")
        else:
            values[name] = _typed(name, given.strip(), default)
    return values


def _typed(name: str, text: str, default: bool | int | float | str) -> bool | int | float | str:
    if isinstance(default, bool):
        return boolean(text)
    try:
        return type(default)(text)
    except ValueError:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise DataError(f"the option {name!r} cannot be {text!r}", expected=kind) from None


@dataclass(frozen=True)
class Link:
    """One transformation of a chain: its kind, the list in brackets and the class that it was trained on, if named."""

    kind: str
    selection: tuple[str, ...] = ()
    class_name: str | None = None


def parse_chain(text: str) -> tuple[Link, ...]:
    """The links of a chain of transformations, the value of VarTransform; "None" is an empty chain.

    Raises:
        DataError: a transformation that TMVA does not have, with the nearest names.

    Example:
        >>> [link.kind for link in parse_chain("I,D_Signal+Gauss(var1,var2)")]
        ['Identity', 'Decorrelation', 'Gauss']
    """
    if text.strip().lower() in ("", "none"):
        return ()
    depth, parts = 0, [""]
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter in ",+" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return tuple(_link(part.strip(), text) for part in parts if part.strip())


def _link(part: str, whole: str) -> Link:
    shape = re.fullmatch(r"([A-Za-z]+)(?:\((.*)\)(?:_([^()]+))?|(?:_([^()]+))?(?:\((.*)\))?)", part)
    kind = _KINDS.get(shape[1].lower()) if shape else None
    if shape is None or kind is None:
        raise DataError(
            f"unknown transformation {part!r}",
            where=f"the chain {whole!r}",
            expected="I, D, P, U, G or N, each with (variables) and _Class",
            nearest=nearest(part, _KINDS),
        )
    selection = tuple(item.strip() for item in (shape[2] or shape[5] or "").split(",") if item.strip())
    return Link(kind, selection, shape[3] or shape[4])
