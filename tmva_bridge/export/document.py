"""A weight file as a network file for the C++ evaluator, believed only after C++ has given TMVA's answers."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError, VerificationError, check_path
from hepml.evaluator import Evaluator, cpus
from hepml.export.model import FORMAT_VERSION
from hepml.export.writer import model_id, to_text
from hepml.ledger import atomic_path, check_not_input
from tmva_bridge.export.chain import back
from tmva_bridge.export.graph import Graph
from tmva_bridge.export.methods import WRITERS
from tmva_bridge.header import Header
from tmva_bridge.methods import Method
from tmva_bridge.methods.bdt import BDT
from tmva_bridge.transforms import ALL_CLASSES, Cumulative
from tmva_bridge.weights import read_weights

__all__ = ["INPUT", "OUTPUT", "sample_events", "to_json"]

INPUT, OUTPUT = "x", "output"
_N_REFERENCE, _N_VERIFICATION = 16, 256
_RANGE = (-3.0, 3.0)  # of variables whose range is not in the file


def to_json(
    weights: str | os.PathLike[str], output: str | os.PathLike[str] | None = None, *, overwrite: bool = False
) -> str:
    """A trained method as a network file of hepml, for `hepml.Evaluator`, `hepml::Model` and all that uses them.

    The file takes raw values of the variables, one vector `x` in the order of the training, and gives `output`:
    TMVA's response. Events with NaN give NaN, where TMVA gives -999.

    Args:
        weights: a weight file of BDT, MLP, Fisher, LD or Likelihood.
        output: where to write it, complete or not at all; nowhere by default.
        overwrite: replace an existing file.

    Returns:
        The text of the file.

    Raises:
        InputFileError, SchemaError: as for `read_weights`.
        UnsupportedLayerError: of another method, or something that cannot be reproduced; the message says what.
        DataError: TMVA has no finite response.
        VerificationError: the C++ evaluator does not give the responses of `Method.evaluate`; nothing is written.
        OutputError: the output exists, or cannot be written.

    Example:
        >>> from pathlib import Path
        >>> from hepml import Evaluator
        >>> from tmva_bridge.weights import EXAMPLE
        >>> _ = Path("TMVA_Fisher.weights.xml").write_text(EXAMPLE)
        >>> text = to_json("TMVA_Fisher.weights.xml", "fisher.json", overwrite=True)
        >>> float(Evaluator("fisher.json")([[1.0, 2.0]])["output"][0, 0])
        4.5
    """
    path = check_path(weights)
    method = read_weights(path)
    if method.kind not in WRITERS:
        raise UnsupportedLayerError(
            f"{method.kind} is not written for the C++ evaluator",
            where=str(path),
            expected=", ".join(WRITERS),
            found=method.kind,
            fix="evaluate it in Python: tmva_bridge.read_weights(path).evaluate(events)",
        )
    document = _document(method)
    text = to_text(document)
    document["hepml"]["model_id"] = model_id(json.loads(text))
    text = to_text(document)
    _verify(text, method)
    if output is not None:
        target = Path(check_path(output))
        check_not_input(target, [path])
        with atomic_path(target, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return text


def _document(method: Method) -> dict[str, Any]:
    count = len(method.variables)
    graph = Graph(count)
    result = WRITERS[method.kind](graph, method.chain, method.respond)
    if method.analysis == "Regression":
        result = back(graph, result, method.chain)
    low, high = _ranges(method.header)
    events, responses = _answered(method, _N_REFERENCE, seed=0)
    variables = [{"name": name, "offset": 0.0, "scale": 1.0} for name in method.variables]
    return {
        "inputs": [{"name": INPUT, "variables": variables}],
        "input_sequences": [],
        "nodes": graph.nodes,
        "layers": graph.layers,
        "outputs": {OUTPUT: {"labels": _labels(method), "node_index": result.node}},
        "hepml": {
            "format_version": FORMAT_VERSION,
            "model_id": None,
            "features": None,
            "geometry": None,
            "convention": None,
            "thresholds": [],
            "input_ranges": {INPUT: {"minimum": low.tolist(), "maximum": high.tolist()}},
            "provenance": {
                "hepml": version("hepml"),
                "library": "TMVA " + ".".join(map(str, method.header.release)),
                "model": f"{method.kind}::{method.title}",
                "expressions": list(method.expressions),
            },
            "reference": {
                "inputs": {INPUT: list(events)},
                "outputs": {OUTPUT: list(responses.astype(np.float32))},
                "tolerance": _tolerance(method),
            },
        },
    }


def _labels(method: Method) -> list[str]:
    """Of the output's numbers: "signal", the classes, or the targets."""
    if method.analysis == "Classification":
        return ["signal"]
    return list(method.classes if method.analysis == "Multiclass" else method.targets)


