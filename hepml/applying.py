"""Towers in, score out: a network applied to events.

    towers -> candidates -> images -> variables -> C++ evaluator

The same C++ that made the training data makes the inputs, so that the score of an event is, bit for bit, the score
that `hepml predict` gives to its images.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.candidates import STATUS_NAMES, Candidates, select_candidates
from hepml.errors import DataError, GranularityError, SchemaError
from hepml.evaluator import Evaluator
from hepml.features import FEATURE_NAMES, MASS_NAMES, high_level, mass
from hepml.folds import Folds, first_of
from hepml.geometry import Geometry
from hepml.images import IMAGE_NAMES, expand_hcal, make_images
from hepml.trees import Events

__all__ = ["Scored", "check_network", "collection_of", "network_inputs", "score_events"]

_NOT_FINITE = STATUS_NAMES.index("not_finite")


@dataclass(frozen=True)
class Scored:
    """Scores of some events.

    Attributes:
        score: float32, NaN where rejected: one an event, or one an object if all are candidates.
        status: uint8, code of `hepml.candidates.STATUS_NAMES`; 0 for candidates.
        pt, eta: of the objects, float64, NaN where there is none.
        counts: objects of each event, int64 (n_events,), or None with one score an event.
    """

    score: NDArray[np.float32]
    status: NDArray[np.uint8]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    counts: NDArray[np.int64] | None


def score_events(
    network: Evaluator | Folds,
    events: Events,
    *,
    collection: str | None = None,
    which: str = "leading",
    overlap: str = "refuse",
) -> Scored:
    """The score of the leading object of each event, or of all objects.

    Args:
        network: one that was exported with its image geometry, or those of all folds.
        events: from `open_events` or `iterate_events`.
        collection: the objects that are scored; by default those that the network was trained on.
        which, overlap: as for `select_candidates`; towers that do not nest in the network's cells are an error unless
            `overlap` is "share".

    Returns:
        Scores, the first element of the first output; none for no events.

    Raises:
        DataError: the network has no geometry, or an input that towers do not give.
        GranularityError: the towers are of another granularity than the network's grids.

    Example:
        >>> scored = score_events(hepml.Evaluator("net.json"), events)  # doctest: +SKIP
        >>> scored.score.shape, scored.status.dtype  # doctest: +SKIP
        ((2500,), dtype('uint8'))
    """
    evaluator = first_of(network)
    if isinstance(network, Folds):
        events = network.grouped(events)
    geometry = check_network(evaluator)
    collection = collection_of(evaluator, collection)
    _check_grids(events, geometry)
    try:
        candidates = select_candidates(
            events,
            collection=collection,
            which=which,
            convention=evaluator.metadata.get("convention"),
            geometry=geometry,
            overlap=overlap,
            truth=False,
            **towers_of(evaluator),
        )
    except GranularityError as error:
        raise GranularityError(
            f"{error.problem}: they are of another granularity than the network's",
            where=error.parts.get("where"),
            expected=f"the network's {error.parts.get('expected')}",
            found=error.parts.get("found"),
            fix="apply a network that was trained on such towers, or divide them over the network's cells by area: "
            'overlap="share", on the command line --overlap share',
        ) from error
    objects = events.objects[collection]
    everything = which == "all"
    slot = np.flatnonzero(candidates.status == 0) if everything else candidates.row
    status = candidates.status.copy()
    score = np.full(len(status), np.nan, dtype=np.float32)
    inputs = network_inputs(evaluator, candidates)
    if isinstance(network, Folds):
        for one, rows in zip(network.networks, network.rows(candidates.group), strict=True):
            score[slot[rows]] = _first_output(one, {name: array[rows] for name, array in inputs.items()})
    else:
        score[slot] = _first_output(evaluator, inputs)
    status[slot[np.isnan(score[slot])]] = _NOT_FINITE
    if everything:
        return Scored(score, status, objects.pt, objects.eta, np.diff(objects.offsets).astype(np.int64))
    pt, eta = np.full((2, len(status)), np.nan)
    pt[slot], eta[slot] = candidates.pt, candidates.eta
    return Scored(score, status, pt, eta, None)


def _first_output(evaluator: Evaluator, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    results = evaluator(inputs)
    return np.asarray(results[evaluator.outputs[0].name][:, 0], dtype=np.float32)


def network_inputs(evaluator: Evaluator, candidates: Candidates) -> dict[str, NDArray[Any]]:
    """The inputs of a network that passed `check_network`, by name, made from candidates."""
    images = make_images(candidates)
    expand = candidates.geometry.hcal_expand
    makers: dict[str, Callable[[], NDArray[Any]]] = {
        "et": lambda: images.ecal_et,
        "ee": lambda: images.ecal_e,
        "ht": lambda: expand_hcal(images.sparse["ht"].dense(), expand)[..., None],
        "he": lambda: expand_hcal(images.sparse["he"].dense(), expand)[..., None],
        "hl": lambda: high_level(images).astype(np.float32),
        "mass": lambda: mass(images).astype(np.float32)[:, None],
        "et_mass": lambda: mass(images, "et").astype(np.float32)[:, None],
        "ee_mass": lambda: mass(images, "ee").astype(np.float32)[:, None],
        "efp": lambda: evaluator.efp(makers["et"](), makers["ht"]()),
    }
    return {record.name: makers[record.name]() for record in evaluator.inputs}


def collection_of(evaluator: Evaluator, wanted: str | None) -> str:
    """The objects that are scored: what is asked for, else those of the training, else "electron".

    Raises:
        SchemaError: the network's file names no collection as it should.
    """
    trained = evaluator.metadata.get("collection")
    if trained is not None and not (isinstance(trained, str) and trained):
        raise SchemaError(
            "the collection of a network is a name",
            where="hepml.collection",
            expected='null, or a name such as "electron"',
            found=json.dumps(trained),
            fix="export the network again",
        )
    return wanted if wanted is not None else trained or "electron"


def towers_of(evaluator: Evaluator) -> dict[str, Any]:
    """Which towers count for a network, as options of `select_candidates`; the C++ library has checked them."""
    towers = evaluator.metadata.get("towers") or {}
    return {"max_towers": towers.get("max"), "not_finite": towers.get("not_finite") or "drop"}


def check_network(evaluator: Evaluator) -> Geometry:
    """The grids of a network that can start from towers.

    Raises:
        DataError: it has no image geometry, or an input that towers do not give.
    """
    if evaluator.geometry is None:
        raise DataError(
            "the network has no image geometry, so it cannot start from towers",
            expected="a file that hepml export wrote from a run on data.h5",
            found="a file without geometry",
            fix="make the inputs yourself and use hepml predict",
        )
    known = {"hl": FEATURE_NAMES, **{name: (name,) for name in MASS_NAMES}, **dict.fromkeys(IMAGE_NAMES, ())}
    for record in evaluator.inputs:
        if record.name == "efp" and evaluator.metadata.get("efps"):
            continue
        if record.name not in known:
            raise DataError(
                f"the network's input {record.name!r} cannot be made from towers",
                expected="inputs named "
                + ", ".join((*IMAGE_NAMES, "hl", *MASS_NAMES))
                + ", and efp if the file defines it",
                found=record.name,
                fix="make the inputs yourself and use hepml predict",
            )
        names = tuple(variable.name for variable in record.variables)
        if set(names) & set(known[record.name]) and names != known[record.name]:
            raise DataError(
                f"the variables of the network's input {record.name!r} are not hepml's",
                expected=", ".join(known[record.name]),
                found=", ".join(names),
            )
    return evaluator.geometry


def _check_grids(events: Events, geometry: Geometry) -> None:
    """Towers with edges are checked one by one; the others must come from a layout with the network's grids."""
    for name, towers in (("ecal", events.ecal), ("hcal", events.hcal)):
        wanted, found = getattr(geometry, name), getattr(events.geometry, name)
        shape = ("n_eta", "n_phi", "eta_min", "eta_max")
        same = all(getattr(wanted, key) == getattr(found, key) for key in shape)
        if towers.edges is None and not same:
            raise GranularityError(
                f"the {name.upper()} towers are of another granularity than the network's",
                where=f"{events.path}, layout {events.layout!r}",
                expected=wanted.describe(),
                found=found.describe(),
                fix="apply a network that was trained on towers of this granularity",
            )
