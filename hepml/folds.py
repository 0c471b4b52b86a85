"""The networks of a run with folds, applied as one: each event is scored by the network that did not train on it.

Which fold an event is in is a hash of its group (its run, lumi and event numbers, or the content of its file and its
entry, or the user's group column), so that events met in training are recognised wherever they are met again. An
event that no network saw is scored by one of them, always the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, InputFileError, SchemaError, printable
from hepml.evaluator import Evaluator
from hepml.identity import fold_of
from hepml.trees import Events

__all__ = ["Folds", "first_of", "open_networks"]

_log = logging.getLogger("hepml")

# beside these: the names and variables of the inputs
_SAME = ("features", "geometry", "convention", "collection", "towers")


@dataclass(frozen=True)
class Folds:
    """One network for each fold.

    Attributes:
        networks: in the order of the fold that each held out.
        group: the branch whose values decide the fold; None where it is the event.
    """

    networks: tuple[Evaluator, ...]
    group: str | None

    def grouped(self, events: Events) -> Events:
        """The events with the groups that decided their folds in training, and no others that a layout may name.

        Raises:
            DataError: they were read without the branch of the group.
        """
        if self.group is None:
            return replace(events, group=None)
        if events.group is None:
            raise DataError(
                "the folds of these networks follow from a branch that was not read",
                where=events.path,
                expected=self.group,
                fix=f"open the events with group={self.group!r}",
            )
        return events

    def rows(self, group: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
        """The rows that each network scores; `group` as from `hepml.identity.candidate_ids`."""
        fold = fold_of(group, len(self.networks))
        return [np.flatnonzero(fold == number) for number in range(len(self.networks))]


def open_networks(network: str | Path | Evaluator | Folds) -> Evaluator | Folds:
    """A network, or those of all folds.

    Args:
        network: a network file; a folder with one file for each fold, as `hepml export --folds` writes it; or either
            opened already.

    Raises:
        InputFileError: the folder holds no network.
        DataError: its networks are not the folds of one run, each once.
        SchemaError, VerificationError: a file is no network, or does not reproduce its reference vectors.

    Example:
        >>> open_networks("nets").group  # doctest: +SKIP
    """
    if isinstance(network, Evaluator | Folds):
        return network
    path = Path(network)
    if not path.is_dir():
        evaluator = Evaluator(path)
        fold = _record(evaluator, path)
        if fold is not None:
            _log.warning(
                "%s is fold %d of %d: events of the other folds trained it, and their scores are too good; give the "
                "folder of all folds (hepml export RUN --folds)",
                printable(path),
                fold["number"],
                fold["of"],
            )
        return evaluator
    files = sorted(path.glob("*.json"))
    if not files:
        raise InputFileError("no network in the folder", where=path, expected="the files of hepml export --folds")
    return _folds([Evaluator(file) for file in files], files)


def first_of(network: Evaluator | Folds) -> Evaluator:
    """The network itself, or the first of the folds: they differ in their weights alone."""
    return network.networks[0] if isinstance(network, Folds) else network


def _folds(networks: Sequence[Evaluator], files: Sequence[Path]) -> Folds:
    records = [_record(network, file) for network, file in zip(networks, files, strict=True)]
    for record, file in zip(records, files, strict=True):
        if record is None:
            raise DataError(
                "a network that is not of a fold, in a folder of them",
                where=file,
                expected="files of hepml export RUN --folds",
                fix="apply one network by the name of its file",
            )
    known = [record for record in records if record is not None]
    n = known[0]["of"]
    numbers = [record["number"] for record in known]
    facts = [_facts(network, record) for network, record in zip(networks, known, strict=True)]
    for name in facts[0]:
        for fact, file in zip(facts, files, strict=True):
            if fact[name] != facts[0][name]:
                raise DataError(
                    f"the folds differ in their {name}: they are not of one run",
                    where=file,
                    expected=f"as in {files[0].name}",
                    found=str(fact[name])[:200],
                )
    if sorted(numbers) != list(range(n)):
        raise DataError(
            "not each fold once",
            where=files[0].parent,
            expected=f"folds 0 to {n - 1}",
            found=", ".join(map(str, sorted(numbers))),
            fix="export them again: hepml export RUN --folds -o FOLDER",
        )
    return Folds(tuple(networks[numbers.index(number)] for number in range(n)), known[0]["group"])


def _facts(network: Evaluator, record: dict[str, Any]) -> dict[str, Any]:
    """What all folds of a run have in common."""
    provenance = network.metadata.get("provenance") or {}
    return {
        "number of folds": record["of"],
        "group": record["group"],
        "run (configuration and data)": (provenance.get("config"), provenance.get("data")),
        **{name: network.metadata.get(name) for name in _SAME},
        "inputs": [(one.name, one.shape, [variable.name for variable in one.variables]) for one in network.inputs],
    }


def _record(network: Evaluator, path: str | Path) -> dict[str, Any] | None:
    """Which fold a network held out: `number`, `of` how many, `group`; None for a network without folds.

    Raises:
        SchemaError: the file says it as it should not.
    """
    found = network.metadata.get("fold")
    if found is None:
        return None
    good = isinstance(found, dict) and found.keys() == {"number", "of", "group"}
    counts = [found["number"], found["of"]] if good else []
    good = good and all(type(value) is int for value in counts) and 0 <= counts[0] < counts[1] and 2 <= counts[1] <= 127
    if not good or not isinstance(found["group"], str | None):
        raise SchemaError(
            "the fold of a network is not told as it should be",
            where=f"{path}, hepml.fold",
            expected='{"number": 0, "of": 5, "group": null or a branch}',
            found=found,
            fix="export the network again",
        )
    return dict(found)
