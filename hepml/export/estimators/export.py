"""Writes an estimator as a network file, and believes it only after C++ has given the library's own answers.

Of trees every leaf and every margin has to be the library's, bit for bit, and every output within 2 units in the last
place of float32; of dense layers, which compute in float32, the bounds are those of Keras models.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError, VerificationError, nearest
from hepml.evaluator import Evaluator, cpus
from hepml.export.deployment import Ranges, deployment
from hepml.export.estimators.common import quiet
from hepml.export.estimators.ensemble import Answers, Reading
from hepml.export.estimators.events import threshold_events
from hepml.export.estimators.reading import read_estimator
from hepml.export.inputs import InputRecord
from hepml.export.model import FORMAT_VERSION, Export, chosen_towers, shared
from hepml.export.polynomials import polynomials
from hepml.export.reference import N_REFERENCE, given_events, random_events
from hepml.export.source.writer import SourceFile, beside
from hepml.export.verification import LOGIT_TOLERANCE, N_VERIFICATION, TOLERANCE, Differences
from hepml.export.writer import model_id, to_text
from hepml.ledger import atomic_path

if TYPE_CHECKING:
    from hepml.models import InputSpec

__all__ = ["ULPS", "export_estimator", "ulps"]

Array = NDArray[Any]
ULPS = 2  # of an output of trees
_log = logging.getLogger("hepml")


def export_estimator(
    model: Any,
    path: Path,
    *,
    inputs: Sequence[InputSpec] | None,
    labels: Mapping[str, Sequence[str]] | None,
    features: str | None,
    collection: str | None,
    towers: Mapping[str, Any] | None,
    convention: str | None,
    geometry: Mapping[str, Any] | None,
    thresholds: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any] | None,
    ranges: Ranges | None,
    validity: Mapping[str, str] | None,
    lwtnn: bool,
    source: SourceFile | str | Path | None,
    overwrite: bool,
) -> Export:
    """`export_model` for what is no Keras model; see there."""
    reading = read_estimator(model)
    if reading.ensemble is not None:
        reading.ensemble.check(reading.name)
        if lwtnn:
            raise UnsupportedLayerError(
                "lwtnn has no trees", where=reading.name, fix="export without --lwtnn and evaluate with hepml"
            )
    records = _records(reading, inputs)
    if features is None and inputs is not None:
        features = "_and_".join(record.name for record in records)
    document = _network(reading, records, _labels(reading, labels))
    known = shared(records, "geometry", None if geometry is None else dict(geometry))
    document["hepml"] = {
        "format_version": FORMAT_VERSION,
        "model_id": None,
        "features": features,
        "geometry": known,
        "convention": shared(records, "convention", convention),
        "collection": shared(records, "collection", collection),
        "thresholds": [dict(threshold) for threshold in thresholds],
        "input_ranges": {r.name: found for r in records if (found := r.ranges()) is not None},
        **polynomials(records, known),
        **deployment(records, ranges, validity),
        **chosen_towers(records, towers),
        "provenance": _provenance(reading, provenance),
        "reference": _reference(reading, records),
    }
    identity = document["hepml"]["model_id"] = model_id(json.loads(to_text(document)))
    with atomic_path(path, overwrite=overwrite) as temporary, beside(source, overwrite) as write_source:
        temporary.write_text(to_text(document), encoding="utf-8")
        differences = _verify(temporary, reading, records, path)
        Evaluator(temporary)  # what everyone who loads it will see
        write_source(temporary)
    _log.info("wrote %s: %s and C++ differ by at most %.2g", path, reading.library, differences.outputs)
    weights = ("weights", "bias", "threshold", "value")
    parameters = sum(np.size(layer.get(key, ())) for layer in document["layers"] for key in weights)
    return Export(path, identity, tuple(r.name for r in records), ("output",), parameters, differences)


def _records(reading: Reading, specs: Sequence[InputSpec] | None) -> list[InputRecord]:
    offset = np.zeros(reading.n_features) if reading.offset is None else reading.offset
    scale = np.ones(reading.n_features) if reading.scale is None else reading.scale
    if specs is None:
        names = reading.variables or tuple(f"x_{k}" for k in range(reading.n_features))
        return [InputRecord("x", (reading.n_features,), names, None, offset, scale)]
    records, first = [], 0
    for spec in specs if isinstance(specs, Sequence) else [specs]:
        if len(spec.shape) != 1:
            raise DataError(
                f"the input {spec.name!r} is no vector", where="inputs=", expected="(variables,)", found=spec.shape
            )
        last = first + spec.width
        names = tuple(spec.variables) or tuple(f"{spec.name}_{k}" for k in range(last - first))
        known = reading.variables and reading.variables[first:last]
        if spec.variables and known and known != names:
            wrong = next((one for one in names if one not in known), names[0])
            raise DataError(
                f"the variables of input {spec.name!r} are not those that {reading.name} was fitted with",
                where=f"inputs=, {spec.name!r}",
                expected=", ".join(known),
                found=", ".join(names),
                nearest=nearest(wrong, known),
            )
        if len(names) != last - first or len(set(names)) != len(names):
            raise DataError(
                f"the variables of input {spec.name!r} do not fit its shape",
                where=f"inputs=, {spec.name!r}",
                expected=f"{last - first} different names",
                found=", ".join(names),
            )
        records.append(InputRecord(spec.name, (last - first,), names, spec, offset[first:last], scale[first:last]))
        first = last
    if first != reading.n_features:
        raise DataError(
            f"the inputs do not fit {reading.name}",
            where="inputs=",
            expected=f"{reading.n_features} variables",
            found=f"{first} variables",
        )
    return records


def _labels(reading: Reading, labels: Mapping[str, Sequence[str]] | None) -> list[str]:
    for name in (labels or {}).keys() - {"output"}:
        raise DataError(f"the model has no output {name!r}", expected="output", found=name)
    given = list((labels or {}).get("output", reading.labels))
    if len(given) != len(reading.labels) or len(set(given)) != len(given):
        raise DataError(
            "the labels of output 'output' do not fit the model",
            where="labels=, 'output'",
            expected=f"{len(reading.labels)} different names",
            found=", ".join(map(str, given)),
        )
    return given


def _network(reading: Reading, records: list[InputRecord], labels: list[str]) -> dict[str, Any]:
    layers = reading.layers if reading.ensemble is None else [reading.ensemble.layer()]
    nodes: list[dict[str, Any]] = [
        {"type": "input", "sources": [k], "size": record.sizes[0]} for k, record in enumerate(records)
    ]
    if len(records) > 1:
        nodes.append({"type": "concatenate", "sources": list(range(len(records)))})
    for k in range(len(layers)):
        nodes.append({"type": "feed_forward", "sources": [len(nodes) - 1], "layer_index": k})
    return {
        "inputs": [record.document() for record in records],
        "input_sequences": [],
        "nodes": nodes,
        "layers": layers,
        "outputs": {"output": {"labels": labels, "node_index": len(nodes) - 1}},
    }


def _provenance(reading: Reading, given: Mapping[str, Any] | None) -> dict[str, Any]:
    from importlib.metadata import version

    return {"hepml": version("hepml"), "library": reading.library, "model": reading.name, **(given or {})}


def _split(records: list[InputRecord], events: Array) -> dict[str, Array]:
    ends = np.cumsum([record.sizes[0] for record in records])[:-1]
    return {record.name: part for record, part in zip(records, np.split(events, ends, axis=1), strict=True)}


def _answers(reading: Reading, events: NDArray[np.float32]) -> Answers:
    with quiet():
        return reading.judge(events.astype(np.float64))


def _reference_events(reading: Reading, records: list[InputRecord]) -> NDArray[np.float32]:
    """The training sample's own events, where every input has them, else random ones."""
    given = given_events(records)
    if given is None and reading.ensemble is not None:
        return threshold_events(reading.ensemble, reading.n_features, N_REFERENCE, seed=0)
    return np.concatenate(given or random_events(records, N_REFERENCE), axis=1)


