"""Trees grown on the TrainTree of a real TMVA are its trees, one by one; each option is honoured or refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tmva_samples
import uproot

from hepml.errors import DataError
from tmva_bridge.fitting import TRAININGS
from tmva_bridge.header import Variable
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import parse_weights
from tmva_bridge.xmlfile import Element, parse_xml, read_bytes


def trained(path: Path) -> tuple[Element, Element, str]:
    """The trees that are fitted, those of TMVA, and the new file."""
    method, setup, sample = tmva_samples.training(path)
    if setup.analysis == "Regression":  # weighted by var1; TrainTree holds the weights as float32
        weights = sample.values[:, 0].astype(np.float64)
        sample = dataclasses.replace(sample, weights=weights * len(sample) / weights.sum())
    text = TRAININGS["BDT"].fit(sample, setup, tmva_samples.booked(path), title=method.title, job="TMVA")
    new, old = parse_xml(text.encode(), "new"), parse_xml(read_bytes(path), "old")
    options = [[(one.get("name"), one.text) for one in root.child("Options").children] for root in (new, old)]
    assert options[0] == options[1]
    return new.child("Weights"), old.child("Weights"), text


def same(new: Element, old: Element) -> None:
    """Nodes, variables, cuts, leaves and weights; of pruned leaves TMVA keeps the cut, which has no meaning."""
    for where, distance in tmva_samples.differences(new, old):
        assert isinstance(distance, float), (where, distance)
        if not where.endswith("Node@Cut"):
            assert distance <= 1e-6, (where, distance)
    waiting = [(new, old)]
    while waiting:
        one, other = waiting.pop()
        waiting += zip(one.children, other.children, strict=True)
        if one.name == "Node" and one.children:
            assert abs(one.real("Cut") - other.real("Cut")) <= 1e-6 * max(1, abs(other.real("Cut")))


TREES = [
    "cls_plain_weighted/weights/TMVA_BDT",  # AdaBoost
    "cls_plain_weighted/weights/TMVA_BDTG",
    "cls_tutorial/weights/TMVA_BDT",  # bagged
    "cls_tutorial/weights/TMVA_BDTG",  # bagged
    "cls_tutorial/weights/TMVA_BDTYes",  # purities, cross entropy
    "multiclass/weights/TMVA_BDTG",  # bagged
    "reg/weights/TMVA_BDTG",  # bagged
]


@pytest.mark.parametrize("name", TREES)
def test_trees_are_those_of_tmva(name: str, shared: Path) -> None:
    path = shared / "tmva" / f"{name}.weights.xml"
    new, old, text = trained(path)
    same(new, old)
    data = dict(np.load(path.parents[1] / "apply.npz"))
    expected = data[f"resp_{path.name.removeprefix('TMVA_').removesuffix('.weights.xml')}"]
    found = parse_weights(text.encode(), "new").evaluate(data["inputs"]).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_pruned_trees_of_a_regression(shared: Path) -> None:
    """AdaBoostR2 with CostComplexity: weights drift from 1e-10 on, until an event falls otherwise in the 18th tree."""
    new, old, text = trained(shared / "tmva" / "reg" / "weights" / "TMVA_BDT.weights.xml")
    assert len(new.children) == len(old.children) == 50
    for pair in zip(new.children[:17], old.children[:17], strict=True):
        same(*pair)
    with uproot.open(shared / "tmva" / "reg" / "TMVA.root") as file:
        name = next(key for key in file.keys() if key.endswith("TestTree;1"))  # noqa: SIM118
        tree = file[name].arrays(library="np")
    found = parse_weights(text.encode(), "new").evaluate({one: tree[one] for one in ("var1", "var2")})
    widths = [np.std(one - tree["fvalue"]) for one in (found, tree["BDT"])]
    assert abs(widths[0] / widths[1] - 1) < 0.05


def events(count: int = 600, classes: int = 2) -> tuple[Setup, Sample]:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(count, 3)).astype(np.float32)
    x[:, 2] = rng.integers(0, 4, count)
    score = x[:, 0] + x[:, 1] ** 2 + x[:, 2] + rng.normal(size=count)
    none = np.empty((count, 0), np.float32)
    variables = tuple(Variable(name, name, name, kind) for name, kind in (("a", "F"), ("b", "F"), ("n", "I")))
    if classes == 1:
        target = (Variable("t", "t", "t", "F"),)
        setup = Setup("dataset", "Regression", ("Regression",), variables, (), target)
        return setup, Sample(x, none, score[:, None].astype(np.float32), np.zeros(count, np.int32), np.ones(count))
    limits = np.quantile(score, np.arange(1, classes) / classes)
    labels = (classes - 1 - np.digitize(score, limits)).astype(np.int32)
    names = ("Signal", "Background") if classes == 2 else tuple(f"c{i}" for i in range(classes))
    analysis = "Classification" if classes == 2 else "Multiclass"
    return Setup("dataset", analysis, names, variables), Sample(x, none, none, labels, rng.uniform(0.5, 2, count))


def fit(options: str, classes: int = 2, sample: Sample | None = None) -> str:
    setup, known = events(classes=classes)
    return TRAININGS["BDT"].fit(sample or known, setup, options, title="BDT", job="TMVA")


HONOURED = [
    "NTrees=7",
    "NTrees=12:MaxDepth=2",
    "NTrees=12:MinNodeSize=15%",
    "NTrees=12:nCuts=5",
    "NTrees=12:BoostType=Grad",
    "NTrees=12:BoostType=Grad:Shrinkage=0.3",
    "NTrees=12:BoostType=Bagging",
    "NTrees=12:BoostType=Bagging:BaggedSampleFraction=0.3",
    "NTrees=12:UseBaggedBoost",
    "NTrees=12:UseBaggedGrad:GradBaggingFraction=0.4",
    "NTrees=12:AdaBoostBeta=0.2",
    "NTrees=12:UseRandomisedTrees",
    "NTrees=12:UseRandomisedTrees:UseNvars=1:!UsePoissonNvars",
    "NTrees=12:!UseYesNoLeaf",
    "NTrees=12:NodePurityLimit=0.3",
    "NTrees=12:SeparationType=CrossEntropy",
    "NTrees=12:SeparationType=GiniIndexWithLaplace:MinNodeSize=1%",
    "NTrees=12:SeparationType=MisClassificationError",
    "NTrees=12:SeparationType=SDivSqrtSPlusB",
    "NTrees=12:SigToBkgFraction=3",
    "NTrees=12:PruneMethod=CostComplexity:PruneStrength=60",
    "NTrees=12:VarTransform=D",
]


def test_every_option_that_is_taken_changes_the_forest() -> None:
    texts = {}
    for options in ["NTrees=12", *HONOURED]:
        weights = fit(options).split("<Weights", 1)[1]
        assert weights not in texts.values(), (options, [one for one, text in texts.items() if text == weights])
        texts[options] = weights


@pytest.mark.parametrize("options", HONOURED)
def test_the_forests_separate(options: str) -> None:
    _, sample = events()
    response = parse_weights(fit(options).encode(), "new").evaluate(sample.values)
    signal = sample.classes == 0
    order = np.argsort(np.argsort(response))
    area = (order[signal].mean() - (signal.sum() - 1) / 2) / (~signal).sum()
    assert area > 0.75


@pytest.mark.parametrize("loss", ["Linear", "Quadratic", "Exponential"])
def test_regressions(loss: str) -> None:
    _, sample = events(classes=1)
    responses = []
    for options in (f"NTrees=30:MaxDepth=5:AdaBoostR2Loss={loss}", "NTrees=60:BoostType=Grad:Shrinkage=0.2:MaxDepth=3"):
        method = parse_weights(fit(options, 1).encode(), "new")
        responses.append(method.evaluate(sample.values))
        left = responses[-1] - sample.targets[:, 0]
        assert left.std() < 0.65 * sample.targets.std()
    assert not np.array_equal(*responses)


def test_classes() -> None:
    _, sample = events(classes=3)
    shares = parse_weights(fit("NTrees=25:BoostType=Grad:Shrinkage=0.3", 3).encode(), "new").evaluate(sample.values)
    assert (shares.argmax(axis=1) == sample.classes).mean() > 0.65


def test_negative_weights() -> None:
    setup, sample = events()
    weights = np.where(np.arange(len(sample)) % 9 == 0, -sample.weights, sample.weights)
    negative = dataclasses.replace(sample, weights=weights)
    texts = {
        treatment: fit(f"NTrees=9:NegWeightTreatment={treatment}", sample=negative).split("<Weights", 1)[1]
        for treatment in ("InverseBoostNegWeights", "IgnoreNegWeightsInTraining", "Pray")
    }
    assert len(set(texts.values())) == 3
    kept = weights > 0
    without = Sample(*(getattr(sample, name)[kept] for name in Sample.__dataclass_fields__))
    ignored = TRAININGS["BDT"].fit(without, setup, "NTrees=9", title="BDT", job="TMVA")
    assert texts["IgnoreNegWeightsInTraining"] == ignored.split("<Weights", 1)[1]


@pytest.mark.parametrize(
    ("options", "classes", "message"),
    [
        ("BoostType=AdaCost", 2, "BoostType=AdaCost is not offered"),
        ("BoostType=RealAdaBoost", 2, "BoostType=RealAdaBoost is not offered"),
        ("BoostType=AdaBoostR2", 2, "BoostType=AdaBoostR2 is not offered for Classification"),
        ("", 3, "BoostType=AdaBoost is not offered for Multiclass"),
        ("Cbb=2", 2, "the option Cbb=2.0 is refused"),
        ("DoBoostMonitor", 2, "the option DoBoostMonitor=True is refused"),
        ("UseFisherCuts", 2, "the option UseFisherCuts=True is refused"),
        ("MinLinCorrForFisher=0.5", 2, "the option MinLinCorrForFisher=0.5 is refused"),
        ("UseExclusiveVars", 2, "the option UseExclusiveVars=True is refused"),
        ("DoPreselection", 2, "the option DoPreselection=True is refused"),
        ("PruningValFraction=0.3", 2, "the option PruningValFraction=0.3 is refused"),
        ("nEventsMin=20", 2, "the option nEventsMin=20 is refused"),
        ("UseNTrainEvents=20", 2, "the option UseNTrainEvents=20 is refused"),
        ("NNodesMax=20", 2, "the option NNodesMax=20 is refused"),
        ("nCuts=-1", 2, "the option nCuts cannot be -1"),
        ("PruneMethod=ExpectedError", 2, "PruneMethod=ExpectedError is refused"),
        ("PruneMethod=CostComplexity:PruneStrength=-1", 2, "the option PruneStrength cannot be -1"),
        ("NegWeightTreatment=PairNegWeightsGlobal", 2, "PairNegWeightsGlobal is refused"),
        ("SeparationType=RegressionVariance", 2, "is of a regression"),
        ("MinNodeSize=60%", 2, "the option MinNodeSize cannot be '60%'"),
        ("MinNodeSize=few", 2, "the option MinNodeSize cannot be 'few'"),
        ("NTrees=0", 2, "the option NTrees cannot be 0"),
        ("Shrinkage=2", 2, "the option Shrinkage cannot be 2"),
    ],
)
def test_what_is_refused(options: str, classes: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(options, classes)


def test_every_declared_option_is_honoured_or_refused() -> None:
    """None is ignored: each is in one of the two lists, or is about printing or common to all methods."""
    elsewhere = {"V", "VerbosityLevel", "H", "CreateMVAPdfs", "IgnoreNegWeightsInTraining", "AdaBoostR2Loss"}
    refused = {"Css", "Cts_sb", "Ctb_ss", "Cbb", "DoBoostMonitor", "UseFisherCuts", "MinLinCorrForFisher"} | {
        "UseExclusiveVars",
        "DoPreselection",
        "PruningValFraction",
        "nEventsMin",
        "UseNTrainEvents",
        "NNodesMax",
    }
    named = " ".join(HONOURED)
    left = [name for name in TRAININGS["BDT"].options if name not in named and name not in elsewhere | refused]
    assert left == ["NegWeightTreatment"]  # tested above
