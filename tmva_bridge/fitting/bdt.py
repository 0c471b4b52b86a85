"""BDT: TMVA's boosted decision trees, each option honoured or refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.declared import BDT as OPTIONS
from tmva_bridge.declared import BDT_REGRESSION
from tmva_bridge.fitting.boosting import Boosting, Events, boost, poisson
from tmva_bridge.fitting.growing import Grower
from tmva_bridge.fitting.training import Outcome, Task, Training, used
from tmva_bridge.options import Scalar
from tmva_bridge.splitting import Random
from tmva_bridge.writing.trees import forest

__all__ = ["BDT"]

_SEED = 1  # of the random choice of variables

# option -> what it must be, and why another value is refused
_ONLY: dict[str, tuple[Scalar, str]] = {
    "Css": (1.0, "it is of BoostType=AdaCost, which is not offered"),
    "Cts_sb": (1.0, "it is of BoostType=AdaCost, which is not offered"),
    "Ctb_ss": (1.0, "it is of BoostType=AdaCost, which is not offered"),
    "Cbb": (1.0, "it is of BoostType=AdaCost, which is not offered"),
    "DoBoostMonitor": (False, "its histograms are not made"),
    "UseFisherCuts": (False, "cuts on sums of variables are not grown"),
    "MinLinCorrForFisher": (0.8, "it is of UseFisherCuts, which is not offered"),
    "UseExclusiveVars": (False, "it is of UseFisherCuts, which is not offered"),
    "DoPreselection": (False, "cuts before the trees are not made"),
    "PruningValFraction": (0.5, "it is of a pruning that finds its own strength, which is not offered"),
    "nEventsMin": (0, "TMVA has replaced it: give MinNodeSize in percent"),
    "UseNTrainEvents": (0, "trees are grown on all events: see UseBaggedBoost"),
    "NNodesMax": (0, "TMVA has replaced it: give MaxDepth"),
}
_BOOSTS = {
    "Classification": ("AdaBoost", "Bagging", "Grad"),
    "Regression": ("AdaBoostR2", "Bagging", "Grad"),
    "Multiclass": ("Grad",),
}


def _fit(task: Task) -> Outcome:
    options = task.options
    analysis = task.setup.analysis
    kind = str(options["BoostType"])
    kind = "AdaBoostR2" if analysis == "Regression" and kind == "AdaBoost" else kind
    _check(options, kind, analysis)
    treatment = str(options["NegWeightTreatment"])
    if kind == "Grad" and treatment == "InverseBoostNegWeights":
        treatment = "IgnoreNegWeightsInTraining"  # as TMVA decides
    sample = used(task.sample, treatment == "IgnoreNegWeightsInTraining")
    values, targets = task.chain.forward(sample)
    bagged = bool(options["UseBaggedBoost"]) or bool(options["UseBaggedGrad"]) or kind == "Bagging"
    old = task.number("GradBaggingFraction")
    fraction = old if options["UseBaggedGrad"] and old != 0.6 else task.number("BaggedSampleFraction")
    regression = analysis == "Regression"
    how = Boosting(
        kind=kind,
        trees=int(task.number("NTrees")),
        beta=task.number("AdaBoostBeta"),
        shrinkage=task.number("Shrinkage"),
        loss=str(options["AdaBoostR2Loss"]),
        bagged=fraction if bagged else None,
        yes_no=bool(options["UseYesNoLeaf"]) and kind != "Grad" and not regression,
        inverse=treatment == "InverseBoostNegWeights",
        fraction=task.number("SigToBkgFraction"),
        pruned=task.number("PruneStrength") / 100 if options["PruneMethod"] == "CostComplexity" else 0.0,
    )
    count = values.shape[1]
    chosen = int(task.number("UseNvars")) or int(math.sqrt(count) + 0.6)
    separation = (
        "GiniIndex" if str(options["SeparationType"]) == "RegressionVariance" else str(options["SeparationType"])
    )
    grower = Grower(
        depth=int(task.number("MaxDepth")),
        smallest=_percent(str(options["MinNodeSize"])) / 100,
        cuts=int(task.number("nCuts")),
        separation=separation,
        purity=task.number("NodePurityLimit"),
        whole=np.array([one.kind == "I" for one in task.setup.variables]),
        choose=_chooser(count, chosen, bool(options["UsePoissonNvars"])) if options["UseRandomisedTrees"] else None,
    )
    goal = targets[:, 0].astype(np.float64) if regression else None
    found = boost(how, grower, Events(values, sample.weights, sample.classes, goal))
    settled: dict[str, Scalar] = {
        "BoostType": kind,
        "UseNvars": chosen,
        "NegWeightTreatment": treatment.lower(),
        "SeparationType": "regressionvariance" if regression else str(options["SeparationType"]).lower(),
        "PruneMethod": str(options["PruneMethod"]).lower(),
        "AdaBoostR2Loss": str(options["AdaBoostR2Loss"]).lower(),
        "GradBaggingFraction": fraction,
        "BaggedSampleFraction": fraction,
        "UseYesNoLeaf": bool(options["UseYesNoLeaf"]) and not regression,
    }
    return Outcome(forest(found.trees, found.weights, task.title), settled)


def _check(options: Mapping[str, object], kind: str, analysis: str) -> None:
    """Refuses, by name, what is not offered or has no meaning."""
    for name, (value, why) in _ONLY.items():
        if options[name] != value:
            raise DataError(f"the option {name}={options[name]} is refused: {why}", expected=f"{name}={value}")
    if kind not in _BOOSTS[analysis]:
        raise DataError(
            f"BoostType={kind} is not offered for {analysis}", expected=", ".join(_BOOSTS[analysis]), found=kind
        )
    if options["PruneMethod"] == "ExpectedError":
        raise DataError("PruneMethod=ExpectedError is refused", expected="NoPruning or CostComplexity")
    if options["NegWeightTreatment"] == "PairNegWeightsGlobal":
        raise DataError(
            "NegWeightTreatment=PairNegWeightsGlobal is refused: it pairs events by their distance",
            expected="InverseBoostNegWeights, IgnoreNegWeightsInTraining or Pray",
        )
    if options["SeparationType"] == "RegressionVariance" and analysis != "Regression":
        raise DataError("SeparationType=RegressionVariance is of a regression", found=analysis)
    ranges: dict[str, tuple[float, float, str]] = {
        "NTrees": (1, math.inf, "a whole number from 1"),
        "MaxDepth": (1, 300, "a whole number from 1 to 300"),
        "nCuts": (1, 1e6, "a whole number from 1: every value as a cut (-1) is not offered"),
        "PruneStrength": (0, 100, "percent, 0 to 100: a strength that is found by itself (-1) is not offered"),
        "Shrinkage": (1e-300, 1, "above 0, at most 1"),
        "AdaBoostBeta": (1e-300, math.inf, "above 0"),
        "BaggedSampleFraction": (1e-300, 20, "above 0"),
        "GradBaggingFraction": (1e-300, 20, "above 0"),
        "SigToBkgFraction": (1e-300, math.inf, "above 0"),
        "NodePurityLimit": (0, 1, "from 0 to 1"),
        "UseNvars": (0, math.inf, "from 0"),
    }
    for name, (low, high, expected) in ranges.items():
        if not low <= float(str(options[name])) <= high:
            raise DataError(f"the option {name} cannot be {options[name]}", expected=expected)


def _percent(text: str) -> float:
    """MinNodeSize, which TMVA holds as float32."""
    try:
        value = float(np.float32(text.strip().removesuffix("%")))
    except ValueError:
        value = math.nan
    if not 0 <= value < 50:
        raise DataError(f"the option MinNodeSize cannot be {text!r}", expected="percent of the events, such as 5%")
    return value


def _chooser(count: int, wanted: int, vary: bool) -> Callable[[], NDArray[np.int64]]:
    """Gives some of the variables, for one node."""
    random = Random(_SEED)

    def choose() -> NDArray[np.int64]:
        number = int(poisson(random, wanted, 1)[0]) if vary else wanted
        number = min(count, max(1, number))
        found: set[int] = set()
        while len(found) < number:
            found.add(int(random.uniform(1)[0] * count))
        return np.array(sorted(found))

    return choose


BDT = Training("BDT", OPTIONS, _fit, ("Classification", "Regression", "Multiclass"), regression=BDT_REGRESSION)
