"""Layouts: which branches of a tree hold towers, objects and event numbers, in which units, on which grids."""

from hepml.layouts.binding import Binding, Missing, bind
from hepml.layouts.layout import Block, Column, Layout, Where, layout_names, load_layout

__all__ = ["Binding", "Block", "Column", "Layout", "Missing", "Where", "bind", "layout_names", "load_layout"]
