"""Graphs against counts of the literature, renumbering, and EnergyFlow."""

from collections import Counter

import numpy as np
import pytest

from hepml.efp.graphs import canonical, connected, find_graph, graphs, size
from hepml.errors import DataError


def test_counts_are_those_of_the_paper():
    """EnergyFlow's, and the set of "Learning to identify electrons"."""
    chosen = graphs("d<=7")
    assert [sum(graph.d == d for graph in chosen) for d in range(8)] == [1, 1, 2, 5, 12, 33, 103, 333]
    assert Counter(graph.n for graph in chosen) == dict(enumerate([1, 7, 23, 77, 133, 145, 81, 23], 1))
    assert Counter(graph.c for graph in chosen) == {1: 1, 2: 238, 3: 247, 4: 4}
    fours = Counter((graph.n, graph.d) for graph in graphs("d<=8, c==4"))
    assert fours == {(4, 6): 1, (4, 7): 1, (4, 8): 3, (5, 7): 2, (5, 8): 7, (6, 8): 9}
    assert len(graphs("papers")) == 509
    assert graphs("d<=7|d<=8,c==4") == graphs("papers")
    assert [graph.name for graph in graphs("n==1 | d==1|d<=1")] == ["1_0_0", "2_1_0"]
    assert [len(graphs(f"d=={d}, p>=1")) for d in range(8)] == [1, 1, 3, 8, 23, 66, 212, 686]


def test_the_table_holds_the_enumeration():
    for d in range(8):
        assert sorted(graph.edges for graph in graphs(f"d=={d}")) == list(connected(d))


def test_graphs_that_are_drawn_differently_are_one():
    rng = np.random.default_rng(0)
    for graph in graphs("d<=7")[::7]:
        places = rng.permutation(graph.n)
        edges = [tuple(rng.permutation([places[i], places[j]]).tolist()) for i, j in graph.edges]
        assert canonical(graph.n, [edges[k] for k in rng.permutation(graph.d)]) == graph.edges, graph.name
    assert len({(graph.n, graph.edges) for graph in graphs("d<=8")}) == len(graphs("d<=8"))


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("1_0_0", ""),
        ("2_3_0", "01 01 01"),
        ("3_3_1", "01 02 12"),
        ("4_5_1", "01 02 02 03 03"),
        ("4_6_11", "01 02 12 03 03 03"),
        ("5_4_0", "01 02 03 04"),
        ("8_7_0", "01 02 03 04 05 06 07"),
        ("3_7_6", "01 01 02 02 12 12 12"),
    ],
)
def test_the_papers_graphs_have_their_names(name, edges):
    pairs = [(int(i), int(j)) for i, j in edges.split()]
    assert canonical(size(tuple(pairs)), pairs) == find_graph(name).edges


def test_energyflow_has_the_same_graphs():
    energyflow = pytest.importorskip("energyflow", reason="the extra energyflow is not installed")
    theirs = energyflow.EFPSet("d<=7")
    columns = [theirs.cols.tolist().index(letter) for letter in "ndcp"]
    assert Counter(map(tuple, theirs.specs[:, columns].tolist())) == Counter(
        (graph.n, graph.d, graph.c, graph.p) for graph in graphs("d<=7, p>=1")
    )
    single = energyflow.EFPSet("d<=7", "p==1")
    columns = [single.cols.tolist().index(letter) for letter in "ndk"]
    for spec, edges in zip(single.specs[:, columns].tolist(), single.graphs(), strict=True):
        assert find_graph("_".join(map(str, spec))).edges == canonical(spec[0], edges)


@pytest.mark.parametrize(
    ("which", "problem"),
    [
        ("d<=", "not a condition"),
        ("x<3", "not a condition"),
        ("3_3_9", "no graph is named '3_3_9'"),
        ("", "not a"),
        ("d<=2|", "not a"),
        ("1_0_0x2_1_0", "no graph is named"),
    ],
)
def test_what_names_no_graph_is_refused(which, problem):
    with pytest.raises(DataError, match=problem):
        graphs(which)
