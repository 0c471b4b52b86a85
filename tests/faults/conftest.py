"""What every fault must keep to: time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults.outcomes import Done, run
from faults.root_files import content, write
from faults.wholes import make_wholes

from hepml.trees.skimming import skim


@pytest.fixture
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test is over within 10 s of processor time and takes no more than 512 MiB beside what was there.

    Not one that is marked as slow: it repeats a fault hundreds of times.
    """
    if request.node.get_closest_marker("slow"):
        yield
        return
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    start, before = time.process_time(), _kib("VmRSS")
    yield
    assert time.process_time() - start < 10
    assert _kib("VmHWM") - before < 512 * 1024


def _kib(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name + ":")).split()[1])


@pytest.fixture(scope="session")
def net(network: Callable[..., Path]) -> Path:
    """An exported network of the seven variables; there before anything is measured."""
    return network("hl")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path / "good.root", content(30, 1))


@pytest.fixture
def jets(tmp_path: Path) -> Path:
    return write(tmp_path / "jets.root", content(30, 2))


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.root"


@pytest.fixture
def do(net: Path, jets: Path, tmp_path: Path) -> Callable[..., Done]:
    """The commands that read ROOT files, as a function of their name, the files and options."""

    def command(name: str, *arguments: object) -> Done:
        return {
            "convert": lambda: run("convert", "--background", jets, "-o", tmp_path / "out.h5", "--signal", *arguments),
            "apply": lambda: run("apply", net, "-o", tmp_path / "out", *arguments),
            "skim": lambda: run("skim", "-o", tmp_path / "out.root", *arguments),
            "inspect": lambda: run("inspect", *arguments),
        }[name]()

    return command


@pytest.fixture(scope="session")
def few(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A twentieth of the sample."""
    folder = tmp_path_factory.mktemp("few")
    for name, path in sample.items():
        skim(path, folder / f"{name}.root", lambda events: events.entry % 20 == 0)
    return {name: folder / f"{name}.root" for name in sample}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file of 200 candidates, beside its inputs s.root and b.root."""
    folder = tmp_path_factory.mktemp("whole")
    signal, background = write(folder / "s.root", content(100, 1)), write(folder / "b.root", content(100, 2))
    done = run("convert", "--signal", signal, "--background", background, "-o", folder / "data.h5")
    assert done.code == 0, done.err
    return folder / "data.h5"


@pytest.fixture(scope="session")
def trained(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on it, of an epoch."""
    path = tmp_path_factory.mktemp("runs") / "hl"
    done = run("train", whole, "--features", "hl", "-o", path, "--epochs", 1, "--quiet", "--set", "layers=1")
    assert done.code == 0, done.err
    return path


@pytest.fixture(scope="session")
def wholes(whole: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole file or folder of every kind that a command reads."""
    return make_wholes(tmp_path_factory.mktemp("wholes"), whole, trained)
