"""Sums that do not depend on the order of their terms: of steps, files, jobs."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["exact_sum", "rounded"]


def exact_sum(values: Iterable[float | None]) -> list[float]:
    """The sum as a few numbers that add up to it exactly, largest first; none for 0, [inf] beyond the largest number.

    Example:
        >>> exact_sum([1e17, 1.0, -1e17]), exact_sum([1e17, 1.0]), exact_sum([])
        ([1.0], [1e+17, 1.0], [])
    """
    terms = [math.inf if value is None else value for value in values]  # as JSON gives infinity back
    parts: list[float] = []
    try:
        while rest := math.fsum([*terms, *(-part for part in parts)]):
            if not math.isfinite(rest):
                return [math.inf]
            parts.append(rest)
    except OverflowError:
        return [math.inf]
    return parts


def rounded(parts: Iterable[float | None]) -> float:
    """What `exact_sum` stands for, as the nearest number."""
    return next(iter(exact_sum(parts)), 0.0)
