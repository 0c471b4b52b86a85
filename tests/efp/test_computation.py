"""The polynomials against their definition, and against EnergyFlow."""

import itertools

import awkward as ak
import numpy as np
import pytest

import hepml
from hepml.efp import to_energyflow
from hepml.efp.graphs import Graph, find_graph, graphs
from hepml.errors import DataError


def definition(graph, z, places, kappa, beta):
    """The sum over all choices of a constituent for each vertex."""
    eta, phi = places
    away = np.abs(phi[:, None] - phi)
    away = np.where(away > np.pi, np.abs(np.remainder(away + np.pi, 2 * np.pi) - np.pi), away)
    theta = np.sqrt((eta[:, None] - eta) ** 2 + away**2)
    chosen = np.indices((len(z),) * graph.n).reshape(graph.n, -1)
    terms = np.prod(z[chosen] ** kappa, axis=0)
    for i, j in graph.edges:
        terms = terms * theta[chosen[i], chosen[j]] ** beta
    return terms.sum()


def event(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.exponential(size=n), rng.normal(size=n) * 0.2, rng.normal(size=n) * 0.2])


@pytest.mark.parametrize(("kappa", "beta"), [(1, 1), (0.5, 2), (-1, 0.25), (2, 4), (0, 0.5), (0.25, 3)])
def test_values_are_those_of_the_definition(kappa, beta):
    chosen = [graph for graph in graphs("papers") if graph.n <= 6]
    constituents = event(4)
    z = constituents[:, 0] / constituents[:, 0].sum()
    found = hepml.efp(constituents, chosen, kappa, beta).values[0]
    right = [definition(graph, z, constituents[:, 1:].T, kappa, beta) for graph in chosen]
    np.testing.assert_allclose(found, right, rtol=1e-12)


def test_products_and_the_wheel():
    """A graph of two parts, and one that EnergyFlow calls of complexity 5."""
    names = ["2_1_0x3_3_1", "5_8_192", "1_0_0"]
    constituents = event(5)
    z = constituents[:, 0] / constituents[:, 0].sum()
    found = hepml.efp(constituents, names, 1, 1)
    right = [definition(graph, z, constituents[:, 1:].T, 1, 1) for graph in found.graphs]
    np.testing.assert_allclose(found.values[0], right, rtol=1e-12)


@pytest.mark.parametrize("cpu", ["generic", "avx2", "avx512"])
def test_instruction_sets_agree(cpu, monkeypatch):
    from hepml import _core

    chosen = [(graph.n, list(graph.edges)) for graph in graphs("papers")]
    try:
        program = _core.Polynomials(chosen, cpu)
    except hepml.HepmlError:
        pytest.skip(f"this processor has no {cpu}")
    constituents = event(29)
    columns = [np.ascontiguousarray(column) for column in constituents.T]
    found = program.compute(*columns, np.array([0, 13, 29]), True, [0.5, 1.0], [1.0], 1)
    both = [hepml.efp(one, "papers", (0.5, 1), 1).values for one in (constituents[:13], constituents[13:])]
    np.testing.assert_allclose(np.asarray(found).reshape(2, -1), np.concatenate(both), rtol=1e-12)


@pytest.mark.parametrize(("name", "side"), [("ecal", 31), ("hcal", 32)])
def test_energyflow_gives_the_same_on_real_images(name, side):
    """All 509 graphs with every kappa and beta of both studies; EnergyFlow's measure, then its set of graphs."""
    energyflow = pytest.importorskip("energyflow", reason="the extra energyflow is not installed")
    from hepml.demo import sample_file

    candidates = hepml.select_candidates(hepml.open_events(sample_file("electrons"), entry_stop=40))
    images = hepml.make_images(candidates)
    dense = np.asarray(images.ecal_et if name == "ecal" else images.hcal_et).reshape(-1, side, side)
    filled = np.count_nonzero(dense, axis=(1, 2))
    dense = dense[np.argsort(np.where(filled > 4, filled, 10_000))[[0, 5]]]  # EnergyFlow takes long for many pixels
    spread = np.arange(side) - (side - 1) / 2
    phi_width = np.pi / 126 if name == "ecal" else np.pi / 124
    kappas, betas = (-1, 0, 0.25, 0.5, 1, 2), (0.25, 0.5, 1, 2, 3, 4)
    found = hepml.efp(dense, "papers", kappas, betas, name)
    theirs = energyflow.EFPSet(*to_energyflow("papers"))
    for image, values in zip(dense, found.values.reshape(len(dense), 509, -1), strict=True):
        rows, columns = np.nonzero(image)
        z = np.float64(image[rows, columns])
        places = spread[columns] * 0.025, np.pi - spread[rows] * phi_width, np.zeros(len(z))
        particles = np.column_stack([z / z.sum(), *places])
        for mine, (kappa, beta) in zip(values.T, itertools.product(kappas, betas), strict=True):
            measure = energyflow.Measure("hadr", kappa=kappa, beta=beta, normed=False, coords="ptyphim")
            zs, thetas = measure.evaluate(particles)
            right = theirs.compute(zs=zs, thetas=thetas)
            np.testing.assert_allclose(mine, right, rtol=1e-10, err_msg=f"{kappa} {beta}")


