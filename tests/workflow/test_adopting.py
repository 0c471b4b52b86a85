"""`hepml run` takes what the plain commands have made, if it is what its steps would make, and refuses all else."""

from __future__ import annotations

import json
import shutil

import pytest
from workflow.analyses import SAMPLE, content, stamps, tree, written

from hepml.cli.main import main
from hepml.errors import OutputError
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
    """Data, a run and scores from the commands; the network between them from `hepml run`, as it is nobody's else."""
    folder = tmp_path_factory.mktemp("hand")
    command(f"convert --signal {SAMPLE['signal']} --background {SAMPLE['background']} -o {folder}/out/data/main.h5")
    changes = " ".join(f"--set {key}={value}" for key, value in SETTINGS.items())
    command(f"train {folder}/out/data/main.h5 --features hl {changes} --quiet -o {folder}/out/runs/hl")
    make(load_analysis(analysis(folder)), ["export"])
    command(f"apply {folder}/out/networks/net.json {SAMPLE['background']} --quiet -o {folder}/out/scores/jets")
    return folder


def analysis(folder, **more):
    document = content(
        models={"hl": {"features": "hl", "settings": SETTINGS}},
        evaluation={"bootstrap": 5},
        export={"net": {"model": "hl"}},
        apply={"jets": {"files": SAMPLE["background"]}},
        figures={"draw": False},
    )
    return written(folder, document | more)


@pytest.fixture
def copy(by_hand, tmp_path):
    """Data and run as the commands have left them; no ledger."""
    for part in ("data", "runs"):
        shutil.copytree(by_hand / "out" / part, tmp_path / "out" / part)
    for name in ("metrics.json", "thresholds.json"):
        (tmp_path / "out/runs/hl" / name).unlink()
    return tmp_path


def states(outcomes):
    return {one.step: (one.state, one.why) for one in outcomes}


def test_what_the_commands_have_made_is_taken(copy):
    path = analysis(copy)
    before = {name: time for name, time in stamps(copy / "out").items() if name.endswith((".h5", ".keras"))}
    planned = states(plan(load_analysis(path)))
    assert planned["convert/main"] == planned["train/hl"] == ("missing", THERE)
    found = states(make(load_analysis(path), ["train"]))
    assert found == {"convert/main": TAKEN, "train/hl": TAKEN}
    after = stamps(copy / "out")
    assert {name: after[name] for name in before} == before
    make(load_analysis(path))
    assert {state for state, _ in states(plan(load_analysis(path))).values()} == {"up to date"}
    taken = json.loads((copy / "out/ledger.json").read_text())["steps"]
    shutil.rmtree(copy / "out")
    make(load_analysis(path))
    own = json.loads((copy / "out/ledger.json").read_text())["steps"]
    for name in ("convert/main", "train/hl"):  # the ledger is that of a run that has made all itself
        assert taken[name] == own[name]


def test_scores_are_taken_too(by_hand):
    path = analysis(by_hand)
    assert states(plan(load_analysis(path)))["apply/jets"] == ("missing", THERE)
    assert states(make(load_analysis(path)))["apply/jets"] == TAKEN
    assert states(plan(load_analysis(path)))["apply/jets"] == ("up to date", "")


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


@pytest.mark.parametrize(
    ("name", "step"),
    [("data/main.h5", "convert/main"), ("runs/hl/model.keras", "train/hl"), ("runs/hl/run.json", "train/hl")],
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
