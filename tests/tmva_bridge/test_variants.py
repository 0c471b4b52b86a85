"""What the reference files do not hold, against slow copies of the formulas of one event."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import tmva_files as files
import tmva_reference

from hepml.errors import SchemaError
from tmva_bridge import read_weights

RNG = np.random.default_rng(11)
EVENTS = np.concatenate([RNG.normal(size=(60, 2)), [[0.0, 0.0], [0.25, -0.25], [1e6, -1e6]]]).astype(np.float32)


def random_tree(rng: np.random.Generator, depth: int = 0, pos: str = "s", fisher: bool = False) -> str:
    purity = float(rng.uniform())
    leaf = {"purity": purity, "res": float(rng.normal()), "nType": 1 if purity > 0.5 else -1}
    if depth == 3 or (depth and rng.uniform() < 0.2):
        return files.node(pos, **leaf)
    children = [random_tree(rng, depth + 1, side, fisher) for side in "lr"]
    more = {"IVar": int(rng.integers(2)), "Cut": float(rng.choice([-0.25, 0.0, 0.25, rng.normal()]))}
    if fisher and rng.uniform() < 0.5:
        more |= {"NCoef": 3, "IVar": 2} | {f"fC{i}": float(rng.normal()) for i in range(3)}
    return files.node(pos, *children, cType=int(rng.integers(2)), **more)


def random_forest(count: int, analysis: int = 0, fisher: bool = False, more: str = "") -> str:
    rng = np.random.default_rng(count)
    trees = [(float(rng.uniform(0.1, 2)), random_tree(rng, fisher=fisher)) for _ in range(count)]
    return files.forest(*trees, analysis=analysis, more=more)


def selected(low: dict[str, float]) -> str:
    names = [f"Preselection{name}Var{i}" for i in (0, 1) for name in ("LowBkg", "LowSig", "HighBkg", "HighSig")]
    return " ".join(f'{name}="{int(name in low)}" {name}Value="{low.get(name, 0.0)}"' for name in names)


CUTS = {"PreselectionLowBkgVar0": -0.5, "PreselectionHighSigVar1": 0.75, "PreselectionLowSigVar1": -1.0}
TREES = {
    "RealAdaBoost": ({"BoostType": "RealAdaBoost", "UseYesNoLeaf": "True"}, "Classification", random_forest(9)),
    "AdaCost": ({"BoostType": "AdaCost"}, "Classification", random_forest(5)),
    "Bagging": ({"BoostType": "Bagging", "UseYesNoLeaf": "False"}, "Classification", random_forest(7)),
    "Bagging of yes and no": ({"BoostType": "bagging"}, "Classification", random_forest(7)),
    "Fisher cuts": ({"BoostType": "AdaBoost", "UseFisherCuts": "True"}, "Classification", random_forest(12, 0, True)),
    "Grad": ({"BoostType": "Grad"}, "Classification", random_forest(13, 1)),
    "Grad with Fisher cuts": ({"BoostType": "Grad"}, "Classification", random_forest(13, 1, True)),
    "preselection": (
        {"BoostType": "AdaBoost", "DoPreselection": "True"},
        "Classification",
        random_forest(6, more=selected(CUTS)),
    ),
    "Grad, several classes": ({"BoostType": "Grad"}, "Multiclass", random_forest(9, 1)),
    "Grad, regression": ({"BoostType": "Grad"}, "Regression", random_forest(8, 1)),
    "AdaBoostR2": ({"BoostType": "AdaBoostR2"}, "Regression", random_forest(23, 1)),
    "AdaBoostR2, few trees": ({"BoostType": "AdaBoostR2"}, "Regression", random_forest(3, 1)),
    "Bagging, regression": ({"BoostType": "Bagging"}, "Regression", random_forest(8, 1)),
}


@pytest.mark.parametrize("kind", TREES)
def test_trees(kind: str, tmp_path: Path) -> None:
    options, analysis, weights = TREES[kind]
    classes = ("A", "B", "C") if analysis == "Multiclass" else ("Signal", "Background")
    path = files.written(tmp_path / "a.xml", "BDT", weights, options=options, analysis=analysis, classes=classes)
    if kind == "preselection":
        assert {-1.0, 1.0} <= set(read_weights(path).evaluate(EVENTS).tolist())
    expected = np.array([tmva_reference.bdt(path, x) for x in EVENTS.tolist()])
    out = read_weights(path).evaluate(EVENTS).reshape(len(EVENTS), -1)
    if analysis == "Classification":
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-14)
    else:  # TMVA gives float32
        np.testing.assert_allclose(out, expected, rtol=1e-7, atol=1e-7)


LAYERS = [
    [[0.5, -1.25, 2.0], [1.5, 0.25, -0.75], [0.1, 0.2, -0.3]],
    [[0.3, -0.6], [1.1, 0.4], [-0.9, 0.8], [0.05, -0.15]],
    [[1.2], [-0.7], [0.33]],
]


@pytest.mark.parametrize("neuron", ["sigmoid", "tanh", "ReLU", "radial", "linear"])
@pytest.mark.parametrize(("joins", "estimator"), [("sum", "CE"), ("sum", "MSE"), ("sqsum", "MSE"), ("abssum", "CE")])
def test_networks(neuron: str, joins: str, estimator: str, tmp_path: Path) -> None:
    options = {"NeuronType": neuron, "NeuronInputType": joins, "EstimatorType": estimator}
    path = files.written(tmp_path / "a.xml", "MLP", files.network(*LAYERS), options=options)
    events = EVENTS[:-1]
    last = "sigmoid" if estimator == "CE" else "linear"
    expected = [tmva_reference.mlp(LAYERS, x, neuron, joins, last)[0] for x in events.tolist()]
    np.testing.assert_allclose(read_weights(path).evaluate(events), expected, rtol=1e-6, atol=1e-6)


def test_networks_of_old_files(tmp_path: Path) -> None:
    """Before 4.2.1 tanh was exact, before 4.1.0 there was one estimator."""
    options = {"NeuronType": "tanh", "EstimatorType": "MSE"}
    weights = files.network([[2.0], [3.0], [0.5]], [[1.5], [0.25]])
    hidden = np.tanh(EVENTS.astype(np.float64) @ [2.0, 3.0] + 0.5)
    path = files.written(tmp_path / "a.xml", "MLP", weights, options=options, release="4.2.0 [262656]")
    np.testing.assert_allclose(read_weights(path).evaluate(EVENTS), 1.5 * hidden + 0.25, rtol=1e-12)
    path = files.written(tmp_path / "b.xml", "MLP", weights, options={"NeuronType": "tanh"}, release="4.0.7 [262151]")
    np.testing.assert_allclose(read_weights(path).evaluate(EVENTS), 1.5 * hidden + 0.25, rtol=1e-12)
    path = files.written(tmp_path / "c.xml", "MLP", weights, options={"NeuronType": "tanh"})
    with pytest.raises(SchemaError, match="'EstimatorType' is absent"):
        read_weights(path)


@pytest.mark.parametrize("neurons", ["NeuronType", "NeuronInputType", "EstimatorType"])
def test_networks_of_unknown_kinds(neurons: str, tmp_path: Path) -> None:
    options = {"NeuronType": "tanh", "EstimatorType": "MSE"} | {neurons: "swish"}
    path = files.written(tmp_path / "a.xml", "MLP", files.network(*LAYERS), options=options)
    with pytest.raises(SchemaError, match=f"'{neurons}' has an unknown value") as caught:
        read_weights(path)
    assert caught.value.parts["found"] == "swish"


CONTENTS = [1.0, 4.0, 9.0, 16.0, 20.0, 14.0, 6.0, 5.0, 2.0, 1.0, 3.0, 2.0]


@pytest.mark.parametrize(("rounds", "border"), list(itertools.product((1, 2), (1, 2, 3))))
def test_densities_by_kernels(rounds: int, border: int, tmp_path: Path) -> None:
    pdfs = [
        files.density(contents, -3, 3, 5, KDE_iter=rounds, KDE_border=border, KDE_finefactor=0.8)
        for contents in (CONTENTS, CONTENTS[::-1])
    ]
    rows = "".join(f'<PDFDescriptor VarIndex="0" ClassIndex="{k}">{pdf}</PDFDescriptor>' for k, pdf in enumerate(pdfs))
    weights = f'<Weights NVariables="1" NClasses="2">{rows}</Weights>'
    path = files.written(tmp_path / "a.xml", "Likelihood", weights, variables=("x",))
    tables = [
        tmva_reference.kde(c, low=-3, high=3, rounds=rounds, border=border, fine=0.8)
        for c in (CONTENTS, CONTENTS[::-1])
    ]
    centres = (-3 + (np.arange(10_000) + 0.5) * 6e-4)[100:-100:97]
    signal, background = (table[100:-100:97] / table.sum() for table in tables)
    out = read_weights(path).evaluate(centres[:, None])
    np.testing.assert_allclose(out, signal / (signal + background), rtol=0, atol=2e-6)


def test_splines_go_through_the_histogram(tmp_path: Path) -> None:
    """At the centres of the bins every spline is the histogram; between them Spline1 is the mean, Spline3 a cubic."""
    centres = -3 + (np.arange(12) + 0.5) * 0.5
    for method in (1, 2, 3):
        rows = "".join(
            f'<PDFDescriptor VarIndex="0" ClassIndex="{k}">{files.density(contents, -3, 3, method)}</PDFDescriptor>'
            for k, contents in enumerate((CONTENTS, [5.0] * 12))
        )
        path = files.written(
            tmp_path / "a.xml", "Likelihood", f'<Weights NVariables="1">{rows}</Weights>', variables=("x",)
        )
        out = read_weights(path).evaluate(centres[:, None])
        odds = out / (1 - out)
        np.testing.assert_allclose(odds / odds[0], np.array(CONTENTS) / CONTENTS[0], rtol=2e-3)
        if method == 1:
            middle = read_weights(path).evaluate((centres[:-1, None] + centres[1:, None]) / 2)
            odds = middle / (1 - middle) / odds[0] * CONTENTS[0]
            np.testing.assert_allclose(odds, (np.array(CONTENTS[:-1]) + CONTENTS[1:]) / 2, rtol=2e-3)


def test_partial_lists_orders_and_classes(tmp_path: Path) -> None:
    """Only what is selected changes; outputs may be exchanged; the last set of parameters is that of all classes."""
    sets = ([(0.0, 1.0)], [(0.0, 2.0)], [(-1.0, 3.0)])
    one = f'<Transform Name="Normalize">{files.selection(("Variable", "y"))}{files.ranges(*sets)}</Transform>'
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(0, 1, 10), transformations=files.chain(one))
    x, y = EVENTS.T
    low, scale = np.float32(-1), np.float32(0.25)
    normal = (y - low) * scale * np.float32(2) - np.float32(1)
    np.testing.assert_array_equal(read_weights(path).evaluate(EVENTS), x.astype(float) + 10 * normal.astype(float))
    pair = (("Variable", "x"), ("Variable", "y"))
    swap = f'<Transform Name="Decorrelation">{files.selection(*pair, outputs=pair[::-1])}<Matrix Rows="2" Columns="2">'
    swap += "2 0 0 3</Matrix></Transform>"
    path = files.written(tmp_path / "b.xml", "Fisher", files.fisher(0, 1, 10), transformations=files.chain(swap))
    expected = 3 * y.astype(float) + 20 * x.astype(float)
    np.testing.assert_allclose(read_weights(path).evaluate(EVENTS), expected, rtol=1e-6)


def test_class_of_a_transformation_for_hmatrix(tmp_path: Path) -> None:
    sets = "".join(f'<Matrix Rows="2" Columns="2">{k} 0 0 {k}</Matrix>' for k in (2, 3, 5))
    pair = files.selection(("Variable", "x"), ("Variable", "y"))
    chain = files.chain(f'<Transform Name="Decorrelation">{pair}{sets}</Transform>')
    unit = "".join(
        f'<VecMean{c} Rows="1" Columns="2">1 1</VecMean{c}><InvHMat{c} Rows="2" Columns="2">1 0 0 1</InvHMat{c}>'
        for c in "SB"
    )
    path = files.written(tmp_path / "a.xml", "HMatrix", f"<Weights>{unit}</Weights>", transformations=chain)
    x = EVENTS[:-1].astype(np.float64)
    signal = ((2 * x - 1) ** 2).sum(axis=1)
    background = ((3 * x - 1) ** 2).sum(axis=1)
    expected = (background - signal) / (background + signal)
    np.testing.assert_allclose(read_weights(path).evaluate(EVENTS[:-1]), expected, rtol=1e-5, atol=1e-6)


def test_targets_go_back_through_the_chain(tmp_path: Path) -> None:
    """Two targets, normalized with the variables, in an order of their own."""
    picked = files.selection(("Target", "u"), ("Variable", "x"), ("Variable", "y"), ("Target", "t"))
    limits = files.ranges([(10.0, 20.0), (-2.0, 2.0), (-2.0, 2.0), (0.0, 4.0)])
    chain = files.chain(f'<Transform Name="Normalize">{picked}{limits}</Transform>')
    weights = files.ld((0.25, 1.0, 0.0), (0.0, 0.0, -1.0))
    path = files.written(
        tmp_path / "a.xml", "LD", weights, analysis="Regression", targets=("t", "u"), transformations=chain
    )
    out = read_weights(path).evaluate([[1.0, 1.0], [-2.0, 0.0]])
    np.testing.assert_allclose(out, [[0 + (0.75 + 1) * 2, 10 + (-0.5 + 1) * 5], [(-0.75 + 1) * 2, 15]], rtol=1e-6)


def test_uniform_targets_go_back_through_the_table(tmp_path: Path) -> None:
    """A straight cumulative from 0 to 1 over [0, 10]: its inverse is ten times the output."""
    edges = [float(i) for i in range(11)]
    cumulative = files.density([0.1 * (i + 1) for i in range(10)], 0, 10, 1, edges=edges)
    variables = "".join(
        f'<Variable VarIndex="{i}"><CumulativePDF_cls0>{cumulative}</CumulativePDF_cls0></Variable>' for i in range(2)
    )
    picked = files.selection(("Variable", "x"), ("Target", "t"))
    chain = files.chain(f'<Transform Name="Gauss" FlatOrGauss="Flat">{picked}{variables}</Transform>')
    weights = files.ld((0.0, 1.0, 0.0))
    path = files.written(tmp_path / "a.xml", "LD", weights, analysis="Regression", transformations=chain)
    x = np.linspace(0.6, 9.4, 40)
    np.testing.assert_allclose(read_weights(path).evaluate(np.stack([x, x], axis=1)), x, atol=2e-3)


def test_old_layout_of_normalize(tmp_path: Path) -> None:
    rows = "".join(f'<Variable VarIndex="{i}" Min="{-1 - i}" Max="{1 + i}"/>' for i in range(2))
    chain = files.chain(
        f'<Transform Name="Normalize" NVariables="2" NTargets="0"><Class ClassIndex="0"><Variables>{rows}</Variables>'
        "</Class></Transform>"
    )
    path = files.written(
        tmp_path / "a.xml", "Fisher", files.fisher(0, 1, 1), transformations=chain, release="4.0.7 [262151]"
    )
    np.testing.assert_allclose(read_weights(path).evaluate([[0.5, 1.0]]), [0.5 + 0.5])


def test_expressions_with_signs_of_xml(tmp_path: Path) -> None:
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(0, 1, 2), variables=("a&lt;b&amp;&amp;c", "é"))
    method = read_weights(path)
    assert method.variables == ("a<b&&c", "é")
    assert method.evaluate({"a<b&&c": [1.0], "é": [2.0]}).tolist() == [5]


def test_not_a_number_is_minus_999(tmp_path: Path) -> None:
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(1, 2, 3))
    out = read_weights(path).evaluate([[1.0, np.nan], [1.0, 1.0], [np.nan, np.nan], [np.inf, 0.0]])
    assert out.tolist() == [-999, 6, -999, math.inf]


def neighbours(options: dict[str, str], analysis: str = "Classification") -> tuple[str, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 2)).astype(np.float32).astype(float)
    rows = np.column_stack([rng.integers(1, 3, 120), rng.uniform(0.5, 2, 120), x, 3 * x[:, 0] + x[:, 1]])
    wide = 3 if analysis == "Regression" else 2
    events = "".join(
        f'<Event Type="{int(row[0])}" Weight="{row[1]!r}">{" ".join(map(repr, row[2 : 2 + wide]))}</Event>'
        for row in rows.tolist()
    )
    return f'<Weights NEvents="120" NVar="2" NTgt="{wide - 2}">{events}</Weights>', rows


def slow_neighbours(rows: np.ndarray, x: np.ndarray, options: dict[str, str], k: int) -> float:
    f32 = np.float32
    if options.get("Trim") == "True":
        least = min((rows[:, 0] == 1).sum(), (rows[:, 0] == 2).sum())
        chosen = sorted([*np.flatnonzero(rows[:, 0] == 1)[:least], *np.flatnonzero(rows[:, 0] == 2)[:least]])
        rows = rows[chosen]
    fraction = int(100 * float(options["ScaleFrac"]))
    widths = np.ones(2, f32)
    if fraction:
        cut = (100 - fraction) // 2
        for j in range(2):
            ordered = sorted(f32(v) for v in rows[:, 2 + j])
            first = next(i for i in range(len(rows)) if 100 * i // len(rows) == cut)
            last = next(i for i in range(len(rows)) if 100 * i // len(rows) == 100 - cut)
            widths[j] = ordered[last] - ordered[first]
    train, query = f32(rows[:, 2:4].astype(f32) / widths), f32(f32(x) / widths)
    distances = [float(sum((query - row) ** 2)) for row in train]
    near = sorted(range(len(rows)), key=distances.__getitem__)[:k]
    weights = {i: float(rows[i, 1]) if options["UseWeight"] == "True" else 1.0 for i in near}
    if options["UseKernel"] == "True" and options["UseWeight"] == "True":
        if options["Kernel"] == "Gaus":
            d = {i: [float(f32(train[i][j]) - f32(x[j])) for j in range(2)] for i in near}
            sigma = [float(options["SigmaFact"]) * math.sqrt(sum(d[i][j] ** 2 for i in near) / k) for j in range(2)]
            weights = {
                i: w * math.exp(-sum((d[i][j] / sigma[j]) ** 2 / 2 for j in range(2))) for i, w in weights.items()
            }
        else:
            far = max(math.sqrt(distances[i]) for i in near)
            weights = {i: w * (1 - (math.sqrt(distances[i]) / far) ** 3) ** 3 for i, w in weights.items()}
    return sum(w for i, w in weights.items() if rows[i, 0] == 1) / sum(weights.values())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"UseKernel": "True"},
        {"UseKernel": "True", "Kernel": "Poln"},
        {"UseKernel": "True", "SigmaFact": "0.5", "ScaleFrac": "0"},
        {"UseWeight": "False"},
        {"UseWeight": "False", "UseKernel": "True"},
        {"Trim": "True"},
        {"ScaleFrac": "0.5", "nkNN": "1"},
    ],
)
def test_neighbours(changed: dict[str, str], tmp_path: Path) -> None:
    base = {"nkNN": "10", "ScaleFrac": "0.8", "UseKernel": "False", "Kernel": "Gaus", "SigmaFact": "1.0"}
    options = base | {"UseWeight": "True", "Trim": "False"} | changed
    weights, rows = neighbours(options)
    path = files.written(tmp_path / "a.xml", "KNN", weights, options=options)
    events = EVENTS[:-1]
    expected = [slow_neighbours(rows, x, options, int(options["nkNN"])) for x in events]
    np.testing.assert_allclose(read_weights(path).evaluate(events), expected, rtol=1e-6, atol=1e-9)


def test_neighbours_keep_targets_as_they_were(tmp_path: Path) -> None:
    options = {"nkNN": "5", "ScaleFrac": "0", "UseWeight": "False", "UseKernel": "False"}
    weights, rows = neighbours(options, "Regression")
    path = files.written(tmp_path / "a.xml", "KNN", weights, options=options, analysis="Regression")
    expected = []
    for x in EVENTS[:-1]:
        near = np.argsort(((rows[:, 2:4] - x) ** 2).sum(axis=1))[:5]
        expected.append(rows[near, 4].mean())
    np.testing.assert_allclose(read_weights(path).evaluate(EVENTS[:-1]), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("model", "expected"), [(0, 2.5), (1, 0.5), (2, 2.0)])
def test_rules_and_linear_terms(model: int, expected: float, tmp_path: Path) -> None:
    """At (1, 5): a rule of -0.5 that fails at its edge, one of 0.5 that holds; 2 clip(y, -1, 1), x off."""
    cut = '<Cut Selector="{}" Min="{}" Max="{}" DoMin="{}" DoMax="{}"/>'
    rules = f'<Rule Coeff="-0.5">{cut.format(0, 1.0, 9, "T", "F")}</Rule>'
    rules += f'<Rule Coeff="0.5">{cut.format(1, 4, 6, "T", "T")}{cut.format(0, 0, 2, "F", "T")}</Rule>'
    terms = '<Linear OK="0" Coeff="7" Norm="1" DM="-9" DP="9"/><Linear OK="1" Coeff="4" Norm="0.5" DM="-1" DP="1"/>'
    weights = f'<Weights NRules="2" NLinear="2" LearningModel="{model}" Offset="0">{rules}{terms}</Weights>'
    path = files.written(tmp_path / "a.xml", "RuleFit", weights)
    assert read_weights(path).evaluate([[1.0, 5.0]]).tolist() == [expected]


def test_cuts_are_open_below_and_closed_above(tmp_path: Path) -> None:
    bins = "".join(
        f'<Bin ibin="{i + 1}" effS="{i / 10}" effB="0"><Cuts cutMin_0="{-i}" cutMax_0="{i}" cutMin_1="-1e30" '
        'cutMax_1="1e30"/></Bin>'
        for i in range(10)
    )
    path = files.written(tmp_path / "a.xml", "Cuts", f'<Weights nbins="10">{bins}</Weights>')
    method = read_weights(path)
    x = [[-3.0, 0.0], [-2.9, 0.0], [3.0, 0.0], [3.1, 0.0]]
    assert method.evaluate(x, 0.25).tolist() == [0, 1, 1, 0]  # the third bin, the entry after it: 3
    assert method.evaluate(x, 0.0).tolist() == method.evaluate(x, -1.0).tolist() == [0, 0, 0, 0]
    assert method.evaluate([[8.9, 0.0], [9.1, 0.0]], 1.0).tolist() == [1, 0]
