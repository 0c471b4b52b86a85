"""Reproduce "Learning to identify electrons" on a Delphes sample: every feature set, with errors, beside the paper.

    python scripts/physics.py --signal eid_dev_electrons.root --background eid_dev_jets.root --work physics

Slow (about two hours on 2 cores, most of it the ECal-only CNN) and resumable: what is finished is not done again.
Each step is a `hepml` command; the numbers are collected in WORK/results.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

# features -> options of `hepml train`: small networks by folds and seeds, CNNs on the 64/16/20 split
RUNS = {
    "mass": ["--folds", "5", "--seeds", "5"],
    "hl": ["--folds", "5", "--seeds", "5"],
    "hl_and_mass": ["--folds", "5", "--seeds", "5"],
    "et_and_ht": [],
    "et_and_ht_and_hl": [],
    "ht": [],
    "et": [],
}
# The published AUC of the same networks on the paper's own sample (arXiv:2011.01984 and its reproduction)
PAPER_AUC = {
    "mass": 0.7766,
    "hl": 0.9446,
    "hl_and_mass": 0.9525,
    "et": 0.9176,
    "ht": 0.8250,
    "et_and_ht": 0.9720,
    "et_and_ht_and_hl": 0.9752,
}
SELECTIONS = {"full": [], "hard": ["--selection", "hard"]}


def hepml(*arguments: str) -> str:
    """Run a hepml command; its standard output."""
    print("hepml", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "hepml", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> None:
    """Convert, train, evaluate, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signal", nargs="+", required=True)
    parser.add_argument("--background", nargs="+", required=True)
    parser.add_argument("--work", type=Path, default=Path("physics"))
    parser.add_argument("--features", nargs="+", choices=RUNS, default=list(RUNS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    data = options.work / "data.h5"
    if not data.exists():
        samples = [argument for name in options.signal for argument in ("--signal", name)]
        samples += [argument for name in options.background for argument in ("--background", name)]
        hepml("convert", *samples, "-o", str(data))

    results: dict[str, dict[str, object]] = {}
    for features in options.features:
        run = options.work / "runs" / features
        hepml("train", str(data), "--features", features, "-o", str(run), "--resume", *RUNS[features])
        entry: dict[str, object] = {"paper_auc": PAPER_AUC[features]}
        for name, selection in SELECTIONS.items():
            folder = options.work / "evaluation" / name / features
            text = hepml("evaluate", str(run), str(data), "-o", str(folder), "--json", "--overwrite", *selection)
            entry[name] = json.loads(text)
        results[features] = entry
        (options.work / "results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
