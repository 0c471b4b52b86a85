"""`hepml run`: what is made again is what has changed, nothing else; what is interrupted ends the same."""

from __future__ import annotations

import dataclasses
import filecmp
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import hepml.workflow.books as books_module
from hepml.cli import main
from hepml.cli.main import COMMANDS
from hepml.dataset import convert
from hepml.errors import DataError, HepmlError, InputFileError, OutputError, SchemaError
from hepml.workflow import Analysis, Step, engine, load_analysis, make, plan, reader
from hepml.workflow.books import Books
from hepml.workflow.steps import Made

ROOT = Path(__file__).parents[1]


class Toy:
    """Steps that copy text: a reads a file, b and c read a, d reads b; `calls` are the steps that were made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.source = folder, folder / "out", folder / "source.txt"
        self.source.write_text("one")
        self.calls: list[tuple[str, bool]] = []
        self.options = dict.fromkeys("abcd", 1)
        self.during = lambda _name, _place: None

    def action(self, name, needs, rounded=False):
        def run(place):
            self.calls.append((name, place.resume))
            texts = [(self.out / f"{one}.txt").read_text() for one in needs] or [self.source.read_text()]
            self.during(name, place)
            folder = self.out / f"{name}.d"
            folder.mkdir(exist_ok=True)
            (folder / "log.txt").write_text(str(time.time()))
            (folder / "part").write_text(f"{name} of {texts}")
            made = f"{name}({','.join(texts)})*{self.options[name]}"
            (self.out / f"{name}.txt").write_text("rounded" if rounded else made)
            return Made()

        return run

    @property
    def analysis(self):
        graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)}
        steps = {
            f"copy/{name}": Step(
                f"copy/{name}",
                self.action(name, needs),
                {"options": {"times": self.options[name]}},
                (f"{name}.txt", f"{name}.d"),
                needs=tuple(f"copy/{one}" for one in needs),
                files=() if needs else (("source.txt", str(self.source)),),
                resumes=name == "b",
            )
            for name, needs in graph.items()
        }
        return Analysis(self.folder / "toy.yaml", self.out, steps)

    def make(self, *targets, **options):
        """Which steps were made, in order."""
        self.calls.clear()
        make(self.analysis, targets, **options)
        return "".join(name for name, _ in self.calls)

    def states(self, *targets, **options):
        return {one.step[-1]: (one.state, one.why) for one in plan(self.analysis, targets, **options)}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setattr(books_module, "_YOUNG", 0.02)
    return Toy(tmp_path)


def tree(folder: Path, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All files with their bytes, without those that hold times."""
    skipped = ("log.txt", ".checksums.json", ".lock", *but)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.endswith(skipped)}


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


UP = ("up to date", "")


def test_all_is_made_once(toy):
    assert set(toy.states().values()) == {("missing", "never made")}
    assert not toy.out.exists()  # a plan writes nothing
    time.sleep(0.2)  # checksums of files that are younger are not kept
    assert toy.make() == "abcd"
    before = stamps(toy.out)
    assert toy.states() == dict.fromkeys("abcd", UP)
    assert stamps(toy.out) == before
    assert toy.make() == ""
    assert stamps(toy.out) == before


def test_two_folders_of_the_same_analysis_hold_the_same(toy, tmp_path):
    toy.make()
    first = tree(toy.out)
    (tmp_path / "moved").mkdir()
    other = Toy(tmp_path / "moved")
    other.make()
    assert tree(other.out) == first
    assert "ledger.json" in first


def changed_option(toy):
    toy.options["b"] = 2


def changed_input(toy):
    toy.source.write_text("two")


def changed_output(toy):
    (toy.out / "b.d" / "part").write_text("by hand")


def lost_output(toy):
    (toy.out / "b.txt").unlink()


def lost_folder(toy):
    shutil.rmtree(toy.out / "c.d")


