"""TMVA's classification tutorial: several methods on one split. For PyROOT, change the last import line.

python tutorial_classification.py [tmva_class_example.root] [methods, such as Fisher,LD,BDT]
"""

import sys

from tmva_bridge import TMVA, TCut, TFile, gROOT  # PyROOT: from ROOT import TMVA, TCut, TFile, gROOT

METHODS = {
    "Fisher": (
        "kFisher",
        "H:!V:Fisher:VarTransform=None:CreateMVAPdfs:PDFInterpolMVAPdf=Spline2:NbinsMVAPdf=50:NsmoothMVAPdf=10",
    ),
    "FisherG": ("kFisher", "!H:!V:VarTransform=Gauss"),
    "LD": ("kLD", "!H:!V:VarTransform=None"),
    "Likelihood": (
        "kLikelihood",
        "!H:!V:TransformOutput:PDFInterpol=Spline2:NSmoothSig[0]=20:NSmoothBkg[0]=20:NSmoothBkg[1]=10:"
        "NSmooth=1:NAvEvtPerBin=50",
    ),
    "LikelihoodD": (
        "kLikelihood",
        "!H:!V:TransformOutput:PDFInterpol=Spline2:NSmoothSig[0]=20:NSmoothBkg[0]=20:NSmooth=5:"
        "NAvEvtPerBin=50:VarTransform=Decorrelate",
    ),
    "BDT": (
        "kBDT",
        "!H:!V:NTrees=850:MinNodeSize=2.5%:MaxDepth=3:BoostType=AdaBoost:AdaBoostBeta=0.5:"
        "UseBaggedBoost:BaggedSampleFraction=0.5:SeparationType=GiniIndex:nCuts=20",
    ),
    "BDTG": (
        "kBDT",
        "!H:!V:NTrees=1000:MinNodeSize=2.5%:BoostType=Grad:Shrinkage=0.10:UseBaggedBoost:"
        "BaggedSampleFraction=0.5:nCuts=20:MaxDepth=2",
    ),
    "MLP": (
        "kMLP",
        "H:!V:NeuronType=tanh:VarTransform=N:NCycles=600:HiddenLayers=N+5:TestRate=5:!UseRegulator",
    ),
}

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"
titles = sys.argv[2].split(",") if len(sys.argv) > 2 else list(METHODS)

gROOT.SetBatch(True)
TMVA.Tools.Instance()
output = TFile("TMVA.root", "RECREATE")
factory = TMVA.Factory(
    "TMVAClassification",
    output,
    "!V:!Silent:Color:DrawProgressBar:Transformations=I;D;P;G,D:AnalysisType=Classification",
)

dataloader = TMVA.DataLoader("dataset")
dataloader.AddVariable("myvar1 := var1+var2", "F")
dataloader.AddVariable("myvar2 := var1-var2", "Expression 2", "", "F")
dataloader.AddVariable("var3", "Variable 3", "units", "F")
dataloader.AddVariable("var4", "Variable 4", "units", "F")
dataloader.AddSpectator("spec1 := var1*2", "Spectator 1", "units", "F")
dataloader.AddSpectator("spec2 := var1*3", "Spectator 2", "units", "F")

data = TFile.Open(path)
dataloader.AddSignalTree(data.Get("TreeS"), 1.0)
dataloader.AddBackgroundTree(data.Get("TreeB"), 1.0)
dataloader.SetBackgroundWeightExpression("weight")
dataloader.PrepareTrainingAndTestTree(
    TCut(""), TCut(""), "nTrain_Signal=1000:nTrain_Background=1000:SplitMode=Random:NormMode=NumEvents:!V"
)

for title in titles:
    kind, options = METHODS[title]
    factory.BookMethod(dataloader, getattr(TMVA.Types, kind), title, options)

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
output.Close()