def _tolerance(method: Method) -> float:
    """Of |C++ - NumPy| / max(1, |NumPy|); behind tables and inverse normals float32 rounds what may have a slope."""
    tables = any(isinstance(link.of(ALL_CLASSES), Cumulative) for link in method.chain.links)
    return 1e-5 if tables or method.kind == "Likelihood" else 1e-6


def _answered(method: Method, n: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Events and responses, without events for which TMVA has no finite one: its tanh is NaN of very large numbers."""
    events = sample_events(method, n, seed)
    responses = method.evaluate(events).reshape(len(events), -1)
    finite = np.isfinite(responses.astype(np.float32)).all(axis=1)
    if not finite.any():
        raise DataError(
            "the responses are not finite",
            where=method.header.file,
            expected="finite responses between the smallest and largest values of training",
            fix="look at the weights: the training diverged",
        )
    return events[finite], responses[finite]


def _ranges(header: Header) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and largest values in training, where the file says them."""
    group = header.element.child("Variables")
    pairs = []
    for item in group.every("Variable"):
        low, high = (float(text) if _is_number(text) else np.nan for text in (item.get("Min", ""), item.get("Max", "")))
        pairs.append((low, high) if np.isfinite(low) and np.isfinite(high) and low < high else _RANGE)
    low, high = np.array(pairs).T
    return low, high


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", text.lower()) is not None


def sample_events(method: Method, n: int, seed: int) -> NDArray[np.float32]:
    """Between the smallest and largest values of training and a little beyond, some on cuts of trees, some far away."""
    generator = np.random.default_rng([seed, 20111984])
    low, high = _ranges(method.header)
    events = (low - 0.1 * (high - low) + 1.2 * (high - low) * generator.random((n, len(low)))).astype(np.float32)
    far = generator.random(events.shape) < 0.02
    events[far] = np.resize(np.array([0, 1e4, -1e4], np.float32), int(far.sum()))
    if isinstance(method.respond, BDT) and not method.chain.links:
        forest = method.respond.forest
        inner = forest.following[::2] != np.arange(len(forest.column))
        for k in range(len(low)):
            cuts = forest.cut[inner & (forest.column == k)]
            on = generator.random(n) < 0.3
            if len(cuts):
                events[on, k] = generator.choice(cuts, int(on.sum()))
    return events


def _verify(text: str, method: Method) -> None:
    """Compares with every instruction set of this processor; loading compares the reference vectors."""
    events, expected = _answered(method, _N_VERIFICATION, seed=1)
    tolerance = _tolerance(method)
    for cpu in cpus():
        found = Evaluator.from_text(text, cpu=cpu)({INPUT: events})[OUTPUT]
        difference = np.abs(found - expected) / np.maximum(1, np.abs(expected))
        if not np.all(difference <= tolerance):
            worst = int(np.argmax(np.nan_to_num(difference, nan=np.inf).max(axis=1)))
            raise VerificationError(
                "the C++ evaluator does not reproduce the weight file; nothing was written",
                where=f"{method.header.file}, {cpu}, event {events[worst].tolist()}",
                expected=f"{expected[worst].tolist()} within {tolerance:g}",
                found=found[worst].tolist(),
                fix="this is a defect of hepml: please report the weight file",
            )
