"""What is written is what is read, and third-party code can read it too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from hepml.dataset import SPLITS, Dataset, load_combined_data, load_data
from hepml.dataset.blocks import Block
from hepml.dataset.layout import COLUMNS
from hepml.errors import DataError, HepmlError
from hepml.identity import fold_of, split_of
from hepml.images import expand_hcal

IMAGES = ("et", "ht", "ee", "he")


def rows_of(block: Block, split: str) -> Any:
    return np.flatnonzero(split_of(block.columns["group"]) == SPLITS.index(split))


@pytest.mark.parametrize("split", SPLITS)
def test_round_trip(block: Block, sparse_file: Path, split: str) -> None:
    data = Dataset.open(sparse_file, verify=True)
    rows = rows_of(block, split)
    assert data.n(split) == len(rows) > 0
    np.testing.assert_array_equal(data.y(split), block.y[rows])
    for token, values in block.flats.items():
        np.testing.assert_array_equal(data.raw(token, split), values[rows])
    for name in COLUMNS:
        np.testing.assert_array_equal(data.column(name, split), block.columns[name][rows])
    np.testing.assert_array_equal(data.raw("et", split)[..., 0], block.images["et"].dense()[rows])
    cells = block.images["ht"].dense()[rows]
    image = data.raw("ht", split)
    assert image.shape == (len(rows), 32, 32, 1)
    np.testing.assert_array_equal(image[:, 4:8, 8:12, 0], np.broadcast_to(cells[:, 1:2, 2:3] / 16, (len(rows), 4, 4)))
    np.testing.assert_array_equal(data.sparse("ht", split).dense(), cells)


def test_any_rows_become_dense(sparse_file: Path) -> None:
    pixels = Dataset.open(sparse_file).pixels("ht", "train")
    whole = pixels.dense()
    n = len(whole)
    np.testing.assert_array_equal(whole[..., 0], expand_hcal(pixels.images.dense(), 4))
    for rows in (np.array([n - 1, 0, 0]), np.arange(n) % 3 == 0, slice(n, 2, -2), np.array([], int)):
        np.testing.assert_array_equal(pixels.dense(rows), whole[rows])
    for outside in (n, -1):
        with pytest.raises(IndexError, match="no such image"):
            pixels.dense(np.array([0, outside]))


@pytest.mark.parametrize("split", SPLITS)
def test_sparse_and_dense_files_hold_the_same(sparse_file: Path, dense_file: Path, split: str) -> None:
    sparse, dense = Dataset.open(sparse_file), Dataset.open(dense_file, verify=True)
    assert (sparse.layout, dense.layout) == ("sparse", "dense")
    assert sparse.scaling == dense.scaling
    for token in sparse.tokens:
        np.testing.assert_array_equal(sparse.raw(token, split), dense.raw(token, split))
    for token in IMAGES:
        for a, b in zip(
            vars(sparse.sparse(token, split)).values(), vars(dense.sparse(token, split)).values(), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_dense_file_is_the_published_layout_for_any_hdf5_reader(block: Block, dense_file: Path) -> None:
    rows = rows_of(block, "test")
    with h5py.File(dense_file) as file:
        assert {"ee", "ee_mass", "et", "et_mass", "he", "hl", "ht", "mass", "y"} <= set(file)
        shapes = {"et": (31, 31, 1), "ee": (31, 31, 1), "ht": (32, 32, 1), "he": (32, 32, 1), "hl": (7,), "mass": (1,)}
        for split in SPLITS:
            n = len(rows_of(block, split))
            assert file[f"y/{split}"].shape == (n,)
            for token, shape in (shapes | {"et_mass": (1,), "ee_mass": (1,)}).items():
                assert file[f"{token}/{split}"].shape == (n, *shape)
                assert file[f"{token}/{split}"].dtype == np.float32
        np.testing.assert_array_equal(file["et/test"][()][..., 0], block.images["et"].dense()[rows])
        np.testing.assert_allclose(
            file["ht/test"][()].sum(axis=(1, 2, 3)), block.images["ht"].dense()[rows].sum((1, 2)), rtol=1e-5
        )


def test_splits_are_64_16_20_and_disjoint_by_group(big_file: Path) -> None:
    data = Dataset.open(big_file)
    groups = [set(data.column("group", split).tolist()) for split in SPLITS]
    assert len(set.union(*groups)) == sum(map(len, groups))
    total = sum(data.n(split) for split in SPLITS)
    for split, share in zip(SPLITS, (0.64, 0.16, 0.20), strict=True):
        assert abs(data.n(split) / total - share) < 5 * np.sqrt(2 * share * (1 - share) / total)


def test_folds_keep_groups_together_and_do_not_follow_the_splits(big_file: Path) -> None:
    data = Dataset.open(big_file)
    for split in SPLITS:
        fold = data.fold(5, split)
        np.testing.assert_array_equal(fold, fold_of(data.column("group", split), 5))
        counts = np.bincount(fold, minlength=5)
        assert len(counts) == 5
        assert np.all(np.abs(counts / len(fold) - 0.2) < 5 * np.sqrt(2 * 0.16 / len(fold)))


def test_scaling_is_numpys_on_the_training_split(sparse_file: Path) -> None:
    data = Dataset.open(sparse_file)
    for token in ("hl", "mass", "et_mass", "ee_mass"):
        x = data.raw(token, "train").astype(np.float64)
        np.testing.assert_allclose(data.scaling[token]["offset"], -x.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(data.scaling[token]["scale"], 1 / x.std(axis=0), rtol=1e-12)
        np.testing.assert_allclose(data.scaled(token, "train").mean(axis=0), 0, atol=1e-6)
    for token in IMAGES:
        x = data.raw(token, "train").astype(np.float64)
        assert data.scaling[token]["offset"] == [0.0]
        np.testing.assert_allclose(data.scaling[token]["scale"], 1 / x.sum(axis=(1, 2, 3)).mean(), rtol=1e-12)
        np.testing.assert_array_equal(data.scaled(token, "test") == 0, data.raw(token, "test") == 0)


def test_constant_column_is_shifted_not_divided(
    block: Block, write_blocks: Callable[..., Path], tmp_path: Path
) -> None:
    block.flats["mass"]
    flats = {**block.flats, "mass": np.full((len(block), 1), 0.1, np.float32)}
    constant = Block(block.y, flats, block.images, block.columns)
    data = Dataset.open(write_blocks(tmp_path / "data.h5", [constant]))
    assert data.scaling["mass"]["scale"] == [1.0]
    np.testing.assert_allclose(data.scaled("mass", "test"), 0, atol=1e-7)


def test_bytes_do_not_depend_on_how_the_rows_came(
    block: Block, sparse_file: Path, write_blocks: Callable[..., Path], tmp_path: Path
) -> None:
    pieces = [block.take(np.arange(start, min(start + 37, len(block)))) for start in range(0, len(block), 37)]
    again = write_blocks(tmp_path / "data.h5", pieces)
    assert again.read_bytes() == sparse_file.read_bytes()


def test_many_blocks_are_written_in_order(big_file: Path, big_blocks: list[Block]) -> None:
    whole = Block.concatenate(big_blocks)
    data = Dataset.open(big_file, verify=True)
    for split in SPLITS:
        rows = rows_of(whole, split)
        np.testing.assert_array_equal(data.column("identity", split), whole.columns["identity"][rows])
        np.testing.assert_array_equal(data.sparse("et", split).value, whole.images["et"].take(rows).value)


def test_load_data_has_the_published_arguments_and_results(sparse_file: Path) -> None:
    data = Dataset.open(sparse_file)
    n = data.n("test")
    x, y = load_data("mass", "test", path=sparse_file)
    assert (x.shape, y.shape, x.dtype) == ((n, 1), (n,), np.float32)
    np.testing.assert_array_equal(x, data.scaled("mass", "test"))
    only = load_data("et", "test", True, True, path=sparse_file)
    np.testing.assert_array_equal(only, data.raw("et", "test"))
    raw, _ = load_data("hl", "test", unscaled=True, path=str(sparse_file))
    np.testing.assert_array_equal(raw, data.raw("hl", "test"))


@pytest.mark.parametrize(
    ("feature", "shapes"),
    [
        ("et", [(31, 31, 1)]),
        ("et and hl", [(31, 31, 1), (7,)]),
        ("hl_and_et", [(31, 31, 1), (7,)]),
        ("et_and_ht", [(31, 31, 1), (32, 32, 1)]),
        ("et_and_ht_and_hl", [(31, 31, 1), (32, 32, 1), (7,)]),
        ("hl_and_mass", [(7,), (1,)]),
        ("et_mass", [(1,)]),
        ("ee + he, ee_mass", [(31, 31, 1), (32, 32, 1), (1,)]),
    ],
)
def test_load_combined_data_returns_a_list_of_arrays(sparse_file: Path, feature: str, shapes: list[Any]) -> None:
    x, y = load_combined_data(feature, "test", path=sparse_file)
    assert isinstance(x, list)
    assert [array.shape for array in x] == [(len(y), *shape) for shape in shapes]


def test_load_combined_data_takes_a_list_as_train_does(sparse_file: Path) -> None:
    (et, hl), _ = load_combined_data(["hl", "et"], "test", path=sparse_file)
    assert (et.shape[1:], hl.shape[1:]) == ((31, 31, 1), (7,))


def test_wrong_names_are_answered_with_the_right_ones(sparse_file: Path) -> None:
    data = Dataset.open(sparse_file)
    with pytest.raises(DataError, match="'h1'") as caught:
        load_data("h1", "test", path=sparse_file)
    assert "'hl'" in str(caught.value)
    with pytest.raises(DataError, match="holds no 'efpe'"):
        load_data("efpe", "test", path=sparse_file)
    with pytest.raises(DataError, match="load_combined_data"):
        load_data("et_and_hl", "test", path=sparse_file)
    for feature in (3, None, ["et"]):
        with pytest.raises(DataError, match="no feature is named"):
            load_data(feature, "test", path=sparse_file)
    with pytest.raises(DataError, match="'feature' cannot be 3"):
        load_combined_data(3, "test", path=sparse_file)
    for path in (None, 3, b"data.h5"):
        for loader in (load_data, load_combined_data, lambda *_, path: Dataset.open(path)):
            with pytest.raises(DataError, match="not a path"):
                loader("hl", "test", path=path)
    with pytest.raises(DataError, match="'tests'") as caught:
        data.raw("hl", "tests")
    assert "'test'" in str(caught.value)
    with pytest.raises(DataError, match="'weigth'") as caught:
        data.column("weigth", "test")
    assert "'weight'" in str(caught.value)


def test_batches_are_the_rows_in_an_order_of_seed_and_epoch(sparse_file: Path) -> None:
    data = Dataset.open(sparse_file)

    def epoch(seed: int, number: int) -> tuple[Any, ...]:
        batches = list(data.batches(["et", "ht", "hl"], "train", 64, seed=seed, epoch=number))
        assert [len(y) for _, y, _ in batches[:-1]] == [64] * (len(batches) - 1)
        return tuple(np.concatenate([x[token] for x, _, _ in batches]) for token in ("et", "ht", "hl"))

    et, ht, hl = epoch(1, 0)
    order = np.random.Generator(np.random.Philox(key=[1, 0])).permutation(data.n("train"))
    np.testing.assert_array_equal(et, data.raw("et", "train")[order])
    np.testing.assert_array_equal(ht, data.raw("ht", "train")[order])
    np.testing.assert_array_equal(hl, data.raw("hl", "train")[order])
    np.testing.assert_array_equal(hl, epoch(1, 0)[2])
    assert not np.array_equal(hl, epoch(1, 1)[2])
    assert not np.array_equal(hl, epoch(2, 0)[2])


def test_batches_of_chosen_rows_in_order(sparse_file: Path) -> None:
    data = Dataset.open(sparse_file)
    rows = np.array([5, 2, 9])
    ((x, y, weight),) = data.batches(["he", "mass"], "valid", 10, rows=rows, shuffle=False)
    np.testing.assert_array_equal(x["he"], data.raw("he", "valid")[rows])
    np.testing.assert_array_equal(y, data.y("valid")[rows])
    np.testing.assert_array_equal(weight, data.column("weight", "valid")[rows])


def test_no_rows_give_a_file_with_empty_splits(block: Block, write_blocks: Callable[..., Path], tmp_path: Path) -> None:
    for dense in (False, True):
        nothing = block.take(np.arange(0))
        data = Dataset.open(write_blocks(tmp_path / f"{dense}.h5", [nothing], dense=dense), verify=True)
        assert [data.n(split) for split in SPLITS] == [0, 0, 0]
        assert data.raw("ht", "test").shape == (0, 32, 32, 1)
        assert data.scaling["hl"] == {"offset": [0.0] * 7, "scale": [1.0] * 7}
        assert data.scaling["et"]["scale"] == [1.0]


def test_published_files_are_read_with_the_raw_one_beside(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    shapes = {"et": (31, 31, 1), "ht": (32, 32, 1), "hl": (7,), "mass": (1,), "efpe": (5,)}
    raw = {token: rng.random((6, *shape)).astype(np.float32) for token, shape in shapes.items()}
    for name, factor in (("data.h5", 0.5), ("unscaled_data.h5", 1.0)):
        with h5py.File(tmp_path / name, "w") as file:
            for split in SPLITS:
                file[f"y/{split}"] = np.array([0, 1, 0, 1, 1, 0])
                for token, values in raw.items():
                    file[f"{token}/{split}"] = values * np.float32(factor)
    (et, hl), y = load_combined_data("et_and_hl", "valid", path=tmp_path / "data.h5")
    np.testing.assert_array_equal(et, raw["et"] / 2)
    assert (hl.shape, y.tolist()) == ((6, 7), [0, 1, 0, 1, 1, 0])
    np.testing.assert_array_equal(load_data("efpe", "test", True, True, path=tmp_path / "data.h5"), raw["efpe"])
    with pytest.raises(DataError, match="no 'ee'"):
        load_data("ee", "test", path=tmp_path / "data.h5")
    (tmp_path / "unscaled_data.h5").unlink()
    with pytest.raises(HepmlError, match="no file of unscaled values"):
        load_data("et", "test", unscaled=True, path=tmp_path / "data.h5")
