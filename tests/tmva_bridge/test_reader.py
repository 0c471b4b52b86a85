"""The Reader: TMVA's calls, event by event and for arrays, and what its errors say."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hepml.errors import DataError, SchemaError
from tmva_bridge import Reader, read_weights

EXPRESSIONS = ("myvar1 := var1+var2", "myvar2 := var1-var2", "var3", "var4")


@pytest.fixture
def tmva(shared: Path) -> Path:
    return shared / "tmva"


def weights(tmva: Path, case: str, title: str) -> Path:
    return tmva / case / "weights" / f"TMVA_{title}.weights.xml"


def stored(tmva: Path, case: str) -> dict[str, np.ndarray]:
    return dict(np.load(tmva / case / "apply.npz"))


@pytest.fixture
def tutorial() -> tuple[Reader, list[Any]]:
    """A reader of the tutorial's variables and spectators, with its buffers."""
    reader = Reader("!Color:!Silent")
    buffers = [array("f", [0]), array("d", [0]), np.zeros(1, np.float32), np.zeros(1)]
    for expression, buffer in zip(EXPRESSIONS, buffers, strict=True):
        reader.AddVariable(expression, buffer)
    for expression in ("spec1 := var1*2", "spec2 := var1*3"):
        reader.AddSpectator(expression, array("i", [0]))
    return reader, buffers


@pytest.mark.parametrize("title", ["BDTG", "MLPtanhN", "FisherIDPGD", "LikelihoodD", "KNN", "Cuts"])
def test_events_by_buffers_by_values_and_as_an_array(title: str, tutorial: Any, tmva: Path) -> None:
    reader, buffers = tutorial
    data = stored(tmva, "cls_tutorial")
    reader.BookMVA(f"{title} method", weights(tmva, "cls_tutorial", title))
    aux = (0.7,) if title == "Cuts" else ()
    for i in (0, 555, 1001, 1199):
        for buffer, value in zip(buffers, data["inputs"][i], strict=True):
            buffer[0] = value
        expected = data[f"resp_{title}"][i, 0]
        assert reader.EvaluateMVA(f"{title} method", *aux) == pytest.approx(expected, abs=1e-6)
        assert reader.EvaluateMVA(list(data["inputs"][i]), f"{title} method", *aux) == pytest.approx(expected, abs=1e-6)
    out = reader(f"{title} method", data["inputs"], *aux)
    np.testing.assert_allclose(out, data[f"resp_{title}"][:, 0], rtol=0, atol=1e-6)
    by_name = dict(zip(("myvar1", "myvar2", "var3", "var4"), data["inputs"].T, strict=True))
    np.testing.assert_array_equal(reader(f"{title} method", by_name, *aux), out)


def test_probability_and_rarity(tutorial: Any, tmva: Path) -> None:
    reader, buffers = tutorial
    data = stored(tmva, "cls_tutorial")
    reader.BookMVA("Fisher", weights(tmva, "cls_tutorial", "Fisher"))
    reader.BookMVA("BDT", weights(tmva, "cls_tutorial", "BDT"))
    for buffer, value in zip(buffers, data["inputs"][7], strict=True):
        buffer[0] = value
    assert reader.GetProba("Fisher", 0.3) == pytest.approx(data["proba03_Fisher"][7], abs=1e-6)
    assert reader.GetRarity("Fisher") == pytest.approx(data["rarity_Fisher"][7], abs=1e-6)
    response = reader.EvaluateMVA("Fisher")
    buffers[0][0] = 1e6  # a response that is given is not evaluated again
    assert reader.GetProba("Fisher", 0.3, response) == pytest.approx(data["proba03_Fisher"][7], abs=1e-6)
    assert reader.GetRarity("Fisher", response) == pytest.approx(data["rarity_Fisher"][7], abs=1e-6)
    assert reader.GetProba("BDT") == -1  # as TMVA, without densities
    with pytest.raises(DataError, match="no densities"):
        reader.GetRarity("BDT")


def test_regression(tmva: Path) -> None:
    reader, x = Reader(), [array("f", [0]), array("f", [0])]
    for name, buffer in zip(("var1", "var2"), x, strict=True):
        reader.AddVariable(name, buffer)
    reader.AddSpectator("spec1:=var1*2")
    reader.AddSpectator("spec2:=var1*3")
    reader.BookMVA("BDTG", weights(tmva, "reg", "BDTG"))
    data = stored(tmva, "reg")
    x[0][0], x[1][0] = data["inputs"][3]
    expected = pytest.approx(data["resp_BDTG"][3, 0], rel=1e-7)
    assert reader.EvaluateRegression("BDTG") == [expected]
    assert reader.EvaluateRegression("BDTG")[0] == reader.EvaluateRegression(0, "BDTG") == expected
    assert reader.EvaluateRegression(data["inputs"][3], "BDTG") == [expected]
    with pytest.raises(DataError, match="no output 1"):
        reader.EvaluateRegression(1, "BDTG")
    with pytest.raises(DataError, match="EvaluateMVA is for Classification") as caught:
        reader.EvaluateMVA("BDTG")
    assert caught.value.parts["fix"] == "call EvaluateRegression"


