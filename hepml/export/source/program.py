"""A network as a list of calls over tensors in one block of memory, before it becomes text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layer", "Local", "Matrix", "Program", "Step", "Tensor", "product", "up"]

ALIGNED = 16  # floats: a line of cache, and the widest vector
LEAST_WORK = 1 << 16  # multiplications for images that are worth following pixel by pixel, as in the library


def product(sizes: Sequence[int]) -> int:
    """Of whole numbers; 1 of none."""
    return math.prod(sizes)


def up(n: int, to: int = ALIGNED) -> int:
    """n rounded up to whole pieces."""
    return -(-n // to) * to


@dataclass(frozen=True)
class Layer:
    """A layer of the file.

    Attributes:
        data: its JSON object.
        where: its place in the file, for messages.
    """

    data: dict[str, Any]
    where: str

    def floats(self, key: str) -> NDArray[np.float32]:
        """A list of weights, rounded to float32 as the evaluator does."""
        return np.asarray(self.data[key], np.float64).astype(np.float32)


@dataclass(frozen=True)
class Matrix:
    """weights x + bias; weights are [out][in]."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, layer: Layer, n_in: int) -> Matrix:
        """The keys `weights` and `bias`, which may be empty, of a layer or a part of it."""
        weights, bias = layer.floats("weights").reshape(-1, n_in), layer.floats("bias")
        return cls(weights, bias if bias.size else np.zeros(len(weights), np.float32))


@dataclass(eq=False)
class Tensor:
    """A tensor: (n,), (steps, n), (rows, columns, channels) or more axes, with zeros around it where a window reaches.

    Attributes:
        shape: of one event; None for steps that differ by event.
        steps: of those, the C++ name of their number and the largest one.
        border: places above, left, below and right.
        first, last: the steps of the program that write it and last read it.
        sparse: computed only where it differs from the response to an empty image.
        whole: its place in the memory of the network, in floats.
        background: the place of its response to an empty image.
    """

    shape: tuple[int | None, ...]
    steps: tuple[str, int] = ("", 0)
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    first: int = 0
    last: int = 0
    sparse: bool = False
    whole: int = 0
    background: int = 0

    @property
    def is_dynamic(self) -> bool:
        """Whether the number of its steps differs by event."""
        return len(self.shape) > 1 and self.shape[0] is None

    @property
    def fixed(self) -> tuple[int, ...]:
        """The shape, with the largest number of steps."""
        return tuple(self.steps[1] if size is None else size for size in self.shape)

    @property
    def extent(self) -> tuple[int, int, int]:
        """Rows, columns and channels at most: a vector is one pixel, a sequence one row."""
        shape = (1, 1, *self.fixed)
        return product(shape[:-2]), shape[-2], shape[-1]

    @property
    def rows(self) -> int:
        """Of the tensor as an image."""
        return self.extent[0]

    @property
    def columns(self) -> str:
        """C++ text of the columns of this event."""
        return self.steps[0] if self.is_dynamic else str(self.extent[1])

    @property
    def channels(self) -> int:
        """The size of the last axis."""
        return self.extent[2]

    @property
    def row_stride(self) -> int:
        """Floats from row to row."""
        return (self.extent[1] + self.border[1] + self.border[3]) * self.channels

    @property
    def size(self) -> int:
        """Floats of its memory, border included."""
        return up((self.rows + self.border[0] + self.border[2]) * self.row_stride)

    @property
    def inset(self) -> int:
        """Floats from the beginning of its memory to its first element."""
        return self.border[0] * self.row_stride + self.border[1] * self.channels

    @property
    def at(self) -> str:
        """C++ text of the address of its first element."""
        return f"m + {self.whole + self.inset}"

    @property
    def is_packed(self) -> bool:
        """Whether its elements lie side by side."""
        return self.rows == 1 or not any(self.border)

    @property
    def n(self) -> str:
        """C++ text of its number of elements, or None where rows are apart."""
        if self.is_dynamic:
            rest = product(self.fixed[1:])
            return f"{self.steps[0]} * {rest}"
        return str(product(self.fixed))

    def strides(self) -> list[int]:
        """Floats from place to place along each axis."""
        strides = [self.channels, 1] if len(self.shape) > 1 else [1]
        size = self.row_stride
        for axis in range(len(self.shape) - 3, -1, -1):
            strides.insert(0, size)
            size *= self.fixed[axis]
        return strides


@dataclass(frozen=True)
class Local:
    """How a step computes single pixels of an image from a neighbourhood of one input image.

    Attributes:
        rows, columns: reach, step and places before, of the window.
        text: C++ call for the pixels `at`, `n` of them.
        work: multiplications for the whole image.
    """

    rows: tuple[int, int, int]
    columns: tuple[int, int, int]
    text: Callable[[], str]
    work: int = 0


@dataclass(frozen=True)
class Step:
    """One call, or a few.

    Attributes:
        sources, target: tensors.
        text: C++ lines, asked for when every tensor has its place.
        missing: what NaN in its input means: an event without answer ("spoils"), a missing value that it has an answer
            for ("answered"), or what it means to the readers of its output ("passed").
        local: how it computes single pixels, if it can.
    """

    sources: tuple[Tensor, ...]
    target: Tensor
    text: Callable[[], list[str]]
    missing: str = "spoils"
    local: Local | None = None


