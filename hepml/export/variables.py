"""The variables file of lwtnn's converters: names, offsets, scales and defaults of a network's inputs, and its outputs.

    sequential  {"inputs": [VARIABLE, ...], "class_labels": [...], "miscellaneous": {...}}
    graph       {"inputs": [{"name", "variables": [VARIABLE, ...]}, ...], "input_sequences": [same],
                 "outputs": [{"name", "labels": [...]}, ...]}

A VARIABLE has a name, an offset, a scale and perhaps a default; the network sees (value + offset) * scale. The k-th
entry of `inputs` belongs to the k-th vector among the model's inputs, that of `input_sequences` to the k-th sequence.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepml.errors import DataError, SchemaError
from hepml.ledger import read_json

if TYPE_CHECKING:
    from hepml.export.inputs import InputRecord

__all__ = ["GivenInput", "GivenVariable", "Variables", "apply_variables", "read_variables", "template"]

_SUFFIX = "_sequence"  # what the evaluator calls a sequence that has the name of a vector


@dataclass(frozen=True)
class GivenVariable:
    """One variable of the file."""

    name: str
    offset: float
    scale: float
    default: float | None


@dataclass(frozen=True)
class GivenInput:
    """One input of the file."""

    name: str
    variables: tuple[GivenVariable, ...]


@dataclass(frozen=True)
class Variables:
    """A variables file.

    Attributes:
        inputs, sequences: in the order of the model's inputs of that kind.
        outputs: name and labels of each output, in the model's order.
        sequential: whether the network is to be written in lwtnn's sequential form.
        miscellaneous: texts of the user, of the sequential form.
        path: where it was read from.
    """

    inputs: tuple[GivenInput, ...]
    sequences: tuple[GivenInput, ...]
    outputs: tuple[tuple[str, tuple[str, ...]], ...]
    sequential: bool
    miscellaneous: dict[str, str] = field(default_factory=dict)
    path: Path = Path("variables.json")


class _At:
    """A place in the file, for messages."""

    def __init__(self, value: Any, path: Path, where: str = "$") -> None:
        self.value, self.path, self.where = value, path, where

    def wrong(self, expected: str) -> SchemaError:
        found = json.dumps(self.value)
        return SchemaError(
            "the variables file is wrong",
            where=f"{self.path}, {self.where}",
            expected=expected,
            found=found if len(found) < 100 else f"{found[:100]} ...",
            fix="hepml export architecture.json --weights weights.h5 prints a template",
        )

    def member(self, key: str) -> _At:
        if not isinstance(self.value, dict) or key not in self.value:
            raise self.wrong(f"an object with the key {key!r}")
        return _At(self.value[key], self.path, f"{self.where}.{key}")

    def items(self) -> list[_At]:
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return [_At(item, self.path, f"{self.where}[{k}]") for k, item in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.value

    def number(self) -> float:
        good = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if not good or not math.isfinite(self.value):
            raise self.wrong("a finite number")
        return float(self.value)


def read_variables(path: str | Path) -> Variables:
    """Reads a variables file of `keras2json.py` (with `class_labels`) or `kerasfunc2json.py` (with `outputs`).

    Raises:
        InputFileError: absent or not JSON.
        SchemaError: a key is missing or of another kind; the message gives its path.
    """
    path = Path(path)
    root = _At(read_json(path), path)
    if isinstance(root.value, dict) and "class_labels" in root.value:
        given = GivenInput("inputs", tuple(_variable(item) for item in root.member("inputs").items()))
        labels = tuple(item.text() for item in root.member("class_labels").items())
        misc = root.value.get("miscellaneous") or {}
        if not isinstance(misc, dict):
            raise root.member("miscellaneous").wrong("an object of texts")
        texts = {str(key): str(value) for key, value in misc.items()}
        return Variables((given,), (), (("outputs", labels),), True, texts, path)
    outputs = tuple(
        (item.member("name").text(), tuple(label.text() for label in item.member("labels").items()))
        for item in root.member("outputs").items()
    )
    sequences = root.member("input_sequences").items() if "input_sequences" in root.value else []
    inputs = root.member("inputs").items()
    return Variables(tuple(map(_input, inputs)), tuple(map(_input, sequences)), outputs, False, {}, path)


def _input(at: _At) -> GivenInput:
    variables = tuple(_variable(item) for item in at.member("variables").items())
    return GivenInput(at.member("name").text(), variables)


def _variable(at: _At) -> GivenVariable:
    default = at.value.get("default") if isinstance(at.value, dict) else None
    return GivenVariable(
        at.member("name").text(),
        at.member("offset").number(),
        at.member("scale").number(),
        None if default is None else at.member("default").number(),
    )


def apply_variables(records: list[InputRecord], given: Variables) -> None:
    """Gives a model's inputs the names, offsets and scales of a variables file.

    Raises:
        DataError: another number of inputs or of variables, or a name twice.
    """
    if given.sequential:
        pairs = list(zip(records, given.inputs, strict=False))
        counts = {"inputs": (len(given.inputs), len(records))}
    else:
        vectors = [record for record in records if not record.is_sequence]
        sequences = [record for record in records if record.is_sequence]
        pairs = [*zip(vectors, given.inputs, strict=False), *zip(sequences, given.sequences, strict=False)]
        counts = {
            "inputs": (len(given.inputs), len(vectors)),
            "input_sequences": (len(given.sequences), len(sequences)),
        }
    for key, (found, expected) in counts.items():
        if found != expected:
            raise _differs(given, key, f"{expected}, as many as the model has", found)
    taken = {one.name for one in given.inputs}
    for record, one in pairs:
        width = record.shape[-1]
        names = [variable.name for variable in one.variables]
        if len(names) != width or record.is_image:
            raise _differs(
                given, f"input {one.name!r}", f"{width} variables, as the model's {record.name!r}", len(names)
            )
        if len(set(names)) != len(names):
            raise _differs(given, f"input {one.name!r}", "different names of variables", ", ".join(names))
        record.written_name = one.name
        record.name = (
            f"{one.name}{_SUFFIX}" if record.is_sequence and not given.sequential and one.name in taken else one.name
        )
        record.variables = tuple(names)
        record.give(
            [variable.offset for variable in one.variables],
            [variable.scale for variable in one.variables],
            [variable.default for variable in one.variables],
        )
    if len({record.name for record in records}) != len(records):
        raise _differs(given, "inputs", "different names", ", ".join(record.name for record in records))


def _differs(given: Variables, what: str, expected: object, found: object) -> DataError:
    return DataError(
        "the variables file does not fit the model", where=f"{given.path}, {what}", expected=expected, found=found
    )


def template(model: Any) -> dict[str, Any]:
    """A variables file for a model, to be filled in, in the words of lwtnn's converters.

    Args:
        model: a built Functional or Sequential model; a Sequential one gets the sequential form.
    """
    import keras

    def variables(tensor: Any) -> list[dict[str, Any]]:
        return [{"name": f"variable_{k}", "offset": 0, "scale": 1} for k in range(tensor.shape[-1])]

    if isinstance(model, keras.Sequential):
        labels = [f"out_{k}" for k in range(model.outputs[0].shape[-1])]
        return {"class_labels": labels, "inputs": variables(model.inputs[0])}
    inputs: dict[int, list[dict[str, Any]]] = {2: [], 3: []}
    for tensor in model.inputs:
        if (rank := len(tensor.shape)) not in inputs:
            raise DataError(
                f"lwtnn has no name for the variables of input {tensor.name!r}",
                expected="vectors and sequences",
                found=f"shape {tuple(tensor.shape[1:])}",
            )
        inputs[rank].append({"name": f"node_{len(inputs[rank])}", "variables": variables(tensor)})
    outputs = []
    for tensor in model.outputs:
        history = tensor._keras_history
        labels = [f"out_{k}" for k in range(tensor.shape[-1])]
        outputs.append({"labels": labels, "name": f"{history.operation.name}_{history.node_index}"})
    return {"input_sequences": inputs[3], "inputs": inputs[2], "outputs": outputs}
