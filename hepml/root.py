"""Scores as columns of ROOT's RDataFrame, with the evaluator of the trigger.

`define` books a column: `hepml::Columns` (hepml/columns.hpp), one Session a slot, compiled by cling into the event loop
and linked to the package's libhepml.so, so scores are those of `hepml.Evaluator` bit for bit, with implicit
multi-threading or without. Needs ROOT, the extra `root`; importing this module does not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hepml import _core
from hepml.errors import DataError, HepmlError, MissingExtraError, check_path, nearest
from hepml.evaluator import Evaluator, InputRecord, OutputRecord
from hepml.working_points import working_point

__all__ = ["define", "include_dir", "library", "load", "passes"]

_GLUE = """
#include <hepml/columns.hpp>
#include <ROOT/RVec.hxx>
#include <cstdint>
#include <type_traits>
namespace hepml_root {
// 0: a number, 1: numbers with size() and [], 2: anything else
template <class T, class = void> struct Kind { static constexpr int value = std::is_arithmetic_v<T> ? 0 : 2; };
template <class T>
struct Kind<T, std::enable_if_t<std::is_arithmetic_v<std::decay_t<decltype(std::declval<const T&>()[0])>>,
                                std::void_t<decltype(std::declval<const T&>().size())>>> {
  static constexpr int value = 1;
};
// Kept until the process ends: a booked column may run at any time, from any node that follows it.
inline std::uintptr_t keep(const std::string& path, std::size_t slots, const std::vector<std::size_t>& columns,
                           std::size_t max_steps) {
  hepml::LoadOptions options;
  options.verify = false;  // hepml.Evaluator has
  const auto model = hepml::Model::load(path, options);
  return reinterpret_cast<std::uintptr_t>(new hepml::Columns(model, slots, columns, max_steps));
}
template <class... C>
float one(std::uintptr_t scorer, std::size_t output, std::size_t label, unsigned slot, const C&... columns) {
  return (*reinterpret_cast<hepml::Columns*>(scorer))(slot, output, columns...)[label];
}
template <class... C>
ROOT::RVec<float> all(std::uintptr_t scorer, std::size_t output, unsigned slot, const C&... columns) {
  const auto values = (*reinterpret_cast<hepml::Columns*>(scorer))(slot, output, columns...);
  return ROOT::RVec<float>(values.begin(), values.end());
}
}  // namespace hepml_root
"""
_INTERNAL = ("rdfentry_", "rdfslot_")
_COLLIDING = r"(?<![\w.:])var\d+\b"


def include_dir() -> str:
    """The folder of hepml's headers, for `gInterpreter.AddIncludePath` or -I."""
    return str(Path(_core.__file__).parent / "include")


def library() -> str:
    """The shared library, for `gSystem.Load`."""
    return str(Path(_core.__file__).parent / "lib" / "libhepml.so")


@cache
def load() -> Any:
    """Make hepml's C++ known to cling: its headers on the include path, its library loaded.

    Afterwards `#include <hepml/hepml.hpp>` works in `gInterpreter.Declare` and in macros, and `ROOT.hepml` from Python.

    Returns:
        the module ROOT.

    Raises:
        MissingExtraError: ROOT is not installed.
        HepmlError: the library cannot be loaded.
    """
    try:
        import ROOT
    except ModuleNotFoundError as error:
        raise MissingExtraError("ROOT is not installed", fix="pip install 'hepml[root]'") from error
    ROOT.gInterpreter.AddIncludePath(include_dir())
    if ROOT.gSystem.Load(library()) < 0 or not ROOT.gInterpreter.Declare(_GLUE):
        raise HepmlError(
            "ROOT cannot use hepml's library", where=library(), fix="install hepml again; ROOT's message says more"
        )
    return ROOT


