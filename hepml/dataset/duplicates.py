"""Candidates that were read before: the same run, lumi, event and index, in one file or in several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.rows import Rows, without
from hepml.errors import DataError

__all__ = ["Duplicates", "check_sections"]


class Duplicates:
    """Knows the identities of all rows so far: 8 bytes each, up to 20 while two lists become one.

    They are kept in sorted lists, each at least twice as long as the next, so that a new row costs about the same
    however many there are.
    """

    def __init__(self) -> None:
        self._seen: list[NDArray[np.uint64]] = []

    def remove(self, rows: Rows) -> Rows:
        """The rows without those that were there before, which the cut flow counts as "duplicate"."""
        return without(rows, "duplicate", self.repeated(rows.block.columns["identity"]))

    def repeated(self, identity: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of the next rows were there before, shape (n,).

        Example:
            >>> duplicates = Duplicates()
            >>> [duplicates.repeated(np.array(step, "u8")).tolist() for step in ([3, 1, 3], [2, 1])]
            [[False, False, True], [False, True]]
        """
        own, first = np.unique(identity, return_index=True)
        known = np.zeros(len(own), bool)
        for seen in self._seen:
            known |= seen[np.minimum(np.searchsorted(seen, own), len(seen) - 1)] == own
        new = own[~known]
        while len(new) and self._seen and len(self._seen[-1]) < 2 * len(new):
            new = np.concatenate([self._seen.pop(), new])
            new.sort(kind="stable")  # which merges what is sorted
        self._seen += [new] if len(new) else []
        repeated = np.ones(len(identity), bool)
        repeated[first[~known]] = False
        return repeated


def check_sections(samples: Iterable[Mapping[str, Any]]) -> None:
    """Refuses samples whose weights are normalised: the sum of all weights read counts the duplicates.

    Args:
        samples: as the configuration holds them.

    Raises:
        DataError: one has a cross section.
    """
    for sample in samples:
        if sample.get("cross_section") is not None:
            raise DataError(
                "duplicates cannot be left out of a sample with a cross section",
                where=f"sample {sample['name']!r}",
                found="a sum of weights that would count them",
                fix="leave out the cross section, or remove the duplicates before",
            )