@pytest.mark.parametrize(
    ("change", "found", "made"),
    [
        (changed_option, ("b", "stale", "options.times: 1 -> 2"), "bd"),
        (changed_input, ("a", "stale", "input source.txt has changed"), "abcd"),
        (changed_output, ("b", "stale", "b.d/part was changed by something else"), "b"),
        (lost_output, ("b", "missing", "b.txt is gone"), "b"),
        (lost_folder, ("c", "missing", "c.d/part is gone"), "c"),
    ],
)
def test_what_changed_is_told_and_made_again(toy, change, found, made):
    toy.make()
    change(toy)
    assert (found[0], *toy.states()[found[0]]) == found
    assert toy.make() == made
    assert toy.states() == dict.fromkeys("abcd", UP)
    fresh = tree(toy.out)
    shutil.rmtree(toy.out)
    toy.make()
    assert tree(toy.out) == fresh


def test_steps_after_one_to_be_made_wait(toy):
    toy.make()
    changed_option(toy)
    assert toy.states()["d"] == ("waits", "copy/b comes first")
    assert toy.states()["c"] == UP
    toy.options["d"] = 5  # certainly made again
    assert toy.states()["d"] == ("stale", "options.times: 1 -> 5")


def test_only_contents_count(toy):
    toy.make()
    toy.options["a"] = 2
    analysis = toy.analysis
    step = dataclasses.replace(analysis.steps["copy/a"], action=toy.action("a", (), rounded=True))
    toy.calls.clear()
    make(dataclasses.replace(analysis, steps={**analysis.steps, "copy/a": step}))
    assert [name for name, _ in toy.calls] == ["a", "b", "c", "d"]
    toy.options["a"] = 3  # a gives "rounded" again: b, c and d find the inputs that they had
    step = dataclasses.replace(toy.analysis.steps["copy/a"], action=toy.action("a", (), rounded=True))
    toy.calls.clear()
    outcomes = make(dataclasses.replace(analysis, steps={**toy.analysis.steps, "copy/a": step}))
    assert [name for name, _ in toy.calls] == ["a", "b", "c", "d"][:1]
    assert [one.state for one in outcomes] == ["done", "up to date", "up to date", "up to date"]


def test_other_code_is_stale_unless_asked(toy, monkeypatch):
    toy.make()
    monkeypatch.setattr(engine, "code_version", lambda: {"version": "9.9", "sources": "x", "core": "y"})
    state, why = toy.states()["a"]
    assert state == "stale"
    assert why.startswith("hepml's code has changed: ")
    assert why.endswith(" -> 9.9")
    assert toy.states(any_code=True) == dict.fromkeys("abcd", UP)
    assert toy.make(any_code=True) == ""
    assert toy.make() == "abcd"


def test_inputs_are_read_again_only_if_they_may_have_changed(toy, monkeypatch):
    toy.make()
    time.sleep(0.2)  # checksums of files that are younger are not kept
    toy.make()
    read = []
    original = books_module.sha256_file
    monkeypatch.setattr(books_module, "sha256_file", lambda path: read.append(Path(path).name) or original(path))
    toy.make()
    assert read == []
    os.utime(toy.source)  # another time, the same bytes
    assert toy.make() == ""
    assert read == ["source.txt"]
    time.sleep(0.2)
    toy.make()
    read.clear()
    assert toy.make() == ""
    assert read == []
    toy.make(rehash=True)
    assert sorted(read) == sorted([*(f"{name}.txt" for name in "abcd"), *["part"] * 4, "source.txt"])


