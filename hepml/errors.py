"""The errors that hepml raises: one base class, few children, one message shape.

A message says what is wrong on its first line, then where, what was expected, what was found (with the nearest
names, if it is a name) and what to do about it, one line each. What comes from a file or a file's name is shown as
`printable` text: it cannot move the cursor, colour the terminal, add lines or fill the screen.
"""

from __future__ import annotations

import difflib
import operator
import os
from collections.abc import Iterable
from typing import Any

__all__ = [
    "DataError",
    "GranularityError",
    "HepmlError",
    "InputFileError",
    "MissingBranchError",
    "MissingExtraError",
    "OutputError",
    "SchemaError",
    "TrainingError",
    "UnsupportedLayerError",
    "VerificationError",
    "check_choice",
    "check_kind",
    "check_names",
    "check_path",
    "check_whole",
    "nearest",
    "printable",
]

_LONGEST = 2000  # characters of a part of a message


class HepmlError(Exception):
    """Base of every error that hepml raises on purpose.

    Args:
        problem: what is wrong, one line, naming the object.
        where: file, tree, branch, layer or JSON path.
        expected: what would have been right.
        found: what was there instead.
        nearest: close names, if a name was wrong.
        fix: what the reader can do.

    Example:
        >>> print(HepmlError("no tree named 'Delphes'", where="a.root", fix="name it: a.root:TREE"))
        no tree named 'Delphes'
          where:    a.root
          fix:      name it: a.root:TREE
    """

    exit_code = 1

    def __init__(
        self,
        problem: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        nearest: Iterable[str] = (),
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        parts = {
            "where": where,
            "expected": expected,
            "found": found,
            "nearest": ", ".join(repr(name) for name in nearest) or None,
            "fix": fix,
        }
        self.parts = {key: str(value) for key, value in parts.items() if value is not None}
        lines = [printable(problem), *(f"  {key + ':':<9} {printable(value)}" for key, value in self.parts.items())]
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:  # workers send their errors: all of a message survives
        return _restored, (type(self), self.problem, self.parts, self.args[0])

    def __str__(self) -> str:  # KeyError children would print the repr of the message
        return str(self.args[0])


def _restored(kind: type[HepmlError], problem: str, parts: dict[str, str], text: str) -> HepmlError:
    error = kind(problem)
    error.parts, error.args = parts, (text,)
    return error


class InputFileError(HepmlError, OSError):
    """A file that cannot be read: absent, not of the expected kind, truncated or damaged."""


class MissingBranchError(HepmlError, KeyError):
    """A tree without a branch that the layout needs."""


class DataError(HepmlError, ValueError):
    """Values, shapes or types that cannot be used (NaN energies, wrong shape, one class only...)."""


class SchemaError(HepmlError, ValueError):
    """A configuration, layout or model file that does not follow its schema."""


class GranularityError(HepmlError, ValueError):
    """Towers of another granularity than the grid of a model or of a conversion."""


class UnsupportedLayerError(HepmlError, NotImplementedError):
    """A layer, argument or activation that export cannot reproduce exactly."""


class TrainingError(HepmlError, RuntimeError):
    """A training that collapsed, or a run that cannot be resumed."""


class MissingExtraError(HepmlError, ImportError):
    """An optional library that is not installed; the message gives the pip command."""


class VerificationError(HepmlError, RuntimeError):
    """Something does not reproduce: reference vectors, checksums."""

    exit_code = 3


class OutputError(HepmlError, OSError):
    """An output that cannot be written: it exists, the disk is full, the folder is read-only."""

    exit_code = 4


def printable(text: object) -> str:
    """A text on one line, without control characters, of a length that can be read; the rest is counted.

    Example:
        >>> print(printable(chr(27) + "[31m" + chr(10) + "b.root"))
        \\x1b[31m\\nb.root
    """
    whole = str(text)
    cut = whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]} ... ({len(whole)} characters)"
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in cut)


def nearest(name: object, known: Iterable[str], n: int = 3) -> list[str]:
    """The known names closest to `name`, best first, case ignored; empty if none is close, or if it is no text."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    return [by_lower[match] for match in difflib.get_close_matches(str(name).lower(), by_lower, n=n, cutoff=0.5)]


def check_choice(option: str, value: object, known: tuple[str | None, ...]) -> None:
    """Raises DataError unless the value of an option is one of those that are known."""
    if value not in known:
        names = [name for name in known if name is not None]
        raise DataError(
            f"{option} {value!r} does not exist",
            expected="one of " + ", ".join(map(repr, known)),
            nearest=nearest(str(value), names),
        )


def check_kind(value: object, kind: type, maker: str) -> None:
    """Refuses what is not of the class `kind`, which `maker`, "open_events(PATH)", gives."""
    if not isinstance(value, kind):
        raise DataError(
            f"not {kind.__name__.lower()}",
            expected=f"{kind.__name__}, from {maker}",
            found=type(value).__name__,
            fix=f"{maker} first",
        )


def check_names(option: str, value: object) -> tuple[str, ...]:
    """One name or several, as a tuple. Raises DataError for anything else."""
    names = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not all(isinstance(name, str) for name in names):
        raise DataError(f"the option {option!r} cannot be {value!r}", expected="a name, or a list of names")
    return names


def check_path(value: object) -> str:
    """A path as text. Raises DataError for what is none."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(path, str):
        raise DataError("not a path", expected="text, or a pathlib.Path", found=repr(value))
    return path


def check_whole(option: str, value: Any) -> int:
    """A whole number. Raises DataError for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        raise DataError(f"the option {option!r} cannot be {value!r}", expected="a whole number") from None
