"""Expressions of branches, in the language of ROOT's TTreeFormula: parsed, never executed as code, for whole arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, nearest
from tmva_bridge.formula import Node, Parser

__all__ = ["Column", "Expression", "Rows", "parse_expression"]

_REDUCTIONS: dict[str, Any] = {"Sum$": np.add, "Min$": np.minimum, "Max$": np.maximum}
_WORDS = (*_REDUCTIONS, "Length$", "Entry$")


@dataclass(frozen=True)
class Column:
    """A branch: a number for each entry, or several.

    Attributes:
        values: float64; (entries,), or, of an array, the elements of all entries one after another.
        counts: (entries,) int64, how many elements an entry has; None for one number each.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64] | None = None

    @property
    def entries(self) -> int:
        return len(self.values if self.counts is None else self.counts)

    def element(self, index: int) -> NDArray[np.float64]:
        """An element of each entry, (entries,); NaN where it has none."""
        if self.counts is None:
            return self.values if index == 0 else np.full(len(self.values), np.nan)
        there = self.counts > index
        out = np.full(len(self.counts), np.nan)
        out[there] = self.values[(np.cumsum(self.counts) - self.counts + index)[there]]
        return out


class Rows:
    """What expressions are computed for: the entries of a tree, or each element of the arrays among them.

    Args:
        columns: the branches by name.
        names: those whose elements are rows, if they are arrays: all must then have the same lengths.

    Raises:
        DataError: arrays of different lengths.
    """

    def __init__(self, columns: Mapping[str, Column], names: Iterable[str], where: object = None) -> None:
        self.columns = columns
        self.entries = next((one.entries for one in columns.values()), 0)
        arrays = [(name, counts) for name in sorted(names) if (counts := columns[name].counts) is not None]
        self.owner = np.arange(self.entries)
        if arrays:
            self.owner = np.repeat(self.owner, arrays[0][1])
        for name, counts in arrays:
            first = arrays[0][0]
            if not np.array_equal(counts, arrays[0][1]):
                raise DataError(
                    f"the arrays {first!r} and {name!r} have different lengths",
                    where=where,
                    expected="arrays of the same length in an entry: an event is made of each element",
                    fix=f"take one element, such as {name}[0], or one number, such as Sum$({name})",
                )

    def __len__(self) -> int:
        return len(self.owner)

    def values(self, name: str) -> NDArray[np.float64]:
        column = self.columns[name]
        return column.values[self.owner] if column.counts is None else column.values


@dataclass(frozen=True)
class Expression:
    """A parsed expression; a call with rows gives its values, float64 (rows,).

    Attributes:
        text: as given.
        names: the branches that it reads.
        spread: those of them that stand without an index, so that an array makes a row of each element.
    """

    text: str
    names: frozenset[str]
    spread: frozenset[str]
    node: Node

    def __call__(self, rows: Rows) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):  # what is not a number is found afterwards
            value = np.asarray(self.node(rows, np.empty(0)), dtype=np.float64)
        return np.broadcast_to(value, (len(rows),)).copy()


def parse_expression(text: str) -> Expression:
    """An expression such as "var1+2*sqrt(var3)", "jet_pt[0]", "n > 2 && abs(eta) < 2.5 ? 1 : 0" or "Sum$(jet_pt)".

    Numbers, names of branches (with dots), `[i]`, the operators and functions of `tmva_bridge.formula`, `a ? b : c`,
    Sum$, Min$, Max$ and Length$ of arrays, Entry$. All is computed in float64.

    Raises:
        DataError: anything else; the message quotes the expression.

    Example:
        >>> rows = Rows({"x": Column(np.array([1.0, 4.0])), "y": Column(np.array([2.0, 3.0]))}, ["x", "y"])
        >>> parse_expression("sqrt(x) + y/2")(rows)
        array([2. , 3.5])
    """
    parser = _Expressions(text, 0, 0)
    node = parser.level(0)
    if parser.peek() is not None:
        parser.wrong(f"unexpected {parser.peek()!r}", "an operator or the end")
    return Expression(text, frozenset(parser.names | parser.spread), frozenset(parser.spread), node)


class _Expressions(Parser):
    pattern = re.compile(
        r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>(?:TMath::)?[A-Za-z_][\w.]*\$?)"
        r"|(?P<sign>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^()<>!,?:\[\]]))"
    )

    numbered = False

    def __init__(self, text: str, parameters: int, variables: int) -> None:
        self.names: set[str] = set()
        self.spread: set[str] = set()
        super().__init__(text, parameters, variables)

    def whole_division(self) -> None:
        """In expressions of branches ROOT computes all in double."""

    def level(self, number: int) -> Node:
        node = super().level(number)
        if number or self.peek() != "?":
            return node
        self.take("?")
        yes = self.level(0)
        self.take(":")
        no = self.level(0)
        return lambda x, p: np.where(np.not_equal(node(x, p), 0), yes(x, p), no(x, p))

    def named(self, token: str) -> Node:
        if token.endswith("$"):
            return self.special(token)
        if self.peek() == "(":
            return self.call(token)
        if token in ("pi", "true", "false"):
            value = {"pi": np.pi, "true": 1.0, "false": 0.0}[token]
            return lambda x, p: value
        if self.peek() != "[":
            self.spread.add(token)
            return lambda x, p: x.values(token)
        self.take("[")
        index = self.peek() or ""
        if not index.isdigit():
            self.wrong("an index that is no number", f"such as {token}[0]")
        self.place += 1
        self.take("]")
        if self.peek() == "[":
            self.wrong(f"two indices of {token}", f"one, such as {token}[0]")
        self.names.add(token)
        return lambda x, p: x.columns[token].element(int(index))[x.owner]

    def special(self, token: str) -> Node:
        if token == "Entry$":
            return lambda x, p: x.owner
        if token not in _WORDS:
            self.wrong(f"{token} is not read", ", ".join(nearest(token, _WORDS) or _WORDS))
        outer, self.spread = self.spread, set()
        self.take("(")
        node = self.level(0)
        self.take(")")
        inner, self.spread = frozenset(self.spread), outer
        self.names |= inner

        def reduced(x: Any, p: Any) -> Any:
            rows = Rows(x.columns, inner, f"{token} of {self.text!r}")
            counts = np.bincount(rows.owner, minlength=x.entries)
            if token == "Length$":
                return counts[x.owner]
            out = np.full(x.entries, 0.0 if token == "Sum$" else np.nan)
            values = np.broadcast_to(np.asarray(node(rows, p), dtype=np.float64), (len(rows),))
            begins = np.cumsum(counts) - counts
            if len(values):
                out[counts > 0] = _REDUCTIONS[token].reduceat(values, begins[counts > 0])
            return out[x.owner]

        return reduced