def define(
    rdf: Any,
    name: str,
    path: str | os.PathLike[str],
    columns: Sequence[str] | Mapping[str, Any] | None = None,
    *,
    output: str | None = None,
    label: str | None = None,
    max_steps: int = 256,
) -> Any:
    """Book a column of scores of a network file, like `rdf.Define`; nothing runs yet.

    Everything is checked here, before the event loop. In the loop nothing throws: where an array has a length that its
    input cannot take, a sequence has more than `max_steps` steps, or a value is not finite, the score is NaN.
    The network and its sessions, one for each slot of `rdf`, stay in memory until the process ends.

    Args:
        rdf: an RDataFrame or a node of one. Call ROOT.EnableImplicitMT() before it is made.
        name: of the new column.
        path: the JSON file.
        columns: where the raw values come from, each a column or an expression like "el_pt / 1000". A list is in the
            file's order (`hepml.Evaluator(path).inputs`): a column for each variable of a vector or sequence and one
            for an image, or one array for each input. A mapping goes from a variable to its column, or from an input
            to an array column, a list, or a mapping of its variables. What is not named is the column of that name.
            A variable of a vector is a number of any arithmetic type. An array (RVec, std::vector, std::array) is a
            vector in the order of its variables, an image of rows x columns x channels in C order, or a sequence of
            steps x variables; a variable of a sequence is an array with a value for each step.
        output: which output, by name; the only one, or the first one of the file, by default.
        label: one element of the output, by name.
        max_steps: the most steps of a sequence of any length.

    Returns:
        the new node. The column is float for an output of one number or with `label`, otherwise RVec<float>.

    Raises:
        MissingExtraError: ROOT is not installed.
        InputFileError, SchemaError, VerificationError: as for `hepml.Evaluator`.
        DataError: a name that is not there, a wrong number of columns or a type that an input cannot take.

    Example:
        >>> import ROOT  # doctest: +SKIP
        >>> rdf = ROOT.RDataFrame("electrons", "electrons.root")  # doctest: +SKIP
        >>> rdf = hepml.root.define(rdf, "score", "net.json", {"mass": "el_mass / 1000"})  # doctest: +SKIP
        >>> rdf.Filter("score > 0.9").Count().GetValue()  # doctest: +SKIP
    """
    path = check_path(path)
    root = load()
    known = _known(rdf, name)
    evaluator = Evaluator(path)
    chosen = _find("output", output, [record.name for record in evaluator.outputs], path)
    element = _element(evaluator.outputs[chosen], label, path)
    taken = _taken(evaluator.inputs, columns, known)
    for record, sources in zip(evaluator.inputs, taken, strict=True):
        for source in sources:
            _check(root, rdf, record, source, alone=len(sources) == 1)
    counts = root.std.vector["std::size_t"]([len(sources) for sources in taken])
    scorer = root.hepml_root.keep(path, rdf.GetNSlots(), counts, max_steps)
    function = f"all({scorer}ull, {chosen}, " if element is None else f"one({scorer}ull, {chosen}, {element}, "
    rdf, sources = _renamed(rdf, name, [source for sources in taken for source in sources], known)
    arguments = ", ".join(["rdfslot_", *(f"({source})" for source in sources)])
    return rdf.Define(name, f"hepml_root::{function}{arguments})")


def passes(
    rdf: Any,
    name: str,
    path: str | os.PathLike[str],
    score: str,
    signal_efficiency: float,
    *,
    pt: str | None = None,
    eta: str | None = None,
) -> Any:
    """Book a bool column: does a score reach the threshold that the file stores, as `hepml::Tagger::passes` decides.

    Args:
        rdf, name, path: as for `define`.
        score: column of the score, float.
        signal_efficiency: of the working point.
        pt, eta: columns or expressions, pT in GeV; needed where the file stores thresholds in bins of them. Outside of
            all bins nothing passes, nor does NaN.

    Returns:
        the new node.

    Raises:
        MissingExtraError, InputFileError, SchemaError, VerificationError: as for `define`.
        DataError: the file stores no such working point, or a column is missing.
    """
    load()
    known = _known(rdf, name)
    point = working_point(Evaluator(path), signal_efficiency=signal_efficiency)
    assert point is not None
    _check_known("the score", score, known)
    alternatives = []
    for threshold, *bins in point.cuts:
        terms = [f"({score}) >= {threshold!r}"]
        for option, source, limits in zip(("pt", "eta"), (pt, eta), bins, strict=True):
            if limits is None:
                continue
            if source is None:
                raise DataError(f"the thresholds are in bins of {option}", where=path, fix=f"give {option}=COLUMN")
            _check_known(f"the option {option}", source, known)
            terms.append(f"({source}) >= {limits[0]!r} && ({source}) < {limits[1]!r}")
        alternatives.append(f"({' && '.join(terms)})")
    rdf, renamed = _renamed(rdf, name, alternatives, known)
    return rdf.Define(name, " || ".join(renamed))


def _renamed(rdf: Any, name: str, sources: Sequence[str], known: Sequence[str]) -> tuple[Any, list[str]]:
    """Expressions without columns called var0, var1 and so on, which are copied: ROOT calls the parameters of what it
    compiles so, and then takes one for another (seen in 6.40)."""
    taken = sorted({word for source in sources for word in re.findall(_COLLIDING, source)} & set(known))
    copies = {column: f"hepml_{name}_{column}" for column in taken}
    for column, copy in copies.items():
        rdf = rdf.Define(copy, column)
    return rdf, [re.sub(_COLLIDING, lambda found: copies.get(found[0], found[0]), source) for source in sources]


def _known(rdf: Any, name: str) -> list[str]:
    """The columns that there are; `name` must not be one."""
    if not hasattr(rdf, "GetNSlots"):  # a distributed one has none
        raise DataError("not a local RDataFrame", expected="ROOT.RDataFrame or a node of one", found=type(rdf).__name__)
    known = [str(column) for column in rdf.GetColumnNames()]
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise DataError(f"a column cannot be called {name!r}", expected="letters, digits and _")
    if name in known:
        raise DataError(f"there is a column {name!r} already", fix="choose another name")
    return known


def _find(what: str, name: str | None, names: Sequence[str], path: str) -> int:
    if name is None:
        return 0
    if name not in names:
        raise DataError(
            f"the network has no {what} {name!r}",
            where=path,
            expected=", ".join(names),
            found=repr(name),
            nearest=nearest(name, names),
        )
    return names.index(name)


