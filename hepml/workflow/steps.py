"""What a workflow is made of: steps, where and how they are made, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hepml.errors import HepmlError

__all__ = [
    "DONE",
    "FAILED",
    "MISSING",
    "NOT_RUN",
    "STALE",
    "UNFINISHED",
    "UP_TO_DATE",
    "WAITS",
    "Made",
    "Outcome",
    "Place",
    "Step",
]

UP_TO_DATE, STALE, MISSING, UNFINISHED, WAITS = "up to date", "stale", "missing", "unfinished", "waits"
DONE, FAILED, NOT_RUN = "done", "failed", "not run"


@dataclass(frozen=True)
class Place:
    """Where and how a step is made.

    Attributes:
        folder: of all outputs.
        jobs: processes that read and score files.
        resume: what is there is a part of this step's outputs, left by an interruption.
        progress: what the library's function calls with its progress, or None.
    """

    folder: Path
    jobs: int = 1
    resume: bool = False
    progress: Any = None


@dataclass(frozen=True)
class Made:
    """What a step tells beside its outputs.

    Attributes:
        skipped: inputs that could not be read, and why.
        sha256: of external files, by path, as far as the step has computed them itself.
    """

    skipped: list[dict[str, str]] = field(default_factory=list)
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One call of the library: what it depends on, what it writes.

    Attributes:
        name: "train/hl": what is done, and the name in the file.
        action: makes the outputs.
        config: all options that the outputs depend on, plain.
        outputs: files and folders in the output folder that belong to the step.
        sidecars: files beside them that hold times and hosts: removed with the outputs, never compared.
        needs: steps whose outputs it reads.
        files: external files it reads, as (label, path); the label, not the place, is part of what it depends on.
        resumes: whether the action goes on with what an interruption has left.
        inner: outputs of other steps in its folder.
        adopts: refuses an output that something else has made, unless it is whole; what passes is given to the action
            as if it were to go on, which keeps or refuses it. None: the step is made aside, and compared.
    """

    name: str
    action: Callable[[Place], Made]
    config: Mapping[str, Any]
    outputs: tuple[str, ...]
    sidecars: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    resumes: bool = False
    inner: tuple[str, ...] = ()
    adopts: Callable[[Path], None] | None = None

    @property
    def kind(self) -> str:
        """What is done: convert, train, evaluate, study, figures, export, apply."""
        return self.name.split("/")[0]


@dataclass(frozen=True)
class Outcome:
    """What a step is, or became.

    Attributes:
        step: its name.
        state: "up to date", "stale", "missing", "unfinished" or "waits" (for a step that it needs); after a run also
            "done", "failed" or "not run".
        why: the reason, empty where there is none to give.
        outputs: files and folders in the output folder; after a run those that are there.
        seconds: that making it took; in a plan the last time, 0 if nobody knows.
        skipped: inputs that could not be read, and why.
        error: of a step that failed.
    """

    step: str
    state: str
    why: str = ""
    outputs: tuple[str, ...] = ()
    seconds: float = 0.0
    skipped: tuple[Mapping[str, str], ...] = ()
    error: HepmlError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the error as text."""
        error = None if self.error is None else f"{type(self.error).__name__}: {self.error}"
        return {**self.__dict__, "error": error}
