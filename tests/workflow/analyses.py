"""Analyses of the bundled sample, and what a folder holds."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

import yaml

from hepml.errors import DataError
from hepml.workflow import Analysis, Step
from hepml.workflow.steps import Made

ROOT = Path(__file__).parents[2]
UP = ("up to date", "")


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


def tree(folder: Path, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All files with their bytes, without those that hold times."""
    skipped = ("log.txt", ".checksums.json", ".lock", *but)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.endswith(skipped)}


def stamps(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def copied(place, *, name, needs=(), seconds=0.0, fails=""):
    """A step for processes of their own: what it is made of, and when it was at work."""
    texts = [(place.folder / f"{one}.txt").read_text() for one in needs]
    folder = place.folder / f"{name}.d"
    folder.mkdir(exist_ok=True)
    start = time.time()
    print(f"{name} is at work")
    (folder / "begun").write_text("begun")
    time.sleep(seconds)
    if fails == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fails:
        raise DataError(fails)
    (folder / "log.txt").write_text(f"{start} {time.time()}")
    (place.folder / f"{name}.txt").write_text(f"{name}({','.join(texts)})")
    return Made()


def diamond(folder, **more):
    """b and c need a, d needs both; `more` is what is special of one, as b={"seconds": 2}."""
    graph = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    steps = {
        f"copy/{name}": Step(
            f"copy/{name}",
            partial(copied, name=name, needs=needs, **more.get(name, {})),
            {},
            (f"{name}.txt", f"{name}.d"),
            needs=tuple(f"copy/{one}" for one in needs),
        )
        for name, needs in graph.items()
    }
    return Analysis(folder / "diamond.yaml", folder / "out", steps)


def children(folder):
    """Processes whose output is in the folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            if os.readlink(path).startswith(str(folder)):
                found.add(int(path.parts[2]))
        except OSError:  # it has ended, or is not ours
            continue
    return found


def wait_for(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing has happened"
        time.sleep(0.1)
