"""Candidates that were read before: the same run, lumi, event and index, in one file or in several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.rows import Rows, without

__all__ = ["Duplicates"]


class Duplicates:
    """Knows the identities of all rows so far: 8 bytes each, up to 20 while two lists become one.

    They are kept in sorted lists, each at least twice as long as the next, so that a new row costs about the same
    however many there are.
    """

    def __init__(self) -> None:
        self._seen: list[NDArray[np.uint64]] = []

    def remove(self, rows: Rows) -> Rows:
        """The rows without those that were there before, which the cut flow counts as "duplicate"."""
        identity = rows.block.columns["identity"]
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
        return without(rows, "duplicate", repeated)
