"""data.h5 to efps.h5: the polynomials of every candidate, a block of rows at a time, begun work taken up again."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hepml import ledger
from hepml.atomic import sweep
from hepml.dataset.checksum import content_checksum
from hepml.dataset.efp_blocks import EFPBlocks
from hepml.dataset.efps import CHUNK, EFPS_FORMAT, EFPS_FORMAT_VERSION, EFPFile
from hepml.dataset.layout import SPLITS
from hepml.dataset.output import log_alone
from hepml.dataset.resume import cut_short
from hepml.dataset.sink import Sink
from hepml.dataset.verify import log_of, verify_as
from hepml.errors import InputFileError, OutputError, VerificationError, check_path
from hepml.stages import stage

__all__ = ["EFPSummary", "write_efps"]

# HCal columns pack to 44 % (half of their values are 0), those of the ECal to 92 % only
_PACKING: dict[str, dict[str, Any]] = {
    "et": {},
    "ht": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
}
_SHOWN = 5  # columns in a warning
_log = logging.getLogger("hepml")
Progress = Callable[[str, int, int], None]  # file, rows since the last call, rows in all


@dataclass(frozen=True)
class EFPSummary:
    """What `write_efps` did.

    Attributes:
        path: the file.
        log: the sidecar with time, host and full paths.
        rows: split -> rows.
        asked, stored, aliases: columns that were asked for; that are stored; that equal a stored one by definition.
        blocks, resumed: blocks of rows; how many of them an earlier, interrupted command had computed.
        size: bytes of the file.
        seconds: wall time.
        checksum: SHA-256 of the content.
        not_finite: column -> how many of its values are NaN or infinite, where any are.
    """

    path: Path
    log: Path
    rows: dict[str, int]
    asked: int
    stored: int
    aliases: int
    blocks: int
    resumed: int
    size: int
    seconds: float
    checksum: str
    not_finite: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in self.__dict__.items()}


def write_efps(
    data: str | Path,
    output: str | Path,
    *,
    graphs: str | Sequence[str] = "papers",
    kappa: float | Sequence[float] = (-1, 0, 0.5, 1, 2),
    beta: float | Sequence[float] = (0.5, 1, 2),
    calorimeters: str | Sequence[str] = ("ecal", "hcal"),
    splits: str | Sequence[str] = SPLITS,
    dtype: str = "float64",
    threads: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> EFPSummary:
    """Writes the energy-flow polynomials of a data file, by default those of arXiv:2011.01984.

    Columns that are equal by definition are computed once (`hepml.efp.identities`). Blocks of 1,024 rows that are done
    wait in the hidden folder `.NAME.parts` beside the output NAME; the same command, given again after it was killed,
    begins where they end.

    Args:
        data: a data.h5; the output has its rows, in its order.
        output: the file; its folder is made if absent.
        graphs: as for `hepml.efp`, or a list of names and such conditions.
        kappa, beta: exponents, of at most six digits.
        calorimeters: "ecal", "hcal" or both.
        splits: some of train, valid and test.
        dtype: of the stored values: "float64", or "float32", which does not hold every kappa below 0.
        threads: at most so many; None for the processors. The file does not depend on it.
        resume: keep an output that is there, whole and of the same data, options and code; write a damaged one again.
        overwrite: replace an existing output.
        progress: called with the data file, the rows just done, and their number in all, once a calorimeter.

    Returns:
        What was written.

    Raises:
        InputFileError: the data cannot be read.
        DataError: no such graph, calorimeter, split or type; images of another size; a value that float32 cannot hold.
        OutputError: the output exists, cannot be written, or is the input; with `resume`, it is of another command.

    Example:
        >>> write_efps("data.h5", "efps.h5", graphs="d<=3").stored  # doctest: +SKIP
        194
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    path = ledger.check_output(output, overwrite or resume)
    log = ledger.check_output(log_of(path), overwrite or resume)
    for written in (path, log):
        ledger.check_not_input(written, [check_path(data)])
    stage("open", data)
    parts = path.with_name(f".{path.name}.parts")
    blocks = EFPBlocks(
        data,
        parts,
        graphs=graphs,
        kappa=kappa,
        beta=beta,
        calorimeters=calorimeters,
        splits=splits,
        dtype=dtype,
    )

    def summary(done: EFPFile, size: int, resumed: int) -> EFPSummary:
        return EFPSummary(
            path=path,
            log=log,
            rows={split: done.n(split) for split in done.splits},
            asked=len(done.names) + len(done.aliases),
            stored=len(done.names),
            aliases=len(done.aliases),
            blocks=len(blocks),
            resumed=resumed,
            size=size,
            seconds=time.perf_counter() - clock,
            checksum=done.checksum,
            not_finite=done.not_finite,
        )

    if resume and path.exists() and (done := _kept(path, blocks)) is not None:
        sweep(path)
        shutil.rmtree(parts, ignore_errors=True)
        return summary(done, path.stat().st_size, 0)
    replace = overwrite or resume
    with (  # neither gets its name before both are written; the log has its own first, so data are never without
        log_alone(path, log),
        ledger.atomic_path(path, overwrite=replace) as temporary,
        ledger.atomic_path(log, overwrite=replace) as log_file,
    ):
        with Sink(temporary) as sink:
            resumed = _write(sink, blocks, threads, progress)
        result = summary(EFPFile.open(temporary), temporary.stat().st_size, resumed)
        said = {
            "started": started.isoformat(timespec="seconds"),
            "input": str(Path(data).absolute()),
            "threads": threads,
            "environment": ledger.environment(),
            "summary": result.to_dict(),
        }
        log_file.write_text(ledger.json_text(said, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(parts, ignore_errors=True)
    if result.not_finite:
        named = [f"{name} {count}" for name, count in result.not_finite.items()]
        told = ", ".join(named[:_SHOWN]) + (" ..." if len(named) > _SHOWN else "")
        _log.warning("%d columns hold values that are not finite: %s", len(named), told)
    return result


def _write(sink: Sink, blocks: EFPBlocks, threads: int | None, progress: Progress | None) -> int:
    """Writes all blocks and the attributes; gives how many blocks had been computed before."""
    resumed, bad = 0, dict[str, int]()
    for token, names in blocks.names.items():
        sink.group(token).attrs["columns"] = ledger.json_text(names)
        for split, rows in blocks.rows.items():
            node = _create(sink.group(token), split, (rows, len(names)), blocks.dtype, _PACKING[token])
            digest, not_finite = hashlib.sha256(), np.zeros(len(names), np.int64)
            for start in range(0, rows, CHUNK[0]):
                stage("chunk", f"{blocks.path}, {token} {split} from row {start}")
                values, known = blocks.block(token, split, start, threads=threads, progress=progress)
                node[start : start + len(values)] = values
                digest.update(values.tobytes())
                not_finite += np.count_nonzero(~np.isfinite(values), axis=0)
                resumed += known
                sink.check()
            node.attrs["sha256"] = digest.hexdigest()
            for k in np.flatnonzero(not_finite):
                bad[names[k]] = bad.get(names[k], 0) + int(not_finite[k])
    blocks.check_unchanged()
    attributes: dict[str, Any] = {
        "format": EFPS_FORMAT,
        "format_version": EFPS_FORMAT_VERSION,
        "data_sha256": blocks.data.checksum,
        "aliases": ledger.json_text(blocks.aliases),
        "provenance": ledger.json_text(blocks.provenance),
    }
    if bad:
        attributes["not_finite"] = ledger.json_text(bad)
    sink.file.attrs.update(attributes)
    sink.file.attrs["content_sha256"] = content_checksum(sink.file)
    return resumed


def _create(group: h5py.Group, split: str, shape: tuple[int, int], dtype: str, packing: dict[str, Any]) -> h5py.Dataset:
    chunks = (CHUNK[0], min(CHUNK[1], shape[1]))
    # rows that are not there yet have no chunk: a split without rows is one of shape (0, columns)
    return group.create_dataset(
        split,
        shape=shape,
        maxshape=(None, shape[1]),
        chunks=chunks,
        dtype=dtype,
        fletcher32=True,
        track_times=False,
        **packing,
    )


def _kept(path: Path, blocks: EFPBlocks) -> EFPFile | None:
    """An output that is whole and of the same data, options and code; None if it is damaged.

    Raises:
        OutputError: it is something else: it is neither kept nor replaced.
    """
    try:
        done = verify_as(EFPFile, path)
    except VerificationError:
        return None
    except InputFileError as error:
        if cut_short(path):
            return None
        raise OutputError(
            "the output exists and is not of hepml efp",
            where=path,
            found=error.problem,
            fix="choose another name",
        ) from error
    for key, value in blocks.provenance.items():
        if done.provenance.get(key) != value:
            raise OutputError(
                f"the output exists and is not of this command: its {key.replace('_', ' ')} differs",
                where=path,
                expected=value,
                found=done.provenance.get(key),
                fix="choose another name, or pass --overwrite to compute again",
            )
    return done
