"""TMVA's MLP, trained without ROOT: as good as TMVA's on its own samples, each option honoured or refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tmva_samples
import uproot

from hepml.errors import DataError, TrainingError
from tmva_bridge import read_weights
from tmva_bridge.fitting import TRAININGS
from tmva_bridge.fitting.mlp import hidden_layers
from tmva_bridge.fitting.network import ACTIVATIONS, Goal, Network
from tmva_bridge.header import Variable
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import parse_weights
from tmva_bridge.xmlfile import parse_xml, read_bytes


@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize(("kind", "output"), [("entropy", "sigmoid"), ("squares", "linear"), ("softmax", "linear")])
def test_slopes_are_those_of_the_error(hidden: str, kind: str, output: str) -> None:
    rng = np.random.default_rng(1)
    outputs = 1 if kind == "entropy" else 3
    network = Network([3, 4, 2, outputs], hidden, output, lambda n: rng.uniform(0.3, 0.7, n))
    wanted = {
        "entropy": rng.integers(0, 2, (7, 1)),
        "squares": rng.normal(size=(7, 3)),
        "softmax": np.eye(3)[[0, 1, 2] * 2 + [0]],
    }
    goal = Goal(kind, rng.normal(size=(7, 3)), wanted[kind].astype(float), rng.uniform(0.5, 2, 7))
    flat, slopes = network.flat, network.slopes(goal)
    step = 2e-3 if hidden == "tanh" else 1e-6  # it is rounded to float32

    def error(at: np.ndarray) -> float:
        network.put(at)
        return goal.error(network.answer(goal.x))

    numerical = [(error(flat + step * one) - error(flat - step * one)) / (2 * step) for one in np.eye(len(flat))]
    np.testing.assert_allclose(
        slopes, numerical, rtol=2e-3 if hidden == "tanh" else 1e-6, atol=2e-3 if hidden == "tanh" else 1e-7
    )


@pytest.mark.parametrize("hidden", ["sigmoid", "ReLU"])
def test_a_step_for_each_event_is_the_same_arithmetic(hidden: str) -> None:
    rng = np.random.default_rng(2)
    network = Network([3, 4, 2], hidden, "linear", rng.random)
    goal = Goal("squares", rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), np.ones(5))
    other = Network([3, 4, 2], hidden, "linear", rng.random)
    other.put(network.flat)
    network.learn(goal, np.array([3, 0, 4]), 0.1)
    for event in (3, 0, 4):
        other.put(other.flat - 0.1 * other.slopes(goal.some(np.array([event]))))
    np.testing.assert_allclose(network.flat, other.flat, rtol=1e-12)


def test_sizes_of_hidden_layers() -> None:
    assert hidden_layers("N,N-1", 4) == [4, 3]
    assert hidden_layers("n+5, 10", 2) == [7, 10]
    for text in ("", "N-4", "x", "5,,3", "N*2"):
        with pytest.raises(DataError, match="HiddenLayers cannot be"):
            hidden_layers(text, 4)


def area(response: np.ndarray, signal: np.ndarray) -> float:
    order = np.argsort(np.argsort(response))
    return (order[signal].mean() - (signal.sum() - 1) / 2) / (~signal).sum()


@pytest.mark.parametrize(
    "name",
    ["cls_plain_weighted/weights/TMVA_MLPBFGS", "cls_tutorial/weights/TMVA_MLP", "reg/weights/TMVA_MLP"],
)
def test_as_good_as_tmva(name: str, shared: Path) -> None:
    """Options, elements and shapes are TMVA's; what is trained separates its test sample at least as well, to 0.003."""
    path = shared / "tmva" / f"{name}.weights.xml"
    method, setup, sample = tmva_samples.training(path)
    text = TRAININGS["MLP"].fit(sample, setup, tmva_samples.booked(path), title=method.title, job="TMVA")
    new, old = parse_xml(text.encode(), "new"), parse_xml(read_bytes(path), "old")
    for part in ("Transformations", "Weights"):
        for where, distance in tmva_samples.differences(new.child(part), old.child(part)):
            assert isinstance(distance, float), (where, distance)
    options = [[(one.get("name"), one.text) for one in root.child("Options").children] for root in (new, old)]
    assert options[0] == options[1]
    with uproot.open(path.parents[1] / "TMVA.root") as file:
        key = next(key for key in file.keys() if key.endswith("TestTree;1"))  # noqa: SIM118
        tree = file[key].arrays(library="np")
    columns = {one.label: tree[one.internal] for one in method.header.variables}
    ours, theirs = (one.evaluate(columns) for one in (parse_weights(text.encode(), "new"), read_weights(path)))
    if setup.analysis == "Regression":
        assert np.std(ours - tree["fvalue"]) < np.std(theirs - tree["fvalue"])
    else:
        signal = tree["classID"] == 0
        assert area(ours, signal) > area(theirs, signal) - 0.003


