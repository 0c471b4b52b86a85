"""Lists over several baskets are what awkward arrays of them are, whatever part is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from hepml.errors import InputFileError
from hepml.trees.baskets import Baskets
from hepml.trees.columns import Columns, Tree

TYPES = ("f4", "f8", "i4", "u1")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """Baskets of 7, 1 and 20 entries of lists, some of them empty."""
    rng = np.random.default_rng(0)
    with uproot.recreate(tmp_path / "a.root") as file:
        written = file.mktree("t", {f"x_{name}": f"var * {np.dtype(name)}" for name in TYPES})
        for n in (7, 1, 20):
            counts = rng.integers(0, 4, n)
            values = rng.integers(0, 200, counts.sum())
            written.extend({f"x_{name}": ak.unflatten(values.astype(name), counts) for name in TYPES})
    with uproot.open(tmp_path / "a.root") as file:
        yield Tree(file["t"], str(tmp_path / "a.root"), "t")


@pytest.mark.parametrize("step", [1, 3, 8, 28])
@pytest.mark.parametrize("name", TYPES)
def test_baskets_are_the_awkward_arrays(tree: Tree, name: str, step: int) -> None:
    branch = f"x_{name}"
    both = (tree.iterate([branch], step, 2, tree.n_entries, awkward=awkward) for awkward in (False, True))
    for (first, last, baskets), (_, _, arrays) in zip(*both, strict=True):
        assert isinstance(baskets[branch], Baskets)
        assert len(baskets[branch]) == last - first
        offsets, values = tree.jagged(branch, baskets[branch])
        expected = tree.jagged(branch, arrays[branch])
        np.testing.assert_array_equal(offsets, expected[0])
        np.testing.assert_array_equal(values, expected[1])
        assert values.dtype == np.dtype(name)


def test_parts_of_a_chunk_join_to_the_chunk(tree: Tree) -> None:
    names = [f"x_{name}" for name in TYPES]
    _, _, arrays = next(tree.iterate(names, 28, 0, 28))
    whole = Columns(tree, arrays)
    for branch in names:
        numbers = whole.numbers(branch, 0, 0.5)
        assert numbers.dtype == np.float64
        np.testing.assert_array_equal(numbers, whole.values(branch) * 0.5)
        parts = [whole.part(begin, min(begin + 5, 28)) for begin in range(0, 28, 5)]
        np.testing.assert_array_equal(np.concatenate([part.numbers(branch, 0, 0.5) for part in parts]), numbers)
        np.testing.assert_array_equal(
            np.concatenate([np.diff(part.offsets(branch)) for part in parts]), np.diff(whole.offsets(branch))
        )
        assert parts[1].offsets(branch) is parts[1].offsets(names[0])  # equal ones are one array


@pytest.mark.parametrize("offsets", [[0, 2, 1, 3], [0, 2, 4], [1, 2, 3]])
def test_offsets_that_say_nonsense_are_refused(tree: Tree, offsets: list[int]) -> None:
    damaged: Any = Baskets(np.array(offsets), [np.zeros(3, ">f4")], np.dtype("f4"))
    with pytest.raises(InputFileError, match="says nonsense about how many values"):
        tree.jagged("x_f4", damaged)
