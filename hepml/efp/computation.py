"""Energy-flow polynomials of images and constituents, computed in C++."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.efp.graphs import Graph, chosen_graphs
from hepml.errors import DataError, nearest
from hepml.geometry import PAPER
from hepml.processors import threads_of

__all__ = ["EFPs", "efp"]

_PARTS = PAPER.hcal_expand
# calorimeter -> prefix of names, pixels of a side, widths of a pixel in eta and phi
_CALORIMETERS = {
    "ecal": ("et", PAPER.ecal_window, PAPER.ecal.eta_width, PAPER.ecal.phi_width),
    "hcal": ("ht", PAPER.hcal_pixels, PAPER.hcal.eta_width / _PARTS, PAPER.hcal.phi_width / _PARTS),
}
# what the reference's code takes as the first and last pixel, instead of their centres
_EDGES = {"ecal": (0.3875, 15.5 * np.pi / 126), "hcal": (0.4, 4 * np.pi / 31)}
_BLOCK = 4096  # images that are made constituents at a time


@dataclass(frozen=True)
class EFPs:
    """Energy-flow polynomials.

    Attributes:
        values: float64, (events, columns).
        names: of the columns, `et_efp_<n>_<d>_<k>_k_<kappa>_b_<beta>`; graphs in the order of `graphs`, for each its
            kappas, for each its betas.
        graphs: in the order of the columns.
        kappas, betas: likewise.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    graphs: tuple[Graph, ...]
    kappas: tuple[float, ...]
    betas: tuple[float, ...]


def efp(
    images_or_array: Any,
    graphs: str | Sequence[str] | Sequence[Graph] = "d<=7",
    kappa: float | Sequence[float] = (0.5, 1, 2),
    beta: float | Sequence[float] = (0.5, 1, 2),
    calorimeter: str | None = "ecal",
    *,
    normed: bool = True,
    pixels: str = "centres",
    threads: int | None = None,
) -> EFPs:
    r"""The energy-flow polynomials of graphs G for each event, kappa and beta.

    .. math:: \sum_{i_1} \cdots \sum_{i_N} \prod_{v} z_{i_v}^\kappa \prod_{(k,l) \in G} \theta_{i_k i_l}^\beta

    with :math:`\theta_{ij}^2 = \Delta\eta_{ij}^2 + \Delta\phi_{ij}^2`, and z the fraction of the event's sum. What
    graphs have in common is computed once.

    Args:
        images_or_array: images, (n, 31, 31[, 1]) of the ECal or (n, 32, 32[, 1]) of the HCal, in the order of hepml:
            phi falls with the row, eta rises with the column; each pixel that is not 0 is a constituent at its centre.
            Or constituents (weight, eta, phi): (M, 3) of one event, (n, M, 3) of events, or a sequence of (M_i, 3),
            an awkward array of events of lists of three among them; those of weight 0 are none.
        graphs: as for `hepml.efp.graphs.graphs`, or graphs themselves.
        kappa, beta: exponents of the weights and of the angles, one or several. A kappa below 0 makes soft constituents
            large; with beta >= 0 nothing is divided by an angle.
        calorimeter: "ecal" or "hcal", which says where pixels are and how names begin; for constituents the names
            alone, None for names without it.
        normed: divide weights by their sum in the event, before the power; False takes them as they are.
        pixels: "centres", or "edges" for the places of the reference's code, which are 31/30 (ECal) and about 32/31
            (HCal) too far apart.
        threads: at most so many; None for the processors that this process may use. The values do not depend on it.

    Returns:
        Values, float64. An event without constituents has 0; a weight that is not finite gives NaN. No events give
        (0, columns).

    Raises:
        DataError: another shape, calorimeter or exponent, no graph, or one that is too dense (see `graphs`).

    Example:
        >>> import numpy as np
        >>> import hepml
        >>> two = np.array([[3.0, 0.0, 0.0], [1.0, 0.3, 0.4]])
        >>> found = hepml.efp(two, ["2_1_0", "3_3_1"], kappa=1, beta=2)
        >>> found.names[0], found.values.round(6).tolist()
        ('et_efp_2_1_0_k_1_b_2', [[0.09375, 0.0]])

    Source:
        arXiv:1712.07124, with its hadronic measure, and kappa as in arXiv:2010.11998.
    """
    chosen = _chosen(graphs)
    kappas, betas = _exponents(kappa, "kappa"), _exponents(beta, "beta")
    if calorimeter is not None and calorimeter not in _CALORIMETERS:
        raise DataError(
            f"no calorimeter is called {calorimeter!r}",
            expected=", ".join(_CALORIMETERS),
            nearest=nearest(str(calorimeter), _CALORIMETERS),
        )
    if pixels not in ("centres", "edges"):
        raise DataError(f"pixels cannot be {pixels!r}", expected="centres, edges")
    program = _program(chosen)
    use = threads_of(threads)
    prefix = "" if calorimeter is None else f"{_CALORIMETERS[calorimeter][0]}_"
    names = tuple(f"{prefix}efp_{graph.name}_k_{k:g}_b_{b:g}" for graph in chosen for k in kappas for b in betas)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(
            "two columns have one name", expected="different graphs, exponents of at most six digits", found=twice[0]
        )
    parts = [
        np.asarray(program.compute(*arrays, normed, list(kappas), list(betas), use))
        for arrays in _constituents(images_or_array, calorimeter, pixels)
    ]
    values = np.concatenate(parts).reshape(sum(map(len, parts)), len(chosen) * len(kappas) * len(betas))
    return EFPs(values, names, chosen, kappas, betas)


