"""The names of inputs: what `--features et_and_ht_and_hl` may be made of.

The published loaders looked for the tokens as substrings, so that `et_mass` also meant `et` and `mass`. Here a text
is divided at its separators and every part must be a token. The order of the result is fixed, images first, whatever
the order in the text, as in the published loaders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hepml.errors import DataError, check_names, nearest

__all__ = ["FLATS", "IMAGES", "TOKENS", "Image", "parse_features"]


@dataclass(frozen=True)
class Image:
    """An image token: which calorimeter, and which energy its pixels hold."""

    calorimeter: str
    quantity: str


IMAGES = {
    "et": Image("ecal", "ET"),
    "ht": Image("hcal", "ET"),
    "ee": Image("ecal", "E"),
    "he": Image("hcal", "E"),
}
FLATS = ("hl", "mass", "et_mass", "ee_mass", "iso", "efpe", "efph", "efp")
TOKENS: tuple[str, ...] = (*IMAGES, *FLATS, "constituents")
_SEPARATORS = re.compile(r"_and_|\s+and\s+|\+|,")


def parse_features(features: str | Iterable[str]) -> tuple[str, ...]:
    """The tokens in a text or a list, divided at `_and_`, ` and `, `+` and `,`, in the order of `TOKENS`.

    Raises:
        DataError: neither text nor a list of it; a part is no token (the nearest are named), or comes twice.

    Example:
        >>> parse_features("et_and_ht_and_hl"), parse_features("hl + et_mass")
        (('et', 'ht', 'hl'), ('hl', 'et_mass'))
    """
    names = check_names("features", features)
    if not names:
        raise DataError("no features are given", expected="a text such as et_and_ht, or a list of tokens")
    text = "_and_".join(names)
    parts = [part.strip() for part in _SEPARATORS.split(text)]
    for part in parts:
        if part not in TOKENS:
            raise DataError(
                f"no feature is named {part!r}",
                where=f"features {text!r}",
                expected=", ".join(TOKENS) + ", joined by _and_",
                nearest=nearest(part, TOKENS),
            )
        if parts.count(part) > 1:
            raise DataError(f"feature {part!r} comes twice", where=f"features {text!r}")
    return tuple(token for token in TOKENS if token in parts)
