"""Folds applied to trees: every event that was met in training gets the score of the network that held it out."""

import json
import logging

import numpy as np
import pytest
import uproot

import hepml
from hepml.applying import score_events
from hepml.cli.main import main
from hepml.dataset import SPLITS, Dataset, convert
from hepml.errors import DataError, InputFileError, OutputError, SchemaError
from hepml.export.runs import export_folds, export_run
from hepml.folds import open_networks
from hepml.friends import apply, read_ledger

SAMPLES = """\
format: hepml-samples
version: 1
task: binary
samples:
- {{name: electrons, files: "{electrons}", label: 1{first}}}
- {{name: jets, files: "{jets}", label: 0{second}}}
"""
SMALL = {"layers": 1, "units": 8, "epochs": 2, "progress": False}


@pytest.fixture(scope="module")
def trained(sample, tmp_path_factory):
    """Runs of three folds: relatives are the candidates of an event, or those of one Event.Number of any file."""
    folder = tmp_path_factory.mktemp("folds")
    runs = {}
    for name, group in (("event", ""), ("number", ", group: Event.Number")):
        yaml = folder / f"{name}.yaml"
        yaml.write_text(SAMPLES.format(**sample, first=group, second=group))
        convert((), (), samples=yaml, output=folder / f"{name}.h5")
        runs[name] = hepml.train(folder / f"{name}.h5", "hl", folder / name, folds=3, **SMALL)
    return runs


