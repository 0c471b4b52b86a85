"""TMVA's regression tutorial, with a Keras network beside its methods. For PyROOT, change the last import line.

python tutorial_regression.py [tmva_reg_example.root] [methods, such as LD,PyKeras] [epochs]
"""

import sys

from keras import Input, Sequential
from keras.layers import Dense

from tmva_bridge import TMVA, TCut, TFile  # PyROOT: from ROOT import TMVA, TCut, TFile

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_reg_example.root"
epochs = sys.argv[3] if len(sys.argv) > 3 else "20"
METHODS = {
    "LD": ("kLD", "!H:!V:VarTransform=None"),
    "MLP": (
        "kMLP",
        "!H:!V:VarTransform=Norm:NeuronType=tanh:NCycles=200:HiddenLayers=N+20:TestRate=6:!UseRegulator",
    ),
    "BDTG": (
        "kBDT",
        "!H:!V:NTrees=500:BoostType=Grad:Shrinkage=0.1:UseBaggedBoost:BaggedSampleFraction=0.5:nCuts=20:MaxDepth=4",
    ),
    "PyKeras": (
        "kPyKeras",
        "!H:!V:Verbose=2:VarTransform=Norm:FilenameModel=regression.keras:BatchSize=32:NumEpochs=" + epochs,
    ),
}
titles = sys.argv[2].split(",") if len(sys.argv) > 2 else list(METHODS)

TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()
output = TFile("TMVAReg.root", "RECREATE")
factory = TMVA.Factory("TMVARegression", output, "!V:!Silent:Color:DrawProgressBar:AnalysisType=Regression")

dataloader = TMVA.DataLoader("datasetreg")
dataloader.AddVariable("var1", "Variable 1", "units", "F")
dataloader.AddVariable("var2", "Variable 2", "units", "F")
dataloader.AddSpectator("spec1 := var1*2", "Spectator 1", "units", "F")
dataloader.AddTarget("fvalue")
dataloader.AddRegressionTree(TFile.Open(path).Get("TreeR"), 1.0)
dataloader.SetWeightExpression("var1", "Regression")
dataloader.PrepareTrainingAndTestTree(
    TCut(""), "nTrain_Regression=1000:nTest_Regression=0:SplitMode=Random:NormMode=NumEvents:!V"
)

model = Sequential([Input((2,)), Dense(64, activation="tanh"), Dense(1)])
model.compile(loss="mean_squared_error", optimizer="adam")
model.save("regression.keras")

for title in titles:
    kind, options = METHODS[title]
    factory.BookMethod(dataloader, getattr(TMVA.Types, kind), title, options)

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
output.Close()
