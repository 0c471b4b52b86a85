"""The file as a whole: a folder of the DataLoader with everything in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.ledger import atomic_path
from tmva_bridge.output.treefile import Branch, write_tree
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import read_weights

__all__ = ["MethodOutput", "write_output"]


@dataclass(frozen=True)
class MethodOutput:
    """A trained method, and what it answers for the events of both samples.

    Attributes:
        kind: TMVA's type, such as "BDT".
        title: the name it was booked with, such as "BDTG".
        weight_file: its `.weights.xml`, which is there.
        train_response: (n,) of a classification; (n, classes) of a multiclass, (n, targets) of a regression, where
            (n,) serves for one target.
        test_response: the same for the test sample.
    """

    kind: str
    title: str
    weight_file: str | Path
    train_response: NDArray[Any]
    test_response: NDArray[Any]


def write_output(  # noqa: PLR0917
    path: str | Path,
    setup: Setup,
    train: Sample,
    test: Sample,
    methods: Sequence[MethodOutput],
    transformations: Sequence[str] = ("I",),
    correlations: bool = True,
    *,
    overwrite: bool = False,
) -> None:
    """Writes what TMVA's Factory writes into its output file.

    Args:
        path: of the file, such as "TMVA.root"; whole or not at all.
        setup, train, test: what the methods were trained on, and tested with.
        methods: in the order of booking.
        transformations: chains for the plots of input variables, such as ("I", "D", "P", "G,D").
        correlations: whether to write the plots of pairs of variables.
        overwrite: replace an existing file.

    Raises:
        DataError: responses of another shape than the samples, or two methods of one title.
        OutputError: the file exists, or cannot be written.
        SchemaError, InputFileError: a weight file is absent or damaged.

    Example:
        >>> import tempfile, uproot
        >>> from tmva_bridge.header import Variable
        >>> from tmva_bridge.weights import EXAMPLE
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "TMVA_Fisher.weights.xml").write_text(EXAMPLE)
        >>> variables = tuple(Variable(name, name, name, "F") for name in "xy")
        >>> setup = Setup("dataset", "Classification", ("Signal", "Background"), variables)
        >>> rng, none = np.random.default_rng(1), np.empty((8, 0), np.float32)
        >>> classes = np.arange(8, dtype=np.int32) % 2
        >>> sample = Sample(rng.normal(size=(8, 2)).astype(np.float32), none, none, classes, np.ones(8))
        >>> response = read_weights(folder / "TMVA_Fisher.weights.xml").evaluate(sample.values)
        >>> method = MethodOutput("Fisher", "Fisher", folder / "TMVA_Fisher.weights.xml", response, response)
        >>> write_output(folder / "TMVA.root", setup, sample, sample, [method])
        >>> uproot.open(folder / "TMVA.root")["dataset/TestTree"].keys()
        ['classID', 'className', 'x', 'y', 'weight', 'Fisher', 'prob_Fisher']
    """
    import uproot

    _check(setup, train, test, methods)
    with atomic_path(path, overwrite) as temporary, uproot.recreate(temporary) as file:
        for name, sample, side in (("TestTree", test, "test_response"), ("TrainTree", train, "train_response")):
            responses = {one.title: getattr(one, side) for one in methods}
            files = {one.title: one.weight_file for one in methods}
            write_tree(file, f"{setup.loader}/{name}", _branches(setup, sample, responses, files))


def _check(setup: Setup, train: Sample, test: Sample, methods: Sequence[MethodOutput]) -> None:
    outputs = {"Classification": 1, "Multiclass": len(setup.classes), "Regression": len(setup.targets)}
    columns = outputs[setup.analysis]
    titles = [one.title for one in methods]
    if len(set(titles)) != len(titles):
        raise DataError("two methods of one title", expected="each title once", found=", ".join(titles))
    for one in methods:
        for sample, response, side in ((train, one.train_response, "training"), (test, one.test_response, "test")):
            shapes = [(len(sample), columns)] + ([(len(sample),)] if columns == 1 else [])
            if np.shape(response) not in shapes:
                raise DataError(
                    f"responses of {one.title} of another shape than the {side} sample",
                    expected=" or ".join(map(str, shapes)),
                    found=np.shape(response),
                )


def _branches(
    setup: Setup, sample: Sample, responses: dict[str, NDArray[Any]], files: dict[str, str | Path]
) -> list[Branch]:
    """The columns of a tree, as TMVA orders them: methods by their titles."""
    out = [
        Branch("classID", ("classID",), "I", sample.classes.astype(np.int32)),
        Branch("className", ("className",), "C", sample.classes, setup.classes),
    ]
    for group, values in (
        (setup.variables, sample.values),
        (setup.targets, sample.targets),
        (setup.spectators, sample.spectators),
    ):
        out += [Branch(one.internal, (one.internal,), "F", values[:, i]) for i, one in enumerate(group)]
    out.append(Branch("weight", ("weight",), "F", sample.weights.astype(np.float32)))
    for title in sorted(responses):
        leaves = {
            "Classification": (title,),
            "Multiclass": setup.classes,
            "Regression": tuple(one.internal for one in setup.targets),
        }[setup.analysis]
        values = np.asarray(responses[title], dtype=np.float32)
        out.append(Branch(title, leaves, "F", values.reshape(len(values), -1) if len(leaves) > 1 else values.ravel()))
    for title in sorted(responses) if setup.analysis == "Classification" else ():
        method = read_weights(files[title])
        if method.densities is not None:
            proba = method.proba(response=np.asarray(responses[title]))
            out.append(Branch(f"prob_{title}", (f"prob_{title}",), "F", proba.astype(np.float32)))
    return out
