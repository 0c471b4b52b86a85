"""The whole road on the bundled sample: towers, images, a network, figures, JSON, and the same score from C++.

Each step is the call that a user would make; `run_demo` only strings them together and keeps the figures of merit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hepml.errors import HepmlError

__all__ = ["DEMO_FEATURES", "DemoRow", "run_demo", "sample_file"]

log = logging.getLogger("hepml")

# features -> changes to the published settings that keep the demonstration to minutes on 2 cores
DEMO_FEATURES: dict[str, dict[str, Any]] = {
    "hl": {"epochs": 60},
    "et_and_ht": {"epochs": 14, "learning_rate": 5e-4, "filters": 16},
}
NETWORKS = {"hl": "net_hl.json", "et_and_ht": "net.json"}


def sample_file(name: str) -> str:
    """Path of a bundled Delphes sample: "electrons" (signal) or "jets" (background).

    Example:
        >>> sample_file("electrons").endswith("sample_electrons.root")
        True
    """
    path = files("hepml") / "data" / f"sample_{name}.root"
    if not path.is_file():
        raise HepmlError(f"no bundled sample {name!r}", expected="electrons or jets", where=path)
    return str(path)


@dataclass(frozen=True)
class DemoRow:
    """One line of the demonstration's table."""

    features: str
    auc: float
    auc_error: float
    rejection: dict[float, str]
    parity: float
    microseconds: float


def _time_per_event(evaluator: Any, inputs: dict[str, Any], repeats: int = 5) -> float:
    """Microseconds an event of the C++ evaluator, events handed over as one batch: the best of a few passes."""
    n_events = len(next(iter(inputs.values())))
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        evaluator(inputs)
        best = min(best, time.perf_counter() - start)
    return best / n_events * 1e6


def run_demo(folder: str | Path, report: Callable[[str], None] = log.info) -> list[DemoRow]:
    """Walk the whole road and write everything into `folder`.

    Args:
        folder: gets data.h5, runs/, figures/, net.json (the CNN) and net_hl.json (the seven variables).
        report: called with one line before each step.

    Returns:
        One row per network, in the order of `DEMO_FEATURES`.

    Raises:
        HepmlError: whatever a step raises; VerificationError if C++ and Keras differ.
    """
    import hepml
    from hepml.dataset import Dataset, convert
    from hepml.evaluation import evaluate
    from hepml.metrics import to_json
    from hepml.plots import comparison_figures, evaluation_figures, training_figures

    folder = Path(folder)
    data = folder / "data.h5"
    report("convert: towers to images, variables and data.h5")
    convert(sample_file("electrons"), sample_file("jets"), data)

    dataset = Dataset.open(data)
    rows, results = [], []
    for features, changes in DEMO_FEATURES.items():
        report(f"train: {features}")
        run = hepml.train(data, features=features, output=folder / "runs" / features, progress=False, **changes)
        report(f"evaluate: {features}")
        result = evaluate(run, dataset)
        results.append(result)
        training_figures(run, folder / "figures" / features)
        evaluation_figures(result, dataset, folder / "figures" / features)
        report(f"export: {features}, and the same score from C++")
        network = folder / NETWORKS[features]
        thresholds = to_json(result.thresholds)
        hepml.export_model(run.model, network, inputs=run.inputs, features=features, thresholds=thresholds)
        evaluator = hepml.Evaluator(network)
        inputs = {spec.name: dataset.raw(spec.name, "test") for spec in run.inputs}
        arrays = list(inputs.values())
        keras_scores = run.model.predict(arrays if len(arrays) > 1 else arrays[0], verbose=0)
        assert result.auc is not None  # two classes
        rows.append(
            DemoRow(
                features=features,
                auc=result.auc.value,
                auc_error=result.auc.error,
                rejection={point.signal_efficiency: point.describe() for point in result.working_points},
                parity=float(np.abs(evaluator(inputs)["output"] - keras_scores).max()),
                microseconds=_time_per_event(evaluator, inputs),
            )
        )
    report("figures: the networks side by side")
    comparison_figures(results, folder / "figures")
    return rows
