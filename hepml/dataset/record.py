"""The books of a conversion: inputs with checksums, cut flows that add up, class counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hepml import ledger
from hepml.dataset.rows import Rows
from hepml.dataset.sources import Input, sample_config
from hepml.errors import DataError, GranularityError
from hepml.geometry import Geometry
from hepml.samples import SampleSet

__all__ = ["Record"]


class Record:
    """Adds up what was read, cut and written, by input and by sample.

    Args:
        samples, inputs: what is read.

    Raises:
        DataError: two inputs are the same tree of equal files.
    """

    def __init__(self, samples: SampleSet, inputs: Sequence[Input]) -> None:
        self._samples = samples
        self._files = inputs
        self.inputs: list[dict[str, Any]] = [_input(each) for each in inputs]
        self._check_copies()
        self.flows: list[dict[str, int]] = [{} for _ in samples.samples]
        self.sums = [0.0] * len(samples.samples)  # of the finite weights of all events read
        self.bad_weights = [0] * len(samples.samples)
        self.written: dict[float, int] = {}
        self.geometry: Geometry | None = None
        self.towers: dict[str, float] = {}
        self._contents: dict[str, int] = {}  # checksum of a tree -> number of the file

    def add(self, rows: Rows) -> None:
        """Counts one step of reading.

        Raises:
            GranularityError: the file has other grids than the first.
            DataError: the same tree was read under another name.
        """
        entry, file = self.inputs[rows.file_id], self._files[rows.file_id]
        self._check_geometry(rows, file)
        self._check_twice(rows, file)
        if not entry["entries"]:
            entry |= {
                "tree": rows.tree,
                "layout": rows.layout,
                "content_sha256": rows.content,
                "entries": [*rows.entries],
            }
        entry["entries"][1] = rows.entries[1]
        entry["read"] += rows.cut_flow["read"]
        entry["written"] += rows.cut_flow["written"]
        flow = self.flows[file.sample_id]
        written = flow.pop("written", 0) + rows.cut_flow["written"]
        for name, count in rows.cut_flow.items():
            if name != "written":
                flow[name] = flow.get(name, 0) + count
        flow["written"] = written
        self.sums[file.sample_id] += rows.sum_of_weights
        self.bad_weights[file.sample_id] += rows.bad_weights
        for name, number in rows.towers.items():
            self.towers[name] = self.towers.get(name, 0) + number
        for value, count in zip(*np.unique(rows.block.y, return_counts=True), strict=True):
            self.written[float(value)] = self.written.get(float(value), 0) + int(count)

    def _check_geometry(self, rows: Rows, file: Input) -> None:
        if self.geometry is None:
            self.geometry = rows.geometry
        elif self.geometry != rows.geometry:
            raise GranularityError(
                "a file has other grids than the files before it",
                where=file.file.path,
                expected=f"{self.geometry.ecal.describe()}; {self.geometry.hcal.describe()}",
                found=f"{rows.geometry.ecal.describe()}; {rows.geometry.hcal.describe()}",
                fix="convert files of one granularity together",
            )

    def _check_copies(self) -> None:
        """Refuses the same tree of equal files: another layout would give its events other identities."""
        seen: dict[tuple[str, str], Input] = {}
        for file, entry in zip(self._files, self.inputs, strict=True):
            if entry["sha256"] is not None and file.entries:
                first = seen.setdefault((entry["sha256"], file.tree), file)
                if first is not file:
                    raise _twice(first, file)

    def _check_twice(self, rows: Rows, file: Input) -> None:
        """Refuses a tree of which another file has given candidates: its rows would have the same identities."""
        first = self._contents.setdefault(rows.content, rows.file_id) if len(rows.block) else rows.file_id
        if first != rows.file_id:
            raise _twice(self._files[first], file)

    def total(self) -> dict[str, int]:
        """The cut flow over all samples: "read" first, "written" last."""
        names = dict.fromkeys(name for flow in self.flows for name in flow if name != "written")
        return {name: sum(flow.get(name, 0) for flow in self.flows) for name in (*names, "written")}

    def sample_records(self) -> list[dict[str, Any]]:
        """Per sample its name, label, sum of weights and cut flow; and how many weights are not finite, if any."""
        records = []
        for number, sample in enumerate(self._samples.samples):
            bad = self.bad_weights[number]
            record = {**sample_config(sample), "sum_of_weights": self.sums[number]}
            record |= {"weights_not_finite": bad} if bad else {}
            records.append({**record, "cut_flow": self.flows[number] or {"read": 0, "written": 0}})
        return records

    def weight_factors(self) -> list[float]:
        """What the weights of each sample are multiplied by: its cross section over the sum of the weights read.

        Raises:
            DataError: a sample has a cross section and weights that sum to nothing, or to more than a number holds.
        """
        factors = []
        for sample, total in zip(self._samples.samples, self.sums, strict=True):
            if sample.cross_section is not None and not 0 < total < math.inf:
                raise DataError(
                    "the weights of a sample cannot be normalised to its cross section",
                    where=f"sample {sample.name!r}",
                    expected="a positive, finite sum of weights",
                    found=total,
                )
            factors.append(1.0 if sample.cross_section is None else sample.cross_section / total)
        return factors

    def classes(self) -> dict[str, int]:
        """Rows of each class.

        Raises:
            DataError: there are no candidates, or a class has none.
        """
        total = self.total()
        where = ", ".join(each.file.path for each in self._files[:5])
        flow = ", ".join(f"{name} {count}" for name, count in total.items())
        if not total["written"]:
            raise DataError("no candidates in the files", where=where, found=flow, fix="see hepml inspect")
        if self._samples.task == "regression":
            return {}
        counts = {name: self.written.get(float(number), 0) for number, name in enumerate(self._samples.classes)}
        if not all(counts.values()):
            raise DataError(
                "a class has no candidates",
                where=where,
                expected="candidates of every class",
                found=", ".join(f"{name}: {count}" for name, count in counts.items()),
                fix="see the cut flow: " + flow,
            )
        return counts


def _twice(first: Input, file: Input) -> DataError:
    return DataError(
        "two files hold the same events",
        where=file.file.path,
        found=f"the content of {first.file.path}",
        fix="list one of them: its events would count twice, in training and in test",
    )


def _input(each: Input) -> dict[str, Any]:
    path = Path(each.file.path)
    local = not each.file.remote
    return {
        "name": path.name,
        "sample": each.sample.name,
        "size": path.stat().st_size if local else None,
        "sha256": ledger.sha256_file(path) if local else None,
        "content_sha256": None,
        "tree": each.file.tree,
        "layout": None,
        "entries": [],
        "read": 0,
        "written": 0,
    }
