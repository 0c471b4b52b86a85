"""`hepml run`: what is made, what is up to date, and what a failure or a kill leaves."""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from pathlib import Path

import pytest
from workflow.analyses import UP, stamps, tree

import hepml.workflow.books as books_module
from hepml.atomic import _head
from hepml.cli.main import main
from hepml.errors import DataError, InputFileError, OutputError, SchemaError
from hepml.workflow import Analysis, Step, engine, make, plan
from hepml.workflow.books import Books
from hepml.workflow.steps import Made


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
    assert why.startswith("hepml's Python code and C++ code has changed: ")
    assert why.endswith(" -> 9.9")
    assert toy.states(any_code=True) == dict.fromkeys("abcd", UP)
    assert toy.make(any_code=True) == ""
    assert toy.make() == "abcd"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sources": "x"}, "hepml's Python code has changed"),
        ({"core": "x"}, "hepml's C++ code has changed"),
        ({"version": "9.9"}, "hepml's version has changed: "),
    ],
)
def test_which_code_has_changed_is_told(toy, monkeypatch, changed, why):
    toy.make()
    new = engine.code_version() | changed
    monkeypatch.setattr(engine, "code_version", lambda: new)
    assert toy.states()["a"][1].startswith(why)


def test_a_plan_knows_how_long_steps_took(toy):
    assert {one.seconds for one in plan(toy.analysis)} == {0.0}
    toy.during = lambda name, _place: time.sleep(0.6 if name == "c" else 0)
    toy.make()
    took = {one.step[-1]: one.seconds for one in plan(toy.analysis)}
    assert took["c"] >= 0.6
    assert took["a"] < took["c"]
    (toy.out / "log.txt").unlink()
    assert {one.seconds for one in plan(toy.analysis)} == {0.0}


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
    told = {}
    with pytest.raises(DataError, match="no candidates"):
        make(toy.analysis, telling=lambda one: told.update({one.step[-1]: (one.state, one.why)}))
    stopped = ("not run", "stopped after a failure")
    assert told == {"a": UP, "b": ("failed", "no candidates"), "c": stopped, "d": ("not run", "needs copy/b")}
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


def test_what_a_killed_process_has_left_beside_the_ledger_is_removed(toy):
    toy.make()
    before = {path.name for path in toy.out.iterdir()}
    for name in ("ledger.json", ".checksums.json"):  # killed after the last write, so that none follows
        (toy.out / f"{_head(toy.out / name)}lock").touch()
    assert {path.name for path in toy.out.iterdir()} > before
    assert toy.make() == ""
    assert {path.name for path in toy.out.iterdir()} == before


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
        lambda text: text.replace('"done"', '"dome"'),
    ],
)
def test_a_damaged_ledger_is_refused(toy, damage):
    toy.make()
    path = toy.out / "ledger.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputFileError, match=r"ledger|JSON"):
        toy.make(force=True)
    assert toy.source.read_text() == "one"


def code_of(*words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code


def test_verify_and_show_find_every_damaged_file(toy, capsys):
    toy.make()
    assert code_of("verify", toy.out) == code_of("show", toy.out) == 0
    told = capsys.readouterr().out
    assert "workflow, steps 4, files 8: ok" in told
    assert "copy/a" in told
    files = [path for path in toy.out.rglob("*") if path.is_file() and path.name != "log.txt"]
    files = [path for path in files if not path.name.startswith(".")]
    assert len(files) == 9
    for path in files:
        whole = path.read_bytes()
        for at in range(0, len(whole), max(len(whole) // 40, 1)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert code_of("verify", toy.out) == 3, (path, at)
            assert code_of("show", toy.out) == 3, (path, at)
            assert path.name in capsys.readouterr().err
        if path.name != "ledger.json":
            path.unlink()
            assert code_of("verify", toy.out) == 3
            assert f"{path.name} is gone" in capsys.readouterr().err
        path.write_bytes(whole)
    assert code_of("verify", toy.out) == 0
