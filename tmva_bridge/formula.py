"""Formulas of TMVA's FDA, in the language of ROOT's TFormula: a small parser; nothing is ever executed as code."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, nearest

__all__ = ["Formula", "Node", "Parser", "parse_formula"]

Array = NDArray[np.float64]
Formula = Callable[[Array, Array], Array]  # events (n, variables) and parameters -> (n,)
Node = Callable[[Any, Any], Any]

_DEEPEST = 50  # brackets inside of each other
_LONGEST = 100_000  # characters
_CONSTANTS = {"pi": math.pi, "true": 1.0, "false": 0.0, "infinity": math.inf}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    **{name: (1, getattr(np, name)) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "sqrt", "floor")},
    **{name: (1, getattr(np, f"arc{name[1:]}")) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    "atan2": (2, np.arctan2),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "abs": (1, np.abs),
    "fabs": (1, np.abs),
    "ceil": (1, np.ceil),
    "int": (1, np.trunc),
    "sign": (1, lambda x: np.where(x < 0, -1.0, 1.0)),
    "sq": (1, np.square),
    "pow": (2, np.power),
    "power": (2, np.power),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>(?:TMath::)?[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|<=|>=|==|!=|&&|\|\||[-+*/^()<>!,]))"
)
_LEVELS: tuple[dict[str, Callable[[Any, Any], Any]], ...] = (
    {"||": np.logical_or},
    {"&&": np.logical_and},
    {"==": np.equal, "!=": np.not_equal},
    {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal},
    {"+": np.add, "-": np.subtract},
    {"*": np.multiply, "/": np.divide},
)


def parse_formula(text: str, parameters: int, variables: int) -> Formula:
    """A function of events (n, variables) and parameters (parameters,), float64, that gives (n,).

    Args:
        text: such as "(0)+(1)*x0": (i) is parameter i, xj variable j; operators + - * / ^ ** < <= > >= == != && || !,
            functions of TFormula and TMath of one or two arguments, numbers and pi.

    Raises:
        DataError: anything else; also divisions of two whole numbers and a^b^c, whose meaning changed with ROOT.

    Example:
        >>> formula = parse_formula("(0)+(1)*x0^2", 2, 1)
        >>> formula(np.array([[3.0]]), np.array([1.0, 2.0]))
        array([19.])
    """
    parser = Parser(text, parameters, variables)
    node = parser.level(0)
    if parser.peek() is not None:
        parser.wrong(f"unexpected {parser.peek()!r}", "an operator or the end")

    def formula(x: Array, values: Array) -> Array:
        return np.broadcast_to(np.asarray(node(x, values), dtype=np.float64), (len(x),)).copy()

    return formula


class Parser:
    """Reads a formula by its grammar; a node is a function of events and parameters."""

    pattern = _TOKEN

    numbered = True  # (i) is a parameter

    def __init__(self, text: str, parameters: int, variables: int) -> None:
        self.text, self.parameters, self.variables = text, parameters, variables
        self.depth = self.place = 0
        self.tokens: list[tuple[str, str]] = []
        if len(text) > _LONGEST:
            self.wrong("too long", f"at most {_LONGEST} characters")
        at, end = 0, len(text.rstrip())
        while at < end:
            found = self.pattern.match(text, at)
            if found is None:
                self.wrong(f"cannot read {text[at : at + 10]!r}", "numbers, names, operators and brackets")
            self.tokens.append((str(found.lastgroup), found[found.lastgroup or 0]))
            at = found.end()

    def wrong(self, problem: str, expected: str, fix: str | None = None) -> NoReturn:
        raise DataError(problem, where=f"the formula {self.text!r}", expected=expected, fix=fix)

    def peek(self, ahead: int = 0) -> str | None:
        i = self.place + ahead
        return self.tokens[i][1] if i < len(self.tokens) else None

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            self.wrong(f"{self.peek() or 'the end'!r} where {wanted!r} must be", wanted)
        self.place += 1

    def level(self, number: int) -> Node:
        """An expression of operators of this precedence and higher ones."""
        if number == len(_LEVELS):
            return self.unary()
        start = self.place
        first = self.level(number + 1)
        others: list[tuple[Callable[[Any, Any], Any], Node]] = []
        while (sign := self.peek()) in _LEVELS[number]:
            left_whole = self._is_whole(start)
            self.place += 1
            begin = self.place
            right = self.level(number + 1)
            if sign == "/" and left_whole and self._is_whole(begin):
                self.whole_division()
            others.append((_LEVELS[number][str(sign)], right))
        return self._joined(first, others) if others else first

    def whole_division(self) -> None:
        self.wrong("a division of whole numbers", "such as 1./2", "write a decimal point: ROOT may drop the rest")

    def _is_whole(self, start: int) -> bool:
        """Whether what was read since `start` is one whole number."""
        return self.place == start + 1 and self.tokens[start][1].isdigit()

    @staticmethod
    def _joined(first: Node, others: list[tuple[Callable[[Any, Any], Any], Node]]) -> Node:
        """Operators of the same precedence, from left to right."""

        def node(x: Array, p: Array) -> Any:
            value = first(x, p)
            for operation, right in others:
                value = operation(*(np.asarray(one, dtype=np.float64) for one in (value, right(x, p))))
            return value

        return node

    def unary(self) -> Node:
        sign = self.peek()
        if sign not in ("-", "+", "!"):
            return self.power()
        self.place += 1
        self.nested()
        inner = self.unary()
        self.depth -= 1
        if sign == "!":
            return lambda x, p: np.equal(inner(x, p), 0)
        return (lambda x, p: -np.asarray(inner(x, p), dtype=np.float64)) if sign == "-" else inner

    def power(self) -> Node:
        base = self.atom()
        if self.peek() not in ("^", "**"):
            return base
        self.place += 1
        minus = self.peek() == "-"
        self.place += minus
        exponent = self.atom()
        if self.peek() in ("^", "**"):
            self.wrong("a power of a power", "(a^b)^c or a^(b^c)", "write brackets: its meaning changed with ROOT")
        factor = -1.0 if minus else 1.0
        return lambda x, p: np.power(np.asarray(base(x, p), dtype=np.float64), factor * np.asarray(exponent(x, p)))

    def nested(self) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.wrong("brackets too deep inside of each other", f"at most {_DEEPEST}")

    def atom(self) -> Node:
        if self.peek() == "(":
            return self.brackets()
        if self.place == len(self.tokens):
            self.wrong("the formula ends too early", "a number, a variable or a bracket")
        kind, token = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            value = np.float64(token)
            return lambda x, p: value
        if kind != "name":
            self.wrong(f"unexpected {token!r}", "a number, a variable or a bracket")
        return self.named(token)

    def brackets(self) -> Node:
        """A parameter (i), or an expression."""
        inside = self.peek(1)
        if self.numbered and inside is not None and inside.isdigit() and self.peek(2) == ")":
            index = int(inside)
            if index >= self.parameters:
                self.wrong(f"no parameter ({inside})", f"(0) to ({self.parameters - 1})")
            self.place += 3
            return lambda x, p: p[index]
        self.nested()
        self.take("(")
        node = self.level(0)
        self.take(")")
        self.depth -= 1
        return node

    def named(self, token: str) -> Node:
        if self.peek() == "(":
            return self.call(token)
        variable = re.fullmatch(r"x(\d+)", token)
        if variable and int(variable[1]) < self.variables:
            index = int(variable[1])
            return lambda x, p: x[:, index]
        if variable:
            self.wrong(f"no variable {token!r}", f"x0 to x{self.variables - 1}")
        if token.lower() not in _CONSTANTS:
            self.wrong(f"unknown name {token!r}", "x0, x1, ... or pi")
        value = _CONSTANTS[token.lower()]
        return lambda x, p: value

    def call(self, token: str) -> Node:
        name = token.removeprefix("TMath::").lower()
        self.nested()
        self.take("(")
        arguments: list[Node] = []
        while self.peek() != ")":
            arguments.append(self.level(0))
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        self.depth -= 1
        if name == "pi" and not arguments:
            return lambda x, p: math.pi
        if name not in _FUNCTIONS:
            close = ", ".join(nearest(name, _FUNCTIONS))
            self.wrong(f"unknown function {token!r}", f"{close or ', '.join(_FUNCTIONS)}")
        count, function = _FUNCTIONS[name]
        if len(arguments) != count:
            self.wrong(f"{token} takes {count} values, not {len(arguments)}", f"{token}({', '.join('ab'[:count])})")
        return lambda x, p: function(*(np.asarray(one(x, p), dtype=np.float64) for one in arguments))
