"""Ensembles of trees: hepml, event by event, against the library that grew them, single events and batches.

    python cpp/bench/trees.py

Medians of interleaved rounds, one thread. hepml's events of a batch are run one at a time by a Session, so its time an
event is also its latency; the libraries are asked through Python, as their users do.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier

import hepml

N, ROUNDS = 10_000, 7


def seconds(call: Any, repeats: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(N, 20)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] + generator.normal(size=N) > 0).astype(int)
    models = {
        "RandomForest 100, depth 10": RandomForestClassifier(100, max_depth=10, n_jobs=1),
        "GradientBoosting 100, depth 3": GradientBoostingClassifier(n_estimators=100),
        "HistGradientBoosting 100": HistGradientBoostingClassifier(max_iter=100),
        "XGBoost 100, depth 6": xgboost.XGBClassifier(n_estimators=100, n_jobs=1),
    }
    print(f"{'':32} us an event: hepml  library (batch)  library (single)  ratio batch  ratio single")
    for name, model in models.items():
        model.fit(x, y)
        with tempfile.TemporaryDirectory() as folder:
            hepml.export_model(model, Path(folder) / "net.json")
            evaluator = hepml.Evaluator(Path(folder) / "net.json")
        times = [
            (
                seconds(lambda e=evaluator: e(x)) / N,
                seconds(lambda m=model: m.predict_proba(x)) / N,
                seconds(lambda m=model: m.predict_proba(x[:1]), 20),
            )
            for _ in range(ROUNDS)
        ]
        ours, batch, single = np.median(times, axis=0) * 1e6
        print(f"{name:32} {ours:18.2f} {batch:16.2f} {single:17.1f} {ours / batch:12.2f} {ours / single:13.4f}")


if __name__ == "__main__":
    main()
