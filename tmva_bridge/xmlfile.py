"""XML without its dangers, and elements whose values are read with a type and a bound.

Expat parses; a document type is refused as soon as it begins, so there are no entities to expand and nothing to fetch.
The size of the file, of one tag, the depth and the number of elements are bounded.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from hepml.errors import InputFileError, SchemaError, nearest
from hepml.ledger import check_regular

__all__ = ["Element", "parse_xml", "read_bytes"]

_LARGEST = 1 << 29  # bytes of a file
_LONGEST = 1 << 20  # bytes of one tag with its attributes
_DEEPEST = 1000  # elements inside of each other
_MOST = 4_000_000  # elements of a file
_PIECE = 1 << 16  # bytes given to the parser at once
_FLAGS = {"1": True, "true": True, "t": True, "0": False, "false": False, "f": False}
_RETRAIN = "take the file as TMVA wrote it; do not edit it by hand"


class Element:
    """An element of the file: its name, attributes, children and text, and where it is.

    Example:
        >>> element = parse_xml(b'<Cut Value="0.5"><Index>7</Index></Cut>', "a.xml")
        >>> element.real("Value"), element.child("Index").numbers(1)[0]
        (0.5, 7.0)
    """

    __slots__ = ("attributes", "children", "file", "line", "name", "pieces")

    def __init__(self, name: str, attributes: dict[str, str], line: int, file: str) -> None:
        self.name, self.attributes, self.line, self.file = name, attributes, line, file
        self.children: list[Element] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces).strip()

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}, element {self.name}"

    def wrong(self, problem: str, *, expected: object, found: object, fix: str = _RETRAIN) -> NoReturn:
        """Raises SchemaError about this element."""
        raise SchemaError(problem, where=self.where, expected=expected, found=found, fix=fix)

    def every(self, name: str) -> list[Element]:
        return [child for child in self.children if child.name == name]

    def find(self, name: str) -> Element | None:
        return next((child for child in self.children if child.name == name), None)

    def child(self, name: str) -> Element:
        """The only child of that name. Raises SchemaError if there is none, or more than one."""
        found = self.every(name)
        if len(found) != 1:
            self.wrong(
                f"{len(found)} elements {name!r} where there must be one",
                expected=f"one {name} in {self.name}",
                found=", ".join(dict.fromkeys(child.name for child in self.children)) or "no elements",
            )
        return found[0]

    def get(self, name: str, default: str | None = None) -> str:
        """An attribute as text. Raises SchemaError if it is absent and there is no default."""
        value = self.attributes.get(name, default)
        if value is None:
            self.wrong(
                f"the attribute {name!r} is absent",
                expected=name,
                found=", ".join(nearest(name, self.attributes) or self.attributes) or "no attributes",
            )
        return value

    def real(self, name: str) -> float:
        """An attribute as a finite number. Raises SchemaError for anything else."""
        return self._number(self.get(name), f"the attribute {name!r}")

    def whole(self, name: str, low: int = 0, high: int = 1 << 31) -> int:
        """An attribute as a whole number, low <= value < high. Raises SchemaError for anything else."""
        value = self.real(name)
        if value != int(value) or not low <= value < high:
            self.wrong(
                f"the attribute {name!r} is out of range",
                expected=f"a whole number from {low} to {high - 1}",
                found=self.get(name),
            )
        return int(value)

    def flag(self, name: str) -> bool:
        """An attribute as yes or no. Raises SchemaError for anything else."""
        value = self.get(name)
        if value.lower() in _FLAGS:
            return _FLAGS[value.lower()]
        if self.real(name) not in (0, 1):
            self.wrong(f"the attribute {name!r} is neither yes nor no", expected=", ".join(_FLAGS), found=value)
        return self.real(name) == 1

    def numbers(self, count: int) -> NDArray[np.float64]:
        """The text as `count` finite numbers. Raises SchemaError for anything else."""
        words = self.text.split()
        if len(words) != count:
            self.wrong("a list of the wrong length", expected=f"{count} numbers", found=f"{len(words)}")
        try:
            values = np.array(words, dtype=np.float64) if words else np.empty(0)
        except ValueError:
            values = np.array([self._number(word, "the list") for word in words])
        if not np.isfinite(values).all():
            self.wrong(
                "a number that is not finite",
                expected="finite numbers",
                found=words[int(np.argmin(np.isfinite(values)))],
            )
        return values

    def matrix(self, rows: str, columns: str, most: int = 10_000) -> NDArray[np.float64]:
        """The text as a matrix, its shape in two attributes. Raises SchemaError for anything else."""
        shape = self.whole(rows, 1, most), self.whole(columns, 1, most)
        return self.numbers(shape[0] * shape[1]).reshape(shape)

    def _number(self, text: str, what: str) -> float:
        try:
            value = float(text)
        except ValueError:
            comma = "," in text and text.count(",") == 1
            fix = "write the file again with LC_ALL=C: numbers have a decimal point" if comma else _RETRAIN
            kind = "has a decimal comma" if comma else "is not a number"
            self.wrong(f"{what} {kind}", expected="a number such as 1.5e-01", found=repr(text), fix=fix)
        if not math.isfinite(value):
            self.wrong(
                f"{what} is not finite", expected="a finite number", found=text, fix="train again: a fit went wrong"
            )
        return value


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a weight file.

    Raises:
        InputFileError: absent, a folder, a pipe or too large.
    """
    check_regular(path)
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    if len(data) > _LARGEST:
        raise InputFileError("the file is too large", where=path, expected=f"at most {_LARGEST >> 20} MiB")
    return data


