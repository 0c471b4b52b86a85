"""`hepml run` can say what the commands can: every option of theirs has a key, or a reason why not."""

from __future__ import annotations

import importlib
import json

import pytest
from workflow.analyses import ROOT, SAMPLE, content, written

from hepml.cli.main import COMMANDS
from hepml.errors import HepmlError
from hepml.models import Settings
from hepml.workflow import load_analysis, options, steps

SCHEMA = json.loads((ROOT / "hepml/workflow/analysis.schema.json").read_text())
DEFS = {**{name: one.get("properties", {}) for name, one in SCHEMA["$defs"].items()}, "figures": {"draw": {}}}

MADE_BY_RUN = "hepml run names, keeps and replaces outputs itself"
PRINTS = "hepml run prints for all steps"
OTHER_SOURCE = "only a run is exported; hepml export takes other files"
# option of a command -> where analysis.yaml has it: section.key, setting.NAME; or a sentence: why it has not
OPTIONS = {
    "convert": {
        "signal": "input.signal",
        "background": "input.background",
        "samples": "input.samples",
        "output": MADE_BY_RUN,
        "layout": "input.layout",
        "dense": "input.dense",
        "which": "selection.which",
        "collection": "selection.collection",
        "convention": "selection.convention",
        "preselection": "selection.preselection",
        "max_eta": "selection.max_eta",
        "min_pt": "selection.min_pt",
        "max_towers": "selection.max_towers",
        "overlap": "selection.overlap",
        "jobs": "input.jobs",
        "scheduler": "input.scheduler",
        "timeout": "input.timeout",
        "checksums": "input.checksums",
        "dedup": "input.dedup",
        "not_finite": "input.not_finite",
        "skip_bad": "input.skip_bad",
        "part": "a part is of no use to the steps after it; hepml merge joins parts that jobs of their own have made",
        "resume": MADE_BY_RUN,
        "overwrite": MADE_BY_RUN,
        "quiet": PRINTS,
        "as_json": PRINTS,
    },
    "train": {
        "data": "model.input",
        "features": "model.features",
        "output": MADE_BY_RUN,
        "preset": "model.preset",
        "assignments": "model.settings",
        "plane": "model.plane",
        "decorrelate": "model.decorrelate",
        "folds": "model.folds",
        "seeds": "model.seeds",
        "seed": "model.seed",
        "efp_names": "model.efp_names",
        "efp_positions": "positions count the columns of a file that is no step: name the columns",
        "efps": "as efp_positions",
        "epochs": "setting.epochs",
        "memory": "setting.memory",
        "resume": MADE_BY_RUN,
        "overwrite": MADE_BY_RUN,
        "quiet": PRINTS,
        "as_json": PRINTS,
    },
    "evaluate": {
        "paths": "study.models",
        "output": MADE_BY_RUN,
        "selection": "study.selection",
        "reweight": "study.reweight",
        "independent": "study.input",
        "working_point": "evaluation.working_point",
        "variations": "study.vary",
        "candidates": "study.candidates",
        "towers": "the ROOT files are those of the input, wherever the file has them",
        "bootstrap": "evaluation.bootstrap",
        "seed": "evaluation.seed",
        "figures": "figures.draw",
        "overwrite": MADE_BY_RUN,
        "quiet": PRINTS,
        "as_json": PRINTS,
    },
    "export": {
        "source": "export.model",
        "output": MADE_BY_RUN,
        "weights": OTHER_SOURCE,
        "variables": OTHER_SOURCE,
        "header": "export.source",
        "namespace": "export.namespace",
        "max_steps": "export.max_steps",
        "fold": "export.fold",
        "folds": "export.folds",
        "seed": "export.seed",
        "ranges": "a run holds the ranges of its own training",
        "validity": "export.validity",
        "onnx": "export.onnx",
        "correctionlib": "export.correctionlib",
        "precision": "export.precision",
        "data": "decisions are compared on the data of the model",
        "tolerance": "export.tolerance",
        "lwtnn": "export.lwtnn",
        "overwrite": MADE_BY_RUN,
        "as_json": PRINTS,
    },
    "apply": {
        "network": "apply.network",
        "files": "apply.files",
        "output": MADE_BY_RUN,
        "layout": "apply.layout",
        "which": "apply.which",
        "collection": "apply.collection",
        "threshold": "apply.threshold",
        "signal_efficiency": "apply.signal_efficiency",
        "overlap": "apply.overlap",
        "jobs": "apply.jobs",
        "timeout": "apply.timeout",
        "checksums": "apply.checksums",
        "skip_bad": "apply.skip_bad",
        "step_size": "apply.step_size",
        "resume": MADE_BY_RUN,
        "overwrite": MADE_BY_RUN,
        "quiet": PRINTS,
        "as_json": PRINTS,
    },
}
# keys of the schema that are no option of a command
OWN = {"input.selection", "export.best_of", "study.bootstrap", "study.seed", "study.working_point"}
DEFAULTS = {
    "selection": options.SELECTION,
    "input": options.INPUT,
    "model": options.TRAIN,
    "evaluation": options.EVALUATION,
    "study": options.STUDY,
    "apply": options.APPLY,
}


def parameters(command):
    found = importlib.import_module(COMMANDS[command][0]).command.params
    return {one.name: one for one in found}


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_of_a_command_has_a_key_or_a_reason(command):
    assert set(parameters(command)) == set(OPTIONS[command])
    for where in OPTIONS[command].values():
        if " " in where:
            continue
        section, key = where.split(".")
        assert key in (Settings.__dataclass_fields__ if section == "setting" else DEFS[section]), where


