"""MLP: TMVA's dense network, each option honoured or refused by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from hepml.errors import DataError
from tmva_bridge.declared import MLP as OPTIONS
from tmva_bridge.fitting.descent import Plan, minimise
from tmva_bridge.fitting.network import Goal, Network
from tmva_bridge.fitting.training import Outcome, Task, Training
from tmva_bridge.options import Scalar
from tmva_bridge.splitting import Random
from tmva_bridge.writing.layers import layout

__all__ = ["MLP", "hidden_layers"]

_MOST = 10_000  # neurons of a layer

# option -> what it must be, and why another value is refused
_ONLY: dict[str, tuple[Scalar, str]] = {
    "NeuronInputType": ("sum", "only sums are trained"),
    "EpochMonitoring": (False, "its histograms are not made"),
    "SamplingImportance": (1.0, "all events are drawn alike"),
    "SamplingTraining": (True, "it is the training events that are sampled"),
    "SamplingTesting": (False, "test events take no part in a training"),
    "CalculateErrors": (False, "no errors of the response are stored"),
    "WeightRange": (1.0, "all events count in the error"),
}


def hidden_layers(text: str, variables: int) -> list[int]:
    """The sizes in HiddenLayers, where N is the number of variables.

    Raises:
        DataError: no sizes, or of no neurons.

    Example:
        >>> hidden_layers("N+5,N,3", 4)
        [9, 4, 3]
    """
    sizes = []
    for item in text.split(","):
        shape = re.fullmatch(r"\s*(?:(N)\s*([+-]\s*\d+)?|(\d+))\s*", item, re.IGNORECASE)
        size = 0
        if shape is not None:
            size = variables + int((shape[2] or "0").replace(" ", "")) if shape[1] else int(shape[3])
        if not 0 < size <= _MOST:
            raise DataError(
                f"the option HiddenLayers cannot be {text!r}",
                expected="sizes such as N+5,N or 10,5, where N is the number of variables",
                found=item.strip(),
            )
        sizes.append(size)
    return sizes


def _fit(task: Task) -> Outcome:
    options, analysis = task.options, task.setup.analysis
    _check(options, analysis)
    x = task.values()
    classes = task.sample.classes
    if analysis == "Classification":
        wanted, kind, output = (classes == 0).astype(np.float64)[:, None], "entropy", "sigmoid"
    elif analysis == "Multiclass":
        wanted, kind, output = np.eye(len(task.setup.classes))[classes], "softmax", "linear"
    else:
        wanted, kind, output = task.targets(), "squares", "linear"
    random = Random(int(task.number("RandomSeed")))
    sizes = [x.shape[1], *hidden_layers(str(options["HiddenLayers"]), x.shape[1]), wanted.shape[1]]
    network = Network(sizes, str(options["NeuronType"]), output, random.uniform)
    batch = int(task.number("BatchSize"))
    plan = Plan(
        method=str(options["TrainingMethod"]),
        batch=1 if options["BPMode"] == "sequential" else -1 if batch < 1 else batch,
        cycles=int(task.number("NCycles")),
        test_rate=int(task.number("TestRate")),
        rate=task.number("LearningRate"),
        decay=task.number("DecayRate"),
        sampling=task.number("Sampling"),
        sampling_until=task.number("SamplingEpoch"),
        improvement=task.number("ConvergenceImprove"),
        tests=int(task.number("ConvergenceTests")),
        reset=int(task.number("ResetStep")),
        tau=task.number("Tau"),
        regulators=int(task.number("UpdateLimit")) if options["UseRegulator"] else 0,
    )
    minimise(network, Goal(kind, x, wanted, task.sample.weights), plan, random)
    layers = [(kernel[:-1], kernel[-1]) for kernel in network.kernels]
    return Outcome(layout(layers), {"EstimatorType": "CE" if analysis == "Classification" else "MSE"})


def _check(options: Mapping[str, object], analysis: str) -> None:
    for name, (value, why) in _ONLY.items():
        if options[name] != value:
            raise DataError(f"the option {name}={options[name]} is refused: {why}", expected=f"{name}={value}")
    if options["TrainingMethod"] == "GA":
        raise DataError("TrainingMethod=GA is refused: there is no genetic algorithm", expected="BP or BFGS")
    if analysis == "Classification" and options["EstimatorType"] == "MSE":
        raise DataError("EstimatorType=MSE is refused: TMVA trains a classification with CE", expected="CE")
    if options["UseRegulator"] and options["TrainingMethod"] != "BFGS":
        raise DataError("UseRegulator is refused with TrainingMethod=BP", expected="TrainingMethod=BFGS")
    whole = (1, math.inf, "a whole number from 1")
    ranges: dict[str, tuple[float, float, str]] = {
        "NCycles": whole,
        "TestRate": whole,
        "LearningRate": (1e-300, math.inf, "above 0"),
        "DecayRate": (0, 1, "from 0 to 1"),
        "Sampling": (1e-300, 1, "above 0, at most 1"),
        "SamplingEpoch": (0, 1, "from 0 to 1"),
        "Tau": (1 + 1e-9, math.inf, "above 1"),
        "RandomSeed": (0, 2**32 - 1, "from 0, which takes a seed of the system"),
        "UpdateLimit": (0, math.inf, "from 0"),
    }
    for name, (low, high, expected) in ranges.items():
        if not low <= float(str(options[name])) <= high:
            raise DataError(f"the option {name} cannot be {options[name]}", expected=expected)


MLP = Training("MLP", OPTIONS, _fit, ("Classification", "Regression", "Multiclass"))
