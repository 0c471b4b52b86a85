"""A TMVA.root, whoever wrote it: which methods it holds, and their histograms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, InputFileError, nearest
from hepml.trees.files import one_file, open_file, reading

__all__ = ["Bins", "OutputFile", "open_output"]

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """A histogram of one dimension, or of two.

    Attributes:
        values, squares: contents and their squared errors, (x,) or (x, y).
        edges: of x, and of y.
        titles: of the axes.
        labels: of the bins of x, or none.
    """

    values: Values
    squares: Values
    edges: tuple[Values, ...]
    titles: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def centres(self) -> Values:
        out: Values = (self.edges[0][1:] + self.edges[0][:-1]) / 2
        return out


@dataclass(frozen=True)
class OutputFile:
    """An open file, one DataLoader of it.

    Attributes:
        loader: the folder; empty in files of TMVA before the DataLoader.
        analysis: "Classification", "Multiclass" or "Regression".
        classes: in TMVA's order.
        methods: types and titles, in the order of the file.
        transformations: of the folders InputVariables_*, such as "Id".
    """

    path: str
    loader: str
    analysis: str
    classes: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    transformations: tuple[str, ...]
    folder: Any
    keys: frozenset[str]

    def has(self, key: str) -> bool:
        return key in self.keys

    def bins(self, key: str) -> Bins:
        """A histogram by its path in the folder.

        Raises:
            InputFileError: it is not there, or cannot be read.
        """
        if key not in self.keys:
            raise InputFileError(f"no histogram {key!r}", where=self.path, nearest=nearest(key, self.keys))
        with reading(self.path, key):
            one = self.folder[key]
            axes = [one.member(name) for name in ("fXaxis", "fYaxis")]
            flat = one.classname.startswith("TH1")
            labels = tuple(str(label) for label in axes[0].member("fLabels") or ())
            return Bins(
                values=np.asarray(one.values(), dtype=np.float64),
                squares=np.asarray(one.variances(), dtype=np.float64),
                edges=tuple(np.asarray(axis.edges(), dtype=np.float64) for axis in one.axes),
                titles=tuple(axis.member("fTitle") for axis in axes[: 1 if flat else 2]),
                labels=labels,
            )

    def column(self, tree: str, branch: str) -> NDArray[Any]:
        """A branch of "TrainTree" or "TestTree"."""
        with reading(self.path, f"{tree}, branch {branch}"):
            return np.asarray(self.folder[tree][branch].array(library="np"))


@contextmanager
def open_output(path: str | Path, loader: str | None = None) -> Iterator[OutputFile]:
    """Opens a TMVA.root.

    Args:
        loader: the DataLoader's folder; needed if the file holds several.

    Raises:
        InputFileError: absent, damaged, or not what TMVA's Factory writes.
        DataError: several DataLoaders and no choice, or one that is not there.
    """
    source = one_file(path)
    with open_file(source) as file:
        with reading(source.path, "the list of objects"):
            classes = dict(file.classnames(cycle=False))
        chosen = _loader(source.path, classes, loader)
        start = f"{chosen}/" if chosen else ""
        inside = {key.removeprefix(start): kind for key, kind in classes.items() if key.startswith(start)}
        yield _described(source.path, chosen, file[chosen] if chosen else file, inside)


def _loader(path: str, classes: dict[str, str], wanted: str | None) -> str:
    found = sorted({key.rpartition("/TestTree")[0] for key in classes if re.fullmatch(r"(.+/)?TestTree", key)})
    if not found:
        raise InputFileError(
            "not an output file of TMVA",
            where=path,
            expected="a folder with TestTree, TrainTree and Method_...",
            found=", ".join(sorted({key.partition("/")[0] for key in classes})[:10]) or "nothing",
        )
    if wanted is not None and wanted not in found:
        raise DataError(
            f"no DataLoader {wanted!r}", where=path, expected=", ".join(found), nearest=nearest(wanted, found)
        )
    if wanted is None and len(found) > 1:
        raise DataError("several DataLoaders in one file", where=path, found=", ".join(found), fix="give --loader")
    return found[0] if wanted is None else wanted


def _described(path: str, loader: str, folder: Any, inside: dict[str, str]) -> OutputFile:
    methods = tuple(
        (found[1], found[2])
        for key, kind in inside.items()
        if kind.startswith("TDirectory") and (found := re.fullmatch(r"Method_([^/]+)/([^/]+)", key))
    )
    transformations = tuple(key.partition("_")[2] for key in inside if re.fullmatch(r"InputVariables_[^/]+", key))
    with reading(path, "TestTree"):
        tree = folder["TestTree"]
        numbers, names = (tree[name].array(library="np") for name in ("classID", "className"))
    classes = tuple(str(names[numbers == number][0]) for number in np.unique(numbers))
    if not classes:
        raise InputFileError("TestTree is empty", where=path, expected="events", found="none")
    many = "CorrelationMatrixS" not in inside and len(classes) > 1
    analysis = "Regression" if classes == ("Regression",) else "Multiclass" if many else "Classification"
    return OutputFile(path, loader, analysis, classes, methods, transformations, folder, frozenset(inside))
