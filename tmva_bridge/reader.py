"""TMVA's Reader, with its calls, and for whole arrays: no ROOT needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError, SchemaError, nearest
from tmva_bridge.header import Variable
from tmva_bridge.methods import Method
from tmva_bridge.options import parse_options
from tmva_bridge.weights import parse_weights, read_weights

__all__ = ["Reader"]

_DECLARED: dict[str, bool | int | float | str] = {"Color": True, "Silent": False, "V": False, "Error": False}
_NO_RESPONSE = -9999999.0  # TMVA's sign that GetProba and GetRarity shall evaluate first
_NO_PDFS = -1.0


class Reader:
    """Evaluates booked methods, as `TMVA::Reader` does.

    Variables and spectators are declared in the order of the training, with one-element buffers (`array.array` of
    typecode f, d or i, or NumPy arrays) whose values the Evaluate calls read, or without, for calls that bring values.

    Args:
        options: "Color", "Silent" and "V", which have no effect here; "Error" is refused (errors are not computed).

    Raises:
        DataError: an option that TMVA's Reader does not have.

    Example:
        >>> from array import array
        >>> from pathlib import Path
        >>> from tmva_bridge.weights import EXAMPLE
        >>> _ = Path("TMVA_Fisher.weights.xml").write_text(EXAMPLE)
        >>> x, y = array("f", [1]), array("f", [2])
        >>> reader = Reader("!Color:Silent")
        >>> reader.AddVariable("x", x)
        >>> reader.AddVariable("y", y)
        >>> _ = reader.BookMVA("Fisher", "TMVA_Fisher.weights.xml")
        >>> reader.EvaluateMVA("Fisher")
        4.5
        >>> reader("Fisher", [[1.0, 2.0], [0.0, 0.0]])
        array([ 4.5, -0.5])
    """

    def __init__(self, options: str = "") -> None:
        if parse_options(options, _DECLARED)["Error"]:
            raise DataError(
                "errors of a response are not computed", where=f"the options {options!r}", fix="leave out Error"
            )
        self._variables: list[tuple[str, Any]] = []
        self._spectators: list[tuple[str, Any]] = []
        self._methods: dict[str, Method] = {}

    def AddVariable(self, expression: str, buffer: Any = None) -> None:  # noqa: N802
        """Declares the next variable: its expression as in the training ("name := expression" too), and its buffer.

        Raises:
            DataError: not a buffer of one number that can be read again and again.
        """
        self._variables.append((_after_name(expression), _buffer(expression, buffer)))

    def AddSpectator(self, expression: str, buffer: Any = None) -> None:  # noqa: N802
        """Declares the next spectator, which has no effect on a response. Raises as `AddVariable`."""
        self._spectators.append((_after_name(expression), _buffer(expression, buffer)))

    def BookMVA(  # noqa: N802
        self, tag: str, weights: str | Path, *, custom_objects: Mapping[str, Any] | None = None
    ) -> Method:
        """Reads a weight file (or its content, text that begins with "<") and keeps the method under a tag.

        Args:
            custom_objects: of PyKeras: classes and functions that the model needs beyond Keras, by name.

        Raises:
            DataError: the tag is taken, or variables or spectators are not those of the training, in its order.
            InputFileError, SchemaError: as `read_weights`.
        """
        tag = str(tag)
        if tag in self._methods:
            raise DataError(f"the tag {tag!r} is booked already", fix="use another tag, or another Reader")
        text = str(weights)
        content = text.lstrip().startswith("<")
        if content:
            method = parse_weights(text.strip().encode(), f"the text booked as {tag}", custom_objects)
        else:
            method = read_weights(text, custom_objects)
        for kind, declared, trained in (
            ("variables", self._variables, method.header.variables),
            ("spectators", self._spectators, method.header.spectators),
        ):
            _check_names(kind, [name for name, _ in declared], trained, method.header.file)
        self._methods[tag] = method
        return method

    def FindMVA(self, tag: str) -> Method:  # noqa: N802
        """The method of a tag. Raises DataError, with the nearest tags, if none was booked."""
        if tag not in self._methods:
            raise DataError(
                f"no method is booked as {tag!r}",
                expected=", ".join(self._methods) or "a call of BookMVA before",
                nearest=nearest(tag, self._methods),
            )
        return self._methods[tag]

    def EvaluateMVA(self, *arguments: Any) -> float:  # noqa: N802
        """`EvaluateMVA(tag[, aux])` of the buffers, or `EvaluateMVA(values, tag[, aux])` of one event.

        Args:
            arguments: values (variables,), tag, and for Cuts aux, the wanted signal efficiency.

        Raises:
            DataError: no such tag, no classification, no buffers, or values of another number.
        """
        values, tag, rest = self._split(arguments)
        method = self._of(tag, "Classification", "EvaluateMVA")
        return float(method.evaluate(self._event(values), *_efficiency(method, rest))[0])

    def EvaluateRegression(self, *arguments: Any) -> Any:  # noqa: N802
        """`EvaluateRegression(tag)`: the list of targets; `EvaluateRegression(i, tag)`: one. Raises as EvaluateMVA."""
        return self._several("Regression", "EvaluateRegression", arguments)

    def EvaluateMulticlass(self, *arguments: Any) -> Any:  # noqa: N802
        """`EvaluateMulticlass(tag)`: the list of classes; `EvaluateMulticlass(i, tag)`: one. Raises as EvaluateMVA."""
        return self._several("Multiclass", "EvaluateMulticlass", arguments)

    def GetProba(self, tag: str, ap_sig: float = 0.5, mva_val: float = _NO_RESPONSE) -> float:  # noqa: N802
        """The probability of signal at a signal fraction; -1 if the file holds no densities, as in TMVA.

        Args:
            mva_val: the response; by default that of the buffers.
        """
        method = self._of(tag, "Classification", "GetProba")
        if method.densities is None:
            return _NO_PDFS
        return float(method.proba(signal_fraction=ap_sig, response=[self._response(tag, mva_val)])[0])

    def GetRarity(self, tag: str, mva_val: float = _NO_RESPONSE) -> float:  # noqa: N802
        """The part of the background below a response, by default that of the buffers. Raises without densities."""
        method = self._of(tag, "Classification", "GetRarity")
        return float(method.rarity(response=[self._response(tag, mva_val)])[0])

    def __call__(
        self, tag: str, data: ArrayLike | Mapping[str, ArrayLike], aux: float | None = None
    ) -> NDArray[np.float64]:
        """The responses of many events: `Method.evaluate` of a tag, with Cuts' signal efficiency as `aux`."""
        return self.FindMVA(tag).evaluate(data, aux)

    def _of(self, tag: str, analysis: str, call: str) -> Method:
        method = self.FindMVA(tag)
        if method.analysis != analysis:
            calls = {"Classification": "EvaluateMVA", "Regression": "EvaluateRegression"}
            raise DataError(
                f"{call} is for {analysis}",
                where=method.header.file,
                found=method.analysis,
                fix=f"call {calls.get(method.analysis, 'EvaluateMulticlass')}",
            )
        return method

    def _several(self, analysis: str, call: str, arguments: Sequence[Any]) -> Any:
        index = None
        if len(arguments) == 2 and isinstance(arguments[0], int | np.integer):
            index, arguments = int(arguments[0]), arguments[1:]
        values, tag, _ = self._split(arguments)
        method = self._of(tag, analysis, call)
        out = method.evaluate(self._event(values)).reshape(-1)
        if index is None:
            return [float(value) for value in out]
        if not 0 <= index < len(out):
            raise DataError(f"no output {index}", where=method.header.file, expected=f"0 to {len(out) - 1}")
        return float(out[index])

    def _split(self, arguments: Sequence[Any]) -> tuple[Any, str, Sequence[Any]]:
        """Values, if given; the tag; what follows."""
        place = 0 if arguments and isinstance(arguments[0], str) else 1
        if len(arguments) <= place or not isinstance(arguments[place], str):
            raise DataError(
                "no tag", expected="(tag[, aux]) or (values, tag[, aux])", found=", ".join(map(repr, arguments)) or "()"
            )
        return (arguments[0] if place else None), arguments[place], arguments[place + 1 :]

    def _event(self, values: Any) -> NDArray[np.float64]:
        """One event, from the buffers if no values are given."""
        if values is not None:
            return np.asarray(values, dtype=np.float64).reshape(1, -1)
        bare = [name for name, buffer in self._variables if buffer is None]
        if bare:
            raise DataError(
                f"the variable {bare[0]!r} has no buffer",
                expected="AddVariable(expression, array('f', [0])) for each variable",
                found=f"no buffer of {', '.join(bare)}",
                fix="or give the values: EvaluateMVA(values, tag)",
            )
        return np.array([[buffer[0] for _, buffer in self._variables]], dtype=np.float64)

    def _response(self, tag: str, given: float) -> float:
        return self.EvaluateMVA(tag) if given == _NO_RESPONSE else given


