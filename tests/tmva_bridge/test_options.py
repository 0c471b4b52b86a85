"""The grammar of option strings and of chains of transformations."""

from __future__ import annotations

import pytest

from hepml.errors import DataError
from tmva_bridge.options import Link, boolean, parse_chain, parse_options

DECLARED = {"V": False, "NTrees": 800, "Beta": 0.5, "BoostType": "AdaBoost"}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        (":", {}),
        (":V:ntrees=100:", {"V": True, "NTrees": 100}),
        ("!V:Beta=1e-2:~BoostType=Grad~", {"Beta": 0.01, "BoostType": "Grad"}),
        ("V=kTRUE", {"V": True}),
        ("V=F", {}),
    ],
)
def test_options(text: str, changed: dict[str, object]) -> None:
    assert parse_options(text, DECLARED) == DECLARED | changed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("NTress=5", "unknown option 'NTress'"),
        ("NTrees", "needs a value"),
        ("!NTrees=5", "has both ! and a value"),
        ("NTrees=many", "cannot be 'many'"),
        ("V=perhaps", "not a boolean"),
    ],
)
def test_options_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        parse_options(text, DECLARED)


@pytest.mark.parametrize("text", ["1", "true", "kTrue", "T"])
def test_booleans(text: str) -> None:
    assert boolean(text)
    assert not boolean({"1": "0", "true": "FALSE", "kTrue": "kfalse", "T": "f"}[text])


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("None", ()),
        ("", ()),
        ("N", (Link("Normalize"),)),
        ("I,D,P,G,D", tuple(Link(k) for k in ("Identity", "Decorrelation", "PCA", "Gauss", "Decorrelation"))),
        ("G_Signal+Norm", (Link("Gauss", (), "Signal"), Link("Normalize"))),
        ("N(_V0_,_T_)_AllClasses", (Link("Normalize", ("_V0_", "_T_"), "AllClasses"),)),
        ("P_bg0(var1+var2,var3),U", (Link("PCA", ("var1+var2", "var3"), "bg0"), Link("Uniform"))),
        ("N(sqrt(abs(x)),y)", (Link("Normalize", ("sqrt(abs(x))", "y")),)),
        ("Decorrelate", (Link("Decorrelation"),)),
        ("N_top-quark", (Link("Normalize", (), "top-quark"),)),
    ],
)
def test_chains(text: str, links: tuple[Link, ...]) -> None:
    assert parse_chain(text) == links


@pytest.mark.parametrize("text", ["Q", "N,Rearrange", "N(", "S", "3"])
def test_chains_that_are_none(text: str) -> None:
    with pytest.raises(DataError, match="unknown transformation"):
        parse_chain(text)
