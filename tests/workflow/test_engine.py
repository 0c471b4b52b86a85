"""`hepml run`: what is made, what is up to date, and what a failure or a kill leaves."""

from __future__ import annotations

import dataclasses
import shutil
import time

import pytest
from workflow.analyses import UP, stamps, tree

import hepml.workflow.books as books_module
from hepml.errors import DataError, SchemaError
from hepml.workflow import engine, make, plan


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
    other = type(toy)(tmp_path / "moved")
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
