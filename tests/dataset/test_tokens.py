"""Names of inputs are read exactly."""

from __future__ import annotations

import pytest

from hepml.dataset import TOKENS, parse_features
from hepml.errors import DataError


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("et", ("et",)),
        ("et_and_ht_and_hl", ("et", "ht", "hl")),
        ("et and hl", ("et", "hl")),
        ("hl+ht,ee", ("ht", "ee", "hl")),
        ("hl_and_mass", ("hl", "mass")),
        ("et_mass", ("et_mass",)),
        ("ee_mass + he", ("he", "ee_mass")),
        ("efpe_and_efph", ("efpe", "efph")),
    ],
)
def test_tokens_are_exact_and_ordered(text: str, tokens: tuple[str, ...]) -> None:
    assert parse_features(text) == tokens


@pytest.mark.parametrize(("text", "near"), [("et_and_hll", "'hl'"), ("masss", "'mass'"), ("ET", "'et'")])
def test_unknown_token_names_the_nearest(text: str, near: str) -> None:
    with pytest.raises(DataError, match="no feature") as caught:
        parse_features(text)
    assert near in str(caught.value)


@pytest.mark.parametrize("text", ["", "et_and_", "et_and_et", "et__and__hl", "etht"])
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        parse_features(text)


def test_the_designs_tokens_are_all_known() -> None:
    assert {"et", "ht", "ee", "he", "hl", "mass", "et_mass", "ee_mass", "iso", "efp", "constituents"} <= set(TOKENS)


def test_a_list_is_joined_and_a_number_refused():
    assert parse_features(["et_and_ht", "hl"]) == ("et", "ht", "hl")
    with pytest.raises(DataError, match="the option 'features' cannot be 3"):
        parse_features(3)
    with pytest.raises(DataError, match="no features are given"):
        parse_features([])
