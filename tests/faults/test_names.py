"""R35: names of all files and folders that hepml reads and writes, not only of ROOT files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults.outcomes import Done, check, run

NAMES = ["a b", 'it\'s "q"', "new\nline", "é日本", "a[1]*?", "\x1b[31m", "{0.__class__}%n%s", "[bold]", "x" * 230]
ENDS = {"data": ".h5", "net": ".json", "npz": ".npz", "root": ".root", "jets": ".root"}


def plain(done: Done) -> None:
    """All that is told is printable, a line at a time."""
    assert all(letter.isprintable() or letter == "\n" for letter in done.out + done.err), (done.out, done.err)


@pytest.fixture
def named(wholes: dict[str, Path], tmp_path: Path) -> Callable[[str, str], Path]:
    """A copy of a whole file or folder under another name."""

    def make(kind: str, name: str) -> Path:
        path = tmp_path / "in" / kind / f"{name}{ENDS.get(kind, '')}"
        path.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if wholes[kind].is_dir() else shutil.copyfile)(wholes[kind], path)
        return path

    return make


@pytest.mark.parametrize("name", NAMES, ids=[f"R35 road {number}" for number in range(len(NAMES))])
def test_the_road_goes_through_files_of_any_name(name: str, named: Callable[[str, str], Path], tmp_path: Path) -> None:
    root, jets, npz, net, run_, data = (named(kind, name) for kind in ("root", "jets", "npz", "net", "run", "data"))
    out = tmp_path / name
    out.mkdir()

    def do(*arguments: object) -> None:
        done = run(*arguments)
        check("R35", done)
        plain(done)

    do("skim", root, "-o", out / f"{name}.root")
    do("convert", "--signal", out / f"{name}.root", "--background", jets, "-o", out / f"{name}.h5")
    do("merge", data, "-o", out / f"{name} too.h5")
    small = ("--epochs", 1, "--set", "layers=1", "--set", "units=4", "--quiet")
    do("train", data, "--features", "hl", "-o", out / "runs" / name, *small)
    do("evaluate", run_, data, "-o", out / f"{name} evaluated", "--bootstrap", 5, "--no-figures")
    do("export", out / "runs" / name, "-o", out / f"{name}.json", "--source", out / f"{name}.hpp", "--namespace", "net")
    do("compact", net, "-o", out / f"{name}.compact.json")
    do("predict", net, npz, "-o", out / f"{name}.npz")
    do("apply", net, root, "-o", out / f"{name} scores")
    do("monitor", net, data, "--split", "train", "-o", out / f"{name} report.json")
    scores = out / f"{name} scores" / root.name
    for path in (out / f"{name}.h5", out / "runs" / name, out / f"{name}.json", scores):
        do("show", path)
        do("verify", path)
    with np.load(out / f"{name}.npz", allow_pickle=False) as file:
        assert len(file["output"]) == 50


@pytest.mark.parametrize("name", NAMES[2:6], ids=[f"R35 told {number}" for number in range(4)])
@pytest.mark.parametrize("kind", ["data", "net", "npz", "run"])
def test_a_damaged_file_of_any_name_is_told_on_one_line(
    *, kind: str, name: str, named: Callable[[str, str], Path], wholes: dict[str, Path], tmp_path: Path
) -> None:
    path = named(kind, name)
    damaged = path / "run.json" if kind == "run" else path
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    asked = {
        "data": ("evaluate", wholes["run"], path, "-o", tmp_path / "out"),
        "net": ("predict", path, wholes["npz"], "-o", tmp_path / "out.npz"),
        "npz": ("predict", wholes["net"], path, "-o", tmp_path / "out.npz"),
        "run": ("export", path, "-o", tmp_path / "out.json"),
    }[kind]
    done = run(*asked)
    assert done.code in (1, 3), done.err
    plain(done)
    assert "Traceback" not in done.err
    assert done.err.count("\n") == len([line for line in done.err.splitlines() if line.strip()])


def _longest(end: str) -> str:
    """A name of 255 bytes, the most that file systems take."""
    return "y" * (255 - len(end)) + end


@pytest.mark.parametrize("end", [".json", ".npz", ".root", ".h5", ""], ids=lambda end: f"R35 longest {end}")
def test_an_output_of_the_longest_name_is_written_or_refused(end: str, wholes: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / _longest(end)
    done = {
        ".json": lambda: run("export", wholes["run"], "-o", path),
        ".npz": lambda: run("predict", wholes["net"], wholes["npz"], "-o", path),
        ".root": lambda: run("apply", wholes["net"], wholes["root"], "-o", path),
        ".h5": lambda: run("merge", wholes["data"], "-o", path),
        "": lambda: run("evaluate", wholes["run"], wholes["data"], "-o", path, "--bootstrap", 5, "--no-figures"),
    }[end]()
    if end == ".h5":  # the log beside it would have a longer name
        assert (done.code, done.err.partition(":")[0]) == (4, "OutputError"), done.err
        assert "too long" in done.err
        assert list(tmp_path.iterdir()) == []
    else:
        check("R35", done)
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
