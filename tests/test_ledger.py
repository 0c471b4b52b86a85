"""Outputs are complete or absent; hashes depend on the content only."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepml import ledger
from hepml.errors import DataError, InputFileError, OutputError


def test_atomic_path_writes_the_whole_file_under_its_name(tmp_path: Path) -> None:
    with ledger.atomic_path(tmp_path / "deep" / "a.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path / "deep"
        temporary.write_text("x")
        assert not (tmp_path / "deep" / "a.keras").exists()
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["a.keras"]


def _interrupted(path: Path, *, overwrite: bool = False) -> None:
    with ledger.atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text("half")
        raise KeyError("interrupted")


def _beaten(path: Path) -> None:
    with ledger.atomic_path(path) as temporary:
        temporary.write_text("second")
        path.write_text("first")


def test_atomic_path_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        _interrupted(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_atomic_path_keeps_the_old_file_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyError):
        _interrupted(tmp_path / "a", overwrite=True)
    assert (tmp_path / "a").read_text() == "old"


def test_existing_output_is_refused_before_the_block_runs(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError, match="exists") as caught, ledger.atomic_path(tmp_path / "a"):
        pytest.fail("the block ran")
    assert caught.value.exit_code == 4


def test_output_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="meanwhile"):
        _beaten(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "first"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_or_a_pipe_is_no_output_file(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OutputError), ledger.atomic_path(tmp_path / name, overwrite=overwrite):
            pytest.fail("the block ran")


def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(OutputError, match="is a file"), ledger.atomic_path(tmp_path / "a" / "b"):
        pytest.fail("the block ran")


def test_folders_are_made_for_an_output_and_for_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "new" / "deep" / "a"
    ledger.check_output(output)
    for writer in (ledger.atomic_path, ledger.atomic_folder):
        with pytest.raises(KeyError), writer(output):
            raise KeyError
    assert list(tmp_path.iterdir()) == []
    with ledger.atomic_path(output) as temporary:
        temporary.write_text("whole")
    assert output.read_text() == "whole"


def test_leftovers_of_dead_processes_are_removed(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from hepml.ledger import atomic_path\n"
        "with atomic_path(sys.argv[1]) as t:\n    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.h5")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "a.h5").exists()
    assert sorted(file.name.rsplit(".", 1)[-1].split("-")[-1] for file in tmp_path.iterdir()) == ["h5", "lock"]
    with ledger.atomic_path(tmp_path / "a.h5") as temporary:
        temporary.write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_whose_replacement_was_killed_is_the_old_or_the_new_one(tmp_path: Path, exchange: bool) -> None:
    script = (
        "import os, signal, sys; from hepml import atomic\n"
        "if sys.argv[2] == 'False': atomic._exchange = lambda one, other: False\n"
        "with atomic.atomic_folder(sys.argv[1]) as t:\n    (t / 'a').write_text('old')\n"
        "atomic._restore = lambda old, path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "rename = os.rename\n"
        "def killed(one, other):\n    rename(one, other); os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.rename = killed\n"
        "with atomic.atomic_folder(sys.argv[1], overwrite=True) as t:\n    (t / 'a').write_text('new')\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "run"), str(exchange)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "run").exists() == exchange
    with pytest.raises(KeyError), ledger.atomic_folder(tmp_path / "run", overwrite=True):
        raise KeyError
    assert (tmp_path / "run" / "a").read_text() == ("new" if exchange else "old")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_a_second_writer_is_refused_at_once(tmp_path: Path) -> None:
    with ledger.atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("first")
        with (
            pytest.raises(OutputError, match="another process is writing") as caught,
            ledger.atomic_path(tmp_path / "a"),
        ):
            pytest.fail("the block ran")
    assert caught.value.exit_code == 4
    assert (tmp_path / "a").read_text() == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
        with pytest.raises(OutputError, match="too large") as caught, ledger.atomic_path(tmp_path / "a") as temporary:
            temporary.write_bytes(b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_hdf5_message_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    message = "Can't write data (file write failed: errno = 28, error message = 'No space left on device')"
    with pytest.raises(OutputError, match="disk is full"), ledger.atomic_path(tmp_path / "a"):
        raise OSError(message)


def test_an_error_about_something_else_passes(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="other") as caught, ledger.atomic_path(tmp_path / "a"):
        raise OSError("other")
    assert not isinstance(caught.value, OutputError)


def test_atomic_folder_replaces_as_a_whole(tmp_path: Path) -> None:
    with ledger.atomic_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("1")
    with pytest.raises(OutputError), ledger.atomic_folder(tmp_path / "run"):
        pytest.fail("the block ran")
    with pytest.raises(KeyError), ledger.atomic_folder(tmp_path / "run", overwrite=True):
        raise KeyError
    assert (tmp_path / "run" / "a").read_text() == "1"
    with ledger.atomic_folder(tmp_path / "run", overwrite=True) as folder:
        (folder / "b").write_text("2")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["b"]
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_sha256_file_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"towers")
    assert ledger.sha256_file(tmp_path / "a") == hashlib.sha256(b"towers").hexdigest()
    with pytest.raises(InputFileError, match="cannot read"):
        ledger.sha256_file(tmp_path / "absent")


def test_sha256_array_sees_type_shape_and_values_not_memory_order() -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert ledger.sha256_array(a) == ledger.sha256_array(np.asfortranarray(a))
    assert ledger.sha256_array(a) == ledger.sha256_array(a.astype(">f4"))
    others = [a.reshape(3, 2), a.astype(np.float64), a + 1]
    assert len({ledger.sha256_array(x) for x in [a, *others]}) == 4


def test_json_round_trip_is_plain_and_atomic(tmp_path: Path) -> None:
    path = ledger.write_json(tmp_path / "a.json", {"a": np.float32(0.5), "b": np.arange(2), "c": float("nan")})
    assert ledger.read_json(path) == {"a": 0.5, "b": [0, 1], "c": None}
    assert ledger.config_hash({"x": np.int64(1)}) == ledger.config_hash({"x": 1})
    with pytest.raises(DataError, match="JSON"):
        ledger.write_json(path, {"a": {1, 2}})
    assert json.loads(path.read_text())["a"] == 0.5
    path.write_text('{"a": ')
    with pytest.raises(InputFileError, match="not a JSON"):
        ledger.read_json(path)


def test_json_may_begin_with_a_mark_of_its_encoding_and_is_no_pipe(tmp_path):
    path = tmp_path / "marked.json"
    path.write_text('{"a": 1}', encoding="utf-8-sig")
    assert ledger.read_json(path) == {"a": 1}
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputFileError, match="not a regular file"):
        ledger.read_json(tmp_path / "pipe.json")


def test_environment_names_versions_without_importing() -> None:
    packages = ledger.environment()["packages"]
    assert packages["numpy"] == np.__version__
    assert len(ledger.code_version()["sources"]) == 64


@pytest.mark.parametrize("writer", [ledger.atomic_path, ledger.atomic_folder])
def test_names_that_cannot_be_made_are_one_error(tmp_path: Path, writer: Callable[..., Any]) -> None:
    for path in (tmp_path / ("x" * 260), tmp_path / ("x" * 260) / "a.h5", Path("/proc/hepml-test")):
        with pytest.raises(OutputError) as caught, writer(path) as temporary:
            (temporary if writer is ledger.atomic_path else temporary / "a").write_text("whole")
        assert caught.value.exit_code == 4
    with pytest.raises(OutputError, match="name too long"):
        ledger.check_output(tmp_path / ("x" * 260))
    assert list(tmp_path.iterdir()) == []


def test_names_as_long_as_the_file_system_takes_are_written(tmp_path: Path) -> None:
    names = ["x" * 252 + ".h5", "\u7d20" * 84 + ".h5"]
    for name in names:
        with ledger.atomic_path(tmp_path / name) as temporary:
            temporary.write_text("whole")
    assert {file.name for file in tmp_path.iterdir()} == set(names)


def test_an_error_of_an_input_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, ledger.atomic_path(tmp_path / "a"):
        (tmp_path / "absent").read_text()
    assert not isinstance(caught.value, OutputError)


def test_an_output_that_is_an_input_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "hl"
    run.mkdir(parents=True)
    (run / "data.h5").write_text("data")
    (tmp_path / "link.h5").symlink_to(run / "data.h5")
    inputs = ["http://host/a.root", tmp_path / "absent", tmp_path / "link.h5"]
    for output in ("link.h5", "runs/hl/data.h5", "runs/../link.h5"):
        with pytest.raises(OutputError, match="is an input"):
            ledger.check_not_input(tmp_path / output, inputs)
    for output in ("runs/hl", "runs"):
        with pytest.raises(OutputError, match="a folder with an input in it"):
            ledger.check_not_input(tmp_path / output, inputs)
    for output in ("new", "absent", "runs/hl/metrics.json"):
        ledger.check_not_input(tmp_path / output, inputs)


def test_json_text_has_no_nan() -> None:
    assert ledger.json_text({"auc": float("nan"), "n": np.int64(3)}) == '{"auc": null, "n": 3}'
