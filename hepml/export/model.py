"""A Keras model as one JSON file that the C++ evaluator, and where possible lwtnn, reads.

    Keras model -> inputs, nodes, layers (lwtnn's graph form) + block `hepml` -> text -> verified -> renamed

Export reproduces or refuses: what has no handler is an error that names it, and a file that the C++ evaluator does not
reproduce Keras with is never given its name.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hepml.errors import DataError, UnsupportedLayerError, VerificationError, printable
from hepml.evaluator import Evaluator
from hepml.export.deployment import Ranges, deployment
from hepml.export.graph import add_model, key_of, traced
from hepml.export.inputs import InputRecord, add_inputs, describe_inputs
from hepml.export.network import Network, Value
from hepml.export.polynomials import polynomials
from hepml.export.reference import in_float64, keras_outputs, prepared, reference_events
from hepml.export.sequential import sequential_document
from hepml.export.source.writer import SourceFile, beside
from hepml.export.variables import Variables, apply_variables
from hepml.export.verification import TOLERANCE, Differences, Tolerances, verify, widened
from hepml.export.writer import model_id, to_text
from hepml.ledger import atomic_path
from hepml.stages import stage
from hepml.trees.choosing import check_towers

if TYPE_CHECKING:
    from hepml.models import InputSpec

__all__ = ["FORMAT_VERSION", "Export", "chosen_towers", "export_model", "shared"]

FORMAT_VERSION = 1
_log = logging.getLogger("hepml")


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: the file.
        model_id: SHA-256 of all that the score depends on; another weight, another id.
        inputs, outputs: names, in file order.
        parameters: numbers in the layers.
        differences: the largest ones between Keras and C++.
    """

    path: Path
    model_id: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int
    differences: Differences


def export_model(
    model: Any,
    path: str | Path,
    *,
    inputs: Sequence[InputSpec] | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    features: str | None = None,
    geometry: Mapping[str, Any] | None = None,
    convention: str | None = None,
    collection: str | None = None,
    towers: Mapping[str, Any] | None = None,
    thresholds: Sequence[Mapping[str, Any]] = (),
    provenance: Mapping[str, Any] | None = None,
    ranges: Ranges | None = None,
    validity: Mapping[str, str] | None = None,
    fold: Mapping[str, Any] | None = None,
    variables: Variables | None = None,
    lwtnn: bool = False,
    source: SourceFile | str | Path | None = None,
    overwrite: bool = False,
) -> Export:
    """Writes a Keras model, or one of scikit-learn or XGBoost, as JSON and checks that C++ reproduces it.

    Args:
        model: a built Functional or Sequential model, or one whose call works on symbolic tensors, with vectors
            (variables,), sequences (steps, variables) and images (rows, columns, channels) as inputs; it takes raw
            values, and normalisation is part of it. Or a fitted estimator of scikit-learn (trees, forests, gradient
            boosting, linear models, perceptrons; a Pipeline of scalers and one of those), or a Booster or estimator of
            XGBoost. A binary classifier has one output, the probability of the second class. Of trees, leaves and
            margins are the library's bit for bit.
        path: the file to write, complete or not at all.
        inputs: what training knows of the inputs (`run.inputs`): names of variables, ranges, geometry, and raw events
            for the reference vectors. Without it variables are named NAME_0, NAME_1 ... Those of an estimator, in the
            order of its columns; without it one input `x`, whose variables have the names that it was fitted with.
        labels: names of the units of each output; by default "signal" for a single unit, else out_0, out_1 ...
        features: the feature tokens, for the record; by default the names of `inputs`.
        geometry: `Geometry.to_dict()` of the images, if `inputs` do not carry it; the C++ Tagger needs it.
        convention: of candidates, images and variables; None is the correct one.
        collection: the objects that were the candidates ("electron", "jet" ...), if `inputs` do not carry it.
        towers: which towers of an event count, `{"max": N or None, "not_finite": "drop" or "keep"}`, if `inputs` do not
            carry it; None: all, and one that is not finite rejects its event.
        thresholds: working points: signal_efficiency, threshold, and pt and eta bins or None.
        provenance: what the model was made from, for example {"data": checksum, "config": hash}.
        ranges: what the inputs are where the network is valid, for monitors: the `ranges` of a run, or a function that
            takes the names of the inputs and gives batches of raw arrays by name, to be measured.
        validity: what else the network is valid for, texts by key: {"runs": "355000-362760", "pt": "> 20 GeV"}.
        fold: of a network of a run with folds: `number` of the one that it held out, `of` how many, and `group`, the
            branch that decides an event's fold, or None where the event does.
        variables: from `read_variables`: names, offsets and scales that are not in the model, as lwtnn's converters
            take them. The file then takes raw values, in lwtnn's sequential form if the variables are of that form.
        lwtnn: refuse whatever lwtnn 2.14 cannot read.
        source: a C++ header of the same network to write as well, as `export_source` does; both files or none.
        overwrite: replace an existing file.

    Returns:
        What was written, with the largest differences from Keras.

    Raises:
        UnsupportedLayerError: a layer, argument or activation that cannot be reproduced exactly; the message names it.
        DataError: weights that are not finite; `inputs` or `labels` that do not fit the model.
        VerificationError: the C++ evaluator does not reproduce Keras; nothing is left behind.
        OutputError: the file exists, or cannot be written.

    Example:
        >>> import keras, tempfile
        >>> model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, activation="sigmoid")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = export_model(model, Path(folder) / "net.json")
        >>> written.parameters, written.inputs, written.outputs
        (3, ('x',), ('output',))
    """
    path = Path(path)
    from hepml.export.estimators import export_estimator, is_estimator  # they use this module

    if is_estimator(model):
        return export_estimator(
            model,
            path,
            inputs=inputs,
            labels=labels,
            features=features,
            geometry=geometry,
            convention=convention,
            collection=collection,
            towers=towers,
            thresholds=thresholds,
            provenance=provenance,
            ranges=ranges,
            validity=validity,
            lwtnn=lwtnn,
            source=source,
            overwrite=overwrite,
        )
    model = traced(model)
    records = describe_inputs(model, inputs)
    if features is None and inputs is not None:
        features = "_and_".join(record.name for record in records)
    if variables is not None:
        apply_variables(records, variables)
    network, names, document = _network(model, records, labels, lwtnn, variables)
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
        **({} if fold is None else {"fold": dict(fold)}),
        "provenance": _provenance(provenance),
        "reference": _reference(model, records, names, TOLERANCE),
    }
    identity = document["hepml"]["model_id"] = model_id(json.loads(to_text(document)))
    with atomic_path(path, overwrite=overwrite) as temporary, beside(source, overwrite) as write_source:
        differences = _write(document, temporary, model, records, path)
        write_source(temporary)
    _log.info("wrote %s: Keras and C++ differ by at most %.2g", path, differences.outputs)
    return Export(path, identity, tuple(r.name for r in records), tuple(names), network.parameters, differences)


