"""R24: the same event again: in one file, in several, in two parts of a conversion, which no job sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faults.outcomes import check, run, untouched
from faults.root_files import layout, numbered

from hepml.dataset import SPLITS, Dataset

RUN = "event: {run: run, lumi: lumi, event: event}"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("entry", ["R24"])
def test_an_event_that_comes_again_is_reported_and_left_out_on_request(
    *, entry: str, jobs: int, tmp_path: Path
) -> None:
    one = numbered(tmp_path / "one.root", [*range(20), 3, 4], 1)  # two come again within the file
    two = numbered(tmp_path / "two.root", list(range(15, 40)), 2)  # and five of another file
    jets = numbered(tmp_path / "jets.root", list(range(100, 130)), 3)
    options = ("--layout", layout(tmp_path, RUN), "--jobs", jobs)
    arguments = ("convert", "--signal", one, two, "--background", jets, *options)
    done = run(*arguments, "-o", tmp_path / "all.h5")
    check(entry, done, "7 of the candidates have the identity of an earlier one")
    data = Dataset.open(tmp_path / "all.h5")
    splits: dict[int, set[str]] = {}
    for split in SPLITS:  # and both are in one split, and in one fold
        for identity in data.column("identity", split):
            splits.setdefault(int(identity), set()).add(split)
    assert all(len(found) == 1 for found in splits.values())

    check(entry, run(*arguments, "--dedup", "-o", tmp_path / "once.h5"))
    data = Dataset.open(tmp_path / "once.h5")
    identities = np.concatenate([data.column("identity", split) for split in SPLITS])
    assert len(identities) == len(set(identities)) == 40 + 30
    flows = [(each["read"], each["rejected"]["duplicate"], each["written"]) for each in data.provenance["inputs"]]
    assert flows == [(22, 2, 20), (25, 5, 20), (30, 0, 30)]


@pytest.mark.parametrize("entry", ["R24"])
def test_duplicates_cannot_be_told_without_all_events(entry: str, tmp_path: Path) -> None:
    assert entry
    files = ("--signal", "x.root", "--background", "y.root", "-o", tmp_path / "o.h5")
    with untouched(tmp_path):
        assert run("convert", *files, "--dedup", "--part", "1/2").code == 2


@pytest.mark.parametrize("entry", ["R24 parts"])
def test_an_event_in_two_parts_is_counted_by_merge_and_kept_in_one_split(entry: str, tmp_path: Path) -> None:
    one = numbered(tmp_path / "one.root", [*range(20)], 1)
    two = numbered(tmp_path / "two.root", [*range(15, 40)], 2)  # five of them again
    jets = numbered(tmp_path / "jets.root", [*range(100, 130)], 3)
    own = layout(tmp_path, RUN)
    arguments = ("convert", "--signal", one, two, "--background", jets, "--layout", own)
    for k in (1, 2, 3):
        done = run(*arguments, "--part", f"{k}/3", "-o", tmp_path / f"{k}.h5")
        assert (done.code, "identity of an earlier one" in done.err) == (0, False), done.err
    done = run("merge", *(tmp_path / f"{k}.h5" for k in (1, 2, 3)), "-o", tmp_path / "all.h5")
    check(entry[:3], done, "5 of the candidates have the identity of an earlier one")
    assert Dataset.open(tmp_path / "all.h5").provenance["duplicate_identities"] == 5
    data, splits = Dataset.open(tmp_path / "all.h5"), dict[int, set[str]]()
    for split in SPLITS:
        for identity in data.column("identity", split):
            splits.setdefault(int(identity), set()).add(split)
    assert len(splits) == 70
    assert all(len(found) == 1 for found in splits.values())
    assert run(*arguments, "-o", tmp_path / "whole.h5").code == 0
    assert (tmp_path / "all.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
