"""An npz of somebody else: what its members declare together is bounded by its bytes."""

from __future__ import annotations

import copy
import zipfile

import numpy as np
import pytest

from hepml.dataset.npz import arrays_of


def read(path):
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return arrays_of(file)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_as_they_were_written(save, tmp_path):
    arrays = {"a": np.zeros((1000, 1000)), "b": np.arange(7, dtype=np.float32), "c": np.zeros((0, 3))}
    save(tmp_path / "x.npz", **arrays)  # zeros are packed a thousand times
    found = read(tmp_path / "x.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """Each is what it says; together they are more than the file, as a bomb makes them."""
    path = tmp_path / "x.npz"
    np.savez(path, a=np.zeros(10_000))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("note", b"")  # so that the directory is written again
        archive.filelist += [copy.copy(archive.getinfo("a.npy")) for _ in range(5)]
    with pytest.raises(ValueError, match=r"are declared as \d+ bytes and the file holds \d+"):
        read(path)
