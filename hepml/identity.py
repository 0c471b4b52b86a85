"""Who a candidate is, and which split it belongs to: hashes, so that neither order, chunks nor processes matter.

A candidate is (run, lumi, event, index) where the file stores run, lumi and event numbers, else (checksum of the
sample, tree entry, index). Delphes' `Event.Number` repeats in every file and is never used. Relatives (the candidates
of one event, or all events of one value of the user's group column) share a group, and a group is in one split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError

if TYPE_CHECKING:
    from hepml.trees import Events

__all__ = ["SPLITS", "SPLIT_FRACTIONS", "candidate_ids", "fold_of", "split_of", "uniform_of"]

SPLITS = ("train", "valid", "test")
SPLIT_FRACTIONS = (0.64, 0.16, 0.20)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# What is hashed, so that for example entry 5 of a sample and run 5 of a data set do not meet.
_EVENT, _ENTRY, _GROUP, _SPLIT, _FOLD = (
    np.uint64(int.from_bytes(tag, "big")) for tag in (b"event", b"entry", b"group", b"split", b"fold")
)

Ints = NDArray[np.uint64]


def candidate_ids(events: Events, row: ArrayLike, index: ArrayLike) -> tuple[Ints, Ints]:
    """Identity and group of candidates.

    Args:
        events: the events they are in.
        row: row of the event in `events`, integers, shape (n,).
        index: position of the object in its collection, integers, shape (n,).

    Returns:
        identity: uint64, shape (n,), different for any two candidates (to about n^2 / 2^65).
        group: uint64, shape (n,), the same for the candidates of an event, or of a value of the group column.

    Raises:
        DataError: the events carry neither run numbers nor a checksum.

    Example:
        >>> from importlib.resources import files
        >>> from hepml.trees import open_events
        >>> events = open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=2)
        >>> identity, group = candidate_ids(events, [0, 0, 1], [0, 1, 0])
        >>> len(set(identity)), len(set(group))
        (3, 2)
    """
    rows = np.asarray(row, dtype=np.int64)
    if events.run is not None and events.lumi is not None and events.event is not None:
        event = _hash(_EVENT, events.run[rows], events.lumi[rows], events.event[rows])
    else:
        if not events.sample:
            raise DataError("events without run numbers need the checksum of their sample", where=events.path)
        event = _hash(_ENTRY, np.uint64(int(events.sample[:16], 16)), events.entry[rows])
    group = event if events.group is None else _hash(_GROUP, events.group[rows])
    return _mix(event ^ _mix(_bits(index) + _GOLDEN)), group


def split_of(group: ArrayLike) -> NDArray[np.uint8]:
    """Split of each group: 0 train (64 %), 1 valid (16 %), 2 test (20 %); uint8, shape (n,).

    Example:
        >>> np.bincount(split_of(np.arange(100_000, dtype=np.uint64)))
        array([63882, 16359, 19759])
    """
    uniform = _uniform(_SPLIT, group)
    edges = np.cumsum(SPLIT_FRACTIONS)[:2]
    return np.searchsorted(edges, uniform, side="right").astype(np.uint8)


def fold_of(group: ArrayLike, k: int) -> NDArray[np.int8]:
    """Fold of each group, 0 to k - 1, of equal size on average and independent of the split; int8, shape (n,).

    Raises:
        DataError: k is not from 2 to 127.
    """
    if not 2 <= k <= 127:
        raise DataError("the number of folds cannot be used", expected="2 to 127", found=k)
    return np.asarray(np.floor(_uniform(_FOLD, group) * k), dtype=np.int8)


def uniform_of(purpose: str, *keys: ArrayLike) -> NDArray[np.float64]:
    """Random numbers in [0, 1) that nothing but the purpose and the keys decide: no generator, no order.

    Args:
        purpose: at most eight letters; other purposes give independent numbers.
        keys: integers, broadcast against each other: a seed, the identity of an event, a cell ...

    Returns:
        float64, the common shape, at least one dimension.

    Example:
        >>> numbers = uniform_of("noise", 1, np.arange(10_000))
        >>> round(float(numbers.mean()), 2), bool(uniform_of("noise", 1, 7)[0] == numbers[7])
        (0.5, True)
    """
    return _uniform(np.uint64(int.from_bytes(purpose.encode()[:8], "big")), *keys)


def _bits(values: ArrayLike) -> Ints:
    """Integers as 64 bits; negative ones by two's complement."""
    array = np.atleast_1d(np.asarray(values))
    return np.asarray(array if array.dtype == np.uint64 else array.astype(np.int64).view(np.uint64))


def _mix(x: Ints) -> Ints:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014), a bijection of 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


def _hash(tag: np.uint64, *parts: ArrayLike) -> Ints:
    state: Ints = _mix(np.atleast_1d(tag))
    for part in parts:
        state = _mix(state ^ _mix(_bits(part) + _GOLDEN))
    return state


def _uniform(tag: np.uint64, *parts: ArrayLike) -> NDArray[np.float64]:
    return np.asarray((_hash(tag, *parts) >> np.uint64(11)) / 2.0**53, dtype=np.float64)
