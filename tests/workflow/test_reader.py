"""`hepml run`: the file of an analysis, and what is refused in it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from workflow.analyses import ROOT, SAMPLE, content, written

from hepml.cli.main import COMMANDS
from hepml.errors import HepmlError, SchemaError
from hepml.workflow import load_analysis


def test_the_steps_of_a_file(tmp_path):
    document = content(
        studies={"all": {}}, export={"net": {"best_of": ["hl", "mass"]}}, apply={"j": {"files": SAMPLE["signal"]}}
    )
    found = load_analysis(written(tmp_path, document))
    assert found.output == tmp_path / "out"
    own = ["train/hl", "evaluate/hl", "train/mass", "evaluate/mass"]
    assert list(found.steps) == ["convert/main", "figures/main", *own, "study/all", "export/net", "apply/j"]
    assert found.steps["train/mass"].config["settings"]["epochs"] == 3
    seen: set[str] = set()
    for step in found.steps.values():
        assert set(step.needs) <= seen
        seen.add(step.name)


WRONG = [
    ({"modles": {}}, "the key 'modles' is not known at the top level", "'models'"),
    ({"inputs": {"main": {**SAMPLE, "sample": "x"}}}, "the key 'sample' is not known at inputs.main", "'samples'"),
    ({"inputs": {"main": {"signal": "x.root"}}}, "files are needed", ", inputs.main"),
    ({"inputs": {"main": {**SAMPLE, "signal": "x.root"}}}, "x.root", "inputs.main"),
    ({"inputs": {"a/b": SAMPLE}}, "'a/b' does not match", "at inputs"),
    ({"selection": {"which": "leadin"}}, "'leadin' is not one of", "'leading'"),
    ({"models": {"x": {"features": "hll"}}}, "no feature is named 'hll'", "models.x: features 'hll'"),
    ({"models": {"x": {"features": "hl", "settings": {"epoch": 3}}}}, "no setting is called 'epoch'", "'epochs'"),
    ({"models": {"x": {"features": "hl", "settings": {"epochs": 0}}}}, "setting 'epochs' cannot be 0", "models.x"),
    (
        {"models": {"x": {"features": "hl", "settings": {"epochs": [3]}}}},
        "[3] is not of type",
        "models.x.settings.epochs",
    ),
    ({"models": {"x": {"preset": "hl_mass"}}}, "no preset is called 'hl_mass'", "'hl_and_mass'"),
    ({"models": {"x": {"features": "hl", "input": "mian"}}}, "input: nothing is called 'mian'", "'main'"),
    ({"models": {"x": {}}}, "a model needs features or a preset", "models.x"),
    ({"models": {"x": {"features": "hl", "folds": 1}}}, "one fold", "models.x"),
    ({"models": {"x": {"features": "hl_and_efp"}}}, "the feature efp and efp_names go together", "models.x"),
    ({"models": {"x": {"features": "hl", "efp_names": ["et_efp_2_1_0_k_1_b_1"]}}}, "go together", "models.x"),
    ({"models": {"x": {"features": "efp", "efp_names": ["et_efp_2_1_0_k_1"]}}}, "no polynomial is named", "models.x"),
    ({"models": {"x": {"features": "hl", "decorrelate": {"mass": -1}}}}, "'mass=-1'", "models.x"),
    ({"evaluation": {"working_point": 0.6}}, "0.6 is not one of", "evaluation.working_point"),
    ({"studies": {"s": {"models": ["h1"]}}}, "models: nothing is called 'h1' in models", "'hl'"),
    ({"studies": {"s": {"selection": "hrad"}}}, "no selection is named 'hrad'", "'hard'"),
    ({"studies": {"s": {"vary": ["scal=1.1"]}}}, "no effect is called 'scal'", "studies.s: variation"),
    ({"studies": {"s": {"vary": ["scale=1.1"], "reweight": True}}}, "leave reweight out", "studies.s"),
    ({"export": {"net": {}}}, "no name is given, and models has several", "export.net"),
    ({"export": {"net": {"model": "hk"}}}, "model: nothing is called 'hk'", "'hl'"),
    ({"export": {"net": {"best_of": ["hl", "mass"], "fold": 1}}}, "best_of and fold are both given", "export.net"),
    ({"apply": {"x": {"files": SAMPLE["signal"]}}}, "nothing is called None in export", "an entry in export"),
    (
        {"output": str(Path(SAMPLE["signal"]).parent)},
        "an input of convert/main is in the output folder",
        "choose another",
    ),
    (
        {"export": {"a": {"model": "hl", "correctionlib": True}, "a.correctionlib": {"model": "hl"}}},
        "export/a and export/a.correctionlib write the same file",
        "rename one",
    ),
]

# what the line that each message names begins with
LINES = [
    "modles: {}",
    "sample: x",
    "main:",
    "signal: x.root",
    "a/b:",
    "which: leadin",
    "features: hll",
    "epoch: 3",
    "epochs: 0",
    "epochs:",
    "preset: hl_mass",
    "input: mian",
    "x: {}",
    "x:",
    "x:",
    "- et_efp_2_1_0_k_1_b_1",
    "- et_efp_2_1_0_k_1",
    "x:",
    "working_point: 0.6",
    "- h1",
    "selection: hrad",
    "- scal=1.1",
    "s:",
    "net: {}",
    "model: hk",
    "net:",
    "x:",
    "signal:",
    "a.correctionlib:",
]


@pytest.mark.parametrize(("change", "problem", "more"), WRONG, ids=[each[1][:30] for each in WRONG])
def test_a_mistake_is_told_with_its_key(tmp_path, change, problem, more):
    with pytest.raises(HepmlError) as error:
        load_analysis(written(tmp_path, content(**change)))
    assert problem in str(error.value)
    assert more in str(error.value)
    place = re.search(r"analysis\.yaml, line (\d+)", error.value.parts["where"])
    line = (tmp_path / "analysis.yaml").read_text().splitlines()[int(place[1]) - 1]
    assert line.strip().startswith(LINES[WRONG.index((change, problem, more))])


def test_losses_that_do_not_compare_choose_nothing(tmp_path):
    models = {"hl": {"features": "hl"}, "flat": {"features": "hl", "decorrelate": {"mass": 20}}}
    with pytest.raises(SchemaError, match="the validation losses of the models do not compare") as error:
        load_analysis(written(tmp_path, content(models=models, export={"net": {"best_of": ["hl", "flat"]}})))
    assert "the same disco" in str(error.value)


def test_the_example_is_valid():
    assert "export/net" in load_analysis(ROOT / "examples/workflow/analysis.yaml").steps


def commands():
    """The commands of the Snakefile, with names in place of its fields."""
    text = (ROOT / "examples/workflow/Snakefile").read_text()
    for block in re.findall(r"shell:\n((?:\s+\".*\"\n)+)", text):
        words = "".join(re.findall(r'"(.*)"', block))
        words = words.replace("{params.options}", "--features hl --epochs 30 --seeds 2").replace("{threads}", "2")
        yield re.sub(r"\{([\w.]+)\}", r"\1", words).split()


def test_the_commands_of_the_snakefile_are_commands():
    found = list(commands())
    assert [words[1] for words in found] == ["convert", "train", "evaluate", "evaluate", "export", "apply"]
    for program, name, *words in found:
        assert program == "hepml"
        command = importlib.import_module(COMMANDS[name][0]).command
        assert command.make_context(name, list(words)).params  # refuses unknown options and values
