"""keras.ops in functional models (a + b, x[..., 0], ops.mean(x, axis=1)): which function writes which operation.

A writer takes the operation, the arguments of its call by name (tensors as values) and the steps, and returns the value
of the result, or several. An operation that has none is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError, nearest
from hepml.export.activations import ON_ROWS, OPERATIONS
from hepml.export.network import Network, Value, refuse
from hepml.export.operations_on_axes import ON_AXES
from hepml.export.steps import Steps

__all__ = ["BOOLEAN", "WRITERS", "write_operation"]

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

# comparison -> the layer, and whether its inputs change places
_COMPARISONS = {
    "Equal": ("equal", False),
    "NotEqual": ("not_equal", False),
    "Greater": ("greater", False),
    "GreaterEqual": ("greater_equal", False),
    "Less": ("greater", True),
    "LessEqual": ("greater_equal", True),
}
_LOGICAL = {"LogicalAnd": "multiply", "LogicalOr": "maximum"}
PREDICATES = frozenset(
    {*_COMPARISONS, *_LOGICAL, "LogicalNot", "Any", "All"}
)  # their results are true or false: 1 or 0
_UNCHANGED = frozenset({"Concatenate", "ExpandDims", "Reshape", "Squeeze", "Transpose", "GetItem"})
BOOLEAN = PREDICATES | _UNCHANGED  # may have such results


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
    return _combined(_COMBINATIONS[type(operation).__name__], a, b, steps)


def _comparison(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    a, b = list(arguments.values())[:2]
    kind, swapped = _COMPARISONS[type(operation).__name__]
    return _combined(kind, b, a, steps) if swapped else _combined(kind, a, b, steps)


def _logical(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    a, b = list(arguments.values())[:2]
    if not (isinstance(a, Value) and isinstance(b, Value)):
        raise refuse(operation, "inputs", "a constant among them", "comparisons of tensors")
    return _combined(_LOGICAL[type(operation).__name__], a, b, steps)


def _logical_not(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    return steps.constant("equal", arguments["x"], 0.0)


def _where(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    """The one where the condition holds, zero elsewhere; the other the other way round; their sum."""
    condition, a, b = (arguments.get(name) for name in ("condition", "x1", "x2"))
    if not isinstance(condition, Value) or a is None or b is None:
        raise refuse(operation, "condition", "a constant, or no values", "a comparison of tensors, and two values")
    kept, others = _combined("keep", a, condition, steps), _combined("drop", b, condition, steps)
    return _combined("add", kept, others, steps)


def _combined(kind: str, a: Any, b: Any, steps: Steps) -> Value:
    operation = steps.layer
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


def _einsum(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    """`matmul` of two tensors: shared letters in front, then those of one of them, the summed ones last."""
    operands = [given for value in arguments.values() for given in (value if isinstance(value, tuple) else (value,))]
    terms = operation.subscripts.replace(" ", "").replace("->", ",").split(",")
    distinct = all(len(set(term)) == len(term) and term.isalpha() for term in terms)
    if len(operands) != 2 or len(terms) != 3 or not distinct or not all(isinstance(x, Value) for x in operands):
        raise refuse(operation, "subscripts", operation.subscripts, "two tensors, such as 'bij,bjk->bik'")
    left, right, result = terms
    events = result[0]
    shared = [c for c in result[1:] if c in left and c in right]
    summed = [c for c in left if c in right and c not in result]
    own = [[c for c in term if c not in (events, *shared, *summed)] for term in (left, right)]
    if left[0] != events or right[0] != events or not summed or not {*own[0], *own[1]} <= set(result):
        raise refuse(
            operation, "subscripts", operation.subscripts, "the events as first axis, and a sum over shared axes"
        )
    sizes: dict[str, int] = {}
    matrices = []
    for term, value, free in zip((left, right), operands, own, strict=True):
        sizes |= dict(zip(term[1:], steps.fixed(value), strict=True))
        moved = steps.transpose(value, [term.index(c) - 1 for c in (*shared, *free, *summed)])
        rows, inner = (math.prod(sizes[c] for c in letters) for letters in (free, summed))
        matrices.append(steps.reshape(moved, [*(sizes[c] for c in shared), rows, inner]))
    product = steps.matmul(matrices[0], matrices[1], transposed=True)
    letters = [*shared, *own[0], *own[1]]
    whole = steps.reshape(product, [sizes[c] for c in letters])
    return steps.transpose(whole, [letters.index(c) for c in result[1:]])


def _glu(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    axis = steps.axis(operation.axis, len(value.shape))
    size = value.shape[axis]
    if size is None:
        raise refuse(operation, "axis", operation.axis, "an axis of fixed length")
    halves = [steps.cut(value, axis, begin, size // 2) for begin in (0, size // 2)]
    return steps.combine("multiply", [halves[0], steps.activate(halves[1], "sigmoid")])


def _cast(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    if operation.dtype != "float32":
        raise refuse(operation, "dtype", operation.dtype, "float32")
    return steps.activate(value, "linear")


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(OPERATIONS, _activation),
    **dict.fromkeys(_COMBINATIONS, _combination),
    **ON_AXES,
    **dict.fromkeys(_COMPARISONS, _comparison),
    **dict.fromkeys(_LOGICAL, _logical),
    "Cast": _cast,
    "Dot": _matmul,
    "Einsum": _einsum,
    "Glu": _glu,
    "LogicalNot": _logical_not,
    "Matmul": _matmul,
    "Where": _where,
}
