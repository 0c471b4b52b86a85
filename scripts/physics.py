"""Reproduce "Learning to identify electrons" on a Delphes sample: every feature set, with errors, beside the paper.

    python scripts/physics.py --signal eid_dev_electrons.root --background eid_dev_jets.root --work physics

Slow (about two hours on 2 cores; the ECal-only CNN and three seeds of et_and_ht take most of it) and resumable: what is
finished is not done again, and a training that was killed goes on. Each step is a `hepml` command. The numbers go to
docs/results.json (or --results), where those of other feature sets stay; scripts/results_table.py writes the tables of
README.md and docs/physics.md from it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import commit, machine

from hepml.ledger import write_json

ROOT = Path(__file__).parents[1]

# features -> options of `hepml train`: small networks by folds and seeds, CNNs on the 64/16/20 split
RUNS = {
    "mass": ["--folds", "5", "--seeds", "5"],
    "hl": ["--folds", "5", "--seeds", "5"],
    "hl_and_mass": ["--folds", "5", "--seeds", "5"],
    "ht": [],
    "et": [],
    "et_and_ht": ["--seeds", "3"],
    "et_and_ht_and_hl": [],
}
SELECTIONS = ("full", "hard")
EFFICIENCIES = (0.5, 0.8, 0.9)


def hepml(*arguments: str) -> str:
    """Run a hepml command; its standard output."""
    print("hepml", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", "hepml", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def summary(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one evaluation that the tables show."""
    auc = evaluation["auc"]
    points = [p for p in evaluation["working_points"] if round(p["signal_efficiency"], 3) in EFFICIENCIES]
    keys = ("signal_efficiency", "rejection", "lower", "upper", "n_background", "limit")
    return {
        "part": evaluation["part"],
        "folds": evaluation["folds"],
        "seeds": len(evaluation["seeds"]),
        "n_signal": evaluation["n_signal"],
        "n_background": evaluation["n_background"],
        "auc": auc["value"],
        "auc_error": auc["error"],
        "auc_seed_mean": auc["mean"],
        "auc_seed_spread": auc["spread"],
        "rejection": [{key: point[key] for key in keys} for point in points],
    }


def main() -> None:
    """Convert, train, evaluate, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signal", nargs="+", required=True)
    parser.add_argument("--background", nargs="+", required=True)
    parser.add_argument("--work", type=Path, default=Path("physics"))
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "results.json")
    parser.add_argument("--features", nargs="+", choices=RUNS, default=list(RUNS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)

    data = options.work / "data.h5"
    if not data.exists():
        samples = [word for name in options.signal for word in ("--signal", name)]
        samples += [word for name in options.background for word in ("--background", name)]
        hepml("convert", *samples, "-o", str(data))
    runs = {features: options.work / "runs" / features for features in options.features}
    for features, run in runs.items():
        hepml("train", str(data), "--features", features, "-o", str(run), "--resume", *RUNS[features])

    results: dict[str, Any] = json.loads(options.results.read_text()) if options.results.exists() else {}
    for selection in SELECTIONS:
        words = ["-o", str(options.work / "evaluation" / selection), "--json", "--overwrite"]
        words += [] if selection == "full" else ["--selection", selection]
        record = json.loads(hepml("evaluate", *map(str, runs.values()), str(data), *words))
        for features, evaluation in zip(runs, record.get("runs", [record]), strict=True):
            results.setdefault(selection, {})[features] = summary(evaluation)
    for features, run in runs.items():
        record = json.loads((run / "run.json").read_text())
        results.setdefault("about", {})[features] = {
            "commit": commit(ROOT),
            "code": record["code"],
            "config": record["config_hash"],
            "seed": record["config"]["seed"],
            "machine": machine(),
            "sample": [Path(name).name for name in (*options.signal, *options.background)],
        }
    write_json(options.results, results, overwrite=True)


if __name__ == "__main__":
    main()
