"""The end of every conversion: rows, books and provenance become a data file and its log, both or neither."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hepml import ledger
from hepml.dataset.blocks import Block
from hepml.dataset.overlap import behind
from hepml.dataset.record import Record
from hepml.dataset.rows import VARIABLES
from hepml.dataset.sink import Sink
from hepml.dataset.verify import log_of
from hepml.dataset.writer import Writer
from hepml.errors import OutputError, printable
from hepml.geometry import PAPER

__all__ = ["Output", "Summary", "check_own", "log_alone"]

_log = logging.getLogger("hepml")


def check_own(folder: str | Path, patterns: Iterable[str]) -> None:
    """Refuses to replace a folder that holds other files than those of some patterns, such as `*.csv`.

    Raises:
        OutputError: there is another file.
    """
    folder, patterns = Path(folder), tuple(patterns)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder)
        own = any(name.match(one) and len(name.parts) == len(Path(one).parts) for one in patterns)
        if not own and (path.is_symlink() or not path.is_dir()):
            raise OutputError(
                "the folder holds something else, which would be lost", where=path, fix="choose another folder"
            )


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
        skipped: path and reason of every input that could not be read.
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
    skipped: list[dict[str, str]]
    duplicate_identities: int
    size: int
    seconds: float
    checksum: str

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in self.__dict__.items()}


class Output:
    """A data file to be written, and the log beside it.

    Args:
        path: the data file; its folder is made if absent.
        overwrite: replace existing ones.

    Raises:
        OutputError: one of them exists, or their folder cannot be written.
    """

    def __init__(self, path: str | Path, overwrite: bool) -> None:
        self._started, self._clock = datetime.now(UTC), time.perf_counter()
        self._overwrite = overwrite
        self.path = ledger.check_output(path, overwrite)
        self.log = ledger.check_output(log_of(self.path), overwrite)

    def check_inputs(self, inputs: Iterable[str | Path]) -> None:
        """Refuses to write over an input."""
        inputs = list(inputs)
        for written in (self.path, self.log):
            ledger.check_not_input(written, inputs)

    def write(
        self,
        blocks: Iterable[Block],
        record: Record,
        config: Mapping[str, Any],
        *,
        sidecar: Mapping[str, Any],
        part: Mapping[str, Any] | None = None,
    ) -> Summary:
        """Writes all blocks; `record` knows all of them when they are over.

        Args:
            blocks: rows in the order of reading.
            record: the books.
            config: what the rows depend on beside the inputs.
            sidecar: what else the log says, for example the paths of the inputs.
            part: which part of the whole this is, None if it is the whole, which must have candidates of every class.

        Raises:
            DataError: no candidates, a class without any, weights that cannot be normalised.
            VerificationError: the books do not balance.
            OutputError: a file cannot be written.
        """
        normalised = any(sample.get("cross_section") is not None for sample in config["samples"])
        with (  # neither gets its name before both are written; the log has its own first, so data are never without
            log_alone(self.path, self.log),
            ledger.atomic_path(self.path, overwrite=self._overwrite) as temporary,
            ledger.atomic_path(self.log, overwrite=self._overwrite) as log,
        ):
            with Sink(temporary) as sink:

                def started() -> Writer:
                    geometry = record.geometry or PAPER
                    dense = bool(config["dense"])
                    return Writer(sink, geometry=geometry, variables=VARIABLES, dense=dense, normalised=normalised)

                writer: Writer | None = None

                def append(block: Block) -> None:
                    nonlocal writer
                    writer = writer or started()
                    writer.append(block)

                with behind(append) as put:
                    for block in blocks:
                        put(block)
                classes = record.classes() if part is None else record.class_counts()
                writer = writer or started()
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
                } | ({} if part is None else {"part": part})
                writer.finish(
                    {"convention": config["convention"] or "", "task": config["task"], "provenance": provenance},
                    weight_factors=[] if part is not None else record.weight_factors(),
                )
                checksum = str(sink.file.attrs["content_sha256"])
            summary = Summary(
                path=self.path,
                log=self.log,
                samples=provenance["samples"],
                cut_flow=provenance["cut_flow"],
                rows=writer.rows,
                classes=classes,
                skipped=record.skipped(),
                duplicate_identities=duplicates,
                size=temporary.stat().st_size,
                seconds=time.perf_counter() - self._clock,
                checksum=checksum,
            )
            said = {
                "started": self._started.isoformat(timespec="seconds"),
                **sidecar,
                "environment": ledger.environment(),
                "summary": summary.to_dict(),
            }
            log.write_text(ledger.json_text(said, indent=1) + "\n", encoding="utf-8")
        _warn(summary, record.not_finite(), record.towers())
        return summary


@contextlib.contextmanager
def log_alone(path: Path, log: Path) -> Iterator[None]:
    """Removes a new log whose file did not get its name."""
    new = not log.exists()
    try:
        yield
    except BaseException:
        if new and not path.exists():
            log.unlink(missing_ok=True)
        raise


def _warn(summary: Summary, not_finite: Mapping[str, Mapping[str, int]], towers: Mapping[str, float]) -> None:
    if summary.duplicate_identities:
        _log.warning("%d of the candidates have the identity of an earlier one", summary.duplicate_identities)
    for sample in summary.samples:
        if bad := sample.get("weights_not_finite"):
            _log.warning("%d events of the sample %r have no finite weight and are left out", bad, sample["name"])
    for path, counts in not_finite.items():
        named = ", ".join(f"{name} {count}" for name, count in counts.items())
        _log.warning("%s: values that are not finite, or beyond 1e30: %s", printable(path), named)
    for key, reason in (("over_limit", "beyond the limit"), ("not_finite", "that are not finite")):
        if count := towers.get(f"{key}_towers"):
            _log.warning("%d events are without their %d towers %s", towers[f"{key}_events"], count, reason)
    for split, rows in summary.rows.items():
        if not rows:
            _log.warning("the split %r holds no candidate", split)
