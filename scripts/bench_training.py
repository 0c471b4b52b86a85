"""Time batches, steps and epochs of training against stock Keras, and bfloat16 with what it does to the AUC.

    python scripts/bench_training.py data.h5
    python scripts/bench_training.py data.h5 --only batches --only epochs

Everything is interleaved in one run, and ratios are medians of pairs:

    batches   shuffled two-image batches of 128 of sparse lists, and of indexing two dense arrays in memory; the same of
              a file whose images do not fit into the memory given
    steps     a step of each preset with images: sparse towers, plain Keras layers, plain layers in bfloat16
    epochs    an epoch of hepml.train, validation and all, and of model.fit on arrays in memory (hl); of the same plain
              layers fed by hepml, and of sparse towers, and of model.fit (et_and_ht_and_hl)
    auc       networks trained in bfloat16 and in float32, compared candidate by candidate on the test split

The tables in docs/training.md are written from the numbers by scripts/results_table.py.
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

import keras
import numpy as np
from machine import commit, machine

from hepml.dataset import Dataset
from hepml.evaluation import compare, evaluate
from hepml.ledger import config_hash, write_json
from hepml.models import PRESETS, build_model
from hepml.training import train
from hepml.training.feed import order, training_feed
from hepml.training.network import Recipe
from hepml.training.source import data_source

ROOT = Path(__file__).parents[1]
BATCH = 128
PLAIN = {"float32": {"sparse": False}, "bfloat16": {"sparse": False, "precision": "mixed_bfloat16"}}


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock and of the processors."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def ratio(of: list[Any], to: list[Any]) -> dict[str, float]:
    """Median, lowest and highest of the ratios of pairs."""
    ratios = sorted(a / b for a, b in zip(of, to, strict=True))
    return {"ratio": statistics.median(ratios), "lowest": ratios[0], "highest": ratios[-1]}


def batches(data: str, repeats: int) -> dict[str, Any]:
    """Microseconds an event of an epoch of batches."""
    names = ["et", "ht"]
    whole = data_source(data, ("et", "ht"))
    rows = np.flatnonzero(whole.split == 0)
    cells = sum(int(Dataset.open(data).offsets(token, "train")[-1]) for token in names)
    memory = 6e-9 * cells  # of two windows, each of which may take half
    feeds = [
        training_feed(one, rows, np.ones(len(one), np.float32), names, batch_size=BATCH, seed=0)
        for one in (whole, data_source(data, ("et", "ht"), memory=memory / 2))
    ]
    dense = [whole.columns[name].dense(rows) for name in names]

    def indexed(epoch: int) -> None:
        positions = order(np.arange(len(rows)), 0, epoch)
        for start in range(0, len(rows), BATCH):
            batch = positions[start : start + BATCH]
            _ = [array[batch] for array in dense], whole.y[rows[batch]]

    def fed(feed: Any, epoch: int) -> None:
        feed.start(epoch)
        for number in range(len(feed)):
            feed[number]

    found: dict[str, list[float]] = {"dense": [], "sparse": [], "file": []}
    for epoch in range(repeats + 1):
        seconds = {"dense": timed(lambda n=epoch: indexed(n))}
        for name, feed in zip(("sparse", "file"), feeds, strict=True):
            seconds[name] = timed(lambda feed=feed, n=epoch: fed(feed, n))
        if epoch:
            for name, (_, cpu) in seconds.items():
                found[name].append(1e6 * cpu / len(rows))
    return {
        "events": len(rows),
        "cells": cells / len(rows),
        "windows": int(np.ceil(len(rows) / feeds[1]._window)),
        "us": {name: statistics.median(times) for name, times in found.items()},
        "sparse": ratio(found["sparse"], found["dense"]),
        "file": ratio(found["file"], found["dense"]),
    }


def compiled(source: Any, name: str, **changes: Any) -> tuple[Any, list[str]]:
    """The preset's network, ready for steps."""
    recipe = Recipe(PRESETS[name].settings.replace(**changes), source)
    specs = recipe.specs(source.scaled_specs(np.flatnonzero(source.split == 0), True))
    network = recipe.compiled(specs, 0, learning_rate=1e-4, steps=1)
    return network, recipe.names(network)


def steps(data: str, repeats: int) -> dict[str, Any]:
    """CPU milliseconds a step."""
    rng, found = np.random.default_rng(0), {}
    for name in ("ht", "et_and_ht_and_hl", "et_and_ht", "et"):
        source = data_source(data, PRESETS[name].features)
        kinds = {kind: compiled(source, name, **changes) for kind, changes in ({"sparse": {}} | PLAIN).items()}
        ms: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(repeats + 1):
            batch = rng.choice(np.flatnonzero(source.split == 0), BATCH, replace=False)
            for kind, (network, names) in kinds.items():
                x, y = source.batches(batch, names), source.y[batch][:, None]
                taken = timed(lambda n=network, x=x, y=y: n.train_on_batch(x if len(x) > 1 else x[0], y))
                if number:  # the first step traces
                    ms[kind].append(1e3 * taken[1])
        found[name] = {f"{kind}_ms": statistics.median(times) for kind, times in ms.items()}
        found[name] |= {"sparse": ratio(ms["float32"], ms["sparse"]), "bfloat16": ratio(ms["float32"], ms["bfloat16"])}
        print(name, {key: value for key, value in found[name].items() if key.endswith("_ms")}, flush=True)
        keras.backend.clear_session()
    return found


