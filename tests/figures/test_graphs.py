"""Drawings of graphs: every edge is there, inside the box, and files are the same whenever they are written."""

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from matplotlib.patches import Circle, PathPatch

from hepml.cli.main import hepml as program
from hepml.efp.graphs import Graph, find_graph, graphs
from hepml.errors import DataError, OutputError
from hepml.plots import draw_graph, graph_catalogue, save_graphs


@pytest.mark.parametrize("n", range(1, 9))
def test_every_edge_is_drawn_inside_the_box_and_on_its_own(n):
    for graph in graphs("papers"):
        if graph.n == n:
            check_drawing(graph, draw_graph(graph))


def check_drawing(graph, axes):
    vertices = [patch for patch in axes.patches if isinstance(patch, Circle)]
    edges = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    assert (len(vertices), len(edges)) == (graph.n, graph.d)
    middles = []
    for edge in edges:
        points = edge.get_path().interpolated(1).to_polygons(closed_only=False)[0]
        assert points.min() >= 2
        assert points.max() <= 348
        start, control, end = edge.get_path().vertices
        middles.append((start + 2 * control + end) / 4)
        ends = sorted(min(range(graph.n), key=lambda v: np.hypot(*(vertices[v].center - end))) for end in (start, end))
        assert tuple(ends) in graph.edges
    parallel = [pair for pair in graph.edges if graph.edges.count(pair) > 1]
    if parallel:
        own = [place for place, pair in zip(middles, graph.edges, strict=True) if pair == parallel[0]]
        apart = np.hypot(*(np.array(own)[:, None] - np.array(own)).T) + 350 * np.eye(len(own))
        assert apart.min() > 10


def test_files_have_the_reference_size_and_no_background(tmp_path):
    paths = save_graphs(["3_3_1", "1_0_0"], tmp_path / "one")
    names = [f"{name}.{kind}" for name in ("1_0_0", "3_3_1") for kind in ("pdf", "png", "eps")]
    assert [path.name for path in paths] == names
    png = imread(tmp_path / "one" / "3_3_1.png")
    assert png.shape == (350, 350, 4)
    assert png[0, 0, 3] == 0
    red = (png[..., 0] > (0xE3 + 0x33) / 2 / 255) & (png[..., 3] == 1)  # and not the frame's grey
    assert red.sum() == pytest.approx(3 * np.pi * 18**2, rel=0.02)
    assert (tmp_path / "one" / "3_3_1.eps").read_bytes().startswith(b"%!PS-Adobe-3.0 EPSF")
    again = save_graphs(["3_3_1", "1_0_0"], tmp_path / "two")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]
    with pytest.raises(OutputError, match="exists"):
        save_graphs(["3_3_1"], tmp_path / "one")


def test_the_catalogue_names_each_graph():
    record = graph_catalogue("d<=4")
    chosen = graphs("d<=4")
    assert {text.get_text() for text in record.axes["main"].texts} == {graph.name for graph in chosen} | {
        f"d = {d}" for d in range(5)
    }
    assert len(record.axes["main"].patches) == sum(graph.n + graph.d for graph in chosen)
    rows = dict(zip(record.table["name"], record.table["edges"], strict=True))
    assert rows["3_3_0"] == "0-1 0-2 0-2"
    assert record.figure.get_size_inches()[0] == pytest.approx(0.6 * 13)


def test_products_are_drawn_too():
    assert len(draw_graph(find_graph("2_1_0x3_3_1")).patches) == 9


def test_the_command_writes_graphs_and_the_catalogue(tmp_path):
    done = CliRunner().invoke(program, ["plot", "graphs", "2_1_0", "3_3_1", "--format", "png", "-o", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, f"2 graphs in {tmp_path}\n")
    names = ["2_1_0.png", "3_3_1.png", *(f"catalogue.{kind}" for kind in ("json", "pdf", "png"))]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(DataError, match="not drawn as 'svg'"):
        save_graphs("d<=1", tmp_path, formats=["svg"])
    with pytest.raises(DataError, match="no graph is chosen"):
        graph_catalogue([])
    assert draw_graph(Graph("1_0_0", 1, 0, 1, ())).patches[0].center == (175, 175)
