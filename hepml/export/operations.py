"""keras.ops in functional models (a + b, x[..., 0], ops.mean(x, axis=1)): which function writes which operation.

A writer takes the operation, the arguments of its call by name (tensors as values) and the steps, and returns the value
of the result, or several. An operation that has none is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError, nearest
from hepml.export.activations import ON_ROWS, OPERATIONS
from hepml.export.network import Network, Value, refuse
from hepml.export.operations_on_axes import ON_AXES
from hepml.export.steps import Steps

__all__ = ["WRITERS", "write_operation"]

Writer = Callable[[Any, dict[str, Any], Steps], Value | list[Value]]

_COMBINATIONS = {
    "Add": "add",
    "Arctan2": "arctan2",
    "Divide": "divide",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Multiply": "multiply",
    "Power": "power",
    "Subtract": "subtract",
    "TrueDivide": "divide",
}


def write_operation(operation: Any, arguments: dict[str, Any], network: Network) -> list[Value]:
    """Writes a call of an operation.

    Args:
        operation: an object of one of Keras' own classes.
        arguments: of the call, by name; symbolic tensors as values.
        network: receives nodes and layers.

    Returns:
        The values of the results.

    Raises:
        UnsupportedLayerError: the operation has no writer, or an argument cannot be reproduced.
    """
    kind = type(operation).__name__
    if kind not in WRITERS or not type(operation).__module__.startswith("keras.src."):
        raise UnsupportedLayerError(
            f"the operation {operation.name!r} of type {kind!r} cannot be exported",
            where=f"operation {operation.name!r}",
            expected="a Keras layer, or one of the operations " + ", ".join(sorted(WRITERS)),
            found=f"{type(operation).__module__}.{kind}",
            nearest=nearest(kind, WRITERS),
        )
    result = WRITERS[kind](operation, arguments, Steps(operation, network))
    return result if isinstance(result, list) else [result]


def _activation(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    form = OPERATIONS[type(operation).__name__](operation)
    if form not in ON_ROWS:
        return steps.activate(value, form)
    return steps.activate(value, form, steps.axes(operation.axis, len(value.shape)))


def _combination(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    a, b = list(arguments.values())[:2]
    kind = _COMBINATIONS[type(operation).__name__]
    if isinstance(a, Value) and isinstance(b, Value):
        if len(a.shape) != len(b.shape):
            raise refuse(operation, "input shapes", (a.shape, b.shape), "tensors of one rank: expand_dims before")
        return steps.combine(kind, [a, b])
    value, other = (a, b) if isinstance(a, Value) else (b, a)
    return steps.constant(kind, value, _constant(operation, other, len(value.shape)), first=value is b)


def _constant(operation: Any, given: Any, rank: int) -> Any:
    """An array with at most the axes of an event."""
    import keras

    array = np.asarray(keras.ops.convert_to_numpy(given), dtype=np.float32)
    if array.ndim == rank + 1 and array.shape[0] == 1:
        array = array[0]
    if array.ndim > rank or array.size == 0:
        raise refuse(operation, "constant", f"of shape {array.shape}", f"at most {rank} axes: one event's")
    return array


def _matmul(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    a, b = list(arguments.values())[:2]
    if isinstance(a, Value) and isinstance(b, Value):
        if len(a.shape) < 2 or len(a.shape) != len(b.shape):
            raise refuse(operation, "input shapes", (a.shape, b.shape), "matrices of one rank")
        return steps.matmul(a, b)
    if not isinstance(a, Value):
        raise refuse(operation, "first input", "a constant", "a tensor times a constant matrix")
    return steps.dense(a, _matrix(operation, b), None)


def _matrix(operation: Any, given: Any) -> Any:
    matrix = np.asarray(given, dtype=np.float32)
    if matrix.ndim != 2:
        raise refuse(operation, "constant", f"of shape {matrix.shape}", "a matrix")
    return matrix


def _glu(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    axis = steps.axis(operation.axis, len(value.shape))
    size = value.shape[axis]
    if size is None:
        raise refuse(operation, "axis", operation.axis, "an axis of fixed length")
    halves = [steps.cut(value, axis, begin, size // 2) for begin in (0, size // 2)]
    return steps.combine("multiply", [halves[0], steps.activate(halves[1], "sigmoid")])


def _mask(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    """The mask of Masking and Embedding: 1 for steps that count; `Any` behind it adds nothing."""
    value, number = list(arguments.values())[:2]
    if not isinstance(value, Value) or isinstance(number, Value) or len(value.shape) > 2:
        raise refuse(operation, "operands", "not a mask", "a sequence and a number")
    shape = (value.shape[0], 1) if len(value.shape) == 2 else value.shape
    return steps.put([value], shape, {"architecture": "mask", "mask_value": float(np.asarray(number))})


def _any(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    del steps
    value: Value = arguments["x"]
    if operation.axis not in (-1, [-1], (-1,)) or operation.keepdims or value.shape[-1] != 1:
        raise refuse(operation, "axis", operation.axis, "the last axis of a mask")
    return replace(value, shape=value.shape[:-1])


def _cast(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    if operation.dtype != "float32":
        raise refuse(operation, "dtype", operation.dtype, "float32")
    return steps.activate(value, "linear")


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(OPERATIONS, _activation),
    **dict.fromkeys(_COMBINATIONS, _combination),
    **ON_AXES,
    "Any": _any,
    "Cast": _cast,
    "Dot": _matmul,
    "Glu": _glu,
    "Matmul": _matmul,
    "NotEqual": _mask,
}