def test_kinds_of_input_are_one():
    """An image, its constituents, a padded batch, lists, an awkward array; on one thread and on several."""
    rng = np.random.default_rng(1)
    images = np.where(rng.random((40, 31, 31)) < 0.02, rng.exponential(size=(40, 31, 31)), 0).astype(np.float32)
    images[3] = 0
    lists = []
    for image in images:
        rows, columns = np.nonzero(image)
        places = [image[rows, columns], (columns - 15) * 0.025, (15 - rows) * np.pi / 126]
        lists.append(np.column_stack(places).astype(np.float64))
    padded = np.zeros((40, max(map(len, lists)) + 2, 3))
    for row, one in zip(padded, lists, strict=True):
        row[1 : len(one) + 1] = one
    right = hepml.efp(images, "d<=4", (-1, 1), (0.5, 2), threads=1)
    assert right.values.shape == (40, 21 * 4)
    assert not right.values[3].any()
    for given in (images[..., None], padded, lists, ak.Array([one.tolist() for one in lists])):
        found = hepml.efp(given, "d<=4", (-1, 1), (0.5, 2), threads=3)
        np.testing.assert_allclose(found.values, right.values, rtol=1e-12)
    one = hepml.efp(lists[0], "d<=4", (-1, 1), (0.5, 2))
    np.testing.assert_allclose(one.values[0], right.values[0], rtol=1e-12)


def test_numbers_of_constituents():
    """None, one, and more than the memory of the events before."""
    counts = [0, 1, 2, 600, 3, 0]
    lists = [event(n, seed=n) for n in counts]
    found = hepml.efp(lists, ["1_0_0", "2_1_0", "3_3_1"], 1, 1).values
    assert found[:, 0].tolist() == pytest.approx([0, 1, 1, 1, 1, 0])
    assert found[1].tolist() == [1, 0, 0]
    z = lists[3][:, 0] / lists[3][:, 0].sum()
    theta = np.hypot(*(lists[3][:, None, 1:] - lists[3][None, :, 1:]).transpose(2, 0, 1))
    assert found[3, 1] == pytest.approx(z @ theta @ z, rel=1e-12)
    assert found[3, 2] == pytest.approx(np.einsum("i,j,k,ij,jk,ik", z, z, z, theta, theta, theta, optimize=True))


def test_the_toy_and_what_normed_means():
    toy = np.array([[0.6, 0.0, 0.0], [0.4, 0.3, 0.0]])
    assert hepml.efp(toy, "2_1_0", 1, 1).values[0, 0] == pytest.approx(0.144, rel=1e-14)
    assert hepml.efp(toy, "1_0_0", 2, 1).values[0, 0] == pytest.approx(0.52, rel=1e-14)
    constituents = np.array([[3.0, 0.0, 0.0], [1.0, 0.3, 0.4]])
    assert hepml.efp(constituents, "2_1_0", 1, 1).values[0, 0] == pytest.approx(2 * 0.75 * 0.25 * 0.5)
    assert hepml.efp(constituents, "2_1_0", 1, 1, normed=False).values[0, 0] == pytest.approx(2 * 3 * 0.5)
    around = np.array([[1.0, 0.0, 3.1], [1.0, 0.0, -3.1]])
    assert hepml.efp(around, "2_1_0", 1, 1).values[0, 0] == pytest.approx((2 * np.pi - 6.2) / 2)


