"""Outputs that the plain commands have made, on a batch system perhaps: a step may take them instead of its own.

What each function lets pass is whole and of this code. Whether it is also of the step's inputs and options is then
decided by the library's function itself, which is called with `resume`: it keeps the output, or refuses it.
"""

from __future__ import annotations

from pathlib import Path

from hepml.errors import InputFileError, VerificationError
from hepml.ledger import code_version

__all__ = ["check_data", "check_run", "check_scores"]


def check_data(path: Path) -> None:
    """Refuses a data file that is damaged, or without its log."""
    from hepml.dataset.verify import log_of, verify

    verify(path)
    if not log_of(path).is_file():
        raise InputFileError("the log beside the data file is gone", where=log_of(path))


def check_run(folder: Path) -> None:
    """Refuses a run that is damaged, of other code, or that was evaluated: metrics.json says nothing of its code."""
    from hepml.training.verification import verify_run

    found = verify_run(folder)
    if found.record["code"] != code_version():
        raise VerificationError("the run is of other code", where=folder)
    if found.others:
        raise VerificationError("there is more in the folder than a training", where=folder / found.others[0])


def check_scores(folder: Path, *, most: int) -> None:
    """Refuses a folder with anything but whole scores, or with more than so many."""
    from hepml.friends import read_ledger

    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in found:
        read_ledger(path)
    if len(found) > most:
        raise VerificationError("there are more scores than inputs", where=folder, found=f"{len(found)}, not {most}")
