"""The books of a conversion: inputs with checksums, cut flows that add up, class counts.

Everything is kept per input, and every total is a sum over inputs: so the books of many jobs put together are those of
one conversion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.rows import Rows
from hepml.dataset.sources import Input
from hepml.dataset.sums import exact_sum, rounded
from hepml.errors import DataError, GranularityError, VerificationError
from hepml.geometry import Geometry

__all__ = ["Record", "new_entry"]


class Record:
    """Adds up what was read, cut and written, by input and by sample.

    Args:
        task: kind and names of the classes, as stored.
        samples: as stored in the configuration, in order.
        inputs: an entry an input, see `new_entry`; filled by `add`, or by an earlier conversion.
        places: path of each input, for messages.
    """

    def __init__(
        self,
        task: Mapping[str, Any],
        samples: Sequence[Mapping[str, Any]],
        inputs: list[dict[str, Any]],
        places: Sequence[str],
    ) -> None:
        self._task = task
        self._samples = samples
        self.inputs = inputs
        self._places = places
        self.geometry: Geometry | None = None
        self._seen: dict[tuple[str, ...], int] = {}  # checksum of a file and its tree, or of a content -> input

    def add(self, rows: Rows) -> None:
        """Counts one step of reading.

        Raises:
            GranularityError: the file has other grids than the first.
            DataError: the same tree was read under another name.
        """
        number, entry = rows.file_id, self.inputs[rows.file_id]
        self.check_geometry(rows.geometry, self._places[number])
        if not entry["entries"]:
            entry |= {"layout": rows.layout, "content_sha256": rows.content, "sha256": rows.sha256}
            entry["entries"] = [*rows.entries]
        entry["entries"][1] = rows.entries[1]
        for name, count in rows.cut_flow.items():
            place = entry if name in ("read", "written") else entry["rejected"]
            place[name] = place.get(name, 0) + count
        entry["sum_of_weights"] = exact_sum([*entry["sum_of_weights"], *rows.sum_of_weights])
        entry["weights_not_finite"] += rows.bad_weights
        for key, amounts in (("towers", rows.towers), ("not_finite", rows.not_finite)):
            for name, amount in amounts.items():
                entry[key][name] = entry[key].get(name, 0) + amount
        self.check_twice(number)

    def reject(self, name: str, inputs: NDArray[np.int32]) -> None:
        """Counts candidates, of these inputs each, that are written no longer, under the name of what rejects them."""
        for number, count in zip(*np.unique(inputs, return_counts=True), strict=True):
            entry = self.inputs[int(number)]
            entry["rejected"][name] = entry["rejected"].get(name, 0) + int(count)
            entry["written"] -= int(count)

    def skip(self, number: int, reason: str) -> None:
        """Notes an input that could not be read."""
        self.inputs[number]["skipped"] = reason

    def skipped(self) -> list[dict[str, str]]:
        """Path and reason of every input that was skipped."""
        entries = zip(self._places, self.inputs, strict=True)
        return [{"path": place, "reason": entry["skipped"]} for place, entry in entries if "skipped" in entry]

    def not_finite(self) -> dict[str, dict[str, int]]:
        """Path of each input with values that are not finite, and how many by column."""
        entries = zip(self._places, self.inputs, strict=True)
        return {place: entry["not_finite"] for place, entry in entries if entry.get("not_finite")}

    def check_geometry(self, geometry: Geometry, place: str) -> None:
        """Refuses other grids than those of the first."""
        if self.geometry is None:
            self.geometry = geometry
        elif self.geometry != geometry:
            raise GranularityError(
                "a file has other grids than the files before it",
                where=place,
                expected=f"{self.geometry.ecal.describe()}; {self.geometry.hcal.describe()}",
                found=f"{geometry.ecal.describe()}; {geometry.hcal.describe()}",
                fix="convert files of one granularity together",
            )

    def check_twice(self, number: int) -> None:
        """Refuses the events of an earlier input: another layout would give them other identities.

        They are known by the bytes of the file, and by the content of the tree, whatever its compression.
        """
        entry = self.inputs[number]
        keys: list[tuple[str, ...]] = (
            [("file", entry["sha256"], entry["tree"])] if entry["sha256"] and entry["read"] else []
        )
        keys += [("content", entry["content_sha256"])] if entry["written"] else []
        for key in keys:
            first = self._seen.setdefault(key, number)
            if first != number:
                raise DataError(
                    "two files hold the same events",
                    where=self._places[number],
                    found=f"the content of {self._places[first]}",
                    fix="list one of them: its events would count twice, in training and in test",
                )

    def balance(self, rows: int) -> None:
        """Checks that nothing was lost: every input's read = written + rejections, and all that was written is there.

        Args:
            rows: of the data file.

        Raises:
            VerificationError: the books do not balance.
        """
        for entry, place in zip(self.inputs, self._places, strict=True):
            if entry["read"] != entry["written"] + sum(entry["rejected"].values()):
                raise _unbalanced(place, f"{entry['read']} read", f"{entry['written']} written, {entry['rejected']}")
        written = sum(entry["written"] for entry in self.inputs)
        if written != rows:
            raise _unbalanced("the data file", f"{written} candidates", f"{rows} rows")

    def _flow(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        names = dict.fromkeys(name for entry in inputs for name in entry["rejected"])
        return {
            "read": sum(entry["read"] for entry in inputs),
            **{name: sum(entry["rejected"].get(name, 0) for entry in inputs) for name in names},
            "written": sum(entry["written"] for entry in inputs),
        }

    def _of(self, sample: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [entry for entry in self.inputs if entry["sample"] == sample["name"]]

    def total(self) -> dict[str, int]:
        """The cut flow over all samples: "read" first, "written" last."""
        return self._flow(self.inputs)

    def towers(self) -> dict[str, float]:
        """How many towers were shared between cells or lay outside of the grid, over all inputs."""
        names = dict.fromkeys(name for entry in self.inputs for name in entry["towers"])
        return {name: sum(entry["towers"].get(name, 0) for entry in self.inputs) for name in names}

    def sample_records(self) -> list[dict[str, Any]]:
        """Per sample its name, label, sum of weights and cut flow; and how many weights are not finite, if any."""
        records = []
        for sample in self._samples:
            own = self._of(sample)
            bad = sum(entry["weights_not_finite"] for entry in own)
            record = {**sample, "sum_of_weights": _sum_of_weights(own)} | ({"weights_not_finite": bad} if bad else {})
            records.append({**record, "cut_flow": self._flow(own)})
        return records

    def weight_factors(self) -> list[float]:
        """What the weights of each sample are multiplied by: its cross section over the sum of the weights read.

        Raises:
            DataError: a sample has a cross section and weights that sum to nothing, or to more than a number holds.
        """
        factors = []
        for sample in self._samples:
            section, total = sample.get("cross_section"), _sum_of_weights(self._of(sample))
            if section is not None and not 0 < total < math.inf:
                raise DataError(
                    "the weights of a sample cannot be normalised to its cross section",
                    where=f"sample {sample['name']!r}",
                    expected="a positive, finite sum of weights",
                    found=total,
                )
            factors.append(1.0 if section is None else section / total)
        return factors

    def classes(self) -> dict[str, int]:
        """Rows of each class.

        Raises:
            DataError: there are no candidates, or a class has none.
        """
        total = self.total()
        where = ", ".join(self._places[:5])
        flow = ", ".join(f"{name} {count}" for name, count in total.items())
        if bad := self.skipped():
            flow += f"; {len(bad)} of {len(self.inputs)} files skipped, the first: {bad[0]['reason']}"
        if not total["written"]:
            raise DataError("no candidates in the files", where=where, found=flow, fix="see hepml inspect")
        counts = self.class_counts()
        if not all(counts.values()):
            raise DataError(
                "a class has no candidates",
                where=where,
                expected="candidates of every class",
                found=", ".join(f"{name}: {count}" for name, count in counts.items()),
                fix="see the cut flow: " + flow,
            )
        return counts

    def class_counts(self) -> dict[str, int]:
        """Rows of each class, none for a regression."""
        if self._task["kind"] == "regression":
            return {}
        counts = dict.fromkeys(self._task["names"], 0)
        for sample in self._samples:
            counts[self._task["names"][int(sample["label"])]] += self._flow(self._of(sample))["written"]
        return counts


def new_entry(each: Input) -> dict[str, Any]:
    """The entry of an input before it is read.

    `name` (without its folder: the file must not depend on where its inputs lie), `sample`, `size`, `sha256`, `uuid`
    (ROOT's), `content_sha256` (of the tree, whatever the compression), `tree`, `layout`, `entries` (first, and the one
    after the last), `read`, `written`, `rejected` by name, `sum_of_weights` (numbers that add up to it exactly),
    `weights_not_finite`, `towers`, `not_finite` (values by column); `group`, the branch that keeps relatives together,
    if one does; and `skipped`, why it was, if it was.
    """
    path = Path(each.file.path)
    return {
        "name": path.name,
        "sample": each.sample.name,
        "size": None if each.file.remote else path.stat().st_size,
        "sha256": None,
        "uuid": each.uuid,
        "content_sha256": None,
        "tree": each.tree,
        "layout": None,
        "entries": [],
        "read": 0,
        "written": 0,
        "rejected": {},
        "sum_of_weights": [],
        "weights_not_finite": 0,
        "towers": {},
        "not_finite": {},
        **({} if each.group is None else {"group": each.group}),
    }


def _sum_of_weights(entries: Sequence[Mapping[str, Any]]) -> float:
    return rounded(part for entry in entries for part in entry["sum_of_weights"])


def _unbalanced(where: str, expected: str, found: str) -> VerificationError:
    return VerificationError(
        "the books of the conversion do not balance: nothing is written",
        where=where,
        expected=expected,
        found=found,
        fix="this is a mistake in hepml: please report it",
    )
