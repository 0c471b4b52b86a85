"""`hepml run --at-once`: steps at the same time give what they give one after another, and end with their parent."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from workflow.analyses import children, diamond, tree, wait_for

from hepml.errors import DataError, HepmlError, SchemaError
from hepml.workflow import make, plan

TESTS = Path(__file__).parents[1]


def at_work(folder, name):
    return [float(one) for one in (folder / "out" / f"{name}.d" / "log.txt").read_text().split()]


def test_steps_at_the_same_time_give_the_same(tmp_path):
    slow = {"b": {"seconds": 4}, "c": {"seconds": 4}}
    outcomes = make(diamond(tmp_path, **slow), at_once=2)
    assert [(one.step[-1], one.state) for one in outcomes] == [(name, "done") for name in "abcd"]
    (b, b_end), (c, c_end) = at_work(tmp_path, "b"), at_work(tmp_path, "c")
    assert max(b, c) < min(b_end, c_end)  # at the same time
    assert at_work(tmp_path, "a")[1] <= min(b, c)
    assert at_work(tmp_path, "d")[0] >= max(b_end, c_end)
    assert (tmp_path / "out/logs/copy-b.txt").read_text() == "b is at work\n"
    found = tree(tmp_path / "out")
    assert {one.state for one in plan(diamond(tmp_path))} == {"up to date"}
    shutil.rmtree(tmp_path / "out")
    make(diamond(tmp_path))
    assert tree(tmp_path / "out") == {name: one for name, one in found.items() if not name.startswith("logs/")}


def test_a_failure_starts_nothing_new_and_ends_nothing(tmp_path):
    told = {}

    def telling(one):
        told[one.step[-1]] = one.state

    analysis = diamond(tmp_path, b={"fails": "no candidates"}, c={"seconds": 6})
    with pytest.raises(DataError, match="no candidates"):
        make(analysis, at_once=2, telling=telling)
    assert told == {"a": "done", "b": "failed", "c": "done", "d": "not run"}
    make(diamond(tmp_path), at_once=2, telling=telling)
    assert told == {"a": "up to date", "b": "done", "c": "up to date", "d": "done"}


def test_a_process_that_dies_is_a_failure(tmp_path):
    with pytest.raises(HepmlError, match="the process of copy/b died") as error:
        make(diamond(tmp_path, b={"fails": "killed"}), at_once=3)
    assert error.value.parts["found"] == "signal 9"
    assert {one.step[-1]: one.state for one in plan(diamond(tmp_path))}["b"] == "unfinished"


def test_no_step_at_all_is_refused_as_ever(tmp_path):
    with pytest.raises(SchemaError):
        make(diamond(tmp_path), ["copy/x"], at_once=2)


SLOW = """
import sys
from pathlib import Path
from hepml import interruption
from workflow.analyses import diamond
from hepml.workflow import make
if __name__ == "__main__":
    interruption.listen()
    make(diamond(Path(sys.argv[1]), b={"seconds": 600}, c={"seconds": 600}), at_once=2)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_processes_end_with_their_parent(tmp_path, number):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([sys.executable, script, tmp_path], env=environment, stderr=subprocess.PIPE) as process:
        try:
            begun = [tmp_path / "out" / f"{name}.d" / "begun" for name in "bc"]
            wait_for(lambda: all(path.exists() for path in begun))
            assert len(children(tmp_path)) == 2
            process.send_signal(number)
            process.wait(30)
        finally:
            process.kill()
    wait_for(lambda: not children(tmp_path))
    states = {one.step[-1]: one.state for one in plan(diamond(tmp_path))}
    assert states == {"a": "up to date", "b": "unfinished", "c": "unfinished", "d": "missing"}
    make(diamond(tmp_path), at_once=2)
    assert {one.state for one in plan(diamond(tmp_path))} == {"up to date"}
    assert re.search(r"copy/b starts on .*: was interrupted", (tmp_path / "out/log.txt").read_text())