def _after_name(expression: str) -> str:
    return expression.rpartition(":=")[2].strip()


def _buffer(expression: str, buffer: Any) -> Any:
    try:
        if buffer is not None:
            float(buffer[0])
    except (TypeError, ValueError, IndexError, KeyError):
        raise DataError(
            f"the variable {expression!r} has no buffer of a number",
            expected="array('f', [0]), or a NumPy array of one number",
            found=repr(buffer),
        ) from None
    return buffer


def _check_names(kind: str, declared: Sequence[str], trained: Sequence[Variable], file: str) -> None:
    """Number, order and expressions as in the training; spaces do not count."""
    expected = [one.expression for one in trained]
    if [name.replace(" ", "") for name in declared] == [name.replace(" ", "") for name in expected]:
        return
    if len(declared) != len(expected):
        problem = f"{len(declared)} {kind} where the training had {len(expected)}"
    elif sorted(declared) == sorted(expected):
        problem = f"{kind} in another order than in the training"
    else:
        wrong = next(i for i, name in enumerate(declared) if name != expected[i])
        problem = f"{kind[:-1]} {wrong} is {declared[wrong]!r} where the training had {expected[wrong]!r}"
    raise SchemaError(
        problem,
        where=file,
        expected=", ".join(expected) or "none",
        found=", ".join(declared) or "none",
        fix=f"call {'AddVariable' if kind == 'variables' else 'AddSpectator'} for each, in this order, before BookMVA",
    )


def _efficiency(method: Method, rest: Sequence[Any]) -> tuple[float, ...]:
    """What follows a tag: aux, which other methods than Cuts do not look at."""
    return tuple(float(one) for one in rest[:1]) if method.kind == "Cuts" else ()
