"""A problem whose answer is known: the benchmark is two variables and two hidden ones, one polynomial each."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.guided import Problem
from hepml.models import Settings

NAMES = tuple(
    f"et_efp_{graph}_k_{kappa}_b_{beta}"
    for graph in ("1_0_0", "2_1_0", "3_3_1")
    for kappa in (1, 2)
    for beta in (0.5, 1)
)
FIRST, SECOND = "et_efp_2_1_0_k_2_b_0.5", "et_efp_3_3_1_k_1_b_1"
TOO_LARGE = "et_efp_1_0_0_k_2_b_1"  # for float32
QUICK = Settings(layers=1, units=8, epochs=4, learning_rate=0.01)


def hidden_problem(n: int = 3000, seed: int = 0, test_labels: str = "true") -> Problem:
    """Candidates; `test_labels` "permuted" shuffles the labels of the test split among themselves."""
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % 2).astype(np.float64)
    x = rng.normal(size=(n, 2)) + 0.7 * label[:, None]
    strong, weak = rng.normal(size=(2, n)) + 0.9 * label
    benchmark = x.sum(axis=1) + 1.5 * strong + 0.6 * weak
    columns = {name: rng.normal(size=n) for name in NAMES}
    columns[FIRST] = np.exp(-strong)  # any monotone function will do, falling ones too
    columns[SECOND] = weak**3
    columns["et_efp_1_0_0_k_1_b_1"] = 1 + 2.0**-52 * (benchmark > 0)  # constant, but for rounding
    columns[TOO_LARGE] = 1e38 * benchmark  # would be perfect
    split = np.repeat(np.arange(3, dtype=np.uint8), [n // 2, n // 5, n - n // 2 - n // 5])
    if test_labels == "permuted":
        test = split == 2
        label[test] = rng.permutation(label[test])

    def read(names: Any, splits: Any) -> Any:
        rows = np.isin(split, [("train", "valid", "test").index(one) for one in splits])
        return np.stack([columns[name][rows] for name in names], axis=1)

    return Problem(
        inputs={"hl": x.astype(np.float32)},
        label=label,
        weight=np.ones(n),
        group=None,
        split=split,
        benchmark=benchmark[:, None],
        names=NAMES,
        read=read,
        identity={"data": f"toy {n} {seed}"},
    )
