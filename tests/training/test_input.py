"""Bad input to train: one message that names the culprit, and nothing left on disk."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hepml.errors import HepmlError, InputFileError, SchemaError
from hepml.training import load_run, train
from hepml.training.folds import members
from hepml.training.source import array_source

from .conftest import SMALL, plane


def changed(**what):
    return plane() | what


def with_nan():
    x = plane()["arrays"]["x"].copy()
    x[7, 1] = np.nan
    return {"x": x}


N = len(plane()["y"])
CASES = {
    "nan": (changed(arrays=with_nan()), "NaN or infinity column 'x_1'"),
    "row": (changed(arrays=with_nan()), "first in row 7"),
    "one class": (changed(y=np.ones(N)), "only one class"),
    "labels": (changed(y=np.arange(N) % 2 * 2, task="binary"), "0 or 1"),
    "length": (changed(y=np.zeros(3)), "differ in length"),
    "no valid": (changed(split=np.arange(N) // 2 % 2 * 2), "no rows in the validation split"),
    "class absent in train": (changed(split=plane()["y"]), "a class is missing in the training split"),
    "split codes": (changed(split=np.arange(N) % 4), "0 train, 1 valid, 2 test"),
    "split name": (changed(split="some"), '"all"'),
    "text": (changed(arrays={"x": np.full((N, 2), "a")}), "cannot be trained on"),
    "no labels": (changed(y=None), "without labels"),
    "weights": (changed(weight=-np.ones(N)), "do not sum to more than 0"),
    "weight nan": (changed(weight=np.full(N, np.nan)), "weight is NaN"),
    "setting": (changed(unitz=3), "'units'"),
    "reference name": (changed(numLayers=3), "'layers'"),
    "preset": (changed(preset="hll"), "'hl'"),
    "folds": (changed(folds=1), "from 2"),
    "seeds": (changed(seeds=0), "from 1"),
    "both": (changed(data="x.h5"), "either"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_named_and_leaves_nothing(tmp_path, case):
    arguments, message = CASES[case]
    with pytest.raises(HepmlError, match=message) as caught:
        train(output=tmp_path / "run", progress=False, **arguments)
    assert caught.value.exit_code == 1
    assert not (tmp_path / "run").exists()


def test_bad_data_files(data, tmp_path):
    with pytest.raises(HepmlError, match="no such file"):
        train(tmp_path / "none.h5", "hl", tmp_path / "run")
    with pytest.raises(HepmlError, match="'hl'"):
        train(data, "h1", tmp_path / "run")
    with pytest.raises(HepmlError, match="no features"):
        train(data, output=tmp_path / "run")
    with pytest.raises(HepmlError, match="no output"):
        train(data, "hl")
    (tmp_path / "file").write_text("x")
    with pytest.raises(HepmlError, match="is a file") as caught:
        train(data, "mass", tmp_path / "file", progress=False, **SMALL)
    assert caught.value.exit_code == 4


def test_load_run_tells_what_is_wrong(tmp_path):
    with pytest.raises(HepmlError, match="no such folder"):
        load_run(tmp_path / "none")
    with pytest.raises(HepmlError, match="not that of a run"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": "other"}')
    with pytest.raises(HepmlError, match="not the record of a run"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text('{"format": "hepml-run", "format_version": 99}')
    with pytest.raises(HepmlError, match="newer hepml"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda run: run.pop("members"), "run.members is missing"),
        (lambda run: run["best"].update(member=3), "run.best.member is a number"),
        (lambda run: run["inputs"].append("et"), r"run.inputs\[1\] is text"),
        (lambda run: run["config"].pop("settings"), "run.config.settings is missing"),
        (lambda run: run["config"].pop("data"), "run.config.data is missing"),
        (lambda run: run["inputs"][0].pop("geometry"), r"run.inputs\[0\].geometry is missing"),
        (lambda run: run["best"].update(member="seed7"), "'seed7' is none of run.members"),
        (lambda run: run.update(members=[]), "'' is none of run.members"),
        (lambda run: run.update(format_version="1"), "run.format_version is text"),
        (lambda run: run.update(format_version=None), "run.format_version is null"),
    ],
)
def test_a_damaged_record_is_told_by_its_key(tmp_path, change, found):
    train(output=tmp_path / "run", progress=False, **plane(), **SMALL)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(InputFileError, match=found):
        load_run(tmp_path / "run")


def test_relatives_stay_together_in_folds_and_parts():
    n = 4000
    group = np.arange(n) // 4
    source = array_source({"x": np.random.default_rng(0).normal(size=(n, 1))}, np.arange(n) % 2, group=group)
    parts, fold = members(source, folds=5, seeds=2, seed=3)
    assert len(parts) == 10
    assert np.all(fold.reshape(-1, 4) == fold[::4, None])
    held_out = np.zeros(n, dtype=int)
    for part in parts:
        assert part.seed in (3, 4)
        rows = [part.train, part.valid, part.held_out]
        assert sorted(np.concatenate(rows)) == list(range(n))
        for k, one in enumerate(rows):
            for other in rows[:k]:
                assert not set(group[one]) & set(group[other])
        assert len(part.train) / n == pytest.approx(0.64, abs=0.04)
        assert len(part.valid) / n == pytest.approx(0.16, abs=0.04)
        held_out[part.held_out] += 1
    assert np.all(held_out == 2)
    first, second = (set(part.valid) for part in parts[::2][:2])
    assert len(first & second) < 0.5 * len(first)  # another fifth stops another fold


def test_a_full_disk_ends_the_training_and_it_goes_on_later(tmp_path):
    import resource

    # larger than run.json and the log, smaller than the network
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    changes = SMALL | {"units": 2000}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, limits[1]))
        with pytest.raises(HepmlError) as caught:
            train(output=tmp_path / "run", progress=False, **plane(), **changes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.exit_code == 4
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "log.txt"}
    run = train(output=tmp_path / "run", progress=False, **plane(), **changes)
    assert run.record["parameters"] == 8001


@pytest.mark.parametrize("option", ["seed", "seeds", "folds"])
@pytest.mark.parametrize("value", [None, "3", 2.5, True, -1])
def test_numbers_of_networks_are_whole(option, value, tmp_path):
    with pytest.raises(SchemaError, match=rf"{option} cannot be"):
        train("data.h5", features="hl", output=tmp_path / "run", **{option: value})


FULL = """
import resource, sys
import numpy as np
from hepml.errors import OutputError
from hepml.training.checkpoint import write_arrays

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_arrays(sys.argv[1], {"name": np.array(["a"]), "ordering": np.zeros(1)})
except OutputError as error:
    print(error.exit_code)
"""


def test_arrays_on_a_full_disk_are_one_error_and_nothing_on_stderr(tmp_path):
    """They are few: all of them fit into the buffer of a file, which is written again when it is forgotten."""
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path / "a.npz"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("4\n", "")
    assert list(tmp_path.iterdir()) == []