def test_a_change_that_keeps_size_and_time_is_noticed(toy):
    toy.make()
    time.sleep(0.2)
    toy.make()
    before = toy.source.stat()
    toy.source.write_text("six")
    os.utime(toy.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert toy.states()["a"] == ("stale", "input source.txt has changed")


def test_targets_bring_what_they_need(toy):
    assert toy.make("copy/b") == "ab"
    assert list(toy.states("copy/d")) == ["a", "b", "d"]
    assert toy.make("copy") == "cd"
    assert toy.make("copy/b", force=True) == "b"
    assert toy.states("copy/b", force=True)["b"] == ("stale", "forced")
    assert toy.make(force=True) == "abcd"
    with pytest.raises(SchemaError, match="there is no step 'copy/bb'") as error:
        toy.make("copy/bb")
    assert "'copy/b'" in error.value.parts["nearest"]


def fails(which):
    def during(name, _place):
        if name == which:
            raise DataError("no candidates")

    return during


def test_a_failure_stops_all_or_what_needs_it(toy):
    toy.during = fails("b")
    with pytest.raises(DataError, match="no candidates"):
        toy.make()
    assert [name for name, _ in toy.calls] == ["a", "b"]
    toy.calls.clear()
    outcomes = make(toy.analysis, keep_going=True)
    assert [(one.step[-1], one.state) for one in outcomes] == [
        ("a", "up to date"),
        ("b", "failed"),
        ("c", "done"),
        ("d", "not run"),
    ]
    assert isinstance(outcomes[1].error, DataError)
    assert outcomes[3].why == "needs copy/b"
    toy.during = fails("")
    assert toy.make() == "bd"


def test_an_interrupted_step_goes_on_where_it_can(toy):
    def interrupt(name, _place):
        if name == "b":
            (toy.out / "b.txt").write_text("half")
            raise SystemExit(143)

    toy.during = interrupt
    with pytest.raises(SystemExit):
        toy.make()
    assert toy.states()["b"] == ("unfinished", "was interrupted, goes on")
    toy.during = fails("")
    toy.make()
    assert toy.calls == [("b", True), ("c", False), ("d", False)]
    found = tree(toy.out)
    shutil.rmtree(toy.out)
    toy.make()
    assert tree(toy.out) == found


def test_an_interrupted_step_of_other_options_starts_anew(toy):
    toy.during = fails("b")
    with pytest.raises(DataError):
        toy.make()
    (toy.out / "b.txt").write_text("half")
    toy.during = lambda name, _place: name != "b" or ((toy.out / "b.txt").exists() and pytest.fail("not cleared"))
    toy.options["b"] = 7
    toy.make()
    assert toy.calls[0] == ("b", False)


@pytest.mark.parametrize("moment", range(12))
def test_a_kill_between_any_two_writes_leaves_a_folder_that_ends_the_same(toy, monkeypatch, moment):
    toy.make()
    toy.options |= {"a": 2, "b": 3}
    left = [moment]

    def killed(original):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise SystemExit(137)
            return original(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(books_module, "write_json", killed(books_module.write_json))
        patch.setattr(shutil, "rmtree", killed(shutil.rmtree))
        with pytest.raises(SystemExit):
            toy.make()
    toy.make()
    assert toy.states() == dict.fromkeys("abcd", UP)
    found = tree(toy.out)
    shutil.rmtree(toy.out)
    toy.make()
    assert tree(toy.out) == found


def test_what_no_step_has_written_is_not_touched(toy):
    toy.out.mkdir()
    (toy.out / "b.txt").write_text("mine")
    with pytest.raises(OutputError, match="no step of the ledger has written it"):
        plan(toy.analysis)
    with pytest.raises(OutputError):
        toy.make()
    assert (toy.out / "b.txt").read_text() == "mine"


def test_one_at_a_time(toy):
    with Books(toy.out).claimed(), pytest.raises(OutputError, match="another process is writing the output"):
        toy.make()
    assert toy.make() == "abcd"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"hepml-ledger"', '"other"'),
        lambda text: text.replace('"a.txt"', '"../source.txt"'),
        lambda text: text.replace('"a.txt"', '"/etc/passwd"'),
        lambda text: text.replace('"done"', "7"),
    ],
)
def test_a_damaged_ledger_is_refused(toy, damage):
    toy.make()
    path = toy.out / "ledger.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputFileError, match=r"ledger|JSON"):
        toy.make(force=True)
    assert toy.source.read_text() == "one"


# --- the file ---------------------------------------------------------------------------------------------------------

