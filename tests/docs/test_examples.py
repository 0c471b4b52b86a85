"""The examples run as a newcomer would run them."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "Agg"}


def test_quickstart_walks_the_whole_road(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "quickstart.py")],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    auc = re.search(r"AUC (0\.\d+)", done.stdout)
    assert auc
    assert float(auc[1]) > 0.93
    difference = re.search(r"C\+\+ and Keras: (\S+)", done.stdout)
    assert difference
    assert float(difference[1]) <= 1e-6
    assert (tmp_path / "quickstart" / "net.json").is_file()


def test_quickstart_takes_two_files_or_none(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "quickstart.py"), "signal.root"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == "give two ROOT files, signal and background, or none\n"


def test_quickstart_is_short() -> None:
    assert len((ROOT / "examples" / "quickstart.py").read_text().splitlines()) <= 70


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_in_the_pages_exist(page: Path) -> None:
    from hepml.cli.main import COMMANDS

    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL))
    for line in re.findall(r"^hepml .*$", blocks, re.MULTILINE):
        words = line.split()
        if words[1].startswith("-"):
            continue
        assert words[1] in COMMANDS, line
        command = importlib.import_module(COMMANDS[words[1]][0]).command
        known = {option for parameter in command.params for option in parameter.opts}
        for word in line.split("#")[0].split():
            if word.startswith("--"):
                assert word.split("=")[0] in known, f"{page.name}: {line}"
