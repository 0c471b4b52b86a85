"""Towers in, score out: a network file applied to ROOT files.

    towers -> candidates -> images -> variables -> C++ evaluator -> TTree `hepml`: one entry per input entry

The same C++ that made the training data makes the inputs, so that the score of an event is, bit for bit, the score
that `hepml predict` gives to its images.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.candidates import STATUS_NAMES, Candidates, select_candidates
from hepml.errors import DataError, GranularityError, SchemaError
from hepml.evaluator import Evaluator
from hepml.features import FEATURE_NAMES, MASS_NAMES, high_level, mass
from hepml.geometry import Geometry
from hepml.images import IMAGE_NAMES, expand_hcal, make_images
from hepml.ledger import atomic_path, check_not_input, check_output
from hepml.trees import Events, Source, expand_files, iterate_events
from hepml.working_points import WorkingPoint, working_point

__all__ = ["Applied", "Scored", "apply", "score_events"]

_log = logging.getLogger("hepml")
_NOT_FINITE = STATUS_NAMES.index("not_finite")
Files = str | os.PathLike[str] | Source | Iterable[str | os.PathLike[str] | Source]


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
    evaluator: Evaluator,
    events: Events,
    *,
    collection: str | None = None,
    which: str = "leading",
    overlap: str = "refuse",
) -> Scored:
    """The score of the leading object of each event, or of all objects.

    Args:
        evaluator: a network that was exported with its image geometry.
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
    geometry = _geometry_of(evaluator)
    collection = _collection(evaluator, collection)
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
    score[slot] = _first_output(evaluator, candidates)
    status[slot[np.isnan(score[slot])]] = _NOT_FINITE
    if everything:
        return Scored(score, status, objects.pt, objects.eta, np.diff(objects.offsets).astype(np.int64))
    pt, eta = np.full((2, len(status)), np.nan)
    pt[slot], eta[slot] = candidates.pt, candidates.eta
    return Scored(score, status, pt, eta, None)


def _first_output(evaluator: Evaluator, candidates: Candidates) -> NDArray[np.float32]:
    results = evaluator(network_inputs(evaluator, candidates))
    return np.asarray(results[evaluator.outputs[0].name][:, 0], dtype=np.float32)


def network_inputs(evaluator: Evaluator, candidates: Candidates) -> dict[str, NDArray[Any]]:
    """The inputs of a network, by name, made from candidates.

    Raises:
        DataError: an input that cannot be made from towers.
    """
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
    }
    known = {"hl": FEATURE_NAMES, **{name: (name,) for name in MASS_NAMES}}
    for record in evaluator.inputs:
        if record.name not in makers:
            raise DataError(
                f"the network's input {record.name!r} cannot be made from towers",
                expected="inputs named " + ", ".join((*IMAGE_NAMES, "hl", *MASS_NAMES)),
                found=record.name,
                fix="make the inputs yourself and use hepml predict",
            )
        names = tuple(variable.name for variable in record.variables)
        if record.name in known and set(names) & set(known[record.name]) and names != known[record.name]:
            raise DataError(
                f"the variables of the network's input {record.name!r} are not hepml's",
                expected=", ".join(known[record.name]),
                found=", ".join(names),
            )
    return {record.name: makers[record.name]() for record in evaluator.inputs}


def _collection(evaluator: Evaluator, wanted: str | None) -> str:
    """What is asked for, else what the network was trained on, else, where its file does not say, "electron"."""
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


