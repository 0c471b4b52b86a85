"""R05, R06: damage that only a list of checksums tells, as ROOT files hold none of their values."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from faults.outcomes import Done, check, messages_of, run, untouched
from faults.root_files import basket_of, content, write

from hepml.errors import HepmlError
from hepml.trees import open_events

pytestmark = pytest.mark.usefixtures("bounded")
Do = Callable[..., Done]


def listed(*files: Path) -> Path:
    """A list of checksums beside the files, as sha256sum writes it."""
    path = files[0].parent / "SHA256SUMS"
    path.write_text("".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files))
    return path


CODECS = {
    "none": None,
    "zlib": uproot.ZLIB(1),
    "lz4": uproot.LZ4(1),
    "zstd": uproot.ZSTD(1),
    "lzma": uproot.LZMA(1),
}


def flip(path: Path, whole: bytes, number: int) -> None:
    random = np.random.default_rng([number, 5])
    damaged = bytearray(whole)
    damaged[random.integers(len(whole))] ^= 1 << int(random.integers(8))
    path.write_bytes(damaged)


def outcomes(codec: str, flips: int, folder: Path, do: Do, jets: Path) -> dict[str, int]:
    """What flipped bits give without a list of checksums; with one, each must be found."""
    bad = write(folder / "bad.root", content(60, 1), compression=CODECS[codec])
    whole = bad.read_bytes()
    sums = listed(bad, jets)
    expected = values_of(bad)
    found = {"error": 0, "rejected": 0, "harmless": 0, "silent": 0}
    for number in range(flips):
        flip(bad, whole, number)
        done = do("convert", bad, "--checksums", sums)
        assert done.code == 1, (codec, number, done)
        assert "Traceback" not in done.err
        assert not (folder / "out.h5").exists()
        try:
            values = values_of(bad)
        except HepmlError:
            found["error"] += 1
            continue
        if all(map(np.array_equal, values, expected)):
            found["harmless"] += 1
        else:  # beyond 1e30 or NaN: the event is rejected, and counted
            finite = all((np.abs(one) <= 1e30).all() for one in values)
            found["silent" if finite else "rejected"] += 1
    return found


def values_of(path: Path) -> list[Any]:
    """All that is read of a file, for comparison."""
    events = open_events(path)
    one = (events.ecal, events.hcal, events.objects["electron"])
    return [array for part in one for array in vars(part).values() if isinstance(array, np.ndarray)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("entry", ["R05"])
def test_a_flipped_bit_is_found_with_a_list_of_checksums(
    *, entry: str, codec: str, do: Do, jets: Path, tmp_path: Path
) -> None:
    found = outcomes(codec, 3, tmp_path, do, jets)
    assert (sum(found.values()), entry) == (3, "R05")


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("entry", ["R05 300"])
def test_each_of_300_flipped_bits_is_found(*, entry: str, codec: str, net: Path, jets: Path, tmp_path: Path) -> None:
    def do(name: str, *arguments: object) -> Done:
        return run(name, "--background", jets, "-o", tmp_path / "out.h5", "--signal", *arguments)

    found = outcomes(codec, 300, tmp_path, do, jets)
    print(f"{entry} {codec}: {found}")
    assert sum(found.values()) == 300


@pytest.mark.parametrize("name", ["apply", "skim"])
@pytest.mark.parametrize("entry", ["R05"])
def test_a_flipped_bit_is_found_by_all_that_read_events(
    *, entry: str, name: str, do: Do, good: Path, jets: Path, tmp_path: Path
) -> None:
    sums, whole = listed(good, jets), good.read_bytes()
    assert do(name, good, jets, "--checksums", sums).code == 0
    random = np.random.default_rng(3)
    for position in random.integers(0, len(whole), 20):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(random.integers(8))
        good.write_bytes(damaged)
        with untouched(tmp_path):
            done = do(name, good, jets, "--checksums", sums, "--overwrite")
            assert done.code == 1
            if messages_of(done) != ["InputFileError"] or "listed checksum" not in done.err:  # it did not open at all
                assert messages_of(done)[0] in ("InputFileError", "MissingBranchError", "DataError"), done.err
    good.write_bytes(whole)
    jets.write_bytes(whole)
    done = do(name, good, jets, "--checksums", sums, "--overwrite")
    assert "not what its listed checksum says" in done.err
    if name == "apply":
        done = do(name, good, jets, "--checksums", sums, "--overwrite", "--skip-bad")
        assert (done.code, f"skipped {jets}" in done.err) == (3, True)
    assert entry


@pytest.mark.parametrize("entry", ["R06"])
def test_a_hole_in_uncompressed_baskets_is_found_with_a_list_of_checksums(
    *, entry: str, do: Do, bad: Path, good: Path, jets: Path, tmp_path: Path
) -> None:
    write(bad, content(400, 5))
    sums = listed(bad, good, jets)
    start, _ = basket_of(bad, "ECalTowers_ET")
    whole = bytearray(bad.read_bytes())
    whole[start + 200 : start + 2248] = bytes(2048)
    bad.write_bytes(whole)
    with untouched(tmp_path):
        check(entry, do("convert", bad, "--checksums", sums), bad, "not what its listed checksum says")
    done = do("convert", bad, good, "--checksums", sums, "--skip-bad")
    assert done.code == 3
    assert f"skipped {bad}" in done.err


@pytest.mark.parametrize("kind", ["absent", "text", "other file"])
@pytest.mark.parametrize("entry", ["R05"])
def test_a_list_of_checksums_must_be_one_and_complete(
    *, entry: str, kind: str, do: Do, good: Path, jets: Path, tmp_path: Path
) -> None:
    sums = listed(jets)
    if kind == "absent":
        sums.unlink()
    elif kind == "text":
        sums.write_text("good.root 1234\n")
    words = {"absent": "cannot read the list", "text": "not a list of checksums", "other file": "not in the list"}[kind]
    with untouched(tmp_path):
        done = do("convert", good, "--checksums", sums)
        assert (done.code, entry) == (1, "R05")
        assert words in done.err
