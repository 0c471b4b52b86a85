"""Time the energy-flow polynomials against EnergyFlow: both on one core, in turns, on the same images.

    python scripts/bench_efp.py --electrons FILE.root --jets FILE.root [--events 1000] [-o docs/efp_speed.json]

EnergyFlow takes long: it computes `--peer` of the events, and its ratio to hepml is for those. The arithmetic lower
bound is the time of the program's multiplications at the rate of a product of two 1000 x 1000 matrices on one core
(NumPy's BLAS), without the powers of weights and angles.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import energyflow
import numpy as np
from machine import commit, machine

import hepml
from hepml import _core
from hepml.efp.graphs import Graph, graphs
from hepml.ledger import write_json

Exponents = tuple[float, ...]
GRID: tuple[Exponents, Exponents] = (-1, 0, 0.5, 1, 2), (0.5, 1, 2)
PLAIN: tuple[Exponents, Exponents] = (1,), (1,)


SHOWN = ("constituents", "hepml_ms", "energyflow_ms", "ratio", "lower_bound_ms", "over_lower_bound")


def images_of(path: Path, collection: str, n: int) -> np.ndarray:
    """ECal images of the first n candidates that are not empty."""
    candidates = hepml.select_candidates(hepml.open_events(path, entry_stop=4 * n), collection=collection)
    images = hepml.make_images(candidates).ecal_et
    return images[images.reshape(len(images), -1).any(axis=1)][:n, ..., 0]


def constituents(image: np.ndarray) -> np.ndarray:
    """(pT fraction, rapidity, phi, mass) for EnergyFlow."""
    row, column = np.nonzero(image)
    z = np.float64(image[row, column])
    places = [(column - 15) * 0.025, np.pi + (15 - row) * np.pi / 126, np.zeros(len(row))]
    return np.column_stack([z / z.sum(), *places])


def peers(chosen: list[Graph], kappas: Exponents, betas: Exponents) -> list[Any]:
    """EnergyFlow's sets, one a measure."""
    edges = [list(graph.edges) for graph in chosen if graph.d]
    options = {"measure": "hadr", "normed": False, "coords": "ptyphim"}
    return [energyflow.EFPSet(*edges, kappa=k, beta=b, **options) for k in kappas for b in betas]


def rate() -> float:
    """Multiplications with an addition a second: the best of products of matrices."""
    a = np.random.default_rng(0).normal(size=(1000, 1000))
    best = np.inf
    for _ in range(20):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return float(1000**3 / best)


def lower_bound(images: np.ndarray, chosen: list[Graph], n_measures: int) -> float:
    """Milliseconds an event that the multiplications alone take."""
    program = _core.Polynomials([(graph.n, list(graph.edges)) for graph in chosen])
    filled = np.count_nonzero(images.reshape(len(images), -1), axis=1)
    times, counts = np.unique(filled, return_counts=True)
    total = sum(count * program.multiplications(int(n)) for n, count in zip(times, counts, strict=True))
    return float(total * n_measures / rate() / len(images) * 1e3)


def compare(
    images: np.ndarray, chosen: list[Graph], measures: tuple[Exponents, Exponents], n_peer: int, rounds: int
) -> dict[str, Any]:
    """Milliseconds an event of both, and the ratio of medians; differences of the values."""
    kappas, betas = measures
    sets = peers(chosen, kappas, betas)
    some = images[np.linspace(0, len(images) - 1, n_peer).astype(int)]
    particles = [constituents(image) for image in some]
    names = [graph.d > 0 for graph in chosen]

    def ours(given: np.ndarray) -> float:
        start = time.perf_counter()
        hepml.efp(given, chosen, kappas, betas, threads=1)
        return (time.perf_counter() - start) / len(given) * 1e3

    def theirs() -> tuple[float, np.ndarray]:
        start = time.perf_counter()
        values = [one.batch_compute(particles, n_jobs=1) for one in sets]
        return (time.perf_counter() - start) / len(particles) * 1e3, np.asarray(values)

    ours(some)
    times = []
    for _ in range(rounds):
        same, (peer, values) = ours(some), theirs()
        times.append((ours(images), same, peer))
    mine = hepml.efp(some, chosen, kappas, betas).values.reshape(len(some), len(chosen), -1)[:, names]
    right = values.transpose(1, 2, 0)
    bound = lower_bound(images, chosen, len(kappas) * len(betas))
    whole, same, peer = (sorted(column)[rounds // 2] for column in zip(*times, strict=True))
    return {
        "events": len(images),
        "constituents": float(np.mean(np.count_nonzero(images.reshape(len(images), -1), axis=1))),
        "graphs": len(chosen),
        "measures": len(kappas) * len(betas),
        "hepml_ms": whole,
        "hepml_ms_same": same,
        "energyflow_ms": peer,
        "ratio": peer / same,
        "lower_bound_ms": bound,
        "over_lower_bound": whole / bound,
        "ratios": [peer / same for _, same, peer in times],
        "difference": float(np.max(np.abs(mine / right - 1))),
    }


def main() -> None:
    """Print and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--electrons", type=Path, required=True)
    parser.add_argument("--jets", type=Path, required=True)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--peer", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    half = options.events // 2
    electrons, jets = images_of(options.electrons, "electron", half), images_of(options.jets, "jet", half)
    real = np.concatenate([electrons, jets])
    filled = np.count_nonzero(real.reshape(len(real), -1), axis=1)
    dense = real[np.argsort(np.abs(filled - 46))[: len(real) // 5]]
    prime, papers = graphs("d<=7"), graphs("papers")
    rows: dict[str, Any] = {}
    for name, images in (("electrons", electrons), ("jets", jets), ("real", real), ("dense", dense)):
        rows[f"490, {name}"] = compare(images, prime, PLAIN, options.peer, options.rounds)
        print(name, {key: rows[f"490, {name}"][key] for key in SHOWN})
    rows["grid, real"] = compare(real, papers, GRID, 4, 1)
    print("grid", {key: rows["grid, real"][key] for key in SHOWN})
    single = []
    for graph in prime[1::7]:
        found = compare(real, [graph], PLAIN, options.peer, options.rounds)
        single.append({"graph": graph.name, "ratio": found["ratio"]})
    print("one graph alone: least", min(single, key=lambda one: one["ratio"]))
    two = []
    for _ in range(5):
        spent = []
        for threads in (1, 2):
            start = time.perf_counter()
            hepml.efp(real, prime, 1, 1, threads=threads)
            spent.append(time.perf_counter() - start)
        two.append(spent[0] / spent[1])
    both = sorted(two)[2]
    print("two cores", both)
    if options.output:
        about = {
            "commit": commit(Path(__file__).parents[1]),
            "machine": machine(),
            "energyflow": energyflow.__version__,
        }
        about |= {"rounds": options.rounds, "peer_events": options.peer}
        write_json(options.output, {"about": about, "rows": rows, "single": single, "two cores": both})


if __name__ == "__main__":
    main()
