"""Graphs go to EnergyFlow and come back, and mean the same there."""

import numpy as np
import pytest

import hepml
from hepml.efp import from_energyflow, to_energyflow
from hepml.efp.graphs import find_graph, graphs
from hepml.errors import DataError


@pytest.fixture
def energyflow():
    return pytest.importorskip("energyflow", reason="the extra energyflow is not installed")


def test_sets_go_there_and_come_back(energyflow):
    chosen = graphs("d<=4, p>=1")
    there = energyflow.EFPSet(*to_energyflow(chosen))
    assert sorted(from_energyflow(there), key=lambda graph: graph.order) == chosen
    named = energyflow.EFPSet("d<=7", "p==1")
    assert {graph.name for graph in from_energyflow(named)} == {graph.name for graph in graphs("d<=7")}
    assert from_energyflow(named.specs) == from_energyflow(named)


def test_values_are_the_same_there(energyflow):
    rng = np.random.default_rng(3)
    constituents = np.column_stack([rng.exponential(size=6), *rng.normal(size=(2, 6)) * 0.2])
    given = np.column_stack([constituents + np.array([0, 0, np.pi]), np.zeros(6)])
    chosen = graphs("d<=4, p>=1")
    options = {"measure": "hadr", "coords": "ptyphim", "kappa": 0.5, "beta": 2}
    theirs = energyflow.EFPSet(*to_energyflow(chosen), normed=True, **options).compute(given)
    np.testing.assert_allclose(hepml.efp(constituents, chosen, 0.5, 2).values[0], theirs, rtol=1e-10)
    theirs = energyflow.EFPSet(*to_energyflow(chosen), normed=False, **options).compute(given)
    np.testing.assert_allclose(hepml.efp(constituents, chosen, 0.5, 2, normed=False).values[0], theirs, rtol=1e-10)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ([], "1_0_0"),
        ([(9, 4), (4, 9)], "2_2_0"),
        ((4, 5, 1), "4_5_1"),
        ([(0, 1), (3, 2), (2, 0), (1, 3)], "4_4_4"),
        ([(5, 7), (0, 1), (1, 0)], "2_1_0x2_2_0"),
        ([(("a", "b")), ("b", "c"), ("c", "a")], "3_3_1"),
        ([3, 3, 3, 1, 1, 3, 1, 0], "3_3_1"),
    ],
)
def test_one_graph_by_edges_or_numbers(given, name):
    assert from_energyflow(given) == find_graph(name)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("d<=7", "not a graph of EnergyFlow"),
        ([(0, 0)], "joins a vertex to itself"),
        ([(0, 1, 2)], "not a graph"),
        ([(0, 1)] * 9, "no graph has these edges"),
        ((3, 3, 9), "no graph is named"),
        ([4, 2, 2, 1, 0, 2, 2, 4], "index does not say"),
        ([4, 4, 4, 1, -1, 2, 1, 4], "index does not say"),
        (3.5, "not a graph of EnergyFlow"),
    ],
)
def test_what_is_no_graph_is_refused(given, problem):
    with pytest.raises(DataError, match=problem):
        from_energyflow(given)