def test_names_say_what_a_column_is():
    found = hepml.efp(np.zeros((0, 32, 32)), ["2_1_0", "1_0_0"], (0.5, 1), (1, 2), "hcal")
    assert found.values.shape == (0, 8)
    assert found.names[:3] == ("ht_efp_1_0_0_k_0.5_b_1", "ht_efp_1_0_0_k_0.5_b_2", "ht_efp_1_0_0_k_1_b_1")
    assert hepml.efp(event(3), "2_1_0", 1, 1, None).names == ("efp_2_1_0_k_1_b_1",)


def test_edges_are_the_places_of_the_reference():
    image = np.zeros((1, 31, 31))
    image[0, 15, 15], image[0, 15, 20] = 1, 1
    centres, edges = (hepml.efp(image, "2_1_0", 1, 1, pixels=one).values[0, 0] for one in ("centres", "edges"))
    assert (centres, edges / centres) == (pytest.approx(5 * 0.025 / 2), pytest.approx(31 / 30))


@pytest.mark.parametrize("given", [np.zeros((0, 3)), np.zeros((1, 0, 3)), [np.zeros((0, 3))]])
def test_an_event_without_constituents_has_zero(given):
    assert hepml.efp(given, "d<=1", 1, 1).values.tolist() == [[0, 0]]
    assert hepml.efp(np.zeros((0, 5, 3)), "d<=1", 1, 1).values.shape == (0, 2)


def test_minus_zero_is_zero():
    assert hepml.efp(event(3), "2_1_0", -0.0, 1).names == ("et_efp_2_1_0_k_0_b_1",)


def test_what_is_not_finite_gives_nan():
    constituents = event(5)
    constituents[2, 0] = np.nan
    assert np.isnan(hepml.efp(constituents, "d<=2", 1, 1).values).all()


@pytest.mark.parametrize(
    ("given", "options", "problem"),
    [
        (np.zeros((2, 30, 30)), {}, "another size"),
        (np.zeros((2, 5)), {}, "neither images nor"),
        (np.zeros((2, 31, 31)), {"calorimeter": "ecla"}, "no calorimeter"),
        (np.zeros((2, 31, 31)), {"kappa": float("nan")}, "finite"),
        (np.zeros((2, 31, 31)), {"kappa": ()}, "finite"),
        (np.zeros((2, 31, 31)), {"beta": (1, 1)}, "twice"),
        (np.zeros((2, 31, 31)), {"pixels": "corners"}, "pixels"),
        (np.zeros((2, 31, 31)), {"threads": 0}, "threads"),
        (np.zeros((2, 31, 31)), {"graphs": "n>40"}, "no graph"),
        ([[[1.0, 2.0]]], {}, "not three numbers"),
        ("electrons", {}, "neither images nor"),
        (np.zeros((2, 31, 31), complex), {}, "neither images nor"),
        (np.ma.masked_array(np.zeros((2, 3)), mask=True), {}, "neither images nor"),
        (ak.Array([[[1.0, 0.0, 0.0]], None]), {}, "missing"),
        (ak.Array([[[1.0, 0.0, None]]]), {}, "missing"),
        (np.zeros((2, 31, 31)), {"graphs": None}, "no choice of graphs"),
        (np.zeros((2, 31, 31)), {"graphs": [Graph("2_1_0", 2, 1, 2, ((0, 300),))]}, "vertex that is not there"),
        (np.zeros((2, 31, 31)), {"graphs": [find_graph("2_1_0")] * 2}, "two columns have one name"),
        (np.zeros((2, 31, 31)), {"kappa": (0.1234567, 0.1234568)}, "two columns have one name"),
        (np.zeros((2, 31, 31)), {"beta": -1}, "no power below 0"),
    ],
)
def test_what_cannot_be_is_refused(given, options, problem):
    with pytest.raises(DataError, match=problem):
        hepml.efp(given, **options)


def test_a_graph_that_is_too_dense_is_refused():
    five = Graph("5_10_0", 5, 10, 5, tuple(itertools.combinations(range(5), 2)))
    with pytest.raises(hepml.HepmlError, match="too dense"):
        hepml.efp(event(5), [five], 1, 1)
    assert find_graph("5_8_192").c == 5
