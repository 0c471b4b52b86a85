"""TMVA's multiclass tutorial, with a Keras network beside its methods. For PyROOT, change the last import line.

python tutorial_multiclass.py [tmva_multiclass_example.root] [methods, such as PyKeras] [epochs]
"""

import sys

from keras import Input, Sequential
from keras.layers import Dense

from tmva_bridge import TMVA, TCut, TFile  # PyROOT: from ROOT import TMVA, TCut, TFile

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_multiclass_example.root"
epochs = sys.argv[3] if len(sys.argv) > 3 else "20"
METHODS = {
    "BDTG": (
        "kBDT",
        "!H:!V:NTrees=1000:BoostType=Grad:Shrinkage=0.10:UseBaggedBoost:BaggedSampleFraction=0.50:nCuts=20:MaxDepth=2",
    ),
    "MLP": ("kMLP", "!H:!V:NeuronType=tanh:NCycles=1000:HiddenLayers=N+5,5:TestRate=5:EstimatorType=MSE"),
    "PyKeras": (
        "kPyKeras",
        "!H:!V:Verbose=2:VarTransform=N:FilenameModel=multiclass.keras:BatchSize=32:NumEpochs=" + epochs,
    ),
}
titles = sys.argv[2].split(",") if len(sys.argv) > 2 else list(METHODS)

TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()
output = TFile("TMVAMulticlass.root", "RECREATE")
factory = TMVA.Factory("TMVAMulticlass", output, "!V:!Silent:Color:DrawProgressBar:AnalysisType=Multiclass")

dataloader = TMVA.DataLoader("datasetmulti")
for name in ("var1", "var2", "var3", "var4"):
    dataloader.AddVariable(name, "F")
data = TFile.Open(path)
for tree, name in (("TreeS", "Signal"), ("TreeB0", "bg0"), ("TreeB1", "bg1"), ("TreeB2", "bg2")):
    dataloader.AddTree(data.Get(tree), name)
dataloader.PrepareTrainingAndTestTree(TCut(""), "SplitMode=Random:NormMode=NumEvents:!V")

model = Sequential([Input((4,)), Dense(32, activation="relu"), Dense(4, activation="softmax")])
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.save("multiclass.keras")

for title in titles:
    kind, options = METHODS[title]
    factory.BookMethod(dataloader, getattr(TMVA.Types, kind), title, options)

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
output.Close()