def _element(record: OutputRecord, label: str | None, path: str) -> int | None:
    """The element that makes the column; None for all of them."""
    if len(record.shape) != 1:
        if label is not None:
            raise DataError(
                f"the output {record.name!r} is no vector, so that a label does not name one number",
                where=path,
                fix="leave label out and take elements of the array",
            )
        return None
    if label is None:
        return 0 if record.shape == (1,) else None
    return _find("label", label, record.labels, path)


def _taken(inputs: Sequence[InputRecord], columns: Any, known: Sequence[str]) -> list[list[str]]:
    """The columns of each input: one for each of its variables, or one."""
    widths = [max(1, len(record.variables)) for record in inputs]
    if columns is None or isinstance(columns, Mapping):
        return _by_name(inputs, columns or {}, known)
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise DataError("columns are given one by one", expected="a list or a mapping", found=repr(columns))
    given = list(columns)
    if len(given) not in (sum(widths), len(inputs)):
        names = [v.name for r in inputs for v in r.variables or [r]]
        raise DataError(
            "a wrong number of columns",
            expected=f"{len(names)}, for {', '.join(names)}; or {len(inputs)}, an array for each input",
            found=len(given),
        )
    if len(given) != sum(widths):
        widths = [1] * len(inputs)
    return [given[sum(widths[:i]) : sum(widths[: i + 1])] for i in range(len(inputs))]


def _by_name(inputs: Sequence[InputRecord], columns: Mapping[str, Any], known: Sequence[str]) -> list[list[str]]:
    owners: dict[str, list[str]] = {}
    for record in inputs:
        for variable in record.variables:
            owners.setdefault(variable.name, []).append(record.name)
    tokens = [record.name for record in inputs]
    for key in columns:
        _find("input or variable", key, [*tokens, *(v for v in owners if v not in tokens)], "columns")
        if key not in tokens and len(owners[key]) > 1:
            raise DataError(
                f"several inputs have a variable {key!r}",
                found=", ".join(owners[key]),
                fix=f"columns={{{owners[key][0]!r}: {{{key!r}: COLUMN}}}}",
            )
    return [_of_input(record, columns, known) for record in inputs]


def _of_input(record: InputRecord, columns: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    names = [variable.name for variable in record.variables]
    given = columns.get(record.name)
    if isinstance(given, str):
        return [given]
    if given is None:
        renamed = {key: value for key, value in columns.items() if key in names}
        if not names or (not renamed and record.name in known and not set(names) <= set(known)):
            return [record.name]
        return [renamed.get(name, name) for name in names]
    if isinstance(given, Mapping):
        for key in given:
            _find(f"variable in the input {record.name!r}:", key, names, "columns")
        return [given.get(name, name) for name in names]
    if not isinstance(given, list | tuple) or len(given) not in (1, len(names)):
        raise DataError(
            f"the input {record.name!r} cannot be made of these columns",
            expected=f"a column for each of {', '.join(names)}" if names else "one array column",
            found=repr(given),
        )
    return list(given)


def _check_known(what: str, source: Any, known: Sequence[str]) -> None:
    """A name must be a column; anything else is an expression, for cling to read."""
    if not isinstance(source, str):
        raise DataError(f"{what} is no column", expected="a name or an expression, text", found=repr(source))
    if re.fullmatch(r"[A-Za-z_][\w.]*", source) and source not in known and source not in _INTERNAL:
        raise DataError(
            f"there is no column {source!r}",
            where=what,
            found=f"{len(known)} columns",
            nearest=nearest(source, known),
            fix='name the columns: columns={"VARIABLE": "COLUMN"}',
        )


def _check(root: Any, rdf: Any, record: InputRecord, source: Any, *, alone: bool) -> None:
    """A column, or an expression, of the type that its place takes."""
    known = [str(column) for column in rdf.GetColumnNames()]
    _check_known(f"the input {record.name!r}", source, known)
    try:
        kind = rdf.GetColumnType(source) if source in known else _type_of(rdf, source)
        value = root.hepml_root.Kind[str(kind)].value
    except (root.std.exception, TypeError, ValueError) as error:
        words = {w for w in re.findall(r"(?<![\w.:])[A-Za-z_]\w*(?!\w|\s*\(|::)", source) if w not in known}
        raise DataError(
            f"the expression {source!r} cannot be compiled",
            where=f"the input {record.name!r}",
            found="no columns: " + (", ".join(sorted(words)) or "none of the names; ROOT's message says more"),
            nearest=[name for word in sorted(words) for name in nearest(word, known, 1)],
        ) from error
    vector = len(record.shape) == 1
    wanted = {0} if vector and not alone else {0, 1} if record.shape == (1,) else {1}
    if value not in wanted:
        raise DataError(
            f"the column {source!r} cannot fill the input {record.name!r}",
            expected="a number" if 0 in wanted else "an array of numbers, like ROOT::RVec<float>",
            found=kind,
            fix=f"take one element: '{source}[0]'" if value == 1 else None,
        )


def _type_of(rdf: Any, expression: str) -> Any:
    return rdf.Define("hepml_probe", expression).GetColumnType("hepml_probe")
