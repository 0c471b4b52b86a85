"""The guided search: which energy-flow polynomials do simple variables lack that a network knows?

Starting from a network on a few variables, each pass takes the pairs of a signal and a background event that it orders
otherwise than the benchmark, adds the polynomial that orders most of them as the benchmark does, and trains again.
Everything is chosen on training and validation candidates; the test split is looked at once, at the end.

Source:
    T. Faucett, J. Thaler, D. Whiteson, Phys. Rev. D 103 (2021) 036020, arXiv:2010.11998; arXiv:2011.01984.
"""

from __future__ import annotations

from hepml.guided.problem import Problem, load_problem
from hepml.guided.results import Guided, Step
from hepml.guided.search import SETTINGS, guide, search

__all__ = ["SETTINGS", "Guided", "Problem", "Step", "guide", "load_problem", "search"]
