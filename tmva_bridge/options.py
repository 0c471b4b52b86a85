"""TMVA's option strings and chains of transformations, read by its grammar."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, cast

from hepml.errors import DataError, nearest

__all__ = ["Choice", "Declared", "Link", "Options", "boolean", "parse_chain", "parse_options"]

Scalar: TypeAlias = bool | int | float | str
Array: TypeAlias = tuple[Scalar, ...]
Declared: TypeAlias = "Scalar | Array | Choice"
Options: TypeAlias = dict[str, Scalar | Array]

_BOOLEANS = "True, T, 1, kTRUE, False, F, 0 or kFALSE"
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
    raise DataError("not a boolean", expected=_BOOLEANS, found=repr(text))


@dataclass(frozen=True)
class Choice:
    """An option with predefined values; the first is its default; such a value alone sets it, too."""

    values: tuple[str, ...]


def parse_options(text: str, declared: Mapping[str, Declared], given: Mapping[str, Any] | None = None) -> Options:
    """The options of a string such as "!V:Silent:NTrees=100", over their defaults; names match in any case.

    Args:
        text: items between colons: `name=value`, `flag`, `!flag`, `name[i]=value`, or a predefined value alone.
        declared: every option with its default, which gives its type: a `Choice` has predefined values, a tuple is an
            array, of which `name=value` sets every element and `name[i]=value` one.
        given: options as keywords, such as {"V": False}, which count after those of the text.

    Raises:
        DataError: an unknown option, with the nearest names, a value of another type, an index out of range, a colon
            that is missing.

    Example:
        >>> parse_options("!Color:Silent", {"Color": True, "Silent": False})
        {'Color': False, 'Silent': True}
        >>> parse_options("fisher:NSmooth=2:NSmooth[1]=7", {"Method": Choice(("LD", "Fisher")), "NSmooth": (0, 0)})
        {'Method': 'Fisher', 'NSmooth': (2, 7)}
    """
    return _Parser(str(text), declared).parsed(given or {})


class _Parser:
    def __init__(self, text: str, declared: Mapping[str, Declared]) -> None:
        self.text, self.declared = text, declared
        self.names = {name.lower(): name for name in declared}
        choices = {name: one.values for name, one in declared.items() if isinstance(one, Choice)}
        self.loose = {value: name for name, values in reversed(choices.items()) for value in values}  # the first counts
        self.values: Options = {
            name: one.values[0] if isinstance(one, Choice) else one for name, one in declared.items()
        }
        self.set: set[tuple[str, int | None]] = set()

    def parsed(self, given: Mapping[str, Any]) -> Options:
        for item in self.text.replace("~", "").split(":"):
            if item.strip():
                self.item(item.strip())
        self.set.clear()
        for word, value in given.items():
            self.keyword(word, value)
        return self.values

    def wrong(self, problem: str, **parts: Any) -> NoReturn:
        raise DataError(problem, where=f"the options {self.text!r}", **parts)

    def item(self, item: str) -> None:
        bare, sign, value = (part.strip() for part in item.partition("="))
        off = bare.startswith("!")
        bare = bare.lstrip("!").strip()
        loose = {value.lower(): name for value, name in self.loose.items()}
        if not sign and not off and bare.lower() not in self.names and bare.lower() in loose:
            return self.put(loose[bare.lower()], None, bare)
        name, index = self.name(bare, item)
        if not sign and not isinstance(self.declared[name], bool):
            self.wrong(f"the option {name!r} needs a value", expected=f"{name}=...")
        if not sign:
            return self.put(name, index, str(not off))
        if off:
            self.wrong(f"the option {name!r} has both ! and a value", expected=f"{name}={value} or !{name}")
        if isinstance(self.declared[name], str):
            self.missing_colon(value, "=")
        return self.put(name, index, value)

    def name(self, bare: str, item: str) -> tuple[str, int | None]:
        """The option that a word names, and the index in brackets, if there is one."""
        found = re.fullmatch(r"([^\[\]]+)\[(\d+)\]", bare)
        name = self.names.get((found[1].strip() if found else bare).lower())
        if name is None:
            self.missing_colon(item, "")
            self.wrong(
                f"unknown option {bare!r}",
                expected=", ".join(self.declared),
                nearest=nearest(bare, [*self.declared, *self.loose]),
            )
        default = self.declared[name]
        if found and not isinstance(default, tuple):
            self.wrong(f"the option {name!r} is no array", expected=f"{name}=...", found=bare)
        if found and isinstance(default, tuple) and int(found[2]) >= len(default):
            self.wrong(f"no element {found[2]} of the option {name!r}", expected=f"0 to {len(default) - 1}", found=bare)
        return name, int(found[2]) if found else None

    def keyword(self, word: str, value: Any) -> None:
        name, _ = self.name(word, word)
        default = self.declared[name]
        if isinstance(default, tuple) and isinstance(value, list | tuple):
            if len(value) != len(default):
                self.wrong(f"the option {name!r} has another length", expected=len(default), found=len(value))
            for index, one in enumerate(value):
                self.put(name, index, str(one))
        elif isinstance(value, bool) and not isinstance(default, bool):
            self.wrong(f"the option {name!r} is no boolean", expected=f"{name}=...", found=value)
        else:
            self.put(name, None, str(value))

    def put(self, name: str, index: int | None, text: str) -> None:
        default = self.declared[name]
        if (name, index) in self.set:
            warnings.warn(f"the option {name} is set twice: the last value counts", stacklevel=4)
        self.set.add((name, index))
        if not isinstance(default, tuple):
            self.values[name] = self.typed(name, text, default)
            return
        old = self.values[name]
        value = self.typed(name, text, default[0])
        self.values[name] = tuple(value if index in (None, i) else one for i, one in enumerate(cast(Array, old)))

    def typed(self, name: str, text: str, default: Scalar | Choice) -> Scalar:
        if isinstance(default, Choice):
            known = {value.lower(): value for value in default.values}
            if text.lower() in known:
                return known[text.lower()]
            self.missing_colon(text, "")
            self.wrong(
                f"the option {name!r} cannot be {text!r}",
                expected=", ".join(default.values),
                nearest=nearest(text, default.values),
            )
        try:
            return boolean(text) if isinstance(default, bool) else type(default)(text)
        except ValueError:
            self.missing_colon(text, "")
            kind = {bool: _BOOLEANS, int: "a whole number", float: "a number"}[type(default)]
            self.wrong(f"the option {name!r} cannot be {text!r}", expected=kind)

    def missing_colon(self, value: str, sign: str) -> None:
        """Complains if, within a value, another option begins: its name, of three letters or more, or ! and a name."""
        names = "|".join(sorted((re.escape(name) for name in self.declared if len(name) > 2), key=len, reverse=True))
        flags = "|".join(re.escape(name) for name, one in self.declared.items() if isinstance(one, bool))
        begins = rf"(?<=.)(?P<name>{names or '(?!)'})\s*{sign}|(?<=.)!(?P<flag>{flags or '(?!)'})\b"
        found = re.search(begins, value)
        if found:
            other = found["name"] or f"!{found['flag']}"
            self.wrong(
                f"missing ':' before {other}", expected="a colon between two options", found=repr(value), fix="add it"
            )


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
