"""Events from awkward arrays that something else has read: uproot.dask, coffea, a processor.

A record array has a field for each branch ("ECalTowers.ET", as uproot gives it), or records in records
(`events.ECalTowers.ET`, as coffea makes them). Both are read through the same layouts as files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hepml.errors import DataError
from hepml.layouts import Binding, Layout, bind, layout_names, load_layout
from hepml.trees.chunk import Request, assemble
from hepml.trees.columns import Columns, Tree
from hepml.trees.events import Events
from hepml.trees.reading import refuse_layouts

__all__ = ["ArrayEvents"]

_WHERE = "an awkward array"


class _Records(Tree):
    """A record array that looks like a tree."""

    def __init__(self, array: Any) -> None:
        self.path, self.name, self.is_rntuple = _WHERE, "events", False
        self.array = array
        self.fields: dict[str, tuple[str, ...]] = {}  # name of a branch -> where it is in the records
        for outer in array.fields:
            inner = array[outer].fields
            for name in inner:
                plain = re.sub(r"(\[\d+\]|_\d+)$", "", name)  # Edges[4], which coffea calls Edges_4
                for known in (f"{outer}.{name}", f"{outer}_{name}", f"{outer}.{plain}"):
                    self.fields.setdefault(known, (outer, name))
            if not inner:
                self.fields[outer] = (outer,)

    @property
    def where(self) -> str:
        return _WHERE

    @property
    def n_entries(self) -> int:
        return len(self.array)

    def names(self) -> list[str]:
        return list(self.fields)

    def unsplit(self, branch: str) -> str | None:
        return None

    def get(self, branch: str) -> Any:
        """The array of a branch."""
        found = self.array
        for name in self.fields[branch]:
            found = found[name]
        return found


class ArrayEvents:
    """A record array, seen through a layout.

    Args:
        array: an awkward array of records, one an event; also one without data (a typetracer).
        layout: name of a shipped layout, a YAML file, or None to recognise it.
        collections: objects that are wanted; all that the layout names if None.

    Raises:
        MissingBranchError: no layout fits, or the one that is named does not.
        DataError: not an array of records.

    Example:
        >>> import awkward as ak
        >>> tower, electron = ([{"ET": 5.0, "E": 5.0, "Eta": 0.1, "Phi": 0.2}], [{"PT": 9.0, "Eta": 0.1, "Phi": 0.2}])
        >>> array = ak.Array([{"ECalTowers": tower, "HCalTowers": tower, "Electron": electron}])
        >>> events = ArrayEvents(array).events()
        >>> len(events), events.ecal.et
        (1, array([5.]))
    """

    def __init__(
        self, array: Any, layout: str | Path | Layout | None = None, collections: Iterable[str] | None = None
    ) -> None:
        if not getattr(array, "fields", None):
            raise DataError(
                "not an array of records", expected="an awkward array with a field for each branch", found=type(array)
            )
        self._data = _Records(array)
        layouts = [load_layout(name) for name in ((layout,) if layout is not None else layout_names())]
        bindings = [bind(item, self._data.names()) for item in layouts]
        self._binding: Binding = next((item for item in bindings if item.fits), None) or refuse_layouts(
            self._data, bindings
        )
        self._request = Request.of(collections, ())

    def branches(self) -> list[str]:
        """Names of the branches that are needed."""
        blocks = self._binding.blocks.items()
        wanted = [block.values() for key, block in blocks if self._request.wants(key)]
        return list(dict.fromkeys([*(name for names in wanted for name in names), *self._binding.event.values()]))

    def touch(self) -> None:
        """Says of an array without data what of it will be read."""
        from awkward.typetracer import touch_data

        for name in self.branches():
            touch_data(self._data.get(name))

    def events(self) -> Events:
        """The events; `entry` counts from the beginning of the array, and `sample` is no checksum of anything."""
        arrays = {name: self._data.get(name) for name in self.branches()}
        return self._assemble(self._data.n_entries, arrays)

    def no_events(self) -> Events:
        """As `events`, of an array without any."""
        return self._assemble(0, None)

    def _assemble(self, n: int, arrays: Any) -> Events:
        # without a file there is no checksum to identify events by; whoever needs identities reads files
        read = None if arrays is None else Columns(self._data, arrays)
        return assemble(self._data, self._binding, self._request, "0" * 64, (0, n, read))
