"""The complete output files of a real TMVA, and what they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import uproot

from tmva_bridge.output import MethodOutput
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import read_weights


def booked(case: Path) -> list[tuple[str, str]]:
    """Types and titles of the methods, in the order of booking."""
    lines = (case / "case.cfg").read_text().splitlines()
    return [(line.split("|")[1], line.split("|")[0].split()[1]) for line in lines if line.startswith("method ")]


def weight_file(case: Path, title: str) -> Path:
    return case / "weights" / f"TMVA_{title}.weights.xml"


def setup(case: Path) -> Setup:
    header = read_weights(weight_file(case, booked(case)[0][1])).header
    return Setup("dataset", header.analysis, header.classes, header.variables, header.spectators, header.targets)


def sample(case: Path, name: str) -> Sample:
    """The events of "TrainTree" or "TestTree"."""
    one = setup(case)
    with uproot.open(case / "TMVA.root") as file:
        arrays = file[f"dataset/{name}"].arrays(library="np")

    def columns(group: Any) -> np.ndarray:
        found = [arrays[variable.internal] for variable in group]
        return np.stack(found, axis=1) if found else np.empty((len(arrays["weight"]), 0), np.float32)

    return Sample(
        columns(one.variables),
        columns(one.spectators),
        columns(one.targets),
        arrays["classID"],
        arrays["weight"].astype(np.float64),
    )


def stored(case: Path, name: str, title: str) -> np.ndarray:
    """The responses in a tree, (n,) or (n, outputs)."""
    with uproot.open(case / "TMVA.root") as file:
        values = file[f"dataset/{name}/{title}"].array(library="np")
    return np.stack([values[leaf] for leaf in values.dtype.names], axis=1) if values.dtype.names else values


def methods(case: Path) -> list[MethodOutput]:
    return [
        MethodOutput(
            kind, title, weight_file(case, title), stored(case, "TrainTree", title), stored(case, "TestTree", title)
        )
        for kind, title in booked(case)
    ]
