"""R: lists of inputs, checksums, disks that fail, files that change, names that are odd."""

from __future__ import annotations

import errno
import logging
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from faults.outcomes import Done, check, run, spawn, untouched
from faults.root_files import basket_of, content, write

from hepml import retrying
from hepml.trees.baskets import Baskets

pytestmark = pytest.mark.usefixtures("bounded")
Do = Callable[..., Done]


def break_counts(path: Path, whole: bytes, value: int, branches: tuple[str, ...]) -> None:
    """Another number where an event ends, in the offsets of an uncompressed basket."""
    damaged = bytearray(whole)
    for branch in branches:
        start, size = basket_of(path, branch)
        damaged[start + size - 60 : start + size - 56] = value.to_bytes(4, "big")
    path.write_bytes(damaged)


@pytest.mark.parametrize("name", ["convert", "apply", "skim"])
@pytest.mark.parametrize("value", [2**31 - 1, 2**32 - 1, 40])
@pytest.mark.parametrize("entry", ["R16"])
def test_absurd_numbers_of_particles_are_refused(
    *, entry: str, value: int, name: str, do: Do, good: Path, tmp_path: Path
) -> None:
    whole = good.read_bytes()
    for collection in (("ECalTowers_ET", "ECalTowers_E", "ECalTowers_Eta", "ECalTowers_Phi"), ("ECalTowers_Phi",)):
        good.write_bytes(whole)
        break_counts(good, whole, value, collection)
        with untouched(tmp_path):
            done = do(name, good)
            check(entry, done, good, "ECalTowers")


@pytest.mark.parametrize("entry", ["R29"])
def test_a_label_among_the_inputs_is_warned_of(entry: str, caplog: pytest.LogCaptureFixture) -> None:
    from hepml.training.source import array_source

    y = np.arange(20) % 2
    x = np.random.default_rng(0).normal(size=(20, 3))
    for columns, words in (
        (("pt", "Label", "eta"), "the variable 'Label' is named like one"),
        (("pt", "mass", "eta"), "the variable 'mass' is equal to it in every row"),
        (("pt", "mass", "phi"), None),
    ):
        caplog.clear()
        x[:, 1] = y if words and "mass" in words else x[:, 0]
        with caplog.at_level(logging.WARNING, "hepml"):
            array_source({"x": x}, y, variables={"x": columns})
        assert words in caplog.text if words else not caplog.text, (entry, caplog.text)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("entry", ["R30"])
def test_a_file_that_is_replaced_while_it_is_read_is_noticed(
    *, entry: str, skip: bool, do: Do, good: Path, bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hepml.dataset import workers

    write(bad, content(30, 5))
    other = write(tmp_path / "other.root", content(30, 6))
    read = workers.read_input

    def replacing(each: Any, *arguments: Any) -> Any:
        for rows in read(each, *arguments):
            if each.file.path == str(bad):
                os.replace(other, bad)
            yield rows

    monkeypatch.setattr(workers, "read_input", replacing)
    done = do("convert", bad, good, *(["--skip-bad"] if skip else []))
    if skip:
        assert (done.code, f"skipped {bad}" in done.err) == (3, True)
    else:
        check(entry, done, bad, "changed while it was read")
        assert not (tmp_path / "out.h5").exists()


SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int fails(int descriptor) {
    static int reads = 0;
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length <= 0) return 0;
    name[length] = 0;
    if (!strstr(name, "bad.root")) return 0;
    ++reads;
    return reads > atoi(getenv("FAIL_AFTER")) && reads <= atoi(getenv("FAIL_UNTIL"));
}
ssize_t read(int descriptor, void* buffer, size_t size) {
    static ssize_t (*real)(int, void*, size_t) = 0;
    if (!real) *(void**)&real = dlsym(RTLD_NEXT, "read");
    if (fails(descriptor)) { errno = EIO; return -1; }
    return real(descriptor, buffer, size);
}
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes reads of bad.root fail, as a disk or a net does."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    built = folder / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", built, folder / "shim.c", "-ldl"], check=True)
    return built


def with_failing_reads(shim: Path, after: int, until: int, *arguments: object) -> Done:
    env = {"LD_PRELOAD": str(shim), "FAIL_AFTER": str(after), "FAIL_UNTIL": str(until)}
    return spawn(*arguments, env=env)


@pytest.mark.parametrize("after", [0, 1, 6])
@pytest.mark.parametrize("entry", ["R31 passes"])
def test_a_read_that_fails_once_is_repeated(
    *, entry: str, after: int, shim: Path, bad: Path, jets: Path, tmp_path: Path
) -> None:
    assert entry
    write(bad, content(30, 5))
    arguments = ("convert", "--signal", bad, "--background", jets)
    assert run(*arguments, "-o", tmp_path / "whole.h5").code == 0
    done = with_failing_reads(shim, after, after + 1, *arguments, "-o", tmp_path / "out.h5")
    assert done.code == 0, done.err
    assert f"{bad}: {os.strerror(errno.EIO)}; reading it again" in done.err
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("entry", ["R31"])
def test_reads_that_go_on_failing_stop_or_skip(
    *, entry: str, skip: bool, shim: Path, bad: Path, good: Path, jets: Path, tmp_path: Path
) -> None:
    write(bad, content(30, 5))
    arguments = ("convert", "--signal", bad, good, "--background", jets, "-o", tmp_path / "out.h5")
    done = with_failing_reads(shim, 3, 10**6, *arguments, *(["--skip-bad"] if skip else []))
    if skip:
        assert (done.code, f"skipped {bad}" in done.err) == (3, True), done.err
    else:
        check(entry, done, bad)
        assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("entry", ["R31 resumed"])
