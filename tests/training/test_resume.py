"""A training that was killed ends with the weights of the uninterrupted one; no epoch repeats another's order."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hepml.atomic import _head
from hepml.errors import HepmlError
from hepml.training import load_run, train, watch
from hepml.training.feed import order

from .conftest import SMALL, plane, squares

# enough epochs for the learning rate to fall and, with dropout, for random states to matter
SETTINGS = {
    "layers": 2,
    "units": 8,
    "dropout": 0.3,
    "epochs": 9,
    "learning_rate": 0.05,
    "plateau_patience": 1,
    "patience": 6,
}
CONVOLUTIONS = {"conv_blocks": 1, "filters": 4, "layers": 1, "units": 8, "epochs": 4, "learning_rate": 3e-3}


def weights(path):
    record = load_run(path).record["members"][0]
    return record["weights_sha256"], record["epochs"], record["best_epoch"]


@pytest.fixture
def every_epoch(monkeypatch):
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", -1.0)


class Killed(BaseException):
    """Ends a training with nothing written any more, as kill -9 does."""


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("network", ["vectors", "images"])
def test_a_training_killed_in_every_epoch_ends_bit_for_bit(tmp_path, network):
    """Each epoch runs in a process of its own, as it were: learning rate and early stopping go on too."""
    toy = plane() | SETTINGS | {"patience": 3} if network == "vectors" else squares() | CONVOLUTIONS
    whole = train(output=tmp_path / "whole", progress=False, **toy)
    epochs = len(whole.history["loss"])
    if network == "vectors":
        assert epochs < toy["epochs"]
        assert len(set(whole.history["learning_rate"])) > 1

    def kill(step):
        if step.epoch == stop and not step.batch:
            raise Killed

    for stop in range(1, epochs + 1):  # noqa: B007 - `kill` reads it
        with pytest.raises(Killed):
            train(output=tmp_path / "cut", progress=kill, **toy)
    train(output=tmp_path / "cut", progress=False, **toy)
    for name in ("history.csv", "member.json", "model.keras"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.usefixtures("every_epoch")
def test_a_training_killed_behind_its_last_checkpoint_leaves_nothing_behind(tmp_path, monkeypatch):
    """The checkpoint has its name, and its lock is still there; no other one follows."""

    def kill(step):
        if step.epoch == 2 and not step.batch:
            raise Killed

    toy = plane() | SETTINGS | {"epochs": 3}
    with pytest.raises(Killed):
        train(output=tmp_path / "run", progress=kill, **toy)
    (tmp_path / "run" / f"{_head(Path('checkpoint.npz'))}lock").write_text("")
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", 1e9)
    train(output=tmp_path / "run", progress=False, **toy)
    assert not [path.name for path in (tmp_path / "run").iterdir() if path.name.startswith(".")]


@pytest.mark.usefixtures("every_epoch")
@pytest.mark.parametrize("module", ["fit", "entry"])
def test_a_training_killed_at_its_very_end_leaves_nothing_behind(tmp_path, monkeypatch, module):
    """Between the last file of a network, or of the run, and the removal of its checkpoint and of the file's lock."""
    toy = plane() | SETTINGS | {"epochs": 2}
    train(output=tmp_path / "whole", progress=False, **toy)
    place = importlib.import_module(f"hepml.training.{module}")
    original, name = place.write_json, {"fit": "member.json", "entry": "run.json"}[module]

    def killed(path, record):
        original(path, record)
        if path.name == name and record.get("status", "done") == "done":
            path.with_name(f"{_head(path)}lock").touch()
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, "write_json", killed)
        with pytest.raises(Killed):
            train(output=tmp_path / "cut", progress=False, **toy)
    train(output=tmp_path / "cut", progress=False, **toy)
    cut, whole = ({path.name for path in (tmp_path / one).iterdir()} for one in ("cut", "whole"))
    assert cut == whole
    assert (tmp_path / "cut" / "run.json").read_bytes() == (tmp_path / "whole" / "run.json").read_bytes()


