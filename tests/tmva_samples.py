"""The training samples of the reference trainings, as their TrainTree holds them, and weight files compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import uproot

from tmva_bridge import Method, read_weights
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.xmlfile import Element


def training(path: Path) -> tuple[Method, Setup, Sample]:
    """What a reference weight file was trained on."""
    method = read_weights(path)
    header = method.header
    setup = Setup("dataset", header.analysis, header.classes, header.variables, header.spectators, header.targets)
    with uproot.open(path.parents[1] / "TMVA.root") as file:
        name = next(key for key in file.keys() if key.endswith("TrainTree;1"))  # noqa: SIM118
        tree = file[name].arrays(library="np")
    count = len(tree["weight"])

    def columns(variables) -> np.ndarray:
        return np.array([tree[one.internal] for one in variables], np.float32).reshape(-1, count).T

    classes, weights = tree["classID"].astype(np.int32), tree["weight"].astype(np.float64)
    groups = [columns(group) for group in (header.variables, header.spectators, header.targets)]
    return method, setup, Sample(*groups, classes, weights)


def booked(path: Path) -> str:
    """The options with which a reference method was booked."""
    title = path.name.removeprefix("TMVA_").removesuffix(".weights.xml")
    lines = (path.parents[1] / "case.cfg").read_text().splitlines()
    return next(line.split("|")[2] for line in lines if line.startswith(f"method {title}|"))


def differences(new: Element, old: Element, path: str = "") -> Iterator[tuple[str, float | str]]:
    """Where two elements differ: the path, and by how much, or what differs if it is no number."""
    path = f"{path}/{new.name}"
    shapes = [(one.name, list(one.attributes), [child.name for child in one.children]) for one in (new, old)]
    if shapes[0] != shapes[1]:
        yield path, f"{shapes[0]} instead of {shapes[1]}"
        return
    for name, value in new.attributes.items():
        if value != old.attributes[name]:
            yield f"{path}@{name}", _distance(value, old.attributes[name])
    if new.text != old.text:
        yield path, _distance(new.text, old.text)
    for pair in zip(new.children, old.children, strict=True):
        yield from differences(*pair, path)


def _distance(new: str, old: str) -> float | str:
    try:
        x, y = np.array(new.split(), float), np.array(old.split(), float)
    except ValueError:
        return f"{new} instead of {old}"
    if len(x) != len(y):
        return f"{len(x)} numbers instead of {len(y)}"
    return float((np.abs(x - y) / np.maximum(1, np.abs(y))).max())
