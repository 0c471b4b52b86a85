"""The workshop's training: Fisher beside a Keras network, both in TMVA. For PyROOT, change the last import line.

python workshop_training.py [tmva_class_example.root] [epochs]
"""

import sys

from keras import Input, Sequential
from keras.layers import Dense

from tmva_bridge import TMVA, TCut, TFile  # PyROOT: from ROOT import TMVA, TCut, TFile

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"
epochs = sys.argv[2] if len(sys.argv) > 2 else "10"

TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()

data = TFile.Open(path)
signal, background = data.Get("TreeS"), data.Get("TreeB")

output = TFile.Open("BinaryClassificationKeras.root", "RECREATE")
factory = TMVA.Factory(
    "TMVAClassification", output, "!V:!Silent:Color:DrawProgressBar:Transformations=G:AnalysisType=Classification"
)

dataloader = TMVA.DataLoader("BinaryClassificationKeras")
for branch in signal.GetListOfBranches():
    dataloader.AddVariable(branch.GetName())
dataloader.AddSignalTree(signal, 1.0)
dataloader.AddBackgroundTree(background, 1.0)
dataloader.PrepareTrainingAndTestTree(
    TCut(""), "nTrain_Signal=4000:nTrain_Background=4000:SplitMode=Random:NormMode=NumEvents:!V"
)

# A binary classification has two output nodes, signal first.
model = Sequential([Input((4,)), Dense(64, activation="relu"), Dense(2, activation="softmax")])
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.save("model.keras")
model.summary()

factory.BookMethod(dataloader, TMVA.Types.kFisher, "Fisher", "!H:!V:Fisher:VarTransform=None")
factory.BookMethod(
    dataloader,
    TMVA.Types.kPyKeras,
    "PyKeras",
    "!H:!V:Verbose=2:VarTransform=G:FilenameModel=model.keras:FilenameTrainedModel=trained_model.keras:"
    "BatchSize=32:SaveBestOnly=true:TriesEarlyStopping=5:LearningRateSchedule=10,0.01;20,0.001:"
    "NumEpochs=" + epochs,
)

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
output.Close()
