"""How many numbers of a list that does not fit into memory repeat an earlier one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_repeats"]

_TOGETHER = 1 << 18  # numbers that are in memory together

Numbers = NDArray[np.uint64]


def count_repeats(steps: Iterable[Numbers], total: int, folder: Path, together: int = _TOGETHER) -> int:
    """How many of `total` numbers repeat an earlier one.

    Each step is sorted and appended to a file without a name, so that equal numbers lie in the same range of each step;
    then one range after another is read from all steps. Memory does not grow with the number of numbers if they are
    hashes, of which every range holds about as many; time grows as they do. A list that fits is not written.

    Args:
        steps: the numbers, uint64, shape (n,) each; they are sorted in place.
        total: how many there are.
        folder: where the file lies: 8 bytes a number.
        together: how many are in memory together, about.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> count_repeats([np.array([3, 1, 3], "u8"), np.array([2, 1], "u8")], 5, Path("."))
        2
    """
    parts = 1 + total // together
    if parts == 1:
        numbers = np.concatenate([np.empty(0, np.uint64), *steps])
        return len(numbers) - len(np.unique(numbers))
    bounds = np.arange(parts, dtype=np.uint64) * np.uint64(2**64 // parts)
    places = []  # in the file, of the ranges of each step
    found = 0
    with tempfile.TemporaryFile(dir=folder) as file:
        for step in steps:
            step.sort()
            places.append(file.tell() // 8 + np.append(np.searchsorted(step, bounds), len(step)))
            file.write(step.data)
        for part in range(parts):
            numbers = np.empty(sum(int(place[part + 1] - place[part]) for place in places), np.uint64)
            at = 0
            for place in places:
                begin, end = int(place[part]), int(place[part + 1])
                file.seek(8 * begin)
                at += file.readinto(numbers[at : at + end - begin].data) // 8
            numbers.sort()
            found += int(np.count_nonzero(numbers[1:] == numbers[:-1]))
    return found
