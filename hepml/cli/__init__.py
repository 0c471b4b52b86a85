"""The command `hepml`: one file a subcommand, loaded only when it is called."""

from hepml.cli.main import main

__all__ = ["main"]
