"""The ledger of a friend tree: a TObjString beside the tree that says what the scores were made of.

format    "hepml-scores"
input     name, tree, size, uuid (ROOT's) and sha256 of the file
network   model_id, and the sha256 of its file; of folds the ids and the branch that decides an event's fold
options   collection, which, overlap, threshold, signal_efficiency, layout
code      version and checksums of hepml's sources
result    entries (all of the tree, from 0), counts by status, passed, and the sha256 of every branch
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hepml.dataset.shape import check_shape
from hepml.errors import InputFileError, VerificationError

__all__ = ["LEDGER", "columns_damaged", "is_output", "outputs_in", "read_books", "read_ledger"]

LEDGER = "hepml_ledger"
# the keys of the tree and of the ledger as ROOT writes them, of which a damaged file still has one
_MARKS = (b"\x05TTree\x05hepml", b"\x0c" + LEDGER.encode())
_SHAPE = {
    "input": {"name": str},
    "network": dict,
    "options": dict,
    "code": {"version": str},
    "result": {"entries": int, "counts": {str: int}, "passed": (int, type(None)), "sha256": {str: str}},
}
_STEP = 1 << 20


def is_output(path: str | Path) -> bool:
    """Whether a file is an output of `hepml apply`, whole or not.

    Raises:
        InputFileError: it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(4) != b"root":
                return False
            before = b""
            while block := file.read(_STEP):
                if any(mark in before + block for mark in _MARKS):
                    return True
                before = block[-64:]
    except OSError as error:
        raise InputFileError("cannot read the file", where=path, found=error.strerror) from error
    return False


def outputs_in(folder: str | Path) -> list[Path]:
    """The outputs of `hepml apply` in a folder, in order of their names.

    Raises:
        InputFileError: there is none, or one cannot be read.
    """
    found = [path for path in sorted(Path(folder).glob("*.root")) if path.is_file() and is_output(path)]
    if not found:
        raise InputFileError(
            "a folder without anything that hepml writes",
            where=folder,
            expected="the outputs of hepml apply, or a run: run.json in it",
        )
    return found


def read_books(path: str | Path) -> dict[str, Any]:
    """The ledger of an output, without a look at its scores.

    Raises:
        InputFileError: absent, or no output of `hepml apply`.
        VerificationError: damaged.
    """
    import uproot

    if not is_output(path):
        raise InputFileError("no output of hepml apply", where=path, fix="see hepml inspect for ROOT files")
    try:
        with Path(path).open("rb") as raw, uproot.open(raw) as file:  # uproot leaves a damaged file open
            books: dict[str, Any] = json.loads(str(file[LEDGER]))
            length, size = int(file.file.fEND), Path(path).stat().st_size
        if length != size:
            raise ValueError(f"{size} bytes, and {length} in the header of the file")
        check_shape(books, _SHAPE, "ledger")
    except Exception as error:  # uproot raises whatever a damaged byte leads to
        raise _damaged(path, f"the ledger ({type(error).__name__}: {error})") from error
    return books


def columns_damaged(path: str | Path, books: dict[str, Any]) -> list[str]:
    """The branches that do not agree with their checksums in the ledger; empty if all do."""
    import awkward as ak
    import uproot

    result, found = books["result"], []
    for name, expected in result["sha256"].items():
        try:
            with Path(path).open("rb") as raw, uproot.open(raw) as file:
                column = file["hepml"].arrays([name], library="ak")[name]
            values = ak.to_numpy(ak.flatten(column) if column.ndim > 1 else column)
            values = values.astype("<i4") if name == "n" else values
            whole = len(column) == result["entries"] and hashlib.sha256(values.tobytes()).hexdigest() == expected
        except Exception:  # uproot raises whatever a damaged byte leads to
            whole = False
        if not whole:
            found.append(name)
    return found


def read_ledger(path: str | Path) -> dict[str, Any]:
    """The ledger of an output, after its scores were read and compared with their checksums.

    Raises:
        InputFileError: absent, or no output of `hepml apply`.
        VerificationError: damaged.
    """
    books = read_books(path)
    if damaged := columns_damaged(path, books):
        raise _damaged(path, ", ".join(f"the branch {name!r}" for name in damaged))
    return books


def _damaged(path: str | Path, what: str) -> VerificationError:
    return VerificationError(
        "the scores do not agree with their checksums",
        where=path,
        found=f"damaged: {what}",
        fix="write them again with hepml apply --resume",
    )
