"""With ROOT: TMVA's methods as columns of an RDataFrame, and the comparison with libTMVA where that exists.

`define` needs ROOT of any kind (also PyPI's, which has no libTMVA), `verify` a ROOT with TMVA; importing this module
needs neither.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hepml.root
from hepml.errors import DataError, MissingExtraError, VerificationError, check_path, nearest
from hepml.evaluator import Evaluator
from tmva_bridge.export import to_json
from tmva_bridge.export.document import INPUT, OUTPUT, sample_events
from tmva_bridge.export.methods import WRITERS
from tmva_bridge.header import Variable
from tmva_bridge.methods import Method
from tmva_bridge.weights import read_weights

__all__ = ["Verified", "define", "verify"]

_TOLERANCES = {"Likelihood": 1e-3, "KNN": 1e-4}  # others 1e-5: Gauss is 1e-6 from TMVA's


def define(
    rdf: Any,
    name: str,
    weights: str | os.PathLike[str],
    columns: Sequence[str] | Mapping[str, str] | None = None,
    *,
    label: str | None = None,
) -> Any:
    """Books the response of a weight file as a column, like `rdf.Define`; nothing runs yet.

    The method is `tmva_bridge.to_json`'s, evaluated by `hepml.root.define`, so the column is that of `hepml.Evaluator`
    bit for bit, on every thread. Where a value is not finite, the response is NaN.

    Args:
        rdf: an RDataFrame or a node of one.
        name: of the new column.
        weights: a weight file of BDT, MLP, Fisher, LD or Likelihood.
        columns: a column or C++ expression for each variable, in the order of the training or by its label or its
            expression. A variable that is not named is the column of its label where there is one, else its expression.
        label: one class or target by name.

    Returns:
        The new node. The column is float for one response or with `label`, else RVec<float>.

    Raises:
        MissingExtraError: ROOT is not installed.
        InputFileError, SchemaError, UnsupportedLayerError, VerificationError: as for `tmva_bridge.to_json`.
        DataError: a wrong number of columns, an unknown variable, or a column that is not there or is no number.

    Example:
        >>> import ROOT  # doctest: +SKIP
        >>> rdf = ROOT.RDataFrame("TreeS", "tmva_class_example.root")  # doctest: +SKIP
        >>> rdf = define(rdf, "score", "TMVA_BDT.weights.xml", {"myvar1": "var1 + var2"})  # doctest: +SKIP
    """
    path = check_path(weights)
    hepml.root.load()
    method = read_weights(path)
    sources = _sources(method, columns, {str(column) for column in rdf.GetColumnNames()})
    with tempfile.TemporaryDirectory() as folder:  # which ROOT reads here, not in the event loop
        network = Path(folder) / "network.json"
        to_json(path, network)
        return hepml.root.define(rdf, name, network, sources, label=label)


def _sources(method: Method, columns: Sequence[str] | Mapping[str, str] | None, there: set[str]) -> list[str]:
    """A column or expression for each variable."""
    variables = method.header.variables
    if columns is not None and not isinstance(columns, Mapping):
        if isinstance(columns, str) or len(columns) != len(variables):
            raise DataError(
                "another number of columns than variables",
                where=method.header.file,
                expected=f"{len(variables)}: {', '.join(method.variables)}",
                found=columns,
            )
        return list(columns)
    given = dict(columns or {})
    known = [word for one in variables for word in _names(one)]
    if unknown := [key for key in given if key not in known]:
        raise DataError(
            f"no variable {unknown[0]!r}",
            where=method.header.file,
            expected=", ".join(method.variables),
            found=unknown[0],
            nearest=nearest(unknown[0], known),
        )
    return [_source(one, given, there) for one in variables]


def _names(variable: Variable) -> tuple[str, str, str]:
    return variable.label, variable.internal, variable.expression


def _source(variable: Variable, given: Mapping[str, str], there: set[str]) -> str:
    named = [given[name] for name in _names(variable) if name in given]
    present = [name for name in _names(variable) if name in there]
    return [*named, *present, variable.expression][0]


@dataclass(frozen=True)
class Verified:
    """What `verify` found.

    Attributes:
        events: how many were compared.
        python: the largest |ours - TMVA's| / max(1, |TMVA's|) of `Method.evaluate`.
        cpp: the same of the C++ evaluator, None for a method that is not written for it.
        release: of ROOT.
    """

    events: int
    python: float
    cpp: float | None
    release: str


def verify(weights: str | os.PathLike[str], *, events: int = 1000, signal_efficiency: float = 0.705) -> Verified:
    """Compares our responses with those of the installed libTMVA, event by event.

    Args:
        weights: a weight file of any method that `tmva_bridge.read_weights` reads.
        events: how many, between and beyond the ranges of the training, on cuts of trees and far away.
        signal_efficiency: for Cuts.

    Returns:
        The largest differences.

    Raises:
        MissingExtraError: ROOT is not installed, or has no libTMVA.
        InputFileError, SchemaError: as for `read_weights`.
        VerificationError: a response differs by more than 1e-5 (KNN 1e-4, Likelihood 1e-3) of max(1, |response|).

    Example:
        >>> verify("TMVA_BDT.weights.xml").python  # doctest: +SKIP
        2.9e-08
    """
    path = check_path(weights)
    tmva, release = _tmva()
    method = read_weights(path)
    values = sample_events(method, events, seed=2)
    extra = (signal_efficiency,) if method.kind == "Cuts" else ()
    expected = _responses(tmva, method, path, values, extra)
    python = _difference(method, "Python", values, method.evaluate(values, *extra), expected)
    cpp = None
    if method.kind in WRITERS:
        found = Evaluator.from_text(to_json(path))({INPUT: values})[OUTPUT]
        cpp = _difference(method, "C++", values, found, expected)
    return Verified(len(values), python, cpp, release)


def _tmva() -> tuple[Any, str]:
    try:
        import ROOT
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "ROOT is not installed, and so no libTMVA to compare with", fix="conda install -c conda-forge root"
        ) from error
    release = str(ROOT.gROOT.GetVersion())
    try:
        return ROOT.TMVA, release
    except AttributeError as error:
        raise MissingExtraError(
            f"this ROOT {release} has no libTMVA to compare with",
            where=getattr(ROOT, "__file__", "ROOT"),
            fix="conda install -c conda-forge root (PyPI's ROOT has none)",
        ) from error


def _responses(
    tmva: Any, method: Method, path: str, values: NDArray[np.float32], extra: tuple[float, ...]
) -> NDArray[np.float64]:
    """TMVA's own, (events, outputs)."""
    reader = tmva.Reader("!Color:Silent")
    header = method.header
    buffers = [array("f", [0]) for _ in header.variables]
    spectators = [array("f", [0]) for _ in header.spectators]
    for one, buffer in zip(header.variables, buffers, strict=True):
        reader.AddVariable(one.expression, buffer)
    for one, buffer in zip(header.spectators, spectators, strict=True):
        reader.AddSpectator(one.expression, buffer)
    reader.BookMVA("method", path)
    calls = {"Regression": reader.EvaluateRegression, "Multiclass": reader.EvaluateMulticlass}
    ask = calls.get(method.analysis)
    rows = []
    for event in values.tolist():
        for buffer, value in zip(buffers, event, strict=True):
            buffer[0] = value
        rows.append(list(ask("method")) if ask else [reader.EvaluateMVA("method", *extra)])
    return np.array(rows, np.float64).reshape(len(values), header.outputs)


def _difference(
    method: Method, who: str, values: NDArray[np.float32], found: Any, expected: NDArray[np.float64]
) -> float:
    found = np.asarray(found, np.float64).reshape(expected.shape)
    difference = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    same = np.isnan(found) & np.isnan(expected)
    difference = np.where(same, 0, np.nan_to_num(difference, nan=np.inf))
    tolerance = _TOLERANCES.get(method.kind, 1e-5)
    if np.any(difference > tolerance):
        worst = int(np.argmax(difference.max(axis=1)))
        raise VerificationError(
            f"the response in {who} is not that of TMVA",
            where=f"{method.header.file}, event {values[worst].tolist()}",
            expected=f"{expected[worst].tolist()} within {tolerance:g}",
            found=found[worst].tolist(),
            fix="smoothed densities depend on ROOT's release; for anything else please report the weight file",
        )
    return float(difference.max(initial=0.0))
