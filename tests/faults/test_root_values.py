"""R: events and values that are odd: kept, or rejected under a name and counted, alike in scoring and training."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from faults.outcomes import Done, check, untouched
from faults.root_files import content, layout, write

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


def record_of(tmp_path: Path) -> Mapping[str, Any]:
    """What the data file says of the first input."""
    entry: Mapping[str, Any] = Dataset.open(tmp_path / "out.h5").provenance["inputs"][0]
    return entry


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
    assert record_of(tmp_path)["read"] == 0
    check(entry, do("apply", bad), "0 entries")
    assert len(scores(tmp_path)[0]) == 0
    check(entry, do("skim", bad))
    assert "0 entries" in do("inspect", bad).out


@pytest.mark.parametrize("entry", ["R14"])
def test_no_event_at_all_is_an_error(entry: str, net: Path, bad: Path, tmp_path: Path) -> None:
    from faults.outcomes import run

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
    record = record_of(tmp_path)
    assert (record["read"], record["rejected"]["no_object"], record["written"]) == (30, 1, 29)
    data = Dataset.open(tmp_path / "out.h5")
    images = np.concatenate([data.raw("et", split) for split in SPLITS])
    assert np.count_nonzero(images.sum(axis=(1, 2, 3)) == 0) == 1  # an empty image, all variables finite
    check(entry, do("apply", bad))
    score, status = scores(tmp_path)
    assert (np.isnan(score[0]), status[0]) == (True, STATUS_NAMES.index("no_object"))
    assert (np.isfinite(score[1]), status[1]) == (True, 0)


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
    record = record_of(tmp_path)
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
    record = record_of(tmp_path)
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


# duplicates and weights


@pytest.fixture
def numbered(tmp_path: Path) -> Callable[..., Path]:
    """A file whose events have run, lumi and event numbers; and the layout that reads them."""

    def make(name: str, numbers: list[int], seed: int) -> Path:
        columns = content(len(numbers), seed)
        columns |= {"run": ak.Array(np.ones(len(numbers), np.int64)), "lumi": ak.Array(np.ones(len(numbers), np.int64))}
        return write(tmp_path / name, {**columns, "event": ak.Array(np.array(numbers, np.int64))})

    return make


RUN = "event: {run: run, lumi: lumi, event: event}"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("entry", ["R24"])
def test_an_event_that_comes_again_is_reported_and_left_out_on_request(
    *, entry: str, jobs: int, numbered: Callable[..., Path], tmp_path: Path
) -> None:
    from faults.outcomes import run

    one = numbered("one.root", [*range(20), 3, 4], 1)  # two come again within the file
    two = numbered("two.root", list(range(15, 40)), 2)  # and five of another file
    jets = numbered("jets.root", list(range(100, 130)), 3)
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
def test_duplicates_cannot_be_told_without_all_events(
    entry: str, numbered: Callable[..., Path], do: Do, tmp_path: Path
) -> None:
    assert entry
    with untouched(tmp_path):
        assert do("convert", "x.root", "--dedup", "--part", "1/2").code == 2


@pytest.mark.parametrize("entry", ["R25"])
def test_weights_of_zero_cannot_be_normalised(entry: str, bad: Path, jets: Path, tmp_path: Path) -> None:
    from faults.outcomes import run

    write(bad, content(30, 1) | {"weight": ak.Array(np.zeros(30))})
    samples = tmp_path / "samples.yaml"
    samples.write_text(
        "format: hepml-samples\nversion: 1\ntask: binary\nsamples:\n"
        f"  - {{name: s, files: [bad.root], label: 1, weight: weight, cross_section: 3.0}}\n"
        f"  - {{name: b, files: [{jets.name}], label: 0}}\n"
    )
    with untouched(tmp_path):
        done = run("convert", "--samples", samples, "-o", tmp_path / "out.h5")
        check(entry, done, "cannot be normalised", "'s'", "0.0")


@pytest.mark.parametrize("entry", ["R26"])
def test_negative_weights_are_kept(entry: str, do: Do, good: Path, bad: Path, tmp_path: Path) -> None:
    weights = np.where(np.arange(30) % 4 == 0, -1.0, 1.0)
    write(bad, content(30, 1) | {"weight": ak.Array(weights)})
    check(entry, do("convert", bad, "--layout", layout(tmp_path, "event: {weight: weight}")))
    data = Dataset.open(tmp_path / "out.h5")
    found = np.concatenate([data.column("weight", split) for split in SPLITS])
    assert np.count_nonzero(found < 0) == 8
    assert json.loads(json.dumps(data.provenance["samples"]))[0]["sum_of_weights"] == weights.sum()


@pytest.mark.parametrize("entry", ["R27"])
def test_a_weight_that_is_nan_rejects_its_event(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    weights = np.ones(30)
    weights[[3, 4]] = np.nan, np.inf
    write(bad, content(30, 1) | {"weight": ak.Array(weights)})
    done = do("convert", bad, "--layout", layout(tmp_path, "event: {weight: weight}"))
    check(entry, done, "2 events of the sample 'signal' have no finite weight and are left out")
    record = record_of(tmp_path)
    assert (record["rejected"]["not_finite_row"], record["weights_not_finite"], record["written"]) == (2, 2, 28)


@pytest.mark.parametrize("entry", ["R28"])
def test_a_class_without_events_is_refused_with_the_counts(entry: str, do: Do, bad: Path, tmp_path: Path) -> None:
    columns = content(30, 1)
    for name in columns:
        if name.startswith("Electron"):
            columns[name] = ak.values_astype(ak.Array([[]] * 30), "float32")
    write(bad, columns)
    with untouched(tmp_path):
        check(entry, do("convert", bad), "a class has no candidates", "background: 30, signal: 0", "no_object 30")


# weights and classes behind the conversion


@pytest.fixture
def weighted(tmp_path: Path) -> Callable[..., Path]:
    """A data file with such weights of the signal."""

    def make(weights: Any) -> Path:
        from faults.outcomes import run

        signal = write(tmp_path / "weighted.root", content(100, 1) | {"weight": ak.Array(weights)})
        background = write(tmp_path / "unweighted.root", content(100, 2))
        own = layout(tmp_path, "event: {weight: weight}")
        files = ("--signal", signal, "--background", background)
        done = run("convert", *files, "--layout", own, "-o", tmp_path / "weighted.h5")
        assert done.code == 0, done.err
        return tmp_path / "weighted.h5"

    return make


@pytest.mark.parametrize("folds", [0, 2])
@pytest.mark.parametrize("sign", [0.0, -1.0], ids=["zero", "negative"])
@pytest.mark.parametrize("entry", ["R25"])
def test_a_class_without_weight_is_neither_learned_nor_measured(
    *, entry: str, sign: float, folds: int, weighted: Callable[..., Path], wholes: dict[str, Path], tmp_path: Path
) -> None:
    from faults.outcomes import run

    data = weighted(np.full(100, sign))
    more = ("--folds", folds) if folds else ()
    with untouched(tmp_path):
        done = run("train", data, "--features", "hl", "-o", tmp_path / "run", "--quiet", *more)
        check(entry, done, "weights of a class", data, f"label 1: {sign:g}" if not sign else "label 1: -")
        if not folds:
            rounded = ("--precision", "int8", "--data", data)
            check(entry, run("export", wholes["run"], *rounded, "-o", tmp_path / "o.json"), "weights of the signal sum")


@pytest.mark.parametrize("entry", ["R25", "R27"])
def test_a_monitor_needs_weights(entry: str, wholes: dict[str, Path], tmp_path: Path) -> None:
    from faults.outcomes import run

    x = np.random.default_rng(1).normal(size=(40, 7)).astype(np.float32)
    weight = {"R25": np.zeros(40), "R27": np.where(np.arange(40) == 3, np.nan, 1.0)}[entry]
    np.savez(tmp_path / "x.npz", hl=x, weight=weight)
    with untouched(tmp_path):
        done = run("monitor", wholes["net"], tmp_path / "x.npz", "-o", tmp_path / "o.json")
    assert (done.code, done.err.partition(":")[0]) == (1, "DataError")
    assert {"R25": "all of weight 0", "R27": "1 not finite"}[entry] in done.err


@pytest.mark.parametrize("entry", ["R26"])
def test_negative_weights_are_learned_and_measured_with_their_signs(
    entry: str, weighted: Callable[..., Path], tmp_path: Path
) -> None:
    from faults.outcomes import run

    data = weighted(np.where(np.arange(100) % 4 == 0, -1.0, 1.0))
    small = ("--epochs", 1, "--set", "layers=1", "--quiet")
    check(entry, run("train", data, "--features", "hl", "-o", tmp_path / "run", *small))
    options = ("--no-figures", "--bootstrap", 20, "--quiet", "--json")
    done = run("evaluate", tmp_path / "run", data, *options)
    check(entry, done)
    assert np.isfinite(json.loads(done.out)["auc"]["value"])


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("entry", ["R28"])
def test_a_class_that_is_missing_in_a_fold_is_refused_with_the_counts(
    *, entry: str, folds: int, tmp_path: Path
) -> None:
    from faults.outcomes import run

    signal, background = write(tmp_path / "s.root", content(2, 1)), write(tmp_path / "b.root", content(60, 2))
    data = tmp_path / "data.h5"
    assert run("convert", "--signal", signal, "--background", background, "-o", data).code == 0
    more = ("--folds", folds) if folds else ()
    with untouched(tmp_path):
        done = run("train", data, "--features", "hl", "-o", tmp_path / "run", "--quiet", *more)
        check(entry, done, "a class is missing in the", data, "label 0: ", "label 1: 0")


@pytest.mark.parametrize("entry", ["R28"])
def test_decisions_on_one_class_are_refused(entry: str, wholes: dict[str, Path], tmp_path: Path) -> None:
    from faults.outcomes import run

    x = np.random.default_rng(1).normal(size=(40, 7)).astype(np.float32)
    np.savez(tmp_path / "x.npz", hl=x, y=np.ones(40))
    rounded = ("--precision", "int8", "--data", tmp_path / "x.npz")
    with untouched(tmp_path):
        check(
            entry,
            run("export", wholes["run"], *rounded, "-o", tmp_path / "o.json"),
            tmp_path / "x.npz",
            "label 0: 0, label 1: 40",
        )


@pytest.mark.parametrize("entry", ["R28"])
def test_a_class_that_is_missing_in_the_test_split_is_refused_with_the_counts(entry: str, tmp_path: Path) -> None:
    """By what measures: the training has both classes."""
    from faults.outcomes import run

    signal, background = write(tmp_path / "s.root", content(4, 8)), write(tmp_path / "b.root", content(60, 2))
    data, trained = tmp_path / "data.h5", tmp_path / "run"
    assert run("convert", "--signal", signal, "--background", background, "-o", data).code == 0
    small = ("--epochs", 1, "--set", "layers=1", "--quiet")
    assert run("train", data, "--features", "hl", "-o", trained, *small).code == 0
    with untouched(tmp_path):
        for output in ((), ("-o", tmp_path / "out")):
            done = run("evaluate", trained, data, "--no-figures", "--bootstrap", 5, *output)
            check(entry, done, "a class is missing among the candidates to evaluate", data, "label 0: 20, label 1: 0")
        rounded = ("--precision", "int8", "--data", data)
        check(entry, run("export", trained, *rounded, "-o", tmp_path / "o.json"), data, "label 0: 20, label 1: 0")