SAMPLE = {
    "signal": str(ROOT / "hepml/data/sample_electrons.root"),
    "background": str(ROOT / "hepml/data/sample_jets.root"),
}


def content(**more):
    models = {"hl": {"features": "hl"}, "mass": {"features": "mass", "settings": {"epochs": 3}}}
    return {
        "format": "hepml-analysis",
        "version": 1,
        "output": "out",
        "inputs": {"main": SAMPLE},
        "models": models,
    } | more


def written(folder, document):
    path = folder / "analysis.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


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
    ({"inputs": {"main": {"signal": "x.root"}}}, "files are needed", "analysis.yaml, inputs.main"),
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
    ({"models": {"x": {"features": "hl", "decorrelate": {"mass": -1}}}}, "'mass=-1'", "models.x"),
    ({"evaluation": {"working_point": 0.6}}, "0.6 is not one of", "evaluation.working_point"),
    ({"studies": {"s": {"models": ["h1"]}}}, "models: nothing is called 'h1' in models", "'hl'"),
    ({"studies": {"s": {"selection": "hrad"}}}, "no selection is named 'hrad'", "'hard'"),
    ({"studies": {"s": {"vary": ["scal=1.1"]}}}, "no effect is called 'scal'", "studies.s: variation"),
    ({"studies": {"s": {"vary": ["scale=1.1"], "reweight": True}}}, "leave reweight out", "studies.s"),
    ({"export": {"net": {}}}, "no name is given, and models has several", "export.net"),
    ({"export": {"net": {"model": "hk"}}}, "model: nothing is called 'hk'", "'hl'"),
    ({"export": {"net": {"best_of": ["hl", "mass"], "fold": 1}}}, "best_of chooses the network", "export.net"),
    ({"apply": {"x": {"files": SAMPLE["signal"]}}}, "nothing is called None in export", "an entry in export"),
    ({"output": str(Path(SAMPLE["signal"]).parent)}, "an input is in the output folder", "convert/main"),
    (
        {"export": {"a": {"model": "hl", "correctionlib": True}, "a.correctionlib": {"model": "hl"}}},
        "export/a and export/a.correctionlib write the same file",
        "rename one",
    ),
]


@pytest.mark.parametrize(("change", "problem", "more"), WRONG, ids=[each[1][:30] for each in WRONG])
def test_a_mistake_is_told_with_its_key(tmp_path, change, problem, more):
    with pytest.raises(HepmlError) as error:
        load_analysis(written(tmp_path, content(**change)))
    assert problem in str(error.value)
    assert more in str(error.value)
    assert "analysis.yaml" in str(error.value)


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


# --- the road ---------------------------------------------------------------------------------------------------------

SETTINGS = {"layers": 1, "units": 16, "epochs": 30, "patience": 0}
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def road(folder):
    models = {
        "hl": {"features": "hl", "settings": {**SETTINGS}},
        "mass": {"features": "hl_and_mass", "settings": {**SETTINGS}},
    }
    return written(
        folder,
        content(
            models=models,
            evaluation={"bootstrap": 10},
            studies={"all": {}},
            export={"net": {"best_of": ["hl", "mass"], "source": True}},
            apply={"jets": {"files": SAMPLE["background"], "signal_efficiency": 0.8}},
            figures={"draw": False},
        ),
    )


