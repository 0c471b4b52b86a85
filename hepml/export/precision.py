"""Weights of reduced precision: a smaller file, written only after it has been seen what it does to decisions.

The matrices of dense, convolutional and recurrent layers are rounded to bfloat16, float16, or int8 with a step for each
output channel; biases and all else keep float32. The evaluator computes in float32. It keeps large dense layers of
bfloat16 in 16 bits, which takes half the memory and less time; all else it widens when it loads the file, so that only
the file is smaller. What the rounding does is measured on events with labels: at the thresholds of 50, 80 and 90 %
signal efficiency of the network as it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, VerificationError
from hepml.evaluator import Evaluator
from hepml.export.packing import EXACT, FEWEST, encoded, expanded, packed
from hepml.export.writer import model_id
from hepml.ledger import atomic_path, check_not_input, check_output, read_json

__all__ = ["PRECISIONS", "TARGETS", "Change", "Reduced", "reduce_weights"]

PRECISIONS = ("bf16", "fp16", "int8")
TARGETS = (0.5, 0.8, 0.9)
# Architectures whose matrices are rounded, and the axis of the weights that counts output channels.
_AXES = {"dense": "first", "conv1d": "first", "conv2d": "last", "lstm": "first", "gru": "first", "simplernn": "first"}

Floats = NDArray[np.float32]
Events = Iterable[tuple[dict[str, NDArray[Any]], ArrayLike, ArrayLike | None]]


@dataclass(frozen=True)
class Change:
    """What rounding does to one working point.

    Attributes:
        signal_efficiency: of the network as it was, wanted.
        threshold: of the network as it was; decisions are compared at it.
        rejection: (before, after), each network at its own threshold of this signal efficiency.
        efficiency: (before, after), signal efficiency at `threshold`.
        flipped: (of the signal, of the background), fraction of the events that are decided otherwise at `threshold`.
    """

    signal_efficiency: float
    threshold: float
    rejection: tuple[float, float]
    efficiency: tuple[float, float]
    flipped: tuple[float, float]


@dataclass(frozen=True)
class Reduced:
    """A network that was written with reduced precision.

    Attributes:
        path: the file.
        model_id: its identity, another than before.
        precision: bf16, fp16 or int8.
        events: that it was compared on.
        difference: the largest one of two scores.
        changes: at each working point.
        rounded, kept: weights and biases that are stored in `precision`, and in float32.
    """

    path: Path
    model_id: str
    precision: str
    events: int
    difference: float
    changes: tuple[Change, ...]
    rounded: int
    kept: int


def reduce_weights(
    path: str | Path,
    output: str | Path,
    precision: str,
    events: Callable[[Sequence[str]], Events],
    *,
    tolerance: float = 0.01,
    overwrite: bool = False,
) -> Reduced:
    """Writes a network file with weights of reduced precision, unless they change too many decisions.

    Args:
        path: a network file of hepml with one output of one unit.
        output: the file to write, complete or not at all.
        precision: one of `PRECISIONS`.
        events: takes the names of the inputs and gives batches (raw arrays by name, labels, weights or None), of both
            classes, that the network was not trained on.
        tolerance: the largest fraction of either class whose decisions flip at any working point.
        overwrite: replace an existing file.

    Raises:
        DataError: no such precision or tolerance, there is nothing to round, a weight is beyond what the precision
            holds, the file is lwtnn's, or the events do not fit.
        VerificationError: more decisions flip than `tolerance` allows; nothing is written.
        OutputError: the output exists, or cannot be written.
    """
    path, output = Path(path), Path(output)
    if precision not in PRECISIONS:
        raise DataError("no such precision", expected=", ".join(PRECISIONS), found=repr(precision))
    if not 0 <= tolerance <= 1:
        raise DataError("a tolerance that cannot be", expected="a fraction, from 0 to 1", found=str(tolerance))
    check_not_input(output, [path])
    check_output(output, overwrite)
    before = Evaluator(path)
    if before.format_version == 0:
        raise DataError(
            "weights of reduced precision are for hepml's own files",
            expected="the key hepml",
            found="a file of lwtnn",
            fix="lwtnn could not read them: export the model with hepml",
        )
    if len(before.outputs) != 1 or before.outputs[0].shape != (1,):
        raise DataError(
            "working points need one output of one unit",
            expected="a score",
            found=", ".join(f"{record.name}: {record.shape}" for record in before.outputs),
        )
    document, counts = _rounded(expanded(read_json(path)), precision)
    identity = document["hepml"]["model_id"] = model_id(expanded(document))
    reference = document["hepml"].pop("reference", None)
    after = Evaluator.from_text(json.dumps(document))
    difference, changes, n = _compare(before, after, events([record.name for record in before.inputs]))
    worst = max(changes, key=lambda change: max(change.flipped))
    if not max(worst.flipped) <= tolerance:
        raise VerificationError(
            f"weights in {precision} change too many decisions",
            where=output,
            expected=f"at most {tolerance:.3%} of either class flipped at any working point",
            found=f"{worst.flipped[0]:.3%} of the signal and {worst.flipped[1]:.3%} of the background "
            f"at {worst.signal_efficiency:.0%} signal efficiency",
            fix="take a wider precision, or allow more with --tolerance",
        )
    document["hepml"]["provenance"] = (document["hepml"].get("provenance") or {"hepml": version("hepml")}) | {
        "precision": precision,
        "reduced_from": before.model_id,
        "flipped": {f"{change.signal_efficiency:g}": change.flipped for change in changes},
    }
    if reference is not None:
        document["hepml"]["reference"] = packed(_answered(after, reference), exact=False)
    with atomic_path(output, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
        Evaluator(temporary)
    return Reduced(output, identity, precision, n, difference, changes, *counts)


def _rounded(document: dict[str, Any], precision: str) -> tuple[dict[str, Any], tuple[int, int]]:
    """The document with rounded matrices; how many numbers of the layers were rounded, and how many were not."""
    rounded = 0

    def matrices(part: Any, axis: str, channels: int | None) -> Any:
        nonlocal rounded
        if not isinstance(part, dict):
            return part
        made = {}
        for key, value in part.items():
            if key in ("weights", "U") and isinstance(value, list) and len(value) >= FEWEST:
                n = channels or len(part["bias"]) or 1  # without a bias nobody says: one step for all
                made[key] = _encoded(np.array(value, np.float32), precision, axis, n)
                rounded += len(value)
            else:
                made[key] = matrices(value, axis, channels)
        return made

    layers = []
    for layer in document["layers"]:
        axis = _AXES.get(layer["architecture"])
        layers.append(layer if axis is None else matrices(layer, axis, layer.get("filters")))
    if rounded == 0:
        raise DataError(
            "there are no weights to round",
            expected=f"layers with matrices: {', '.join(_AXES)}",
            found=", ".join(dict.fromkeys(layer["architecture"] for layer in document["layers"])),
        )
    total = Evaluator.from_text(json.dumps(document), verify=False).n_parameters
    packed_layers = [packed(layer, exact=layer["architecture"] in EXACT) for layer in layers]
    return document | {"layers": packed_layers}, (rounded, total - rounded)


def _encoded(weights: Floats, precision: str, axis: str, channels: int) -> dict[str, Any]:
    """Rounded to the nearest, ties to even."""

    def beyond(kind: str, most: float) -> DataError:
        return DataError(f"a weight is beyond {kind}", expected=f"at most {most:g}", found=np.abs(weights).max())

    if precision == "bf16":
        bits = weights.view(np.uint32).astype(np.uint64)
        top = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
        if (top & 0x7F80 == 0x7F80).any():
            raise beyond("bfloat16", 3.3895e38)
        return encoded("bfloat16", top)
    if precision == "fp16":
        with np.errstate(over="ignore"):
            half = weights.astype("<f2")
        if not np.isfinite(half).all():
            raise beyond("float16", 65504)
        return encoded("float16", half)
    rows = weights.reshape((channels, -1) if axis == "first" else (-1, channels))
    across = 1 if axis == "first" else 0
    scale = (np.abs(rows).max(axis=across) / np.float32(127)).astype(np.float32)
    steps = np.rint(rows / np.expand_dims(np.where(scale > 0, scale, 1), across)).clip(-127, 127).astype("i1")
    return encoded("int8", steps.ravel(), scale=scale.tolist(), axis=axis)


def _compare(before: Evaluator, after: Evaluator, events: Events) -> tuple[float, tuple[Change, ...], int]:
    from hepml.metrics import derive_thresholds, make_events
    from hepml.metrics.rejection import rejection_at

    name = before.outputs[0].name
    parts: tuple[list[Any], ...] = ([], [], [], [])
    for arrays, label, weight in events:
        given = np.ones(len(np.asarray(label))) if weight is None else weight
        for part, values in zip(
            parts, (before(arrays)[name][:, 0], after(arrays)[name][:, 0], label, given), strict=True
        ):
            part.append(np.asarray(values))
    if not parts[0]:
        raise DataError("no events to compare decisions on", fix="give a file with events of both classes")
    old, new, labels, weights = (np.concatenate(part) for part in parts)
    old, new = old.astype(np.float64), new.astype(np.float64)
    for scores, whose in ((old, "the network"), (new, "the rounded network")):
        if bad := np.count_nonzero(~np.isfinite(scores)):
            raise DataError(
                f"{whose} has no score for some events",
                found=f"{bad} of {len(scores)}",
                fix="take out events with inputs that are not finite" if scores is old else "take a wider precision",
            )
    first, second = make_events(old, labels, weights), make_events(new, labels, weights)
    rejections = [rejection_at(scored, np.array(TARGETS))[1] for scored in (first, second)]
    signal = first.label == 1

    def efficiency(score: NDArray[np.float64], threshold: float) -> float:
        return float(weights[signal & (score >= threshold)].sum() / weights[signal].sum())

    def flipped(threshold: float) -> tuple[float, float]:
        other = (old >= threshold) != (new >= threshold)
        return float(other[signal].mean()), float(other[~signal].mean())

    changes = []
    for k, point in enumerate(derive_thresholds(first, TARGETS)):
        cut = point.threshold
        changes.append(
            Change(
                signal_efficiency=point.signal_efficiency,
                threshold=cut,
                rejection=(float(rejections[0][k]), float(rejections[1][k])),
                efficiency=(efficiency(old, cut), efficiency(new, cut)),
                flipped=flipped(cut),
            )
        )
    return float(np.abs(new - old).max()), tuple(changes), len(old)


def _answered(evaluator: Evaluator, reference: dict[str, Any]) -> dict[str, Any]:
    """The reference inputs with what the rounded network answers."""
    names = list(reference["inputs"])
    shapes = {record.name: [1, *(-1 if n is None else n for n in record.shape)] for record in evaluator.inputs}
    outputs: dict[str, list[list[float]]] = {name: [] for name in reference["outputs"]}
    for k in range(len(reference["inputs"][names[0]])):
        arrays = {name: np.reshape(reference["inputs"][name][k], shapes[name]) for name in names}
        for name, values in evaluator(arrays).items():
            outputs[name].append(values.ravel().astype(float).tolist())
    return {**reference, "outputs": outputs}
