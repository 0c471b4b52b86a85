"""The grammar of option strings and of chains of transformations."""

from __future__ import annotations

import pytest

from hepml.errors import DataError
from tmva_bridge.options import Choice, Link, boolean, parse_chain, parse_options

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
        ("V=perhaps", "cannot be .perhaps."),
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


KINDS = {
    "Method": Choice(("Fisher", "Mahalanobis")),
    "Smooth": (1, 1, 1),
    "V": False,
    "File": "",
    "Epochs": 10,
    "H": True,
}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("mahalanobis", {"Method": "Mahalanobis"}),
        ("method=MAHALANOBIS", {"Method": "Mahalanobis"}),
        ("Smooth=3", {"Smooth": (3, 3, 3)}),
        ("Smooth=3:smooth[1]=5", {"Smooth": (3, 5, 3)}),
        ("File=a=b.keras", {"File": "a=b.keras"}),
    ],
)
def test_predefined_values_and_arrays(text: str, changed: dict[str, object]) -> None:
    assert parse_options(text, KINDS) == parse_options("", KINDS) | changed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Fishr", r"unknown option 'Fishr'(.|\n)*nearest: +'Fisher'"),
        ("Method=LD", r"'Method' cannot be 'LD'(.|\n)*Fisher, Mahalanobis"),
        ("!Fisher", "unknown option 'Fisher'"),
        ("Smooth[3]=1", r"no element 3 of the option 'Smooth'(.|\n)*0 to 2"),
        ("Epochs[0]=1", "'Epochs' is no array"),
        ("File=a.kerasEpochs=10", "missing ':' before Epochs"),
        ("Epochs=10 Method=Fisher", "missing ':' before Method"),
        ("Epochs=10!V", "missing ':' before !V"),
        ("H!V", "missing ':' before !V"),
        ("VEpochs=10", "missing ':' before Epochs"),
        ("V=falseSmooth=3", "missing ':' before Smooth"),
        ("Method=FisherEpochs=10", "missing ':' before Epochs"),
    ],
)
def test_wrong_values_and_missing_colons(text: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        parse_options(text, KINDS)


def test_keywords_count_after_the_text() -> None:
    values = parse_options(
        "V:Epochs=3", KINDS, {"V": False, "smooth": [1, 2, 3], "File": "m.keras", "Method": "fisher"}
    )
    assert values == {
        "Method": "Fisher",
        "Smooth": (1, 2, 3),
        "V": False,
        "File": "m.keras",
        "Epochs": 3,
        "H": True,
    }
    for wrong in ({"Epoch": 3}, {"Smooth": [1]}, {"Epochs": True}, {"Epochs": 1.5}, {"V": "perhaps"}):
        with pytest.raises(DataError):
            parse_options("", KINDS, wrong)


def test_an_option_that_is_set_twice_is_told() -> None:
    with pytest.warns(UserWarning, match="Epochs is set twice"):
        assert parse_options("Epochs=1:Epochs=2", KINDS)["Epochs"] == 2
