"""The inputs of the exported file: names, variables, offset and scale, ranges.

lwtnn computes x' = (x + offset) * scale on every variable. A Normalization or Rescaling that is the only user of an
input becomes that offset and scale, so that a file takes raw values and an lwtnn user sees what they expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError, nearest
from hepml.export.graph import Call, Key, calls_of, consumers, input_name, key_of
from hepml.export.layers import handler_of
from hepml.export.layers.normalization import affine_of
from hepml.export.network import Network, Value

if TYPE_CHECKING:
    from hepml.models import InputSpec

__all__ = ["InputRecord", "add_inputs", "describe_inputs"]


@dataclass
class InputRecord:
    """One input of the model.

    Attributes:
        name: the input's name in Keras, in the file and in npz files.
        shape: of one event: (variables,), (steps or None, variables) or (rows, columns, channels).
        variables: names of the variables, of a vector or of each step; empty for images.
        spec: what training knows about it, if given.
        offset, scale: folded into the input; one number a variable or channel.
        levels: of an input of Embedding layers, which holds whole numbers from 0 to levels - 1.
        written_name: its name in the file, if another: a sequence may be called as a vector is.
        defaults: of the variables, for the record; None where there is none.
        mask_value: of a Masking layer that uses the input: a step of such values does not count.
    """

    name: str
    shape: tuple[int | None, ...]
    variables: tuple[str, ...]
    spec: InputSpec | None
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    levels: int | None = None
    written_name: str | None = None
    defaults: tuple[float | None, ...] = ()
    mask_value: float | None = None
    _given: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def give(self, offset: Sequence[float], scale: Sequence[float], defaults: Sequence[float | None]) -> None:
        """Offset and scale that are not in the model, but to be done before it."""
        self._given = np.array(offset, dtype=np.float64), np.array(scale, dtype=np.float64)
        self.offset, self.scale = self._given
        self.defaults = tuple(defaults)

    def prepared(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the model is given for raw values: the same, or after the offset and scale that it does not have."""
        if self._given is None:
            return raw
        offset, scale = self._given
        return ((raw + offset) * scale).astype(np.float32)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, of one step where there may be any number."""
        return tuple(1 if size is None else size for size in self.shape)

    @property
    def is_image(self) -> bool:
        return len(self.shape) > 2

    @property
    def is_sequence(self) -> bool:
        return len(self.shape) == 2

    def document(self) -> dict[str, Any]:
        """The entry of `inputs` or `input_sequences`."""
        if not self.is_image:
            variables: list[dict[str, Any]] = [
                {"name": name, "offset": offset, "scale": scale}
                for name, offset, scale in zip(self.variables, self.offset.tolist(), self.scale.tolist(), strict=True)
            ]
            for variable, default in zip(variables, self.defaults, strict=False):
                if default is not None:
                    variable["default"] = default
            fixed = {"steps": self.shape[0]} if self.is_sequence and self.shape[0] is not None else {}
            return {"name": self.written_name or self.name, **fixed, "variables": variables}
        same = len(set(zip(self.offset.tolist(), self.scale.tolist(), strict=True))) == 1
        return {
            "name": self.name,
            "shape": list(self.shape),
            "offset": float(self.offset[0]) if same else self.offset,
            "scale": float(self.scale[0]) if same else self.scale,
            "variables": [],
        }

    def ranges(self) -> dict[str, list[float]] | None:
        """Smallest and largest values seen in training, one a variable or one for an image."""
        if self.spec is None or self.spec.minimum is None or self.spec.maximum is None:
            return None
        low, high = (np.atleast_1d(np.asarray(limit, float)) for limit in (self.spec.minimum, self.spec.maximum))
        if not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
            return None
        return {"minimum": low.tolist(), "maximum": high.tolist()}


def describe_inputs(model: Any, specs: Sequence[InputSpec] | None) -> list[InputRecord]:
    """One record an input of the model, in the model's order; nothing is folded yet.

    Raises:
        DataError: `specs` do not fit the model's inputs.
        UnsupportedLayerError: an input that is neither a vector, a sequence nor an image of float32.
    """
    names = [input_name(tensor) for tensor in model.inputs]
    by_name = {spec.name: spec for spec in specs or ()}
    for name in (name for name in by_name if name not in names):
        raise DataError(
            f"the model has no input {name!r}",
            where="inputs=",
            expected="names of the model's inputs: " + ", ".join(names),
            found=name,
            nearest=nearest(name, names),
        )
    return [_describe(model, tensor, by_name.get(name)) for name, tensor in zip(names, model.inputs, strict=True)]


def _levels(model: Any, tensor: Any) -> int | None:
    """How many whole numbers, from 0, an input may hold that only Embedding layers use; None for others."""
    if tensor.dtype not in ("float32", "int32", "int64") or key_of(tensor) in map(key_of, model.outputs):
        return None
    layers = [call.layer for call in calls_of(model) if key_of(tensor) in map(key_of, call.inputs)]
    embeddings = [layer for layer in layers if type(layer).__name__ == "Embedding"]
    masks = [layer for layer in layers if type(layer).__name__ == "NotEqual"]  # of an Embedding with mask_zero
    if not embeddings or len(embeddings) + len(masks) != len(layers):
        return None
    return min(int(layer.input_dim) for layer in embeddings)


def _mask_value(model: Any, tensor: Any) -> float | None:
    """The value that masks a step of an input, where a Masking layer uses it, in a model inside of this one too."""
    import keras

    for call in calls_of(model):
        for k, given in enumerate(call.inputs):
            if key_of(given) != key_of(tensor):
                continue
            if isinstance(call.layer, keras.layers.Masking):
                return float(call.layer.mask_value)
            if isinstance(call.layer, keras.Model) and k < len(inner := getattr(call.layer, "inputs", None) or ()):
                value = _mask_value(call.layer, inner[k])
                if value is not None:
                    return value
    return None


def _describe(model: Any, tensor: Any, spec: InputSpec | None) -> InputRecord:
    name = input_name(tensor)
    shape = tuple(tensor.shape[1:])
    levels = _levels(model, tensor)
    if shape == (None,) and levels is not None:
        shape = (None, 1)  # a number a step
    known = shape[1:] if len(shape) == 2 else shape
    good = 1 <= len(shape) <= 4 and all(isinstance(n, int) and n > 0 for n in known)
    if not good or getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
        kind = "a sparse or ragged tensor" if good else f"shape {shape}"
        raise UnsupportedLayerError(
            f"the input {name!r} cannot be exported",
            where=f"input {name!r}",
            expected="a vector (variables,), a sequence (steps, variables) or an image (rows, columns, channels)",
            found=kind,
        )
    if tensor.dtype != "float32" and levels is None:
        raise UnsupportedLayerError(
            f"dtype={tensor.dtype} of input {name!r} cannot be exported",
            where=f"input {name!r}, argument 'dtype'",
            expected="float32, or int32 where only Embedding layers use the input",
            found=tensor.dtype,
        )
    variables: tuple[str, ...] = ()
    if len(shape) <= 2:
        given = tuple(spec.variables) if spec is not None and spec.variables else ()
        variables = given or tuple(f"{name}_{k}" for k in range(shape[-1]))
        if len(variables) != shape[-1] or len(set(variables)) != len(variables):
            raise DataError(
                f"the variables of input {name!r} do not fit the model",
                where=f"inputs=, {name!r}",
                expected=f"{shape[-1]} different names",
                found=", ".join(variables),
            )
    if spec is not None and tuple(spec.shape) != shape:
        raise DataError(
            f"the shape of input {name!r} does not fit the model",
            where=f"inputs=, {name!r}",
            expected=shape,
            found=tuple(spec.shape),
        )
    channels = shape[-1]
    mask = _mask_value(model, tensor) if len(shape) == 2 else None
    return InputRecord(
        name, shape, variables, spec, np.zeros(channels), np.ones(channels), levels=levels, mask_value=mask
    )


def add_inputs(model: Any, records: list[InputRecord], network: Network) -> dict[Key, Value]:
    """Adds an input node for each record; folds what can be folded into it.

    Returns:
        The values of the inputs' tensors, and of those that folded layers produce.
    """
    used = consumers(model)
    calls = calls_of(model)
    values: dict[Key, Value] = {}
    for tensor, record in zip(model.inputs, records, strict=True):
        same = [key_of(tensor)]
        while used[same[-1]] == 1:
            call = next((call for call in calls if key_of(call.inputs[0]) == same[-1]), None)
            if call is None or not _fold(call, record):
                break
            same.append(key_of(call.outputs[0]))
        value = network.add_input(record.document(), record.shape)
        if len(tensor.shape) == len(record.shape):  # a number a step
            value = replace(value, shape=record.shape[:-1])
        values.update(dict.fromkeys(same, value))
    return values


def _fold(call: Call, record: InputRecord) -> bool:
    """Adds a layer's offset and scale to those of an input; False, and no change, if that would not be exact."""
    kind = type(call.layer).__name__
    if kind not in ("Normalization", "Rescaling") or call.node.arguments.kwargs:
        return False
    handler_of(call.layer)  # refuses classes of the user's own and other precisions
    if record.is_image and getattr(call.layer, "data_format", "channels_last") == "channels_first":
        return False
    affine = affine_of(call.layer, record.sizes)
    if affine is None:
        return False
    offset, scale = (part.reshape(-1, record.sizes[-1]) for part in affine)
    if np.any(offset != offset[0]) or np.any(scale != scale[0]):
        return False  # an image with constants of its own for each pixel
    if np.any(offset[0] != 0.0) and np.any(record.scale != 1.0):
        return False  # a shift after a scale: another rounding
    record.offset = record.offset + offset[0]
    record.scale = record.scale * scale[0]
    return True
