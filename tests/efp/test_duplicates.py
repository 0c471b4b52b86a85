"""Duplicate columns: the answer of the reference's comparison of all pairs, by a hash of each column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hepml
from hepml.dataset import Dataset, convert
from hepml.efp.duplicates import find_duplicates
from hepml.efp.identities import identities
from hepml.errors import DataError


def all_pairs(values: NDArray[np.float64]) -> dict[int, int]:
    """The reference's method: every column with every later one; a duplicate -> the first that it equals."""
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = (values - values.min(axis=0)) / (values.max(axis=0) - values.min(axis=0))
    rounded = np.round(scaled, 7).T
    found: dict[int, int] = {}
    for first in range(len(rounded)):
        if first in found:
            continue
        near = first + 1 + np.flatnonzero((rounded[first + 1 :, :16] == rounded[first, :16]).all(axis=1))
        for second in near:
            if second not in found and (rounded[first] == rounded[second]).all():  # NaN equals nothing
                found[int(second)] = first
    return found


@pytest.mark.parametrize("token", ["et", "ht"])
def test_the_answer_is_that_of_all_pairs(shared: Path, tmp_path: Path, token: str) -> None:
    """500 candidates of the development sample, as in the reference: for the ECal with the whole grid."""
    source = shared / "electrons"
    convert(source / "eid_dev_electrons.root", source / "eid_dev_jets.root", tmp_path / "data.h5")
    dataset = Dataset.open(tmp_path / "data.h5")
    images = dataset.pixels(token, "test").dense(slice(0, 500))
    graphs, calorimeter = ("papers", "ecal") if token == "et" else ("d<=4", "hcal")
    columns = hepml.efp(images, graphs, (-1, 0, 0.5, 1, 2), (0.5, 1, 2), calorimeter)
    found = find_duplicates(zip(columns.names, columns.values.T, strict=True))
    constant = [columns.names.index(name) for name in found.constants]
    assert f"{token}_efp_1_0_0_k_1_b_1" in found.constants or token == "ht"
    others = np.delete(np.arange(len(columns.names)), constant)
    right = {
        columns.names[others[second]]: columns.names[others[first]]
        for second, first in all_pairs(columns.values[:, others]).items()
    }
    assert {one.name: one.same_as for one in found.duplicates} == right
    assert len(found.uniques) + len(found.duplicates) + len(found.constants) == len(columns.names)
    # what is equal by definition is found, but for what an edge of the rounding splits
    by_definition = identities(columns.names)
    missed = [name for name in by_definition if name not in right and name not in found.constants]
    assert {*missed} <= {name for pair in found.split for name in pair}


def test_constant_affine_and_mirrored_columns() -> None:
    x = np.random.default_rng(0).exponential(size=400)
    found = find_duplicates(
        {
            "x": x,
            "twice": 2 * x,
            "shifted": 5 - 0.0 * x + x,
            "mirrored": 1 - x,
            "flat": np.full(400, 0.1),
            "nearly flat": 1 + 1e-16 * x,
            "zero": np.zeros(400),
            "equal": x + 1e-16,
            "mirrored twice": 7 - 3 * x,
        }.items()
    )
    assert found.uniques == ("x", "mirrored")
    assert [(one.name, one.same_as, one.relation) for one in found.duplicates] == [
        ("twice", "x", "affine"),
        ("shifted", "x", "affine"),
        ("equal", "x", "equal"),
        ("mirrored twice", "mirrored", "affine"),
    ]
    np.testing.assert_allclose([one.slope for one in found.duplicates], [2, 1, 1, 3])
    np.testing.assert_allclose([one.intercept for one in found.duplicates], [0, 5, 0, 4], atol=1e-12)
    assert found.constants == {"flat": 0.1, "nearly flat": 1.0, "zero": 0.0}
    assert (found.split, found.events) == ((), 400)


def test_an_edge_of_the_rounding_splits_as_in_the_reference_and_is_told() -> None:
    x = np.linspace(0, 1, 300)
    x[100] = 0.12345675  # half a step: 1e-12 more or less decides
    y = x.copy()
    x[100] -= 1e-12
    y[100] += 1e-12
    assert all_pairs(np.stack([x, y], axis=1)) == {}
    found = find_duplicates({"x": x, "y": y}.items())
    assert (found.uniques, found.duplicates, found.split) == (("x", "y"), (), (("x", "y"),))
    assert find_duplicates({"x": x, "y": y}.items(), decimals=6).uniques == ("x",)


def test_columns_that_cannot_be_compared() -> None:
    x = np.arange(3.0)
    for columns, problem in (
        ([], "no columns"),
        ([("x", x), ("x", x)], "twice"),
        ([("x", x), ("y", x[:2])], "each event"),
        ([("x", [])], "each event"),
    ):
        with pytest.raises(DataError, match=problem):
            find_duplicates(columns)


def test_columns_that_are_not_finite_are_told_apart() -> None:
    """Nothing can be said of them: they stand for no column, and none for them."""
    x = np.arange(4.0)
    bad = np.array([0, np.nan, 2, np.inf])
    found = find_duplicates([("a", bad), ("b", x), ("c", bad), ("d", 2 * x), ("e", [1, 1, 1, -np.inf])])
    assert found.not_finite == {"a": 2, "c": 2, "e": 1}
    assert (found.uniques, [one.name for one in found.duplicates], found.constants) == (("b",), ["d"], {})
    assert find_duplicates([("a", bad)]).uniques == ()
    with pytest.raises(DataError, match="twice"):
        find_duplicates([("a", bad), ("a", x)])