def test_multiclass(tmva: Path) -> None:
    reader, x = Reader("Silent"), [array("f", [0]) for _ in range(4)]
    for i, buffer in enumerate(x):
        reader.AddVariable(f"var{i + 1}", buffer)
    reader.BookMVA("MLP", weights(tmva, "multiclass", "MLP"))
    data = stored(tmva, "multiclass")
    for buffer, value in zip(x, data["inputs"][20], strict=True):
        buffer[0] = value
    assert reader.EvaluateMulticlass("MLP") == pytest.approx(data["resp_MLP"][20].tolist(), abs=1e-6)
    assert reader.EvaluateMulticlass(2, "MLP") == pytest.approx(data["resp_MLP"][20, 2], abs=1e-6)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("var1-var2", "var1+var2", "var3", "var4"), "variables in another order than in the training"),
        (("var1+var2", "var1-var2", "var3"), "3 variables where the training had 4"),
        (("var1+var2", "var1-var2", "var3", "var5"), "variable 3 is 'var5' where the training had 'var4'"),
        (("myvar1", "var1-var2", "var3", "var4"), "variable 0 is 'myvar1' where the training had 'var1+var2'"),
    ],
)
def test_variables_that_are_not_those_of_the_training(names: tuple[str, ...], problem: str, tmva: Path) -> None:
    reader = Reader()
    for name in names:
        reader.AddVariable(name, array("f", [0]))
    path = weights(tmva, "cls_tutorial", "BDT")
    with pytest.raises(SchemaError) as caught:
        reader.BookMVA("BDT", path)
    assert caught.value.problem == problem
    assert caught.value.parts["expected"] == "var1+var2, var1-var2, var3, var4"
    assert caught.value.parts["found"] == ", ".join(names)
    assert caught.value.parts["where"] == str(path)
    with pytest.raises(DataError, match="no method is booked"):
        reader.EvaluateMVA("BDT")


def test_spectators_are_checked_too(tmva: Path) -> None:
    reader = Reader()
    for name in EXPRESSIONS:
        reader.AddVariable(name)
    with pytest.raises(SchemaError, match="0 spectators where the training had 2") as caught:
        reader.BookMVA("BDT", weights(tmva, "cls_tutorial", "BDT"))
    assert caught.value.parts["expected"] == "var1*2, var1*3"


def test_spaces_in_expressions_do_not_count(tmva: Path) -> None:
    reader = Reader()
    for name in ("var1 + var2", "x := var1 - var2", "var3", "var4"):
        reader.AddVariable(name)
    for name in ("var1*2", "var1*3"):
        reader.AddSpectator(name)
    assert reader.BookMVA("BDT", weights(tmva, "cls_tutorial", "BDT")).title == "BDT"


def test_text_can_be_booked(tutorial: Any, tmva: Path) -> None:
    reader, _ = tutorial
    path = weights(tmva, "cls_tutorial", "LD")
    reader.BookMVA("LD", path.read_text())
    x = stored(tmva, "cls_tutorial")["inputs"]
    np.testing.assert_array_equal(reader("LD", x), read_weights(path).evaluate(x))
    assert reader.FindMVA("LD").kind == "LD"


def test_mistakes_of_calls(tutorial: Any, tmva: Path) -> None:
    reader, _ = tutorial
    path = weights(tmva, "cls_tutorial", "Cuts")
    reader.BookMVA("Cuts", path)
    with pytest.raises(DataError, match="'Cuts' is booked already"):
        reader.BookMVA("Cuts", path)
    with pytest.raises(DataError, match="no method is booked as 'Cust'") as caught:
        reader.EvaluateMVA("Cust")
    assert "Cuts" in caught.value.parts["nearest"]
    with pytest.raises(DataError, match="Cuts needs a signal efficiency"):
        reader.EvaluateMVA("Cuts")
    with pytest.raises(DataError, match="another shape"):
        reader.EvaluateMVA([1.0, 2.0], "Cuts", 0.5)
    with pytest.raises(DataError, match="no tag"):
        reader.EvaluateMVA()
    with pytest.raises(DataError, match="no tag"):
        reader.EvaluateMVA([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(DataError, match="no buffer of a number"):
        reader.AddVariable("x", 1.0)
    with pytest.raises(DataError, match="no buffer of a number"):
        reader.AddVariable("x", array("f"))
    with pytest.raises(DataError, match="unknown option 'Colour'") as caught:
        Reader("!Colour")
    assert "Color" in caught.value.parts["nearest"]
    with pytest.raises(DataError, match="errors of a response are not computed"):
        Reader("Error")


def test_no_buffers_no_events(tmva: Path) -> None:
    reader = Reader()
    for i in range(4):
        reader.AddVariable(f"var{i + 1}")
    reader.BookMVA("Fisher", weights(tmva, "cls_plain_weighted", "Fisher"))
    with pytest.raises(DataError, match="'var1' has no buffer") as caught:
        reader.EvaluateMVA("Fisher")
    assert caught.value.parts["fix"] == "or give the values: EvaluateMVA(values, tag)"
    assert isinstance(reader.EvaluateMVA([0.0, 0.0, 0.0, 0.0], "Fisher"), float)
