"""Parts of a conversion, each written by a job of its own, become the file that one conversion of all inputs gives.

The rows of every part are replayed in the order of reading through the same writer, so the result is the same bytes:
blocks, chunks, and the scaling constants, which are fitted on the whole training split. Memory does not grow with the
number of parts or rows.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hepml.dataset import Dataset, Summary
from hepml.dataset.blocks import Block
from hepml.dataset.duplicates import Duplicates, check_sections
from hepml.dataset.output import Output
from hepml.dataset.record import Record
from hepml.dataset.replay import replay
from hepml.dataset.shape import NUMBER, check_shape
from hepml.dataset.verify import verify
from hepml.errors import DataError, InputFileError, VerificationError, check_path
from hepml.ledger import code_version, config_hash
from hepml.stages import stage

__all__ = ["expand_parts", "merge"]

Progress = Callable[[str, int, int], None]  # part, steps done since the last call, steps in all
_ENTRY = {
    "content_sha256": (str, type(None)),
    "uuid": (str, type(None)),
    "tree": (str, type(None)),
    "rejected": {str: int},
    "sum_of_weights": [(*NUMBER, type(None))],
    "weights_not_finite": int,
    "towers": {str: NUMBER},
}
_BOOKS = {
    "code": {"version": str, "sources": str, "core": str},
    "config": {"dense": int, "task": dict, "samples": [{"name": str, "files": [str]}]},
    "config_hash": str,
    "inputs": [_ENTRY],
}


@dataclass(frozen=True)
class _Part:
    """A verified part: its data, its place among the parts if it is one of K/N, and for each input its number."""

    data: Dataset
    place: tuple[int, int] | None

    @property
    def books(self) -> dict[str, Any]:
        return self.data.provenance

    def inputs_of(self, sample: str) -> list[int]:
        return [number for number, entry in enumerate(self.books["inputs"]) if entry["sample"] == sample]


def merge(
    parts: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    dedup: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Joins parts to one data file: the bytes that one `convert` of all their inputs gives.

    Args:
        parts: files or globs. Either all of `convert(part=(k, n))`, in any order; or whole data files of the same
            options and samples, whose inputs follow each other in the order of the files, sample by sample.
        output: the data file.
        dedup: leave out candidates whose run, lumi, event and index an earlier one has, as `convert(dedup=True)` does:
            the first of them in the order of reading stays, sample by sample and input by input, in whatever order the
            parts K/N are given. Of data files that were made with it, duplicates are always left out.
        overwrite: replace an existing output.
        progress: called with a part, the steps just done (one verified, one joined) and their number in all.

    Returns:
        What was read, cut and written, all parts together.

    Raises:
        InputFileError: a part is absent, or no data file of hepml's converter.
        VerificationError: a part is damaged, or of other code than this.
        DataError: parts of different options or samples; one missing or twice; an input in two of them; `dedup` with
            weights that are normalised to a cross section.
        GranularityError: parts of different grids.
        OutputError: the output exists, cannot be written, or is a part.

    Example:
        >>> merge("parts/*.h5", "data.h5").rows  # doctest: +SKIP
        {'train': 24716, 'valid': 6201, 'test': 7747}
    """
    out = Output(output, overwrite)
    paths = expand_parts(parts)
    out.check_inputs(paths)

    def done(path: str | Path) -> None:
        if progress is not None:
            progress(str(path), 1, 2 * len(paths))

    opened: list[_Part] = []
    for path in paths:
        stage("open", path)
        opened.append(_open(path))
        done(path)
    opened = _in_order(opened)
    config = _config(opened)
    dedup = dedup or config.get("dedup", False)
    if dedup:
        check_sections(config["samples"])
        config["dedup"] = True
    names = [sample["name"] for sample in config["samples"]]
    order = [(sample_id, part) for sample_id in range(len(names)) for part in opened]
    entries: list[dict[str, Any]] = []
    places: list[str] = []
    numbers: dict[tuple[Path, int], int] = {}
    for sample_id, part in order:
        for number in part.inputs_of(names[sample_id]):
            numbers[part.data.path, number] = len(entries)
            entry = part.books["inputs"][number]
            if dedup and "skipped" not in entry:
                entry["rejected"].setdefault("duplicate", 0)  # as a conversion without any notes it
            entries.append(entry)
            places.append(f"{part.data.path} ({entry['name']})")
    record = Record(config["task"], config["samples"], entries, places)
    for part in opened:
        if any(entry["entries"] for entry in part.books["inputs"]):
            record.check_geometry(part.data.geometry, str(part.data.path))

    def check_inputs() -> None:
        for number in range(len(entries)):
            record.check_twice(number)

    if not dedup:  # otherwise a copy, in other bytes, may be left out candidate by candidate
        check_inputs()

    def blocks() -> Iterator[Block]:
        duplicates = Duplicates()
        for sample_id, part in order:
            own = range(len(part.books["inputs"]))
            renumbered = np.array([numbers[part.data.path, number] for number in own], np.int32)
            for block in replay(part.data, sample_id):
                stage("chunk", f"{part.data.path}, {len(block.y)} rows")
                file_id = renumbered[block.columns["file_id"]]
                own_rows = replace(block, columns={**block.columns, "file_id": file_id})
                if dedup:
                    repeated = duplicates.repeated(block.columns["identity"])
                    record.reject("duplicate", file_id[repeated])
                    own_rows = own_rows.take(np.flatnonzero(~repeated))
                yield own_rows
            if sample_id == len(names) - 1:
                done(part.data.path)
        if dedup:
            check_inputs()

    listed = [str(part.data.path.absolute()) for part in opened]
    return out.write(blocks(), record, config, sidecar={"parts": listed})


