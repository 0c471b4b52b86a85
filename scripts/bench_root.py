"""Event rates of a score in RDataFrame, against a trivial functor and loops in Python, in turn in one run.

python scripts/bench_root.py [--events N] [--rounds N] [--threads N] [-o docs/root_speed.json]

Every way reads the same seven float columns of the same tree, on one thread (the last two on several), and adds up what
it gives; a round runs them one after another, and the median over rounds is kept. The network is the preset `hl`.
Processor time is that of all threads together: on a busy machine it says what wall clock cannot.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ROOT
from machine import commit, machine

import hepml
from hepml.export import export_model
from hepml.models import PRESETS, InputSpec, build_model

TRIVIAL = " + ".join(hepml.FEATURE_NAMES)


def files(folder: Path, n: int) -> tuple[str, str]:
    """A network file and a tree of n entries."""
    specs = [InputSpec("hl", (7,))]
    export_model(build_model(specs, PRESETS["hl"].settings, seed=1), folder / "net.json", inputs=specs)
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=n).astype(np.float32) for name in hepml.FEATURE_NAMES}
    options = ROOT.RDF.RSnapshotOptions()
    options.fAutoFlush = 10_000  # entries of a cluster, which is what a thread takes at a time
    ROOT.RDF.FromNumpy(columns).Snapshot("electrons", str(folder / "events.root"), list(columns), options)
    return str(folder / "net.json"), str(folder / "events.root")


def frame(path: str) -> Any:
    return ROOT.RDataFrame("electrons", path)


def total(node: Any) -> Callable[[], float]:
    """Runs the event loop; what cling compiles for the column is compiled in the first run."""
    return lambda: float(node.Sum("score").GetValue())


def scored(net: str, path: str) -> Callable[[], float]:
    return total(hepml.root.define(frame(path), "score", net, list(hepml.FEATURE_NAMES)))


def trivial(path: str) -> Callable[[], float]:
    return total(frame(path).Define("score", f"float({TRIVIAL})"))


def python_batch(net: str, path: str) -> Callable[[], float]:
    evaluator = hepml.Evaluator(net)

    def run() -> float:
        columns = frame(path).AsNumpy(list(hepml.FEATURE_NAMES))
        return float(evaluator(np.stack([columns[n] for n in hepml.FEATURE_NAMES], axis=1))["output"].sum())

    return run


def python_loop(net: str, path: str, n: int) -> Callable[[], float]:
    """PyROOT's loop over entries, one event a call."""
    evaluator = hepml.Evaluator(net)

    def run() -> float:
        total = 0.0
        file = ROOT.TFile.Open(path)
        for i, entry in enumerate(file.Get("electrons")):
            if i == n:
                break
            row = np.array([[getattr(entry, name) for name in hepml.FEATURE_NAMES]], np.float32)
            total += float(evaluator(row)["output"][0, 0])
        file.Close()
        return total

    return run


def measured(ways: dict[str, tuple[int, Callable[[], float]]], rounds: int) -> dict[str, dict[str, float]]:
    """Nanoseconds an event of every way, wall clock and processor time; a first round is not counted."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for i in range(rounds + 1):
        for name, (n, way) in ways.items():
            start = time.perf_counter(), time.process_time()
            way()
            stop = time.perf_counter(), time.process_time()
            if i:
                wall[name].append(1e9 * (stop[0] - start[0]) / n)
                busy[name].append(1e9 * (stop[1] - start[1]) / n)
    return {
        name: {
            "ns": statistics.median(values),
            "low": min(values),
            "high": max(values),
            "cpu_ns": statistics.median(busy[name]),
        }
        for name, values in wall.items()
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    n = options.events
    with tempfile.TemporaryDirectory() as folder:
        net, path = files(Path(folder), n)
        few = n // 100
        rows = measured(
            {
                "trivial functor": (n, trivial(path)),
                "hepml.root.define": (n, scored(net, path)),
                "AsNumpy and hepml.Evaluator": (n, python_batch(net, path)),
                "PyROOT loop and hepml.Evaluator": (few, python_loop(net, path, few)),
            },
            options.rounds,
        )
        ROOT.EnableImplicitMT(options.threads)
        threads = f", {options.threads} threads"
        rows |= measured(
            {"trivial functor" + threads: (n, trivial(path)), "hepml.root.define" + threads: (n, scored(net, path))},
            options.rounds,
        )
    about = {
        "machine": machine(),
        "commit": commit(Path(__file__).parents[1]),
        "root": str(ROOT.gROOT.GetVersion()),
        "cpu": hepml.evaluator.cpus()[0],
        "events": n,
        "rounds": options.rounds,
    }
    text = json.dumps({"about": about, "rows": rows}, indent=1) + "\n"
    if options.output:
        options.output.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
