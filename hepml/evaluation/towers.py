"""The ROOT files that a data.h5 was made of, found again and proven by checksum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import Any

from hepml.dataset import Dataset
from hepml.dataset.rows import Options
from hepml.dataset.sources import Input, survey
from hepml.dataset.verify import log_of
from hepml.errors import DataError, InputFileError, VerificationError
from hepml.evaluation.variations import Variation
from hepml.ledger import read_json, sha256_file
from hepml.samples import Sample, SampleSet, load_samples
from hepml.trees import Source, expand_files

_LATER = {"max_towers", "not_finite"}  # of Options: data files of before were made without

__all__ = ["original_inputs", "original_options", "pileup_samples", "weight_factors"]


def original_options(dataset: Dataset) -> Options:
    """How the candidates of a data.h5 were selected.

    Raises:
        DataError: the file does not say.
    """
    config = dataset.provenance.get("config")
    names = set(Options.__dataclass_fields__)
    if not isinstance(config, dict) or not names - _LATER <= set(config) or not dataset.provenance["inputs"]:
        raise DataError(
            "the data do not say how they were made from towers",
            where=dataset.path,
            expected="a data.h5 of hepml convert",
            fix="convert the ROOT files again",
        )
    return Options(**{name: config[name] for name in names & set(config)})


def weight_factors(dataset: Dataset) -> list[float]:
    """What event weights were multiplied by when the data were written, by sample."""
    records = dataset.provenance["samples"]
    return [
        float(one["cross_section"]) / float(one["sum_of_weights"]) if one.get("cross_section") is not None else 1.0
        for one in records
    ]


def original_inputs(dataset: Dataset, towers: Sequence[str | Path] = ()) -> list[tuple[Input, dict[str, Any]]]:
    """The files that events of a data.h5 were read from, found by checksum, each with its entry in the ledger.

    Args:
        dataset: of `hepml convert`.
        towers: files, folders or globs to look in. If none are given: where they were when the data were written, and
            the folder of data.h5.

    Raises:
        InputFileError: a file is not found.
        VerificationError: a file of that name has another content.
    """
    options = original_options(dataset)
    known = _Known(_given(towers) if towers else _recorded(dataset))
    samples, entries = [], []
    for record in dataset.provenance["samples"]:
        own = [one for one in dataset.provenance["inputs"] if one["sample"] == record["name"] and one["read"]]
        entries += own
        layout = record.get("layout")
        if isinstance(layout, dict):
            layout = str(known.find(layout["name"], layout["sha256"], dataset))
        files = tuple(_source(one, known, dataset) for one in own)
        fields = {key: record.get(key) for key in ("label", "target", "weight", "group", "cross_section", "truth")}
        samples.append(Sample(record["name"], files, layout=layout, **fields))
    found = SampleSet(dataset.task["kind"], tuple(dataset.task["names"]), tuple(samples), str(dataset.path))
    return list(zip(survey(found, options.collection), entries, strict=True))


def pileup_samples(variation: Variation, nominal: Sequence[Sample]) -> SampleSet:
    """The samples of a variation that replaces the events.

    Those of a samples.yaml have its weights and cross sections. A file alone is read with the layout, weight, group and
    cross section of the sample that it stands for.

    Args:
        variation: `pileup=FILE.yaml`, or a file for each class.
        nominal: samples of the data, one or several of each class.

    Raises:
        InputFileError, SchemaError: a file is absent, or samples.yaml is not one.
        DataError: not two classes; or one file for several samples that differ in weights or cross sections.
    """
    if variation.table is not None:
        found = load_samples(variation.table)
        if found.task != "binary":
            raise DataError("pile-up samples need two classes", where=variation.table, found=f"task {found.task!r}")
        return found
    made = []
    for label, path in sorted(variation.samples.items(), reverse=True):
        own = list({one.name: one for one in nominal if one.label == label}.values())
        read_alike = {(one.layout, one.weight, one.group) for one in own}
        if len(read_alike) != 1 or (len(own) > 1 and any(one.cross_section is not None for one in own)):
            raise DataError(
                "one file cannot stand for several samples of different weights",
                where=variation.name,
                found=", ".join(one.name for one in own),
                fix="list the pile-up files with their weights and cross sections: pileup=samples.yaml",
            )
        files = tuple(expand_files(path))
        made.append(replace(own[0], name=("background", "signal")[label], files=files))
    return SampleSet("binary", ("background", "signal"), tuple(made), "")


def _source(record: dict[str, Any], known: _Known, dataset: Dataset) -> Source:
    if record["sha256"] is None:  # a URL; the content is compared when it is read
        match = [path for path in known.texts if path.endswith("/" + record["name"])]
        return Source(match[0] if match else record["name"], record.get("tree"))
    return Source(str(known.find(record["name"], record["sha256"], dataset)), record.get("tree"))


class _Known:
    """Files by content; each is hashed at most once, and only if its name or nothing else fits."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = list(dict.fromkeys(texts))
        self._sums: dict[str, str] = {}

    def find(self, name: str, sha256: str, dataset: Dataset) -> Path:
        named = [text for text in self.texts if Path(text).name == name and Path(text).is_file()]
        for text in [*named, *(one for one in self.texts if one not in named and Path(one).is_file())]:
            if text not in self._sums:
                self._sums[text] = sha256_file(text)
            if self._sums[text] == sha256:
                return Path(text)
        if named:
            raise VerificationError(
                "a file is not the one that the data were made of",
                where=named[0],
                expected=f"SHA-256 {sha256[:16]}... (recorded in {dataset.path})",
                found=f"SHA-256 {self._sums[named[0]][:16]}...",
                fix="give the original with --towers, or convert, train and evaluate again",
            )
        raise InputFileError(
            "a file that the data were made of is not found",
            where=name,
            expected=f"one with SHA-256 {sha256[:16]}... (recorded in {dataset.path})",
            found="looked at " + (", ".join(self.texts[:4]) or "nothing"),
            fix="say where the ROOT files are: --towers FOLDER",
        )


def _given(towers: Sequence[str | Path]) -> list[str]:
    found: list[str] = []
    for one in map(str, towers):
        if Path(one).is_dir():
            found += sorted(str(path) for path in Path(one).iterdir() if path.is_file())
        else:
            found += sorted(glob(one)) or [one]
    return found


def _recorded(dataset: Dataset) -> list[str]:
    sidecar = log_of(dataset.path)
    inputs = read_json(sidecar).get("inputs", []) if sidecar.is_file() else []
    found = [one for one in inputs if isinstance(one, str)]
    folders = [dataset.path.parent, *(Path(one).parent for one in found)]
    beside = [str(path) for folder in dict.fromkeys(folders) for path in sorted(folder.glob("*.yaml"))]
    return [*found, *sorted(map(str, dataset.path.parent.glob("*.root"))), *beside]