def _reference(reading: Reading, records: list[InputRecord]) -> dict[str, Any]:
    events = _reference_events(reading, records)
    outputs = _answers(reading, events).outputs.astype(np.float32)
    if not np.all(np.isfinite(outputs)):
        raise DataError(
            f"the output of {reading.name} is not finite on the reference events",
            where=reading.library,
            fix="the fit diverged: look at its parameters",
        )
    return {
        "inputs": {name: list(part) for name, part in _split(records, events).items()},
        "outputs": {"output": list(outputs)},
        "tolerance": TOLERANCE,
    }


def ulps(found: Array, right: Array) -> NDArray[np.int64]:
    """How many float32 numbers lie between two; 0 for two NaN."""

    def key(values: Array) -> NDArray[np.int64]:
        bits = np.ascontiguousarray(values, np.float32).view(np.int32).astype(np.int64)
        return np.where(bits < 0, np.int64(-0x80000000) - bits, bits)

    with np.errstate(over="ignore"):
        distance = np.abs(key(found) - key(right))
    return np.where(np.isnan(found) & np.isnan(right), 0, distance)


def _verify(path: Path, reading: Reading, records: list[InputRecord], shown: Path) -> Differences:
    """Compares with the library, with every instruction set of this processor."""
    samples = {"reference event": _reference_events(reading, records)}
    if reading.ensemble is None:
        samples["random event"] = np.concatenate(random_events(records, N_VERIFICATION, seed=1), axis=1)
    else:
        events = threshold_events(reading.ensemble, reading.n_features, N_VERIFICATION, seed=1)
        samples["random event"] = events
        if reading.ensemble.missing:
            holes = np.random.default_rng(2).random(events.shape) < 0.3
            samples["random event with missing values"] = np.where(holes, np.float32(np.nan), events)
    worst, worst_margin = 0.0, 0.0
    for cpu in cpus():
        evaluator = Evaluator(path, verify=False, cpu=cpu)
        for kind, events in samples.items():
            right, given = _answers(reading, events), _split(records, events)
            outputs = evaluator(given)["output"]
            margins = evaluator(given, logits=True)["output"]
            where = f"{cpu}, {shown}, {kind}"
            if reading.ensemble is None:
                worst = max(worst, _near(where, "output", outputs, right.outputs, TOLERANCE))
                if right.margins.shape == margins.shape:
                    worst_margin = max(worst_margin, _near(where, "logits", margins, right.margins, LOGIT_TOLERANCE))
                continue
            if right.leaves is not None:
                _same(where, "leaves", evaluator.leaves(given)["output"], right.leaves, 0)
            _same(where, "margins", margins, right.margins.astype(np.float32), 0)
            _same(where, "output", outputs, right.outputs.astype(np.float32), ULPS)
            finite = np.isfinite(right.outputs)
            scaled = np.abs(outputs - right.outputs)[finite] / np.maximum(1.0, np.abs(right.outputs[finite]))
            worst = max(worst, float(scaled.max(initial=0.0)))
    return Differences(worst, worst_margin, N_VERIFICATION)


