"""The inputs of a network as its file describes them, and arrays that fit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError

__all__ = ["InputRecord", "Variable", "batch_of"]


@dataclass(frozen=True)
class Variable:
    """One number of a vector input; the network sees (value + offset) * scale.

    Attributes:
        name: as written in the file.
        offset, scale: of the file.
        default: what a user may put in place of a missing value; never applied by the evaluator.
    """

    name: str
    offset: float
    scale: float
    default: float | None = None


@dataclass(frozen=True)
class InputRecord:
    """An input of a network.

    Attributes:
        name: token, such as "hl" or "et".
        shape: of one event, (n,), (rows, columns, channels) or (steps, n); None for steps that each event sets.
        variables: of a vector or of a step, empty for an image.
    """

    name: str
    shape: tuple[int | None, ...]
    variables: tuple[Variable, ...]


_NO_STEPS = np.empty(0, np.int64)


def batch_of(record: InputRecord, values: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The values of an input as one array, and the steps of each event where they are its own."""
    if record.shape[0] is not None:
        return _array(record, values), _NO_STEPS
    if isinstance(values, list | tuple) and len({len(event) for event in values if hasattr(event, "__len__")}) > 1:
        events = [_array(record, [event])[0] for event in values]
        steps = np.array([len(event) for event in events], np.int64)
        array = np.zeros((len(events), steps.max(), events[0].shape[1]), np.float32)
        for row, event in zip(array, events, strict=True):
            row[: len(event)] = event
        return array, steps
    array = _array(record, values)
    return array, np.full(len(array), array.shape[1], np.int64)


def _array(record: InputRecord, values: ArrayLike) -> NDArray[np.float32]:
    shape = tuple("steps" if n is None else n for n in record.shape)
    expected = f"(n, {', '.join(map(str, shape))})"
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"dtype {array.dtype}")
        with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and the event NaN
            array = np.ascontiguousarray(array, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the input {record.name!r} is not an array of numbers", expected=expected, found=str(error)
        ) from error
    if record.shape[-1] == 1 and array.ndim == len(record.shape):
        array = array[..., None]
    fits = array.ndim == len(record.shape) + 1
    if not fits or any(n is not None and n != m for n, m in zip(record.shape, array.shape[1:], strict=True)):
        raise DataError(f"the input {record.name!r} has the wrong shape", expected=expected, found=str(array.shape))
    return array
