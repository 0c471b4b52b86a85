"""Time a step of training with sparse towers against the same network of plain Keras layers.

    python scripts/bench_training.py data.h5

Both networks of each preset see the same batches of 128, in turn; the table in docs/training.md is written from the
numbers by scripts/results_table.py.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from machine import commit, machine

from hepml.ledger import config_hash, write_json
from hepml.models import PRESETS
from hepml.training.network import Recipe
from hepml.training.source import data_source

ROOT = Path(__file__).parents[1]
BATCH = 128


def networks(source: Any, name: str) -> dict[bool, tuple[Any, list[str]]]:
    """The preset's network, fitted sparse and plain."""
    found = {}
    for sparse in (True, False):
        recipe = Recipe(PRESETS[name].settings.replace(sparse=sparse), source)
        specs = recipe.specs(source.scaled_specs(np.flatnonzero(source.split == 0), True))
        network = recipe.compiled(specs, 0, learning_rate=1e-4, steps=1)
        found[sparse] = network, recipe.names(network)
    return found


def step(network: Any, x: Any, y: Any) -> float:
    """Seconds of one step."""
    start = time.perf_counter()
    network.train_on_batch(x, y)
    return time.perf_counter() - start


def main() -> None:
    """Measure every preset with images."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a data.h5")
    parser.add_argument("--steps", type=int, default=9, help="timed steps of each network")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "training_speed.json")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rows: dict[str, Any] = {}
    for name in ("ht", "et_and_ht_and_hl", "et_and_ht", "et"):
        source = data_source(options.data, PRESETS[name].features)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        pair = networks(source, name)
        for number in range(options.steps + 1):
            batch = rng.choice(np.flatnonzero(source.split == 0), BATCH, replace=False)
            for sparse, (network, names) in pair.items():
                x = source.batches(batch, names)
                taken = step(network, x if len(x) > 1 else x[0], source.y[batch][:, None])
                if number:  # the first step traces
                    seconds[sparse].append(taken)
        sparse, plain = (1e3 * statistics.median(seconds[kind]) for kind in (True, False))
        ratios = sorted(b / a for a, b in zip(seconds[True], seconds[False], strict=True))
        rows[name] = {"sparse_ms": sparse, "plain_ms": plain, "ratio": statistics.median(ratios), "ratios": ratios}
        print(f"{name}: {sparse:.0f} ms, plain {plain:.0f} ms, {rows[name]['ratio']:.1f} times", flush=True)
        keras.backend.clear_session()
    config = {"batch": BATCH, "steps": options.steps, "presets": list(rows)}
    about = {
        "commit": commit(ROOT),
        "config": config_hash(config),
        "seed": 0,
        "machine": machine(),
        "peer": f"Keras {keras.__version__} on TensorFlow, the same network of plain layers",
    }
    write_json(options.results, {"about": about, "presets": rows}, overwrite=True)


if __name__ == "__main__":
    main()