def _write(document: dict[str, Any], path: Path, model: Any, records: list[InputRecord], shown: Path) -> Differences:
    """Writes and verifies; against float64 Keras where float32 Keras is what differs."""
    names = list(document["hepml"]["reference"]["outputs"])
    path.write_text(to_text(document), encoding="utf-8")
    stage("verify", shown)
    try:
        differences = verify(path, model, records, names, shown=shown)
    except VerificationError as first:
        wide = in_float64(model)
        if wide is None:
            raise
        try:
            tolerances = widened(model, wide, records)
        except DataError:  # the back end does not have every layer in float64
            raise first from None
        differences = verify(path, wide, records, names, tolerances=tolerances, shown=shown)
        tolerance = TOLERANCE if differences.outputs <= TOLERANCE else tolerances.outputs
        document["hepml"]["reference"] = _reference(wide, records, names, tolerance)
        path.write_text(to_text(document), encoding="utf-8")
        _log.log(
            logging.INFO if tolerances == Tolerances() else logging.WARNING,
            "%s: float32 Keras and C++ round apart; the judge and the reference vectors are Keras in float64, C++ is "
            "within %.1e on the outputs%s",
            printable(shown),
            differences.outputs,
            "" if differences.logits is None else f" and {differences.logits:.1e} on the logits",
        )
    Evaluator(path)  # what everyone who loads it will see
    return differences


