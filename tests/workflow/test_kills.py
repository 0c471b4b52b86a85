"""S02: `hepml run` that is killed within its steps ends, started again, as if it had not been; see kills.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from workflow.kills import KINDS

TESTS = Path(__file__).parents[1]
QUICK = ("convert", "train")  # all of them in the slow test


def killed(folder, kills, *words):
    output = folder / "killed.json"
    asked = [sys.executable, "-m", "workflow.kills", "--kills", str(kills), "--output", output, *words]
    done = subprocess.run(asked, cwd=TESTS, capture_output=True, text=True, check=False)
    assert output.exists(), done.stderr
    return json.loads(output.read_text())


def check(found, kinds, kills):
    assert {one["step"].split("/")[0] for one in found} == {*kinds}
    for one in found:
        assert one["problems"] == []
        assert one["kills"] == kills
    assert sum(one["goes_on"] for one in found) > 0  # steps were killed, and not only what is between them


def test_a_killed_run_leaves_nothing_wrong_and_goes_on(tmp_path):
    check(killed(tmp_path, 1, *QUICK), QUICK, 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["--adopting"]], ids=["making", "adopting"])
def test_twenty_kills_in_each_step(how, tmp_path):
    kinds = [kind for kind in KINDS if kind != "figures"]
    check(killed(tmp_path, 20, *how, *kinds), kinds, 20)


@pytest.mark.slow
def test_kills_where_figures_are_drawn(tmp_path):
    kinds = ("figures", "evaluate", "study")
    check(killed(tmp_path, 5, "--figures", *kinds), kinds, 5)
