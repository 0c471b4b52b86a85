"""R24: the same event in two parts of a conversion, which no job sees."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from faults.outcomes import check, run
from faults.root_files import content, layout, write

from hepml.dataset import SPLITS, Dataset


def numbered(path: Path, numbers: list[int], seed: int) -> Path:
    """A file whose events have run, lumi and event numbers."""
    one = ak.Array(np.ones(len(numbers), np.int64))
    more = {"run": one, "lumi": one, "event": ak.Array(np.array(numbers, np.int64))}
    return write(path, {**content(len(numbers), seed), **more})


@pytest.mark.parametrize("entry", ["R24 parts"])
def test_an_event_in_two_parts_is_counted_by_merge_and_kept_in_one_split(entry: str, tmp_path: Path) -> None:
    one = numbered(tmp_path / "one.root", [*range(20)], 1)
    two = numbered(tmp_path / "two.root", [*range(15, 40)], 2)  # five of them again
    jets = numbered(tmp_path / "jets.root", [*range(100, 130)], 3)
    own = layout(tmp_path, "event: {run: run, lumi: lumi, event: event}")
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