def vectors(data: str, repeats: int, epochs: int = 6) -> dict[str, Any]:
    """CPU seconds an epoch of the hl network, the first epochs left out: stock Keras and hepml.train, in turn."""
    source = data_source(data, ("hl",))
    rows, valid = np.flatnonzero(source.split == 0), np.flatnonzero(source.split == 1)
    x, v = (source.columns["hl"].dense(one) for one in (rows, valid))
    specs = source.scaled_specs(rows, True)
    ends: list[tuple[float, float]] = []

    def end(*_: Any) -> None:
        ends.append((time.perf_counter(), time.process_time()))

    def stock() -> None:
        network = build_model(specs, PRESETS["hl"].settings, 0, task="binary", n_outputs=1)
        network.compile("adam", "binary_crossentropy")
        known = {"validation_data": (v, source.y[valid]), "validation_batch_size": len(valid)}
        more = {"batch_size": BATCH, "epochs": epochs, "verbose": 0}
        network.fit(x, source.y[rows], callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=end)], **known, **more)

    def own() -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = {"epochs": epochs, "patience": 0, "plateau_patience": 0}
            train(data, "hl", f"{folder}/run", progress=lambda step: step.batch or end(), **settings)

    found: dict[str, list[list[float]]] = {"stock": [], "hepml": []}
    for _ in range(repeats):
        for name, work in (("stock", stock), ("hepml", own)):
            ends.clear()
            work()
            found[name].append(np.median(np.diff(ends[:epochs], axis=0), axis=0).tolist())
    wall, cpu = ({name: [one[k] for one in pairs] for name, pairs in found.items()} for k in (0, 1))
    return {
        "stock_cpu_s": statistics.median(cpu["stock"]),
        "hepml_cpu_s": statistics.median(cpu["hepml"]),
        "cpu": ratio(cpu["hepml"], cpu["stock"]),
        "wall": ratio(wall["hepml"], wall["stock"]),
    }


def images(data: str, repeats: int, n_batches: int = 8) -> dict[str, Any]:
    """CPU seconds of an epoch of a few batches: model.fit on arrays, the same layers fed by hepml, sparse towers."""
    name = "et_and_ht_and_hl"
    source = data_source(data, PRESETS[name].features)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(source.split == 0))[: BATCH * n_batches]
    rows = np.sort(chosen)
    kinds = {kind: compiled(source, name, sparse=kind == "sparse") for kind in ("stock", "fed", "sparse")}
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(repeats + 1):
        for kind, (network, names) in kinds.items():
            if kind == "stock":
                x, y = source.batches(rows, names), source.y[rows]
                taken = timed(lambda n=network, x=x, y=y: n.fit(x, y, batch_size=BATCH, verbose=0))
            else:
                feed = training_feed(source, rows, np.ones(len(source), np.float32), names, batch_size=BATCH, seed=0)
                feed.start(number)
                taken = timed(lambda n=network, feed=feed: n.fit(feed, verbose=0, shuffle=False))
            if number:
                seconds[kind].append(taken[1])
    found: dict[str, Any] = {f"{kind}_cpu_s": statistics.median(times) for kind, times in seconds.items()}
    return found | {kind: ratio(seconds[kind], seconds["stock"]) for kind in ("fed", "sparse")}


SMALL = {"conv_blocks": 1, "filters": 8, "layers": 2, "units": 64, "learning_rate": 1e-3}
COMPARED = {"hl": {"epochs": 20, "seeds": 3}, "et_and_ht_and_hl": {"epochs": 5, "seeds": 1} | SMALL}


def auc(data: str) -> dict[str, Any]:
    """AUC with bfloat16 minus AUC with float32, with the error of the difference."""
    found = {}
    for name, changes in COMPARED.items():
        with tempfile.TemporaryDirectory() as folder:
            runs = []
            for kind in ("bfloat16", "float32"):
                precision = {"precision": "mixed_bfloat16"} if kind == "bfloat16" else {}
                run = train(data, name, f"{folder}/{kind}", progress=False, **changes, **precision)
                runs.append(evaluate(run, data, bootstrap=100))
            (one,) = compare(runs, bootstrap=100)
        found[name] = {
            "settings": changes,
            "auc": runs[1].auc.value,
            "change": one.auc_difference,
            "error": one.auc_error,
            "seeds_change": one.seeds_difference,
            "seeds_error": one.seeds_error,
            "n": one.n,
        }
    return found


def main() -> None:
    """Measure, and replace the parts of the record that were measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a data.h5")
    parser.add_argument("--only", action="append", choices=["batches", "steps", "epochs", "auc"], help="these parts")
    parser.add_argument("--repeats", type=int, default=9, help="timed repetitions")
    parser.add_argument("--results", type=Path, default=ROOT / "docs" / "training_speed.json")
    options = parser.parse_args()
    repeats = options.repeats
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "batches": lambda: batches(options.data, repeats),
        "steps": lambda: steps(options.data, repeats),
        "epochs": lambda: {"hl": vectors(options.data, 5), "et_and_ht_and_hl": images(options.data, repeats)},
        "auc": lambda: auc(options.data),
    }
    record = json.loads(options.results.read_text()) if options.results.exists() else {}
    for name in options.only or parts:
        rows = parts[name]()
        about = {
            "commit": commit(ROOT),
            "config": config_hash({"batch": BATCH, "repeats": repeats, "part": name}),
            "seed": 0,
            "machine": machine(),
            "peer": f"Keras {keras.__version__} on TensorFlow",
        }
        record[name] = {"about": about, "rows": rows}
        print(name, json.dumps(rows), flush=True)
        write_json(options.results, record, overwrite=True)


if __name__ == "__main__":
    main()