def _chosen(which: str | Sequence[str] | Sequence[Graph]) -> tuple[Graph, ...]:
    found = chosen_graphs(which)
    for graph in found:
        if any(not 0 <= v < min(graph.n, 256) for edge in graph.edges for v in edge):
            raise DataError("an edge to a vertex that is not there", expected=f"0 to {graph.n - 1}", found=graph)
    return tuple(found)


@lru_cache(maxsize=16)
def _program(chosen: tuple[Graph, ...]) -> Any:
    return _core.Polynomials([(graph.n, list(graph.edges)) for graph in chosen])


def _exponents(given: float | Sequence[float], name: str) -> tuple[float, ...]:
    try:
        found = np.atleast_1d(np.asarray(given, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} is no number", found=repr(given)) from error
    if found.ndim != 1 or not len(found) or not np.all(np.isfinite(found)):
        raise DataError(f"{name} is one finite number or several", found=repr(given))
    found = found + 0.0  # -0 is 0
    if len(set(found.tolist())) < len(found):
        raise DataError(f"{name} holds a number twice", found=repr(given))
    if name == "beta" and (found < 0).any():
        raise DataError("an angle of 0 has no power below 0", expected="beta >= 0", found=repr(given))
    return tuple(found.tolist())


Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def _constituents(given: Any, calorimeter: str | None, pixels: str) -> Iterator[Arrays]:
    """Weights, eta, phi, and where the constituents of each event begin, of some events after others."""
    if not isinstance(given, np.ndarray):
        yield _jagged(given)
        return
    shape = given.shape
    if isinstance(given, np.ma.MaskedArray) or given.dtype.kind not in "biufO":
        raise DataError(
            "neither images nor constituents",
            expected="an array of numbers, without a mask",
            found=f"{type(given).__name__} of {given.dtype}",
        )
    if given.ndim in (2, 3) and shape[-1] == 3:
        events = given if given.ndim == 3 else given[None]
        offsets = np.arange(len(events) + 1, dtype=np.int64) * events.shape[1]
        flat = np.asarray(events, dtype=np.float64).reshape(-1, 3).T
        weight, eta, phi = (np.ascontiguousarray(column) for column in flat)
        yield weight, eta, phi, offsets
        return
    if calorimeter is None or given.ndim not in (3, 4) or (given.ndim == 4 and shape[-1] != 1):
        raise DataError(
            "neither images nor constituents",
            expected="images (n, 31, 31[, 1]) or (n, 32, 32[, 1]), constituents (M, 3), (n, M, 3), a list of (M_i, 3)",
            found=f"shape {shape}, calorimeter {calorimeter}",
        )
    side = _CALORIMETERS[calorimeter][1]
    if shape[1:3] != (side, side):
        raise DataError(f"images of another size than of the {calorimeter}", expected=f"{side} x {side}", found=shape)
    eta_at, phi_at = _places(calorimeter, pixels)
    for start in range(0, max(len(given), 1), _BLOCK):
        images = np.asarray(given[start : start + _BLOCK], dtype=np.float64).reshape(-1, side, side)
        event, row, column = np.nonzero(images)
        offsets = np.searchsorted(event, np.arange(len(images) + 1)).astype(np.int64)
        yield images[event, row, column], eta_at[column], phi_at[row], offsets


def _places(calorimeter: str, pixels: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eta of each column and phi of each row."""
    _, side, eta_width, phi_width = _CALORIMETERS[calorimeter]
    if pixels == "edges":
        eta, phi = _EDGES[calorimeter]
        return np.linspace(-eta, eta, side), np.linspace(phi, -phi, side)
    from_centre = np.arange(side) - (side - 1) / 2
    return from_centre * eta_width, -from_centre * phi_width


def _jagged(given: Any) -> Arrays:
    """Events that hold different numbers of (weight, eta, phi)."""
    import awkward as ak

    expected = "a list or an awkward array of events, each (M, 3): weight, eta, phi"
    try:
        if isinstance(given, ak.Array):
            if re.search(r"\?|option\[", str(given.type)):
                raise DataError("constituents that are missing", expected=expected, found=str(given.type)[:200])
            counts = ak.to_numpy(ak.num(given))
            flat = ak.to_numpy(ak.to_regular(ak.flatten(given), axis=1))
        else:
            events = [np.asarray(one, dtype=np.float64) for one in given]
            counts = np.array([len(event) for event in events], dtype=np.int64)
            flat = np.concatenate([event for event in events if len(event)] or [np.empty((0, 3))])
    except (TypeError, ValueError) as error:
        raise DataError("neither images nor constituents", expected=expected, found=str(error)[:200]) from error
    if flat.ndim != 2 or flat.shape[1] != 3:
        raise DataError("not three numbers a constituent", expected=expected, found=f"shape {flat.shape}")
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    weight, eta, phi = (np.ascontiguousarray(column, dtype=np.float64) for column in flat.T)
    return weight, eta, phi, offsets
