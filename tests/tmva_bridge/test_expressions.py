"""Expressions of branches: what ROOT's TTreeFormula gives, for whole arrays."""

from __future__ import annotations

import numpy as np
import pytest

from hepml.errors import DataError
from tmva_bridge.expressions import Column, Expression, Rows, parse_expression

X, Y = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])
V = Column(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([2, 0, 3]))
COLUMNS = {"x": Column(X), "y": Column(Y), "e.p_t": Column(X * 2), "v": V, "w": Column(V.values * 10, V.counts)}


def value(text: str) -> list[float]:
    expression = parse_expression(text)
    out = expression(Rows(COLUMNS, expression.spread))
    assert out.dtype == np.float64
    return out.tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x+y", X + Y),
        ("x - 2*y/4", X - 2 * Y / 4),
        ("1/2*x", X / 2),
        ("-x^2", -(X**2)),
        ("(x>0)+(y>0)", [2, 1, 1]),  # flags are numbers
        ("(x>0)-(y>0)", [0, -1, 1]),
        ("x > 0 && y > 0 || !x", [1, 0, 0]),
        ("x > 0 ? y : x*10", [0.5, -20, -1]),
        ("x > 0 ? y > 0 ? 1 : 2 : 3", [1, 3, 2]),
        ("TMath::Abs(x)*TMath::Pi()/pi", np.abs(X)),
        ("sqrt(abs(e.p_t))", np.sqrt(np.abs(2 * X))),
        ("max(x, y) + min(x, y) + atan2(x, y)", X + Y + np.arctan2(X, Y)),
        ("1e2", [100, 100, 100]),
        ("Entry$", [0, 1, 2]),
        ("v", [1, 2, 3, 4, 5]),
        ("v*x + w", [11, 22, 39, 52, 65]),
        ("Entry$ + 0*v", [0, 0, 2, 2, 2]),
        ("Sum$(v)", [3, 0, 12]),
        ("Sum$(v > 1 ? v : 0)*v", [2, 4, 36, 48, 60]),
        ("Length$(v)", [2, 0, 3]),
        ("v[0]*0 + Length$(w)", [2, np.nan, 3]),
        ("Max$(v) - Min$(w/10)", [1, np.nan, 2]),
        ("v[2]", [np.nan, np.nan, 5]),
        ("x[0]", X),
        ("log(x)", np.log(np.array([1, np.nan, 3]))),
    ],
)
def test_values(text: str, wanted: object) -> None:
    np.testing.assert_allclose(value(text), np.asarray(wanted, dtype=np.float64), rtol=1e-15)


def test_names_are_known_before_the_events_are() -> None:
    expression = parse_expression("a.b + c[1] + Sum$(d*e) - TMath::Sqrt(f)")
    assert expression.names == {"a.b", "c", "d", "e", "f"}
    assert expression.spread == {"a.b", "f"}
    assert isinstance(expression, Expression)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x +",
        "x y",
        "(x",
        "x)",
        "x ? y",
        "x ? : y",
        "x[",
        "x[-1]",
        "x[y]",
        "Sum$",
        "Sum$(v",
        "Alt$(x,0)",
        "x % 2",
        "x & y",
        "a^b^c",
        "f(x)",
        "sin(x,y)",
        "exec('x')",
        "x; y",
        "lambda: 0",
        "x := y",
        "'x'",
        "(" * 60 + "x" + ")" * 60,
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(DataError):
        parse_expression(text)
