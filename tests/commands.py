"""Call a command as the shell does."""

from __future__ import annotations

import pytest

from hepml.cli import main

__all__ = ["run"]


def run(*arguments: object) -> int:
    """`hepml ARGUMENTS` in this process; its exit code."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert isinstance(stop.value.code, int)
    return stop.value.code
