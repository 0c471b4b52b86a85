"""Weight files in C++: the responses of TMVA's Reader where they are stored, else those of `Method.evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tmva_files as files

from hepml import Evaluator
from hepml.errors import OutputError, UnsupportedLayerError
from hepml.evaluator import cpus
from hepml.export import validate
from hepml.export.packing import check_identity, compact
from tmva_bridge import read_weights, to_json

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = files.weight_files(SHARED)
KINDS = ("BDT", "MLP", "Fisher", "LD", "Likelihood")
RNG = np.random.default_rng(11)
FAR = [[0.0, 0.0], [0.25, -0.25], [1e6, -1e6], [-1e4, 1e4], [-0.5, 0.75]]
EVENTS = np.concatenate([2 * RNG.normal(size=(400, 2)), FAR]).astype(np.float32)


def tolerance(path: Path) -> float:
    """Of |a - b| / max(1, |b|), as for NumPy."""
    text = path.read_text()
    if 'FlatOrGauss="Gauss"' in text:
        return 1e-5
    return 2e-4 if 'Method="Likelihood::' in text else 1e-6


def same(path: Path, bound: float = 2e-7, events: np.ndarray = EVENTS) -> np.ndarray:
    """C++ gives what NumPy gives, for every instruction set, from the compact file as well; returns what it gives."""
    method = read_weights(path)
    expected = method.evaluate(events).reshape(len(events), -1)
    target = path.with_suffix(".json")
    text = to_json(path, target, overwrite=True)
    assert target.read_text() == text
    document = json.loads(text)
    validate(document)
    check_identity(target, document)
    for cpu in cpus():
        out = Evaluator.from_text(text, cpu=cpu)(events)["output"]
        difference = np.abs(out - expected) / np.maximum(1, np.abs(expected))
        assert difference.max() <= bound, (cpu, events[np.argmax(difference.max(axis=1))])
    small = compact(target, path.with_suffix(".small.json"), overwrite=True)
    np.testing.assert_array_equal(Evaluator(small, cpu=cpus()[-1])(events)["output"], out)
    check_identity(small, json.loads(small.read_text()))
    return expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parents[1].name}-{files.title(path)}")
def test_responses_are_those_of_the_reader(path: Path) -> None:
    method = read_weights(path)
    if method.kind not in KINDS:
        with pytest.raises(UnsupportedLayerError, match=f"{method.kind} is not written") as caught:
            to_json(path)
        assert caught.value.parts["where"] == str(path)
        return
    data, name = dict(np.load(path.parents[1] / "apply.npz")), files.title(path)
    text, expected = to_json(path), data[f"resp_{name}"]
    validate(json.loads(text))
    for cpu in cpus():
        evaluator = Evaluator.from_text(text, cpu=cpu)
        out = evaluator(data["inputs"])["output"]
        assert out.shape == expected.shape
        difference = np.abs(out - expected) / np.maximum(1, np.abs(expected))
        assert difference.max() <= tolerance(path)
    assert [variable.name for variable in evaluator.inputs[0].variables] == list(method.variables)
    names = {"Classification": ("signal",), "Multiclass": method.classes, "Regression": method.targets}
    assert evaluator.outputs[0].labels == names[method.analysis]


def tree(rng: np.random.Generator, fisher: bool, depth: int = 0, pos: str = "s") -> str:
    purity = float(rng.uniform())
    if depth == 4 or (depth and rng.uniform() < 0.2):
        return files.node(pos, purity=purity, res=float(rng.normal()), nType=1 if purity > 0.5 else -1)
    more = {"IVar": int(rng.integers(2)), "Cut": float(rng.choice([-0.25, 0.0, 0.25, rng.normal()]))}
    if fisher and rng.uniform() < 0.6:
        more |= {"NCoef": 3, "IVar": 2} | {f"fC{i}": float(rng.choice([rng.normal(), 0.5])) for i in range(3)}
    children = [tree(rng, fisher, depth + 1, side) for side in "lr"]
    return files.node(pos, *children, cType=int(rng.integers(2)), **more)


def forest(count: int, analysis: int = 0, fisher: bool = False, more: str = "", scale: float = 1) -> str:
    rng = np.random.default_rng(count)
    trees = [(scale * float(rng.uniform(0.1, 2)), tree(rng, fisher)) for _ in range(count)]
    return files.forest(*trees, analysis=analysis, more=more)


def cuts(**limits: float) -> str:
    names = [f"Preselection{name}Var{i}" for i in (0, 1) for name in ("LowBkg", "LowSig", "HighBkg", "HighSig")]
    return " ".join(f'{name}="{int(name in limits)}" {name}Value="{limits.get(name, 0.0)}"' for name in names)


PRESELECTION = cuts(
    PreselectionLowBkgVar0=-0.5, PreselectionLowSigVar0=-2, PreselectionHighSigVar1=0.75, PreselectionHighBkgVar1=2
)
TREES = {
    "AdaBoost": ({"BoostType": "AdaBoost"}, "Classification", forest(20)),
    "purities": ({"BoostType": "AdaBoost", "UseYesNoLeaf": "False"}, "Classification", forest(20)),
    "RealAdaBoost": ({"BoostType": "RealAdaBoost", "UseYesNoLeaf": "True"}, "Classification", forest(9)),
    "Bagging": ({"BoostType": "Bagging", "UseYesNoLeaf": "False"}, "Classification", forest(7)),
    "small weights": ({"BoostType": "AdaBoost"}, "Classification", forest(7, scale=1e-3)),
    "no weights": ({"BoostType": "AdaBoost"}, "Classification", forest(7, scale=0)),
    "Fisher cuts": ({"BoostType": "AdaBoost"}, "Classification", forest(30, 0, True)),
    "Grad": ({"BoostType": "Grad"}, "Classification", forest(13, 1)),
    "Grad with Fisher cuts": ({"BoostType": "Grad"}, "Classification", forest(13, 1, True)),
    "preselection": (
        {"BoostType": "AdaBoost", "DoPreselection": "True"},
        "Classification",
        forest(6, more=PRESELECTION),
    ),
    "no preselection": ({"BoostType": "Grad", "DoPreselection": "True"}, "Classification", forest(6, 1, more=cuts())),
    "several classes": ({"BoostType": "Grad"}, "Multiclass", forest(9, 1)),
    "Grad, regression": ({"BoostType": "Grad"}, "Regression", forest(8, 1)),
    "AdaBoostR2": ({"BoostType": "AdaBoostR2"}, "Regression", forest(23, 1)),
    "AdaBoostR2, few trees": ({"BoostType": "AdaBoostR2"}, "Regression", forest(3, 1)),
    "Bagging, regression": ({"BoostType": "Bagging"}, "Regression", forest(8, 1)),
}


@pytest.mark.parametrize("kind", TREES)
def test_trees(kind: str, tmp_path: Path) -> None:
    options, analysis, weights = TREES[kind]
    classes = ("A", "B", "C") if analysis == "Multiclass" else ("Signal", "Background")
    path = files.written(tmp_path / "a.xml", "BDT", weights, options=options, analysis=analysis, classes=classes)
    out = same(path)
    assert len(np.unique(out)) >= (1 if kind == "no weights" else 4)
    if kind == "preselection":
        assert {-1.0, 1.0} <= set(out[:, 0].tolist())


LAYERS = (
    [[0.5, -1.25, 2.0], [1.5, 0.25, -0.75], [0.1, -0.2, 0.3]],
    [[1.0, -0.5], [0.75, 1.25], [-2.0, 0.5], [0.2, -0.1]],
    [[1.5], [-0.75], [0.3]],
)


@pytest.mark.parametrize("join", ["sum", "sqsum", "abssum"])
@pytest.mark.parametrize("kind", ["sigmoid", "tanh", "ReLU", "radial", "linear"])
def test_networks(kind: str, join: str, tmp_path: Path) -> None:
    for estimator in ("CE", "MSE"):
        options = {"NeuronType": kind, "NeuronInputType": join, "EstimatorType": estimator}
        path = files.written(tmp_path / "a.xml", "MLP", files.network(*LAYERS), options=options)
        far = np.abs(EVENTS).max(axis=1) < (100 if join == "sqsum" else 1e5)  # beyond it, TMVA's own tanh is NaN
        same(path, events=EVENTS[far])
    path = files.written(tmp_path / "b.xml", "MLP", files.network(*LAYERS), options=options, release="4.2.0 [262656]")
    same(path, events=EVENTS[far])


def densities(method: int, second: tuple[float, float] = (-3, 3), options: dict[str, str] | None = None, **more) -> str:
    contents = [1.0, 4.0, 9.0, 16.0, 20.0, 14.0, 6.0, 5.0, 2.0, 1.0, 3.0, 2.0]
    rows = "".join(
        f'<PDFDescriptor VarIndex="{i}" ClassIndex="{k}">'
        + files.density(contents[:: 1 - 2 * ((i + k) % 2)], *((-3, 3) if k == 0 else second), method, **more)
        + "</PDFDescriptor>"
        for i in (0, 1)
        for k in (0, 1)
    )
    return f'<Weights NVariables="2" NClasses="2">{rows}</Weights>'


@pytest.mark.parametrize("folded", ["True", "False"])
@pytest.mark.parametrize("method", [0, 1, 2, 3, 5])
def test_likelihoods(method: int, folded: str, tmp_path: Path) -> None:
    options = {"TransformOutput": folded}
    for second in ((-3, 3), (-2, 2.5)):
        path = files.written(tmp_path / "a.xml", "Likelihood", densities(method, second), options=options)
        same(path)


def test_a_stepped_density_of_unequal_bins(tmp_path: Path) -> None:
    edges = [-3, -2.5, -2, -1, -0.5, 0, 0.125, 0.5, 1, 1.5, 2, 2.25, 3]
    path = files.written(tmp_path / "a.xml", "Likelihood", densities(0, edges=[float(edge) for edge in edges]))
    events = np.concatenate([EVENTS, np.repeat(np.array(edges, np.float32), 2).reshape(-1, 2)])
    same(path, events=events)


def cumulatives(flat: bool, *picked: tuple[str, str]) -> str:
    """Steep, flat and again steep: a table with pieces of every kind."""
    edges = [float(i) for i in range(-5, 6)]
    contents = ([0.05, 0.09, 0.2, 0.2, 0.2, 0.4, 0.7, 0.7, 0.9, 1.0], [0.1 * (i + 1) for i in range(10)])
    variables = "".join(
        f'<Variable VarIndex="{i}"><CumulativePDF_cls0>{files.density(contents[i % 2], -5, 5, 1, edges=edges)}'
        "</CumulativePDF_cls0></Variable>"
        for i in range(len(picked))
    )
    kind = "Flat" if flat else "Gauss"
    return f'<Transform Name="Gauss" FlatOrGauss="{kind}">{files.selection(*picked)}{variables}</Transform>'


X, Y, T = ("Variable", "x"), ("Variable", "y"), ("Target", "t")
NORMALIZE = f'<Transform Name="Normalize">{files.selection(Y)}{files.ranges([(-1.0, 3.0)])}</Transform>'
TURNED = (
    f'<Transform Name="Decorrelation">{files.selection(X, Y, outputs=(Y, X))}'
    '<Matrix Rows="2" Columns="2">2 0.1 0.1 3</Matrix></Transform>'
)
COMPONENTS = (
    f'<Transform Name="PCA">{files.selection(X, Y)}<Statistics Class="0" ClassIndex="0" NRows="2">0.3 -0.2</Statistics>'
    '<Eigenvectors Class="0" ClassIndex="0" NRows="2" NCols="2">0.6 -0.8 0.8 0.6</Eigenvectors></Transform>'
)


@pytest.mark.parametrize(
    "links",
    [
        [NORMALIZE],
        [TURNED],
        [COMPONENTS],
        [cumulatives(True, Y)],
        [cumulatives(False, X, Y)],
        [cumulatives(False, Y), NORMALIZE, TURNED, COMPONENTS, cumulatives(True, X)],
    ],
    ids=["N", "D", "P", "U", "G", "G, N, D, P, U"],
)
def test_chains_before_trees_that_cut_on_them(links: list[str], tmp_path: Path) -> None:
    """A tree asks for one side or the other: what goes before it has to be the same to the last bit."""
    chain = files.chain(*links)
    options = {"BoostType": "AdaBoost"}
    path = files.written(tmp_path / "a.xml", "BDT", forest(20), options=options, transformations=chain)
    assert len(np.unique(same(path))) > 3
    path = files.written(tmp_path / "b.xml", "LD", files.ld((0.5, 1.25, -3.0)), transformations=chain)
    same(path, 1e-6)


@pytest.mark.parametrize("flat", [True, False])
def test_targets_go_back(flat: bool, tmp_path: Path) -> None:
    ranges = files.ranges([(-1.0, 1.0), (-2.0, 2.0)])
    normalize = f'<Transform Name="Normalize">{files.selection(T, X)}{ranges}</Transform>'
    events = np.stack([np.linspace(-3, 3, 4000), np.linspace(-1, 2, 4000)], axis=1).astype(np.float32)
    for links in ([normalize], [cumulatives(flat, T, Y)], [cumulatives(flat, X, T), normalize]):
        path = files.written(
            tmp_path / "a.xml",
            "LD",
            files.ld((0.25, 0.5, 0.0)),
            analysis="Regression",
            transformations=files.chain(*links),
        )
        assert len(np.unique(same(path, 1e-6, events))) > 100


def test_two_targets_in_an_order_of_their_own(tmp_path: Path) -> None:
    picked = files.selection(("Target", "u"), X, Y, ("Target", "t"))
    limits = files.ranges([(10.0, 20.0), (-2.0, 2.0), (-2.0, 2.0), (0.0, 4.0)])
    chain = files.chain(f'<Transform Name="Normalize">{picked}{limits}</Transform>')
    weights = files.ld((0.25, 1.0, 0.0), (0.0, 0.0, -1.0))
    path = files.written(
        tmp_path / "a.xml", "LD", weights, analysis="Regression", targets=("t", "u"), transformations=chain
    )
    assert same(path).shape == (len(EVENTS), 2)
    assert Evaluator(tmp_path / "a.json").outputs[0].labels == ("t", "u")


def test_a_variable_without_range_is_refused(tmp_path: Path) -> None:
    chain = files.chain(f'<Transform Name="Normalize">{files.selection(Y)}{files.ranges([(1.0, 1.0)])}</Transform>')
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(0, 1, 2), transformations=chain)
    with np.errstate(divide="ignore"), pytest.raises(UnsupportedLayerError, match="always the same"):
        to_json(path)


def test_what_is_not_finite_has_no_answer(tmp_path: Path) -> None:
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(1, 2, 3))
    out = Evaluator.from_text(to_json(path))([[1.0, np.nan], [1.0, 1.0], [np.inf, 0.0]])["output"][:, 0]
    np.testing.assert_array_equal(out, [np.nan, 6, np.nan])


def test_the_file_says_where_it_comes_from_and_is_the_same_each_time(tmp_path: Path) -> None:
    path = files.written(tmp_path / "a.xml", "Fisher", files.fisher(1, 2, 3))
    text = to_json(path)
    assert to_json(path) == text
    provenance = Evaluator.from_text(text).metadata["provenance"]
    assert (provenance["library"], provenance["model"]) == ("TMVA 4.2.1", "Fisher::Fisher")
    target = tmp_path / "net.json"
    to_json(path, target)
    with pytest.raises(OutputError):
        to_json(path, target)