def expand_parts(parts: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files behind names and globs, in order; those of a glob are sorted.

    Raises:
        InputFileError: a file is absent, a glob matches nothing, there is no part.
        DataError: a file is named twice.
    """
    given = [parts] if isinstance(parts, str | Path) else list(parts)
    paths: list[Path] = []
    for text in map(check_path, given):
        found = [text] if Path(text).exists() or not glob.has_magic(text) else sorted(glob.glob(text))
        if not found:
            raise InputFileError("no file matches", where=text)
        paths += map(Path, found)
    if not paths:
        raise InputFileError("no part is given", expected="data files that hepml convert wrote")
    seen = set()
    for path in paths:
        if path.resolve() in seen:
            raise DataError("a part is named twice", where=path, fix="name it once: its events would count double")
        seen.add(path.resolve())
    return paths


def _open(path: Path) -> _Part:
    data = verify(path)
    try:
        check_shape(data.provenance, _BOOKS, "provenance")
    except ValueError as error:
        raise InputFileError(
            "a data file without the books that hepml convert keeps", where=path, found=error, fix="convert it again"
        ) from error
    code = {key: data.provenance["code"].get(key) for key in code_version()}
    if code != code_version():
        raise VerificationError(
            "a part was made by other code than this: joined parts would not be what one conversion gives",
            where=path,
            expected=_code(code_version()),
            found=_code(code),
            fix="convert it again, or merge with the hepml that made it",
        )
    if config_hash(data.provenance["config"]) != data.provenance["config_hash"]:
        raise VerificationError("a part whose configuration does not have its checksum", where=path)
    place = data.provenance.get("part")
    return _Part(data, None if place is None else (int(place["number"]), int(place["of"])))


def _code(code: Mapping[str, Any]) -> str:
    return f"hepml {code['version']}, sources {str(code['sources'])[:12]}, C++ {str(code['core'])[:12]}"


def _in_order(parts: list[_Part]) -> list[_Part]:
    """Numbered parts by number, all of them once; whole files as they were given."""
    places = [part.place for part in parts if part.place is not None]
    if not places:
        return parts
    whole = next((part for part in parts if part.place is None), None)
    if whole is not None:
        raise DataError(
            "whole data files and numbered parts cannot be joined",
            where=whole.data.path,
            expected="a part K/N as the others",
            found="a data file of all its inputs",
        )
    of = places[0][1]
    other = next((part for part in parts if part.place is not None and part.place[1] != of), None)
    if other is not None:
        raise DataError(
            "parts of different divisions",
            where=other.data.path,
            expected=f"a part of {of}, as {parts[0].data.path} is",
            found=other.place and f"part {other.place[0]}/{other.place[1]}",
        )
    ordered = sorted(parts, key=lambda part: part.place or (0, 0))
    for one, two in itertools.pairwise(ordered):
        if one.place == two.place:
            raise DataError(
                "the same part twice", where=two.data.path, found=f"{one.data.path} is part {two.place} as well"
            )
    missing = sorted(set(range(1, of + 1)) - {number for number, _ in places})
    if missing:
        named = ", ".join(f"{number}/{of}" for number in missing[:10]) + (" ..." if missing[10:] else "")
        raise DataError(
            f"{len(missing)} of {of} parts are missing",
            expected="every part from 1 to N",
            found=f"not there: {named}",
            fix="run the jobs of the missing parts again, then merge",
        )
    return ordered


def _config(parts: list[_Part]) -> dict[str, Any]:
    """The configuration of one conversion of everything; refuses parts that differ in more than their files."""
    first = parts[0]
    whole = first.place is None
    for part in parts[1:]:
        expected, found = (_without_files(one.books["config"], whole) for one in (first, part))
        key = next((key for key in {**expected, **found} if expected.get(key) != found.get(key)), None)
        if key is not None:
            raise DataError(
                f"parts of different configurations: {key!r} differs",
                where=part.data.path,
                expected=f"{str(expected.get(key))[:200]}, as in {first.data.path}",
                found=str(found.get(key))[:200],
                fix="convert all parts with the same options and samples",
            )
    config: dict[str, Any] = dict(first.books["config"])
    if whole:
        for part in parts:
            _check_two_sided(part)
        config["samples"] = [
            {**sample, "files": [name for part in parts for name in part.books["config"]["samples"][k]["files"]]}
            for k, sample in enumerate(config["samples"])
        ]
    return config


def _without_files(config: Mapping[str, Any], whole: bool) -> dict[str, Any]:
    if not whole:
        return dict(config)
    samples = [{key: value for key, value in one.items() if key != "files"} for one in config["samples"]]
    return {**config, "samples": samples}


def _check_two_sided(part: _Part) -> None:
    for sample in part.books["config"]["samples"]:
        if not part.inputs_of(sample["name"]):
            raise DataError(
                "a part holds no input of a sample",
                where=part.data.path,
                expected=f"inputs of the sample {sample['name']!r}",
                found=", ".join(dict.fromkeys(entry["sample"] for entry in part.books["inputs"])) or "no input",
                fix="make one-sided parts with hepml convert --part K/N, which knows the whole",
            )
