"""Time networks with weights of reduced precision against themselves in float32, in turn in one process.

    python scripts/bench_precision.py --library build/libhepml.a

Single events are timed in C++ (cpp/bench/compare.cpp), batches with Evaluator on one thread. How weights lie in memory
matters as much as how many bytes they are, and is chance: the networks are loaded anew for each repeat. Networks have
random weights. The results replace those of the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, machine
from numpy.typing import NDArray

from hepml.evaluator import Evaluator, cpus
from hepml.export.precision import PRECISIONS, _rounded
from hepml.ledger import config_hash, write_json

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "cpp" / "bench"))
from chains import deep, unscaled  # noqa: E402
from networks import network  # noqa: E402

NETWORKS: dict[str, tuple[Callable[[], dict[str, Any]], int, int]] = {  # with variables, and events of a batch
    "hl": (lambda: unscaled(network("hl")), 7, 20_000),
    "HIGGS deep": (lambda: deep(28, 5, 300), 28, 4_800),
    "HIGGS deep, 600 wide": (lambda: deep(28, 5, 600), 28, 960),
}
ROWS = [(name, "bf16") for name in NETWORKS] + [("HIGGS deep", one) for one in PRECISIONS if one != "bf16"]
ROUNDS = 60


def events_apart(program: Path, reduced: Path, plain: Path, events: Path, cpu: str) -> tuple[float, float]:
    """Medians of single events, reduced and float32, in microseconds."""
    words = [program, reduced, events, ROUNDS, "float32", "hepml", plain]
    environment = os.environ | {"HEPML_CPU": cpu}
    done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    return measured["hepml_us"], measured["peers"]["float32"]["us"]


def events_together(reduced: Path, plain: Path, x: NDArray[np.float32], cpu: str) -> tuple[float, float]:
    """Medians of an event of a batch, of the thread's processor time."""
    evaluators = [Evaluator(path, cpu=cpu, threads=1) for path in (reduced, plain)]
    times: list[list[float]] = [[], []]
    for i in range(8):
        for k in (0, 1)[:: 1 if i % 2 == 0 else -1]:
            start = time.thread_time()
            evaluators[k](x)
            times[k].append((time.thread_time() - start) / len(x) * 1e6)
    return statistics.median(times[0][2:]), statistics.median(times[1][2:])


def row_of(pairs: list[tuple[float, float]]) -> dict[str, float]:
    """Medians over the repeats; of the ratios also the lowest and the highest."""
    ratios = [reduced / plain for reduced, plain in pairs]
    values = {
        "reduced_us": statistics.median(reduced for reduced, _ in pairs),
        "float32_us": statistics.median(plain for _, plain in pairs),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }
    return {name: round(value, 3) for name, value in values.items()}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="libhepml.a")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "precision_speed.json")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    folder = Path(tempfile.mkdtemp())
    program = folder / "compare"
    words = ["g++", "-std=c++17", "-O2", f"-I{ROOT / 'cpp' / 'include'}", ROOT / "cpp" / "bench" / "compare.cpp"]
    subprocess.run([str(word) for word in (*words, options.library, "-ldl", "-o", program)], check=True)
    rows = []
    for name, precision in ROWS:
        make, n_variables, n = NETWORKS[name]
        file = make()
        plain, reduced, events = (folder / one for one in ("plain.json", "reduced.json", "events"))
        plain.write_text(json.dumps(file))
        reduced.write_text(json.dumps(_rounded(file, precision)[0]))
        x = rng.normal(size=(n, n_variables)).astype(np.float32)
        x[:64].tofile(events)
        for cpu in (one for one in cpus() if one != "generic"):
            pairs: dict[str, list[tuple[float, float]]] = {"event": [], "batch": []}
            for _ in range(options.repeats):
                pairs["event"].append(events_apart(program, reduced, plain, events, cpu))
                pairs["batch"].append(events_together(reduced, plain, x, cpu))
            for way, measured in pairs.items():
                row = {"network": name, "precision": precision, "way": way, "cpu": cpu, **row_of(measured)}
                rows.append(row)
                print(
                    f"{name:21} {precision} {way} {cpu:7}: {row['reduced_us']:7.2f} us, "
                    f"float32 {row['float32_us']:7.2f}, "
                    f"ratio {row['ratio']:.3f} ({row['ratio_low']:.3f}, {row['ratio_high']:.3f})",
                    flush=True,
                )
    about = {
        "commit": commit(ROOT),
        "config": config_hash({"rounds": ROUNDS, "repeats": options.repeats}),
        "seed": 0,
        "repeats": options.repeats,
        "load": round(os.getloadavg()[1], 1),
        "machine": machine(),
    }
    known = json.loads(options.results.read_text())["runs"] if options.results.exists() else []
    others = [run for run in known if run["about"]["machine"] != about["machine"]]
    write_json(options.results, {"runs": [*others, {"about": about, "rows": rows}]}, overwrite=True)


if __name__ == "__main__":
    main()
