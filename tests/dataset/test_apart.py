"""HDF5 files on which the library crashes or never ends."""

from __future__ import annotations

import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepml.dataset import apart as module
from hepml.dataset.apart import apart, survives
from hepml.dataset.checksum import damages
from hepml.dataset.guard import open_hdf5
from hepml.dataset.seal import seal
from hepml.errors import InputFileError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="v110") as made:
        for k in range(30):  # more than a group keeps in its header
            made[f"name{k}"] = np.arange(k, dtype=np.float32)
    return path


def test_a_whole_file_is_survived_sealed_or_not(file: Path) -> None:
    assert survives(file) is None
    seal(file)
    assert survives(file) is None


def test_a_sealed_whole_file_is_not_looked_at(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(file)
    monkeypatch.setattr(module, "apart", lambda what, path: pytest.fail("looked at"))
    assert survives(file) is None


def test_a_large_file_is_looked_at_in_spite_of_its_seal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(file)
    monkeypatch.setattr(module, "_CHEAP", 10)
    monkeypatch.setattr(module, "apart", lambda what, path: f"{what} {path}")
    assert survives(file) == f"look {file}"


def test_a_damaged_tree_of_names_is_refused_whatever_the_library_does(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.rindex(b"BTLF") + 20] ^= 4
    file.write_bytes(content)
    with pytest.raises(InputFileError, match="a damaged HDF5 file"), open_hdf5(file):
        pass
    assert any("structure" in each for each in damages(file))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_is_told(file: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    monkeypatch.setattr(module, "_PROCESS", ("-c", f"import os; os.kill(os.getpid(), {int(number)})"))
    assert apart("look", file) == f"the HDF5 library crashed ({number.name})"
    with pytest.raises(InputFileError, match=number.name), open_hdf5(file):
        pass
    assert damages(file)[0] == f"structure (the HDF5 library crashed ({number.name}))"


def test_a_loop_without_end_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = "from hepml.dataset.apart_process import _bound\n_bound(1)\nwhile True: pass"
    monkeypatch.setattr(module, "_PROCESS", ("-c", loop))
    assert apart("look", file) == "the HDF5 library came to no end in 60 s"
