"""Elements to be written, and their text in TMVA's layout: two spaces a level, numbers in its formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from hepml.errors import DataError

__all__ = ["Attributes", "Tag", "numbers", "text_of"]

Attributes = Mapping[str, str | int | float]

_DEEPEST = 400  # levels: more than any tree needs, less than what readers refuse
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;"))


@dataclass(frozen=True)
class Tag:
    """An element: its attributes (float: 16 decimals), and either elements or a text inside of it.

    Example:
        >>> print(text_of(Tag("Cut", {"Value": 0.5, "Name": "a<b"}, [Tag("Index", {}, "7")])), end="")
        <?xml version="1.0"?>
        <Cut Value="5.0000000000000000e-01" Name="a&lt;b">
          <Index>7</Index>
        </Cut>
    """

    name: str
    attributes: Attributes = field(default_factory=dict)
    inside: Sequence[Tag] | str = ()


def text_of(root: Tag) -> str:
    """The document with this element. Raises DataError for a number that is not finite, or a control character."""
    return '<?xml version="1.0"?>\n' + "".join(_lines(root, 0))


def numbers(values: ArrayLike, decimals: int) -> str:
    """A list of numbers as TMVA writes it: with a blank behind each.

    Example:
        >>> numbers([0.5, -2], 3)
        '5.000e-01 -2.000e+00 '
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    return "".join(f"{_finite(value, 'a list'):.{decimals}e} " for value in flat.tolist())


def _lines(tag: Tag, level: int) -> Iterator[str]:
    if level > _DEEPEST:
        raise DataError("elements too deep inside of each other", expected=f"at most {_DEEPEST} levels", found="more")
    margin = "  " * level
    begin = margin + "<" + " ".join([tag.name, *_attributes(tag)])
    if not tag.inside:
        yield f"{begin}/>\n"
    elif not isinstance(tag.inside, str):
        yield f"{begin}>\n"
        for child in tag.inside:
            yield from _lines(child, level + 1)
        yield f"{margin}</{tag.name}>\n"
    elif tag.inside.endswith(" "):  # a list of numbers
        yield f"{begin}>\n{margin}  {tag.inside}\n{margin}</{tag.name}>\n"
    else:
        yield f"{begin}>{_escaped(tag.inside)}</{tag.name}>\n"


def _attributes(tag: Tag) -> Iterable[str]:
    for name, value in tag.attributes.items():
        text = f"{_finite(value, f'{tag.name}, {name}'):.16e}" if isinstance(value, float) else _escaped(str(value))
        yield f'{name}="{text}"'


def _finite(value: float, where: str) -> float:
    if not np.isfinite(value):
        raise DataError("a number that is not finite", where=where, expected="a finite number", found=value)
    return value


def _escaped(text: str) -> str:
    if not text.isprintable():
        raise DataError("a name with control characters", expected="printable characters", found=text)
    for letter, escape in _ESCAPES:
        text = text.replace(letter, escape)
    return text
