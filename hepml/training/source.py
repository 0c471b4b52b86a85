"""Where training events come from: data.h5 or arrays, as one table of rows with any batch on demand.

The rows of a data.h5 are those of its train, valid and test splits one after the other. Images stay sparse in memory
and become dense a batch at a time, which costs about 1 us an event and a thirteenth of the memory. Those that are
larger than the memory they may take stay in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.ledger import config_hash, sha256_array
from hepml.models import InputSpec
from hepml.training.leaks import warn_of_leaks

__all__ = ["Column", "Source", "array_source", "data_source"]

SPLITS = ("train", "valid", "test")
_CHUNK = 2048
_COPIES = 2  # of a window while it is read


class Column(Protocol):
    """One input of all rows."""

    def __len__(self) -> int: ...

    def dense(self, rows: Any) -> NDArray[np.float32]:
        """The given rows, shape (n, ...), raw values."""

    def load(self, rows: NDArray[np.int64]) -> Column:
        """The given ascending rows, in memory."""


@dataclass(frozen=True)
class DenseColumn:
    """An input held as one array."""

    array: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.array)

    def dense(self, rows: Any) -> NDArray[np.float32]:
        """The given rows."""
        return np.asarray(self.array[rows])

    def load(self, rows: NDArray[np.int64]) -> DenseColumn:
        """The given rows."""
        return DenseColumn(self.array[rows])


@dataclass(frozen=True)
class Source:
    """Rows to train on.

    Attributes:
        specs: one record an input, without scaling and reference events.
        columns: the values, by input name.
        y: labels (n,) or targets (n, k), float32.
        weight: event weights (n,), float64.
        split: 0 train, 1 valid, 2 test (n,), uint8.
        identity, group: uint64 (n,); folds hash the group.
        task: "binary", "multiclass" or "regression".
        n_outputs: 1, or the number of classes or targets.
        checksum: of the data.
        scaling: token -> {"offset", "scale"} that the data file stores for its training split; may be empty.
        where: for messages.
        variables: name -> (n,) of the variables that were asked for, float64; not inputs.
        window: how many rows may be in memory at a time; 0 where all are.
        group_branches: what the group is a hash of in the trees, one for each way: a branch, None for the event.
    """

    specs: tuple[InputSpec, ...]
    columns: Mapping[str, Column]
    y: NDArray[np.float32]
    weight: NDArray[np.float64]
    split: NDArray[np.uint8]
    identity: NDArray[np.uint64]
    group: NDArray[np.uint64]
    task: str
    n_outputs: int
    checksum: str
    scaling: Mapping[str, Any]
    where: str
    variables: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    window: int = 0
    group_branches: tuple[str | None, ...] = (None,)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """Number of classes, 0 for a regression."""
        return 0 if self.task == "regression" else max(self.n_outputs, 2)

    def scaled_specs(self, rows: NDArray[np.int64], stored: bool) -> tuple[InputSpec, ...]:
        """The inputs with offset, scale, minimum and maximum of these rows.

        Args:
            rows: the training rows.
            stored: these are the file's own training rows, so its stored constants are used where present.
        """
        return tuple(self._scaled(spec, rows, stored) for spec in self.specs)

    def _scaled(self, spec: InputSpec, rows: NDArray[np.int64], stored: bool) -> InputSpec:
        column = self.columns[spec.name]
        width = spec.width
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        total, square = np.zeros(width), np.zeros(width)
        first = column.dense(rows[:1]).reshape(-1, width)[0].astype(np.float64)
        for start in range(0, len(rows), _CHUNK):
            x = column.dense(rows[start : start + _CHUNK]).astype(np.float64).reshape(-1, width)
            low, high = np.minimum(low, x.min(axis=0)), np.maximum(high, x.max(axis=0))
            if spec.is_image:
                total += x.sum(axis=0)
            else:  # sums about the first row: no cancellation for columns far from zero
                total += (x - first).sum(axis=0)
                square += ((x - first) ** 2).sum(axis=0)
        known = self.scaling.get(spec.name) if stored else None
        if known is not None:
            offset, scale = np.atleast_1d(known["offset"]), np.atleast_1d(known["scale"])
        elif spec.is_image:
            offset, scale = np.zeros(1), np.array([len(rows) / total[0] if total[0] > 0 else 1.0])
        else:
            mean = total / len(rows)
            deviation = np.sqrt(np.maximum(square / len(rows) - mean**2, 0.0))
            constant = deviation <= 1e-12 * np.maximum(np.abs(low), np.abs(high))
            offset, scale = -(first + mean), 1.0 / np.where(constant, 1.0, deviation)
        numbers = {"offset": offset, "scale": scale, "minimum": low, "maximum": high}
        lists = {key: np.asarray(value, dtype=np.float64).tolist() for key, value in numbers.items()}
        return replace(spec, **lists)

    def batches(self, rows: NDArray[np.int64], names: list[str]) -> list[NDArray[np.float32]]:
        """The inputs `names` of some rows."""
        return [self.columns[name].dense(rows) for name in names]

    def held(self, window: NDArray[np.int64]) -> Callable[[NDArray[np.int64], list[str]], list[NDArray[np.float32]]]:
        """`batches` for rows of a window, ascending rows that are read into memory now."""
        columns = {name: column.load(window) for name, column in self.columns.items()}
        return lambda rows, names: [columns[name].dense(np.searchsorted(window, rows)) for name in names]


def data_source(
    data: Any,
    features: tuple[str, ...],
    task: str = "auto",
    variables: tuple[str, ...] = (),
    memory: float = 0.0,
) -> Source:
    """The rows of a data.h5.

    Args:
        data: a path or an open `hepml.dataset.Dataset`.
        features: tokens.
        task: of the labels; "auto" reads the file's, else the labels.
        variables: names of `hepml.dataset.named`, to be read besides.
        memory: GB that images may take; 0 is no bound.

    Raises:
        InputFileError: the file cannot be read.
        DataError: a token or variable that the file does not hold, no rows, NaN in an input, label or weight.
    """
    from hepml.dataset import Dataset
    from hepml.dataset.named import named_variable

    dataset = Dataset.open(data) if isinstance(data, str | Path) else data
    source = _read(dataset, features, task, str(data if isinstance(data, str | Path) else data.path), memory)
    return replace(source, variables={name: named_variable(dataset, name) for name in variables})


def _read(dataset: Any, features: tuple[str, ...], task: str, where: str, memory: float) -> Source:
    absent = [token for token in features if token not in dataset.tokens]
    if absent:
        raise DataError(
            f"the data does not hold {', '.join(absent)}",
            where=where,
            expected="some of " + ", ".join(dataset.tokens),
            fix="choose other features, or run hepml convert again",
        )
    geometry = dataset.geometry.to_dict()
    specs: list[InputSpec] = []
    columns: dict[str, Column] = {}
    for token in features:
        shape = tuple(dataset.shape(token))
        variables = tuple(dataset.variables(token))
        made = {key: getattr(dataset, key) for key in ("convention", "collection", "towers")}
        specs.append(InputSpec(token, shape, variables, geometry, **made))
        columns[token] = _column(dataset, token)
    window = _window(columns, memory)
    if not window:
        columns = {token: column.load(np.arange(len(column))) for token, column in columns.items()}
    n_split = [int(dataset.n(split)) for split in SPLITS]
    samples = {one["name"]: one.get("group") for one in dataset.provenance.get("samples", [])}
    groups = {one.get("group", samples.get(one["sample"])) for one in dataset.provenance.get("inputs", [])} or {None}
    own = {"binary": "binary", "classes": "multiclass", "regression": "regression"}[dataset.task["kind"]]
    return _source(
        specs,
        columns,
        np.concatenate([dataset.y(split) for split in SPLITS]).astype(np.float32),
        weight=_candidate(dataset, "weight").astype(np.float64),
        split=np.repeat(np.arange(3, dtype=np.uint8), n_split),
        identity=_candidate(dataset, "identity"),
        group=_candidate(dataset, "group"),
        task=own if task == "auto" else task,
        checksum=str(dataset.checksum),
        scaling=dataset.scaling,
        where=where,
        window=window,
        group_branches=tuple(sorted(groups, key=lambda name: name or "")),
    )


def _window(columns: Mapping[str, Column], memory: float) -> int:
    """How many rows a bound on the memory of images allows at a time; 0 if all."""
    from hepml.dataset.stored import StoredPixels

    bytes_of = [column.size() for column in columns.values() if isinstance(column, StoredPixels)]
    if not memory or sum(bytes_of) <= 1e9 * memory:
        return 0
    rows = len(next(iter(columns.values())))
    return max(1, int(1e9 * memory * rows / (_COPIES * sum(bytes_of))))


def _column(dataset: Any, token: str) -> Column:
    if len(dataset.shape(token)) == 3:
        from hepml.dataset.stored import StoredPixels

        return StoredPixels(dataset, token)
    return DenseColumn(np.concatenate([dataset.raw(token, split) for split in SPLITS]))


def _candidate(dataset: Any, name: str) -> NDArray[Any]:
    return np.concatenate([np.asarray(dataset.column(name, split)) for split in SPLITS])


def array_source(
    arrays: Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    split: ArrayLike | str | None = None,
    group: ArrayLike | None = None,
    variables: Mapping[str, tuple[str, ...]] | None = None,
    task: str = "auto",
    named: tuple[str, ...] = (),
) -> Source:
    """Rows from arrays.

    Args:
        arrays: input name -> (n, variables) or (n, rows, columns, channels).
        y: labels (n,) or targets (n, k).
        weight: event weights (n,).
        split: 0 train, 1 valid, 2 test for each row; "all" uses every row for all three (truth tables); None divides
            64 / 16 / 20 by a hash of the group.
        group: whole number for each row; rows of one group stay in one split and one fold; the row number if None.
        variables: input name -> names of its columns.
        task: of the labels; "auto" reads it from them.
        named: columns, by their names, to be kept as `Source.variables` besides.

    Raises:
        DataError: an unknown column; lengths or types that do not fit, NaN.
    """
    if not arrays:
        raise DataError("no input arrays", expected='for example arrays={"x": array}')
    specs, columns = [], {}
    for name, values in arrays.items():
        array = np.asarray(values)
        if array.dtype.kind not in "fiub" or array.ndim not in (2, 4) or not array.size:
            raise DataError(
                f"input {name!r} cannot be trained on",
                expected="numbers of shape (n, variables) or (n, rows, columns, channels), n > 0",
                found=f"{array.dtype} {array.shape}",
            )
        array = np.ascontiguousarray(array, dtype=np.float32)
        names = (variables or {}).get(name, tuple(f"{name}_{k}" for k in range(array.shape[1])))
        specs.append(InputSpec(name, array.shape[1:], () if array.ndim == 4 else tuple(names)))
        columns[name] = DenseColumn(array)
    labels = np.asarray(y, dtype=np.float32)
    n = len(labels)
    identity = np.arange(n, dtype=np.uint64)
    groups = identity if group is None else np.asarray(group).astype(np.uint64)
    if isinstance(split, str):
        if split != "all":
            raise DataError(f"split {split!r} is not known", expected='an array of 0, 1, 2, "all" or None')
        codes = np.full(n, 255, dtype=np.uint8)
    elif split is None:
        from hepml.identity import split_of

        codes = split_of(groups)
    else:
        codes = np.asarray(split).astype(np.uint8)
        if codes.size and codes.max() > 2:
            raise DataError("split holds other numbers", expected="0 train, 1 valid, 2 test", found=codes.max())
    sums = {name: sha256_array(column.array) for name, column in columns.items()}
    weights = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    sums |= {"y": sha256_array(labels), "weight": sha256_array(weights), "split": sha256_array(codes)}
    known = {one: (spec.name, k) for spec in specs for k, one in enumerate(spec.variables)}
    absent = [one for one in dict.fromkeys(named) if one not in known]
    if absent:
        raise DataError(f"the arrays hold no variable {absent[0]!r}", expected=", ".join(known) or "none: only images")
    every = slice(None)
    return _source(
        specs,
        columns,
        labels,
        weight=weights,
        split=codes,
        identity=identity,
        group=groups,
        task=task,
        checksum=config_hash({**sums, "group": sha256_array(groups)}),
        scaling={},
        where="arrays",
        variables={one: columns[known[one][0]].dense(every)[:, known[one][1]].astype(np.float64) for one in named},
    )


def _source(specs: list[InputSpec], columns: Mapping[str, Column], y: NDArray[np.float32], **rest: Any) -> Source:
    """Checks lengths and values, finds the task."""
    n, where = len(y), rest["where"]
    lengths = {name: len(column) for name, column in columns.items()}
    lengths |= {key: len(rest[key]) for key in ("weight", "split", "identity", "group")}
    wrong = {name: length for name, length in lengths.items() if length != n}
    if wrong:
        raise DataError("inputs and labels differ in length", where=where, expected=f"{n} rows", found=wrong)
    if n == 0:
        raise DataError("no rows to train on", where=where)
    for name, values in (("label", y), ("weight", rest["weight"])):
        _refuse_nan(name, values, (), where)
    for spec in specs:
        column = columns[spec.name]
        for start in range(0, n, _CHUNK):
            _refuse_nan(spec.name, column.dense(slice(start, start + _CHUNK)), spec.variables, where, start)
    warn_of_leaks(specs, columns, y, where)
    task, n_outputs = _task(y, rest.pop("task"), where)
    return Source(tuple(specs), columns, y, task=task, n_outputs=n_outputs, **rest)


def _refuse_nan(name: str, values: NDArray[Any], variables: tuple[str, ...], where: str, start: int = 0) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    first = np.argwhere(~finite)[0]
    column = f" column {variables[first[1]]!r}" if variables else ""
    raise DataError(
        f"input {name!r} holds NaN or infinity{column}" if name not in ("label", "weight") else f"a {name} is NaN",
        where=where,
        found=f"first in row {start + first[0]}",
        fix="clean the data; a network cannot be trained on it",
    )


def _task(y: NDArray[np.float32], task: str, where: str) -> tuple[str, int]:
    """The kind of label and the number of outputs."""
    values = np.unique(y) if y.ndim == 1 else np.empty(0, dtype=np.float32)
    counted = bool(values.size) and bool(np.all(values == np.arange(len(values), dtype=np.float32)))
    if task == "auto":
        task = "binary" if values.size and np.isin(values, (0, 1)).all() else "multiclass" if counted else "regression"
    if task == "regression":
        return task, 1 if y.ndim == 1 else y.shape[1]
    if y.ndim != 1:
        raise DataError(f"a {task} label is one number a row", where=where, found=f"shape {y.shape}")
    if values.size < 2:
        raise DataError("only one class in the data", where=where, found=f"every label is {values[0]:g}")
    if task == "binary" and not np.isin(values, (0, 1)).all():
        raise DataError(
            "binary labels must be 0 or 1", where=where, found=", ".join(f"{value:g}" for value in values[:5])
        )
    whole = bool(np.all(values == np.floor(values))) and values[0] >= 0
    if task == "multiclass" and not whole:
        raise DataError("class labels must be 0, 1, 2 ...", where=where, found=", ".join(f"{v:g}" for v in values[:5]))
    return task, 1 if task == "binary" else int(values[-1]) + 1
