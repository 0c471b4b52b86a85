"""`hepml run` takes what the plain commands have made, if it is what its steps would make, and refuses all else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from workflow.analyses import SAMPLE, content, stamps, tree, written

from hepml.cli.main import main
from hepml.errors import DataError, OutputError
from hepml.trees.skimming import skim
from hepml.workflow import adopting, load_analysis, make, plan

SETTINGS = {"layers": 1, "units": 8, "epochs": 2}
THERE = "what is there is kept if it is what the step makes"
TAKEN = ("up to date", "made by something else, from the same inputs, options and code")


def command(line):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert not stop.value.code, line


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """The whole road from the commands."""
    folder = tmp_path_factory.mktemp("hand")
    data, run, net = (folder / "out" / name for name in ("data/main.h5", "runs/hl", "networks/net.json"))
    command(f"convert --signal {SAMPLE['signal']} --background {SAMPLE['background']} -o {data}")
    changes = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    command(f"train {data} --features hl {changes} --quiet -o {run}")
    command(f"evaluate {run} {data} --bootstrap 5 --no-figures --quiet")
    command(f"evaluate {run} {data} --bootstrap 5 --no-figures --quiet --selection hard -o {folder}/out/studies/hard")
    command(f"export {run} -o {net} --source {net.with_suffix('.hpp')}")
    command(f"apply {net} {SAMPLE['background']} --quiet -o {folder}/out/scores/jets")
    return folder


def analysis(folder, **more):
    document = content(
        models={"hl": {"features": "hl", "settings": SETTINGS}},
        evaluation={"bootstrap": 5},
        studies={"hard": {"selection": "hard"}},
        export={"net": {"model": "hl", "source": True}},
        apply={"jets": {"files": SAMPLE["background"]}},
        figures={"draw": False},
    )
    return written(folder, document | more)


@pytest.fixture
def copy(by_hand, tmp_path):
    """What the commands have left; no ledger."""
    shutil.copytree(by_hand / "out", tmp_path / "out")
    return tmp_path


def states(outcomes):
    return {one.step: (one.state, one.why) for one in outcomes}


STEPS = ("convert/main", "train/hl", "evaluate/hl", "study/hard", "export/net", "apply/jets")


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_the_commands_have_made_is_taken(copy, at_once):
    path = analysis(copy)
    before = files(copy)
    assert states(plan(load_analysis(path))) == dict.fromkeys(STEPS, ("missing", THERE))
    assert states(make(load_analysis(path), at_once=at_once)) == dict.fromkeys(STEPS, TAKEN)
    assert files(copy) == before
    assert not (copy / "out/.aside").exists()
    assert {state for state, _ in states(plan(load_analysis(path))).values()} == {"up to date"}
    taken = json.loads((copy / "out/ledger.json").read_text())["steps"]
    shutil.rmtree(copy / "out")
    make(load_analysis(path))
    own = json.loads((copy / "out/ledger.json").read_text())["steps"]
    for one in (taken, own):  # a ROOT file holds its date
        one["apply/jets"]["outputs"] = [*one["apply/jets"]["outputs"]]
    assert taken == own  # the ledger is that of a run that has made all itself


def test_an_evaluated_run_is_taken_without_its_evaluation(copy):
    path = analysis(copy)
    assert states(make(load_analysis(path), ["train"])) == dict.fromkeys(STEPS[:2], TAKEN)
    assert not {"runs/hl/metrics.json", "runs/hl/thresholds.json"} & {*ledger(copy)["train/hl"]["outputs"]}
    assert states(plan(load_analysis(path)))["evaluate/hl"] == ("missing", THERE)


def files(folder):
    """Times of the outputs, and of nothing that `hepml run` keeps for itself."""
    out = folder / "out"
    found = {Path(name).relative_to(out): time for name, time in stamps(out).items() if Path(name).is_file()}
    own = ("log.txt", "ledger.json", ".checksums.json")
    return {name: time for name, time in found.items() if name.name not in own and name.parts[0] != "logs"}


def ledger(folder):
    return json.loads((folder / "out/ledger.json").read_text())["steps"]


def test_a_lost_ledger_costs_no_output(copy):
    """Figures too: they are drawn aside and compared."""
    path = analysis(copy, figures={"signal": "e"}, studies={})
    for name in ("metrics.json", "thresholds.json"):
        (copy / "out/runs/hl" / name).unlink()
    shutil.rmtree(copy / "out/studies")
    make(load_analysis(path), ["evaluate", "figures"])
    before, entries = files(copy), ledger(copy)
    (copy / "out/ledger.json").unlink()
    assert set(states(make(load_analysis(path), ["evaluate", "figures"])).values()) == {TAKEN}
    assert files(copy) == before
    assert ledger(copy) == entries


def test_a_step_that_fails_aside_says_why(copy, monkeypatch):
    def fails(*_, **__):
        raise DataError("no candidates to evaluate")

    monkeypatch.setattr("hepml.evaluation.evaluate", fails)
    before = tree(copy / "out")
    with pytest.raises(DataError, match="no candidates to evaluate"):
        make(load_analysis(analysis(copy)), ["evaluate"])
    assert {name: one for name, one in tree(copy / "out").items() if name in before} == before
    assert not (copy / "out/.aside").exists()


def test_what_a_killed_process_made_aside_is_removed(copy):
    (copy / "out/.aside/study-hard").mkdir(parents=True)
    (copy / "out/.aside/study-hard/half").write_text("")
    make(load_analysis(analysis(copy)), ["convert"])
    assert not (copy / "out/.aside").exists()


def refused(path, step, text, *targets, **options):
    before = tree(path.parent / "out")
    with pytest.raises(OutputError, match=f"the output of {step} exists") as error:
        make(load_analysis(path), targets, **options)
    assert text in str(error.value)
    before.pop("ledger.json", None)
    assert {name: one for name, one in tree(path.parent / "out").items() if name != "ledger.json"} == before


def test_other_options_are_refused(copy):
    refused(analysis(copy, selection={"min_pt": 20}), "convert/main", "its config hash differs")
    models = {"hl": {"features": "hl", "settings": SETTINGS | {"units": 9}}}
    refused(analysis(copy, models=models), "train/hl", "settings.units: 8 there, 9 here")


def test_other_inputs_are_refused(copy):
    skim(SAMPLE["background"], copy / "sample_jets.root", lambda events: events.entry % 2 == 0)
    inputs = {"main": SAMPLE | {"background": "sample_jets.root"}}  # the same name
    refused(analysis(copy, inputs=inputs), "convert/main", "the input 'sample_jets.root' has changed")


def test_other_code_is_refused(copy, monkeypatch):
    monkeypatch.setattr(adopting, "code_version", lambda: {"version": "9"})
    refused(analysis(copy), "train/hl", "the run is of other code")


def test_other_evaluations_and_networks_are_refused(copy):
    refused(analysis(copy, evaluation={"bootstrap": 6}), "evaluate/hl", "runs/hl/metrics.json differs")
    (copy / "out/ledger.json").unlink()
    path = analysis(copy, export={"net": {"model": "hl", "source": True, "namespace": "other"}})
    refused(path, "export/net", "networks/net.hpp differs", "export")
    (copy / "out/studies/hard/notes.txt").write_text("mine")
    refused(path, "study/hard", "studies/hard/notes.txt is more than the step makes", "study")
    (copy / "out/studies/hard/notes.txt").unlink()
    (copy / "out/studies/hard/thresholds.json").unlink()
    refused(path, "study/hard", "studies/hard/thresholds.json is not there", "study")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("data/main.h5", "convert/main"),
        ("runs/hl/model.keras", "train/hl"),
        ("runs/hl/run.json", "train/hl"),
        ("runs/hl/metrics.json", "evaluate/hl"),
        ("studies/hard/metrics.json", "study/hard"),
        ("networks/net.json", "export/net"),
    ],
)
def test_damaged_ones_are_refused(copy, name, step):
    file = copy / "out" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
    refused(analysis(copy), step, "")


def test_more_than_the_output_is_refused(copy):
    path = analysis(copy)
    (copy / "out/runs/hl/notes.txt").write_text("mine")
    refused(path, "train/hl", "notes.txt")
    (copy / "out/runs/hl/notes.txt").unlink()
    (copy / "out/data/main.h5.log.json").unlink()
    (copy / "out/ledger.json").unlink()
    refused(path, "convert/main", "the log beside the data file is gone")


def test_force_takes_nothing_that_it_cannot_replace(copy):
    refused(analysis(copy), "convert/main", "no step of the ledger has written it", force=True)


def test_other_scores_in_the_folder_are_refused(by_hand, tmp_path):
    scores = tmp_path / "scores"
    shutil.copytree(by_hand / "out/scores/jets", scores)
    (one,) = scores.iterdir()
    adopting.check_scores(scores, most=1)
    shutil.copyfile(one, scores / "more.root")
    with pytest.raises(Exception, match="more scores than inputs"):
        adopting.check_scores(scores, most=1)
    (scores / "more.root").write_text("mine")
    with pytest.raises(Exception, match="no output of hepml apply"):
        adopting.check_scores(scores, most=2)