@dataclass(eq=False)
class Program:
    """What a header will hold.

    Attributes:
        tensors, steps: in the order of the computation.
        arrays: C++ type and numbers of each array of weights, by name.
        kernels: names of the files of kernels that the steps call.
        prologue: C++ lines that compute the numbers of steps.
        scratch: floats of memory that a step may use while it runs.
        size: floats of memory, after place().
    """

    max_steps: int
    tensors: list[Tensor] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    arrays: dict[str, tuple[str, NDArray[Any]]] = field(default_factory=dict)
    kernels: set[str] = field(default_factory=lambda: {"vectors", "functions"})
    prologue: list[str] = field(default_factory=list)
    scratch: int = 0
    size: int = 0
    _known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def tensor(self, shape: Sequence[int | None], steps: tuple[str, int] = ("", 0)) -> Tensor:
        """A new tensor, that the next step writes."""
        made = Tensor(tuple(shape), steps, first=len(self.steps), last=len(self.steps))
        self.tensors.append(made)
        return made

    def new_steps(self, text: str, most: int, valid: str = "") -> tuple[str, int]:
        """A number of steps that is computed for each event, as Tensor.steps; `valid` is the condition for it."""
        name = f"steps_{len(self.prologue)}"
        if valid:
            self.prologue.append(f"if (!({valid})) status = Status::wrong_steps;")
            text = f"{valid} ? {text} : 0"
        self.prologue.append(f"const std::size_t {name} = {text};")
        return name, most

    def same_steps(self, tensors: Sequence[Tensor]) -> None:
        """Refuses events in which sequences that meet differ in length."""
        names = list(dict.fromkeys(x.steps[0] for x in tensors if x.is_dynamic))
        for name in names[1:]:
            self.prologue.append(f"if ({name} != {names[0]}) status = Status::wrong_steps;")

    def step(
        self,
        sources: Sequence[Tensor],
        target: Tensor,
        text: Callable[[], list[str]],
        *,
        kernels: Sequence[str] = (),
        border: tuple[int, int, int, int] = (0, 0, 0, 0),
        missing: str = "spoils",
        local: Local | None = None,
        scratch: int = 0,
    ) -> Tensor:
        """Adds a step; `border` is the zeros that it reads around its sources. Returns the target."""
        for source in sources:
            source.last = len(self.steps)
            source.border = tuple(map(max, source.border, border))  # type: ignore[assignment]
        self.steps.append(Step(tuple(sources), target, text, missing, local))
        self.kernels.update(kernels)
        self.scratch = max(self.scratch, scratch)
        return target

    def array(self, values: Any, kind: str = "float") -> str:
        """The name of an array of weights, written once however often it is used."""
        types = {"float": np.float32, "double": np.float64}
        numbers = np.asarray(values).ravel()
        if numbers.dtype.names is None:
            numbers = np.ascontiguousarray(numbers, types.get(kind, np.int64))
        key = (kind, numbers.tobytes())
        if key not in self._known:
            self._known[key] = f"{kind[0] if kind in types else 'n'}{len(self.arrays)}"
            self.arrays[self._known[key]] = (kind, numbers)
        return self._known[key]

    def mark_sparse(self, inputs: Sequence[Tensor]) -> None:
        """Marks the images that come from an input image by local steps alone."""

        def fits(tensor: Tensor) -> bool:
            return len(tensor.shape) == 3 and tensor.fixed[1] <= 64 and tensor.fixed[0] < 1 << 16

        marked = {tensor for tensor in inputs if fits(tensor)}
        used: set[Tensor] = set()
        work = 0
        for step in self.steps:
            if len(step.sources) == 1 and step.sources[0] in marked and step.local and fits(step.target):
                marked.add(step.target)
                used.update((step.sources[0], step.target))
                work += step.local.work
        if work < LEAST_WORK:
            return
        for tensor in used:
            tensor.sparse = True
        if used:
            self.kernels.update(("convolution", "pixels", "sparse"))

    def place(self) -> None:
        """Gives every tensor its memory: the lowest place that no tensor alive at the same time covers.

        Tensors with a border, whose zeros are written once, and sparse ones, which keep their content between events,
        have places of their own.
        """
        size = up(self.scratch)
        for tensor in self.tensors:
            if tensor.sparse or (any(tensor.border) and not tensor.is_dynamic):
                tensor.whole, size = size, size + tensor.size
            if tensor.sparse:
                tensor.background, size = size, size + tensor.size
        front = size
        taken: list[tuple[int, int, int]] = []  # place, end, last reader
        for tensor in self.tensors:
            if tensor.sparse or (any(tensor.border) and not tensor.is_dynamic):
                continue
            taken = [one for one in taken if one[2] >= tensor.first]
            place = front
            for start, end, _ in sorted(taken):
                if place + tensor.size <= start:
                    break
                place = max(place, end)
            tensor.whole = place
            taken.append((place, place + tensor.size, tensor.last))
            size = max(size, place + tensor.size)
        self.size = size + ALIGNED  # a vector may be read beyond the last element
