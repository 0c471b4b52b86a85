"""The stages of the commands that write, as their log names them: wherever one is killed, nothing wrong is left.

`hepml --debug COMMAND` shows each stage as it is entered. Every output passes write, fsync and rename.
"""

from __future__ import annotations

import logging

__all__ = ["STAGES", "stage"]

_OUTPUT = ("write", "fsync", "rename")

# command -> its stages; whoever adds a command that writes, or a stage, adds it here, and the tests kill it there
STAGES: dict[str, tuple[str, ...]] = {
    "skim": ("chunk", *_OUTPUT),
    "convert": ("open", "chunk", *_OUTPUT),
    "merge": ("open", "chunk", *_OUTPUT),
    "efp": ("open", "chunk", *_OUTPUT),
    "train": ("open", "epoch", "checkpoint", "finish", *_OUTPUT),
    "evaluate": ("score", "draw", *_OUTPUT),
    "guide": ("open", "epoch", "checkpoint", "finish", "scan", "look", "draw", *_OUTPUT),
    "export": ("verify", *_OUTPUT),
    "compact": _OUTPUT,
    "predict": ("score", *_OUTPUT),
    "apply": ("chunk", *_OUTPUT),
    "monitor": ("score", *_OUTPUT),
    "run": ("step", *_OUTPUT),
    "plot": _OUTPUT,
    "demo": _OUTPUT,
}

_log = logging.getLogger("hepml.stages")


def stage(name: str, what: object) -> None:
    """Logs, at level DEBUG, that a stage of the work on `what` (a file, a step) begins.

    Example:
        >>> stage("fsync", "data.h5")
    """
    _log.debug("stage %s: %s", name, what)