def parse_xml(data: bytes, file: str) -> Element:
    """The root element of a document.

    Args:
        data: the document, UTF-8 or what its declaration says.
        file: its name, for messages.

    Raises:
        InputFileError: not XML, cut off, or beyond the bounds.
        SchemaError: it has a document type or entities.
    """
    document = Element("document", {}, 0, file)
    open_elements = [document]
    count = 0

    def refuse(problem: str, expected: str, found: str) -> NoReturn:
        raise InputFileError(
            problem, where=f"{file}, line {parser.CurrentLineNumber}", expected=expected, found=found, fix=_RETRAIN
        )

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MOST:
            refuse("too many elements", f"at most {_MOST}", "more")
        if len(open_elements) > _DEEPEST:
            refuse("elements too deep inside of each other", f"at most {_DEEPEST}", "more")
        element = Element(name, attributes, parser.CurrentLineNumber, file)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def text(piece: str) -> None:
        if not piece.isspace() or open_elements[-1].pieces:
            open_elements[-1].pieces.append(piece)

    def document_type(*_: object) -> NoReturn:
        raise SchemaError(
            "a document type (DTD) in a weight file",
            where=f"{file}, line {parser.CurrentLineNumber}, <!DOCTYPE",
            expected="<?xml version ...?> and one element MethodSetup",
            found="a document type, through which entities are declared or fetched",
            fix="do not use this file: TMVA writes none",
        )

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = document_type
    try:
        for begin in range(0, len(data), _PIECE):
            parser.Parse(data[begin : begin + _PIECE], False)
            if begin + _PIECE - parser.CurrentByteIndex > _LONGEST:
                refuse("one tag is too long", f"at most {_LONGEST >> 20} MiB with its attributes", "more")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        inside = " > ".join(element.name for element in open_elements[1:][-3:])
        cut = error.code in _CUT_OFF
        raise InputFileError(
            "the file is cut off" if cut else "not XML, or a damaged file",
            where=f"{file}, line {error.lineno}, column {error.offset}" + (f", in {inside}" if inside else ""),
            expected="a weight file of TMVA, complete: it ends with </MethodSetup>",
            found=f"{expat.ErrorString(error.code)} ({len(data)} bytes)",
            fix="copy or train it again",
        ) from error
    except (ValueError, LookupError) as error:  # the encoding that the declaration names
        if isinstance(error, SchemaError):
            raise
        raise InputFileError("not XML, or a damaged file", where=file, found=error) from error
    return document.children[0]


_CUT_OFF = {
    expat.errors.codes[name]
    for name in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
}
