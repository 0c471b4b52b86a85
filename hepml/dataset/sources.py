"""What a conversion reads: files, the sample each belongs to, and what its rows are labelled with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hepml.errors import DataError
from hepml.trees import Source, expand_files
from hepml.trees.reading import opened

__all__ = ["Input", "Sample", "Samples", "find_samples", "survey"]

Files = str | Path | Sequence[str | Path] | None


@dataclass(frozen=True)
class Sample:
    """Files of one physics process.

    Attributes:
        name: for tables and messages.
        y: label, class number, or regression target if it is the same for all candidates.
        target: event column that holds the regression target, or None.
        weight: event column of the weight, or None for the layout's.
        cross_section: pb; its weights are divided by the sum over all events read and multiplied by it.
        truth: name of the truth class of every candidate, or None to match to generator particles.
    """

    name: str
    y: float
    target: str | None = None
    weight: str | None = None
    cross_section: float | None = None
    truth: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without those that are not set."""
        return {key: value for key, value in self.__dict__.items() if value is not None}


@dataclass(frozen=True)
class Input:
    """One file and the number of its sample.

    Attributes:
        file: path and, if named, tree.
        sample: number of its sample.
        layout: name or YAML file; None to recognise it.
        entries: in the tree; known after `survey`.
        collections: of objects that are read; known after `survey`.
    """

    file: Source
    sample: int
    layout: str | None = None
    entries: int = 0
    collections: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Samples:
    """All that is read.

    Attributes:
        kind: "binary", "classes" or "regression".
        names: of the classes, by number; or of the targets.
        samples: in the order of their numbers.
        inputs: files in order of reading.
    """

    kind: str
    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    inputs: tuple[Input, ...]

    @property
    def task(self) -> dict[str, Any]:
        """As stored in the file."""
        return {"kind": self.kind, "names": list(self.names)}

    def to_dict(self) -> dict[str, Any]:
        """What the configuration of a conversion holds of it."""
        return {
            "task": self.task,
            "samples": [sample.to_dict() for sample in self.samples],
            "layouts": list(dict.fromkeys(each.layout for each in self.inputs)),
        }


def find_samples(
    signal: Files, background: Files, samples: str | Path | None = None, layout: str | Path | None = None
) -> Samples:
    """The files behind names and globs, labelled.

    Raises:
        InputFileError: a file is absent or a glob matches nothing.
        DataError: neither or both ways of naming files are used, or a file is listed twice.
    """
    if samples is not None:
        if signal or background:
            raise DataError("files are given twice", expected="either samples.yaml or signal and background files")
        return _from_yaml(samples, layout)
    if not signal or not background:
        raise DataError(
            "one class only",
            expected="signal and background files, or samples.yaml",
            found="no signal files" if not signal else "no background files",
        )
    layout = None if layout is None else str(layout)
    signals, backgrounds = expand_files(signal), expand_files(background)
    expand_files([*signals, *backgrounds])  # refuses a file in both
    return Samples(
        kind="binary",
        names=("background", "signal"),
        samples=(Sample("signal", 1.0), Sample("background", 0.0)),
        inputs=(*(Input(file, 0, layout) for file in signals), *(Input(file, 1, layout) for file in backgrounds)),
    )


def survey(samples: Samples, collection: str) -> Samples:
    """Opens every file once, before anything is written: a missing branch in the last file is found now.

    Args:
        samples: what will be read.
        collection: the seeds; beside them only generator particles are read, for the truth class.

    Raises:
        InputFileError, MissingBranchError, DataError: as `hepml.open_events` does.
    """
    inputs = []
    for each in samples.inputs:
        sample = samples.samples[each.sample]
        with opened(each.file, each.layout, weight=sample.weight) as (tree, binding):
            held = tuple(binding.layout.objects)
            wanted = tuple(name for name in dict.fromkeys((collection, "particle")) if name in held)
            inputs.append(replace(each, entries=tree.n_entries, collections=wanted if collection in held else None))
    return replace(samples, inputs=tuple(inputs))


def _from_yaml(path: str | Path, layout: str | Path | None) -> Samples:
    raise NotImplementedError(path)
