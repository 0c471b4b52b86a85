"""The faults that hepml must survive, one row an entry: the one source of docs/faults.md and of what the tests expect.

R: ROOT input. H: HDF5 and npz. S: the operating system and processes. (J and X, networks and TMVA weight files, are
tested beside the evaluator and the bridge.) A row is added with its tests, whose ids begin with the entry
(`@pytest.mark.parametrize("entry", ["S04"])` or `id="S04 ..."`); `python scripts/faults_table.py` then writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAMILIES", "FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """One entry.

    Attributes:
        what: what is wrong.
        gives: what hepml does about it, one sentence.
        code: the exit code, or several; None where nothing ends (a reader in the same process, a measured bound).
        error: the class that the message begins with; "" where the exit is not an error's.
        absent: why there is no test, where the entry does not apply to what hepml is; then the others are empty.
    """

    what: str
    gives: str = ""
    code: int | tuple[int, ...] | None = None
    error: str = ""
    absent: str = ""

    @property
    def codes(self) -> tuple[int, ...]:
        """The exit codes."""
        return self.code if isinstance(self.code, tuple) else () if self.code is None else (self.code,)


# how many entries each family has; a test asks for all of them
FAMILIES: dict[str, int] = {}

ROOT_INPUT: dict[str, Fault] = {}

HDF5_INPUT: dict[str, Fault] = {}

SYSTEM: dict[str, Fault] = {
    "S04": Fault("the output's folder is read-only", "refused before any work is done", 4, "OutputError"),
}

FAULTS: dict[str, Fault] = ROOT_INPUT | HDF5_INPUT | SYSTEM
