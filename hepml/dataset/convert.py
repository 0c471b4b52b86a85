"""ROOT files to data.h5: every candidate read is written or counted under the name of what rejected it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hepml.atomic import sweep
from hepml.dataset.blocks import Block
from hepml.dataset.checklist import read_checksums
from hepml.dataset.duplicates import Duplicates, check_sections
from hepml.dataset.output import Output, Summary
from hepml.dataset.processes import Processes
from hepml.dataset.record import Record, new_entry
from hepml.dataset.resume import kept
from hepml.dataset.rows import Options, Rows
from hepml.dataset.sources import files_of, find_samples, part_of, sample_config, survey, task_of
from hepml.dataset.workers import Bad, Task, Workers, read_inputs
from hepml.errors import DataError, check_choice
from hepml.stages import stage
from hepml.trees.choosing import check_towers

__all__ = ["Progress", "Summary", "convert"]

_log = logging.getLogger("hepml")
Progress = Callable[[str, int, int], None]  # file, entries read since the last call, entries in all


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
    max_towers: int | None = None,
    dense: bool = False,
    jobs: int = 1,
    workers: Workers | None = None,
    timeout: float = 1800.0,
    checksums: str | Path | None = None,
    dedup: bool = False,
    not_finite: str = "drop",
    skip_bad: bool = False,
    part: tuple[int, int] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    step_size: int | str = "5 MB",
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
        max_towers: how many towers of an event, of both calorimeters together, count: those of highest ET. None: all.
        dense: write images as the published files have them, readable by any HDF5 program.
        jobs: processes; the file does not depend on their number.
        workers: what reads instead of processes, for example `hepml.scale.Cluster(ADDRESS)`.
        timeout: seconds without a sign of life after which a process is given up and its file read again.
        checksums: a list of the files' SHA-256, as `sha256sum` writes it; a file that differs or is not in it cannot
            be read.
        dedup: leave out candidates whose run, lumi, event and index were read before, in this file or an earlier one.
        not_finite: what to do with an event in which a value is NaN, infinite or beyond 1e30: "drop" and count it,
            "raise" an error, or "keep" it without such towers; an object that is not finite is dropped all the same.
        skip_bad: leave out files that cannot be read, and name them in the result and in the data file.
        part: (k, n) reads only the k-th of n parts of the files, 1 <= k <= n; `hepml.scale.merge` joins all n to the
            file that one conversion gives.
        resume: keep an output that is there, whole and of the same inputs, options and code; write a damaged one again.
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
        OutputError: the output or its log exists, cannot be written, or is an input; with `resume`, it is of another
            conversion.

    Example:
        >>> convert("electrons.root", "jets.root", "data.h5").rows  # doctest: +SKIP
        {'train': 24716, 'valid': 6201, 'test': 7747}
    """
    out = Output(output, overwrite or resume)
    found = find_samples(signal, background, samples, layout)
    out.check_inputs([*files_of(found), *([] if checksums is None else [checksums])])
    own, task = [*map(sample_config, found.samples)], task_of(found)
    check_choice("not_finite", not_finite, ("drop", "keep", "raise"))
    policy = "drop" if not_finite == "raise" else not_finite
    chosen = check_towers(max_towers, policy)
    options = Options(which, collection, convention, preselection, overlap, max_eta, min_pt, *chosen)
    config = {**options.__dict__, "dense": dense, "task": task, "samples": own} | ({"dedup": True} if dedup else {})
    if dedup and part is not None:
        raise DataError(
            "duplicates cannot be left out of a part", expected="all files together", fix="merge the parts with dedup"
        )
    if dedup:
        check_sections(own)
    known = None if checksums is None else read_checksums(checksums)
    stage("open", out.path)
    inputs = survey(found if part is None else part_of(found, *part), collection, skip_bad)
    entries = sum(each.entries for each in inputs)
    record = Record(task, own, [*map(new_entry, inputs)], [each.file.path for each in inputs])

    place = None if part is None else {"number": part[0], "of": part[1]}
    if resume and out.path.exists() and (done := kept(out.path, config, inputs, place)) is not None:
        sweep(out.path)
        return done
    if workers is None and jobs > 1 and len(inputs) > 1:
        workers = Processes(jobs, timeout)

    how = {"jobs": jobs} if workers is None or isinstance(workers, Processes) else {"scheduler": str(workers)}

    def blocks() -> Iterator[Block]:
        duplicates = Duplicates()
        for rows in read_inputs(inputs, Task(options, step_size, known), workers=workers, skip_bad=skip_bad):
            if isinstance(rows, Bad):
                record.skip(rows.file_id, rows.reason)
                if rows.error is not None:
                    _log.warning("skipped: %s", rows.error)
                continue
            stage("chunk", f"{inputs[rows.file_id].file.path}, entries {rows.entries[0]} to {rows.entries[1]}")
            if not_finite == "raise" and rows.not_finite:
                raise _not_finite(rows, inputs[rows.file_id].file.path)
            left = duplicates.remove(rows) if dedup else rows
            record.add(left)
            yield left.block
            if progress is not None:
                progress(inputs[rows.file_id].file.path, rows.entries[1] - rows.entries[0], entries)

    return out.write(
        blocks(),
        record,
        config,
        sidecar={**how, "inputs": [str(Path(each.file.path).absolute()) for each in inputs]},
        part=place,
    )


def _not_finite(rows: Rows, path: str) -> DataError:
    return DataError(
        "values that are NaN, infinite or beyond 1e30",
        where=f"{path}, entries {rows.entries[0]} to {rows.entries[1]}",
        found=", ".join(f"{name}: {count}" for name, count in rows.not_finite.items()),
        fix="clean the file, or let such events be dropped, or kept without such towers: not_finite='drop' or 'keep'",
    )
