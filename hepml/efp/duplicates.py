"""Columns that say the same: one of each class is enough. A hash of each column finds them, however many there are.

Two columns are called duplicates on a sample of events if, each brought to [0, 1] by (x - min) / (max - min) and
rounded to 7 decimals, they agree in every event: the definition of the search of arXiv:2011.01984, which compares all
pairs. So copies up to a factor and a constant are duplicates, those of a negative factor are not. Columns that vary by
less than 1e-12 of their largest value have no such form: they are told apart as constant; so are columns with a value
that is not finite, of which nothing can be said.

Rounding has edges: two columns that differ by 1e-16 can fall on two sides of one, and are then no duplicates, as in the
reference. Such pairs are found by a second rounding, half a step aside, and reported as split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, check_whole

__all__ = ["Duplicate", "Duplicates", "find_duplicates"]

_FLAT = 1e-12  # relative spread of a column that does not vary
_SAME = 1e-9  # how near to 1 and 0 a factor and a constant are that only rounding made


@dataclass(frozen=True)
class Duplicate:
    """A column that another one stands for: x = slope * other + intercept on the sample.

    Attributes:
        name: of the column.
        same_as: the first column of the same values.
        slope, intercept: 1 and 0 where the two are equal, and not only copies.
    """

    name: str
    same_as: str
    slope: float
    intercept: float

    @property
    def relation(self) -> str:
        """ "equal" or "affine"."""
        return "equal" if (self.slope, self.intercept) == (1.0, 0.0) else "affine"


@dataclass(frozen=True)
class Duplicates:
    """What a search found.

    Attributes:
        uniques: the columns to keep, in their order; without the constant ones, and those that are not finite.
        duplicates: the others, each with the column that stands for it.
        constants: name -> value of the columns that do not vary.
        split: pairs that only an edge of the rounding tells apart; both are among the uniques.
        events: of the sample.
        not_finite: name -> how many values of the column are NaN or infinite on the sample, where any are.
    """

    uniques: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    constants: dict[str, float]
    split: tuple[tuple[str, str], ...]
    events: int
    not_finite: dict[str, int]


def find_duplicates(columns: Iterable[tuple[str, ArrayLike]], decimals: int = 7) -> Duplicates:
    """The duplicates among columns, which are looked at once, one after another.

    Args:
        columns: names and values, each (n,) of the same events; the first of a class is kept.
        decimals: that two columns have to agree in.

    Raises:
        DataError: no columns, of different lengths or without events, or one name twice.

    Example:
        >>> x = np.array([1.0, 2.0, 4.0])
        >>> found = find_duplicates([("a", x), ("b", 3 * x + 1), ("c", x**2), ("d", [5, 5, 5])])
        >>> found.uniques, found.duplicates, found.constants
        (('a', 'c'), (Duplicate(name='b', same_as='a', slope=3.0, intercept=1.0),), {'d': 5.0})

    Source:
        arXiv:2011.01984 and its public code, which compares the first 500 events of the test split.
    """
    if not 1 <= check_whole("decimals", decimals) <= 15:
        raise DataError(f"decimals cannot be {decimals}", expected="1 to 15, which doubles hold")
    ranges: dict[str, tuple[float, float]] = {}
    kept: dict[bytes, str] = {}
    aside: dict[bytes, str] = {}
    duplicates: list[Duplicate] = []
    constants: dict[str, float] = {}
    split: list[tuple[str, str]] = []
    not_finite: dict[str, int] = {}
    events = 0
    for name, given in columns:
        x = np.asarray(given, dtype=np.float64)
        _check(name, x, known=name in ranges or name in not_finite, events=events)
        events = len(x)
        if bad := int(np.count_nonzero(~np.isfinite(x))):
            not_finite[name] = bad
            continue
        low, high = float(x.min()), float(x.max())
        ranges[name] = low, high
        if high - low <= _FLAT * max(abs(low), abs(high)):
            constants[name] = float(x[0])
            continue
        steps = (x - low) / (high - low) * 10.0**decimals
        same_as = kept.setdefault(_digest(np.rint(steps)), name)
        if same_as != name:
            duplicates.append(_related(name, same_as, ranges))
            continue
        beside = aside.setdefault(_digest(np.floor(steps)), name)
        if beside != name:
            split.append((beside, name))
    if not ranges and not not_finite:
        raise DataError("no columns to be compared")
    dropped = {one.name for one in duplicates}
    uniques = tuple(name for name in ranges if name not in dropped and name not in constants)
    return Duplicates(uniques, tuple(duplicates), constants, tuple(split), events, not_finite)


def _check(name: str, x: NDArray[np.float64], *, known: bool, events: int) -> None:
    if known:
        raise DataError("a column comes twice", where=name)
    if x.ndim != 1 or not len(x) or (events and len(x) != events):
        raise DataError("not one value for each event", where=name, expected=events or "(n,), n > 0", found=x.shape)


def _digest(steps: NDArray[np.float64]) -> bytes:
    return hashlib.sha256(steps.astype(np.int64).tobytes()).digest()


def _related(name: str, same_as: str, ranges: dict[str, tuple[float, float]]) -> Duplicate:
    (low, high), (first_low, first_high) = ranges[name], ranges[same_as]
    slope = (high - low) / (first_high - first_low)
    intercept = low - slope * first_low
    if abs(slope - 1) < _SAME and abs(intercept) < _SAME * max(abs(low), abs(high)):
        slope, intercept = 1.0, 0.0
    return Duplicate(name, same_as, slope, intercept)
