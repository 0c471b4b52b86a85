"""ONNX beside the network file: written from the file, and believed after ONNX Runtime has reproduced hepml with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import MissingExtraError, VerificationError
from hepml.evaluator import Evaluator
from hepml.export.onnx_graph import IR_VERSION, OPSET, build_graph
from hepml.ledger import atomic_path, read_json

__all__ = ["ONNX_TOLERANCE", "OnnxExport", "export_onnx", "require_onnx"]

ONNX_TOLERANCE = 1e-5  # of the largest output of an event, at least of 1
_EVENTS = 256
_FLOATS = NDArray[np.float32]


@dataclass(frozen=True)
class OnnxExport:
    """What was written.

    Attributes:
        path: the file.
        difference: the largest one between ONNX Runtime and hepml, in units of max(1, output).
        events: that were compared.
    """

    path: Path
    difference: float
    events: int


def require_onnx() -> tuple[Any, Any]:
    """The packages onnx and onnxruntime.

    Raises:
        MissingExtraError: one of them is not installed; without ONNX Runtime a file could not be verified.
    """
    found = []
    for name in ("onnx", "onnxruntime"):
        try:
            found.append(import_module(name))
        except ImportError as error:
            raise MissingExtraError(f"{name} is not installed", fix="pip install 'hepml[onnx]'") from error
    return found[0], found[1]


def export_onnx(network: str | Path, path: str | Path, *, overwrite: bool = False) -> OnnxExport:
    """Writes a network file as ONNX.

    The model takes raw values under the file's own names, float32, with the events as a free first axis. Its metadata
    holds hepml.model_id.

    Args:
        network: what `export_model` wrote.
        path: the .onnx to write, complete or not at all.
        overwrite: replace an existing file.

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
        UnsupportedLayerError: a layer or activation that is not written as ONNX; the message names it.
        VerificationError: ONNX Runtime does not reproduce hepml on the reference vectors and random events.
        OutputError: the file exists, or cannot be written.
    """
    onnx, runtime = require_onnx()
    document, path = read_json(network), Path(path)
    evaluator = Evaluator(network)
    graph = build_graph(document, onnx.helper, onnx.numpy_helper)
    made = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "hepml", graph.inputs, graph.outputs, graph.constants),
        producer_name="hepml",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.helper.set_model_props(
        made, {"hepml.model_id": evaluator.model_id, "hepml.format_version": str(evaluator.format_version)}
    )
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = runtime.InferenceSession(temporary.read_bytes(), options, providers=["CPUExecutionProvider"])
        difference, events = _verify(session, evaluator, document, path)
    return OnnxExport(path, difference, events)


def _verify(session: Any, evaluator: Evaluator, document: Mapping[str, Any], shown: Path) -> tuple[float, int]:
    inputs = _events(evaluator, document)
    names = [record.name for record in evaluator.outputs]
    right = evaluator(inputs)
    worst = 0.0
    for name, found in zip(names, session.run(names, dict(inputs)), strict=True):
        expected = right[name].reshape(len(right[name]), -1)
        if found.size != expected.size:
            raise VerificationError(
                "ONNX Runtime gives another shape",
                where=f"{shown}, {name}",
                expected=right[name].shape,
                found=found.shape,
            )
        scale = np.maximum(1.0, np.abs(expected).max(axis=1, keepdims=True))
        difference = np.abs(found.reshape(expected.shape).astype(np.float64) - expected) / scale
        worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0)))
    if not worst <= ONNX_TOLERANCE:
        raise VerificationError(
            "ONNX Runtime does not reproduce the network; the ONNX file was not written",
            where=shown,
            expected=f"within {ONNX_TOLERANCE:g} of the event's largest output, at least of 1",
            found=f"{worst:.2g}",
            fix="evaluate it with hepml, and please report the model",
        )
    return worst, len(next(iter(inputs.values())))


def _events(evaluator: Evaluator, document: Mapping[str, Any]) -> dict[str, _FLOATS]:
    """The reference vectors, and as many events as make 256 of which each number is that of one of them."""
    generator = np.random.default_rng(20111984)
    found = {}
    for record in evaluator.inputs:
        known = np.asarray(document["hepml"]["reference"]["inputs"][record.name], dtype=np.float32)
        n = max(_EVENTS - len(known), 0)
        rows = generator.integers(0, len(known), (n, known.shape[1]))
        mixed = np.take_along_axis(known, rows, axis=0)
        found[record.name] = np.concatenate([known, mixed]).reshape(-1, *(size or 1 for size in record.shape))
    return found