def test_every_key_is_an_option_of_a_command_or_one_of_its_own():
    offered = {where for table in OPTIONS.values() for where in table.values()} | OWN
    sections = ("input", "selection", "model", "evaluation", "study", "export", "apply")
    assert {f"{section}.{key}" for section in sections for key in DEFS[section]} <= offered


LEAST = {
    "convert": "--signal a --background b -o c",
    "train": "a --features hl -o b",
    "evaluate": "a b",
    "apply": "a b -o c",
}


@pytest.mark.parametrize("command", ["convert", "train", "evaluate", "apply"])
def test_defaults_are_those_of_the_command(command):
    found = importlib.import_module(COMMANDS[command][0]).command.make_context(command, LEAST[command].split()).params
    places = {name: where.split(".") for name, where in OPTIONS[command].items() if " " not in where}
    defaults = {name: DEFAULTS.get(section, {}).get(key, ...) for name, (section, key) in places.items()}
    known = {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}
    shared = {name: one for name, one in defaults.items() if one is not ...}
    assert len(shared) >= 3
    assert shared == {name: known[name] for name in shared}


def test_the_steps_take_all_options():
    """What is read is passed on: a key of the schema that nothing reads would be silently without effect."""
    assert set(DEFS["selection"]) == set(options.SELECTION)
    assert set(DEFS["evaluation"]) == set(options.EVALUATION)
    named = {"signal", "background", "samples", "layout", "selection", "checksums"}
    assert set(DEFS["input"]) == {*options.INPUT, *named, "jobs", "scheduler", "timeout"}
    assert set(DEFS["study"]) == {*options.STUDY, *options.EVALUATION, "models", "input"}
    files = {"source", "onnx", "correctionlib"}
    assert set(DEFS["export"]) == {*options.EXPORT, *files, "model", "best_of"}
    work = {"jobs", "timeout", "step_size"}
    assert set(DEFS["apply"]) == {*options.APPLY, *work, "network", "files", "layout", "checksums"}
    assert steps.Place.__dataclass_fields__["jobs"].default == 1


APART = [
    ({"best_of": ["hl", "mass"], "seed": 0}, "best_of and seed"),
    ({"model": "hl", "folds": True, "fold": 0}, "folds and fold"),
    ({"model": "hl", "folds": True}, "a model has no folds"),
    ({"model": "hl", "folds": True, "precision": "bf16"}, "folds and precision"),
    ({"model": "hl", "precision": "bf16", "source": True}, "precision and source"),
    ({"model": "hl", "tolerance": 0}, "tolerance is for precision"),
    ({"model": "hl", "max_steps": 3}, "max_steps is for source"),
    ({"model": "hl", "namespace": "a", "source": False}, "namespace is for source"),
]


@pytest.mark.parametrize(("entry", "problem"), APART, ids=[each[1] for each in APART])
def test_what_does_not_go_together_is_refused(tmp_path, entry, problem):
    with pytest.raises(HepmlError, match=problem) as error:
        load_analysis(written(tmp_path, content(export={"net": entry})))
    assert "export.net" in error.value.parts["where"]


def test_folds_and_precision_make_other_steps(tmp_path):
    models = {"hl": {"features": "hl", "folds": 3}}
    exports = {"all": {"folds": True}, "small": {"precision": "int8", "tolerance": 0.2}}
    found = load_analysis(
        written(tmp_path, content(models=models, export=exports, apply={"all": {"files": SAMPLE["signal"]}}))
    ).steps
    assert found["export/all"].outputs == ("networks/all",)
    assert found["apply/all"].action.args[0] == "networks/all"
    assert found["export/small"].outputs == ("networks/small.json",)
    assert "convert/main" in found["export/small"].needs
    assert "convert/main" not in found["export/all"].needs


def test_folds_have_no_signal_efficiency(tmp_path):
    entry = {"files": SAMPLE["signal"], "network": "all", "signal_efficiency": 0.8}
    models = {"hl": {"features": "hl", "folds": 3}}
    with pytest.raises(HepmlError, match="no working point in common"):
        load_analysis(written(tmp_path, content(models=models, export={"all": {"folds": True}}, apply={"a": entry})))


def test_how_a_step_is_made_does_not_make_it_stale(tmp_path):
    def configs(**more):
        inputs = {"main": {**SAMPLE, **more.get("input", {})}}
        entry = {"files": SAMPLE["signal"], "network": "net", **more.get("apply", {})}
        document = content(inputs=inputs, export={"net": {"model": "hl"}}, apply={"a": entry})
        found = load_analysis(written(tmp_path, document)).steps
        return found, [found[name].config for name in ("convert/main", "apply/a")]

    _, plain = configs()
    work = {"jobs": 3, "timeout": 60}
    found, same = configs(input=work, apply={**work, "step_size": "1 MB"})
    assert same == plain
    assert found["convert/main"].action.keywords["work"] == work
    assert found["apply/a"].action.keywords["work"] == {**work, "step_size": "1 MB"}
    assert configs(input={"dedup": True})[1] != plain
    (tmp_path / "dask.json").write_text("{}")
    found, same = configs(input={"scheduler": "dask.json"})
    assert same == plain
    assert found["convert/main"].action.keywords["work"] == {"scheduler": str(tmp_path / "dask.json")}
    with pytest.raises(HepmlError, match="jobs and scheduler are both given"):
        configs(input={"scheduler": "tcp://a:1", "jobs": 2})
