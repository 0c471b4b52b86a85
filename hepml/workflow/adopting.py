"""Outputs that the plain commands have made, on a batch system perhaps: a step may take them instead of its own.

What a `check` lets pass is whole and of this code. Whether it is also of the step's inputs and options is then decided
by the library's function itself, which is called with `resume`: it keeps the output, or refuses it. An evaluation, a
figure, a network does not hold all that it was made of: there the step is made aside, and `compare` is asked.
"""

from __future__ import annotations

import filecmp
from pathlib import Path

from hepml.errors import InputFileError, VerificationError
from hepml.ledger import code_version
from hepml.workflow.books import files_of
from hepml.workflow.steps import Step

__all__ = ["EVALUATED", "check_data", "check_run", "check_scores", "compare"]

EVALUATED = ("metrics.json", "thresholds.json", "figures")  # what an evaluation adds to a run
_SHOWN = 3  # files


def check_data(path: Path) -> None:
    """Refuses a data file that is damaged, or without its log."""
    from hepml.dataset.verify import log_of, verify

    verify(path)
    if not log_of(path).is_file():
        raise InputFileError("the log beside the data file is gone", where=log_of(path))


def check_run(folder: Path) -> None:
    """Refuses a run that is damaged, of other code, or with more in its folder than an evaluation adds."""
    from hepml.training.verification import verify_run

    found = verify_run(folder)
    if found.record["code"] != code_version():
        raise VerificationError("the run is of other code", where=folder)
    if more := [name for name in found.others if Path(name).parts[0] not in EVALUATED]:
        raise VerificationError("there is more in the folder than a training", where=folder / more[0])


def check_scores(folder: Path, *, most: int) -> None:
    """Refuses a folder with anything but whole scores, or with more than so many."""
    from hepml.friends import read_ledger

    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    for path in found:
        read_ledger(path)
    if len(found) > most:
        raise VerificationError("there are more scores than inputs", where=folder, found=f"{len(found)}, not {most}")


def compare(step: Step, folder: Path, aside: Path) -> None:
    """Refuses outputs that are not, byte for byte, what the step has made aside."""
    there, made = files_of(step, folder), files_of(step, aside)
    found = [f"{name} is not there" for name in made if name not in there]
    found += [f"{name} is more than the step makes" for name in there if name not in made]
    both = [name for name in made if name in there]
    found += [f"{name} differs" for name in both if not filecmp.cmp(folder / name, aside / name, shallow=False)]
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise VerificationError("the step made aside gives something else", found="; ".join(found[:_SHOWN]) + more)
