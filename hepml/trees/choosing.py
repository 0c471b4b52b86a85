"""Which towers of an event count, in C++: those of highest ET, and those that are finite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import _core
from hepml.errors import DataError, check_choice, check_whole
from hepml.trees.events import Events, Towers
from hepml.trees.placing import as_arrays

__all__ = ["NOT_FINITE", "check_towers", "choose_towers"]

NOT_FINITE = ("drop", "keep")
_MOST = 1_000_000


def check_towers(max_towers: int | None, not_finite: str) -> tuple[int | None, str]:
    """The options of `choose_towers`, checked.

    Raises:
        DataError: they cannot be used.
    """
    check_choice("not_finite", not_finite, NOT_FINITE)
    most = None if max_towers is None else check_whole("max_towers", max_towers)
    if most is not None and not 1 <= most <= _MOST:
        raise DataError("a limit of towers that cannot be used", expected=f"1 to {_MOST}", found=most)
    return most, not_finite


def choose_towers(
    events: Events, max_towers: int | None = None, not_finite: str = "drop", *, as_stored: bool = False
) -> tuple[Events, dict[str, float]]:
    """The events with the towers that count, and how many do not.

    Args:
        events: from `open_events` or `iterate_events`.
        max_towers: how many of an event, of both calorimeters together, count: those of highest ET; of equal ET the
            first, ECal before HCal. None: all.
        not_finite: "drop" leaves all towers of an event in which one is NaN, infinite or beyond 1e30: it will be
            rejected. "keep" leaves out these towers, before the others are counted.
        as_stored: for the published macros: towers are where they are stored, not in the cell that their edges tell.

    Returns:
        The events; and as far as asked for `over_limit_events` and `over_limit_towers`, `not_finite_events` and
        `not_finite_towers`: events with towers that were left out, and these towers.

    Raises:
        DataError: an option that cannot be used.

    Example:
        >>> from importlib.resources import files
        >>> from hepml.trees import open_events
        >>> events = open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> chosen, record = choose_towers(events, max_towers=5)
        >>> int((np.diff(chosen.ecal.offsets) + np.diff(chosen.hcal.offsets)).max()), record["over_limit_events"]
        (5, 20)
    """
    most, not_finite = check_towers(max_towers, not_finite)
    if most is None and not_finite == "drop":
        return events, {}
    both = events.ecal, events.hcal
    seen = [as_arrays(towers if as_stored else _at_edges(towers)) for towers in both]
    codes = _core.select_towers(most or 0, not_finite == "keep", *seen)
    record: dict[str, float] = {}
    for code, name in ((1, "not_finite"), (2, "over_limit")):
        if (name == "not_finite" and not_finite == "keep") or (name == "over_limit" and most is not None):
            left_out = [chosen == code for chosen in codes]
            in_event = sum(_in_events(one, towers) for one, towers in zip(left_out, both, strict=True))
            record[f"{name}_events"] = int(np.count_nonzero(in_event))
            record[f"{name}_towers"] = sum(int(np.count_nonzero(one)) for one in left_out)
    ecal, hcal = (_kept(towers, chosen == 0) for towers, chosen in zip(both, codes, strict=True))
    return replace(events, ecal=ecal, hcal=hcal), record


def _at_edges(towers: Towers) -> Towers:
    """Towers in the middle of their edges; edges that are all the same, as in a branch never filled, are nowhere."""
    if towers.edges is None:
        return towers
    low, high = towers.edges[:, ::2], towers.edges[:, 1::2]
    with np.errstate(invalid="ignore", over="ignore"):
        eta, phi = np.where(low == high, np.nan, 0.5 * (low + high)).T
    return replace(towers, eta=eta, phi=phi)


def _in_events(which: NDArray[np.bool_], towers: Towers) -> NDArray[Any]:
    """How many of the marked towers each event has."""
    return np.diff(np.concatenate([[0], np.cumsum(which)])[towers.offsets])


def _kept(towers: Towers, keep: NDArray[np.bool_]) -> Towers:
    if keep.all():
        return towers
    offsets = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])[towers.offsets]
    edges = None if towers.edges is None else towers.edges[keep]
    return Towers(offsets, towers.et[keep], towers.e[keep], towers.eta[keep], towers.phi[keep], edges)
