"""Repeated identities are found whatever their number, and neither way to count them grows beyond its bound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hepml.dataset.duplicates import Duplicates
from hepml.dataset.repeats import count_repeats
from hepml.dataset.rows import Rows
from hepml.dataset.sink import Sink
from hepml.dataset.writer import Writer
from hepml.geometry import PAPER

Numbers = NDArray[np.uint64]


def hashes(n: int, again: int = 0) -> Numbers:
    """n different numbers, of which `again` come twice, in any order."""
    rng = np.random.default_rng(n)
    numbers = rng.integers(0, 2**64, n, dtype=np.uint64)
    return np.asarray(rng.permutation(np.concatenate([numbers, numbers[:again]])))


def steps_of(numbers: Numbers, size: int) -> Iterator[Numbers]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size].copy()


@pytest.mark.parametrize("together", [1, 10, 4096, 1 << 20])
def test_repeats_are_counted_in_any_number_of_ranges(tmp_path: Path, together: int) -> None:
    numbers = hashes(3000, again=700)
    assert count_repeats(steps_of(numbers, 517), len(numbers), tmp_path, together) == 700
    edges = np.array([0, 2**64 - 1, 0, 2**63, 2**64 - 1, 2**64 - 1, 1], np.uint64)
    assert count_repeats(steps_of(edges, 2), len(edges), tmp_path, together) == 3
    assert count_repeats(steps_of(numbers[:0], 1), 0, tmp_path, together) == 0
    assert list(tmp_path.iterdir()) == []


def test_no_range_is_larger_than_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, taken = hashes(40_000), []
    empty = np.empty

    def note(shape: Any, dtype: Any) -> Any:
        taken.append(shape)
        return empty(shape, dtype)

    monkeypatch.setattr(np, "empty", note)
    assert count_repeats(steps_of(numbers, 5000), len(numbers), tmp_path, 1000) == 0
    assert len(taken) == 41
    assert sum(taken) == 40_000
    assert max(taken) < 1200


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        count_repeats(steps_of(hashes(100), 10), 100, tmp_path / "absent", 10)


def rows_with(identity: Numbers, block: Any) -> Rows:
    part = block.take(np.zeros(len(identity), np.int64))
    part.columns["identity"][:] = identity
    flow = {"read": len(identity), "written": len(identity)}
    return Rows(0, part, flow, (0, len(identity)), "tree", "layout", "", PAPER, [], 0, {})


def test_later_duplicates_are_left_out_and_lists_stay_few(block: Any) -> None:
    numbers = hashes(6000, again=2500)
    duplicates, kept = Duplicates(), []
    for step in steps_of(numbers, 50):
        left = duplicates.remove(rows_with(step, block))
        assert left.cut_flow["duplicate"] == len(step) - len(left.block)
        kept.append(left.block.columns["identity"].copy())
    _, first = np.unique(numbers, return_index=True)
    np.testing.assert_array_equal(np.concatenate(kept), numbers[np.sort(first)])
    lengths = [len(one) for one in duplicates._seen]
    assert sum(lengths) == 6000
    assert len(lengths) <= 8
    assert all(one >= 2 * other for one, other in pairwise(lengths))


def test_what_hdf5_keeps_of_all_data_sets_is_bounded(tmp_path: Path) -> None:
    with Sink(tmp_path / "a.h5") as sink:
        writer = Writer(sink, geometry=PAPER, variables={"hl": ("a", "b")})
        caches = [series._data.id.get_access_plist().get_chunk_cache()[1] for series in writer._series.values()]
        assert len(caches) > 60
        assert sum(caches) < 4e6
