"""Files that are damaged, foreign or hostile end in one error; nothing wrong is read silently."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepml.dataset import SPLITS, Dataset, load_combined_data
from hepml.errors import HepmlError, InputFileError, VerificationError


def read_everything(path: Path) -> None:
    data = Dataset.open(path)
    for split in SPLITS:
        for token in data.tokens:
            data.raw(token, split)
        data.column("identity", split)
        data.y(split)


@pytest.fixture
def copy(sparse_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.h5"
    path.write_bytes(sparse_file.read_bytes())
    return path


def test_absent_file_folder_text_and_empty_file(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not HDF5")
    (tmp_path / "empty.h5").write_bytes(b"")
    with pytest.raises(InputFileError, match="no such file"):
        Dataset.open(tmp_path / "absent.h5")
    for name in ("text.h5", "empty.h5", "."):
        with pytest.raises(InputFileError, match="not an HDF5 file"):
            Dataset.open(tmp_path / name)


def test_hdf5_of_somebody_else_is_named_as_such(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["jets"] = np.zeros(3)
    with pytest.raises(InputFileError, match="not one of hepml's") as caught:
        load_combined_data("et", "test", path=tmp_path / "a.h5")
    assert "'jets'" in str(caught.value)


def test_newer_format_is_refused(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(InputFileError, match="newer hepml"):
        Dataset.open(copy)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_truncated_file_is_refused(copy: Path, share: float) -> None:
    whole = copy.read_bytes()
    copy.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputFileError):
        read_everything(copy)


def test_no_flipped_bit_passes_the_checksums(copy: Path, sparse_file: Path) -> None:
    whole = bytearray(sparse_file.read_bytes())
    rng = np.random.default_rng(0)
    reference = {split: Dataset.open(sparse_file).raw("et", split) for split in SPLITS}
    silent = caught = 0
    for position in rng.integers(0, len(whole), 40):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        copy.write_bytes(damaged)
        try:
            data = Dataset.open(copy, verify=True)
            read_everything(copy)
        except HepmlError:
            caught += 1
            continue
        silent += 1  # the bit is in space that no data set uses: everything must read the same
        for split in SPLITS:
            np.testing.assert_array_equal(data.raw("et", split), reference[split])
    assert caught > silent


def test_changed_value_is_found_by_verify(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["hl/train"][3, 2] += 1
    Dataset.open(copy)
    with pytest.raises(VerificationError, match="hl/train") as caught:
        Dataset.open(copy, verify=True)
    assert caught.value.exit_code == 3


def test_changed_attribute_is_found_by_verify(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        scaling = json.loads(file.attrs["scaling"])
        scaling["hl"]["scale"][0] *= 2
        file.attrs["scaling"] = json.dumps(scaling)
    with pytest.raises(VerificationError, match="attributes"):
        Dataset.open(copy, verify=True)


@pytest.mark.parametrize("name", ["geometry", "scaling", "provenance", "task", "layout", "content_sha256"])
def test_missing_or_broken_attribute_is_one_error(copy: Path, name: str) -> None:
    with h5py.File(copy, "a") as file:
        file.attrs[name] = "{"
    with pytest.raises(HepmlError):
        Dataset.open(copy, verify=True)
    with h5py.File(copy, "a") as file:
        del file.attrs[name]
    with pytest.raises(InputFileError, match="damaged HDF5 file"):
        Dataset.open(copy)


def _replace(path: Path, name: str, array: object, **options: object) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        file.create_dataset(name, data=array, **options)


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 7), np.float32), np.zeros(7, np.float32), np.zeros((1, 7), "f2"), np.array([b"text"])],
    ids=["rows", "rank", "type", "text"],
)
def test_wrong_shape_or_type_is_one_error(copy: Path, array: object) -> None:
    _replace(copy, "hl/test", array)
    with pytest.raises(InputFileError, match="hl/test"):
        Dataset.open(copy).raw("hl", "test")


def test_big_endian_and_missing_data_sets(copy: Path) -> None:
    n = Dataset.open(copy).n("test")
    _replace(copy, "hl/test", np.zeros((n, 7), ">f4"))
    with pytest.raises(InputFileError, match="hl/test"):
        Dataset.open(copy).raw("hl", "test")
    with h5py.File(copy, "a") as file:
        del file["hl/test"]
    with pytest.raises(InputFileError, match="missing"):
        Dataset.open(copy).raw("hl", "test")


def test_pixel_outside_the_image_and_counts_that_do_not_add_up(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["et/test/index"][5] = 961
        file["ht/test/counts"][0] += 1
    data = Dataset.open(copy)
    with pytest.raises(InputFileError, match="outside its window"):
        data.raw("et", "test")
    with pytest.raises(InputFileError, match="ht/test/index"):
        data.raw("ht", "test")


def test_shape_bomb_is_refused_before_memory_is_taken(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        del file["y/test"]
        file.create_dataset("y/test", shape=(10**12,), dtype="f4", chunks=(1 << 20,))
    with pytest.raises(InputFileError, match="declared larger"):
        Dataset.open(copy)


def test_links_and_outside_storage_are_refused(copy: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_bytes(b"\0" * 10_000)
    n = Dataset.open(copy).n("test")
    with h5py.File(copy, "a") as file:
        del file["mass/test"]
        file.create_dataset("mass/test", (n, 1), "f4", external=[(str(canary), 0, h5py.h5f.UNLIMITED)])
        del file["hl/test"]
        file["hl/test"] = h5py.ExternalLink("other.h5", "x")
        del file["et_mass/test"]
        file["et_mass/test"] = h5py.SoftLink("/et_mass/test")
        del file["ee_mass/test"]
        layout = h5py.VirtualLayout((n, 1), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (n, 1))
        file.create_virtual_dataset("ee_mass/test", layout)
    data = Dataset.open(copy)
    for token in ("mass", "hl", "et_mass", "ee_mass"):
        with pytest.raises(InputFileError, match=r"link|another file"):
            data.raw(token, "test")
    with pytest.raises(VerificationError):
        Dataset.open(copy, verify=True)


def test_file_replaced_while_in_use_is_noticed(
    copy: Path, write_blocks: Callable[..., Path], make_rows: Callable[..., object]
) -> None:
    data = Dataset.open(copy)
    data.raw("hl", "test")
    copy.unlink()
    write_blocks(copy, [make_rows(500, 9)])
    with pytest.raises(InputFileError, match="replaced"):
        data.raw("mass", "test")


def test_loops_and_second_names_are_damage(copy: Path) -> None:
    with h5py.File(copy, "a") as file:
        file["et/again"] = file["/"]
        file["hl/copy"] = file["hl/train"]
    with pytest.raises(VerificationError, match=r"et/again.*hl/train|et/again.*hl/copy"):
        Dataset.open(copy, verify=True)


INPUT = {"name": "a.root", "sample": "s", "layout": None, "sha256": None, "read": 1}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("scaling", {}, "scaling.et is missing"),
        ("scaling", None, "scaling is null"),
        ("task", {"kind": "binary"}, "task.names is missing"),
        ("task", {"kind": "x", "names": []}, "task.kind is 'x'"),
        ("task", [], "task is a list where an object is expected"),
        ("provenance", {"cut_flow": {}}, "provenance.inputs is missing"),
        ("provenance", {"cut_flow": {"read": "1"}}, r"cut_flow\.read is text where a number"),
        ("provenance", {"cut_flow": {}, "samples": 3, "inputs": []}, "samples is a number where a list"),
        ("provenance", {"cut_flow": {}, "samples": [], "inputs": ["a"]}, r"inputs\[0\] is text"),
        ("provenance", {"cut_flow": {}, "samples": [], "inputs": [INPUT]}, r"inputs\[0\]\.written is missing"),
    ],
)
def test_attributes_of_another_shape_are_named(copy: Path, name: str, value: object, words: str) -> None:
    with h5py.File(copy, "a") as file:
        file.attrs[name] = json.dumps(value)
    with pytest.raises(InputFileError, match="damaged HDF5 file") as caught:
        Dataset.open(copy)
    assert re.search(words, caught.value.parts["found"])
    with pytest.raises(VerificationError):
        Dataset.open(copy, verify=True)
