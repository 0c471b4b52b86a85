"""Slow and obvious: what TMVA's Reader does with one event, in plain Python, from an XML tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np


def single(value: float) -> float:
    return float(np.float32(value))


def option(root: ElementTree.Element, name: str, default: str = "") -> str:
    return next((one.text or "" for one in root.iter("Option") if one.get("name") == name), default)


def leaf_of(tree: ElementTree.Element, x: Sequence[float], kind: str) -> float:
    node = tree.find("Node")
    while float(node.get("nType")) == 0:
        count = int(node.get("NCoef"))
        if count:
            coefficients = [float(node.get(f"fC{i}")) for i in range(count)]
            total = coefficients[-1] + sum(c * v for c, v in zip(coefficients[:-1], x, strict=True))
            goes_right = total > single(float(node.get("Cut")))
        else:
            goes_right = x[int(node.get("IVar"))] >= single(float(node.get("Cut")))
        if node.get("cType") == "0":
            goes_right = not goes_right
        node = next(child for child in node if child.get("pos") == ("r" if goes_right else "l"))
    return single(float(node.get(kind)))


def bdt(path: Path, x: Sequence[float]) -> list[float]:
    root = ElementTree.parse(path).getroot()
    weights = root.find("Weights")
    boost, analysis = option(root, "BoostType"), next(i for i in root.iter("Info") if i.get("name") == "AnalysisType")
    x = [single(value) for value in x]
    if option(root, "DoPreselection") == "True":
        answer = None
        for i, value in enumerate(x):
            for name, low, result in (
                ("LowBkg", True, -1.0),
                ("LowSig", True, 1.0),
                ("HighBkg", False, -1.0),
                ("HighSig", False, 1.0),
            ):
                limit = float(weights.get(f"Preselection{name}Var{i}Value"))
                if weights.get(f"Preselection{name}Var{i}") == "1" and (value < limit if low else value > limit):
                    answer = result
        if answer is not None:
            return [answer]
    yes_no = option(root, "UseYesNoLeaf", "True") == "True" and boost not in ("RealAdaBoost", "AdaCost")
    kind = "res" if weights.get("AnalysisType") == "1" else "nType" if yes_no else "purity"
    trees = weights.findall("BinaryTree")
    leaves = [leaf_of(tree, x, kind) for tree in trees]
    boosts = [single(float(tree.get("boostWeight"))) for tree in trees]
    if analysis.get("value") == "Multiclass":
        count = len(root.find("Classes"))
        sums = [math.exp(sum(leaves[k::count])) for k in range(count)]
        return [value / sum(sums) for value in sums]
    if boost == "Grad":
        if analysis.get("value") == "Regression":
            return [sum(leaves) + boosts[0]]
        return [2 / (1 + math.exp(-2 * sum(leaves))) - 1]
    if boost == "AdaBoostR2":
        pairs = sorted(zip(leaves, boosts, strict=True), key=lambda pair: pair[0])
        running, t = 0.0, 0
        while running <= sum(boosts) / 2:
            running += pairs[t][1]
            t += 1
        low, high = max(0, int(t - len(pairs) // 6 - 0.5)), min(len(pairs), int(t + len(pairs) // 6 + 0.5))
        chosen = [pairs[i][0] for i in range(low, high)]
        return [sum(chosen) / len(chosen)]
    return [sum(w * v for w, v in zip(boosts, leaves, strict=True)) / sum(boosts)]


def mlp(layers: Sequence[list[list[float]]], x: Sequence[float], neuron: str, joins: str, last: str) -> list[float]:
    def activate(kind: str, v: float) -> float:
        if kind == "tanh":
            v = single(v)
            s = v * v
            return v * (135135 + s * (17325 + s * (378 + s))) / (135135 + s * (62370 + s * (3150 + s * 28)))
        kinds = {"sigmoid": lambda: 1 / (1 + math.exp(-v)), "linear": lambda: v, "ReLU": lambda: max(0.0, v)}
        return kinds[kind]() if kind in kinds else math.exp(-v * v / 2)

    steps = {"sum": lambda v: v, "sqsum": lambda v: v * v, "abssum": abs}
    values = [single(value) for value in x]
    for number, layer in enumerate(layers):
        inputs = [*values, 1.0]
        columns = [[single(row[j]) for row in layer] for j in range(len(layer[0]))]
        sums = [sum(steps[joins](w * v) for w, v in zip(column, inputs, strict=True)) for column in columns]
        values = [activate(last if number == len(layers) - 1 else neuron, v) for v in sums]
    return values


def kde(contents: Sequence[float], *, low: float, high: float, rounds: int, border: int, fine: float) -> np.ndarray:
    """The table of 10,000 bins, not normalised."""
    count, total = len(contents), sum(contents)
    width = (high - low) / count
    centres = [low + (i + 0.5) * width for i in range(count)]
    mean = sum(c * m for c, m in zip(contents, centres, strict=True)) / total
    rms = math.sqrt(sum(c * (m - mean) ** 2 for c, m in zip(contents, centres, strict=True)) / total)
    sigma = math.sqrt(2) * (4 / 3) ** 0.2 * rms * total**-0.2

    def share(a: float, b: float, m: float, s: float) -> float:
        return 0.5 * (math.erf((b - m) / s) - math.erf((a - m) / s))

    def spread(bins: int, sigmas: Sequence[float]) -> np.ndarray:
        step, table = (high - low) / bins, np.zeros(bins)
        for i in range(count - 1):
            means = [centres[i]]
            if border == 3 and i + 1 < count // 5:
                means.append(2 * low - centres[i])
            if border == 3 and i + 1 > 4 * count // 5:
                means.append(2 * high - centres[i])
            for m in means:
                scale = share(low, high, m, sigmas[i]) if border == 2 else 1.0
                for j in range(bins - 1):
                    table[j] += contents[i] * share(low + j * step, low + (j + 1) * step, m, sigmas[i]) / scale
        return table

    sigmas = [sigma] * count
    if rounds == 2:
        first = spread(count, sigmas)
        first /= first[:-1].sum() * width
        sigmas = [fine * sigma / math.sqrt(value) if value else math.inf for value in first]
    return spread(10_000, sigmas)
