"""A dask cluster reads: the bytes of one process, also when a worker is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hepml.dataset import convert
from hepml.errors import DataError, HepmlError, InputFileError, VerificationError
from hepml.scale import Cluster
from hepml.scale import cluster as module

distributed = pytest.importorskip("distributed", reason="pip install 'hepml[dask]'")
# dask's own threads and sockets end when they like
pytestmark = pytest.mark.filterwarnings("ignore")
Files = dict[str, list[Path]]


@pytest.fixture
def local() -> Iterator[Any]:
    """Three workers, each a process of its own."""
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def whole(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "data.h5"
    convert(files["electrons"], files["jets"], path)
    return path


def test_three_workers_one_of_them_killed(files: Files, whole: Path, local: Any, tmp_path: Path) -> None:
    """The command runs while a worker is killed; its files are read by the others."""
    out = tmp_path / "data.h5"
    options = ["--signal", *files["electrons"], "--background", *files["jets"], "-o", out, "--json"]
    command = [sys.executable, "-m", "hepml", "convert", *options, "--scheduler", local.scheduler_address]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killed = None
    while process.poll() is None and killed is None:
        for worker in local.scheduler.workers.values():
            if worker.processing:
                killed = worker.pid
                os.kill(killed, signal.SIGKILL)
                break
        time.sleep(0.002)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert killed is not None
    assert json.loads(output)["cut_flow"]["read"] == 5000
    assert out.read_bytes() == whole.read_bytes()
    assert json.loads(out.with_name("data.h5.log.json").read_text())["scheduler"] == local.scheduler_address


def test_errors_and_bad_files_come_back(files: Files, local: Any, tmp_path: Path) -> None:
    (tmp_path / "text.root").write_text("towers")
    damaged = bytearray(files["jets"][0].read_bytes())
    damaged[len(damaged) // 3 : len(damaged) // 2] = bytes(len(damaged) // 2 - len(damaged) // 3)
    (tmp_path / "damaged.root").write_bytes(damaged)
    inputs = (files["electrons"], [files["jets"][1], tmp_path / "damaged.root"])
    with Cluster(local.scheduler_address) as workers:
        with pytest.raises(InputFileError) as caught:
            convert(*inputs, tmp_path / "a.h5", workers=workers)
        assert "damaged.root" in str(caught.value)
        assert caught.value.parts["fix"]
        summary = convert(*inputs, tmp_path / "a.h5", workers=workers, skip_bad=True)
    convert(*inputs, tmp_path / "b.h5", skip_bad=True)
    assert [Path(one["path"]).name for one in summary.skipped] == ["damaged.root"]
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_another_hepml_on_the_workers_is_refused(
    files: Files, local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "code_version", lambda: {"version": "9", "sources": "x" * 64, "core": "y" * 64})
    with Cluster(local.scheduler_address) as workers, pytest.raises(VerificationError, match="another hepml"):
        convert(files["electrons"], files["jets"], tmp_path / "a.h5", workers=workers)


def test_a_cluster_without_workers_is_reported_in_time(files: Files, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as empty,
        Cluster(empty.scheduler_address, timeout=3.0) as workers,
        pytest.raises(InputFileError, match="no worker of the cluster has read a file for 3 s") as caught,
    ):
        convert(files["electrons"], files["jets"], tmp_path / "a.h5", workers=workers)
    assert "0 workers" in str(caught.value)


def test_a_worker_that_hangs_is_reported_in_time(files: Files, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as one,
        Cluster(one.scheduler_address, timeout=4.0) as workers,
    ):
        (worker,) = one.scheduler.workers.values()
        os.kill(worker.pid, signal.SIGSTOP)
        resume = threading.Timer(30.0, os.kill, (worker.pid, signal.SIGCONT))
        resume.start()
        started = time.monotonic()
        with pytest.raises(InputFileError, match="for 4 s"):
            convert(files["electrons"], files["jets"], tmp_path / "a.h5", workers=workers)
        assert time.monotonic() - started < 25
        resume.cancel()
        os.kill(worker.pid, signal.SIGCONT)


def test_no_scheduler_there(files: Files, tmp_path: Path) -> None:
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "tcp://127.0.0.1"):
        with pytest.raises(HepmlError, match="no dask scheduler answers") as caught:
            Cluster(address, timeout=2.0)
        assert address in str(caught.value)
    with pytest.raises(DataError, match="one class only"):
        convert(files["electrons"], None, tmp_path / "a.h5")