def test_reading_goes_on_where_it_failed(entry: str, bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event is given twice, and none is lost."""
    from hepml.trees import columns, iterate_events

    write(bad, content(100, 5))
    monkeypatch.setattr(retrying, "_PAUSE", 0.0)
    expected = [events.entry.tolist() for events in iterate_events(bad, step_size=10)]
    read = columns.Tree.iterate
    failures = iter([4, 3])

    def failing(self: Any, branches: list[str], step_size: Any, start: int, stop: int) -> Any:
        left = next(failures, None) if step_size == 10 else None
        for number, chunk in enumerate(read(self, branches, step_size, start, stop)):
            if number == left:
                raise columns.InputFileError("gone", where=bad) from OSError(errno.EIO, "Input/output error")
            yield chunk

    monkeypatch.setattr(columns.Tree, "iterate", failing)
    assert [events.entry.tolist() for events in iterate_events(bad, step_size=10)] == expected, entry


@pytest.mark.parametrize("entry", ["R32"])
def test_a_file_listed_twice_is_refused(entry: str, do: Do, good: Path, tmp_path: Path) -> None:
    os.symlink(good, tmp_path / "link.root")
    with untouched(tmp_path):
        for name in ("convert", "apply", "skim"):
            check(entry, do(name, good, tmp_path / "link.root"), "listed twice", tmp_path / "link.root")


@pytest.mark.parametrize("entry", ["R33"])
def test_a_glob_without_a_match_is_refused(entry: str, do: Do, good: Path, tmp_path: Path) -> None:
    with untouched(tmp_path):
        for name in ("convert", "apply", "skim", "inspect"):
            check(entry, do(name, tmp_path / "god*.root"), "no file matches", tmp_path / "god*.root")


@pytest.mark.parametrize("number", [40, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("entry", ["R34"])
def test_more_files_than_may_be_open(
    *, entry: str, number: int, net: Path, good: Path, jets: Path, tmp_path: Path
) -> None:
    """10,000 with `ulimit -n 256`, or 40 where 20 more may be open.

    All but two are without entries, so that they may be one file under many names.
    """
    empty = write(tmp_path / "empty.root", {name: values[:0] for name, values in content().items()})
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(number):
        os.link(empty, folder / f"{index:05}.root")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = 256 if number > 256 else len(os.listdir("/proc/self/fd")) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, limits[1]))
    logging.disable(logging.WARNING)  # each empty file is warned of
    try:
        done = run(
            *("convert", "--background", jets, "-o", tmp_path / "out.h5", "--signal", good, f"{folder}/*.root"),
        )
    finally:
        logging.disable(logging.NOTSET)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    check(entry, done)


NAMES = [
    "a b.root",
    'it\'s "q".root',
    "new\nline.root",
    "é日本.root",
    "x" * 250 + ".root",
    "a[1]*.root",
    "\x1b[31m.root",
]


@pytest.mark.parametrize("name", NAMES, ids=[f"R35 {number}" for number in range(len(NAMES))])
def test_any_file_name_can_be_read_and_told(name: str, do: Do, good: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    shutil.copy(good, path)
    for command in ("convert", "apply", "skim", "inspect"):
        done = do(command, path)
        check("R35", done)
        assert all(letter.isprintable() or letter == "\n" for letter in done.out + done.err)
    assert (tmp_path / "out" / name).is_file()
    path.write_text("no ROOT file")
    for command in ("apply", "inspect"):
        done = do(command, path, *(["--overwrite"] if command == "apply" else []))
        assert done.code == 1
        assert done.err.count("\n") == len([line for line in done.err.splitlines() if line.strip()])
        assert done.err.startswith("InputFileError: not a ROOT file\n")
        assert all(letter.isprintable() or letter == "\n" for letter in done.err)


@pytest.mark.parametrize("name", ["convert", "apply", "skim"])
@pytest.mark.parametrize("entry", ["R16 entries"])
def test_a_branch_with_fewer_entries_than_its_tree_is_refused(
    *, entry: str, name: str, do: Do, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a bit of the tree's own description can make it."""
    read = uproot.TTree.iterate

    def none(values: Any) -> Any:
        return replace(values, offsets=values.offsets[:1]) if isinstance(values, Baskets) else values[:0]

    def shortened(self: Any, *arguments: Any, **options: Any) -> Any:
        for arrays, report in read(self, *arguments, **options):
            yield {key: none(values) if key == "ECalTowers_Phi" else values for key, values in arrays.items()}, report

    monkeypatch.setattr(uproot.TTree, "iterate", shortened)
    with untouched(tmp_path):
        check("R16", do(name, good), good, "'ECalTowers_Phi' does not have the entries of its tree")
    assert entry
