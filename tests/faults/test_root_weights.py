"""R: weights and classes that a data set, a training or an evaluation cannot have; and negative weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from faults.outcomes import Done, check, run, untouched
from faults.root_files import content, layout, record_of, write

from hepml.dataset import SPLITS, Dataset

pytestmark = pytest.mark.usefixtures("bounded")
Do = Callable[..., Done]


@pytest.mark.parametrize("entry", ["R25"])
def test_weights_of_zero_cannot_be_normalised(entry: str, bad: Path, jets: Path, tmp_path: Path) -> None:
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
    record = record_of(tmp_path / "out.h5")
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
    signal, background = write(tmp_path / "s.root", content(2, 1)), write(tmp_path / "b.root", content(60, 2))
    data = tmp_path / "data.h5"
    assert run("convert", "--signal", signal, "--background", background, "-o", data).code == 0
    more = ("--folds", folds) if folds else ()
    with untouched(tmp_path):
        done = run("train", data, "--features", "hl", "-o", tmp_path / "run", "--quiet", *more)
        check(entry, done, "a class is missing in the", data, "label 0: ", "label 1: 0")


@pytest.mark.parametrize("entry", ["R28"])
def test_decisions_on_one_class_are_refused(entry: str, wholes: dict[str, Path], tmp_path: Path) -> None:
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
