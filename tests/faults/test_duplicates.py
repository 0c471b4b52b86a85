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


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("entry", ["R24 merge --dedup"])
def test_merge_leaves_out_what_one_conversion_leaves_out(*, entry: str, n: int, order: str, tmp_path: Path) -> None:
    """The first in the order of reading stays, in whatever order the parts are given: the same bytes."""
    numbers = [[*range(20), 3], [*range(15, 40)], [*range(30, 50), 0], [*range(100, 130)], [*range(110, 120), 45]]
    files = [numbered(tmp_path / f"{k}.root", each, k) for k, each in enumerate(numbers)]
    options = ("--layout", layout(tmp_path, RUN))
    arguments = ("convert", "--signal", *files[:3], "--background", *files[3:], *options)
    whole = run(*arguments, "--dedup", "-o", tmp_path / "whole.h5")
    check(entry[:3], whole)
    parts = [tmp_path / f"{k}of{n}.h5" for k in range(1, n + 1)]
    for k, part in enumerate(parts, 1):
        assert run(*arguments, "--part", f"{k}/{n}", "-o", part).code == 0
    given = parts if order == "forward" else parts[::-1]
    done = run("merge", *given, "--dedup", "-o", tmp_path / "merged.h5")
    check(entry[:3], done)
    assert "identity of an earlier one" not in done.err
    assert (tmp_path / "merged.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    data = Dataset.open(tmp_path / "merged.h5")
    flows = [(each["read"], each["rejected"]["duplicate"], each["written"]) for each in data.provenance["inputs"]]
    assert flows == [(21, 1, 20), (25, 5, 20), (21, 11, 10), (30, 0, 30), (11, 11, 0)]  # 45 is background no longer
    assert data.provenance["cut_flow"]["duplicate"] == 28
    assert data.provenance["duplicate_identities"] == 0
    assert "duplicate" in run("show", tmp_path / "merged.h5").out
    check(entry[:3], run("merge", *given, "-o", tmp_path / "all.h5"), "28 of the candidates have the identity")
    assert "duplicate" not in Dataset.open(tmp_path / "all.h5").provenance["cut_flow"]  # nothing is left out unasked


@pytest.mark.parametrize("entry", ["R24 merge --dedup"])
def test_files_without_duplicates_of_their_own_are_joined_without_any(entry: str, tmp_path: Path) -> None:
    """What was converted with --dedup, file by file, is joined with it: the result says so of itself."""
    numbers = {"s1": range(20), "s2": range(15, 40), "b1": range(100, 130), "b2": range(10, 20)}
    files = {name: numbered(tmp_path / f"{name}.root", [*each], k) for k, (name, each) in enumerate(numbers.items())}
    options = ("--layout", layout(tmp_path, RUN), "--dedup")

    def converted(k: str) -> Path:
        both = ("--signal", files[f"s{k}"], "--background", files[f"b{k}"])
        assert run("convert", *both, *options, "-o", tmp_path / f"{k}.h5").code == 0
        return tmp_path / f"{k}.h5"

    check(entry[:3], run("merge", converted("1"), converted("2"), "-o", tmp_path / "merged.h5"))
    both = ("--signal", files["s1"], files["s2"], "--background", files["b1"], files["b2"])
    assert run("convert", *both, *options, "-o", tmp_path / "whole.h5").code == 0
    assert (tmp_path / "merged.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize("entry", ["R24 merge --dedup"])
def test_duplicates_cannot_be_left_out_of_a_normalised_sample(entry: str, tmp_path: Path) -> None:
    assert entry
    numbered(tmp_path / "s.root", [*range(20)], 1)
    numbered(tmp_path / "b.root", [*range(20)], 2)
    samples = tmp_path / "samples.yaml"
    samples.write_text(
        "format: hepml-samples\nversion: 1\ntask: binary\nsamples:\n"
        "  - {name: s, files: s.root, label: 1, cross_section: 2}\n  - {name: b, files: b.root, label: 0}\n"
    )
    arguments = ("convert", "--samples", samples, "--layout", layout(tmp_path, RUN))
    for k in (1, 2):
        assert run(*arguments, "--part", f"{k}/2", "-o", tmp_path / f"{k}.h5").code == 0
    with untouched(tmp_path):
        for done in (
            run("merge", tmp_path / "1.h5", tmp_path / "2.h5", "--dedup", "-o", tmp_path / "o.h5"),
            run(*arguments, "--dedup", "-o", tmp_path / "o.h5"),
        ):
            assert done.code == 1
            assert done.err.startswith("DataError: duplicates cannot be left out of a sample with a cross section")
