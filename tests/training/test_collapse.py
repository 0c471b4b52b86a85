"""A network that gives one number for everything is noticed, tried again, and never passed on."""

import numpy as np
import pytest

from hepml.errors import HepmlError
from hepml.models import PRESETS
from hepml.training import collapse, train

from .conftest import plane


def images(n=400):
    """HCal-like images: a few cells of 4x4 pixels with energy in background, mostly none in signal."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    cells = rng.exponential(size=(n, 8, 8)) * (rng.random((n, 8, 8)) < np.where(y, 0.005, 0.05)[:, None, None])
    return {"arrays": {"ht": np.repeat(np.repeat(cells, 4, axis=1), 4, axis=2)[..., None] / 16}, "y": y}


def test_the_published_hcal_network_is_retried_with_a_lower_rate(tmp_path):
    # its learning rate and dropout, made worse so that a few epochs suffice
    settings = PRESETS["ht"].settings.replace(learning_rate=0.02, filters=4, epochs=10, batch_size=16, retries=9)
    messages = []
    run = train(
        output=tmp_path / "run", settings=settings, progress=lambda step: messages.append(step.message), **images()
    )
    attempts = run.record["members"][0]["attempts"]
    assert len(attempts) > 1
    assert [one["learning_rate"] for one in attempts] == [0.02 * 0.5**k for k in range(len(attempts))]
    assert len({one["seed"] for one in attempts}) == len(attempts)
    assert all("constant" in one["outcome"] or "loss" in one["outcome"] for one in attempts[:-1])
    assert sum("collapsed" in message for message in messages) == len(attempts) - 1
    scores = run.scores()
    signal = scores.y > 0.5
    assert scores.score[signal].mean() > scores.score[~signal].mean() + 0.2


def test_a_training_that_collapses_every_time_is_an_error(tmp_path):
    changes = {"layers": 3, "units": 8, "learning_rate": 500.0, "epochs": 20, "retries": 1}
    with pytest.raises(HepmlError, match="collapsed 2 times") as caught:
        train(output=tmp_path / "run", progress=False, **plane(), **changes)
    assert caught.value.exit_code == 1
    assert "500, 250" in str(caught.value)
    assert not (tmp_path / "run" / "model.keras").exists()
    assert "collapsed" in (tmp_path / "run" / "log.txt").read_text()


def test_a_slow_sound_start_is_not_a_collapse(tmp_path):
    changes = {"layers": 2, "units": 16, "learning_rate": 1e-6, "epochs": 8}
    run = train(output=tmp_path / "run", progress=False, **plane(), **changes)
    assert len(run.record["members"][0]["attempts"]) == 1
    assert np.ptp(run.history["val_loss"]) < 0.01  # hardly moved


def test_a_faint_start_is_not_a_collapse(tmp_path):
    # a hundredth of the usual input: the outputs differ in the fifth digit until the network has learnt
    toy = plane()
    toy["arrays"] = {"x": (toy["arrays"]["x"] - [100.0, 0.0]) / [10.0, 0.1] * 1e-2}
    changes = {"layers": 2, "units": 16, "learning_rate": 0.003, "epochs": 30, "patience": 0, "normalise": False}
    run = train(output=tmp_path / "run", progress=False, **toy, **changes)
    assert len(run.record["members"][0]["attempts"]) == 1
    assert run.history["val_loss"][2] > 0.688
    assert run.history["val_loss"].min() < 0.66


def test_the_best_constant_loss():
    half = np.array([0, 0, 1, 1])
    ones = np.ones(4)
    assert collapse.constant_loss(half, ones, half, ones, classes=2) == pytest.approx(np.log(2))
    weight = np.array([3.0, 3.0, 1.0, 1.0])
    expected = (6 * -np.log(0.75) + 2 * -np.log(0.25)) / 4
    assert collapse.constant_loss(half, weight, half, weight, classes=2) == pytest.approx(expected)
    three = np.array([0, 1, 2])
    assert collapse.constant_loss(three, ones[:3], three, ones[:3], classes=3) == pytest.approx(np.log(3))
    y = np.array([1.0, 3.0])
    assert collapse.constant_loss(y, ones[:2], y, ones[:2], classes=0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("loss", "spread", "worthless"),
    [
        (0.6931, 0.0, True),
        (0.5, 0.0, True),
        (0.6931, 0.01, True),
        (0.6931, 0.3, False),
        (0.692, 0.01, False),
        (0.2, 1, False),
    ],
)
def test_what_counts_as_never_learnt(loss, spread, worthless):
    assert bool(collapse.never_learnt(loss, np.log(2), spread)) == worthless
    outputs = np.full((10, 1), 0.5)
    outputs[0] += spread
    assert collapse.spread(outputs, np.zeros(10), "binary") == pytest.approx(spread)
