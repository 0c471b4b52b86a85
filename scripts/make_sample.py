"""Cut the ROOT sample that hepml carries from larger Delphes files.

Every n-th event is kept, so that the sample has the mixture of the whole file, and only the branches that hepml can
use. ROOT itself copies the tree: the result is a genuine split tree of TClonesArrays, as Delphes writes it.

Needs ROOT, which hepml does not: `pip install --pre "root>=0.1a10"`, in an environment of its own if you like.

    python scripts/make_sample.py electrons.root hepml/data/sample_electrons.root --events 2500
"""

from __future__ import annotations

import argparse
from pathlib import Path

KEPT = {
    "Event": "Number ProcessID Weight CrossSection Scale",
    "Particle": "PID Status Charge E PT Eta Phi",
    "Track": "PID Charge PT Eta Phi",
    "ECalTowers": "ET Eta Phi E Edges*",
    "HCalTowers": "ET Eta Phi E Edges*",
    "Jet": "PT Eta Phi Mass",
    "Electron": "fUniqueID PT Eta Phi Charge",
    "Muon": "PT Eta Phi Charge",
}
LZMA_LEVEL_7 = 207


def cut(source: Path, output: Path, n_events: int) -> int:
    """Copy `n_events` events, evenly spaced, and return the size of the new file in bytes."""
    import ROOT  # an optional tool of this script only

    file = ROOT.TFile.Open(str(source))
    tree = file.Get("Delphes")
    tree.SetBranchStatus("*", 0)
    for collection, leaves in KEPT.items():
        for name in (collection, f"{collection}_size", *(f"{collection}.{leaf}" for leaf in leaves.split())):
            tree.SetBranchStatus(name, 1)
    n_all = int(tree.GetEntries())
    written = ROOT.TFile(str(output), "RECREATE", "", LZMA_LEVEL_7)
    copy = tree.CloneTree(0)
    copy.SetAutoFlush(0)  # one cluster: small files compress best in one piece
    for index in range(min(n_events, n_all)):
        tree.GetEntry(index * n_all // n_events if n_events < n_all else index)
        copy.Fill()
    copy.Write()
    written.Close()
    return output.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--events", type=int, default=2500)
    arguments = parser.parse_args()
    size = cut(arguments.source, arguments.output, arguments.events)
    print(f"{arguments.output}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
