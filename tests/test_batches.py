"""Many events at once on several threads: the bits of an event do not depend on its company."""

import json
import signal
import threading

import numpy as np
import pytest

from hepml.cli import main
from hepml.errors import DataError
from hepml.evaluator import Evaluator, cpus

RNG = np.random.default_rng(5)
THREADS = [1, 2, 3, 16]


def dense(n_in, n_out, activation):
    weights = RNG.normal(0, n_in**-0.5, (n_out, n_in)).astype(np.float32)
    bias = RNG.normal(0, 0.1, n_out).astype(np.float32)
    return {
        "architecture": "dense",
        "weights": weights.ravel().tolist(),
        "bias": bias.tolist(),
        "activation": activation,
    }


def variables(n):
    return [{"name": f"v{i}", "offset": 0.1 * i, "scale": 0.5} for i in range(n)]


def deep(n_in=7, units=149, layers=3):
    """Dense layers, with the output and what is before its activation."""
    chain = [dense(n_in, units, "rectified"), *(dense(units, units, "tanh") for _ in range(layers))]
    chain.append(dense(units, 2, "softmax"))
    nodes = [{"type": "input", "sources": [0], "size": n_in}]
    nodes += [{"type": "feed_forward", "sources": [i], "layer_index": i} for i in range(len(chain))]
    return {
        "inputs": [{"name": "x", "variables": variables(n_in)}],
        "input_sequences": [],
        "nodes": nodes,
        "layers": chain,
        "outputs": {"output": {"labels": ["a", "b"], "node_index": len(chain)}},
    }


def recurrent():
    """A sequence of any length, one output for each step and one for all."""
    gates = {
        gate: {"weights": RNG.normal(size=12).tolist(), "U": RNG.normal(size=16).tolist(), "bias": [0.0] * 4}
        for gate in "zrh"
    }
    gru = {"architecture": "gru", "components": gates, "activation": "tanh", "inner_activation": "sigmoid"}
    nodes = [
        {"type": "input_sequence", "sources": [0], "size": 3},
        {"type": "sequence", "sources": [0], "layer_index": 0},
        {"type": "sum", "sources": [1]},
        {"type": "feed_forward", "sources": [2], "layer_index": 1},
    ]
    return {
        "inputs": [],
        "input_sequences": [{"name": "x", "variables": variables(3)}],
        "nodes": nodes,
        "layers": [gru, dense(4, 30, "rectified")],
        "outputs": {
            "last": {"labels": [str(i) for i in range(30)], "node_index": 3},
            "steps": {"labels": list("abcd"), "node_index": 1},
        },
    }


def load(network, **options):
    return Evaluator.from_text(json.dumps(network), **options)


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k].view(np.int32), b[k].view(np.int32)) for k in a)


@pytest.mark.parametrize("cpu", cpus())
@pytest.mark.parametrize("n", [1, 5, 48, 500, 3001])
def test_an_event_alone_and_in_a_crowd(cpu, n):
    network = deep()
    x = RNG.normal(size=(n, 7)).astype(np.float32)
    x[n // 2, 3] = np.nan
    alone = load(network, cpu=cpu, threads=1)
    expected = {"output": np.concatenate([alone(x[i : i + 1])["output"] for i in range(n)])}
    logits = {"output": np.concatenate([alone(x[i : i + 1], logits=True)["output"] for i in range(n)])}
    assert np.isnan(expected["output"][n // 2]).all()
    assert np.isnan(expected["output"]).sum() == 2
    for threads in THREADS:
        crowd = load(network, cpu=cpu, threads=threads)
        assert same(crowd(x), expected)
        assert same(crowd(x, logits=True), logits)


def test_sequences_of_their_own_length():
    network = recurrent()
    lengths = RNG.integers(0, 9, 700)
    events = [RNG.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    one = load(network, threads=1)
    expected = one(events)
    assert expected["steps"].shape == (700, 8, 4)
    for event, result in zip(events[:50], expected["last"], strict=False):
        assert np.array_equal(one(event[None])["last"][0], result)
    for threads in THREADS:
        assert same(load(network, threads=threads)(events), expected)


def test_no_events():
    assert load(deep(), threads=4)(np.zeros((0, 7)))["output"].shape == (0, 2)


def test_one_evaluator_in_several_threads_of_python():
    ev = load(deep(), threads=2)
    x = RNG.normal(size=(2000, 7)).astype(np.float32)
    expected, results = ev(x), [None] * 4

    def call(i):
        results[i] = ev(x)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(same(result, expected) for result in results)


def test_the_default_is_what_the_process_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 5}, raising=False)
    assert load(deep()).threads == 3


@pytest.mark.parametrize("threads", [0, -1, 5000, 2.0, "2", float("nan")])
def test_a_number_of_threads_that_cannot_be(threads):
    with pytest.raises(DataError, match="number of threads"):
        load(deep(), threads=threads)


class StoppedError(Exception):
    """What the handler below raises."""


@pytest.mark.parametrize("threads", [1, 3])
def test_a_signal_ends_a_batch_on_all_threads(threads):
    ev = load(deep(units=600), threads=threads)
    x = np.zeros((20_000_000, 7), np.float32)  # minutes of work
    expected = ev(x[:100])

    def handler(_number, _frame):
        raise StoppedError

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(StoppedError):
            ev(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert same(ev(x[:100]), expected)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_predict_with_threads(tmp_path, threads):
    network, arrays, output = (tmp_path / name for name in ("net.json", "x.npz", "scores.npz"))
    record = deep()
    network.write_text(json.dumps(record))
    x = RNG.normal(size=(1000, 7)).astype(np.float32)
    np.savez(arrays, x=x)
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(network), str(arrays), "-o", str(output), "--threads", threads])
    assert stop.value.code == 0
    with np.load(output) as written:
        assert same(dict(written), load(record, threads=1)(x))


@pytest.mark.parametrize("name", ["file", "allow_pickle", "a/b", "weight"])
def test_predict_with_an_output_of_any_name(tmp_path, name):
    record = deep()
    record["outputs"] = {name: record["outputs"]["output"]}
    (tmp_path / "net.json").write_text(json.dumps(record))
    x = RNG.normal(size=(3, 7)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(tmp_path / "net.json"), str(tmp_path / "x.npz"), "-o", str(tmp_path / "s.npz")])
    assert stop.value.code == 0
    with np.load(tmp_path / "s.npz", allow_pickle=False) as written:
        assert same(dict(written), load(record)(x))


@pytest.mark.parametrize(("shape", "bad"), [((5, 4, 3), 1), ((5, 0, 3), 0), ((0, 4, 3), 0)])
def test_predict_counts_events_not_steps(tmp_path, capsys, shape, bad):
    record = recurrent()
    record["outputs"] = {"steps": record["outputs"]["steps"]}
    record["nodes"], record["layers"] = record["nodes"][:2], record["layers"][:1]
    x = np.zeros(shape)
    x[1:2, 1:2, 0] = np.nan
    (tmp_path / "net.json").write_text(json.dumps(record))
    np.savez(tmp_path / "x.npz", x=x)
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(tmp_path / "net.json"), str(tmp_path / "x.npz"), "-o", str(tmp_path / "s.npz"), "--json"])
    assert stop.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["not_finite"]) == (shape[0], bad)
