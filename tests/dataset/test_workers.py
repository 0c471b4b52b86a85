"""Workers that die or hang, inputs that cannot be read: nothing is lost, and nothing goes without a word."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run

from hepml.dataset import Dataset, convert, processes
from hepml.dataset.processes import Processes
from hepml.dataset.sources import find_samples, survey
from hepml.dataset.workers import Options, Task, read_inputs
from hepml.errors import DataError, HepmlError, InputFileError

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def crew(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every worker that is started."""
    started: list[Any] = []

    class Kept(processes._Worker):
        def __init__(self, task: Task) -> None:
            super().__init__(task)
            started.append(self)

    monkeypatch.setattr(processes, "_Worker", Kept)
    return started


def when_busy(crew: list[Any], do: Callable[[Any], None]) -> threading.Thread:
    """Does something to the first worker that has a file."""

    def watch() -> None:
        for _ in range(6000):
            for worker in list(crew):
                if worker.each is not None:
                    do(worker)
                    return
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def read_all(sample: dict[str, Path], workers: Processes) -> list[Any]:
    inputs = survey(find_samples(sample["electrons"], sample["jets"]), "electron")
    return list(read_inputs(inputs, Task(Options(), 700), workers=workers))


def same(one: list[Any], two: list[Any]) -> bool:
    return [(rows.file_id, rows.entries, rows.cut_flow, rows.block.columns["identity"].tolist()) for rows in one] == [
        (rows.file_id, rows.entries, rows.cut_flow, rows.block.columns["identity"].tolist()) for rows in two
    ]


def test_a_killed_process_loses_nothing(
    sample: dict[str, Path], crew: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    inputs = survey(find_samples(sample["electrons"], sample["jets"]), "electron")
    expected = list(read_inputs(inputs, Task(Options(), 700)))
    thread = when_busy(crew, lambda worker: os.kill(worker.process.pid, signal.SIGKILL))
    with caplog.at_level(logging.WARNING, "hepml"):
        found = read_all(sample, Processes(2))
    thread.join()
    assert same(found, expected)
    assert "a process that was reading died; reading it again" in caplog.text
    assert not any(worker.process.is_alive() for worker in crew[:1])


def test_a_hung_process_is_replaced(sample: dict[str, Path], crew: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    expected = list(
        read_inputs(survey(find_samples(sample["electrons"], sample["jets"]), "electron"), Task(Options(), 700))
    )
    thread = when_busy(crew, lambda worker: os.kill(worker.process.pid, signal.SIGSTOP))
    with caplog.at_level(logging.WARNING, "hepml"):
        found = read_all(sample, Processes(1, timeout=20.0))
    thread.join()
    assert same(found, expected)
    assert "no sign of life for 20 s" in caplog.text


def test_a_file_that_kills_its_readers_is_named(
    sample: dict[str, Path], crew: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Doomed(processes._Worker):
        def give(self, each: Any) -> None:
            super().give(each)
            if "jets" in each.file.path:
                self.process.kill()

    monkeypatch.setattr(processes, "_Worker", Doomed)
    with pytest.raises(InputFileError, match="process that was reading died") as caught:
        read_all(sample, Processes(2))
    assert "sample_jets.root" in str(caught.value)
    assert "signal 9" in str(caught.value)


def test_errors_of_a_process_arrive_whole(sample: dict[str, Path], tmp_path: Path) -> None:
    error = DataError("wrong", where="a.root", found=3, nearest=["b"], fix="do")
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.problem, back.parts) == (DataError, str(error), "wrong", error.parts)
    damaged = _damaged(sample["jets"], tmp_path / "bad.root")
    with pytest.raises(InputFileError) as caught:
        convert(sample["electrons"], [sample["jets"], damaged], tmp_path / "a.h5", jobs=2)
    assert caught.value.parts["where"] == str(damaged)
    assert not (tmp_path / "a.h5").exists()


def _damaged(path: Path, output: Path) -> Path:
    """The bytes of the baskets of the second half are gone; header and tree are whole."""
    whole = bytearray(path.read_bytes())
    middle = slice(len(whole) // 3, len(whole) * 2 // 3)
    whole[middle] = bytes(middle.stop - middle.start)
    output.write_bytes(whole)
    return output


@pytest.fixture
def mixed(sample: dict[str, Path], tmp_path: Path) -> Iterator[Path]:
    """Good and bad files of background."""
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copyfile(sample["jets"], folder / "b_good.root")
    _damaged(sample["jets"], folder / "a_damaged.root")
    (folder / "c_cut.root").write_bytes(sample["jets"].read_bytes()[:100_000])
    (folder / "d_text.root").write_text("towers")
    (folder / "e_empty.root").write_bytes(b"")
    return folder


@pytest.mark.parametrize("jobs", [1, 3])
def test_skip_bad_lists_what_it_leaves_out(
    sample: dict[str, Path], mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: int
) -> None:
    arguments = ["--signal", sample["electrons"], "--background", f"{mixed}/*.root", "--jobs", jobs]
    assert run("convert", *arguments, "-o", tmp_path / "a.h5") == 1
    capsys.readouterr()
    assert run("convert", *arguments, "-o", tmp_path / "a.h5", "--skip-bad", "--json") == 3
    captured = capsys.readouterr()
    bad = ["a_damaged", "c_cut", "d_text", "e_empty"]
    skipped = json.loads(captured.out)["skipped"]
    assert [one["path"] for one in skipped] == [str(mixed / f"{name}.root") for name in bad]
    for name in bad:
        assert f"skipped {mixed / name}.root: InputFileError" in captured.err
    data = Dataset.open(tmp_path / "a.h5", verify=True)
    assert data.cut_flow["read"] == 5000
    reasons = {entry["name"]: entry.get("skipped") for entry in data.provenance["inputs"]}
    assert reasons["b_good.root"] is None
    assert reasons["c_cut.root"] == "InputFileError: the file is truncated"
    assert all(reasons[f"{name}.root"] for name in bad)
    assert str(mixed) not in json.dumps(data.provenance)
    assert run("show", tmp_path / "a.h5") == 0
    assert "the file is truncated" in capsys.readouterr().out
    assert run("verify", tmp_path / "a.h5", "--folder", mixed, "--folder", sample["electrons"].parent) == 3


def test_all_bad_is_an_error_that_says_why(sample: dict[str, Path], mixed: Path, tmp_path: Path) -> None:
    (mixed / "b_good.root").unlink()
    with pytest.raises(DataError, match="a class has no candidates") as caught:
        convert(sample["electrons"], f"{mixed}/*.root", tmp_path / "a.h5", skip_bad=True)
    assert "4 of 5 files skipped" in str(caught.value)


def test_what_is_not_the_files_fault_is_not_skipped(sample: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("format: hepml-layout\n")
    with pytest.raises(HepmlError) as caught:
        convert(sample["electrons"], sample["jets"], tmp_path / "a.h5", layout=tmp_path / "bad.yaml", skip_bad=True)
    assert "bad.yaml" in str(caught.value)
    with pytest.raises(InputFileError, match="no such file"):
        convert(sample["electrons"], "absent.root", tmp_path / "a.h5", skip_bad=True)


def test_bytes_with_and_without_bad_files_do_not_depend_on_jobs(
    sample: dict[str, Path], mixed: Path, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        convert(sample["electrons"], f"{mixed}/*.root", tmp_path / f"{jobs}.h5", jobs=jobs, skip_bad=True)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
