"""Lay a layout over the branches of one tree: which name stands for what, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hepml.errors import nearest
from hepml.layouts.layout import Column, Layout

__all__ = ["Binding", "Missing", "bind"]


@dataclass(frozen=True)
class Missing:
    """A branch that the layout needs and the tree lacks."""

    place: str
    names: tuple[str, ...]
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class Binding:
    """The branches of one tree that a layout uses.

    Attributes:
        layout: the layout.
        blocks: for each collection that the tree offers ("towers.ecal", "objects.electron"): column -> branch.
        event: "run", "weight" ... -> branch.
        missing: required branches that are not there; the layout fits if there are none.
        absent: optional collections that are not there.
    """

    layout: Layout
    blocks: Mapping[str, Mapping[str, str]]
    event: Mapping[str, str]
    missing: tuple[Missing, ...]
    absent: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether nothing that the layout needs is missing."""
        return not self.missing

    def branches(self) -> list[str]:
        """Every branch in use, once, in a fixed order."""
        names = [name for block in self.blocks.values() for name in block.values()]
        return list(dict.fromkeys([*names, *self.event.values()]))


def plain(name: str) -> str:
    """A name as it is written where dots and slashes are not allowed: `Electron.PT` -> `Electron_PT`."""
    return re.sub(r"[^0-9A-Za-z]", "_", name)


def short_names(branches: Iterable[str]) -> dict[str, str]:
    """Full names, names without array dimensions and last parts, each -> full name; full names win."""
    full = list(branches)
    table: dict[str, str] = {}
    for name in full:
        table.setdefault(name.rsplit("/", 1)[-1].split("[", 1)[0], name)
    for name in full:
        table[name.split("[", 1)[0]] = name
    for name in full:
        table[name] = name
    return table


def bind(layout: Layout, branches: Iterable[str]) -> Binding:
    """Find the branches of a tree that `layout` asks for.

    Args:
        layout: the layout.
        branches: full names of the tree's branches or fields, as uproot lists them.

    Returns:
        What was found and what is missing, with the nearest names.

    Example:
        >>> from hepml.layouts import load_layout
        >>> bind(load_layout("delphes"), ["Tower/Tower.EM"]).missing[2].names
        ('Tower.Eem',)
    """
    table = short_names(branches)
    blocks: dict[str, dict[str, str]] = {}
    missing: list[Missing] = []
    absent: list[str] = []
    for place, block in layout.blocks():
        found, lacking = _find(place, dict(block.all_columns()), table)
        if not lacking:
            blocks[place] = found
        elif block.required:
            missing += lacking
        else:
            absent.append(place)
    event, lacking = _find("event", layout.event, table)
    return Binding(layout, blocks, event, tuple(missing + lacking), tuple(absent))


def _find(place: str, columns: Mapping[str, Column], table: Mapping[str, str]) -> tuple[dict[str, str], list[Missing]]:
    found: dict[str, str] = {}
    missing: list[Missing] = []
    for key, column in columns.items():
        names = [*column.names, *map(plain, column.names)]
        name = next((table[name] for name in names if name in table), None)
        sides = [[f"{plain(name)}_{i}" for i in range(4)] for name in column.names] if key == "edges" else []
        four = next((side for side in sides if all(name in table for name in side)), None)
        if name is not None:
            found[key] = name
        elif four is not None:
            found.update(zip(("eta_lo", "eta_hi", "phi_lo", "phi_hi"), four, strict=True))
        elif not column.optional:
            close = [near for name in column.names for near in nearest(name, table)]
            missing.append(Missing(f"{place}.{key}", column.names, tuple(dict.fromkeys(close))[:3]))
    return found, missing
