"""Energy-flow polynomials. The package itself is the function: ``hepml.efp(images, graphs="d<=7")``.

P. T. Komiske, E. M. Metodiev, J. Thaler, "Energy flow polynomials: a complete linear basis for jet substructure",
JHEP 04 (2018) 013, arXiv:1712.07124.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from hepml.efp.computation import EFPs, efp
from hepml.efp.graphs import Graph, find_graph
from hepml.efp.interchange import from_energyflow, to_energyflow

__all__ = ["EFPs", "Graph", "efp", "find_graph", "from_energyflow", "to_energyflow"]


class _Callable(ModuleType):
    """A module that is called as its function of the same name."""

    def __call__(self, *arguments: Any, **options: Any) -> EFPs:
        return efp(*arguments, **options)


_Callable.__call__.__doc__ = efp.__doc__
sys.modules[__name__].__class__ = _Callable
