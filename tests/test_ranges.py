"""What the inputs were in training: quantiles, bins and the numbers of an image."""

from itertools import pairwise

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.ranges import LEVELS, measure_ranges, quantities_of


def test_bins_hold_what_lies_between_the_quantiles():
    generator = np.random.default_rng(0)
    values = generator.normal(size=(5000, 2)).astype(np.float32)
    values[:2000, 1] = 0  # an atom: many levels have one quantile
    values[:7, 0] = np.nan
    values[7, 0] = np.inf
    record = measure_ranges([{"x": values[:1000]}, {"x": values[1000:]}], {"x": ["a", "b"]})
    assert (record["events"], record["levels"]) == (5000, list(LEVELS))
    for k, one in enumerate(record["quantities"]):
        column = values[:, k].astype(float)
        finite = column[np.isfinite(column)]
        assert (one["entries"], one["not_finite"]) == (5000, 5000 - len(finite))
        assert (one["minimum"], one["maximum"]) == (finite.min(), finite.max())
        edges = [-np.inf, *one["quantiles"], np.inf]
        slow = [np.sum((finite > low) & (finite <= high)) for low, high in pairwise(edges)]
        assert one["bins"] == slow
        assert set(one["quantiles"]) <= set(finite)
        share = np.cumsum(one["bins"])[:-1] / len(finite)
        assert np.all(share >= np.array(LEVELS) - 1e-12)  # the smallest value with so much at or below it
    assert record["quantities"][1]["quantiles"].count(0.0) >= 7
    assert max(record["quantities"][1]["bins"]) >= 2000


def test_an_image_gives_sum_maximum_and_cells():
    images = np.zeros((3, 4, 5, 1), np.float32)
    images[0, 1, 2, 0], images[0, 3, 4, 0], images[1, 0, 0, 0], images[2, 0, 0, 0] = 2.5, 1.0, -1.0, np.nan
    found = {name: values for (_, name), values in quantities_of("et", images).items()}
    assert np.array_equal(found["sum"], [3.5, -1.0, np.nan], equal_nan=True)
    assert np.array_equal(found["maximum"], [2.5, 0.0, np.nan], equal_nan=True)
    assert np.array_equal(found["cells"], [2.0, 0.0, np.nan], equal_nan=True)


def test_a_sequence_counts_each_step_and_their_number():
    found = quantities_of("s", np.arange(12.0).reshape(2, 3, 2), ["a", "b"])
    assert found[("variable", "b")].tolist() == [1, 3, 5, 7, 9, 11]
    assert found[("quantity", "steps")].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("batches", "variables", "words"),
    [
        ([], {"x": ["a"]}, "no events"),
        ([{"x": np.zeros((0, 1))}], {"x": ["a"]}, "no events"),
        ([{"y": np.zeros((2, 1))}], {"x": ["a"]}, "'x' is missing"),
        ([{"x": np.zeros((2, 3))}], {"x": ["a"]}, "wrong shape"),
        ([{"x": np.zeros((2, 3))}], {"x": []}, "wrong shape"),
        ([{"x": np.zeros((2, 1)), "y": np.zeros((3, 1))}], {"x": ["a"], "y": ["b"]}, "number of events"),
        ([{"x": np.full((2, 1), np.nan)}], {"x": ["a"]}, "no finite value of x.a"),
    ],
    ids=range(7),
)
def test_what_cannot_be_measured_is_named(batches, variables, words):
    with pytest.raises(DataError, match=words):
        measure_ranges(batches, variables)
