"""Operations that cut, join, move or sum up axes: the second half of `hepml.export.operations`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hepml.export.network import Value, refuse
from hepml.export.steps import Steps

__all__ = ["ON_AXES"]

Writer = Callable[[Any, dict[str, Any], Steps], Value | list[Value]]

_REDUCTIONS = {
    "All": "minimum",
    "Any": "maximum",
    "Amax": "maximum",
    "Amin": "minimum",
    "Average": "mean",
    "Logsumexp": "log_sum_exp",
    "Max": "maximum",
    "Mean": "mean",
    "Min": "minimum",
    "Norm": "norm",
    "Prod": "product",
    "Std": "deviation",
    "Sum": "sum",
    "Var": "variance",
}


def _reduction(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    axis = operation.axis
    if axis is None:
        raise refuse(operation, "axis", None, "axes of each event: None would mix the events")
    for name, usual in (("initial", (None,)), ("weights", (None,)), ("ord", (None, 2, "fro")), ("dtype", (None,))):
        given = arguments.get(name, getattr(operation, name, None))
        if given not in usual:
            raise refuse(operation, name, given, usual[0])
    if getattr(operation, "ord", None) == 2 and len(np.atleast_1d(axis)) > 1:
        raise refuse(operation, "ord", 2, "one axis, or ord=None")
    keepdims = bool(getattr(operation, "keepdims", False))
    axes = steps.axes(axis if isinstance(axis, int) else list(axis), len(value.shape))
    if type(operation).__name__ == "Any" and None in value.shape and axes == [1] and not keepdims:
        mask = steps.reduce("maximum", value, axes, keepdims=True)  # of Masking: a number a step
        return replace(mask, shape=value.shape[:1])
    return steps.reduce(_REDUCTIONS[type(operation).__name__], value, axes, keepdims=keepdims)


def _reshape(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    batch, *shape = operation.newshape
    size = math.prod(steps.fixed(value))
    known = math.prod(n for n in shape if n != -1)
    target = [size // max(known, 1) if n == -1 else int(n) for n in shape]
    if batch not in (-1, None) or math.prod(target) != size:
        raise refuse(operation, "newshape", operation.newshape, "-1 for the events, then the shape of one")
    return steps.reshape(value, target)


def _transpose(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    rank = len(value.shape)
    order = operation.axes if operation.axes is not None else tuple(reversed(range(rank + 1)))
    return _moved(operation, value, order, "axes", steps)


def _swapaxes(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    order = list(range(len(value.shape) + 1))
    one, two = operation.axis1, operation.axis2
    order[one], order[two] = order[two], order[one]
    return _moved(operation, value, order, "axis1", steps)


def _moveaxis(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    order = list(np.moveaxis(np.empty(range(1, len(value.shape) + 2)), operation.source, operation.destination).shape)
    return _moved(operation, value, [size - 1 for size in order], "source", steps)


def _moved(operation: Any, value: Value, order: Any, argument: str, steps: Steps) -> Value:
    if order[0] != 0:
        raise refuse(operation, argument, tuple(order), "the events as first axis")
    return steps.transpose(value, [int(axis) - 1 for axis in order[1:]])


def _expand_dims(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    rank = len(value.shape)
    axes = operation.axis if isinstance(operation.axis, list | tuple) else [operation.axis]
    places = sorted(axis if axis >= 0 else axis + rank + 1 + len(axes) for axis in axes)
    if places[0] == 0:
        raise refuse(operation, "axis", operation.axis, "an axis behind the events")
    shape = list(steps.fixed(value))
    for place in places:
        shape.insert(place - 1, 1)
    return steps.reshape(value, shape)


def _squeeze(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    sizes = steps.fixed(value)
    if operation.axis is None:
        return steps.reshape(value, [n for n in sizes if n != 1])
    axes = steps.axes(operation.axis, len(sizes))
    return steps.reshape(value, [n for k, n in enumerate(sizes) if k not in axes])


def _concatenate(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    values = _values(operation, arguments["xs"])
    return steps.concatenate(values, steps.axis(operation.axis, len(values[0].shape)))


def _stack(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    values = _values(operation, arguments["x"])
    axis = steps.axis(operation.axis, len(values[0].shape) + 1)
    wider = [steps.reshape(v, [*steps.fixed(v)[:axis], 1, *steps.fixed(v)[axis:]]) for v in values]
    return steps.concatenate(wider, axis)


def _values(operation: Any, given: Any) -> list[Value]:
    if not all(isinstance(value, Value) for value in given):
        raise refuse(operation, "inputs", "a constant among them", "tensors of the model")
    return list(given)


def _get_item(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    key = arguments["key"]
    items = list(key) if isinstance(key, tuple) else [key]
    rank = len(value.shape) + 1
    if Ellipsis not in items:
        items.append(Ellipsis)
    at = items.index(Ellipsis)
    n_given = sum(item is not None for item in items) - 1
    items[at : at + 1] = [slice(None)] * (rank - n_given)
    if items[0] != slice(None):
        raise refuse(operation, "key", key, "all events, then the axes of one: x[:, ...]")
    begin: list[int] = []
    step: list[int] = []
    shape: list[int | None] = []
    result: list[int | None] = []
    axis = 0
    for item in items[1:]:
        if item is None:
            result.append(1)
            continue
        size = value.shape[axis]
        axis += 1
        if isinstance(item, int | np.integer):
            if size is None or not -size <= item < size:
                raise refuse(operation, "key", key, f"an index inside of {value.shape}")
            begin, step, shape = [*begin, int(item) % size], [*step, 1], [*shape, 1]
        elif isinstance(item, slice):
            first, by, count = _range(operation, item, size)
            begin, step, shape = [*begin, first], [*step, by], [*shape, count]
            result.append(count)
        else:
            raise refuse(operation, "key", key, "whole numbers, slices, None and ...")
    cut = steps.slice(value, begin, step, tuple(shape))
    return cut if tuple(result) == cut.shape else steps.reshape(cut, [n for n in result if n is not None])


def _range(operation: Any, item: slice, size: int | None) -> tuple[int, int, Any]:
    if size is None:
        if item != slice(None):
            raise refuse(operation, "key", item, "all steps of a sequence of any length")
        return 0, 1, None
    chosen = range(size)[item]
    if len(chosen) == 0:
        raise refuse(operation, "key", item, "at least one element")
    return chosen[0], chosen.step if len(chosen) > 1 else 1, len(chosen)


def _take(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    axis = steps.axis(operation.axis, len(value.shape))
    size = steps.fixed(value)[axis]
    indices = np.asarray(arguments["indices"])
    if indices.ndim > 1 or np.any(indices < -size) or np.any(indices >= size):
        raise refuse(operation, "indices", indices.tolist(), f"one or more whole numbers below {size}")
    parts = [steps.cut(value, axis, int(index) % size, 1) for index in indices.ravel()]
    if indices.ndim == 0:
        return steps.reshape(parts[0], [n for k, n in enumerate(value.sizes) if k != axis])
    return parts[0] if len(parts) == 1 else steps.concatenate(parts, axis)


def _flip(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    sizes = steps.fixed(value)
    if operation.axis is None:
        raise refuse(operation, "axis", None, "axes of each event")
    axes = steps.axes(operation.axis, len(sizes))
    begin = [n - 1 if k in axes else 0 for k, n in enumerate(sizes)]
    return steps.slice(value, begin, [-1 if k in axes else 1 for k in range(len(sizes))], sizes)


def _repeat(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    sizes = steps.fixed(value)
    axis = steps.axis(operation.axis, len(sizes))
    if not isinstance(operation.repeats, int):
        raise refuse(operation, "repeats", operation.repeats, "one whole number")
    before, behind = sizes[: axis + 1], sizes[axis + 1 :]
    wider = steps.reshape(value, [*before, 1, *behind])
    repeated = steps.broadcast(wider, [*before, operation.repeats, *behind])
    return steps.reshape(repeated, [*before[:-1], before[-1] * operation.repeats, *behind])


def _tile(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    value: Value = arguments["x"]
    repeats = tuple(np.atleast_1d(operation.repeats).tolist())
    repeats = (1,) * (len(value.shape) + 1 - len(repeats)) + repeats
    if len(repeats) > len(value.shape) + 1 or repeats[0] != 1:
        raise refuse(operation, "repeats", operation.repeats, "1 for the events, then the axes of one")
    for axis, times in enumerate(repeats[1:]):
        value = value if times == 1 else steps.concatenate([value] * times, axis)
    return value


def _split(operation: Any, arguments: dict[str, Any], steps: Steps) -> list[Value]:
    value: Value = arguments["x"]
    axis = steps.axis(operation.axis, len(value.shape))
    size = steps.fixed(value)[axis]
    given = operation.indices_or_sections
    edges = list(range(0, size, size // given)) if isinstance(given, int) else [0, *map(int, given)]
    ends = zip(edges, [*edges[1:], size], strict=True)
    if any(not 0 <= begin < end for begin, end in zip(edges, [*edges[1:], size], strict=True)):
        raise refuse(operation, "indices_or_sections", given, "ascending indices, no part empty")
    return [steps.cut(value, axis, begin, end - begin) for begin, end in ends]


def _unstack(operation: Any, arguments: dict[str, Any], steps: Steps) -> list[Value]:
    value: Value = arguments["x"]
    axis = steps.axis(operation.axis, len(value.shape))
    sizes = steps.fixed(value)
    parts = [steps.cut(value, axis, index, 1) for index in range(sizes[axis])]
    return [steps.reshape(part, [n for k, n in enumerate(sizes) if k != axis]) for part in parts]


def _normalize(operation: Any, arguments: dict[str, Any], steps: Steps) -> Value:
    import keras

    value: Value = arguments["x"]
    if operation.order != 2:
        raise refuse(operation, "order", operation.order, 2)
    epsilon = keras.config.epsilon() if operation.epsilon is None else operation.epsilon
    return steps.standardize("unit", value, steps.axes(operation.axis, len(value.shape)), epsilon**2)


ON_AXES: dict[str, Writer] = {
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "Concatenate": _concatenate,
    "ExpandDims": _expand_dims,
    "Flip": _flip,
    "GetItem": _get_item,
    "Moveaxis": _moveaxis,
    "Normalize": _normalize,
    "Repeat": _repeat,
    "Reshape": _reshape,
    "Split": _split,
    "Squeeze": _squeeze,
    "Stack": _stack,
    "Swapaxes": _swapaxes,
    "Take": _take,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unstack": _unstack,
}