@pytest.mark.usefixtures("every_epoch")
def test_interrupted_training_goes_on_bit_for_bit(tmp_path):
    stop = 4

    def interrupt(step):
        # told before an epoch's checkpoint: the one of the epoch before is the last
        if step.epoch == stop + 1 and not step.batch:
            raise KeyboardInterrupt

    whole = train(output=tmp_path / "whole", progress=False, **plane(), **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        train(output=tmp_path / "cut", progress=interrupt, **plane(), **SETTINGS)
    with pytest.raises(HepmlError, match="not ended"):
        load_run(tmp_path / "cut")
    epochs = []
    train(output=tmp_path / "cut", progress=lambda step: step.batch or epochs.append(step.epoch), **plane(), **SETTINGS)
    assert min(epochs) == stop + 1
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert (tmp_path / "cut/history.csv").read_bytes() == (tmp_path / "whole/history.csv").read_bytes()
    assert len(set(whole.history["learning_rate"])) > 1


@pytest.mark.usefixtures("every_epoch")
def test_a_network_of_plain_convolutions_goes_on_bit_for_bit(tmp_path):
    def interrupt(step):
        if step.epoch == 2 and not step.batch:
            raise KeyboardInterrupt

    toy = squares() | CONVOLUTIONS | {"sparse": False}
    train(output=tmp_path / "whole", progress=False, **toy)
    with pytest.raises(KeyboardInterrupt):
        train(output=tmp_path / "cut", progress=interrupt, **toy)
    train(output=tmp_path / "cut", progress=False, **toy)
    for name in ("history.csv", "member.json", "model.keras"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    scores = [load_run(tmp_path / name).scores().score for name in ("cut", "whole")]
    np.testing.assert_allclose(*scores, rtol=0, atol=1e-6)  # Keras' convolutions alone are not that exact


KILLED = """
import os, signal
from hepml.training import train, watch
from tests.training.conftest import plane
from tests.training.test_resume import SETTINGS
watch.CHECKPOINT_SECONDS = -1.0
def kill(step):
    if step.n_member == 2 and step.epoch == 4:
        os.kill(os.getpid(), signal.SIGKILL)
train(output={output!r}, progress=kill, seeds=2, **plane(), **SETTINGS)
"""


@pytest.mark.usefixtures("every_epoch")
def test_killed_training_goes_on_in_another_process(tmp_path, request):
    script = KILLED.format(output=str(tmp_path / "cut"))
    done = subprocess.run([sys.executable, "-c", script], cwd=request.config.rootpath, capture_output=True, check=False)
    assert done.returncode == -9
    first = (tmp_path / "cut/seed0/member.json").stat().st_mtime_ns
    members = []
    cut = train(
        output=tmp_path / "cut", progress=lambda step: members.append(step.member), seeds=2, **plane(), **SETTINGS
    )
    whole = train(output=tmp_path / "whole", progress=False, seeds=2, **plane(), **SETTINGS)
    assert set(members) == {"seed1"}
    assert (tmp_path / "cut/seed0/member.json").stat().st_mtime_ns == first
    assert cut.record == whole.record


@pytest.mark.usefixtures("every_epoch")
def test_damaged_checkpoint_is_refused(tmp_path):
    def interrupt(step):
        if step.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(output=tmp_path / "run", progress=interrupt, **plane(), **SETTINGS)
    path = tmp_path / "run/checkpoint.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(HepmlError, match=r"checkpoint\.npz"):
        train(output=tmp_path / "run", progress=False, **plane(), **SETTINGS)


def test_a_folder_is_trained_in_once_at_a_time(tmp_path):
    def again(step):
        train(output=tmp_path / "run", progress=False, **plane(), **SETTINGS)

    with pytest.raises(HepmlError, match="another process"):
        train(output=tmp_path / "run", progress=again, **plane(), **SETTINGS)


def test_every_epoch_has_its_own_order():
    rows = np.arange(1000)
    orders = [order(rows, 3, epoch) for epoch in range(4)]
    for one in orders:
        np.testing.assert_array_equal(np.sort(one), rows)
    assert all(np.mean(a == b) < 0.02 for k, a in enumerate(orders) for b in orders[:k])
    np.testing.assert_array_equal(orders[2], order(rows, 3, 2))
    assert not np.array_equal(orders[0], order(rows, 4, 0))


def test_images_come_in_that_order(tmp_path, monkeypatch):
    from hepml.training.source import DenseColumn

    asked = []
    dense = DenseColumn.dense

    def recorded(self, rows):
        if isinstance(rows, np.ndarray) and len(rows) == 32:
            asked.append(rows.copy())
        return dense(self, rows)

    monkeypatch.setattr(DenseColumn, "dense", recorded)
    toy = squares(160)
    split = np.tile([0, 0, 0, 1, 2], 32)
    changes = {"layers": 1, "units": 4, "conv_blocks": 1, "filters": 2, "epochs": 3, "batch_size": 32, "patience": 0}
    run = train(output=tmp_path / "run", split=split, progress=False, **toy, **changes)
    seed = run.record["members"][0]["attempts"][0]["seed"]
    train_rows = np.flatnonzero(split == 0)
    batches = [rows for rows in asked if np.any(np.diff(rows) < 0)]  # validation and Keras' look at shapes are sorted
    for epoch in range(3):
        seen = np.concatenate(batches[3 * epoch : 3 * epoch + 3])
        np.testing.assert_array_equal(seen, order(train_rows, seed, epoch))


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_vectors_come_in_that_order(tmp_path, steps):
    """Descent by hand along the batches of the documented order ends in the same weights."""
    import keras

    toy, split = plane(170), np.tile([0, 0, 0, 1, 2], 34)
    x, y = (toy["arrays"]["x"] - [100.0, 0.0]) * [0.1, 10.0], toy["y"]
    weight = np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    run = train(
        output=tmp_path / "run",
        arrays={"x": x},
        y=y,
        weight=weight,
        split=split,
        model=[keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")],
        progress=False,
        epochs=3,
        batch_size=32,
        patience=0,
        plateau_patience=0,
        normalise=False,
        optimizer="sgd",
        learning_rate=0.1,
        steps_per_execution=steps,
    )
    member = run.record["members"][0]
    assert member["best_epoch"] == 2
    rows, kernel, bias = np.flatnonzero(split == 0), np.zeros(2), 0.0
    weight /= weight[rows].mean()
    for epoch in range(3):
        shuffled = order(rows, member["attempts"][0]["seed"], epoch)
        for batch in np.split(shuffled, range(32, len(rows), 32)):
            slope = weight[batch] * (1 / (1 + np.exp(-(x[batch] @ kernel + bias))) - y[batch]) / len(batch)
            kernel, bias = kernel - 0.1 * slope @ x[batch], bias - 0.1 * slope.sum()
    found = run.model.get_weights()
    np.testing.assert_allclose(found[0][:, 0], kernel, rtol=1e-4)
    np.testing.assert_allclose(found[1], bias, rtol=1e-4)


@pytest.mark.usefixtures("every_epoch")
def test_a_training_killed_just_before_its_checkpoint_is_removed_is_the_unbroken_one(tmp_path, monkeypatch):
    toy = plane() | SMALL

    unlink = Path.unlink

    def killed(path, **options):
        if path.name == "checkpoint.npz":
            raise Killed
        unlink(path, **options)

    whole = train(output=tmp_path / "whole", progress=False, **toy)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            train(output=tmp_path / "cut", progress=False, **toy)
    assert (tmp_path / "cut" / "member.json").exists()
    assert (tmp_path / "cut" / "checkpoint.npz").exists()
    assert train(output=tmp_path / "cut", progress=False, **toy).record == whole.record
    assert {path.name for path in (tmp_path / "cut").iterdir()} == {
        path.name for path in (tmp_path / "whole").iterdir()
    }
