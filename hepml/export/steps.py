"""hepml's own layers as steps: what Keras computes in one layer may take several entries of the file.

A step is an entry of `layers` and a node that applies it. Tensors keep the shape of one event, so axis 0 is Keras'
axis 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.export.network import Network, Shape, Value, refuse

__all__ = ["Steps"]

Array = NDArray[Any]


class Steps:
    """Writes the steps of one Keras layer; its second use on the same shapes refers to the entries of the first.

    Args:
        layer: the Keras layer or operation, which messages name.
        network: receives nodes and layers.
    """

    def __init__(self, layer: Any, network: Network) -> None:
        self.layer = layer
        self._network = network
        self._written = 0

    def put(self, values: Sequence[Value], shape: Shape, entry: dict[str, Any]) -> Value:
        """An entry applied to values."""
        self._written += 1
        return self._network.apply(self.layer, list(values), shape, lambda: entry, part=f"step {self._written}")

    def axis(self, axis: Any, rank: int, argument: str = "axis") -> int:
        """The axis of an event that Keras calls `axis`; `rank` does not count the events."""
        if not isinstance(axis, int | np.integer) or not -rank <= axis <= rank or axis == 0:
            raise refuse(self.layer, argument, axis, "an axis of each event, not of the batch")
        return int(axis) - 1 if axis > 0 else int(axis) + rank

    def axes(self, axes: Any, rank: int, argument: str = "axis") -> list[int]:
        """The same for one axis or several, in ascending order."""
        given = axes if isinstance(axes, list | tuple) else [axes]
        found = sorted({self.axis(axis, rank, argument) for axis in given})
        if not found:
            raise refuse(self.layer, argument, axes, "one axis or more")
        return found

    def fixed(self, value: Value) -> tuple[int, ...]:
        """The shape of a value; refused for a sequence of any length."""
        if None in value.shape:
            raise refuse(self.layer, "input shape", value.shape, "a fixed number of steps")
        return value.sizes

    def activate(self, value: Value, form: str | dict[str, Any], axes: Sequence[int] | None = None) -> Value:
        """An activation; of whole rows (softmax) over the last axis, or over others."""
        last = len(value.shape) - 1
        if form == "linear":
            return value
        if axes is not None and list(axes) != [last]:
            return self.put([value], value.shape, {"architecture": "softmax", "axes": list(axes), "activation": form})
        nothing = np.zeros(0, np.float32)
        entry = {"architecture": "dense", "weights": nothing, "bias": nothing, "activation": form}
        return self.put([value], value.shape, entry)

    def combine(self, kind: str, values: Sequence[Value]) -> Value:
        """`kind` of tensors, matched from the last axis as in NumPy."""
        return self.put(values, self._common([value.shape for value in values]), {"architecture": kind})

    def constant(self, kind: str, value: Value, constant: Any, *, first: bool = False) -> Value:
        """`kind` of a tensor and a constant whose axes are those of an event; `first` puts the constant first."""
        array = np.atleast_1d(np.asarray(constant, dtype=np.float32))
        entry: dict[str, Any] = {"architecture": kind, "weights": array, "shape": list(array.shape)}
        if first:
            entry["first"] = True
        return self.put([value], self._common([value.shape, array.shape]), entry)

    def _common(self, shapes: Sequence[Shape]) -> Shape:
        rank = max(map(len, shapes))
        if all(shape in ((), (1,)) for shape in shapes):
            return shapes[0]
        columns = zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes), strict=True)
        result: list[int | None] = []
        for sizes in columns:
            different = {size for size in sizes if size != 1}
            if len(different) > 1:
                raise refuse(self.layer, "input shapes", list(shapes), "shapes that match, or axes of length 1")
            result.append(different.pop() if different else 1)
        if None in result and None not in shapes[0]:
            raise refuse(self.layer, "input shapes", list(shapes), "the sequence of any length as first input")
        return tuple(result)

    def affine(self, value: Value, scale: Array, shift: Array) -> Value:
        """scale * x + shift, both with as many axes as an event."""
        scaled = value if np.all(scale == 1.0) else self.constant("multiply", value, scale)
        return scaled if np.all(shift == 0.0) else self.constant("add", scaled, shift)

    def reshape(self, value: Value, shape: Sequence[int | None]) -> Value:
        """The same numbers in C order."""
        if tuple(shape) == value.shape:
            return value
        target = tuple(1 if n is None else int(n) for n in shape)
        if not target and value.shape == (1,):  # one number an event: (events,) in Keras, a vector of 1 in the file
            return replace(value, shape=())
        sizes = self.fixed(value)
        if math.prod(sizes) != math.prod(target):
            raise refuse(self.layer, "output shape", target, f"the size of {sizes}")
        if len(target) <= 1:
            return self.put([value], target, {"architecture": "flatten"})
        return self.put([value], target, {"architecture": "reshape", "shape": list(target)})

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """Axis k of the result is axis order[k] of the value."""
        if list(order) == list(range(len(value.shape))):
            return value
        sizes = self.fixed(value)
        return self.put([value], tuple(sizes[k] for k in order), {"architecture": "transpose", "axes": list(order)})

    def slice(self, value: Value, begin: Sequence[int], step: Sequence[int], shape: Shape) -> Value:
        """Along each axis the elements begin, begin + step, ..., as many as `shape` says."""
        if tuple(shape) == value.shape and all(n == 1 for n in step):
            return value
        sizes = [1 if n is None else n for n in shape]
        entry = {"architecture": "slice", "begin": list(begin), "step": list(step), "shape": sizes}
        return self.put([value], tuple(shape), entry)

    def cut(self, value: Value, axis: int, begin: int, size: int) -> Value:
        """`size` elements along one axis."""
        start = [0] * len(value.shape)
        start[axis] = begin
        shape = list(value.shape)
        shape[axis] = size
        return self.slice(value, start, [1] * len(start), tuple(shape))

    def broadcast(self, value: Value, shape: Sequence[int]) -> Value:
        """Axes of length 1, and new ones in front, repeated."""
        target = tuple(int(n) for n in shape)
        if target == value.shape:
            return value
        self.fixed(value)
        return self.put([value], target, {"architecture": "broadcast", "shape": list(target)})

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        """Values after each other along one axis; a node of lwtnn's kind where it has one."""
        sizes = [value.shape[axis] for value in values]
        if None in sizes:
            raise refuse(self.layer, "axis", axis + 1, "another axis than the steps of a sequence of any length")
        others = {value.shape[:axis] + value.shape[axis + 1 :] for value in values}
        if len(others) > 1:
            raise refuse(
                self.layer, "input shapes", [value.shape for value in values], f"equal but for axis {axis + 1}"
            )
        shape = list(values[0].shape)
        shape[axis] = sum(size for size in sizes if size is not None)
        if len(shape) != 2 and axis == len(shape) - 1:
            return self._network.merge("concatenate", list(values), tuple(shape))
        return self.put(values, tuple(shape), {"architecture": "concatenate", "axis": axis})

    def reduce(self, function: str, value: Value, axes: Sequence[int], *, keepdims: bool = False) -> Value:
        """A number for what lies along the axes."""
        kept = [1 if k in axes else n for k, n in enumerate(value.shape)]
        shape = kept if keepdims else [n for k, n in enumerate(value.shape) if k not in axes]
        if shape == [None]:
            raise refuse(self.layer, "axis", "the last one of a sequence of any length", "keepdims=True")
        if function == "sum" and len(value.shape) == 2 and list(axes) == [0] and not keepdims:
            return self._network.merge("sum", [value], (value.width,))  # lwtnn's kind of node
        entry: dict[str, Any] = {"architecture": "reduce", "function": function, "axes": list(axes)}
        if keepdims:
            entry["keepdims"] = True
        return self.put([value], tuple(shape), entry)

    def standardize(self, function: str, value: Value, axes: Sequence[int], epsilon: float) -> Value:
        """What lies along the axes, brought to a common size: layer, rms or unit."""
        entry = {"architecture": "standardize", "function": function, "axes": list(axes), "epsilon": float(epsilon)}
        return self.put([value], value.shape, entry)

    def dense(self, value: Value, kernel: Array, bias: Array | None, form: str | dict[str, Any] = "linear") -> Value:
        """kernel (inputs, units) on the last axis."""
        entry = {
            "architecture": "dense",
            "weights": np.ascontiguousarray(np.asarray(kernel, dtype=np.float32).T),
            "bias": np.zeros(0, np.float32) if bias is None else np.asarray(bias, dtype=np.float32),
            "activation": form,
        }
        return self.put([value], (*value.shape[:-1], int(kernel.shape[1])), entry)

    def matmul(self, a: Value, b: Value, *, transposed: bool = False) -> Value:
        """Matrices on the last two axes; `transposed` takes b as (..., columns, inner)."""
        front = self._common([a.shape[:-2] or (1,), b.shape[:-2] or (1,)])
        front = front if max(len(a.shape), len(b.shape)) > 2 else ()
        columns = b.shape[-2] if transposed else b.shape[-1]
        entry: dict[str, Any] = {"architecture": "matmul"}
        if transposed:
            entry["transposed"] = True
        return self.put([a, b], (*front, a.shape[-2], columns), entry)
