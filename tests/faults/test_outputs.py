"""S: what stands in the way of an output: other writers, links, folders that are shut, half-written files."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from faults.outcomes import check, inputs, run, spawn, untouched
from training.conftest import SMALL, plane

import hepml
from hepml import ledger
from hepml.atomic import alone
from hepml.friends import read_ledger
from hepml.training import train


@pytest.mark.parametrize("entry", ["S04"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    entry: str, sample: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shut"
    folder.mkdir(mode=0o555)
    monkeypatch.setattr(ledger.os, "access", lambda path, _: Path(path) != folder)  # root may write everywhere
    with untouched(tmp_path):
        check(entry, run("convert", *inputs(sample), "-o", folder / "data.h5"), "cannot be written", folder)
    os.chmod(folder, 0o755)


@pytest.mark.parametrize("command", ["convert", "skim", "train"], ids=lambda name: f"S08 {name}")
def test_a_second_writer_is_refused_at_once_and_a_dead_one_is_not_waited_for(
    command: str, few: dict[str, Path], tmp_path: Path
) -> None:
    output = tmp_path / {"convert": "data.h5", "skim": "out.root", "train": "run"}[command]
    if command == "train":

        def again(_: object) -> None:
            train(output=output, progress=False, **plane(), **SMALL)

        with pytest.raises(hepml.HepmlError) as caught:
            train(output=output, progress=again, **plane(), **SMALL)
        done = SimpleNamespace(code=caught.value.exit_code, err=f"{type(caught.value).__name__}: {caught.value}")
        check("S08", done, "another process", output)  # type: ignore[arg-type]
        return
    arguments = {
        "convert": ("convert", *inputs(few), "-o", output),
        "skim": ("skim", few["electrons"], "-o", output),
    }[command]
    dying = (
        "import os, sys\nfrom pathlib import Path\nfrom hepml import atomic\n"
        "with atomic.atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n    print('writing', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", dying, output], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        with untouched(tmp_path):
            check("S08", run(*arguments), "another process is writing the output", output)
        other.kill()
    assert run(*arguments).code == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("what", ["pipe", "folder", "dangling"], ids=lambda what: f"S14 output {what}")
def test_an_output_that_is_no_file_is_refused(what: str, few: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "data.h5"
    {"pipe": os.mkfifo, "folder": Path.mkdir, "dangling": lambda path: path.symlink_to(tmp_path / "none")}[what](output)
    for more in ((), ("--overwrite",)):
        with untouched(tmp_path):
            check("S14", run("convert", *inputs(few), "-o", output, *more), output)


def test_an_output_that_is_a_link_is_replaced_and_not_followed(few: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "data.h5").symlink_to(tmp_path / "elsewhere")
    assert run("convert", *inputs(few), "-o", tmp_path / "data.h5", "--overwrite").code == 0
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert not (tmp_path / "data.h5").is_symlink()


@pytest.mark.parametrize("command", ["inspect", "verify", "show", "predict"], ids=lambda name: f"S14 input {name}")
def test_a_pipe_or_a_folder_is_no_input(command: str, network, tmp_path: Path) -> None:
    suffix = {"inspect": ".root", "predict": ".npz"}.get(command, ".h5")
    os.mkfifo(tmp_path / f"pipe{suffix}")
    more = (network("hl"),) if command == "predict" else ()
    output = ("-o", tmp_path / "out.npz") if command == "predict" else ()
    check("S14", run(command, *more, tmp_path / f"pipe{suffix}", *output), "not a regular file", "pipe")
    (tmp_path / f"folder{suffix}").mkdir()
    check("S14", run(command, *more, tmp_path / f"folder{suffix}", *output), "folder")


@pytest.mark.parametrize("entry", ["S15"])
def test_umask_and_setgid_folders_are_respected(entry: str, network, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, -1, next((group for group in os.getgroups() if group != os.getgid()), os.getgid()))
    folder.chmod(0o2775)
    for mask, wanted in ((0o077, 0o600), (0o002, 0o664)):
        output = folder / f"{mask}.json"
        check(entry, spawn("compact", network("hl"), "-o", output, umask=mask))
        found = output.stat()
        assert stat.S_IMODE(found.st_mode) == wanted
        assert found.st_gid == folder.stat().st_gid


@pytest.mark.parametrize("command", ["convert", "apply"], ids=lambda name: f"S16 {name}")
def test_resuming_takes_no_half_written_output_for_a_whole_one(command: str, network, few, tmp_path: Path) -> None:
    arguments, output = _resumable(command, network, few, tmp_path)
    assert run(*arguments).code == 0
    whole = _result(command, output)
    output.write_bytes(output.read_bytes()[: output.stat().st_size // 2])
    check("S16", run(*arguments, "--resume"))
    assert _result(command, output) == whole


@pytest.mark.parametrize("command", ["convert", "apply"], ids=lambda name: f"S17 {name}")
def test_resuming_with_other_options_is_refused(command: str, network, few, tmp_path: Path) -> None:
    arguments, output = _resumable(command, network, few, tmp_path)
    assert run(*arguments).code == 0
    other = {"convert": ("--min-pt", "30"), "apply": ("--threshold", "0.5")}[command]
    with untouched(tmp_path):
        check("S17", run(*arguments, *other, "--resume"), output)


def _resumable(command: str, network, few, tmp_path: Path) -> tuple[tuple[object, ...], Path]:
    if command == "convert":
        return ("convert", *inputs(few), "-o", tmp_path / "data.h5"), tmp_path / "data.h5"
    return ("apply", network("hl"), few["electrons"], "-o", tmp_path / "scores"), tmp_path / "scores" / "electrons.root"


def _result(command: str, output: Path) -> object:
    return output.read_bytes() if command == "convert" else read_ledger(output)


def test_a_lock_is_no_obstacle_to_another_user(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    before = os.umask(0o077)
    try:
        with alone(lock, tmp_path / "a"):
            assert stat.S_IMODE(lock.stat().st_mode) == 0o666
    finally:
        os.umask(before)
    assert not lock.exists()
