"""Friend trees: a network applied to ROOT files, one output for each input.

    file -> scores of its events -> TTree `hepml`, one entry per input entry, and the ledger of how they were made

The same C++ that made the training data makes the inputs, so that the score of an event is, bit for bit, the score
that `hepml predict` gives to its images.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.applying import check_network, collection_of, score_events
from hepml.atomic import sweep
from hepml.candidates import STATUS_NAMES
from hepml.dataset.checklist import check_listed, read_checksums
from hepml.dataset.processes import Processes, here
from hepml.errors import (
    DataError,
    HepmlError,
    InputFileError,
    MissingBranchError,
    OutputError,
    VerificationError,
    printable,
)
from hepml.evaluator import Evaluator
from hepml.folds import Folds, first_of, open_networks
from hepml.friends.books import LEDGER, read_ledger
from hepml.friends.outputs import outputs_of
from hepml.ledger import (
    atomic_path,
    check_unchanged,
    code_version,
    file_state,
    json_text,
    sha256_file,
)
from hepml.stages import stage
from hepml.trees import Source, expand_files, iterate_events
from hepml.trees.files import open_file
from hepml.trees.reading import check_files
from hepml.working_points import working_point

__all__ = ["Applied", "apply"]

_log = logging.getLogger("hepml")
_UNREADABLE = (InputFileError, MissingBranchError, DataError)  # what is wrong with one file; see check_network
Files = str | os.PathLike[str] | Source | Iterable[str | os.PathLike[str] | Source]


@dataclass
class Applied:
    """What happened to one file.

    Attributes:
        source, output: the files.
        entries: of the tree.
        counts: objects (events, if only the leading is scored) of each status, by name; "ok" are the candidates.
        passed: how many pass the working point, None without one.
        kept: the output was there, whole and of the same input, network, options and code.
        skipped: why there is no output, None if there is one.
    """

    source: str
    output: Path
    entries: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    passed: int | None = None
    kept: bool = False
    skipped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {**self.__dict__, "output": str(self.output)}


@dataclass(frozen=True)
class _Each:
    """One input and its output."""

    number: int
    file: Source
    output: Path


@dataclass(frozen=True)
class _Scoring:
    """What is done with each file; goes to every process.

    Attributes:
        network: the file or folder of the network, or what was opened where no process needs it.
        evaluation: what the scores depend on beside the input: the network, the options, the code.
    """

    network: str | Evaluator | Folds
    layout: str | Path | None
    options: dict[str, str]
    threshold: float | None
    signal_efficiency: float | None
    step_size: int | str
    resume: bool
    overwrite: bool
    evaluation: dict[str, Any]
    checksums: dict[str, str] | None

    def steps(self, each: _Each) -> Iterator[Applied | None]:
        """Scores one file: None for each step, then what happened."""
        network = _loaded(self.network) if isinstance(self.network, str) else self.network
        state = None if each.file.remote else file_state(each.file.path)
        ledger = {"format": "hepml-scores", "input": _input(each.file), **self.evaluation}
        if self.checksums is not None and state is not None:
            check_listed(each.file.path, ledger["input"]["sha256"], self.checksums)
        if self.resume and each.output.exists():
            found = _verified(each, ledger)
            if found is not None:
                sweep(each.output)
                yield found
                return
        record = Applied(each.file.path, each.output)
        with atomic_path(each.output, overwrite=self.overwrite or self.resume) as temporary:
            for _ in self._write(temporary, each, network, record, ledger):
                yield None
            if state is not None:
                check_unchanged(each.file.path, state)
            elif _uuid(each.file) != ledger["input"]["uuid"]:
                raise InputFileError(
                    "the file behind the URL was replaced while it was read",
                    where=each.file.path,
                    fix="give the command again when it is complete",
                )
        yield record

    def _write(
        self, path: Path, each: _Each, network: Evaluator | Folds, record: Applied, ledger: dict[str, Any]
    ) -> Iterator[None]:
        import awkward as ak
        import uproot

        cut = working_point(network, threshold=self.threshold, signal_efficiency=self.signal_efficiency)
        record.passed = None if cut is None else 0
        branches = {"score": "float32", "status": "uint8"} | ({} if cut is None else {"pass": "bool"})
        jagged = self.options["which"] == "all"
        fields = ", ".join(f'"{name}": {kind}' for name, kind in branches.items())
        total, objects = np.zeros(len(STATUS_NAMES), dtype=np.int64), 0
        digests = {name: hashlib.sha256() for name in (*branches, *(["n"] if jagged else []))}
        chunks = iterate_events(
            [each.file],
            layout=self.layout,
            step_size=self.step_size,
            group=network.group if isinstance(network, Folds) else None,
            collections=(self.options["collection"],),
        )
        with uproot.recreate(path) as output:
            tree = output.mktree(
                "hepml",
                {"object": f"var * {{{fields}}}"} if jagged else branches,
                title=f"scores of the network {first_of(network).model_id}",
                counter_name=lambda _counted: "n",
                field_name=lambda _outer, inner: inner,
            )
            for events in chunks:
                stage("chunk", f"{each.file.path}, {len(events)} entries")
                scored = score_events(network, events, **self.options)
                columns: dict[str, NDArray[Any]] = {"score": scored.score, "status": scored.status}
                if cut is not None:
                    columns["pass"] = cut.passes(scored.score, scored.pt, scored.eta)
                    record.passed = (record.passed or 0) + int(np.count_nonzero(columns["pass"]))
                hashed = columns if scored.counts is None else {**columns, "n": scored.counts.astype("<i4")}
                for name, values in hashed.items():
                    digests[name].update(values.tobytes())
                total += np.bincount(scored.status, minlength=len(total))
                record.entries += len(events)
                objects += 0 if scored.counts is None else int(scored.counts.sum())
                if len(events) and jagged:
                    tree.extend({"object": ak.unflatten(ak.zip(columns), scored.counts)})
                elif len(events):
                    tree.extend(columns)
                yield
            record.counts = {name: int(n) for name, n in zip(STATUS_NAMES, total, strict=True) if n or name == "ok"}
            _check_balance(record, objects if jagged else record.entries)
            result = {"entries": record.entries, "counts": record.counts, "passed": record.passed}
            result["sha256"] = {name: digest.hexdigest() for name, digest in digests.items()}
            output[LEDGER] = json_text({**ledger, "result": result})
        if not record.entries:
            _log.warning("%s has no entries: the output holds an empty tree", printable(record.source))


def apply(
    network: str | Path | Evaluator | Folds,
    files: Files,
    output: str | Path,
    *,
    layout: str | Path | None = None,
    collection: str | None = None,
    which: str = "leading",
    overlap: str = "refuse",
    threshold: float | None = None,
    signal_efficiency: float | None = None,
    step_size: int | str = "20 MB",
    jobs: int = 1,
    timeout: float = 1800.0,
    checksums: str | Path | None = None,
    skip_bad: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[Applied, int], None] | None = None,
) -> list[Applied]:
    """Scores ROOT files; each output holds the TTree `hepml` with one entry per input entry.

    Branches: `score` (float32, NaN where rejected) and `status` (uint8, 0 for candidates), jagged and aligned with the
    collection if all its objects are scored; `pass` (bool) with a working point. ROOT's AddFriend takes the tree. The
    TObjString `hepml_ledger` says of what input, network, options and code it is, with counts and checksums.

    Args:
        network: a file with image geometry; a folder with a file for each fold, of which each event is scored by the
            one that did not train on it; or (with one job) either opened already.
        files: as for `iterate_events`.
        output: a file if it ends in .root (for one input), otherwise a folder with a file an input, whose name
            has a hash of the input's path where base names are equal.
        layout, step_size: as for `iterate_events`; the scores do not depend on the step size.
        collection, which, overlap: as for `score_events`.
        threshold, signal_efficiency: one of them adds the branch `pass`.
        jobs: processes, each of which scores whole files; the outputs do not depend on their number.
        timeout: seconds without a sign of life after which a process is replaced.
        checksums: a list of the files' SHA-256, as `sha256sum` writes it; a file that differs or is not in it cannot
            be read.
        skip_bad: go on past files that cannot be read; they get no output and are told in the records.
        resume: keep outputs that are whole and of the same input, network, options and code; write damaged ones again.
        overwrite: replace existing outputs.
        progress: called with what happened to a file and the number of files in all.

    Returns:
        One record a file, in order.

    Raises:
        DataError, GranularityError: as for `score_events`; several inputs for one output file; a folder of other
            networks than the folds of one run.
        InputFileError: as for `iterate_events`; a file that cannot be opened, or lacks a branch, before any is scored.
        OutputError: an output exists or cannot be written; with `resume`, it is of something else.

    Example:
        >>> apply("net.json", "events/*.root", "scores", jobs=4, resume=True)[0].counts  # doctest: +SKIP
        {'ok': 2388, 'search_window': 112}
    """
    opened = open_networks(network)
    evaluator = first_of(opened)
    check_network(evaluator)
    if jobs > 1 and opened is network:
        raise DataError(
            "several processes need the file of the network", expected="a path", found=type(network).__name__
        )
    working_point(opened, threshold=threshold, signal_efficiency=signal_efficiency)  # a wrong one is told now
    sources = expand_files(files)
    outputs = outputs_of(sources, Path(output), overwrite or resume)
    collection = collection_of(evaluator, collection)
    trained = evaluator.metadata.get("collection")
    if trained not in (None, collection):
        _log.warning(
            "the network was trained on the collection %r and is applied to %r: its scores and working points were "
            "never tried there",
            trained,
            collection,
        )
    options = {"collection": collection, "which": which, "overlap": overlap}
    settings = {**options, "threshold": threshold, "signal_efficiency": signal_efficiency, "layout": _layout(layout)}
    scoring = _Scoring(
        network=str(network) if jobs > 1 else opened,  # loaded once in each process
        layout=layout,
        options=options,
        threshold=threshold,
        signal_efficiency=signal_efficiency,
        step_size=step_size,
        resume=resume,
        overwrite=overwrite,
        evaluation={"network": _identity(network, opened), "options": settings, "code": code_version()},
        checksums=None if checksums is None else read_checksums(checksums),
    )
    if len(sources) > 1 and not skip_bad:
        group = opened.group if isinstance(opened, Folds) else None
        check_files(sources, layout, group=group, collections=(collection,))
    inputs = [_Each(i, source, path) for i, (source, path) in enumerate(zip(sources, outputs, strict=True))]
    results = Processes(jobs, timeout).read(inputs, scoring) if jobs > 1 else here(inputs, scoring)
    done = []
    for each, result in results:
        if isinstance(result, HepmlError):
            if not (skip_bad and isinstance(result, _UNREADABLE)):
                raise result
            record = Applied(each.file.path, each.output, skipped=f"{type(result).__name__}: {result.problem}")
        else:
            record = result[-1]
        done.append(record)
        if progress is not None:
            progress(record, len(inputs))
    return done


_networks: dict[str, Evaluator | Folds] = {}  # of this process


def _loaded(path: str) -> Evaluator | Folds:
    if path not in _networks:
        _networks[path] = open_networks(path)
    return _networks[path]


def _input(file: Source) -> dict[str, Any]:
    """What tells whether an input is the same; nothing of where it lies. A URL is not read twice for a checksum."""
    return {
        "name": Path(file.path).name,
        "tree": file.tree,
        "size": None if file.remote else os.path.getsize(file.path),
        "uuid": _uuid(file),
        "sha256": None if file.remote else sha256_file(file.path),
    }


def _uuid(file: Source) -> str:
    """ROOT's own identity of the file."""
    with open_file(file) as opened:
        return str(opened.file.uuid)


