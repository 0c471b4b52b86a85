"""Read towers and objects from ROOT files: open and iterate, by layout."""

from hepml.trees.events import Events, Objects, Towers
from hepml.trees.files import Source, expand_files
from hepml.trees.reading import iterate_events, open_events

__all__ = [
    "Events",
    "Objects",
    "Source",
    "Towers",
    "expand_files",
    "iterate_events",
    "open_events",
]
