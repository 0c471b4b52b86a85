"""Formulas of FDA: what they are worth, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import tmva_files as files

from hepml.errors import DataError, SchemaError
from tmva_bridge import read_weights
from tmva_bridge.formula import parse_formula

X, P = np.array([[0.5, -2.0], [3.0, 4.0]]), np.array([2.0, -1.0, 0.25])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(0)+(1)*x0+(2)*x1", lambda x, y: 2 - x + 0.25 * y),
        ("(0)*x0*x1-(1)/(2)", lambda x, y: 2 * x * y + 4),
        ("-x0^2", lambda x, y: -(x**2)),
        ("2**-x0", lambda x, y: 2**-x),
        ("abs(x0-x1)^(2)", lambda x, y: abs(x - y) ** 0.25),
        ("x0 - x1 - 1", lambda x, y: x - y - 1),
        ("8./2/x0", lambda x, y: 4 / x),
        ("exp(-x0)*sin(x1)+TMath::Cos(x0)", lambda x, y: math.exp(-x) * math.sin(y) + math.cos(x)),
        ("TMath::Max(x0,x1)-min(x0, x1)", lambda x, y: max(x, y) - min(x, y)),
        ("pow(x0,2)+sqrt(abs(x1))", lambda x, y: x**2 + math.sqrt(abs(y))),
        ("(x0>1)*(x1<=4)+(x0<1&&!(x1>0))", lambda x, y: (x > 1) * (y <= 4) + (x < 1 and not y > 0)),
        ("pi*TMath::Pi()", lambda x, y: math.pi**2),
        ("1.5e-1*x0+.5", lambda x, y: 0.15 * x + 0.5),
        ("((0))", lambda x, y: 2.0),
        ("log10(100.)+log(2.)", lambda x, y: 2 + math.log(2)),
    ],
)
def test_values(text: str, expected: object) -> None:
    out = parse_formula(text, 3, 2)(X, P)
    np.testing.assert_allclose(out, [expected(x, y) for x, y in X])


@pytest.mark.parametrize(
    "text",
    [
        *("", "(", ")", "x0+", "x0 x1", "x2", "(3)", "y", "foo(x0)", "sin()", "sin(x0,x1)", "pow(x0)", "1/2", "2^3^2"),
        *(
            "__import__('os')",
            "x0.real",
            "x0[0]",
            "x0;x1",
            "lambda: 0",
            "1e",
            "x0 ? 1 : 2",
            "(" * 5000 + "1" + ")" * 5000,
        ),
        *("-" * 5000 + "1", "x0" + "\x00", "sin(" * 300 + "x0" + ")" * 300, "(0)(1)"),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_formula(text, 3, 2)
    assert caught.value.parts["expected"]


def test_a_long_sum_is_no_deep_one() -> None:
    assert parse_formula("x0" + "+x0" * 20_000, 0, 1)(np.array([[1.0]]), P).tolist() == [20_001]


def weights(formula: str, *parameters: float, outputs: int = 1) -> str:
    rows = "".join(f'<Parameter Index="{i}" Value="{value}"/>' for i, value in enumerate(parameters))
    return f'<Weights NPars="{len(parameters) // outputs}" NDim="{outputs}" Formula="{formula}">{rows}</Weights>'


def test_a_file_with_several_outputs(tmp_path: Path) -> None:
    text = weights("(0)+(1)*x0", 1, 2, 10, 20, outputs=2)
    path = files.written(tmp_path / "a.xml", "FDA", text, analysis="Regression", targets=("t", "u"))
    assert read_weights(path).evaluate([[1.0, 0.0], [2.0, 0.0]]).tolist() == [[3, 30], [5, 50]]
    path = files.written(tmp_path / "b.xml", "FDA", text, analysis="Multiclass", classes=("A", "B"))
    share = 1 / (1 + math.exp(27.0))
    np.testing.assert_allclose(read_weights(path).evaluate([[1.0, 0.0]]), [[share, 1 - share]], rtol=1e-6)


def test_a_file_with_a_formula_that_is_none(tmp_path: Path) -> None:
    path = files.written(tmp_path / "a.xml", "FDA", weights("(0)+sni(x0)", 1))
    with pytest.raises(SchemaError, match="unknown function 'sni'") as caught:
        read_weights(path)
    assert caught.value.parts["expected"].startswith("sin")
    path = files.written(tmp_path / "b.xml", "FDA", weights("(0)+(1)*x0", 1, 2).replace('Index="1"', 'Index="0"'))
    with pytest.raises(SchemaError, match="parameters are missing"):
        read_weights(path)


def test_flags_are_numbers_in_sums() -> None:
    formula = parse_formula("(x0>0)+(x1>0)-(x0>1)", 0, 2)
    assert formula(np.array([[0.5, 2.0], [2.0, 3.0], [-1.0, 3.0]]), np.empty(0)).tolist() == [2, 1, 1]
