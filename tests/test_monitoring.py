"""A run against training: the statistics against plain arithmetic on the values, and hepml monitor from the shell."""

import json
import shutil

import numpy as np
import pytest
from scipy.stats import ks_2samp

import hepml
from hepml.cli.main import main
from hepml.errors import DataError, SchemaError
from hepml.monitoring import Limits, compare, merge_counts, read_counts
from hepml.ranges import measure_ranges

VARIABLES = ["a", "b"]


def sample(n, seed=0, shift=0.0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 2)).astype(np.float32) + np.float32(shift)
    x[generator.random(n) < 0.4, 1] = 0
    return x


def network(path, x, model_id="m"):
    """A network file of one vector with what its inputs were."""
    variables = [{"name": name, "offset": 0, "scale": 1} for name in VARIABLES]
    dense = {"architecture": "dense", "weights": [1, 1], "bias": [0], "activation": "linear"}
    block = {"format_version": 1, "model_id": model_id, "ranges": measure_ranges([{"x": x}], {"x": VARIABLES})}
    document = {
        "inputs": [{"name": "x", "variables": variables}],
        "input_sequences": [],
        "nodes": [
            {"type": "input", "sources": [0], "size": 2},
            {"type": "feed_forward", "sources": [0], "layer_index": 0},
        ],
        "layers": [dense],
        "outputs": {"output": {"labels": ["s"], "node_index": 1}},
        "hepml": block,
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def net(tmp_path):
    return network(tmp_path / "net.json", sample(4000))


@pytest.fixture
def run(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return call


def test_the_statistics_are_those_of_the_values(net):
    training, x = sample(4000), sample(3000, seed=1, shift=0.3)
    evaluator = hepml.Evaluator(net)
    report = compare(evaluator.ranges, evaluator.count(x))
    assert (report.events, report.events_training) == (3000, 4000)
    found = report.quantities[0]
    edges = np.quantile(training[:, 0].astype(float), [k / 10 for k in range(1, 10)], method="inverted_cdf")
    f, r = (np.bincount(np.searchsorted(edges, v[:, 0]), minlength=10) / len(v) for v in (x, training))
    assert found.psi == pytest.approx(np.sum((f - r) * np.log(f / r)), rel=1e-12)
    assert found.edges == tuple(edges)
    real = ks_2samp(x[:, 0], training[:, 0])
    assert 0.7 * real.statistic < found.ks <= real.statistic
    assert found.p_value >= real.pvalue
    below, above = x[:, 0] < training[:, 0].min(), x[:, 0] > training[:, 0].max()
    assert (found.below, found.above) == (below.mean(), above.mean())
    assert found.verdict == "notice" if found.psi <= 0.25 else "beyond"
    atom = report.quantities[1]
    assert sum(atom.fractions) == pytest.approx(1)
    assert len(atom.fractions) == len(atom.edges) + 1 < 10  # tenths that the zeros fill are one bin
    assert max(atom.training) > 0.35


def test_runs_on_the_training_distribution_stay_below_the_noise(net):
    evaluator = hepml.Evaluator(net)
    drifts = [
        compare(evaluator.ranges, evaluator.count(sample(400, seed=seed))).quantities[0] for seed in range(100, 300)
    ]
    share = np.mean([one.psi > one.psi_noise for one in drifts])
    assert 0.01 < share < 0.12  # 5 %, by the definition of the noise
    assert np.mean([one.psi for one in drifts]) == pytest.approx(9 * (1 / 400 + 1 / 4000), rel=0.2)
    assert np.mean([one.p_value < 0.05 for one in drifts]) < 0.1


def test_few_events_with_a_large_psi_are_no_alarm(net):
    evaluator = hepml.Evaluator(net)
    found = [compare(evaluator.ranges, evaluator.count(sample(20, seed=seed))).quantities[0] for seed in range(20)]
    large = [one for one in found if one.psi > 0.25 and one.psi <= one.psi_noise]
    assert large
    assert {one.verdict for one in large} == {"few"}
    assert compare(evaluator.ranges, evaluator.count(sample(20, shift=5.0))).quantities[0].verdict == "beyond"


def test_weights_count(net):
    evaluator = hepml.Evaluator(net)
    x = sample(2000, seed=3)
    twice = compare(evaluator.ranges, evaluator.count(np.concatenate([x, x[:500]]))).quantities[0]
    weight = np.ones(2000)
    weight[:500] = 2
    found = compare(evaluator.ranges, evaluator.count(x, weight)).quantities[0]
    assert found.psi == pytest.approx(twice.psi, rel=1e-12)
    assert found.entries == 2500
    assert found.n_effective == pytest.approx(2500**2 / (1500 + 500 * 4))
    for wrong in (weight[:-1], np.full(2000, np.nan)):
        with pytest.raises(DataError, match="weights"):
            evaluator.count(x, wrong)
    with pytest.raises(DataError, match="add up to nothing"):
        compare(evaluator.ranges, evaluator.count(x, np.zeros(2000) - 1))


def test_missing_values_and_limits(net):
    evaluator = hepml.Evaluator(net)
    x = sample(1000, seed=4)
    x[:30, 0], x[30:40, 1] = np.nan, np.inf
    first, second = compare(evaluator.ranges, evaluator.count(x)).quantities
    assert (first.not_finite, second.not_finite) == (0.03, 0.01)
    assert (first.verdict, first.beyond, second.verdict) == ("beyond", ("not_finite",), "ok")
    loose = Limits(psi=None, ks=None, not_finite=None, outside=None)
    assert compare(evaluator.ranges, evaluator.count(x + 9), loose).beyond == []
    strict = compare(evaluator.ranges, evaluator.count(x), Limits(ks=0.0))
    assert strict.quantities[1].beyond == ("ks",)
    nothing = compare(evaluator.ranges, evaluator.count(np.full((5, 2), np.nan)), loose).quantities[0]
    assert (nothing.verdict, nothing.fractions) == ("empty", (0.0,) * 10)
    assert np.isnan(nothing.psi)


def test_counts_add_up_and_stay_with_their_network(net, tmp_path):
    evaluator = hepml.Evaluator(net)
    x = sample(1000, seed=5)
    parts = [evaluator.count(x[:300]), evaluator.count(x[300:])]
    assert merge_counts(parts) == evaluator.count(x)
    assert parts[0]["events"] == 300
    other = hepml.Evaluator(network(tmp_path / "other.json", sample(500), "other"))
    with pytest.raises(DataError, match="different networks"):
        merge_counts([parts[0], other.count(x)])
    with pytest.raises(DataError, match="another network"):
        compare(evaluator.ranges, other.count(x), model_id=evaluator.model_id)
    with pytest.raises(DataError, match="no events"):
        compare(evaluator.ranges, evaluator.count(x[:0]))
    path = tmp_path / "counts.json"
    path.write_text(json.dumps(parts[0]))
    assert read_counts(path) == parts[0]
    for damage in ({"format": "other"}, {"events": "1"}, {"quantities": [{"bins": []}]}):
        path.write_text(json.dumps(parts[0] | damage))
        with pytest.raises(SchemaError):
            read_counts(path)


def test_the_command(run, net, tmp_path):
    np.savez(tmp_path / "good.npz", x=sample(2000, seed=6))
    np.savez(tmp_path / "bad.npz", x=sample(2000, seed=7, shift=2.0), weight=np.full(2000, 0.5))
    counts = tmp_path / "counts.json"
    code, out, err = run("monitor", net, tmp_path / "good.npz", "--counts", counts, "-o", tmp_path / "report.json")
    assert (code, err) == (0, "")
    assert "2000 events against 4000" in out
    assert "x.b" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert [one["verdict"] for one in report["quantities"]] == ["ok", "ok"]
    shutil.copyfile(counts, tmp_path / "more.json")
    code, out, _ = run("monitor", net, counts, tmp_path / "more.json", "--json")
    again = json.loads(out)
    assert (code, again["events"], again["quantities"][0]["psi"]) == (0, 4000, report["quantities"][0]["psi"])
    code, out, _ = run("monitor", net, tmp_path / "bad.npz", "--figure", tmp_path / "figures")
    assert code == 3
    assert "2 beyond a limit: x.a, x.b" in out
    drawn = json.loads((tmp_path / "figures" / "drift.json").read_text())
    assert [table["name"] for table in drawn["tables"]] == ["x.a", "x.b"]
    assert (tmp_path / "figures" / "drift.pdf").stat().st_size > 0
    relaxed = ("--max-psi", "99", "--max-outside", "1")
    assert run("monitor", net, tmp_path / "bad.npz", *relaxed)[0] == 0
    assert run("monitor", net, counts, "-o", tmp_path / "report.json")[0] == 4
    assert run("monitor", net, counts, "-o", counts, "--overwrite")[0] == 4
    assert run("monitor", net)[0] == 2


def test_the_command_refuses_other_files(run, net, tmp_path):
    document = json.loads(net.read_text())
    del document["hepml"]["ranges"]
    (tmp_path / "plain.json").write_text(json.dumps(document))
    np.savez(tmp_path / "x.npz", x=sample(10))
    code, _, err = run("monitor", tmp_path / "plain.json", tmp_path / "x.npz")
    assert (code, "does not say" in err, "--ranges" in err) == (1, True, True)
    np.savez(tmp_path / "y.npz", x=sample(10), y=np.zeros(10))
    code, _, err = run("monitor", net, tmp_path / "y.npz")
    assert (code, "no input 'y'" in err) == (1, True)
    (tmp_path / "same.npz").symlink_to("x.npz")
    code, _, err = run("monitor", net, tmp_path / "x.npz", tmp_path / "same.npz")
    assert (code, "a file is given twice" in err) == (1, True)
    code, _, err = run("monitor", net, net)
    assert (code, "not a file of counts" in err) == (1, True)
