"""The stages of the commands that write, as their log names them: wherever one is killed, nothing wrong is left.

`hepml --debug COMMAND` shows each stage as it is entered. Every output passes write, fsync and rename.
"""

from __future__ import annotations

import logging

__all__ = ["OUTPUT", "STAGES", "stage"]

OUTPUT = ("write", "fsync", "rename")

# command -> its stages; whoever adds a command that writes, or a stage, adds it here, and the tests kill it there
STAGES: dict[str, tuple[str, ...]] = {
    "skim": ("chunk", *OUTPUT),
    "convert": ("open", "chunk", *OUTPUT),
    "merge": ("open", "chunk", *OUTPUT),
    "efp": ("open", "chunk", *OUTPUT),
    "train": ("open", "epoch", "checkpoint", "finish", *OUTPUT),
    "evaluate": ("score", "draw", *OUTPUT),
    "guide": ("open", "epoch", "checkpoint", "finish", "scan", "look", "draw", *OUTPUT),
    "export": ("verify", *OUTPUT),
    "compact": OUTPUT,
    "predict": ("score", *OUTPUT),
    "apply": ("chunk", *OUTPUT),
    "monitor": ("score", *OUTPUT),
    "run": ("step", *OUTPUT),
    "plot": OUTPUT,
    "demo": OUTPUT,
    "tmva": OUTPUT,
}

_log = logging.getLogger("hepml.stages")


def stage(name: str, what: object) -> None:
    """Logs, at level DEBUG, that a stage of the work on `what` (a file, a step) begins.

    Example:
        >>> stage("fsync", "data.h5")
    """
    _log.debug("stage %s: %s", name, what)
