"""Columns that are equal by definition: none is missed, none is called equal that is not."""

import numpy as np
import pytest

import hepml
from hepml.efp.columns import parse_column
from hepml.efp.graphs import graphs
from hepml.efp.identities import grid_names, identities

KAPPAS, BETAS = (-1, 0, 0.5, 1, 2), (0.5, 1, 2)


def test_those_of_the_electron_study():
    names = grid_names(["ecal"], graphs("papers"), KAPPAS, BETAS)
    assert len(set(names)) == 7635
    found = identities(names)
    # 8 graphs of at most 3 edges have a double that is among the 509 (two pairs of betas); one has a fourfold one,
    # which is the double of its double; the point has one beta instead of three
    assert len(found) == (8 + 8 + 2) * len(KAPPAS) == 90
    assert found["et_efp_2_2_0_k_-1_b_1"] == found["et_efp_2_4_0_k_-1_b_0.5"] == "et_efp_2_1_0_k_-1_b_2"
    assert found["et_efp_1_0_0_k_2_b_2"] == "et_efp_1_0_0_k_2_b_0.5"
    assert not set(found) & set(found.values())


def test_they_are_equal_on_events_and_no_others_are():
    rng = np.random.default_rng(5)
    events = rng.random((6, 7, 3))
    chosen = graphs("d<=6, p>=1")
    betas = (0.2, 0.5, 0.6, 1, 2, 3)
    values = hepml.efp(events, chosen, 0.7, betas).values
    names = grid_names(["ecal"], chosen, [0.7], betas)
    found = identities(names)
    place = {name: number for number, name in enumerate(names)}
    for name, kept in found.items():
        np.testing.assert_allclose(values[:, place[name]], values[:, place[kept]], rtol=1e-11, err_msg=name)
    others = [name for name in names if name not in found]
    rows = np.log(values[:, [place[name] for name in others]]).T
    order = np.argsort(rows[:, 0])
    close = np.flatnonzero(np.abs(np.diff(rows[order], axis=0)).max(axis=1) < 1e-9)
    assert [(others[order[k]], others[order[k + 1]]) for k in close] == []


def test_thirds_are_told_by_their_product():
    assert identities(["et_efp_2_3_0_k_1_b_0.2", "et_efp_2_1_0_k_1_b_0.6"]) == {
        "et_efp_2_3_0_k_1_b_0.2": "et_efp_2_1_0_k_1_b_0.6"
    }


@pytest.mark.parametrize("other", ["ht_efp_2_2_0_k_1_b_0.5", "et_efp_2_2_0_k_2_b_0.5", "et_efp_3_2_0_k_1_b_0.5"])
def test_another_calorimeter_kappa_or_graph_is_another_column(other):
    assert identities(["et_efp_2_1_0_k_1_b_1", other]) == {}
    assert parse_column(other).name == other
