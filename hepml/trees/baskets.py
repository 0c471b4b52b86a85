"""Jagged branches as they come out of a file: lists whose numbers lie in several baskets, joined where asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Baskets", "as_baskets"]


@dataclass(frozen=True)
class Baskets:
    """Lists of numbers, one an entry; nothing is checked.

    Attributes:
        offsets: int64, shape (entries + 1,).
        contents: the numbers of all lists in one or more arrays, in the byte order of the file; or rows of numbers.
        dtype: of a number, or a row, in memory.
    """

    offsets: NDArray[np.int64]
    contents: Sequence[NDArray[np.generic]]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def values(self, begin: int, end: int, dtype: Any = None) -> NDArray[Any]:
        """The numbers `begin` to `end` - 1, of their own type or another one; of one array and its type not copied."""
        base = np.dtype(self.dtype.base if dtype is None else dtype)
        if len(self.contents) == 1 and self.contents[0].dtype == base:
            return self.contents[0][begin:end]
        joined = np.empty((end - begin, *self.dtype.shape), base)
        first = 0
        with np.errstate(invalid="ignore"):  # a NaN of a damaged file may signal, which is no news here
            for content in self.contents:
                low, high = max(begin - first, 0), min(end - first, len(content))
                if low < high:
                    joined[first + low - begin : first + high - begin] = content[low:high]
                first += len(content)
        return joined


def as_baskets(interpretation: Any) -> Any:
    """What makes uproot give `Baskets` for a branch of jagged numbers, instead of an awkward array."""
    own = interpretation
    return _kind()(own.content, own.header_bytes, own.typename, own.original)


@cache
def _kind() -> Callable[..., Any]:
    from uproot.interpretation.jagged import AsJagged

    class AsBaskets(AsJagged):  # type: ignore[misc]
        """As its parent, without the last step, which joins all numbers."""

        def final_array(
            self,
            basket_arrays: Mapping[int, Any],
            entry_start: int,
            entry_stop: int,
            entry_offsets: Sequence[int],
            *_: object,
        ) -> Baskets:
            offsets, contents = np.zeros(1 + max(entry_stop - entry_start, 0), np.int64), []
            entry = 0
            for number in sorted(basket_arrays):
                first, last = entry_offsets[number], entry_offsets[number + 1]
                begin, end = max(entry_start, first) - first, min(entry_stop, last) - first
                if begin >= end:
                    continue
                own = basket_arrays[number].offsets[begin : end + 1]
                contents.append(basket_arrays[number].content[own[0] : own[-1]])
                offsets[entry + 1 : entry + len(own)] = own[1:]
                offsets[entry + 1 : entry + len(own)] += offsets[entry] - own[0]
                entry += len(own) - 1
            return Baskets(offsets[: entry + 1], contents, self.content.to_dtype.newbyteorder("="))

    return AsBaskets
