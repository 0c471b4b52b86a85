"""R: events and values that are odd: kept, or rejected under a name and counted, alike in scoring and training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from faults.outcomes import Done, check, run, untouched
from faults.root_files import content, record_of, write

from hepml.candidates import STATUS_NAMES
from hepml.dataset import SPLITS, Dataset

pytestmark = pytest.mark.usefixtures("bounded")
Do = Callable[..., Done]


def changed(columns: Mapping[str, Any], branch: str, value: object, event: int = 0) -> dict[str, Any]:
    """Columns with one value of one event replaced; with the whole event if `value` is a list."""
    values = columns[branch].to_list()
    if isinstance(value, list):
        values[event] = value
    else:
        values[event][0] = value
    return {**columns, branch: ak.values_astype(ak.Array(values), "float32")}


def rows_of(path: Path) -> dict[str, Any]:
    """All inputs of a data file in the order of reading, whatever split they are in."""
    data = Dataset.open(path)
    file, entry = (np.concatenate([data.column(name, split) for split in SPLITS]) for name in ("file_id", "entry"))
    order = np.lexsort([entry, file])
    return {token: np.concatenate([data.raw(token, split) for split in SPLITS])[order] for token in data.tokens}


def scores(tmp_path: Path, name: str = "bad.root") -> tuple[Any, Any]:
    """Score and status of each entry, as `hepml apply` wrote them."""
    with uproot.open(tmp_path / "out" / name) as file:
        arrays = file["hepml"].arrays(["score", "status"], library="np")
    return arrays["score"], arrays["status"]


@pytest.mark.parametrize("entry", ["R13"])
def test_a_file_without_entries_is_warned_of(entry: str, do: Do, good: Path, bad: Path, tmp_path: Path) -> None:
    write(bad, {name: values[:0] for name, values in content().items()})
    done = do("convert", bad, good)
    check(entry, done, f"{bad}:Delphes has no entries")
    assert record_of(tmp_path / "out.h5")["read"] == 0
    check(entry, do("apply", bad), "0 entries")
    assert len(scores(tmp_path)[0]) == 0
    check(entry, do("skim", bad))
    assert "0 entries" in do("inspect", bad).out


@pytest.mark.parametrize("entry", ["R14"])
def test_no_event_at_all_is_an_error(entry: str, net: Path, bad: Path, tmp_path: Path) -> None:
    write(bad, {name: values[:0] for name, values in content().items()})
    other = write(tmp_path / "other.root", {name: values[:0] for name, values in content().items()})
    with untouched(tmp_path):
        done = run("convert", "--signal", bad, "--background", other, "-o", tmp_path / "out.h5")
        check(entry, done, "no candidates in the files", "read 0", bad)
    assert run("apply", net, bad, other, "-o", tmp_path / "out").code == 0
    assert [len(scores(tmp_path, path.name)[0]) for path in (bad, other)] == [0, 0]
    assert run("skim", bad, other, "-o", tmp_path / "skimmed.root").code == 0
    with uproot.open(tmp_path / "skimmed.root") as file:
        assert file["Delphes"].num_entries == 0


@pytest.mark.parametrize("entry", ["R15"])
def test_an_event_without_particles_has_a_defined_outcome(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    columns = content(30, 1)
    for name in columns:
        if name.startswith("Electron"):
            columns = changed(columns, name, [], event=0)
        elif name != "weight":
            columns = changed(columns, name, [], event=1)
    write(bad, columns)
    check(entry, do("convert", bad))
    record = record_of(tmp_path / "out.h5")
    assert (record["read"], record["rejected"]["no_object"], record["written"]) == (30, 1, 29)
    data = Dataset.open(tmp_path / "out.h5")
    images = np.concatenate([data.raw("et", split) for split in SPLITS])
    assert np.count_nonzero(images.sum(axis=(1, 2, 3)) == 0) == 1  # an empty image, all variables finite
    check(entry, do("apply", bad))
    score, status = scores(tmp_path)
    assert (np.isnan(score[0]), status[0]) == (True, STATUS_NAMES.index("no_object"))
    assert (np.isfinite(score[1]), status[1]) == (True, 0)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("entry", ["R17 --max-towers"])
def test_the_hottest_towers_of_an_event_are_kept_and_the_others_counted(
    *, entry: str, jobs: int, do: Do, good: Path, bad: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    columns = content(30, 1)
    et = {name: rng.exponential(5, 10_000).astype(np.float32) for name in ("ECal", "HCal")}
    for name in columns:
        if "Towers" in name:
            values = et[name[:4]] if name.endswith(("ET", "_E")) else rng.uniform(-1.5, 1.5, 10_000)
            columns = changed(columns, name, values.tolist(), event=3)
    write(bad, columns)
    done = do("convert", bad, good, "--max-towers", 1000, "--jobs", jobs)
    check(entry[:3], done, "1 events are without their 19000 towers beyond the limit")
    assert (
        record_of(tmp_path / "out.h5")["towers"] | {"over_limit_events": 1, "over_limit_towers": 19_000}
        == (record_of(tmp_path / "out.h5")["towers"])
    )
    shown = run("show", tmp_path / "out.h5").out
    assert "over the limit" in shown
    assert "19000" in shown
    limited = rows_of(tmp_path / "out.h5")

    # images and variables are those of a file without the others, to the bit
    cut = np.sort(np.concatenate([*et.values()]))[-1000]
    few = dict(columns)
    for name in columns:
        if "Towers" in name:
            few = changed(few, name, columns[name][3][et[name[:4]] >= cut].to_list(), event=3)
    write(bad, few)
    check(entry[:3], do("convert", bad, good, "--jobs", jobs, "--overwrite"))
    assert record_of(tmp_path / "out.h5")["towers"].get("over_limit_towers") is None  # not asked for: nothing is lost
    for token, values in rows_of(tmp_path / "out.h5").items():
        np.testing.assert_array_equal(limited[token], values)


@pytest.mark.parametrize("entry", ["R17 --max-towers"])
def test_a_limit_of_towers_is_a_number(entry: str, do: Do, good: Path, tmp_path: Path) -> None:
    assert entry
    with untouched(tmp_path):
        for limit in ("0", "-1", "many", "2.5"):
            assert do("convert", good, "--max-towers", limit).code == 2


@pytest.mark.parametrize("entry", ["R17"])
def test_ten_thousand_objects_in_an_event(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    columns = content(30, 1)
    for name in columns:
        if name != "weight":
            many = rng.uniform(-1.5, 1.5, 10_000) if name.endswith(("Eta", "Phi")) else rng.exponential(5, 10_000)
            columns = changed(columns, name, many.tolist())
    write(bad, columns)
    check(entry, do("convert", bad, "--which", "all"))
    record = record_of(tmp_path / "out.h5")
    assert record["read"] == 10_000 + 29
    assert record["read"] == record["written"] + sum(record["rejected"].values())
    check(entry, do("apply", bad))
    assert scores(tmp_path)[1].tolist() == [0] * 30


VALUES = [
    ("R18", "ECalTowers_ET", np.nan, True),
    ("R18", "HCalTowers_Phi", np.nan, True),
    ("R18", "Electron_PT", np.nan, True),
    ("R19", "ECalTowers_E", np.inf, True),
    ("R19", "HCalTowers_ET", -np.inf, True),
    ("R20", "ECalTowers_ET", -5.0, False),
    ("R20", "Electron_PT", -5.0, False),
    ("R20", "ECalTowers_E", -900.0, False),  # and so a mass squared below 0
    ("R21", "Electron_Eta", np.inf, True),
    ("R21", "ECalTowers_Eta", -np.inf, True),
    ("R22", "Electron_Phi", 7.0, False),
    ("R22", "ECalTowers_Phi", -9.0, False),
    ("R23", "ECalTowers_ET", 1e-40, False),
    ("R23", "ECalTowers_ET", 3e30, True),
    ("R23", "HCalTowers_E", 3e37, True),
]


@pytest.mark.parametrize(("entry", "branch", "value", "rejected"), VALUES)
def test_a_value_is_kept_or_rejects_its_event_and_is_counted(
    *, entry: str, branch: str, value: float, rejected: bool, do: Do, bad: Path, tmp_path: Path
) -> None:
    write(bad, changed(content(30, 1), branch, value))
    done = do("convert", bad)
    check(entry, done)
    record = record_of(tmp_path / "out.h5")
    assert (record["rejected"]["not_finite"], record["written"]) == (int(rejected), 30 - rejected)
    collection, leaf = branch.lower().replace("towers", "").split("_")
    column = f"{collection}.{leaf}"
    assert record["not_finite"] == ({column: 1} if rejected else {})
    assert (f"{bad}: values that are not finite, or beyond 1e30: {column} 1" in done.err) == rejected
    check(entry, do("apply", bad))
    score, status = scores(tmp_path)
    assert np.isnan(score).tolist() == [rejected] + [False] * 29  # the same events, and no other
    assert status.tolist() == [STATUS_NAMES.index("not_finite") if rejected else 0] + [0] * 29
    check(entry, do("skim", bad))
    with uproot.open(tmp_path / "out.root") as file:
        assert file["Delphes"].num_entries == 30 - rejected
    data = Dataset.open(tmp_path / "out.h5")
    for token in data.tokens:
        assert all(np.isfinite(data.raw(token, split)).all() for split in SPLITS)


@pytest.mark.parametrize("entry", ["R23 raise"])
def test_values_that_are_not_finite_stop_a_conversion_on_request(
    entry: str, do: Do, good: Path, bad: Path, tmp_path: Path
) -> None:
    write(bad, changed(content(30, 1), "ECalTowers_ET", np.nan))
    with untouched(tmp_path):
        done = do("convert", bad, "--not-finite", "raise")
        assert done.code == 1
        assert done.err.startswith("DataError: values that are NaN")
        assert "ecal.et: 1" in done.err
    assert do("convert", good, "--not-finite", "raise").code == 0


# a value in a tower, and one of an object: that has no place to cut an image at
KEPT = [each for each in VALUES if each[3] and "Towers" in each[1]]


@pytest.mark.parametrize(
    ("entry", "branch", "value"), [(f"{entry} keep", branch, value) for entry, branch, value, _ in KEPT]
)
def test_an_event_is_kept_without_the_tower_that_is_not_finite(
    *, entry: str, branch: str, value: float, do: Do, bad: Path, tmp_path: Path
) -> None:
    """Images and variables are those of its other towers; counted by column, as where the event is rejected."""
    columns = content(30, 1)
    write(bad, changed(columns, branch, value))
    done = do("convert", bad, "--not-finite", "keep")
    collection, leaf = branch.lower().replace("towers", "").split("_")
    check(entry[:3], done, f"not finite, or beyond 1e30: {collection}.{leaf} 1", "1 events are without their 1 towers")
    record = record_of(tmp_path / "out.h5")
    assert (record["rejected"]["not_finite"], record["written"]) == (0, 30)
    assert record["not_finite"] == {f"{collection}.{leaf}": 1}
    assert (record["towers"]["not_finite_events"], record["towers"]["not_finite_towers"]) == (1, 1)
    shown = run("show", tmp_path / "out.h5").out
    assert "not finite" in shown
    assert f"{collection}.{leaf} 1" in shown
    kept = rows_of(tmp_path / "out.h5")
    for name in columns:
        if name.startswith(branch.partition("_")[0]):
            columns = changed(columns, name, columns[name][0][1:].to_list())
    write(bad, columns)
    check(entry[:3], do("convert", bad, "--overwrite"))
    for token, values in rows_of(tmp_path / "out.h5").items():
        assert np.isfinite(kept[token]).all()
        np.testing.assert_array_equal(kept[token], values)


@pytest.mark.parametrize("entry", ["R23 keep"])
def test_an_object_that_is_not_finite_is_never_kept(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    write(bad, changed(content(30, 1), "Electron_Eta", np.nan))
    check(entry[:3], do("convert", bad, "--not-finite", "keep"), "electron.eta 1")
    record = record_of(tmp_path / "out.h5")
    assert (record["rejected"]["not_finite"], record["written"]) == (1, 29)
    assert record["not_finite"] == {"electron.eta": 1}


@pytest.mark.parametrize("entry", ["R23 keep"])
def test_a_network_keeps_what_its_training_kept(entry: str, do: Do, jets: Path, bad: Path, tmp_path: Path) -> None:
    """The policy and the limit are the network's: `apply` gives the score of the row that `convert` kept."""
    import hepml

    write(bad, changed(content(100, 1), "ECalTowers_ET", np.nan))
    options = ("--not-finite", "keep", "--max-towers", 12)
    check(entry[:3], do("convert", bad, *options))
    small = ("--epochs", 1, "--set", "layers=1", "--quiet")
    assert run("train", tmp_path / "out.h5", "--features", "hl", "-o", tmp_path / "run", *small).code == 0
    net = tmp_path / "kept.json"
    check(entry[:3], run("export", tmp_path / "run", "-o", net))
    evaluator = hepml.Evaluator(net)
    assert evaluator.metadata["towers"] == {"max": 12, "not_finite": "keep"}
    assert run("verify", net).code == 0
    shown = run("show", net).out
    assert "max 12" in shown
    assert "not_finite keep" in shown
    check(entry[:3], run("apply", net, bad, jets, "-o", tmp_path / "out"))
    score, status = scores(tmp_path)
    assert status.tolist() == [0] * 100
    data = Dataset.open(tmp_path / "out.h5")
    for split in SPLITS:
        own = data.column("file_id", split) == 0
        right = evaluator({"hl": data.raw("hl", split)[own]})["output"][:, 0]
        np.testing.assert_array_equal(score[data.column("entry", split)[own]], right)


@pytest.mark.parametrize("entry", ["R22"])
def test_an_angle_beyond_pi_is_the_same_angle(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    columns = content(30, 1)
    write(bad, columns)
    check(entry, do("apply", bad))
    expected = scores(tmp_path)[0]
    for name in columns:
        if name.endswith("Phi"):
            columns[name] = ak.values_astype(columns[name] + 2 * np.pi, "float32")
    write(bad, columns)
    check(entry, do("apply", bad, "--overwrite"))
    np.testing.assert_allclose(scores(tmp_path)[0], expected, atol=1e-4)
