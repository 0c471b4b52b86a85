"""The columns of a name: what it says, and the same values as of the whole grid."""

import numpy as np
import pytest

import hepml
from hepml.demo import sample_file
from hepml.efp.columns import column_name, compute_columns, parse_column
from hepml.efp.graphs import graphs
from hepml.errors import DataError


@pytest.fixture(scope="module")
def images():
    return hepml.make_images(hepml.select_candidates(hepml.open_events(sample_file("electrons"), entry_stop=30)))


def test_a_name_says_what_was_computed():
    for calorimeter in ("ecal", "hcal"):
        for graph in [*graphs("papers"), *graphs("d<=3, p>1")]:
            for kappa, beta in ((-1, 0.5), (0.25, 4), (0, 1), (2, 1e-05)):
                name = column_name(calorimeter, graph.name, kappa, beta)
                column = parse_column(name)
                assert (column.name, column.calorimeter, column.graph) == (name, calorimeter, graph)
                assert (column.kappa, column.beta) == (kappa, beta)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("efp_2_1_0_k_1_b_1", "no polynomial is named"),
        ("et_efp_2_1_k_1_b_1", "no polynomial is named"),
        ("et_efp_2_1_0_k_one_b_1", "no numbers"),
        ("et_efp_2_1_0_k_nan_b_1", "no numbers"),
        ("et_efp_2_1_0_k_1_b_1e999", "no numbers"),
        ("et_efp_2_1_0_k_1.0_b_1", "et_efp_2_1_0_k_1_b_1"),
        ("et_efp_2_1_1_k_1_b_1", "no graph is named"),
        ("et_efp_2_1_0_k_1_b_1\n", "no polynomial is named"),
        (7, "no polynomial is named"),
    ],
)
def test_other_names_are_refused(name, problem):
    with pytest.raises(DataError, match=problem):
        parse_column(name)


def test_exponents_that_a_name_cannot_hold_are_refused():
    with pytest.raises(DataError, match="six digits"):
        column_name("ecal", "2_1_0", 1 / 3, 1)
    with pytest.raises(DataError, match="no calorimeter"):
        column_name("et", "2_1_0", 1, 1)


def test_columns_are_those_of_the_whole_grid(images):
    grids = [hepml.efp(images.ecal_et, "d<=4", (-1, 0.5, 2), (0.5, 2), "ecal")]
    grids += [hepml.efp(images.hcal_et, "d<=4", (-1, 0.5, 2), (0.5, 2), "hcal")]
    right = {name: column for grid in grids for name, column in zip(grid.names, grid.values.T, strict=True)}
    rng = np.random.default_rng(3)
    names = [str(name) for name in rng.permutation(list(right))[:40]]
    found = compute_columns(images.ecal_et, images.hcal_et, names)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.stack([right[name] for name in names], axis=1), rtol=1e-12)
    alone = compute_columns(images.ecal_et, None, "et_efp_1_0_0_k_2_b_2", threads=2)
    np.testing.assert_allclose(alone[:, 0], right["et_efp_1_0_0_k_2_b_2"], rtol=1e-12)


def test_no_columns_and_no_events(images):
    assert compute_columns(images.ecal_et, images.hcal_et, []).shape == (len(images.ecal_et), 0)
    assert compute_columns(images.ecal_et[:0], None, ["et_efp_2_1_0_k_1_b_1"]).shape == (0, 1)


def test_what_cannot_be_computed_is_refused(images):
    with pytest.raises(DataError, match="twice"):
        compute_columns(images.ecal_et, None, ["et_efp_2_1_0_k_1_b_1"] * 2)
    with pytest.raises(DataError, match="no images of the calorimeter"):
        compute_columns(images.ecal_et, None, ["ht_efp_2_1_0_k_1_b_1"])
    with pytest.raises(DataError, match="not as many images"):
        compute_columns(images.ecal_et, images.hcal_et[1:], ["ht_efp_2_1_0_k_1_b_1"])