def events(analysis: str = "Classification", count: int = 300) -> tuple[Setup, Sample]:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(count, 2)).astype(np.float32)
    score = x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=count)
    none = np.empty((count, 0), np.float32)
    variables = tuple(Variable(name, name, name, "F") for name in ("a", "b"))
    if analysis == "Regression":
        setup = Setup("dataset", analysis, ("Regression",), variables, (), (Variable("t", "t", "t", "F"),))
        return setup, Sample(x, none, score[:, None].astype(np.float32), np.zeros(count, np.int32), np.ones(count))
    names = ("Signal", "Background") if analysis == "Classification" else ("A", "B", "C")
    labels = (len(names) - 1 - np.digitize(score, [0] if len(names) == 2 else [-0.3, 0.3])).astype(np.int32)
    return Setup("dataset", analysis, names, variables), Sample(x, none, none, labels, rng.uniform(0.5, 2, count))


def fit(options: str, analysis: str = "Classification") -> str:
    setup, sample = events(analysis)
    return TRAININGS["MLP"].fit(sample, setup, options, title="MLP", job="TMVA")


BP = "NCycles=6:HiddenLayers=5:LearningRate=0.05:TestRate=2"
BFGS = "NCycles=60:HiddenLayers=5:TrainingMethod=BFGS:NeuronType=tanh:TestRate=2"
HONOURED = [
    BP,
    f"{BP}:NCycles=8",
    f"{BP}:HiddenLayers=N+1,3",
    f"{BP}:NeuronType=ReLU",
    f"{BP}:NeuronType=radial",
    f"{BP}:NeuronType=linear",
    f"{BP}:NeuronType=tanh",
    f"{BP}:RandomSeed=2",
    f"{BP}:LearningRate=0.01",
    f"{BP}:DecayRate=0.3",
    f"{BP}:BPMode=batch",
    f"{BP}:BPMode=batch:BatchSize=20",
    f"{BP}:Sampling=0.5",
    f"{BP}:Sampling=0.5:SamplingEpoch=0.4",
    f"{BP}:Sampling=0.5:TestRate=3",
    f"{BP}:VarTransform=N",
    BFGS,
    f"{BFGS}:ResetStep=7",
    f"{BFGS}:Tau=2",
    f"{BFGS}:UseRegulator",
    f"{BFGS}:UseRegulator:UpdateLimit=1",
    f"{BFGS}:ConvergenceImprove=0.01:ConvergenceTests=2",
    f"{BFGS}:ConvergenceImprove=0.001:ConvergenceTests=2",
    f"{BFGS}:ConvergenceImprove=0.01:ConvergenceTests=5",
]


def test_every_option_that_is_taken_changes_the_network() -> None:
    texts = {}
    for options in HONOURED:
        weights = fit(_once(options)).split("<Weights", 1)[1]
        assert weights not in texts.values(), (options, [one for one, text in texts.items() if text == weights])
        texts[options] = weights


