"""R: ROOT files that are damaged or odd, through the commands that read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import pytest
import uproot
from faults.outcomes import Done, check, run, untouched
from faults.root_files import basket_of, content, layout, write
from faults.table import FAULTS

pytestmark = pytest.mark.usefixtures("bounded")

COMMANDS = ("convert", "apply", "skim", "inspect")


# what a damaged file may look like
def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("this is no ROOT file\n" * 50)


def half(path: Path) -> None:
    path.write_bytes(write(path).read_bytes()[:9000])


def without_last_basket(path: Path) -> None:
    """The file ends inside its last basket, and its header says so."""
    write(path, compression=uproot.ZLIB(1))
    start, size = basket_of(path, "HCalTowers_Phi")
    whole = bytearray(path.read_bytes()[: start + size // 2])
    whole[12:16] = len(whole).to_bytes(4, "big")  # fEND
    path.write_bytes(whole)


def zeros_in_a_basket(path: Path) -> None:
    write(path, content(400), compression=uproot.ZLIB(1))
    start, size = basket_of(path, "ECalTowers_ET")
    assert size > 2500
    whole = bytearray(path.read_bytes())
    whole[start + 200 : start + 2248] = bytes(2048)
    path.write_bytes(whole)


def never_closed(path: Path) -> None:
    """As a program that was killed leaves it: baskets, but neither the end of the file nor its list of keys."""
    whole = bytearray(write(path).read_bytes())
    with uproot.open(path) as file:
        keys = file.file.fSeekFree
    whole[12:16] = bytes(4)  # fEND
    path.write_bytes(whole[: min(keys, 4000)])


DAMAGES = {
    "R01": (empty, "the file is empty"),
    "R02": (text, "not a ROOT file"),
    "R03": (half, "truncated"),
    "R04": (without_last_basket, "damaged"),
    "R06": (zeros_in_a_basket, "damaged"),
    "R07": (never_closed, "was not closed"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("entry", DAMAGES)
def test_a_damaged_file_is_one_message(
    entry: str, name: str, do: Callable[..., Done], bad: Path, tmp_path: Path
) -> None:
    damage, words = DAMAGES[entry]
    damage(bad)
    with untouched(tmp_path):
        check(entry, do(name, bad), bad, words)


@pytest.mark.parametrize("name", ["convert", "apply"])
@pytest.mark.parametrize("entry", DAMAGES)
def test_a_damaged_file_is_skipped_on_request_and_listed(
    *, entry: str, name: str, do: Callable[..., Done], bad: Path, good: Path, tmp_path: Path
) -> None:
    damage, words = DAMAGES[entry]
    damage(bad)
    done = do(name, bad, good, "--skip-bad")
    assert done.code == 3
    assert f"skipped {bad}: InputFileError: " in done.err
    assert words in done.err
    assert "Traceback" not in done.err
    if name == "convert":
        shown = run("show", tmp_path / "out.h5").out
        assert "bad.root" in shown
        assert words in shown
    else:
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.root"]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("entry", ["R03"])
def test_every_truncation_is_one_message(
    *, entry: str, name: str, do: Callable[..., Done], good: Path, bad: Path, tmp_path: Path
) -> None:
    whole = good.read_bytes()
    for point in range(1, 65):
        bad.write_bytes(whole[: len(whole) * point // 65])
        with untouched(tmp_path):
            check(entry, do(name, bad), bad, "truncated" if point > 1 else bad)


@pytest.mark.parametrize("entry", ["R07"])
def test_a_file_without_keys_is_not_taken_for_one_without_events(
    entry: str, do: Callable[..., Done], shared: Path, tmp_path: Path
) -> None:
    path = shared / "public/coffea/bad_delphes.root"
    with untouched(tmp_path):
        for name in COMMANDS[:3]:
            check(entry, do(name, path), path, "no tree in the file", "did not close it")


@pytest.mark.parametrize("name", COMMANDS[:3])
@pytest.mark.parametrize("entry", ["R08", "R09"])
def test_trees_are_listed(entry: str, name: str, do: Callable[..., Done], bad: Path, tmp_path: Path) -> None:
    write(bad, content(5), "one", "two")
    file, words = {"R08": (f"{bad}:three", "no tree named 'three'"), "R09": (bad, "2 trees in the file")}[entry]
    with untouched(tmp_path):
        check(entry, do(name, file), bad, words, "one, two")


@pytest.mark.parametrize("number", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", COMMANDS[:3])
@pytest.mark.parametrize("entry", ["R10"])
def test_a_branch_missing_in_one_file_of_many_is_named_before_anything_is_written(
    *, entry: str, name: str, number: int, do: Callable[..., Done], tmp_path: Path
) -> None:
    first = write(tmp_path / "first.root", content(5, 3))
    files = [tmp_path / f"{each:03}.root" for each in range(number)]
    for path in files[:-1]:
        os.link(first, path)
    columns = content(5, 4)
    del columns["HCalTowers_Phi"]
    write(files[-1], columns)
    with untouched(tmp_path):
        check(entry, do(name, *files), files[-1], "HCalTowers.Phi")


TYPES = {
    "R11": {
        "bool": ak.Array([[True] * 12] * 30),
        "string": ak.Array(["a"] * 30),
    },
    "R12": {
        "scalar": ak.Array([1.0] * 30),
        "jagged": ak.Array([[1.0, 2.0]] * 30),
    },
}


@pytest.mark.parametrize(
    ("entry", "kind", "name"),
    [(entry, kind, name) for entry, kinds in TYPES.items() for kind in kinds for name in COMMANDS[:3]][:-2],
)
def test_a_branch_of_another_type_is_named(
    *, entry: str, kind: str, name: str, do: Callable[..., Done], bad: Path, tmp_path: Path
) -> None:
    branch = "weight" if kind == "jagged" else "ECalTowers_ET"
    write(bad, content() | {branch: TYPES[entry][kind]})
    options = ("--layout", layout(tmp_path, "event: {weight: weight}")) if kind == "jagged" else ()
    with untouched(tmp_path):
        check(entry, do(name, bad, *options), bad, repr(branch), "another type")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("kind", ["float64", "int32"])
@pytest.mark.parametrize("entry", ["R11"])
def test_numbers_of_another_width_are_numbers(
    *, entry: str, kind: str, name: str, do: Callable[..., Done], bad: Path
) -> None:
    columns = content(30, 1)
    columns["ECalTowers_ET"] = ak.values_astype(ak.values_astype(columns["ECalTowers_ET"], "int32"), kind)
    done = do(name, write(bad, columns))
    assert (done.code, done.err, entry in FAULTS) == (0, done.err, True)