def _geometry_of(evaluator: Evaluator) -> Geometry:
    if evaluator.geometry is None:
        raise DataError(
            "the network has no image geometry, so it cannot start from towers",
            expected="a file that hepml export wrote from a run on data.h5",
            found="a file without geometry",
            fix="make the inputs yourself and use hepml predict",
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


@dataclass
class Applied:
    """What happened to one file.

    Attributes:
        source, output: the files.
        entries: of the tree.
        counts: objects (events, if only the leading is scored) of each status, by name; "ok" are the candidates.
        passed: how many pass the working point, None without one.
    """

    source: str
    output: Path
    entries: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    passed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {**self.__dict__, "output": str(self.output)}


def apply(
    network: str | Path | Evaluator,
    files: Files,
    output: str | Path,
    *,
    layout: str | Path | None = None,
    collection: str | None = None,
    which: str = "leading",
    overlap: str = "refuse",
    threshold: float | None = None,
    signal_efficiency: float | None = None,
    step_size: int | str = "50 MB",
    overwrite: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> list[Applied]:
    """Scores ROOT files; each output holds the TTree `hepml` with one entry per input entry.

    Branches: `score` (float32, NaN where rejected) and `status` (uint8, 0 for candidates), jagged and aligned with the
    collection if all its objects are scored; `pass` (bool) with a working point.

    Args:
        network: a file with image geometry, or an evaluator of one.
        files: as for `iterate_events`.
        output: a file if it ends in .root (for one input), otherwise a folder with a file an input, whose name
            has a hash of the input's path where base names are equal.
        layout, step_size: as for `iterate_events`.
        collection, which, overlap: as for `score_events`.
        threshold, signal_efficiency: one of them adds the branch `pass`.
        overwrite: replace existing outputs.
        progress: called with the input's name and the entries done so far.

    Returns:
        One record a file, in order.

    Raises:
        DataError, GranularityError: as for `score_events`; several inputs for one output file.
        InputFileError: as for `iterate_events`.
        OutputError: an output exists or cannot be written.
    """
    evaluator = network if isinstance(network, Evaluator) else Evaluator(network)
    _geometry_of(evaluator)
    cut = working_point(evaluator, threshold=threshold, signal_efficiency=signal_efficiency)
    sources = expand_files(files)
    outputs = _outputs(sources, Path(output), overwrite)
    collection = _collection(evaluator, collection)
    trained = evaluator.metadata.get("collection")
    if trained not in (None, collection):
        _log.warning(
            "the network was trained on the collection %r and is applied to %r: its scores and working points were "
            "never tried there",
            trained,
            collection,
        )
    options = {"collection": collection, "which": which, "overlap": overlap}
    done = []
    for source, path in zip(sources, outputs, strict=True):
        record = Applied(source.path, path, passed=None if cut is None else 0)
        chunks = iterate_events([source], layout=layout, step_size=step_size, collections=(collection,))
        with atomic_path(path, overwrite=overwrite) as temporary:
            _write(temporary, evaluator, chunks, cut=cut, options=options, record=record, progress=progress)
        done.append(record)
    return done


def _outputs(sources: list[Source], output: Path, overwrite: bool) -> list[Path]:
    """The output of each input, after the checks that need no work."""
    if output.suffix == ".root":
        if len(sources) > 1:
            raise DataError(
                "several inputs for one output file",
                where=output,
                found=f"{len(sources)} inputs",
                fix="give a folder: a name that does not end in .root",
            )
        paths = [output]
    else:
        paths = [output / name for name in _names([source.path for source in sources])]
    for path, source in zip(paths, sources, strict=True):
        if paths.count(path) > 1:
            raise DataError("two inputs have the same output", where=path, fix="apply them into different folders")
        if not source.remote:
            check_not_input(path, [source.path])
        check_output(path, overwrite)
    return paths


def _names(paths: list[str]) -> list[str]:
    """An output name for each input; inputs of equal base names get a hash of their full path."""
    stems = [Path(path).name.removesuffix(".root") for path in paths]
    full = [path if "://" in path else os.path.realpath(path) for path in paths]
    marks = [hashlib.sha256(os.fsencode(path)).hexdigest()[:16] for path in full]
    return [
        f"{stem}-{mark}.root" if stems.count(stem) > 1 else f"{stem}.root"
        for stem, mark in zip(stems, marks, strict=True)
    ]


def _write(
    path: Path,
    evaluator: Evaluator,
    chunks: Iterable[Events],
    *,
    cut: WorkingPoint | None,
    options: Mapping[str, str],
    record: Applied,
    progress: Callable[[str, int], None] | None,
) -> None:
    import awkward as ak
    import uproot

    branches = {"score": "float32", "status": "uint8"} | ({} if cut is None else {"pass": "bool"})
    jagged = options["which"] == "all"
    fields = ", ".join(f'"{name}": {kind}' for name, kind in branches.items())
    total = np.zeros(len(STATUS_NAMES), dtype=np.int64)
    with uproot.recreate(path) as file:
        tree = file.mktree(
            "hepml",
            {"object": f"var * {{{fields}}}"} if jagged else branches,
            title=f"scores of the network {evaluator.model_id}",
            counter_name=lambda _counted: "n",
            field_name=lambda _outer, inner: inner,
        )
        for events in chunks:
            scored = score_events(evaluator, events, **options)
            columns: dict[str, NDArray[Any]] = {"score": scored.score, "status": scored.status}
            if cut is not None:
                columns["pass"] = cut.passes(scored.score, scored.pt, scored.eta)
                record.passed = (record.passed or 0) + int(np.count_nonzero(columns["pass"]))
            total += np.bincount(scored.status, minlength=len(total))
            record.entries += len(events)
            if len(events) and jagged:
                tree.extend({"object": ak.unflatten(ak.zip(columns), scored.counts)})
            elif len(events):
                tree.extend(columns)
            if progress is not None:
                progress(record.source, record.entries)
    record.counts = {name: int(n) for name, n in zip(STATUS_NAMES, total, strict=True) if n or name == "ok"}
    if not record.entries:
        _log.warning("%s has no entries: the output holds an empty tree", record.source)
