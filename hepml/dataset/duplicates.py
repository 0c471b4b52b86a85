"""Candidates that were read before: the same run, lumi, event and index, in one file or in several."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.rows import Rows, without

__all__ = ["Duplicates"]


class Duplicates:
    """Knows the identities of all rows so far, 8 bytes each."""

    def __init__(self) -> None:
        self._seen: NDArray[np.uint64] = np.zeros(0, np.uint64)  # sorted

    def remove(self, rows: Rows) -> Rows:
        """The rows without those that were there before, which the cut flow counts as "duplicate"."""
        identity = rows.block.columns["identity"]
        own, first = np.unique(identity, return_index=True)
        place = np.atleast_1d(np.searchsorted(self._seen, own))
        known = np.zeros(len(own), bool)
        inside = place < len(self._seen)
        known[inside] = self._seen[place[inside]] == own[inside]
        self._seen = np.insert(self._seen, place[~known], own[~known])
        repeated = np.ones(len(identity), bool)
        repeated[first[~known]] = False
        return without(rows, "duplicate", repeated)