def _network(
    model: Any,
    records: list[InputRecord],
    labels: Mapping[str, Sequence[str]] | None,
    lwtnn: bool,
    variables: Variables | None,
) -> tuple[Network, list[str], dict[str, Any]]:
    """The network, the names of its outputs and the document without the block `hepml`."""
    network = Network(lwtnn=lwtnn)
    values = add_inputs(model, records, network)
    if len({key_of(tensor) for tensor in model.inputs}) != len(model.inputs):
        raise DataError("an input appears twice in the model's inputs", where=f"model {model.name!r}")
    results = network.drop_unused(add_model(model, values, network))
    for tensor in model.outputs:
        if tensor.dtype != "float32":
            raise UnsupportedLayerError(
                f"the model has an output of dtype {tensor.dtype}",
                where=f"model {model.name!r}, output of {tensor._keras_history.operation.name!r}",
                expected="float32",
                found=tensor.dtype,
            )
    names = _output_names(model, len(results))
    if variables is not None:
        names = _given_names(len(results), variables)
        labels = dict(variables.outputs)
    if variables is not None and variables.sequential:
        given = list(variables.outputs[0][1])
        return network, names, sequential_document(network, results, given, variables.miscellaneous)
    outputs = {}
    for name, value in zip(names, results, strict=True):
        outputs[name] = {"labels": _labels(name, value, labels), "node_index": value.node}
    for name in (labels or {}).keys() - set(names):
        raise DataError(f"the model has no output {name!r}", expected=", ".join(names), found=name)
    document = {
        "inputs": network.inputs,
        "input_sequences": network.input_sequences,
        "nodes": network.nodes,
        "layers": network.layers,
        "outputs": outputs,
    }
    return network, names, document


def _given_names(n: int, variables: Variables) -> list[str]:
    names = [name for name, _ in variables.outputs]
    if len(names) != n or len(set(names)) != n:
        raise DataError(
            "the variables file does not fit the model",
            where=f"{variables.path}, outputs",
            expected=f"{n} outputs of different names, as many as the model has",
            found=", ".join(names),
        )
    return names


def _output_names(model: Any, n: int) -> list[str]:
    """`output` for one; the keys of a dict; else Keras' names."""
    structure = getattr(model, "_outputs_struct", None)
    if n == 1:
        return ["output"]
    if isinstance(structure, dict) and not any(isinstance(part, dict | list | tuple) for part in structure.values()):
        return sorted(map(str, structure))  # the order in which Keras flattens it
    names: list[str] = []
    for given in map(str, model.output_names):  # an operation may have several results under one name
        name, k = given, 1
        while name in names:
            name, k = f"{given}_{k}", k + 1
        names.append(name)
    return names


def _labels(name: str, value: Value, labels: Mapping[str, Sequence[str]] | None) -> list[str]:
    width = value.shape[-1] if value.shape else None
    if width is None:
        raise UnsupportedLayerError(
            f"the width of output {name!r} is not known", where=f"output {name!r}", found=f"shape {value.shape}"
        )
    given = list((labels or {}).get(name, ["signal"] if width == 1 else [f"out_{k}" for k in range(width)]))
    if len(given) != width or len(set(given)) != width:
        raise DataError(
            f"the labels of output {name!r} do not fit the model",
            where=f"labels=, {name!r}",
            expected=f"{width} different names",
            found=", ".join(map(str, given)),
        )
    return given


def shared(records: list[InputRecord], name: str, given: Any) -> Any:
    """What was given, or what the inputs carry; one value for all of them, or None."""
    known = [given] + [getattr(record.spec, name, None) for record in records]
    known = [value for value in known if value is not None]
    for other in known[1:]:
        if other != known[0]:
            raise DataError(f"the inputs differ in {name}", where="inputs=", expected=known[0], found=other)
    return known[0] if known else None


def chosen_towers(records: list[InputRecord], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The entry of a file that says which towers count, if not all do.

    Raises:
        DataError: the inputs differ in it, or it cannot be used.
    """
    towers = shared(records, "towers", None if given is None else dict(given))
    if towers is None:
        return {}
    most, not_finite = check_towers(towers.get("max"), towers.get("not_finite", "drop"))
    return {"towers": {"max": most, "not_finite": not_finite}}


def _provenance(given: Mapping[str, Any] | None) -> dict[str, Any]:
    from importlib.metadata import version

    import keras

    return {"hepml": version("hepml"), "keras": keras.__version__, "backend": keras.backend.backend(), **(given or {})}


def _reference(model: Any, records: list[InputRecord], names: list[str], tolerance: float) -> dict[str, Any]:
    events = reference_events(records)
    results = keras_outputs(model, prepared(records, events))
    for name, result in zip(names, results, strict=True):
        if not np.all(np.isfinite(result)):
            raise DataError(
                f"Keras' output {name!r} is not finite on the reference events",
                where=f"model {model.name!r}",
                fix="the training diverged, or the reference events are not inputs of this model",
            )
    return {
        "inputs": {r.name: [event.ravel() for event in array] for r, array in zip(records, events, strict=True)},
        "outputs": {
            name: [event.ravel() for event in result.astype(np.float32)]
            for name, result in zip(names, results, strict=True)
        },
        "tolerance": tolerance,
    }
