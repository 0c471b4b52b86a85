"""Read towers and objects from ROOT files: open and iterate, by layout."""

from hepml.trees.events import Events, Objects, Towers
from hepml.trees.files import Source, expand_files
from hepml.trees.inspection import FileReport, TreeReport, inspect_file
from hepml.trees.reading import iterate_events, open_events

__all__ = [
    "Events",
    "FileReport",
    "Objects",
    "Source",
    "Towers",
    "TreeReport",
    "expand_files",
    "inspect_file",
    "iterate_events",
    "open_events",
]
