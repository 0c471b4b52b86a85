"""What a conversion reads: files, the sample each belongs to, and what opening them once has told."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hepml.errors import DataError, HepmlError, InputFileError, MissingBranchError, nearest
from hepml.samples import Sample, SampleSet, load_samples
from hepml.trees import Source, expand_files
from hepml.trees.reading import opened

__all__ = [
    "UNREADABLE",
    "Input",
    "files_of",
    "find_samples",
    "part_of",
    "reason_of",
    "sample_config",
    "survey",
    "task_of",
]

log = logging.getLogger("hepml")
# what is wrong with one file, so that it can be skipped on request
UNREADABLE = (InputFileError, MissingBranchError, DataError)
_FOR_TRUTH = ("particle", "track")
Files = str | Path | Sequence[str | Path] | None


@dataclass(frozen=True)
class Input:
    """One file.

    Attributes:
        number: of the file, stored with its rows.
        file: path and, if named, tree.
        sample_id: number of its sample, stored with its rows.
        sample: the sample.
        tree, entries: name of the tree, and how many it has.
        collections: of objects that are read.
        uuid: of the ROOT file.
        group: the branch that keeps relatives together, None where the event does.
        error: why it cannot be opened, if it cannot and is to be skipped.
    """

    number: int
    file: Source
    sample_id: int
    sample: Sample
    tree: str
    entries: int
    collections: tuple[str, ...]
    uuid: str | None
    group: str | None = None
    error: str | None = None


def find_samples(
    signal: Files, background: Files, samples: str | Path | None = None, layout: str | Path | None = None
) -> SampleSet:
    """The files behind names and globs, labelled.

    Args:
        signal, background: files of the two classes; or
        samples: a samples.yaml.
        layout: of files whose sample names none.

    Raises:
        InputFileError: a file is absent or a glob matches nothing.
        SchemaError: samples.yaml does not follow its schema.
        DataError: neither or both ways of naming files are used, or a file is listed twice.
    """
    name = None if layout is None else str(layout)
    if samples is not None:
        if signal or background:
            raise DataError("files are given twice", expected="either samples.yaml or signal and background files")
        found = load_samples(samples)
        own = tuple(_with_layout(sample, name) for sample in found.samples)
        return SampleSet(found.task, found.classes, own, found.path)
    if not signal or not background:
        raise DataError(
            "one class only",
            expected="signal and background files, or samples.yaml",
            found="no signal files" if not signal else "no background files",
        )
    signals, backgrounds = expand_files(signal), expand_files(background)
    expand_files([*signals, *backgrounds])  # refuses a file in both
    both = (
        Sample("signal", tuple(signals), 1.0, layout=name),
        Sample("background", tuple(backgrounds), 0.0, layout=name),
    )
    return SampleSet("binary", ("background", "signal"), both, "")


def _with_layout(sample: Sample, layout: str | None) -> Sample:
    return sample if sample.layout is not None else replace(sample, layout=layout)


def part_of(samples: SampleSet, number: int, parts: int) -> SampleSet:
    """The files of one of several parts, in order; the parts are as equal as they can be in number of files.

    Args:
        number: from 1 to `parts`.

    Raises:
        DataError: no such part, or one without files.
    """
    everything = [(sample_id, file) for sample_id, sample in enumerate(samples.samples) for file in sample.files]
    if not 1 <= number <= parts or parts > len(everything):
        raise DataError(
            f"there is no part {number} of {parts}",
            expected="K/N with K from 1 to N, and N no more than the files",
            found=f"{len(everything)} files",
        )
    own = everything[(number - 1) * len(everything) // parts : number * len(everything) // parts]
    chosen = [[file for sample_id, file in own if sample_id == k] for k in range(len(samples.samples))]
    parted = tuple(replace(sample, files=tuple(files)) for sample, files in zip(samples.samples, chosen, strict=True))
    return replace(samples, samples=parted)


def survey(samples: SampleSet, collection: str, skip_bad: bool = False) -> list[Input]:
    """Opens every file once, before anything is written: a missing branch in the last file is found now.

    Args:
        samples: what will be read.
        collection: the seeds; beside them only what the truth class needs is read.
        skip_bad: a file that cannot be opened becomes an input with an `error`.

    Raises:
        InputFileError, MissingBranchError, DataError: as `hepml.open_events` does.
    """
    inputs: list[Input] = []
    for sample_id, sample in enumerate(samples.samples):
        for file in sample.files:
            try:
                inputs.append(_look(len(inputs), file, sample_id, sample, collection))
            except UNREADABLE as error:
                if not skip_bad:
                    raise
                log.warning("skipped: %s", error)
                number, tree = len(inputs), file.tree or ""
                inputs.append(Input(number, file, sample_id, sample, tree, 0, (), None, error=reason_of(error)))
    return inputs


def reason_of(error: HepmlError) -> str:
    """Why a file was skipped, without its path: the books must not depend on where it lies."""
    return f"{type(error).__name__}: {error.problem}"


def _look(number: int, file: Source, sample_id: int, sample: Sample, collection: str) -> Input:
    with opened(file, sample.layout, weight=sample.weight, group=sample.group) as (tree, binding):
        held = [key.removeprefix("objects.") for key in binding.blocks if key.startswith("objects.")]
        if collection not in held:
            raise DataError(
                f"no collection {collection!r} in the file",
                where=f"{tree.where}, layout {binding.layout.name!r}",
                expected=", ".join(held) or "none: the layout names no objects",
                nearest=nearest(collection, held),
                fix="name the collection in the layout, or choose another with --collection",
            )
        wanted = tuple(name for name in dict.fromkeys((collection, *_FOR_TRUTH)) if name in held)
        group = sample.group or binding.event.get("group")
        return Input(number, file, sample_id, sample, tree.name, tree.n_entries, wanted, tree.uuid, group)


def files_of(samples: SampleSet) -> list[str]:
    """Every file that is read: samples.yaml, layouts, ROOT files."""
    own = [samples.path, *(sample.layout for sample in samples.samples)]
    return [*filter(None, own), *(file.path for sample in samples.samples for file in sample.files)]


def task_of(samples: SampleSet) -> dict[str, Any]:
    """Kind of label and names of classes or targets, as stored in data.h5."""
    names = list(samples.classes)
    if samples.task == "regression":
        names = [next((sample.target for sample in samples.samples if sample.target), "target")]
    return {"kind": samples.task, "names": names}


def sample_config(sample: Sample) -> dict[str, Any]:
    """What data.h5 holds of a sample: its options, its files by name; a layout file by name and content."""
    from hepml.ledger import sha256_file

    config = {key: value for key, value in sample.__dict__.items() if value is not None and key != "files"}
    if sample.layout is not None and Path(sample.layout).is_file():
        config["layout"] = {"name": Path(sample.layout).name, "sha256": sha256_file(sample.layout)}
    return {**config, "files": [Path(file.path).name for file in sample.files]}
