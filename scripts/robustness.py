"""What varied towers change, and what it costs to keep a network from knowing the mass.

    python scripts/robustness.py --samples SAMPLES --work robustness

SAMPLES holds eid_dev_electrons.root, eid_dev_jets.root and eid_pileup50_{electrons,jets}.root. Each step is a `hepml`
command; what is finished is not done again. The numbers go to docs/robustness.json; scripts/results_table.py writes the
tables of docs/training.md and docs/evaluation.md from it. Some minutes on 2 cores.
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
RUNS = {
    "hl": [],
    "plane_mass": ["--plane", "mass"],
    "disco_5": ["--decorrelate", "mass=5"],
    "disco_20": ["--decorrelate", "mass=20"],
    "disco_100": ["--decorrelate", "mass=100"],
}
VARIATIONS = (
    *("scale=1.01", "scale=0.99", "scale.hcal=1.1", "resolution=0.05", "noise=0.01", "noise=0.05+threshold=0.15"),
    *("threshold=0.3", "dead=0.01", "shift=1"),
)
PILEUP = {"signal": "electrons", "background": "jets"}


def hepml(*arguments: object) -> None:
    """Run a hepml command."""
    words = [str(one) for one in arguments]
    print("hepml", *words, flush=True)
    subprocess.run([sys.executable, "-m", "hepml", *words], stdout=subprocess.DEVNULL, check=True)


def decorrelation(metrics: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a run that the table shows, at 80 % signal efficiency."""
    (mass,) = (one for one in metrics["dependence"] if one["name"] == "mass")
    k = mass["signal_efficiency"].index(0.8)
    point = metrics["working_points"][k]
    return {
        "auc": metrics["auc"]["value"],
        "auc_error": metrics["auc"]["error"],
        "rejection": {key: point[key] for key in ("rejection", "lower", "upper", "limit")},
        "correlation": mass["correlation"][0],
        "distance": mass["distance"][k],
        "distance_by_chance": mass["distance_by_chance"][k],
        "efficiency": [min(mass["background_efficiency"][k]), max(mass["background_efficiency"][k])],
    }


def change(systematic: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a variation that the table shows, at 80 % signal efficiency."""
    k = systematic["signal_efficiency"].index(0.8)
    shown = {key: systematic[key] for key in ("name", "paired", "n_signal", "n_background", "lost", "gained")}
    return shown | {"signal": systematic["signal"][k], "background": systematic["background"][k]}


def main() -> None:
    """Convert, train, evaluate, collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("robustness"))
    options = parser.parse_args()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    data = work / "data.h5"
    files = {name: options.samples / f"eid_{name}.root" for name in ("dev_electrons", "dev_jets")}
    if not data.exists():
        hepml("convert", "--signal", files["dev_electrons"], "--background", files["dev_jets"], "-o", data)
    found: dict[str, Any] = {}
    for name, arguments in RUNS.items():
        more = [*arguments, "--set", "batch_size=1024", "--epochs", 40, "--quiet"]
        hepml("train", data, "--features", "hl", "-o", work / name, *more)
        pileup = (f"pileup.{one}={options.samples}/eid_pileup50_{file}.root" for one, file in PILEUP.items())
        varied = ["--vary", ",".join(VARIATIONS), "--vary", "+".join(pileup)] if name == "hl" else []
        hepml("evaluate", work / name, data, "--no-figures", "--overwrite", *varied)
        found[name] = json.loads((work / name / "metrics.json").read_text())
    candidates = [found["hl"][key] for key in ("n_signal", "n_background")]
    record = {
        "about": {"machine": machine(), "commit": commit(ROOT), "candidates": candidates},
        "decorrelation": {name: decorrelation(one) for name, one in found.items()},
        "systematics": [change(one) for one in found["hl"]["systematics"]],
    }
    write_json(ROOT / "docs" / "robustness.json", record)


if __name__ == "__main__":
    main()
