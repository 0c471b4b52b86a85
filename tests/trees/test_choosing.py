"""Which towers of an event count: against a slow choice, one event at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hepml
from hepml.errors import DataError
from hepml.trees import Events, Towers
from hepml.trees.choosing import choose_towers

BAD = (np.nan, np.inf, -np.inf, 2e30)


def some_towers(rng: np.random.Generator, n_events: int, most: int) -> Towers:
    counts = rng.integers(0, most + 1, n_events)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    et, e, eta, phi = rng.integers(-3, 9, (4, offsets[-1])).astype(float)  # many of equal ET
    return Towers(offsets, et, e, eta, phi)


def spoiled(rng: np.random.Generator, towers: Towers, share: float) -> Towers:
    """Some of the towers with a value that is not finite."""
    columns = {name: getattr(towers, name).copy() for name in ("et", "e", "eta", "phi")}
    for name, values in columns.items():
        values[rng.random(len(values)) < share / 4] = BAD[len(name) % 4]
    return replace(towers, **columns)


@pytest.fixture
def events(sample: dict[str, Path]) -> Events:
    rng = np.random.default_rng(4)
    found = hepml.open_events(sample["electrons"], entry_stop=60)
    ecal, hcal = (spoiled(rng, some_towers(rng, 60, most), 0.03) for most in (14, 6))
    return replace(found, ecal=ecal, hcal=hcal)


def slow(events: Events, most: int | None, not_finite: str) -> tuple[list[list[int]], int, int]:
    """For each event the places of the towers that count, those of the HCal behind those of the ECal; and how many
    are not finite and over the limit."""
    kept, bad, over = [], 0, 0
    for row in range(len(events)):
        towers = []
        for one in (events.ecal, events.hcal):
            here = slice(one.offsets[row], one.offsets[row + 1])
            towers += list(zip(one.et[here], one.e[here], one.eta[here], one.phi[here], strict=True))
        good = [k for k, tower in enumerate(towers) if all(abs(value) <= 1e30 for value in tower)]
        if not_finite == "drop" and len(good) < len(towers):
            kept.append(list(range(len(towers))))
            continue
        bad += len(towers) - len(good)
        hottest = sorted(good, key=lambda k: (-towers[k][0], k))[:most]
        over += len(good) - len(hottest)
        kept.append(sorted(hottest))
    return kept, bad, over


def totals(events: Events) -> list[int]:
    """Towers of each event."""
    found: list[int] = (np.diff(events.ecal.offsets) + np.diff(events.hcal.offsets)).tolist()
    return found


@pytest.mark.parametrize("not_finite", ["drop", "keep"])
@pytest.mark.parametrize("most", [None, 1, 2, 5, 9, 19, 20, 1_000_000])
def test_the_choice_is_that_of_one_event_at_a_time(most: int | None, not_finite: str, events: Events) -> None:
    chosen, record = choose_towers(events, most, not_finite)
    expected, bad, over = slow(events, most, not_finite)
    for row, places in enumerate(expected):
        first = np.diff(events.ecal.offsets)[row]
        for own, all_of, found in (
            ([k for k in places if k < first], events.ecal, chosen.ecal),
            ([k - first for k in places if k >= first], events.hcal, chosen.hcal),
        ):
            for name in ("et", "e", "eta", "phi"):
                right = getattr(all_of, name)[all_of.offsets[row] + np.array(own, int)]
                got = getattr(found, name)[found.offsets[row] : found.offsets[row + 1]]
                np.testing.assert_array_equal(got, right)
    assert record.get("not_finite_towers", 0) == bad
    assert record.get("over_limit_towers", 0) == over
    assert ("over_limit_towers" in record, "not_finite_towers" in record) == (most is not None, not_finite == "keep")
    if most == 5:
        assert bad == (0 if not_finite == "drop" else bad) < over


def test_events_with_towers_left_out_are_counted(events: Events) -> None:
    _, record = choose_towers(events, 4, "keep")
    kept, _, _ = slow(events, None, "keep")
    every, _, _ = slow(events, None, "drop")
    assert record["not_finite_events"] == sum(len(one) < n for one, n in zip(kept, totals(events), strict=True)) > 0
    assert record["over_limit_events"] == sum(len(one) > 4 for one in kept)
    assert [len(one) for one in every] == totals(events)


def test_without_options_nothing_is_touched(events: Events) -> None:
    chosen, record = choose_towers(events)
    assert chosen is events
    assert record == {}


def test_edges_go_with_their_towers_and_tell_where_they_are(sample: dict[str, Path]) -> None:
    events = hepml.open_events(sample["electrons"], entry_stop=40)
    edges, eta = events.ecal.edges.copy(), events.ecal.eta.copy()
    eta[0] = np.nan  # its edges tell the cell
    edges[1] = np.nan
    edges[2] = 0.0  # as in a branch that was never filled
    spoiled = replace(events, ecal=replace(events.ecal, eta=eta, edges=edges))
    chosen, record = choose_towers(spoiled, not_finite="keep")
    assert record == {"not_finite_events": 1, "not_finite_towers": 2}
    np.testing.assert_array_equal(chosen.ecal.edges, np.delete(edges, [1, 2], axis=0))
    as_stored, _ = choose_towers(spoiled, not_finite="keep", as_stored=True)
    np.testing.assert_array_equal(as_stored.ecal.edges, np.delete(edges, 0, axis=0))
    limited, _ = choose_towers(events, 3)
    for towers, few in ((events.ecal, limited.ecal), (events.hcal, limited.hcal)):
        index = [np.flatnonzero((towers.et == et) & (towers.e == e))[0] for et, e in zip(few.et, few.e, strict=True)]
        np.testing.assert_array_equal(few.edges, towers.edges[index])


def test_kept_events_are_candidates_like_those_without_the_towers(sample: dict[str, Path]) -> None:
    """Images and variables are those of the other towers, bit for bit."""
    events = hepml.open_events(sample["jets"], entry_stop=200)
    rng = np.random.default_rng(1)
    marked = [rng.random(len(towers)) < 0.02 for towers in (events.ecal, events.hcal)]

    def with_nan(towers: Towers, which: Any) -> Towers:
        return replace(towers, et=np.where(which, np.nan, towers.et))

    def without(towers: Towers, which: Any) -> Towers:
        offsets = np.concatenate([[0], np.cumsum(~which)])[towers.offsets]
        columns = {name: getattr(towers, name)[~which] for name in ("et", "e", "eta", "phi", "edges")}
        return Towers(offsets=offsets, **columns)

    bad = replace(events, ecal=with_nan(events.ecal, marked[0]), hcal=with_nan(events.hcal, marked[1]))
    clean = replace(events, ecal=without(events.ecal, marked[0]), hcal=without(events.hcal, marked[1]))
    kept, right = hepml.select_candidates(bad, not_finite="keep"), hepml.select_candidates(clean)
    assert len(hepml.select_candidates(bad)) < len(kept)
    assert kept.cut_flow == right.cut_flow
    for one, two in zip(kept.cells, right.cells, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    one, two = hepml.make_images(kept), hepml.make_images(right)
    for token in one.sparse:
        np.testing.assert_array_equal(one.sparse[token].value, two.sparse[token].value)
    np.testing.assert_array_equal(hepml.high_level(one), hepml.high_level(two))


@pytest.mark.parametrize(("most", "not_finite"), [(0, "drop"), (-1, "drop"), (10**7, "keep"), (2.5, "drop")])
def test_limits_that_make_no_sense_are_refused(most: Any, not_finite: str, events: Events) -> None:
    with pytest.raises(DataError, match=r"max_towers|limit of towers"):
        choose_towers(events, most, not_finite)


def test_a_policy_that_does_not_exist_is_refused(events: Events) -> None:
    with pytest.raises(DataError, match="not_finite 'ignore' does not exist"):
        hepml.select_candidates(events, not_finite="ignore")
