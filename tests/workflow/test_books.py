"""The ledger of `hepml run`: when files are read again, and what is wrong in a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import hepml.workflow.books as books_module
from hepml.atomic import _head
from hepml.cli.main import main
from hepml.errors import InputFileError, OutputError
from hepml.workflow import plan
from hepml.workflow.books import Books


def test_inputs_are_read_again_only_if_they_may_have_changed(toy, monkeypatch):
    toy.make()
    time.sleep(0.2)  # checksums of files that are younger are not kept
    toy.make()
    read = []
    original = books_module.sha256_file
    monkeypatch.setattr(books_module, "sha256_file", lambda path: read.append(Path(path).name) or original(path))
    toy.make()
    assert read == []
    os.utime(toy.source)  # another time, the same bytes
    assert toy.make() == ""
    assert read == ["source.txt"]
    time.sleep(0.2)
    toy.make()
    read.clear()
    assert toy.make() == ""
    assert read == []
    toy.make(rehash=True)
    assert sorted(read) == sorted([*(f"{name}.txt" for name in "abcd"), *["part"] * 4, "source.txt"])


def test_a_change_that_keeps_size_and_time_is_noticed(toy):
    toy.make()
    time.sleep(0.2)
    toy.make()
    before = toy.source.stat()
    toy.source.write_text("six")
    os.utime(toy.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert toy.states()["a"] == ("stale", "input source.txt has changed")


def test_what_a_killed_process_has_left_beside_the_ledger_is_removed(toy):
    toy.make()
    before = {path.name for path in toy.out.iterdir()}
    for name in ("ledger.json", ".checksums.json"):  # killed after the last write, so that none follows
        (toy.out / f"{_head(toy.out / name)}lock").touch()
    assert {path.name for path in toy.out.iterdir()} > before
    assert toy.make() == ""
    assert {path.name for path in toy.out.iterdir()} == before


def test_what_no_step_has_written_is_not_touched(toy):
    (toy.out / "b.d").mkdir(parents=True)  # one of its outputs, but not the first
    with pytest.raises(OutputError, match="no step of the ledger has written it"):
        plan(toy.analysis)
    (toy.out / "b.txt").write_text("mine")
    assert toy.states()["b"] == ("missing", "what is there is kept if it is what the step makes")
    with pytest.raises(OutputError, match="exists, and is not what the step makes"):
        toy.make()
    assert (toy.out / "b.txt").read_text() == "mine"
    assert [*(toy.out / "b.d").iterdir()] == []


def test_one_at_a_time(toy):
    with Books(toy.out).claimed(), pytest.raises(OutputError, match="another process is writing the output"):
        toy.make()
    assert toy.make() == "abcd"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"hepml-ledger"', '"other"'),
        lambda text: text.replace('"a.txt"', '"../source.txt"'),
        lambda text: text.replace('"a.txt"', '"/etc/passwd"'),
        lambda text: text.replace('"done"', "7"),
        lambda text: text.replace('"done"', '"dome"'),
    ],
)
def test_a_damaged_ledger_is_refused(toy, damage):
    toy.make()
    path = toy.out / "ledger.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputFileError, match=r"ledger|JSON"):
        toy.make(force=True)
    assert toy.source.read_text() == "one"


def code_of(*words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code


def test_verify_and_show_find_every_damaged_file(toy, capsys):
    toy.make()
    assert code_of("verify", toy.out) == code_of("show", toy.out) == 0
    told = capsys.readouterr().out
    assert "workflow, steps 4, files 8: ok" in told
    assert "copy/a" in told
    files = [path for path in toy.out.rglob("*") if path.is_file() and path.name != "log.txt"]
    files = [path for path in files if not path.name.startswith(".")]
    assert len(files) == 9
    for path in files:
        whole = path.read_bytes()
        for at in range(0, len(whole), max(len(whole) // 40, 1)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert code_of("verify", toy.out) == 3, (path, at)
            assert code_of("show", toy.out) == 3, (path, at)
            assert path.name in capsys.readouterr().err
        if path.name != "ledger.json":
            path.unlink()
            assert code_of("verify", toy.out) == 3
            assert f"{path.name} is gone" in capsys.readouterr().err
        path.write_bytes(whole)
    assert code_of("verify", toy.out) == 0
