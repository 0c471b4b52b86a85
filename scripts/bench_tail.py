"""The tail of the latency of one event, in processor time, beside that of arithmetic done in turn with the events.

python scripts/bench_tail.py --bench build/apps/hepml-bench [--turns N] [-o docs/latency_tail.json]

Each network is measured several times by hepml-bench, and the turn whose arithmetic had the shortest tail is kept: the
one in which the machine disturbed least. The own time of an event is the least of its times in that turn,
free of what comes from outside. Networks have random weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import commit, machine

from hepml.ledger import write_json

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "cpp" / "bench"))
from chains import deep, mnist, recurrent, unscaled  # noqa: E402
from networks import network  # noqa: E402


def tails(measured: dict[str, Any]) -> tuple[float, float]:
    """99.9 % quantile over median, of the network and of the arithmetic."""
    return tuple(measured[f"{who}_p999_us"] / measured[f"{who}_median_us"] for who in ("cpu", "arithmetic"))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="the program hepml-bench")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "latency_tail.json")
    options = parser.parse_args()
    files = {
        "hl": unscaled(network("hl")),
        "HIGGS deep": deep(28, 5, 300),
        "MNIST": mnist(),
        "GRU": recurrent("gru"),
        "GRU, reset after": recurrent("gru", reset_after=True),
        "LSTM": recurrent("lstm"),
        "et_and_ht": unscaled(network("et_and_ht")),
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.json"
        for name, file in files.items():
            path.write_text(json.dumps(file))
            turns = []
            for _ in range(options.turns):
                done = subprocess.run([options.bench, path], check=True, capture_output=True, text=True)
                turns.append(json.loads(done.stdout))
            quietest = min(turns, key=lambda turn: tails(turn)[1])
            mine, arithmetic = tails(quietest)
            row = {
                "network": name,
                "cpu": quietest["cpu"],
                "events": quietest["events"],
                "median_us": quietest["cpu_median_us"],
                "tail": round(mine, 2),
                "arithmetic": round(arithmetic, 2),
                "different_events": quietest["different_events"],
                "own_tail": round(quietest["own_p999_us"] / quietest["own_median_us"], 2),
            }
            rows.append(row)
            print(row, flush=True)
    about = {"machine": machine(), "commit": commit(ROOT), "turns": options.turns}
    write_json(options.output, {"about": about, "rows": rows}, overwrite=True)


if __name__ == "__main__":
    main()
