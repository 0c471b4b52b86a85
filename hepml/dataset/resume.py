"""Is the output that is there already the one that would be written? Then it is kept; another one is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hepml import ledger
from hepml.dataset.layout import SPLITS
from hepml.dataset.output import Summary
from hepml.dataset.reader import Dataset
from hepml.dataset.sources import Input
from hepml.dataset.verify import log_of, verify
from hepml.errors import InputFileError, OutputError, VerificationError

__all__ = ["cut_short", "kept"]


def kept(
    path: Path, config: Mapping[str, Any], inputs: Sequence[Input], part: Mapping[str, Any] | None
) -> Summary | None:
    """The summary of an output that is whole and of the same inputs, options and code; None if it is damaged.

    Args:
        path: the output, which exists.
        config, inputs, part: of the conversion that is asked for.

    Raises:
        OutputError: it is something else: it is neither kept nor replaced.
    """
    try:
        data = verify(path)
    except VerificationError:
        return None
    except InputFileError as error:
        if cut_short(path):
            return None
        raise OutputError(
            "the output exists and is no data file", where=path, found=error.problem, fix="choose another name"
        ) from error
    books = data.provenance
    code = ledger.code_version()
    expected = {"config_hash": ledger.config_hash(config), "part": part, "code": code}
    for key, value in expected.items():
        if books.get(key) != value:
            raise _stale(path, f"its {key.replace('_', ' ')} differs", value, books.get(key))
    listed = [entry["name"] for entry in books["inputs"]]
    if listed != [Path(each.file.path).name for each in inputs]:
        raise _stale(path, "it has other inputs", f"{len(inputs)} inputs", f"{len(listed)} inputs")
    skipped: list[dict[str, str]] = []
    for each, entry in zip(inputs, books["inputs"], strict=True):
        if "skipped" in entry:
            if each.error != entry["skipped"]:
                raise _stale(path, "an input was skipped", f"{entry['name']}, {each.error or 'read'}", entry["skipped"])
            skipped.append({"path": each.file.path, "reason": entry["skipped"]})
            continue
        # a file behind a URL is known by the identity that ROOT gave it: it is not read again to be compared
        key, found = ("uuid", each.uuid) if each.file.remote else ("sha256", ledger.sha256_file(each.file.path))
        if found is None or found != entry[key]:
            raise _stale(path, f"the input {entry['name']!r} has changed", found, entry[key])
    return replace(_summary(path, data), skipped=skipped)


def cut_short(path: Path) -> bool:
    """Whether it is HDF5 that cannot be opened: cut short by a disk, as hepml gives its files their names whole."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return False
    try:
        Dataset.open(path)
    except InputFileError as error:
        return head == b"\x89HDF\r\n\x1a\n" and error.problem.startswith("not an HDF5 file, or a truncated one")
    return False


def _stale(path: Path, what: str, expected: object, found: object) -> OutputError:
    return OutputError(
        f"the output exists and is not of this conversion: {what}",
        where=path,
        expected=expected,
        found=found,
        fix="choose another name, or pass --overwrite to convert again",
    )


def _summary(path: Path, data: Dataset) -> Summary:
    books = data.provenance
    names, samples = data.task["names"], books["samples"]
    classes = {} if data.task["kind"] == "regression" else dict.fromkeys(names, 0)
    for sample in samples if classes else []:
        classes[names[int(sample["label"])]] += sample["cut_flow"]["written"]
    return Summary(
        path=path,
        log=log_of(path),
        samples=samples,
        cut_flow=books["cut_flow"],
        rows={split: data.n(split) for split in SPLITS},
        classes=classes,
        skipped=[],
        duplicate_identities=books["duplicate_identities"],
        size=path.stat().st_size,
        seconds=0.0,
        checksum=data.checksum,
    )
