"""Branches to flat columns: what kind of branch it is, its offsets and its values, without a loop over events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hepml import interruption
from hepml.errors import DataError, InputFileError
from hepml.trees.baskets import Baskets, as_baskets
from hepml.trees.files import reading

__all__ = ["Arrays", "Columns", "Tree", "widened"]

_MEMORY = re.compile(r"\d+(\.\d+)?\s*([kMGT]i?)?B", re.IGNORECASE)
_READ = "10 MB"  # are read at a time, at least
_NUMERIC = ("AsDtype", "AsDouble32", "AsFloat16")
Arrays = Mapping[str, Any]  # branch -> awkward array, or Baskets


class Tree:
    """A TTree or an RNTuple, read by whole branches.

    Args:
        tree: uproot's object.
        path: of the file, for messages.
    """

    def __init__(self, tree: Any, path: str, name: str) -> None:
        self.tree = tree
        self.path = path
        self.name = name
        self.is_rntuple = not hasattr(tree, "branches")

    @property
    def where(self) -> str:
        """The tree as it is named on the command line."""
        return f"{self.path}:{self.name}"

    @property
    def n_entries(self) -> int:
        """Entries of the tree."""
        return int(self.tree.num_entries)

    @property
    def uuid(self) -> str:
        """The identity that ROOT gave to the file; copies share it."""
        with reading(self.path, "the identity of the file"):
            return str(self.tree.file.uuid)

    def names(self) -> list[str]:
        """Full names of all branches or fields."""
        with reading(self.path, "the list of branches"):
            return list(self.tree.keys(recursive=True))

    def typename(self, branch: str) -> str:
        """The type of a branch as uproot prints it; "unknown" where uproot has none for it."""
        with reading(self.path, f"the type of the branch {branch!r}"):
            return str(self.tree[branch].typename)

    def numeric(self, branch: str) -> tuple[np.dtype[Any] | None, bool]:
        """The type of a branch of numbers (with its shape, if it has one) and whether it is jagged; None for others."""
        with reading(self.path, f"the branch {branch!r}"):
            if self.is_rntuple:
                return _field_type(self.tree[branch].to_akform()[0].contents[0])
            kind = self.tree[branch].interpretation
        jagged = type(kind).__name__ == "AsJagged"
        content = kind.content if jagged else kind
        dtype = getattr(content, "to_dtype", None) if type(content).__name__ in _NUMERIC else None
        return (dtype, jagged) if dtype is not None and dtype.base.kind in "fiub" else (None, False)

    def group(self, branch: str) -> str:
        """What a jagged branch shares its lengths with: its collection's name, else its own."""
        if not self.is_rntuple:
            parent = branch.rpartition("/")[0]
            counter = self.tree[branch].count_branch
            if parent or counter is None:
                return parent.rsplit("/", 1)[-1] or branch
            name = str(counter.name)
            return name[1:] if name.startswith("n") else branch
        return branch.rpartition(".")[0] or branch

    def unsplit(self, branch: str) -> str | None:
        """The parent of `branch` if it is stored as whole objects, which uproot cannot turn into arrays."""
        if self.is_rntuple:
            return None
        parent = branch.partition("/")[0].partition(".")[0]
        if parent == branch or parent not in self.tree:
            return None
        node = self.tree[parent]
        whole = type(node.interpretation).__name__ == "AsObjects" and not node.branches
        return f"{parent} ({node.typename})" if whole else None

    def check(self, branches: list[str]) -> None:
        """Refuse branches that are not numbers or jagged numbers, before anything is read."""
        for name in branches:
            if self.numeric(name)[0] is None:
                self._refuse(name, self.typename(name), "numbers, or a list of numbers per event")

    def _kind(self, branch: str, array: Any) -> str:
        return self.typename(branch) if isinstance(array, Baskets) else str(array.type)

    def _refuse(self, branch: str, found: str, expected: str) -> NoReturn:
        raise DataError(
            f"the branch {branch!r} has another type than it must have",
            where=self.where,
            expected=expected,
            found=found,
            fix="name another branch, or write this one as numbers",
        )

    def iterate(
        self, branches: list[str], step_size: int | str, start: int, stop: int, *, awkward: bool = False
    ) -> Iterator[tuple[int, int, Arrays]]:
        """Chunks of entries: first entry, last entry + 1, branch -> awkward array, or `Baskets`.

        Args:
            awkward: no `Baskets`, which is otherwise what jagged branches of a TTree are.
        """
        step_size = _entries_or_memory(step_size)
        if start >= stop:
            return
        chunks = self._ntuple_chunks(branches, step_size, start, stop) if self.is_rntuple else None
        if chunks is None:
            with reading(self.path, f"the tree {self.name!r}"):
                chunks = self.tree.iterate(
                    {name: self._interpretation(name, awkward) for name in branches},
                    step_size=step_size,
                    entry_start=start,
                    entry_stop=stop,
                    library="ak",
                    how=dict,
                    report=True,
                )
        while True:
            interruption.check()
            with reading(self.path, f"the tree {self.name!r}"):
                chunk = next(chunks, None)
            if chunk is None:
                return
            arrays, report = chunk
            first, last = report if self.is_rntuple else (report.tree_entry_start, report.tree_entry_stop)
            self._check_entries(arrays, int(last) - int(first))
            yield int(first), int(last), arrays

    def _interpretation(self, branch: str, awkward: bool) -> Any:
        own = self.tree[branch].interpretation
        return own if awkward or type(own).__name__ != "AsJagged" else as_baskets(own)

    def steps(self, branches: list[str], step_size: int | str) -> tuple[int, int]:
        """Entries of a step, and how many are read together: smaller steps than this cost more than they read."""
        with reading(self.path, f"the tree {self.name!r}"):
            step, least = (self._entries_for(size, branches) for size in (_entries_or_memory(step_size), _READ))
        return step, step * max(1, least // step)

    def _entries_for(self, size: int | str, branches: list[str]) -> int:
        if isinstance(size, int):
            return size
        count = self.tree.num_entries_for(size) if self.is_rntuple else self.tree.num_entries_for(size, branches)
        return max(int(count), 1)

    def _check_entries(self, arrays: Arrays, n: int) -> None:
        """Refuses branches with other numbers of entries than the tree, as damaged files have them."""
        for name, array in arrays.items():
            if len(array) != n:
                raise InputFileError(
                    f"the branch {name!r} does not have the entries of its tree: the file is damaged",
                    where=self.where,
                    expected=f"{n} entries",
                    found=f"{len(array)} entries",
                    fix="copy or write the file again, or leave it out",
                )

    def _ntuple_chunks(self, branches: list[str], step_size: int | str, start: int, stop: int) -> Iterator[Any]:
        step = step_size if isinstance(step_size, int) else int(self.tree.num_entries_for(step_size))
        for first in range(start, stop, max(step, 1)):
            last = min(first + max(step, 1), stop)
            yield {name: self.tree[name].array(entry_start=first, entry_stop=last) for name in branches}, (first, last)

    def lists(self, branch: str, array: Any, width: int = 0) -> Baskets:
        """A branch with a list of numbers (or of `width` numbers each) per event, checked."""
        with reading(self.path, f"the branch {branch!r}"):
            found = _lists(array)
        if not isinstance(found, Baskets):
            self._refuse(branch, f"one value per event ({array.type})", "a list of numbers per event")
        if found.dtype.base.kind not in "fiu" or found.dtype.shape != ((width,) if width else ()):
            expected = f"a list of {width} numbers each per event" if width else "a list of numbers per event"
            self._refuse(branch, self._kind(branch, array), expected)
        offsets, counts = found.offsets, np.diff(found.offsets)
        if offsets[0] != 0 or (counts < 0).any() or offsets[-1] > sum(map(len, found.contents)):
            raise InputFileError(
                f"the branch {branch!r} says nonsense about how many values an event has: the file is damaged",
                where=self.where,
                found=f"from {int(counts.min(initial=0))} to {int(counts.max(initial=0))} values",
                fix="copy or write the file again, or leave it out",
            )
        return found

    def jagged(self, branch: str, array: Any, width: int = 0) -> tuple[NDArray[np.int64], NDArray[np.generic]]:
        """Offsets and values of a branch with a list of numbers (or of `width` numbers each) per event."""
        found = self.lists(branch, array, width)
        return found.offsets, found.values(0, int(found.offsets[-1]))

    def scalar(self, branch: str, array: Any, first_entry: int = 0) -> NDArray[np.generic]:
        """Values of a branch with one number per event, possibly as lists of length one, as Delphes writes them."""
        with reading(self.path, f"the branch {branch!r}"):
            found = _lists(array)
        if isinstance(found, Baskets):
            counts = np.diff(found.offsets)
            if (counts != 1).any():
                entry = int(np.argmax(counts != 1))
                self._refuse(branch, f"{counts[entry]} values in entry {first_entry + entry}", "one number per event")
            found = found.values(0, len(counts))
        if found.dtype.kind not in "fiu" or found.ndim != 1:
            self._refuse(branch, self._kind(branch, array), "one number per event")
        return found


class Columns:
    """The flat columns of a chunk, each made once: the calorimeters often have branches in common.

    Arrays may be shared, also between collections; nobody writes into them.

    Args:
        tree: the tree.
        arrays: branch -> awkward array, or `Baskets`.
        first: entry of the tree that the chunk begins with.
    """

    def __init__(self, tree: Tree, arrays: Arrays, first: int = 0) -> None:
        self.tree = tree
        self.first = first
        self._arrays = arrays
        self._lists: dict[tuple[str, int], Baskets] = {}
        self._scalars: dict[str, NDArray[np.generic]] = {}
        self._range: tuple[int, int] | None = None  # of the chunk's entries, if these are not all
        self._offsets: dict[int, NDArray[np.int64]] = {}
        self._values: dict[tuple[Any, ...], NDArray[Any]] = {}
        self._cosh: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def part(self, begin: int, end: int) -> Columns:
        """Entries `begin` to `end` - 1 of the chunk."""
        made = Columns(self.tree, self._arrays, self.first + begin)
        made._lists, made._scalars, made._range = self._lists, self._scalars, (begin, end)
        return made

    def _whole(self, branch: str, width: int) -> Baskets:
        """The branch in the whole chunk; equal offsets are one array."""
        key = branch, width
        if key not in self._lists:
            own = self.tree.lists(branch, self._arrays[branch], width)
            known = (one.offsets for one in self._lists.values() if np.array_equal(one.offsets, own.offsets))
            self._lists[key] = replace(own, offsets=next(known, own.offsets))
        return self._lists[key]

    def offsets(self, branch: str, width: int = 0) -> NDArray[np.int64]:
        """Offsets of a jagged branch; equal ones are one array."""
        whole = self._whole(branch, width).offsets
        if self._range is None:
            return whole
        if id(whole) not in self._offsets:
            own = whole[self._range[0] : self._range[1] + 1]
            self._offsets[id(whole)] = own - own[0]
        return self._offsets[id(whole)]

    def values(self, branch: str, width: int = 0, dtype: Any = None) -> NDArray[Any]:
        """Values of a jagged branch, as they are stored or of another type."""
        key = branch, width, dtype
        if key not in self._values:
            whole = self._whole(branch, width)
            begin, end = (0, -1) if self._range is None else self._range
            self._values[key] = whole.values(int(whole.offsets[begin]), int(whole.offsets[end]), dtype)
        return self._values[key]

    def numbers(self, branch: str, width: int, factor: float | tuple[float, ...] | None) -> NDArray[np.float64]:
        """The values in float64, times a factor, or one factor for each of `width` columns."""
        values: NDArray[np.float64] = self.values(branch, width, np.float64)
        if factor is None:
            return values
        key = branch, width, factor
        if key not in self._values:
            self._values[key] = values * np.asarray(factor)
        return self._values[key]

    def scalar(self, branch: str) -> NDArray[np.generic]:
        """As `Tree.scalar`."""
        if branch not in self._scalars:
            first = self.first - (0 if self._range is None else self._range[0])
            self._scalars[branch] = self.tree.scalar(branch, self._arrays[branch], first)
        return self._scalars[branch] if self._range is None else self._scalars[branch][slice(*self._range)]

    def cosh(self, eta: NDArray[np.float64]) -> NDArray[np.float64]:
        """The hyperbolic cosine of a column, made once for the same array."""
        if id(eta) not in self._cosh:
            self._cosh[id(eta)] = eta, np.cosh(eta)  # held, so that no other array has its id
        return self._cosh[id(eta)][1]


def _entries_or_memory(step_size: int | str) -> int | str:
    """A number of entries, also of a command line, or a memory size."""
    text = str(step_size).strip()
    if text.isdecimal() and int(text) > 0:
        return int(text)
    if _MEMORY.fullmatch(text):
        return text
    raise DataError(
        "the step size cannot be used",
        expected='a positive number of entries, or an amount of memory as "100 MB"',
        found=step_size,
    )


def _field_type(form: Any) -> tuple[np.dtype[Any] | None, bool]:
    """As `Tree.numeric`, from the form of an RNTuple's field."""
    jagged, width = False, 0
    while True:
        kind = type(form).__name__
        if form.parameters:
            return None, False
        if kind == "RecordForm" and len(form.contents) == 1:
            form = form.contents[0]
        elif kind == "ListOffsetForm" and not jagged:
            jagged, form = True, form.content
        elif kind == "RegularForm" and not width:
            width, form = form.size, form.content
        elif kind == "NumpyForm":
            dtype = np.dtype((form.primitive, (width,))) if width else np.dtype(form.primitive)
            return dtype, jagged
        else:
            return None, False


def _lists(array: Any) -> Baskets | NDArray[Any]:
    """Lists of numbers, or one number per event; of type object if it holds anything else."""
    import awkward as ak

    if isinstance(array, Baskets):
        return array
    layout = ak.to_layout(array).to_packed()
    jagged = hasattr(layout, "offsets")
    values = _numbers(layout.content if jagged else layout)
    values = np.empty(0, object) if values is None else values
    if not jagged:
        return values
    offsets = np.asarray(layout.offsets.data, dtype=np.int64)
    return Baskets(offsets, [values], np.dtype((values.dtype, values.shape[1:])))


def _numbers(layout: Any) -> NDArray[np.generic] | None:
    """The numbers of a layout, one or two dimensional; None if it holds anything else, also true and false."""
    if getattr(layout, "is_unknown", False):
        return np.zeros(0)
    if getattr(layout, "is_regular", False):
        inner = _numbers(layout.content)
        return None if inner is None else inner.reshape(-1, layout.size)
    if not getattr(layout, "is_numpy", False):
        return None
    values = np.asarray(layout.data)
    return values if values.dtype.kind in "fiu" else None


def widened(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """As float64, little-endian as in memory; a NaN of a damaged file may signal, which is no news here."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values, dtype="<f8")
