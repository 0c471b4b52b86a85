"""Events to try a network on: the training sample's own where known, otherwise random ones like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.export.inputs import InputRecord

__all__ = [
    "N_REFERENCE",
    "given_events",
    "in_float64",
    "keras_logits",
    "keras_outputs",
    "prepared",
    "random_events",
    "reference_events",
]

Float32 = NDArray[np.float32]
N_REFERENCE = 16
N_STEPS = 12  # of a random sequence of any length
_OCCUPANCY = 0.08  # of the pixels of a random image


def random_events(records: Sequence[InputRecord], n: int, seed: int = 0) -> list[Float32]:
    """Raw inputs that resemble those of training, the same on every machine.

    Variables are normal after offset and scale, cut off at the range seen in training; images are mostly empty, with
    exponential deposits whose sum is about 1 after the scale; integers are any of their levels. Where steps may be
    masked, the last ones of every second event are, and some others.

    Args:
        records: the model's inputs.
        n: how many events; 0 gives empty arrays.

    Returns:
        One float32 array an input, of shape (n, *shape).
    """
    generator = np.random.default_rng([seed, 20111984])
    return [_random_input(record, n, generator) for record in records]


def _random_input(record: InputRecord, n: int, generator: np.random.Generator) -> Float32:
    if record.levels is not None:
        shape = (n, *(N_STEPS if size is None else size for size in record.shape))
        return generator.integers(0, record.levels, shape).astype(np.float32)
    return _random_image(record, n, generator) if record.is_image else _random_vector(record, n, generator)


def _random_vector(record: InputRecord, n: int, generator: np.random.Generator) -> Float32:
    shape = (n, *(N_STEPS if size is None else size for size in record.shape))
    values = generator.standard_normal(shape)
    ranges = record.ranges()
    if np.all(record.scale == 1.0) and ranges is not None:
        low, high = np.asarray(ranges["minimum"]), np.asarray(ranges["maximum"])
        return _masked(record, np.asarray(low + (high - low) * generator.random(shape), dtype=np.float32), generator)
    scale = np.where(record.scale == 0.0, 1.0, record.scale)  # a variable that is switched off
    values = np.asarray(values / scale - record.offset)
    if ranges is not None:
        values = np.clip(values, ranges["minimum"], ranges["maximum"])
    return _masked(record, values.astype(np.float32), generator)


def _masked(record: InputRecord, values: Float32, generator: np.random.Generator) -> Float32:
    """Steps that a Masking layer leaves out, as padding at the end and in between."""
    if record.mask_value is None:
        return values
    n, steps = values.shape[:2]
    last = np.where(np.arange(n) % 2, steps, generator.integers(0, steps + 1, n))
    between = (np.arange(n) % 4 == 0)[:, None] & (generator.random((n, steps)) < 0.2)
    values[(np.arange(steps) >= last[:, None]) | between] = record.mask_value
    return values


def _random_image(record: InputRecord, n: int, generator: np.random.Generator) -> Float32:
    shape = (n, *record.sizes)
    pixels = np.prod(record.sizes[:-1])
    deposits = generator.exponential(1.0 / (1.0 + _OCCUPANCY * pixels), shape)
    filled = generator.random(shape) < _OCCUPANCY
    return np.asarray(np.where(filled, deposits / record.scale, 0.0), dtype=np.float32)


def reference_events(records: Sequence[InputRecord]) -> list[Float32]:
    """The inputs of the reference vectors: events that every input's spec carries, or random ones."""
    given = given_events(records)
    return random_events(records, N_REFERENCE) if given is None else given


def given_events(records: Sequence[InputRecord]) -> list[Float32] | None:
    """The training sample's own events, where every input's spec carries equally many; else None."""
    given = [None if r.spec is None or r.spec.reference is None else np.asarray(r.spec.reference) for r in records]
    known = [array for array in given if array is not None and len(array)]
    if len(known) < len(records) or len({len(array) for array in known}) != 1:
        return None
    return [
        np.ascontiguousarray(array[:N_REFERENCE].reshape(-1, *_sizes(array, record)), dtype=np.float32)
        for array, record in zip(known, records, strict=True)
    ]


