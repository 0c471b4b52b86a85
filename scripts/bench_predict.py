"""Time batches of hepml's evaluator against ONNX Runtime's, with as many threads, in turn in one process.

    python scripts/bench_predict.py [--threads 1 2]

The networks have random weights and are written as network file and as ONNX; the outputs of both are compared. ONNX
Runtime gets the events in pieces of the size that is fastest for it, which is tried first. `hepml predict` is timed as
a whole command against a program that reads the same npz, runs ONNX Runtime and writes the scores. The results replace
those of the same machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from bench_inference import MOST_DIFFERENT, Translation
from machine import commit, machine
from numpy.typing import NDArray

from hepml.evaluator import Evaluator
from hepml.ledger import config_hash, write_json

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "cpp" / "bench"))
from chains import deep, mnist, unscaled  # noqa: E402
from networks import network  # noqa: E402

PIECES = (64, 256, 1024, 4096, 16384)
PROGRAM = """
import sys
import numpy as np
import onnxruntime
path, arrays, output, piece, threads = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
item = session.get_inputs()[0]
with np.load(arrays) as file:
    x = file[item.name]
parts = [session.run(None, {item.name: x[i : i + int(piece)]})[0] for i in range(0, len(x), int(piece))]
np.savez(output, output=np.concatenate(parts))
"""


class Peer:
    """A network in ONNX Runtime, events in pieces."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name
        self.piece = PIECES[0]

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        pieces = (x[i : i + self.piece] for i in range(0, len(x), self.piece))
        return np.concatenate([self.session.run(None, {self.name: piece})[0] for piece in pieces])

    def choose(self, x: NDArray[np.float32]) -> None:
        """Takes the fastest size of pieces, the best of three tries each."""
        times = {}
        for piece in PIECES:
            self.piece = piece
            times[piece] = min(seconds(lambda: self(x)) for _ in range(3))
        self.piece = min(times, key=lambda piece: times[piece])


def seconds(call: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def alternate(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round; who begins changes."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds):
        for name in list(calls)[:: 1 if i % 2 == 0 else -1]:
            times[name].append(seconds(calls[name]))
    return times


def row_of(times: dict[str, list[float]], n: int) -> dict[str, Any]:
    """Medians in microseconds an event; the ratio is the median of the rounds' ratios."""
    ratios = [a / b for a, b in zip(times["hepml"], times["peer"], strict=True)]
    middle = {f"{name}_us": round(statistics.median(all_) / n * 1e6, 3) for name, all_ in times.items()}
    spread = (("ratio", statistics.median(ratios)), ("ratio_low", min(ratios)), ("ratio_high", max(ratios)))
    return {**middle, **{name: round(value, 3) for name, value in spread}}


def networks(rng: np.random.Generator, scale: float) -> dict[str, tuple[dict[str, Any], NDArray[np.float32]]]:
    """Each network with its events."""
    sizes = {"hl": 1_000_000, "HIGGS deep": 100_000, "MNIST": 10_000}
    n = {name: max(int(size * scale), 1) for name, size in sizes.items()}
    digits = rng.random((n["MNIST"], 28, 28, 1)) * (rng.random((n["MNIST"], 28, 28, 1)) < 0.2)
    return {
        "hl": (unscaled(network("hl")), rng.normal(size=(n["hl"], 7)).astype(np.float32)),
        "HIGGS deep": (deep(28, 5, 300), rng.normal(size=(n["HIGGS deep"], 28)).astype(np.float32)),
        "MNIST": (mnist(), digits.astype(np.float32)),
        "MNIST, all pixels": (mnist(), rng.random((n["MNIST"], 28, 28, 1)).astype(np.float32)),
    }


def save_onnx(file: dict[str, Any], path: Path) -> None:
    """With any number of events."""
    model = Translation(file).model()
    for item in (*model.graph.input, *model.graph.output):
        item.type.tensor_type.shape.dim[0].dim_param = "n"
    path.write_bytes(model.SerializeToString())


def compare_commands(
    folder: Path, name: str, x: NDArray[np.float32], peer: Peer, *, threads: int, rounds: int
) -> dict[str, list[float]]:
    """The whole commands, from npz to npz."""
    arrays, program = folder / "x.npz", folder / "peer.py"
    np.savez(arrays, **{peer.name: x})
    program.write_text(PROGRAM)
    ours = [Path(sys.executable).parent / "hepml", "predict", folder / f"{name}.json", arrays, "-o", folder / "a.npz"]
    theirs = [sys.executable, program, folder / f"{name}.onnx", arrays, folder / "b.npz", peer.piece, threads]

    def run(words: list[Any]) -> None:
        subprocess.run([str(word) for word in words], check=True, capture_output=True)

    return alternate(
        {
            "hepml": lambda: run([*ours, "--threads", threads, "--overwrite"]),
            "peer": lambda: run(theirs),
        },
        rounds,
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of events")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "predict_speed.json")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    rows = []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        print(
            f"{row['network']:18} {row['what']:9} {row['events']:8} events, {row['threads']} threads: "
            f"{row['hepml_us']:7.3f} us, ONNX Runtime {row['peer_us']:7.3f} us in pieces of {row['piece']}, "
            f"ratio {row['ratio']:.3f} ({row['ratio_low']:.3f}, {row['ratio_high']:.3f})",
            flush=True,
        )

    for name, (file, x) in networks(np.random.default_rng(0), options.scale).items():
        (folder / f"{name}.json").write_text(json.dumps(file))
        save_onnx(file, folder / f"{name}.onnx")
        theirs = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x
        for threads in options.threads:
            evaluator = Evaluator(folder / f"{name}.json", threads=threads)
            peer = Peer(folder / f"{name}.onnx", threads)
            peer.choose(theirs[: max(len(x) // 10, 1)])
            difference = float(np.abs(evaluator(x)["output"] - peer(theirs)).max())
            if difference > MOST_DIFFERENT:
                sys.exit(f"{name}: differs from ONNX Runtime by {difference}")
            times = alternate(
                {"hepml": lambda e=evaluator, x=x: e(x), "peer": lambda p=peer, y=theirs: p(y)}, options.rounds
            )
            shared = {"network": name, "events": len(x), "threads": threads, "cpu": evaluator.cpu, "piece": peer.piece}
            add({**shared, "what": "Evaluator", **row_of(times, len(x)), "difference": float(f"{difference:.3g}")})
            if name == "hl":
                del evaluator
                times = compare_commands(folder, name, x, peer, threads=threads, rounds=max(options.rounds // 3, 1))
                add({**shared, "what": "predict", **row_of(times, len(x))})
    about = {
        "commit": commit(ROOT),
        "config": config_hash({"pieces": list(PIECES), "rounds": options.rounds, "scale": options.scale}),
        "seed": 0,
        "rounds": options.rounds,
        "machine": machine(),
        "peer": f"ONNX Runtime {onnxruntime.__version__}",
    }
    known = json.loads(options.results.read_text())["runs"] if options.results.exists() else []
    others = [run for run in known if run["about"]["machine"] != about["machine"]]
    write_json(options.results, {"runs": [*others, {"about": about, "rows": rows}]}, overwrite=True)


if __name__ == "__main__":
    main()
