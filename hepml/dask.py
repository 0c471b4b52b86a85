"""A collection of events, in dask or in memory, to images and scores: for coffea, uproot.dask, or any awkward array.

    events = uproot.dask({"a.root": "Delphes", "b.root": "Delphes"})     # or coffea's NanoEventsFactory
    images = hepml.dask.images(events)                                   # nothing is read yet
    scores = hepml.dask.scores(events, "net.json").compute()

With a dask-awkward collection the functions add a task to each partition, and only the branches that are needed are
read. With an awkward array, such as a coffea processor gets, they work at once. The kernels are those of
`hepml convert` and `hepml apply`: the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from hepml.applying import score_events
from hepml.candidates import select_candidates
from hepml.errors import DataError, InputFileError, MissingExtraError, check_names, check_path, nearest
from hepml.evaluator import Evaluator
from hepml.features import MASS_NAMES, high_level, mass
from hepml.images import IMAGE_NAMES, Images, expand_hcal, make_images
from hepml.layouts import Layout, load_layout
from hepml.ledger import code_version, config_hash
from hepml.trees.arrays import ArrayEvents
from hepml.trees.events import Events

__all__ = ["images", "scores"]

_TOKENS = (*IMAGE_NAMES, "hl", *MASS_NAMES)


def images(
    events: Any,
    tokens: str | Sequence[str] = ("et", "ht"),
    *,
    layout: str | Path | None = None,
    collection: str = "electron",
    which: str = "leading",
    convention: str | None = None,
    overlap: str = "share",
    preselection: str | None = None,
    max_eta: float | None = None,
    min_pt: float | None = None,
    max_towers: int | None = None,
    not_finite: str = "drop",
) -> Any:
    """The images and variables of the candidates of each event.

    Args:
        events: a dask-awkward or awkward array of records, one an event.
        tokens: of et, ee (31 x 31), ht, he (32 x 32), hl (7), mass, et_mass, ee_mass; values in GeV, not scaled.
        layout: name of a shipped layout, a YAML file, or None to recognise it.
        collection, which, convention, overlap, preselection, max_eta, min_pt, max_towers, not_finite: as for
            `hepml.select_candidates`.

    Returns:
        For each event a list of candidates, empty where all are rejected: records of `index` (in the collection),
        `pt`, `eta`, `phi` and, by token, float32 arrays of fixed shape. Lazy if the events are.

    Raises:
        DataError: not a collection of events, an unknown token, collection or option.
        MissingBranchError: no layout fits.
        MissingExtraError: a dask collection without dask-awkward.

    Example:
        >>> import uproot
        >>> from hepml.demo import sample_file
        >>> with uproot.open(sample_file("electrons")) as file:
        ...     events = file["Delphes"].arrays(entry_stop=20)
        >>> print(images(events, "et").type)
        20 * var * {index: int32, pt: float64, eta: float64, phi: float64, et: 31 * 31 * float32}
    """
    chosen = check_names("tokens", tokens)
    for token in chosen:
        if token not in _TOKENS:
            raise DataError(
                f"no image or variable is named {token!r}",
                expected=", ".join(_TOKENS),
                nearest=nearest(token, _TOKENS),
            )
    options = {
        "collection": collection,
        "which": which,
        "convention": convention,
        "overlap": overlap,
        "preselection": preselection,
        "max_eta": max_eta,
        "min_pt": min_pt,
        "max_towers": max_towers,
        "not_finite": not_finite,
    }
    make = partial(_candidates, tokens=chosen, options=options)
    each = partial(_each, layout=_loaded(layout), collections=(collection,), make=make)
    return _mapped(events, each, "hepml-images", {"tokens": chosen, **options})


def scores(
    events: Any,
    network: str | Path,
    *,
    layout: str | Path | None = None,
    collection: str | None = None,
    which: str = "leading",
    overlap: str = "refuse",
) -> Any:
    """The score of a network for each event, or for each object.

    The text of the network travels with the tasks, so the workers need not see its file.

    Args:
        events: a dask-awkward or awkward array of records, one an event.
        network: a file that `hepml export` wrote, with image geometry.
        layout: name of a shipped layout, a YAML file, or None to recognise it.
        collection, which, overlap: as for `hepml apply`; the collection is by default that of the training.

    Returns:
        Records of `score` (float32, NaN where rejected) and `status` (uint8, 0 for candidates): one an event or, with
        ``which="all"``, a list aligned with the collection. Lazy if the events are.

    Raises:
        InputFileError, SchemaError, VerificationError: the network cannot be used.
        DataError, MissingBranchError, MissingExtraError: as for `images`.
        GranularityError: towers of another granularity than the network's.

    Example:
        >>> scores(uproot.dask({"a.root": "Delphes"}), "net.json").score.compute()  # doctest: +SKIP
        <Array [0.973, 0.11, nan, ...] type='2500 * float32'>
    """
    path = Path(check_path(network))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError("cannot read the network", where=path, found=error) from error
    trained = _evaluator(text).metadata.get("collection")
    wanted = collection or (trained if isinstance(trained, str) and trained else "electron")
    options = {"collection": wanted, "which": which, "overlap": overlap}
    make = partial(_scored, text=text, options=options)
    each = partial(_each, layout=_loaded(layout), collections=(wanted,), make=make)
    return _mapped(events, each, "hepml-scores", {"network": text, **options})


def _loaded(layout: str | Path | None) -> Layout | None:
    """The layout itself, which travels with the tasks: the workers need not see its file."""
    return None if layout is None else load_layout(layout)


def _mapped(events: Any, function: partial[Any], label: str, given: dict[str, Any]) -> Any:
    """The function of each partition.

    Its key is a hash of the collection's name, hepml's code, the layout and what was given: the same for the same call
    in any process, another for any other call. dask's own hash of a layout differs between processes.
    """
    import awkward as ak

    expected = "a dask-awkward array (uproot.dask, coffea) or an awkward array, of records, one an event"
    if isinstance(events, ak.Array):
        return function(events)
    if not hasattr(events, "dask"):
        raise DataError("not a collection of events", expected=expected, found=type(events))
    try:
        import dask_awkward
    except ImportError as error:
        raise MissingExtraError("dask-awkward is not installed", fix="pip install 'hepml[dask]'") from error
    if not isinstance(events, dask_awkward.Array):
        raise DataError("a dask collection of another kind than events", expected=expected, found=type(events))
    layout = function.keywords["layout"]
    token = config_hash({"events": events.name, "code": code_version(), "layout": repr(layout), **given})
    return dask_awkward.map_partitions(function, events, label=label, token=token[:32])


def _each(array: Any, *, layout: Layout | None, collections: tuple[str, ...], make: Callable[[Events], Any]) -> Any:
    """The result for one partition; for one without data, which dask uses to plan, its type."""
    import awkward as ak

    found = ArrayEvents(array, layout, collections)
    if ak.backend(array) != "typetracer":
        return make(found.events())
    found.touch()
    return ak.Array(make(found.no_events()).layout.to_typetracer(forget_length=True))


def _candidates(events: Events, *, tokens: Sequence[str], options: dict[str, Any]) -> Any:
    import awkward as ak

    candidates = select_candidates(events, truth=False, **options)
    made = make_images(candidates)
    columns = {
        "index": candidates.index,
        "pt": candidates.pt,
        "eta": candidates.eta,
        "phi": candidates.phi,
        **{token: _values(made, token) for token in tokens},
    }
    counts = np.bincount(candidates.row, minlength=len(events))
    return ak.unflatten(ak.zip(columns, depth_limit=1), counts)


def _values(made: Images, token: str) -> Any:
    """An input of each candidate as a network takes it, without the axis of channels."""
    if token == "hl":
        return high_level(made).astype(np.float32)
    if token in MASS_NAMES:
        return mass(made, token).astype(np.float32)
    dense = made.sparse[token].dense()
    return expand_hcal(dense, made.geometry.hcal_expand) if token in ("ht", "he") else dense


def _scored(events: Events, *, text: str, options: dict[str, Any]) -> Any:
    import awkward as ak

    scored = score_events(_evaluator(text), events, **options)
    records = ak.zip({"score": scored.score, "status": scored.status})
    return records if scored.counts is None else ak.unflatten(records, scored.counts)


@lru_cache(maxsize=4)
def _evaluator(text: str) -> Evaluator:
    """Loaded once a process; dask runs several tasks at a time, so each takes one thread."""
    return Evaluator.from_text(text, threads=1)
