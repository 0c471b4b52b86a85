"""A small data.h5 and run folders of any kind, without towers and without training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hepml.dataset import SPLITS, Dataset
from hepml.dataset.blocks import Block
from hepml.dataset.layout import COLUMNS
from hepml.dataset.sink import Sink
from hepml.dataset.writer import Writer
from hepml.geometry import PAPER
from hepml.identity import fold_of
from hepml.images import SparseImages
from hepml.training.run import Scores, write_scores

Folder = Callable[..., Path]


def write_data(path: Path, n: int = 3000, seed: int = 0, *, kind: str = "binary", weighted: bool = False) -> Path:
    """Two Gaussian variables that separate the classes; signal harder in pT; pairs of candidates share an event."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3 if kind == "classes" else 2, n).astype(np.float32)
    hl = (rng.normal(0, 1, (n, 2)) + 1.4 * (y[:, None] == 1)).astype(np.float32)
    if kind == "regression":
        y = (hl[:, 0] * 5 + 50).astype(np.float32)
    columns: dict[str, Any] = {name: np.zeros((n, width) if width else n) for name, (_, width) in COLUMNS.items()}
    columns |= {
        "identity": rng.integers(1, 2**63, n),
        "group": np.repeat(rng.integers(1, 2**63, n), 2)[:n] if seed == 99 else rng.integers(1, 2**63, n),
        "truth": np.where(y == 1, 1, rng.choice([2, 3, 4], n, p=[0.1, 0.2, 0.7])),
        "hard": rng.random(n) < np.where(y == 1, 0.95, 0.3),
        "weight": rng.choice([1.0, 2.0, -0.5], n, p=[0.6, 0.3, 0.1]) if weighted else np.ones(n),
        "pt": 10 + rng.gamma(2 + y, 8, n),
        "eta": rng.uniform(-2.1, 2.1, n),
        "pileup": rng.poisson(30, n),
    }
    empty = SparseImages.from_dense(np.zeros((n, 8, 8), np.float32))
    wide = SparseImages.from_dense(np.zeros((n, 31, 31), np.float32))
    block = Block(
        y=y,
        flats={"hl": hl},
        images={"et": wide, "ee": wide, "ht": empty, "he": empty},
        columns={name: columns[name].astype(dtype) for name, (dtype, _) in COLUMNS.items()},
    )
    names = {"binary": ["background", "signal"], "classes": ["e", "mu", "jet"], "regression": ["energy"]}[kind]
    with Sink(path) as sink:
        writer = Writer(sink, geometry=PAPER, variables={"hl": ("a", "b")})
        writer.append(block)
        provenance = {"cut_flow": {"read": n, "written": n}, "inputs": [], "samples": []}
        task = {"kind": kind, "names": names}
        writer.finish({"convention": "", "task": json.dumps(task), "provenance": json.dumps(provenance)})
    return path


def write_run(
    folder: Path, data: Path, *, quality: float = 1.0, seeds: int = 1, folds: int = 0, overtrained: float = 0.0
) -> Path:
    """A finished run whose scores are a logistic function of the variables plus noise that differs between seeds."""
    dataset = Dataset.open(data)
    column = {
        name: np.concatenate([dataset.column(name, split) for split in SPLITS])
        for name in ("identity", "group", "weight", "y")
    }
    y, kind = column["y"], dataset.task["kind"]
    x = np.concatenate([dataset.raw("hl", split) for split in SPLITS])
    split = np.repeat(np.arange(3), [dataset.n(name) for name in SPLITS]).astype(np.uint8)
    fold = fold_of(column["group"], folds) if folds else np.full(len(y), -1, np.int8)
    rng = np.random.default_rng(1)
    score, train_score = [], []
    for _ in range(seeds):
        noise = rng.normal(0, 0.3, len(y))
        logit = quality * (x.sum(axis=1) - 1.4) + noise
        memory = overtrained * (2 * (y == 1) - 1)
        if kind == "regression":
            score.append(x[:, 0] * 5 + 50.2 + noise)
        elif kind == "classes":
            raw = np.stack([y == k for k in range(3)], axis=1) + rng.normal(0, 0.7, (len(y), 3))
            score.append(np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True))
        else:
            score.append(1 / (1 + np.exp(-logit - memory * (split == 0) * (folds == 0))))
            train_score.append(1 / (1 + np.exp(-logit - memory)))
    stacked = np.stack(score, axis=1).astype(np.float32)
    folder.mkdir(parents=True)
    write_scores(
        folder / "scores.h5",
        Scores(
            identity=column["identity"],
            y=y,
            weight=column["weight"],
            split=split,
            fold=fold,
            score=stacked,
            train_score=np.stack(train_score, axis=1).astype(np.float32) if folds else None,
            features="hl",
            n_folds=folds,
            seeds=tuple(range(seeds)),
            checksum=dataset.checksum,
        ),
    )
    best = "fold1_seed0" if folds else "seed0" if seeds > 1 else ""
    config = {"features": "hl", "task": {"classes": "multiclass"}.get(kind, kind), "folds": folds, "settings": {}}
    config |= {"seeds": seeds, "seed": 0, "data": dataset.checksum}
    record = {
        "format": "hepml-run",
        "format_version": 1,
        "status": "done",
        "config": config,
        "config_hash": "0" * 64,
        "code": {"version": "0"},
        "environment": {"packages": {}},
        "best": {"member": best, "val_loss": 0.3},
        "members": [{"name": best, "fold": 1 if folds else -1, "seed": 0, "val_loss": 0.3}],
        "inputs": [],
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "history.csv").write_text("epoch,loss,val_loss,learning_rate\n0,0.5,0.5,0.001\n1,0.4,0.45,0.001\n")
    return folder


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    return SimpleNamespace(data=write_data, run=write_run)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "data.h5")


@pytest.fixture(scope="session")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of runs: plain, worse, seeds, folds."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "plain", data)
    write_run(folder / "worse", data, quality=0.3)
    write_run(folder / "seeds", data, seeds=3, overtrained=0.8)
    write_run(folder / "folds", data, seeds=2, folds=5, overtrained=0.4)
    return folder