def _sizes(array: NDArray[Any], record: InputRecord) -> tuple[int, ...]:
    """The record's shape, steps of any number as in the array."""
    return tuple(array.shape[1] if size is None else size for size in record.shape)


def prepared(records: Sequence[InputRecord], arrays: Sequence[Float32]) -> list[Float32]:
    """What Keras is given for raw events."""
    return [record.prepared(array) for record, array in zip(records, arrays, strict=True)]


def keras_outputs(model: Any, arrays: list[Float32]) -> list[NDArray[Any]]:
    """What Keras gives, in the model's precision, one array an output.

    Raises:
        DataError: Keras cannot evaluate the model, such as a sum of sequences that differ in steps.
    """
    import keras

    arrays = [_as_input(array, tensor) for array, tensor in zip(arrays, model.inputs, strict=True)]
    structure = getattr(model, "_inputs_struct", None)  # of a Functional model: a tensor, list or dict of them
    given = arrays[0] if structure is None else keras.tree.pack_sequence_as(structure, arrays)
    try:
        results = keras.tree.flatten(model(given, training=False))
    except Exception as error:  # of the back end, which has its own kinds
        raise DataError(
            "Keras cannot evaluate this model",
            where=f"model {model.name!r}, inputs of shape {', '.join(str(array.shape) for array in arrays)}",
            found=str(error).strip(),
            fix="call the model on such inputs in Python; what fails there cannot be exported",
        ) from error
    return [np.asarray(keras.ops.convert_to_numpy(result)) for result in results]


def _as_input(array: Float32, tensor: Any) -> NDArray[Any]:
    """Whole numbers for an input of such; without the axis that a category a step has in the file."""
    array = array[..., 0] if array.ndim > len(tensor.shape) else array
    return array.astype(tensor.dtype) if "int" in str(tensor.dtype) else array


def keras_logits(model: Any, arrays: list[Float32]) -> NDArray[Any] | None:
    """The pre-activation of the output layer, where triggers cut, in the model's precision.

    None unless the model has one output, made by a Dense or an activation layer.
    """
    import keras

    if len(model.outputs) != 1:
        return None
    history = model.outputs[0]._keras_history
    layer = history.operation
    if not isinstance(layer, keras.layers.Dense | keras.layers.Activation | keras.layers.Softmax):
        return None
    before = layer._inbound_nodes[history.node_index].input_tensors[0]
    inner = keras.Model(model.inputs, before)
    (values,) = keras_outputs(inner, arrays)
    if not isinstance(layer, keras.layers.Dense):
        return values
    logits = keras.ops.matmul(values, layer.kernel)
    return np.asarray(keras.ops.convert_to_numpy(logits + layer.bias if layer.use_bias else logits))


def in_float64(model: Any) -> Any | None:
    """The same network with float64 arithmetic, which shows how far float32 rounding carries; None if it has none."""
    import keras

    kind = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    try:
        wide = kind.from_config(_widened(model.get_config()))
        wide.set_weights(model.get_weights())
    except (TypeError, ValueError):
        return None
    for layer in wide._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with constants made from its weights
    return wide


def _widened(config: Any) -> Any:
    """A Keras config with float64 for float32, in layers inside of layers and models too."""
    if isinstance(config, dict):
        narrow = config.get("dtype")
        if isinstance(narrow, dict):  # a policy
            narrow = narrow.get("config", {}).get("name")
        changed = {"dtype": "float64"} if narrow == "float32" else {}
        return {key: _widened(value) for key, value in config.items()} | changed
    return [_widened(value) for value in config] if isinstance(config, list | tuple) else config
