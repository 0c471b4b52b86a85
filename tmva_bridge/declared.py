"""The options that TMVA's methods declare, in the order of its files, with its defaults."""

from __future__ import annotations

from tmva_bridge.options import Choice, Declared, Scalar

__all__ = ["BDT", "BDT_REGRESSION", "COMMON", "MLP", "MLP_FIRST", "defaults"]

# of every method; V, VerbosityLevel and H are about printing
COMMON: dict[str, Declared] = {
    "V": False,
    "VerbosityLevel": Choice(("Default", "Debug", "Verbose", "Info", "Warning", "Error", "Fatal")),
    "VarTransform": "None",
    "H": False,
    "CreateMVAPdfs": False,
    "IgnoreNegWeightsInTraining": False,
}
BDT: dict[str, Declared] = {
    **COMMON,
    "NTrees": 800,
    "MaxDepth": 3,
    "MinNodeSize": "5%",
    "nCuts": 20,
    "BoostType": Choice(("AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "AdaBoostR2", "Grad")),
    "AdaBoostR2Loss": Choice(("Quadratic", "Linear", "Exponential")),
    "UseBaggedBoost": False,
    "Shrinkage": 1.0,
    "AdaBoostBeta": 0.5,
    "UseRandomisedTrees": False,
    "UseNvars": 0,  # 0: the root of the number of variables
    "UsePoissonNvars": True,
    "BaggedSampleFraction": 0.6,
    "UseYesNoLeaf": True,
    "NegWeightTreatment": Choice(
        ("InverseBoostNegWeights", "IgnoreNegWeightsInTraining", "PairNegWeightsGlobal", "Pray")
    ),
    "Css": 1.0,
    "Cts_sb": 1.0,
    "Ctb_ss": 1.0,
    "Cbb": 1.0,
    "NodePurityLimit": 0.5,
    "SeparationType": Choice(
        (
            "GiniIndex",
            "CrossEntropy",
            "GiniIndexWithLaplace",
            "MisClassificationError",
            "SDivSqrtSPlusB",
            "RegressionVariance",
        )
    ),
    "DoBoostMonitor": False,
    "UseFisherCuts": False,
    "MinLinCorrForFisher": 0.8,
    "UseExclusiveVars": False,
    "DoPreselection": False,
    "SigToBkgFraction": 1.0,
    "PruneMethod": Choice(("NoPruning", "ExpectedError", "CostComplexity")),
    "PruneStrength": 0.0,
    "PruningValFraction": 0.5,
    "nEventsMin": 0,
    "UseBaggedGrad": False,
    "GradBaggingFraction": 0.6,
    "UseNTrainEvents": 0,
    "NNodesMax": 0,
}
# defaults of a regression, where they are others
BDT_REGRESSION: dict[str, Scalar] = {
    "MaxDepth": 50,
    "MinNodeSize": "0.2%",
    "BoostType": "AdaBoostR2",
    "UseYesNoLeaf": False,
    "SeparationType": "RegressionVariance",
}
MLP_FIRST: dict[str, Declared] = {
    "NCycles": 500,
    "HiddenLayers": "N,N-1",
    "NeuronType": Choice(("sigmoid", "linear", "tanh", "ReLU", "radial")),
    "RandomSeed": 1,
    "EstimatorType": Choice(("CE", "MSE")),
    "NeuronInputType": Choice(("sum", "sqsum", "abssum")),
}
MLP: dict[str, Declared] = {
    **MLP_FIRST,
    **COMMON,
    "TrainingMethod": Choice(("BP", "GA", "BFGS")),
    "LearningRate": 0.02,
    "DecayRate": 0.01,
    "TestRate": 10,
    "EpochMonitoring": False,
    "Sampling": 1.0,
    "SamplingEpoch": 1.0,
    "SamplingImportance": 1.0,
    "SamplingTraining": True,
    "SamplingTesting": False,
    "ResetStep": 50,
    "Tau": 3.0,
    "BPMode": Choice(("sequential", "batch")),
    "BatchSize": -1,
    "ConvergenceImprove": 1e-30,
    "ConvergenceTests": -1,
    "UseRegulator": False,
    "UpdateLimit": 10000,
    "CalculateErrors": False,
    "WeightRange": 1.0,
}


def defaults(declared: dict[str, Declared]) -> dict[str, Scalar]:
    """The default of each option that is no array.

    Example:
        >>> defaults(MLP)["NeuronType"]
        'sigmoid'
    """
    values = {name: one.values[0] if isinstance(one, Choice) else one for name, one in declared.items()}
    return {name: value for name, value in values.items() if not isinstance(value, tuple)}
