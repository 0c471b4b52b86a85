"""The workshop's application: the average response of signal and background. For PyROOT, change the last import line.

python workshop_application.py [tmva_class_example.root] [events], where workshop_training.py was run
"""

import sys
from array import array

from tmva_bridge import TMVA, TFile, TString  # PyROOT: from ROOT import TMVA, TFile, TString

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"
events = int(sys.argv[2]) if len(sys.argv) > 2 else 1000

TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()

data = TFile.Open(path)
trees = {"Signal": data.Get("TreeS"), "Background": data.Get("TreeB")}

reader = TMVA.Reader("Color:!Silent")
for branch in trees["Signal"].GetListOfBranches():
    name = branch.GetName()
    value = array("f", [-999])
    reader.AddVariable(name, value)
    for tree in trees.values():
        tree.SetBranchAddress(name, value)
reader.BookMVA("PyKeras", TString("BinaryClassificationKeras/weights/TMVAClassification_PyKeras.weights.xml"))

for name, tree in trees.items():
    total = 0.0
    count = min(events, tree.GetEntries())
    for entry in range(count):
        tree.GetEntry(entry)
        total += reader.EvaluateMVA("PyKeras")
    print(f"Average response on {name}: {total / count:.2f}")