def _identity(given: object, opened: Evaluator | Folds) -> dict[str, Any]:
    """What tells whether a network is the same."""
    if isinstance(opened, Folds):
        return {"model_id": [one.model_id for one in opened.networks], "group": opened.group}
    sha256 = sha256_file(given) if isinstance(given, str | Path) else None
    return {"model_id": opened.model_id, "sha256": sha256}


def _layout(layout: str | Path | None) -> str | None:
    """A layout by its name, or a file by its content."""
    if layout is None or not Path(layout).is_file():
        return None if layout is None else str(layout)
    return f"sha256:{sha256_file(layout)}"


def _check_balance(record: Applied, objects: int) -> None:
    """Every entry, or object if all are scored, has a status: nothing is lost on the way.

    Raises:
        VerificationError: they do not add up.
    """
    if sum(record.counts.values()) != objects:
        raise VerificationError(
            "the books of the scores do not balance: nothing is written",
            where=record.source,
            expected=f"{objects} objects of {record.entries} entries",
            found=str(record.counts),
            fix="this is a mistake in hepml: please report it",
        )


def _verified(each: _Each, expected: dict[str, Any]) -> Applied | None:
    """What an output says, if it is whole and as expected; None if it is damaged.

    Raises:
        OutputError: it is of another input, network, options or code, or something else altogether.
    """
    try:
        ledger = read_ledger(each.output)
    except VerificationError as error:
        _log.warning("%s; it is written again", error)
        return None
    except InputFileError as error:
        raise OutputError(
            "the output exists and is not of hepml apply", where=each.output, fix="choose another name"
        ) from error
    differing = [key for key in expected if ledger.get(key) != expected[key]]
    if differing:
        raise OutputError(
            "the output was made differently",
            where=each.output,
            expected="the same " + ", ".join(expected),
            found="another " + ", ".join(differing),
            fix="pass overwrite (--overwrite), or write into another folder",
        )
    result = ledger["result"]
    counted = (result["entries"], result["counts"], result["passed"])
    return Applied(each.file.path, each.output, *counted, kept=True)