@pytest.fixture(scope="module")
def folders(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for name, run in trained.items():
        export_folds(run, folder / name)
    return {name: folder / name for name in trained}


@pytest.mark.parametrize("name", ["event", "number"])
def test_the_scores_are_those_that_were_held_out(trained, folders, sample, tmp_path, name):
    assert open_networks(folders[name]).group == {"event": None, "number": "Event.Number"}[name]
    run, scores = trained[name], trained[name].scores()
    data = Dataset.open(run.path.with_suffix(".h5"))
    column = {key: np.concatenate([data.column(key, s) for s in SPLITS]) for key in ("entry", "file_id")}
    best = next(one for one in run.record["members"] if one["name"] == run.record["best"]["member"])
    held_out = scores.score[:, scores.seeds.index(best["seed"])]
    other = scores.train_score[:, scores.seeds.index(best["seed"])]
    for file_id, path in enumerate((sample["electrons"], sample["jets"])):
        (record,) = apply(folders[name], path, tmp_path / f"{file_id}.root")
        with uproot.open(record.output) as file:
            found = file["hepml/score"].array(library="np")
        own = column["file_id"] == file_id
        np.testing.assert_allclose(found[column["entry"][own]], held_out[own], rtol=0, atol=2e-6)
        assert np.mean(np.abs(found[column["entry"][own]] - other[own]) > 1e-4) > 0.9
        assert record.counts["ok"] == own.sum()


def test_all_objects_of_an_event_are_scored_by_one_network(folders, sample):
    networks = open_networks(folders["event"])
    events = hepml.open_events(sample["jets"], entry_stop=400)
    together = score_events(networks, events, which="all")
    alone = [score_events(one, events, which="all").score for one in networks.networks]
    taken = np.array([np.isclose(together.score, score, rtol=0, atol=0, equal_nan=True) for score in alone])
    assert taken.any(axis=0).all()
    assert {int(row.sum()) for row in taken} != {0}
    leading = score_events(networks, events)
    assert np.isfinite(leading.score).any()
    parts = [hepml.open_events(sample["jets"], entry_start=a, entry_stop=b) for a, b in ((0, 150), (150, 400))]
    rest = [score_events(networks, part).score for part in parts]
    assert np.concatenate(rest).tobytes() == leading.score.tobytes()


def test_a_network_of_one_fold_warns_and_a_group_changes_the_rows(folders, sample, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "hepml"):
        apply(folders["event"] / "fold_1.json", sample["jets"], tmp_path / "one.root")
    assert "is fold 1 of 3" in caplog.text
    group = np.arange(999, dtype=np.uint64)
    rows = open_networks(folders["event"]).rows(group)
    assert sorted(np.concatenate(rows).tolist()) == group.tolist()
    assert min(map(len, rows)) > 250


def test_the_folds_follow_from_what_they_did_in_training(folders, sample):
    event, number = (open_networks(folders[name]) for name in ("event", "number"))
    plain = hepml.open_events(sample["jets"], entry_stop=300)
    grouped = hepml.open_events(sample["jets"], entry_stop=300, group="Event.Number")
    expected = score_events(event, plain).score
    assert score_events(event, grouped).score.tobytes() == expected.tobytes()  # a layout may name a group
    assert score_events(number, grouped).score.tobytes() != expected.tobytes()
    with pytest.raises(DataError, match="a branch that was not read") as caught:
        score_events(number, plain)
    assert "group='Event.Number'" in str(caught.value)


def test_the_ledger_and_resuming_know_all_networks(folders, sample, tmp_path):
    (record,) = apply(folders["event"], sample["jets"], tmp_path / "s.root", jobs=2)
    ids = [one.model_id for one in open_networks(folders["event"]).networks]
    assert read_ledger(record.output)["network"] == {"model_id": ids, "group": None}
    assert apply(folders["event"], sample["jets"], tmp_path / "s.root", resume=True)[0].kept
    with pytest.raises(OutputError, match="made differently"):
        apply(folders["number"], sample["jets"], tmp_path / "s.root", resume=True)


def test_what_is_not_the_folds_of_one_run_is_refused(trained, folders, network, sample, tmp_path):
    def folder(name, **files):
        (tmp_path / name).mkdir()
        for key, path in files.items():
            (tmp_path / name / f"{key}.json").write_bytes(path.read_bytes())
        return tmp_path / name

    zero, one, two = (folders["event"] / f"fold_{k}.json" for k in range(3))
    with pytest.raises(InputFileError, match="no network in the folder"):
        open_networks(folder("empty"))
    with pytest.raises(DataError, match="not each fold once") as caught:
        open_networks(folder("two", a=zero, b=two))
    assert "folds 0 to 2" in str(caught.value)
    with pytest.raises(DataError, match="not each fold once"):
        open_networks(folder("twice", a=zero, b=one, c=two, d=two))
    with pytest.raises(DataError, match="differ in their"):
        open_networks(folder("mixed", a=zero, b=one, c=folders["number"] / "fold_2.json"))
    with pytest.raises(DataError, match="not of a fold"):
        open_networks(folder("plain", a=zero, b=one, c=network("hl")))
    document = json.loads(zero.read_text())
    for wrong in ({"number": 3, "of": 3, "group": None}, {"number": True, "of": 3, "group": None}, [0], {"of": 2}):
        document["hepml"]["fold"] = wrong
        broken = folder(f"broken {wrong}", b=one, c=two)
        (broken / "a.json").write_text(json.dumps(document))
        with pytest.raises(SchemaError, match="not told as it should be"):
            open_networks(broken)
    with pytest.raises(DataError, match="no working point in common"):
        apply(folders["event"], sample["jets"], tmp_path / "s.root", signal_efficiency=0.8)
    with pytest.raises(DataError, match="need the file"):
        apply(open_networks(folders["event"]), sample["jets"], tmp_path / "s.root", jobs=2)
    assert not (tmp_path / "s.root").exists()


def test_runs_whose_folds_trees_do_not_tell(sample, tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 2))
    run = hepml.train(arrays={"x": x}, y=x[:, 0] > 0, output=tmp_path / "arrays", folds=2, **SMALL)
    with pytest.raises(DataError, match="cannot be known again") as caught:
        export_folds(run, tmp_path / "nets")
    assert "a run on arrays" in str(caught.value)
    assert "fold" not in json.loads(export_run(run, tmp_path / "net.json").path.read_text())["hepml"]
    yaml = tmp_path / "mixed.yaml"
    yaml.write_text(SAMPLES.format(**sample, first=", group: Event.Number", second=""))
    convert((), (), samples=yaml, output=tmp_path / "mixed.h5")
    run = hepml.train(tmp_path / "mixed.h5", "mass", tmp_path / "mixed", folds=2, **SMALL)
    with pytest.raises(DataError, match="cannot be known again") as caught:
        export_folds(run, tmp_path / "nets")
    assert "the event, Event.Number" in str(caught.value)
    run = hepml.train(tmp_path / "mixed.h5", "mass", tmp_path / "single", **SMALL)
    with pytest.raises(DataError, match="the run has no folds"):
        export_folds(run, tmp_path / "nets")
    assert not (tmp_path / "nets").exists()


def test_the_commands(trained, sample, tmp_path, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as done:
            main([str(word) for word in words])
        return done.value.code

    nets = tmp_path / "nets"
    assert (
        run("export", trained["event"].path, "--folds", "-o", nets, "--seed", 0, "--validity", "runs=1-9", "--json")
        == 0
    )
    told = json.loads(capsys.readouterr().out)["networks"]
    assert [one["output"] for one in told] == [str(nets / f"fold_{k}.json") for k in range(3)]
    assert hepml.Evaluator(nets / "fold_0.json").validity == {"runs": "1-9"}
    assert run("export", trained["event"].path, "--folds", "-o", nets) == 4
    assert run("export", trained["event"].path, "--folds", "-o", nets, "--lwtnn") == 2
    assert run("apply", nets, sample["jets"], "-o", tmp_path / "s.root", "--threshold", 0.5, "--quiet") == 0
    assert "pass" in capsys.readouterr().out
    assert run("verify", nets / "fold_2.json") == 0