def run(path, *options, **more):
    command = [sys.executable, "-m", "hepml", "run", str(path), *options]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False, **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The road, walked without a break."""
    path = road(tmp_path_factory.mktemp("whole"))
    done = run(path, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    return path, json.loads(done.stdout)


def test_the_road_is_walked(whole):
    path, record = whole
    assert {one["state"] for one in record["steps"]} == {"done"}
    outputs = {one["step"]: one["outputs"] for one in record["steps"]}
    assert outputs["evaluate/hl"] == ["runs/hl/metrics.json", "runs/hl/thresholds.json"]  # no figures were asked for
    out = path.parent / "out"
    assert json.loads((out / "networks/net.json").read_text())["hepml"]["thresholds"]
    assert (out / "networks/net.hpp").is_file()
    assert (out / "studies/all/comparison.json").is_file()
    assert (out / "scores/jets/sample_jets.root").is_file()
    losses = {
        name: json.loads((out / f"runs/{name}/run.json").read_text())["best"]["val_loss"] for name in ("hl", "mass")
    }
    best = min(losses, key=losses.__getitem__)
    assert json.loads((out / "networks/net.json").read_text())["hepml"]["provenance"]["run"] == best


def test_the_data_are_those_of_the_command(whole, tmp_path):
    convert(SAMPLE["signal"], SAMPLE["background"], tmp_path / "data.h5")
    assert filecmp.cmp(tmp_path / "data.h5", whole[0].parent / "out/data/main.h5", shallow=False)


def test_then_nothing_is_to_do(whole, capsys):
    path, _ = whole
    before = stamps(path.parent / "out")
    with pytest.raises(SystemExit) as stop:
        main(["run", str(path), "--json", "--quiet", "--jobs", "2"])
    assert stop.value.code == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["steps"]} == {"up to date"}
    cache = str(path.parent / "out" / ".checksums.json")
    after = stamps(path.parent / "out")
    assert {name: time for name, time in after.items() if name not in (cache, str(path.parent / "out"))} == {
        name: time for name, time in before.items() if name not in (cache, str(path.parent / "out"))
    }


def test_a_changed_setting_makes_what_depends_on_it(whole, capsys):
    path, _ = whole
    document = yaml.safe_load(path.read_text())
    document["models"]["mass"]["settings"]["units"] = 17
    changed = path.with_name("changed.yaml")
    changed.write_text(yaml.safe_dump(document, sort_keys=False))
    found = {one.step: (one.state, one.why) for one in plan(load_analysis(changed))}
    assert found["train/mass"] == ("stale", "settings.units: 16 -> 17")
    assert found["evaluate/mass"] == ("waits", "train/mass comes first")
    assert found["export/net"][0] == found["apply/jets"][0] == found["study/all"][0] == "waits"
    assert found["train/hl"] == found["evaluate/hl"] == found["convert/main"] == UP
    with pytest.raises(SystemExit):
        main(["run", str(changed), "-n"])
    assert "settings.units: 16 -> 17" in capsys.readouterr().out


def comparable(out):
    """What two walks of the road have in common: ROOT files hold their date."""
    found = tree(out, but=(".log.json", ".root"))
    ledger = json.loads(found.pop("ledger.json"))
    for entry in ledger["steps"].values():
        entry["outputs"] = {name: digest for name, digest in entry["outputs"].items() if not name.endswith(".root")}
    return found, ledger


EVERY_EPOCH = """
import sys
from hepml.cli import main
from hepml.training import watch
watch.CHECKPOINT_SECONDS = 0
main(["run", sys.argv[1]])
"""


def test_a_killed_run_goes_on_to_the_same_outputs(whole, tmp_path):
    path = road(tmp_path)
    out = tmp_path / "out"
    words = [sys.executable, "-c", EVERY_EPOCH, str(path)]
    with subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        lines = iter(process.stderr.readline, "")
        assert any("train/mass: missing" in line for line in lines)
        assert any(line.startswith("epoch 7/") for line in lines)
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert json.loads((out / "ledger.json").read_text())["steps"]["train/mass"]["status"] == "started"
    assert (out / "runs/mass/checkpoint.npz").is_file()
    done = run(path)
    assert done.returncode == 0, done.stderr
    assert "train/mass: unfinished: was interrupted, goes on" in done.stderr
    assert "train/hl: up to date" in done.stderr
    assert "resumed after epoch" in (out / "runs/mass/log.txt").read_text()
    assert comparable(out) == comparable(whole[0].parent / "out")


def test_bad_files_are_skipped_on_request_and_told_every_time(tmp_path, capsys):
    shutil.copyfile(SAMPLE["background"], tmp_path / "jets.root")
    (tmp_path / "cut.root").write_bytes(Path(SAMPLE["background"]).read_bytes()[:100_000])
    inputs = {"main": {"signal": SAMPLE["signal"], "background": ["jets.root", "cut.root"], "skip_bad": True}}
    path = written(tmp_path, content(inputs=inputs, models={}, figures={"draw": False}))
    for state in ("done", "up to date"):
        with pytest.raises(SystemExit) as stop:
            main(["run", str(path), "--json"])
        found = capsys.readouterr()
        assert stop.value.code == 3
        assert json.loads(found.out)["steps"][0]["state"] == state
        assert "convert/main: skipped" in found.err
        assert "cut.root: InputFileError: the file is truncated" in found.err
    shutil.copyfile(SAMPLE["signal"], tmp_path / "cut.root")
    (step,) = plan(load_analysis(path))
    assert (step.state, step.why) == ("stale", "input background/cut.root has changed")


def test_inputs_are_hashed_by_the_conversion_alone(tmp_path, monkeypatch):
    read = []
    original = books_module.sha256_file
    monkeypatch.setattr(books_module, "sha256_file", lambda path: read.append(Path(path).name) or original(path))
    path = written(tmp_path, content(models={}, figures={"draw": False}))
    make(load_analysis(path))
    assert [one.state for one in make(load_analysis(path))] == ["up to date"]
    assert set(read) == {"main.h5"}
    (tmp_path / "out/data/main.h5.log.json").unlink()
    assert [(one.state, one.why) for one in plan(load_analysis(path))] == [("missing", "data/main.h5.log.json is gone")]


def test_figures_have_the_names_and_labels_of_the_file(tmp_path, monkeypatch):
    drawn = []

    def draw(dataset, folder, **options):
        drawn.append((dataset.path, options))
        (folder / "images.png").write_text("drawn")

    monkeypatch.setattr("hepml.plots.dataset_figures", draw)
    labels = {"signal": "Electrons", "background": "Jets", "experiment": "ATLAS", "energy": ""}
    path = written(tmp_path, content(models={}, figures=labels))
    make(load_analysis(path))
    ((data, options),) = drawn
    assert Path(data) == tmp_path / "out/data/main.h5"
    assert options["names"] == ("Electrons", "Jets")
    assert (options["style"].experiment, options["style"].energy) == ("ATLAS", "")
    assert (tmp_path / "out/figures/main/images.png").is_file()
    labels["signal"] = "e"
    written(tmp_path, content(models={}, figures=labels))
    assert [one.why for one in plan(load_analysis(path))] == ["", "figures.signal: Electrons -> e"]


def test_exit_codes(tmp_path, capsys):
    def code(*words):
        with pytest.raises(SystemExit) as stop:
            main(["run", *map(str, words)])
        return stop.value.code, capsys.readouterr().err

    assert code()[0] == 2
    assert code(tmp_path / "absent.yaml")[0] == 1
    path = written(tmp_path, content(models={}, figures={"draw": False}))
    assert code(path, "convrt")[0] == 1
    with Books(tmp_path / "out").claimed():
        status, message = code(path)
    assert (status, "another process is writing" in message) == (4, True)
    inputs = {"main": SAMPLE | {"background": "bad.root"}, "good": SAMPLE}
    (tmp_path / "bad.root").write_text("no ROOT file")
    path = written(tmp_path, content(inputs=inputs, models={}, figures={"draw": False}))
    status, message = code(path, "--keep-going")
    assert status == 1
    assert "convert/main: InputFileError" in message
    assert "convert/good: done" in message
    assert (tmp_path / "out/data/good.h5").is_file()


def test_the_schema_names_every_option_that_is_read():
    schema = json.loads((ROOT / "hepml/workflow/analysis.schema.json").read_text())
    assert set(schema["$defs"]["selection"]["properties"]) == set(reader.SELECTION)
    assert set(schema["$defs"]["evaluation"]["properties"]) == set(reader.EVALUATION)
