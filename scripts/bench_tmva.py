"""Events a second of methods of TMVA: in NumPy, in C++, and what the real Reader takes.

python scripts/bench_tmva.py --data ../shared/data/tmva [--events N] [--rounds N] [-o docs/tmva_speed.json]

Responses of the same events on one thread: `Method.evaluate` and `hepml.Evaluator`, which runs them one by one. A round
runs all of them in turn, and the median over rounds is kept, of processor time, which a busy machine changes less than
wall clock. The Reader is not run here: its numbers were measured
with a real TMVA (4.2.1 on ROOT 6.38), event by event, on another machine of this kind, and are given as recorded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import commit, machine

import hepml
from tmva_bridge import read_weights, to_json

CASE = "cls_tutorial"
READER_US = {"BDT": 4.9, "MLP": 0.5, "Likelihood": 0.6}  # an event, as recorded
OTHER = "another machine of this kind"


def described(title: str, method: Any) -> str:
    """What is evaluated, for people."""
    options, count = method.options, len(method.variables)
    if title == "BDT":
        return f"{options['NTrees']} trees of depth {options['MaxDepth']}"
    if title == "MLP":
        return f"{count}-{len(method.respond.kernels[1]) - 1}-1, {options['NeuronType']}"
    return f"{count} variables, Spline2"


def ways(folder: Path, n: int) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """A call for each method in NumPy and in C++, and what the methods are."""
    data = np.load(folder / CASE / "apply.npz")["inputs"][:1000]  # of the test sample
    events = data[np.random.default_rng(1).integers(0, len(data), n)]
    calls: dict[str, Callable[[], Any]] = {}
    words = {}
    for title in READER_US:
        path = folder / CASE / "weights" / f"TMVA_{title}.weights.xml"
        method = read_weights(path)
        evaluator = hepml.Evaluator.from_text(to_json(path), threads=1)
        calls[f"{title}, NumPy"] = lambda method=method: method.evaluate(events)
        calls[f"{title}, C++"] = lambda evaluator=evaluator: evaluator(events)["output"]
        words[title] = described(title, method)
    return calls, words


def measured(calls: dict[str, Callable[[], Any]], n: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds of the processor for an event, of every call and round; a first round is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if i:
                taken[name].append(1e6 * (time.process_time() - start) / n)
    return taken


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the reference data")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    calls, words = ways(options.data, options.events)
    taken = measured(calls, options.events, options.rounds)

    def row(name: str) -> dict[str, float]:
        values = taken[name]
        return {"us": statistics.median(values), "low": min(values), "high": max(values)}

    rows = {
        title: {
            "what": words[title],
            "reader_us": reader,
            "numpy": row(f"{title}, NumPy"),
            "cpp": row(f"{title}, C++"),
        }
        for title, reader in READER_US.items()
    }
    about = {
        "machine": machine(),
        "commit": commit(Path(__file__).parents[1]),
        "cpu": hepml.evaluator.cpus()[0],
        "events": options.events,
        "rounds": options.rounds,
        "reader": f"as recorded with TMVA 4.2.1 on ROOT 6.38, {OTHER}",
    }
    text = json.dumps({"about": about, "rows": rows}, indent=1) + "\n"
    if options.output:
        options.output.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