def _fail(where: str, found: Array, right: Array, bound: str) -> VerificationError:
    return VerificationError(
        "the C++ evaluator does not reproduce the library; nothing was written",
        where=where,
        expected=f"{right} {bound}",
        found=found,
        fix="this is a defect of hepml: please report the model",
    )


def _same(where: str, what: str, found: Array, right: Array, bound: int) -> None:
    if found.shape != right.shape:
        raise VerificationError(
            f"the C++ evaluator gives {what} of another shape", where=where, expected=right.shape, found=found.shape
        )
    distance = ulps(found, right) if found.dtype == np.float32 else np.abs(found.astype(np.int64) - right)
    if np.any(distance > bound):
        event = int(np.argmax(distance.max(axis=1)))
        raise _fail(
            f"{where} {event}, {what}",
            found[event],
            right[event],
            f"within {bound} units in the last place" if bound else "exactly",
        )


def _near(where: str, what: str, found: Array, right: Array, tolerance: float) -> float:
    difference = np.abs(found.astype(np.float64) - right) / np.maximum(1.0, np.abs(right))
    if not np.all(difference <= tolerance):
        event = int(np.argmax(difference.max(axis=1)))
        raise _fail(f"{where} {event}, {what}", found[event], right[event], f"within {tolerance:g}")
    return float(difference.max(initial=0.0))
