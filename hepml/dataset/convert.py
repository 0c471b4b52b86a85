"""ROOT files to data.h5: every candidate read is written or counted under the name of what rejected it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hepml import ledger
from hepml.dataset.record import Record, new_entry
from hepml.dataset.rows import VARIABLES, Options
from hepml.dataset.sink import Sink
from hepml.dataset.sources import files_of, find_samples, sample_config, survey, task_of
from hepml.dataset.verify import log_of
from hepml.dataset.workers import read_inputs
from hepml.dataset.writer import Writer

__all__ = ["Progress", "Summary", "convert"]

_log = logging.getLogger("hepml")
Progress = Callable[[str, int, int], None]  # file, entries read since the last call, entries in all


@dataclass(frozen=True)
class Summary:
    """What a conversion did.

    Attributes:
        path: the data file.
        log: the sidecar with time, host, jobs and full paths.
        samples: per sample its name, label and cut flow; read = written + the other lines.
        cut_flow: the sum over the samples.
        rows: split -> rows.
        classes: name -> rows of each class; empty for a regression.
        duplicate_identities: rows whose identity an earlier row has.
        size: bytes of the file.
        seconds: wall time.
        checksum: SHA-256 of the content.
    """

    path: Path
    log: Path
    samples: list[dict[str, Any]]
    cut_flow: dict[str, int]
    rows: dict[str, int]
    classes: dict[str, int]
    duplicate_identities: int
    size: int
    seconds: float
    checksum: str

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in self.__dict__.items()}


def convert(
    signal: str | Path | Sequence[str | Path] | None,
    background: str | Path | Sequence[str | Path] | None,
    output: str | Path,
    *,
    layout: str | Path | None = None,
    samples: str | Path | None = None,
    which: str = "leading",
    collection: str = "electron",
    convention: str | None = None,
    preselection: str | None = None,
    overlap: str = "share",
    max_eta: float | None = None,
    min_pt: float | None = None,
    dense: bool = False,
    jobs: int = 1,
    overwrite: bool = False,
    step_size: int | str = "100 MB",
    progress: Progress | None = None,
) -> Summary:
    """Writes the candidates of ROOT files to a data file.

    Args:
        signal, background: files, globs or lists of them; `file.root:tree` is accepted. Labels 1 and 0.
        output: the data file; its folder is made if absent.
        layout: name of a layout or YAML file; None recognises it.
        samples: samples.yaml, in place of signal and background.
        which: "leading" or "all" objects of the collection.
        collection: electron, jet, muon: the seeds.
        convention: None, or "2011.01984" for the published macros with their quirks.
        preselection: None or "hard".
        overlap: what to do with towers that do not nest in a cell: "share" or "refuse".
        max_eta, min_pt: cuts on the seeds.
        dense: write images as the published files have them, readable by any HDF5 program.
        jobs: processes; the file does not depend on their number.
        overwrite: replace an existing output.
        step_size: how much is read at a time; the file does not depend on it.
        progress: called with the file, the number of entries just read, and their number in all files.

    Returns:
        What was read, cut and written.

    Raises:
        InputFileError: a file is absent, damaged or not ROOT.
        MissingBranchError: a branch is missing.
        DataError: no candidates, one class only, the same events twice.
        GranularityError: files with different grids.
        OutputError: the output or its log exists, cannot be written, or is an input.

    Example:
        >>> convert("electrons.root", "jets.root", "data.h5").rows  # doctest: +SKIP
        {'train': 24716, 'valid': 6201, 'test': 7747}
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    output = ledger.check_output(output, overwrite)
    log = ledger.check_output(log_of(output), overwrite)
    found = find_samples(signal, background, samples, layout)
    for written in (output, log):
        ledger.check_not_input(written, files_of(found))
    inputs = survey(found, collection)
    entries = sum(each.entries for each in inputs)
    task = task_of(found)
    options = Options(which, collection, convention, preselection, overlap, max_eta, min_pt)
    own = [*map(sample_config, found.samples)]
    config = {**options.__dict__, "dense": dense, "task": task, "samples": own}
    record = Record(task, own, [*map(new_entry, inputs)], [each.file.path for each in inputs])
    with (  # neither gets its name before both are written
        ledger.atomic_path(log, overwrite=overwrite) as temporary_log,
        ledger.atomic_path(output, overwrite=overwrite) as temporary,
    ):
        with Sink(temporary) as sink:
            writer: Writer | None = None
            for rows in read_inputs(inputs, options, jobs=jobs, step_size=step_size):
                record.add(rows)
                writer = writer or Writer(sink, geometry=rows.geometry, variables=VARIABLES, dense=dense)
                writer.append(rows.block)
                if progress is not None:
                    progress(inputs[rows.file_id].file.path, rows.entries[1] - rows.entries[0], entries)
            classes = record.classes()
            assert writer is not None  # classes() raises where nothing was read
            writer.flush()
            record.balance(sum(writer.rows.values()))
            duplicates = writer.duplicates()
            provenance: dict[str, Any] = {
                "code": ledger.code_version(),
                "config": config,
                "config_hash": ledger.config_hash(config),
                "inputs": record.inputs,
                "samples": record.sample_records(),
                "cut_flow": record.total(),
                "towers": record.towers(),
                "duplicate_identities": duplicates,
            }
            writer.finish(
                {"convention": convention or "", "task": task, "provenance": provenance},
                weight_factors=record.weight_factors(),
            )
            checksum = str(sink.file.attrs["content_sha256"])
        summary = Summary(
            path=output,
            log=log,
            samples=provenance["samples"],
            cut_flow=provenance["cut_flow"],
            rows=writer.rows,
            classes=classes,
            duplicate_identities=duplicates,
            size=temporary.stat().st_size,
            seconds=time.perf_counter() - clock,
            checksum=checksum,
        )
        sidecar = {
            "started": started.isoformat(timespec="seconds"),
            "jobs": jobs,
            "inputs": [str(Path(each.file.path).absolute()) for each in inputs],
            "environment": ledger.environment(),
            "summary": summary.to_dict(),
        }
        ledger.write_json(temporary_log, sidecar)
    if duplicates:
        _log.warning("%d of the candidates have the identity of an earlier one", duplicates)
    for sample in summary.samples:
        if bad := sample.get("weights_not_finite"):
            _log.warning("%d events of the sample %r have no finite weight and are left out", bad, sample["name"])
    for split, rows_written in writer.rows.items():
        if not rows_written:
            _log.warning("the split %r holds no candidate", split)
    return summary