def _once(options: str) -> str:
    """The last value of each option."""
    return ":".join({item.split("=")[0]: item for item in options.split(":")}.values())


@pytest.mark.parametrize(
    ("analysis", "quality"), [("Classification", 0.02), ("Regression", 0.45), ("Multiclass", 0.65)]
)
def test_what_is_learnt(analysis: str, quality: float) -> None:
    _, sample = events(analysis)
    for options in (
        f"{BFGS}:NCycles=150",
        "NCycles=150:HiddenLayers=8:LearningRate=0.03:NeuronType=tanh:DecayRate=0.001",
    ):
        out = parse_weights(fit(_once(options), analysis).encode(), "new").evaluate(sample.values)
        if analysis == "Classification":
            ideal = area(sample.values[:, 0] * sample.values[:, 1], sample.classes == 0)
            assert area(out, sample.classes == 0) > ideal - quality
        elif analysis == "Multiclass":
            assert (out.argmax(axis=1) == sample.classes).mean() > quality
        else:
            assert np.std(out - sample.targets[:, 0]) < quality * np.std(sample.targets)


def test_regulators_keep_weights_small() -> None:
    sizes = []
    for options in (BFGS, f"{BFGS}:UseRegulator"):
        layers = parse_xml(fit(options).encode(), "new").child("Weights").child("Layout").every("Layer")[:-1]
        sizes.append(
            sum(
                float((one.numbers(5 if i == 0 else 1) ** 2).sum())
                for i, layer in enumerate(layers)
                for one in layer.children
            )
        )
    assert sizes[1] < 0.7 * sizes[0]


def test_weights_of_events_count() -> None:
    setup, sample = events()
    texts = [
        TRAININGS["MLP"].fit(dataclasses.replace(sample, weights=weights), setup, BP, title="MLP", job="TMVA")
        for weights in (sample.weights, np.ones(len(sample)))
    ]
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("NeuronInputType=sqsum", "the option NeuronInputType=sqsum is refused"),
        ("EpochMonitoring", "the option EpochMonitoring=True is refused"),
        ("SamplingImportance=0.5", "the option SamplingImportance=0.5 is refused"),
        ("!SamplingTraining", "the option SamplingTraining=False is refused"),
        ("SamplingTesting", "the option SamplingTesting=True is refused"),
        ("CalculateErrors", "the option CalculateErrors=True is refused"),
        ("WeightRange=0.5", "the option WeightRange=0.5 is refused"),
        ("TrainingMethod=GA", "TrainingMethod=GA is refused"),
        ("EstimatorType=MSE", "EstimatorType=MSE is refused"),
        ("UseRegulator", "UseRegulator is refused with TrainingMethod=BP"),
        ("NCycles=0", "the option NCycles cannot be 0"),
        ("HiddenLayers=N-2", "HiddenLayers cannot be"),
        ("Sampling=2", "the option Sampling cannot be 2"),
        ("Tau=1", "the option Tau cannot be 1"),
    ],
)
def test_what_is_refused(options: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(options)


def test_a_network_that_loses_its_way_is_an_error() -> None:
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match=r"lost its way|not finite"):
        fit("NCycles=9:HiddenLayers=5,5:NeuronType=linear:LearningRate=1e6:TestRate=1", "Regression")


def test_every_declared_option_is_honoured_or_refused() -> None:
    common = {"V", "VerbosityLevel", "H", "CreateMVAPdfs", "IgnoreNegWeightsInTraining"}
    refused = {"NeuronInputType", "EpochMonitoring", "SamplingImportance", "SamplingTraining", "SamplingTesting"} | {
        "CalculateErrors",
        "WeightRange",
        "EstimatorType",
    }
    named = " ".join(HONOURED)
    assert [one for one in TRAININGS["MLP"].options if one not in named and one not in common | refused] == []
