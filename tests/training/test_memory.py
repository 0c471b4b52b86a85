"""Images larger than the memory they may take: the same rows in batches, each epoch in another order."""

import tracemalloc

import numpy as np
import pytest

from hepml.dataset import convert
from hepml.errors import HepmlError
from hepml.training import load_run, train, watch
from hepml.training.feed import BLOCKS, order, training_feed
from hepml.training.source import data_source
from hepml.trees.skimming import skim

TOKENS = ("et", "ht", "mass")
MEMORY = 3e-4  # GB; the images of the sample take twice as much
THIRD = 1e-4  # of a third of them


@pytest.fixture(scope="module")
def dense(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("dense") / "data.h5"
    convert(sample["electrons"], sample["jets"], path, dense=True)
    return path


def test_an_order_in_windows():
    rows, window = np.arange(3, 60_003), 16_384
    orders = [order(rows, 3, epoch, window) for epoch in range(3)]
    for one in orders:
        np.testing.assert_array_equal(np.sort(one), rows)
        for start in range(0, len(rows) - window, window):
            part = one[start : start + window]
            # blocks of neighbours, all of which are in this window but at its borders, from all over the file
            jumps = np.count_nonzero(np.diff(np.sort(part)) > 1)
            assert BLOCKS / 4 < jumps <= BLOCKS + 1
            assert abs(np.mean(part < 30_003) - 0.5) < 0.15
            assert abs(np.corrcoef(np.arange(window), part)[0, 1]) < 0.03
    assert all(np.mean(a == b) < 0.01 for k, a in enumerate(orders) for b in orders[:k])
    np.testing.assert_array_equal(orders[1], order(rows, 3, 1, window))
    assert not np.array_equal(orders[0], order(rows, 4, 0, window))
    np.testing.assert_array_equal(order(rows, 3, 0, len(rows)), order(rows, 3, 0))


@pytest.mark.parametrize("layout", ["data", "dense"])
@pytest.mark.parametrize("part", ["train", "folds"])
def test_batches_from_the_file_are_those_from_memory(request, layout, part):
    whole = data_source(request.getfixturevalue("data"), TOKENS)
    small = data_source(request.getfixturevalue(layout), TOKENS, memory=MEMORY if layout == "data" else 5 * MEMORY)
    assert whole.window == 0
    assert 64 < small.window < len(small) / 2
    chosen = whole.split == 0 if part == "train" else whole.group % np.uint64(3) > 0
    rows, weight = np.flatnonzero(chosen), np.linspace(1, 2, len(whole)).astype(np.float32)
    feeds = [training_feed(one, rows, weight, [*TOKENS], batch_size=64, seed=3) for one in (whole, small)]
    for epoch in (0, 2):
        feeds[1].start(epoch)
        expected = order(rows, 3, epoch, small.window // 64 * 64)
        for number in range(len(feeds[1])):
            x, y, w = feeds[1][number]
            batch = expected[64 * number : 64 * number + 64]
            for one, found in zip(whole.batches(batch, [*TOKENS]), x, strict=True):
                np.testing.assert_array_equal(found, one)
            np.testing.assert_array_equal(y[:, 0], whole.y[batch])
            np.testing.assert_array_equal(w, weight[batch])
    scattered = np.array([len(whole) - 1, 7, 7, 0])
    for token in ("et", "ht"):
        np.testing.assert_array_equal(small.columns[token].dense(scattered), whole.columns[token].dense(scattered))


def test_an_epoch_stays_within_the_memory(data):
    taken = []
    for memory in (0.0, MEMORY):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        source = data_source(data, TOKENS, memory=memory)
        images = tracemalloc.get_traced_memory()[0] - before
        rows, weight = np.flatnonzero(source.split == 0), np.ones(len(source), np.float32)
        feed = training_feed(source, rows, weight, [*TOKENS], batch_size=64, seed=0)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        feed.start(1)
        for number in range(len(feed)):
            feed[number]
        taken.append((images, tracemalloc.get_traced_memory()[1] - before))
        tracemalloc.stop()

    assert taken[0][0] - taken[1][0] > 2e9 * MEMORY
    assert taken[1][1] - taken[0][1] < 1e9 * MEMORY


@pytest.fixture
def third(sample, tmp_path):
    """Every third event of the sample."""
    for name, path in sample.items():
        skim(path, tmp_path / f"{name}.root", lambda events: events.entry % 3 == 0)
    convert(tmp_path / "electrons.root", tmp_path / "jets.root", tmp_path / "third.h5")
    return tmp_path / "third.h5"


def test_a_training_from_the_file_goes_on_bit_for_bit(third, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "CHECKPOINT_SECONDS", -1.0)
    assert 64 < data_source(third, TOKENS, memory=THIRD).window < len(data_source(third, TOKENS)) / 2

    def interrupt(step):
        if step.epoch == 2 and not step.batch:
            raise KeyboardInterrupt

    # with this rate and seed the first attempt collapses, and the training goes on with the second
    changes = {"conv_blocks": 1, "filters": 4, "layers": 1, "units": 8, "epochs": 3, "learning_rate": 3e-3, "seed": 1}
    changes["memory"] = THIRD
    run = train(third, "et_and_ht", tmp_path / "whole", progress=False, **changes)
    assert len(run.record["members"][0]["attempts"]) == 2
    with pytest.raises(KeyboardInterrupt):
        train(third, "et_and_ht", tmp_path / "cut", progress=interrupt, **changes)
    with pytest.raises(HepmlError, match=r"settings.memory: 0\.0001 there, 4\.0 here"):
        train(third, "et_and_ht", tmp_path / "cut", progress=False, **changes | {"memory": 4})
    train(third, "et_and_ht", tmp_path / "cut", progress=False, **changes)
    for name in ("history.csv", "member.json", "model.keras"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert load_run(tmp_path / "cut").config.memory == THIRD
