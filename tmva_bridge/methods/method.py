"""A method read from a weight file: arrays in, responses out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, nearest
from tmva_bridge.header import Header
from tmva_bridge.pdf import PDF
from tmva_bridge.transforms import ALL_CLASSES, Chain

__all__ = ["Events", "Method", "Respond", "softmax"]

_NOT_A_NUMBER = -999.0  # what TMVA answers for an event with NaN
_STEP = 65_536  # events at once


@dataclass
class Events:
    """Some events, and what a method may ask of them.

    Attributes:
        raw: float32 (n, variables), as given.
        signal_efficiency: for Cuts.
    """

    raw: NDArray[np.float32]
    chain: Chain
    signal_efficiency: float | None = None
    _made: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def transformed(self, which: int = ALL_CLASSES) -> NDArray[np.float32]:
        """The events after the chain of transformations, with the parameters of a class or of all."""
        if which not in self._made:
            self._made[which] = self.chain.forward(self.raw, which)
        return self._made[which]


Respond = Callable[[Events], NDArray[np.float64]]  # (n,) or (n, outputs)


@runtime_checkable
class _Table(Protocol):  # mappings, DataFrames, structured arrays of files
    def keys(self) -> Any: ...

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True)
class Method:
    """A trained method. `tmva_bridge.read_weights` makes it.

    Attributes:
        kind: TMVA's type, such as "BDT".
        title: the name it was booked with, such as "BDTG".
        analysis: "Classification", "Regression" or "Multiclass".
        variables: labels of the inputs, in order.
        expressions: what each input is computed from, in the same order; equal to the label where it has none.
        spectators, targets: labels.
        classes: names, in the order of their indices; a regression has one, "Regression".
        options: every option of the file, as text.
    """

    header: Header
    chain: Chain
    respond: Respond
    densities: tuple[PDF, PDF] | None = None  # of the response, signal and background
    inverts: bool = True  # whether a regression's output goes back through the chain

    @property
    def kind(self) -> str:
        return self.header.kind

    @property
    def title(self) -> str:
        return self.header.title

    @property
    def analysis(self) -> str:
        return self.header.analysis

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.header.variables)

    @property
    def expressions(self) -> tuple[str, ...]:
        return tuple(one.expression for one in self.header.variables)

    @property
    def spectators(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.header.spectators)

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.header.targets)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.header.classes

    @property
    def options(self) -> dict[str, str]:
        return dict(self.header.options)

    def evaluate(
        self, data: ArrayLike | Mapping[str, ArrayLike], signal_efficiency: float | None = None
    ) -> NDArray[np.float64]:
        """The responses that TMVA's Reader gives.

        Args:
            data: (n, variables), columns in the order of `variables`, or a mapping (also a DataFrame) of (n,) arrays
                by label or expression. Values become float32, as in TMVA.
            signal_efficiency: Cuts needs it: the wanted one, above 0; other methods take none.

        Returns:
            float64 (n,); of a multiclass method (n, classes), of a regression of several targets (n, targets).
            A classification gives -999 for events with NaN, as TMVA does. No events give no responses.

        Raises:
            DataError: another number of columns, absent names, columns of different lengths, or an efficiency
                where none is taken, or none where one is needed.

        Example:
            >>> from tmva_bridge.weights import example
            >>> example().evaluate([[1.0, 2.0], [0.0, 0.0]])
            array([ 4.5, -0.5])
        """
        raw = self._matrix(data)
        if (self.kind == "Cuts") != (signal_efficiency is not None):
            raise DataError(
                "Cuts needs a signal efficiency" if self.kind == "Cuts" else f"{self.kind} takes no signal efficiency",
                where=self.header.file,
                expected="evaluate(data, signal_efficiency)" if self.kind == "Cuts" else "evaluate(data)",
            )
        shape = (0,) if self.header.outputs == 1 else (0, self.header.outputs)
        parts = [np.empty(shape)]
        with np.errstate(all="ignore"):
            for begin in range(0, len(raw), _STEP):
                parts.append(self._some(Events(raw[begin : begin + _STEP], self.chain, signal_efficiency)))
        return np.concatenate(parts)

    def proba(
        self,
        data: ArrayLike | Mapping[str, ArrayLike] | None = None,
        signal_fraction: float = 0.5,
        *,
        response: ArrayLike | None = None,
    ) -> NDArray[np.float64]:
        """The probability of signal, from the densities of the response: f S / (f S + (1 - f) B).

        Args:
            data: as for `evaluate`.
            signal_fraction: f, the assumed fraction of signal.
            response: instead of data, of events that were evaluated before.

        Returns:
            float64 (n,); -1 where both densities vanish.

        Raises:
            DataError: the file holds no densities (CreateMVAPdfs was off), or as for `evaluate`.

        Example:
            >>> from tmva_bridge.weights import example
            >>> example().proba([[1.0, 2.0], [0.0, 0.0]], 0.5).round(3)
            array([0.6  , 0.333])
        """
        signal, background = self._pdfs()
        at = self._responses(data, response)
        s, b = signal_fraction * signal.value(at), (1 - signal_fraction) * background.value(at)
        return np.where(s + b > 0, s / np.where(s + b > 0, s + b, 1), -1.0)

    def rarity(
        self, data: ArrayLike | Mapping[str, ArrayLike] | None = None, *, response: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """The part of the background whose response is lower: flat for background, near 1 for signal.

        Args:
            data: as for `evaluate`.
            response: instead of data, of events that were evaluated before.

        Returns:
            float64 (n,).

        Raises:
            DataError: the file holds no densities (CreateMVAPdfs was off), or as for `evaluate`.

        Example:
            >>> from tmva_bridge.weights import example
            >>> example().rarity([[1.0, 2.0], [0.0, 0.0]]).round(3)
            array([0.95, 0.5 ])
        """
        at = self._responses(data, response)
        return self._pdfs()[1].integral(at)

    def _responses(
        self, data: ArrayLike | Mapping[str, ArrayLike] | None, response: ArrayLike | None
    ) -> NDArray[np.float64]:
        if (data is None) == (response is None):
            raise DataError("neither events nor responses, or both", expected="data, or response=")
        return self.evaluate(data) if data is not None else np.asarray(response, dtype=np.float64)

    def _some(self, events: Events) -> NDArray[np.float64]:
        out = self.respond(events)
        if self.analysis == "Classification":
            bad = np.isnan(events.raw).any(axis=1) | np.isnan(events.transformed()).any(axis=1)
            return np.where(bad, _NOT_A_NUMBER, out)
        if self.analysis == "Regression":
            out = out.reshape(len(events.raw), -1)
            out = self.chain.backward(out) if self.inverts else out
        return out[:, 0] if self.header.outputs == 1 else out

    def _pdfs(self) -> tuple[PDF, PDF]:
        if self.densities is None:
            raise DataError(
                "the file holds no densities of its response",
                where=self.header.file,
                expected="two PDF in MVAPdfs",
                found="none",
                fix="train again with CreateMVAPdfs",
            )
        return self.densities

    def _matrix(self, data: Any) -> NDArray[np.float32]:
        """The inputs as float32 (n, variables)."""
        if isinstance(data, _Table):
            data = self._columns(data)
        try:
            with np.errstate(over="ignore"):
                values = np.asarray(data).astype(np.float32)
        except (TypeError, ValueError) as error:
            raise DataError("events that are no numbers", where=self.header.file, found=error) from error
        if values.size == 0 and values.ndim < 2:
            values = values.reshape(0, len(self.variables))
        if values.ndim != 2 or values.shape[1] != len(self.variables):
            raise DataError(
                "events of another shape",
                where=self.header.file,
                expected=f"(n, {len(self.variables)}): {', '.join(self.variables)}",
                found=values.shape,
            )
        return values

    def _columns(self, data: _Table) -> NDArray[Any]:
        given = [str(name) for name in data.keys()]  # noqa: SIM118
        names = [_name_of(one.label, one.expression, one.internal, given) for one in self.header.variables]
        absent = [label for label, name in zip(self.variables, names, strict=True) if name is None]
        if absent:
            raise DataError(
                f"no column {absent[0]!r}",
                where=self.header.file,
                expected=", ".join(self.variables),
                found=", ".join(given) or "no columns",
                nearest=nearest(absent[0], given),
            )
        columns = [np.atleast_1d(np.asarray(data[name])) for name in names if name is not None]
        if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
            raise DataError(
                "columns of different shapes",
                where=self.header.file,
                expected="(n,) each",
                found=", ".join(f"{name} {column.shape}" for name, column in zip(names, columns, strict=True)),
            )
        return np.stack(columns, axis=1)


def _name_of(label: str, expression: str, internal: str, given: Sequence[str]) -> str | None:
    return next((name for name in (label, expression, internal) if name in given), None)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of exp(value) in each row, float32 before and after, as TMVA gives them.

    Example:
        >>> softmax(np.zeros((1, 4)))
        array([[0.25, 0.25, 0.25, 0.25]])
    """
    x = values.astype(np.float32).astype(np.float64)
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    return out
