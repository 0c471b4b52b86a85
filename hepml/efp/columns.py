"""Columns of energy-flow polynomials by name: what a name says, and the values of the columns that are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.efp.computation import efp
from hepml.efp.graphs import Graph, find_graph
from hepml.errors import DataError, check_names

__all__ = ["Column", "column_name", "compute_columns", "parse_column"]

_PREFIXES = {"et": "ecal", "ht": "hcal"}
_NAME = re.compile(r"(et|ht)_efp_(\d+_\d+_\d+(?:x\d+_\d+_\d+)*)_k_([^_]+)_b_([^_]+)")


@dataclass(frozen=True)
class Column:
    """One polynomial: a number an event.

    Attributes:
        name: `<et|ht>_efp_<n>_<d>_<k>_k_<kappa>_b_<beta>`, the exponents as %g writes them.
        calorimeter: "ecal" or "hcal".
        graph: which one.
        kappa, beta: exponents of the energies and of the angles.
    """

    name: str
    calorimeter: str
    graph: Graph
    kappa: float
    beta: float


def column_name(calorimeter: str, graph: str, kappa: float, beta: float) -> str:
    """The name of a column.

    Raises:
        DataError: no such calorimeter, or an exponent of more than the six digits that a name holds.

    Example:
        >>> column_name("ecal", "2_1_0", 0.5, 1)
        'et_efp_2_1_0_k_0.5_b_1'
    """
    prefix = next((key for key, one in _PREFIXES.items() if one == calorimeter), None)
    if prefix is None:
        raise DataError(f"no calorimeter is called {calorimeter!r}", expected=", ".join(_PREFIXES.values()))
    for exponent in (kappa, beta):
        if float(f"{exponent:g}") != exponent:
            raise DataError("an exponent that a name cannot hold", expected="at most six digits", found=repr(exponent))
    return f"{prefix}_efp_{graph}_k_{kappa:g}_b_{beta:g}"


@lru_cache(maxsize=1 << 16)
def parse_column(name: str) -> Column:
    """What the name of a column says.

    Raises:
        DataError: not such a name, no such graph, or spelled otherwise than it is written; the nearest are listed.

    Example:
        >>> column = parse_column("ht_efp_3_3_1_k_-1_b_0.5")
        >>> column.calorimeter, column.graph.edges, column.kappa, column.beta
        ('hcal', ((0, 1), (0, 2), (1, 2)), -1.0, 0.5)
    """
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise DataError(
            f"no polynomial is named {name!r}",
            expected="<et|ht>_efp_<n>_<d>_<k>_k_<kappa>_b_<beta>",
            nearest=("et_efp_2_1_0_k_1_b_1",),
        )
    prefix, graph, *exponents = found.groups()
    try:
        kappa, beta = (float(exponent) + 0.0 for exponent in exponents)  # 0, not -0
    except ValueError:
        kappa = beta = np.nan
    if not np.isfinite([kappa, beta]).all():
        raise DataError(f"the exponents in {name!r} are no numbers", found=f"kappa {exponents[0]}, beta {exponents[1]}")
    column = Column(f"{prefix}_efp_{graph}_k_{kappa:g}_b_{beta:g}", _PREFIXES[prefix], find_graph(graph), kappa, beta)
    if column.name != name:
        raise DataError(f"no polynomial is named {name!r}", nearest=(column.name,))
    return column


def compute_columns(
    ecal_et: NDArray[Any] | None,
    hcal_et: NDArray[Any] | None,
    names: str | Sequence[str],
    *,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Some columns of some images, and no others; what those of one beta have in common is computed once.

    Args:
        ecal_et, hcal_et: images as for `hepml.efp`; None for a calorimeter that no name begins with.
        names: of the columns.
        threads: as for `hepml.efp`.

    Returns:
        float64, (n, columns), in the order of the names.

    Raises:
        DataError: no such name, or one twice; no images of a calorimeter, or not as many as of the other.

    Example:
        >>> image = np.zeros((1, 31, 31))
        >>> image[0, 15, 15], image[0, 15, 19] = 3, 1
        >>> compute_columns(image, None, ["et_efp_1_0_0_k_2_b_1", "et_efp_2_1_0_k_1_b_1"]).round(6)
        array([[0.625 , 0.0375]])
    """
    columns = [parse_column(name) for name in check_names("names", names)]
    if len({column.name for column in columns}) < len(columns):
        twice = next(one.name for number, one in enumerate(columns) if one in columns[:number])
        raise DataError("a column is asked for twice", found=twice)
    images = {"ecal": ecal_et, "hcal": hcal_et}
    sizes = {name: len(one) for name, one in images.items() if one is not None}
    if len(set(sizes.values())) > 1:
        raise DataError("not as many images of one calorimeter as of the other", found=str(sizes))
    if absent := [column.name for column in columns if images[column.calorimeter] is None]:
        raise DataError("no images of the calorimeter of a column", found=absent[0])
    values = np.full((max(sizes.values(), default=0), len(columns)), np.nan)
    place = {(one.calorimeter, one.graph.name, one.kappa, one.beta): number for number, one in enumerate(columns)}
    for calorimeter, beta, kappas, graphs in _grids(columns):
        found = efp(images[calorimeter], graphs, kappas, beta, calorimeter, threads=threads)
        numbers = [place[calorimeter, graph.name, kappa, beta] for graph in graphs for kappa in kappas]
        values[:, numbers] = found.values
    return values


def _grids(columns: Sequence[Column]) -> Iterator[tuple[str, float, list[float], list[Graph]]]:
    """The columns as few grids of kappas and graphs: those of a beta whose graphs are the same are computed at once."""
    graphs: dict[tuple[str, float], dict[float, list[Graph]]] = {}
    for column in columns:
        graphs.setdefault((column.calorimeter, column.beta), {}).setdefault(column.kappa, []).append(column.graph)
    for (calorimeter, beta), by_kappa in graphs.items():
        grids: dict[tuple[Graph, ...], list[float]] = {}
        for kappa, some in by_kappa.items():
            grids.setdefault(tuple(sorted(some, key=lambda graph: graph.order)), []).append(kappa)
        for same, kappas in grids.items():
            yield calorimeter, beta, kappas, list(same)
