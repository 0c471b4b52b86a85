"""The C++ evaluator from Python: arrays of raw values in, scores out, the same numbers as in a trigger.

`Evaluator` loads a network file with `hepml::Model::load`, so everything that C++ refuses is refused here with the same
words, and gives the bits of `hepml::Session`, however many events it takes at once and on however many threads. Values
are raw; offset and scale are the file's. `tag` starts from towers, with `hepml::Tagger`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml import _core
from hepml.efp.interchange import check_definitions
from hepml.errors import DataError, nearest
from hepml.geometry import Geometry
from hepml.ledger import check_regular
from hepml.processors import threads_of
from hepml.records import InputRecord, OutputRecord, Tags, Variable

if TYPE_CHECKING:
    from hepml.trees import Towers

__all__ = ["Evaluator", "InputRecord", "OutputRecord", "Tags", "Variable", "cpus"]


def cpus() -> list[str]:
    """The instruction sets that this processor has kernels for, fastest first.

    Example:
        >>> cpus()[-1]
        'generic'
    """
    return list(_core.cpus())


def _cpu(name: str | None) -> str:
    if name is not None and name not in cpus():
        raise DataError(
            "the option cpu names no instruction set of this processor",
            expected=", ".join(cpus()),
            found=repr(name),
            fix="leave it out for the fastest, or the one that HEPML_CPU names",
        )
    return name or ""


class Evaluator:
    """A network file (hepml's, or lwtnn's graph or sequential form), evaluated in C++.

    Loading re-runs the reference vectors that the file holds. One evaluator may be called from several threads.

    Args:
        path: the JSON file.
        verify: re-run the reference vectors.
        cpu: one of `cpus()`; None for the environment variable HEPML_CPU, and without it the fastest.
        sparse: compute images only where they are not empty; False gives the same bits, for comparisons.
        threads: that share the events of a call; None for the processors that this process may use. The bits of an
            event do not depend on it.

    Attributes:
        inputs, outputs: records in the order of the file.
        threads: at most so many for a call.

    Raises:
        InputFileError: absent, unreadable, a pipe, truncated or not JSON.
        SchemaError: JSON, but not a network that this version can evaluate; the message names the place.
        VerificationError: the reference vectors do not reproduce.

    Example:
        >>> dense = {"architecture": "dense", "weights": [1, -1], "bias": [0], "activation": "sigmoid"}
        >>> net = {"inputs": [{"name": n, "offset": 0, "scale": 1} for n in "ab"], "layers": [dense], "outputs": ["s"]}
        >>> ev = Evaluator.from_text(json.dumps(net))
        >>> ev([[2.0, 2.0], [0.0, 0.0]])["outputs"].ravel()
        array([0.5, 0.5], dtype=float32)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        verify: bool = True,
        cpu: str | None = None,
        sparse: bool = True,
        threads: int | None = None,
    ) -> None:
        self.threads = threads_of(threads)
        check_regular(os.fspath(path))
        self._start(_core.Evaluator.load(os.fspath(path), verify, _cpu(cpu), sparse), os.fspath(path))

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        verify: bool = True,
        cpu: str | None = None,
        sparse: bool = True,
        threads: int | None = None,
    ) -> Evaluator:
        """The same from the text of a network file."""
        evaluator = cls.__new__(cls)
        evaluator.threads = threads_of(threads)
        evaluator._start(_core.Evaluator.parse(text, verify, _cpu(cpu), sparse), "the text")
        return evaluator

    def _start(self, core: Any, where: str) -> None:
        self._core = core
        self.inputs = [
            InputRecord(name, tuple(shape), tuple(Variable(*variable) for variable in variables))
            for name, shape, variables in core.inputs
        ]
        self.outputs = [
            OutputRecord(name, tuple(shape), tuple(labels), n_trees) for name, shape, labels, n_trees in core.outputs
        ]
        check_definitions((self.metadata.get("efps") or {}).get("columns", []), where)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{record.name}: {_shape(record.shape)}" for record in self.inputs)
        outputs = ", ".join(f"{record.name}: {_shape(record.shape)}" for record in self.outputs)
        return f"Evaluator({inputs} -> {outputs}; {self.n_parameters} parameters, {self.cpu})"

    @property
    def cpu(self) -> str:
        """Instruction set of the kernels: generic, avx2 or avx512; see `cpu` and `cpus`."""
        return str(self._core.cpu)

    @property
    def model_id(self) -> str:
        """SHA-256 of all that the score depends on, weights to geometry; empty in a plain lwtnn file."""
        return str(self._core.model_id)

    @property
    def format_version(self) -> int:
        """Of the file's "hepml" object; 0 in a plain lwtnn file."""
        return int(self._core.format_version)

    @property
    def validity(self) -> dict[str, str]:
        """What the exporter says the network is valid for, texts by key."""
        return dict(self._core.validity)

    @property
    def ranges(self) -> dict[str, Any] | None:
        """What the inputs were in training (see `hepml.ranges`), None if the file does not say."""
        return self.metadata.get("ranges")

    @property
    def n_parameters(self) -> int:
        """Weights and biases."""
        return int(self._core.n_parameters)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The file's "hepml" object without its reference vectors; empty for a plain lwtnn file."""
        return dict(json.loads(self._core.metadata))

    @cached_property
    def geometry(self) -> Geometry | None:
        """Grids and windows of the images, None for a network that was exported without."""
        record = self.metadata.get("geometry")
        return None if record is None else Geometry.from_dict(record)

    @property
    def thresholds(self) -> list[dict[str, Any]]:
        """Stored working points: signal_efficiency, threshold, pt and eta (a bin [low, high) or None)."""
        return list(self.metadata.get("thresholds") or [])

    def __call__(
        self, arrays: Mapping[str, ArrayLike] | ArrayLike, *, logits: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """Evaluate a batch.

        Args:
            arrays: raw values by input name, shape (n, *record.shape); the last axis of one channel may be left out.
                A sequence of any length is (n, steps, variables), or a list with an array (steps, variables) for
                each event. A network with one input also takes the array itself. NaN or infinity in an event gives
                NaN for that event, unless NaN is a missing value that trees have learned a direction for.
            logits: give what the output layers' activations are applied to, instead of the outputs.

        Returns:
            float32 arrays (n, *record.shape) by output name; sequences that differ in steps are padded with NaN to
            the longest. No events give arrays of no rows.

        Raises:
            DataError: a missing or unknown input, or a wrong shape.
        """
        results = self._evaluate(arrays, 1 if logits else 0)
        return {record.name: result for record, result in zip(self.outputs, results, strict=True)}

    def leaves(self, arrays: Mapping[str, ArrayLike] | ArrayLike) -> dict[str, NDArray[np.int32]]:
        """The leaves that events end in, for outputs that an ensemble of trees makes.

        Args:
            arrays: as for a call.

        Returns:
            int32 arrays (n, n_trees) by output name, nodes numbered as in the library that grew the trees; -1 for an
            event without an answer. Trees are in the order of the library: round by round, class by class.

        Raises:
            DataError: no output comes from trees; a missing or unknown input, or a wrong shape.
        """
        if not any(record.n_trees for record in self.outputs):
            raise DataError("the model has no trees", expected="an ensemble of trees", found="outputs of other layers")
        results = self._evaluate(arrays, 2)
        return {
            record.name: np.nan_to_num(result, nan=-1.0).astype(np.int32)
            for record, result in zip(self.outputs, results, strict=True)
            if record.n_trees
        }

    def _evaluate(self, arrays: Mapping[str, ArrayLike] | ArrayLike, what: int) -> list[NDArray[np.float32]]:
        batch, steps = self._batches(arrays)
        results: list[NDArray[np.float32]] = self._core.evaluate(batch, steps, what, self.threads)
        return results

    def _batches(
        self, arrays: Mapping[str, ArrayLike] | ArrayLike
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]]:
        """The values of every input and, where they are an event's own, its steps; checked."""
        given = self._by_name(arrays)
        batch, steps = [], []
        for record in self.inputs:
            array, counts = _batch(record, given[record.name])
            batch.append(array)
            steps.append(counts)
        lengths = {len(array) for array in batch}
        if len(lengths) != 1:
            raise DataError(
                "the inputs differ in the number of events",
                expected="the same first axis for every input",
                found=", ".join(f"{r.name}: {len(a)}" for r, a in zip(self.inputs, batch, strict=True)),
            )
        return batch, steps

    def count(self, arrays: Mapping[str, ArrayLike] | ArrayLike, weight: ArrayLike | None = None) -> dict[str, Any]:
        """Counts inputs in the bins of `ranges` with `hepml::Monitor`, as a trigger does while it runs.

        Args:
            arrays: as for a call.
            weight: of each event, (n,), may be negative; None for 1.

        Returns:
            The content of the file that `hepml monitor` reads: events, and for each quantity entries, squares (of the
            weights), not_finite, below, above and bins.

        Raises:
            DataError: the file has no ranges; a missing or unknown input, a wrong shape, a weight that is not finite.
        """
        batch, steps = self._batches(arrays)
        weights = np.ascontiguousarray([] if weight is None else weight, dtype=np.float64)
        if weight is not None and (weights.shape != (len(batch[0]),) or not np.isfinite(weights).all()):
            raise DataError(
                "the weights do not fit the events",
                expected=f"{len(batch[0])} finite numbers",
                found=f"shape {weights.shape}, {np.sum(~np.isfinite(weights))} not finite",
            )
        counts: dict[str, Any] = json.loads(self._core.count(batch, steps, weights))
        return counts

    def efp(self, ecal_et: ArrayLike | None = None, hcal_et: ArrayLike | None = None) -> NDArray[np.float32]:
        """The input `efp` of images, with the bits of `hepml::Tagger`: the polynomials that the file defines.

        Args:
            ecal_et, hcal_et: raw ET images of the file's geometry, (n, rows, columns[, 1]); None for a calorimeter that
                no polynomial needs.

        Returns:
            float32, (n, polynomials): 0 of an empty image.

        Raises:
            DataError: the file defines no polynomials; no images of a calorimeter that they need, or others.
        """
        efps = self.metadata.get("efps")
        if efps is None or self.geometry is None:
            raise DataError(
                "the network does not say what the numbers of its input 'efp' are",
                where="hepml.efps",
                fix="export it with the names of the polynomials and its geometry, or give the input as it is",
            )
        needed = {column["calorimeter"] for column in efps["columns"]}
        sides = {"ecal": self.geometry.ecal_window, "hcal": self.geometry.hcal_pixels}
        images = {"ecal": np.empty(0, np.float32), "hcal": np.empty(0, np.float32)}
        for name, given in (("ecal", ecal_et), ("hcal", hcal_et)):
            if name in needed:
                record = InputRecord(f"{name}_et", (sides[name], sides[name], 1), ())
                images[name] = _array(record, np.empty((0, 0)) if given is None else given)
        sizes = {name: len(images[name]) for name in sorted(needed)}
        if len(set(sizes.values())) > 1:
            raise DataError("not as many images of one calorimeter as of the other", found=str(sizes))
        return np.asarray(self._core.efp(*images.values(), max(sizes.values()), self.threads))

    def tag(self, ecal: Towers, hcal: Towers, row: ArrayLike, eta: ArrayLike, phi: ArrayLike) -> Tags:
        """Towers to scores with `hepml::Tagger`: hottest cell, images, variables, network.

        Args:
            ecal, hcal: towers of a batch of events, each inside one cell. Where they have edges, their centres are
                taken (Delphes smears eta and phi inside the cell), else eta and phi.
            row: event of each seed, shape (n,).
            eta, phi: of each seed, float64 (n,).

        Returns:
            score, logit and status of each seed.

        Raises:
            DataError: the file has no geometry, or an input that cannot be made from towers.
        """
        columns = [_columns(towers) for towers in (ecal, hcal)]
        score, logit, status = self._core.tag(
            columns[0],
            columns[1],
            np.ascontiguousarray(row, dtype=np.int64),
            np.ascontiguousarray(eta, dtype=np.float64),
            np.ascontiguousarray(phi, dtype=np.float64),
        )
        return Tags(score, logit, status)

    def _by_name(self, arrays: Mapping[str, ArrayLike] | ArrayLike) -> Mapping[str, ArrayLike]:
        names = [record.name for record in self.inputs]
        if not isinstance(arrays, Mapping):
            if len(names) != 1:
                raise DataError(
                    "one array for a network of several inputs",
                    expected="a dict with the keys " + ", ".join(names),
                    found=type(arrays).__name__,
                )
            return {names[0]: arrays}
        for name in arrays:
            if name not in names:
                raise DataError(
                    f"the network has no input {name!r}",
                    expected=", ".join(names),
                    found=repr(name),
                    nearest=nearest(str(name), names),
                )
        for name in names:
            if name not in arrays:
                raise DataError(
                    f"the input {name!r} is missing", expected=", ".join(names), found=", ".join(arrays) or "nothing"
                )
        return arrays


_NO_STEPS = np.empty(0, np.int64)


def _batch(record: InputRecord, values: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
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


def _columns(towers: Towers) -> tuple[NDArray[np.int64], ...]:
    """Offsets, ET, E and the centres of towers, contiguous, as the C++ takes them."""
    eta, phi = towers.eta, towers.phi
    if towers.edges is not None:
        eta, phi = ((towers.edges[:, i] + towers.edges[:, i + 1]) / 2 for i in (0, 2))
    numbers: list[Any] = [np.ascontiguousarray(column, dtype=np.float64) for column in (towers.et, towers.e, eta, phi)]
    return (np.ascontiguousarray(towers.offsets, dtype=np.int64), *numbers)


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if n is None else str(n) for n in shape)
