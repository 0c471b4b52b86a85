"""Identities are unique, splits have the stated sizes, groups stay together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.identity import SPLIT_FRACTIONS, candidate_ids, fold_of, split_of
from hepml.trees import Events, open_events

SAMPLE = "8754d7d0bf445ab177a5f9b7ff9ac221a91674068c4458483b9008ad78e9fc06"
IDS = ["0x91a9b8565892446d", "0x3062c573c6de87e0", "0x8cff5eacdd17a90e", "0x680e4db73f74e3c4"]


def all_ids(events: Events) -> tuple[np.ndarray, np.ndarray]:
    electron = events.objects["electron"]
    row = np.repeat(np.arange(len(events)), electron.counts)
    return candidate_ids(events, row, np.arange(len(electron)) - electron.offsets[row])


def test_identities_differ_within_and_across_files(sample: dict[str, Path]) -> None:
    ids = [all_ids(open_events(path)) for path in sample.values()]
    identity = np.concatenate([one for one, _ in ids])
    group = np.concatenate([two for _, two in ids])
    assert identity.dtype == group.dtype == np.uint64
    assert len(set(identity.tolist())) == len(identity) == 6631
    assert len(set(group.tolist())) == 5000


def test_delphes_event_numbers_do_not_enter(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=10, columns=["Event.Number"])
    other = replace(events, columns={"Event.Number": events.columns["Event.Number"] + 1})
    assert np.array_equal(all_ids(events)[0], all_ids(other)[0])


def test_run_lumi_event_identify_across_files(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=10)
    numbers = {"run": np.full(10, 3), "lumi": np.arange(10), "event": np.arange(10) + 2**40}
    here, there = replace(events, **numbers), replace(events, **numbers, sample="f" * 64, path="b.root")
    assert np.array_equal(all_ids(here)[0], all_ids(there)[0])
    assert not np.array_equal(all_ids(here)[0], all_ids(events)[0])


def test_a_group_column_keeps_relatives_together(sample: dict[str, Path]) -> None:
    events = replace(open_events(sample["jets"], entry_stop=10), group=np.repeat([7, -1], 5))
    _, group = candidate_ids(events, np.arange(10), np.zeros(10, int))
    assert len(set(group.tolist())) == 2
    other = replace(events, sample="e" * 64)
    assert np.array_equal(candidate_ids(other, np.arange(10), np.zeros(10, int))[1], group)


def test_identities_are_those_of_yesterday(sample: dict[str, Path]) -> None:
    events = open_events(sample["electrons"], entry_stop=3)
    assert events.sample == SAMPLE
    identity, group = candidate_ids(events, [0, 2], [0, 1])
    assert [hex(value) for value in (*identity, *group)] == IDS


def test_split_sizes_and_independence() -> None:
    group = np.arange(200_000, dtype=np.uint64)
    split, fold = split_of(group), fold_of(group, 5)
    shares = np.bincount(split, minlength=3) / len(group)
    np.testing.assert_allclose(shares, SPLIT_FRACTIONS, atol=0.004)
    np.testing.assert_allclose(np.bincount(fold) / len(group), 0.2, atol=0.004)
    table = np.histogram2d(split, fold, bins=(3, 5))[0] / len(group)
    np.testing.assert_allclose(table, np.outer(shares, np.full(5, 0.2)), atol=0.003)
    assert split.dtype == np.uint8
    assert fold.dtype == np.int8


def test_an_empty_input_gives_empty_output(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=0)
    identity, group = candidate_ids(events, [], [])
    assert identity.shape == group.shape == split_of(group).shape == (0,)


def test_refusals(sample: dict[str, Path]) -> None:
    with pytest.raises(DataError, match="number of folds"):
        fold_of([1], 1)
    with pytest.raises(DataError, match="checksum"):
        candidate_ids(replace(open_events(sample["jets"], entry_stop=1), sample=""), [0], [0])
