"""The file as a whole: a folder of the DataLoader with everything in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from hepml.ledger import atomic_path
from tmva_bridge.fitting.chain import fit_chain
from tmva_bridge.methods import Method
from tmva_bridge.options import parse_chain
from tmva_bridge.output.classification import Answers, classification
from tmva_bridge.output.histograms import Histogram, to_root
from tmva_bridge.output.monitoring import Item, Tree, monitored, response_densities
from tmva_bridge.output.outcomes import multiclass, regression
from tmva_bridge.output.treefile import Branch, write_tree
from tmva_bridge.output.variables import columns_of, correlation_matrices, plots
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.transforms import ALL_CLASSES
from tmva_bridge.weights import read_description

__all__ = ["MethodOutput", "write_output"]

Array = NDArray[Any]
_OF_CLASSES = ("Likelihood", "HMatrix")  # transform signal and background each for its own
_SHORT = {
    "Identity": "Id",
    "Normalize": "Norm",
    "Decorrelation": "Deco",
    "PCA": "PCA",
    "Uniform": "Gauss",  # TMVA calls both by one name
    "Gauss": "Gauss",
}


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


@dataclass(frozen=True)
class _Dataset:
    setup: Setup
    train: Sample
    test: Sample
    methods: tuple[MethodOutput, ...]


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
        >>> from tmva_bridge import read_weights
        >>> response = read_weights(folder / "TMVA_Fisher.weights.xml").evaluate(sample.values)
        >>> method = MethodOutput("Fisher", "Fisher", folder / "TMVA_Fisher.weights.xml", response, response)
        >>> write_output(folder / "TMVA.root", setup, sample, sample, [method])
        >>> uproot.open(folder / "TMVA.root")["dataset/TestTree"].keys()
        ['classID', 'className', 'x', 'y', 'weight', 'Fisher', 'prob_Fisher']
    """
    import uproot

    _check(setup, train, test, methods)
    dataset = _Dataset(setup, train, test, tuple(methods))
    with atomic_path(path, overwrite) as temporary, uproot.recreate(temporary) as file:
        folder = file.mkdir(setup.loader)
        for name, made in correlation_matrices(setup, train) if correlations else ():
            _put(folder, name, made)
        for chain in transformations:
            _write_variables(folder, dataset, chain, correlations)
        probabilities = [_write_method(folder, dataset, one, correlations) for one in methods]
        for name, sample, side in (("TestTree", test, 1), ("TrainTree", train, 0)):
            responses = {one.title: (one.train_response, one.test_response)[side] for one in methods}
            known = {one.title: pair[side] for one, pair in zip(methods, probabilities, strict=True) if pair}
            write_tree(file, f"{setup.loader}/{name}", _branches(setup, sample, responses, known))


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


def _chain_name(text: str) -> str:
    """Short names of a chain of transformations, joined by "_"; "Id" of none."""
    if text.strip().lower() in ("", "none"):
        return "Id"
    names = [_SHORT[link.kind] for link in parse_chain(text)]
    return "_".join(name for name in names if name != "Id" or len(names) == 1) or "Id"


def _write_variables(folder: Any, dataset: _Dataset, chain: str, pairs: bool) -> None:
    """The training sample in a transformation."""
    train, name = dataset.train, _chain_name(chain)
    values, targets = train.values, train.targets
    if name != "Id":
        values, targets = fit_chain(chain, train, dataset.setup).forward(train)
    columns = columns_of(train, values, targets, name)
    for path, made in plots(dataset.setup, columns, f"_{name}", pairs):
        _put(folder, f"InputVariables_{name}/{path}", made)


def _write_method(folder: Any, dataset: _Dataset, one: MethodOutput, pairs: bool) -> tuple[Array, Array] | None:
    """The folder of a method; the probabilities of both samples where its file has densities of the response."""
    setup, base = dataset.setup, f"Method_{one.kind}/{one.title}"
    method = read_description(one.weight_file)
    place = [other.title for other in dataset.methods if other.kind == one.kind].index(one.title)
    folder[f"{base}/TrainingPath"] = os.getcwd()
    folder[f"{base}/WeightFileName"] = str(one.weight_file)
    for name, item in monitored(method, dataset.train, place):
        _put(folder, f"{base}/{name}", item)
    trained, tested = (np.asarray(one.train_response), np.asarray(one.test_response, dtype=np.float32))
    probabilities = None
    if setup.analysis == "Classification":
        train = _answers(trained.ravel(), dataset.train, dataset.train.weights)
        test = _answers(tested.ravel(), dataset.test, dataset.test.weights.astype(np.float32))
        if method.densities is not None:
            made, probabilities = _densities(method, train, np.asarray(one.test_response).ravel())
            for name, item in made:
                _put(folder, f"{base}/{name}", item)
            chance = probabilities[1].astype(np.float32).astype(np.float64)
            test = replace(test, probability=chance, rarity=method.rarity(response=test.response))
        for name, item in classification(one.title, train, test) if one.kind != "Cuts" else ():
            _put(folder, f"{base}/{name}", item)
    for sample, response, word in (
        (dataset.test, tested, "test"),
        (dataset.train, trained.astype(np.float32), "train"),
    ):
        if setup.analysis == "Multiclass":
            outcome = multiclass(f"MVA_{one.title}_{word.title()}", setup, sample, response)
        elif setup.analysis == "Regression":
            outcome = regression(
                f"MVA_{one.title}{word}", setup, sample, dataset.train, response.reshape(len(sample), -1)
            )
        else:
            break
        for name, item in outcome:
            _put(folder, f"{base}/{name}", item)
    last = 1 if one.kind in _OF_CLASSES else ALL_CLASSES  # whose parameters TMVA used last
    values = method.chain.forward(dataset.test.values, last)
    targets = method.chain.forward_targets(dataset.test.targets)
    columns = columns_of(dataset.test, values, targets, _chain_name(method.header.option("VarTransform", "None")))
    for name, item in plots(setup, columns, "", pairs):
        _put(folder, f"{base}/{name}", item)
    return probabilities


def _answers(response: Array, sample: Sample, weights: Array) -> Answers:
    return Answers(response.astype(np.float64), sample.classes == 0, weights.astype(np.float64))


def _densities(
    method: Method, train: Answers, test_response: Array
) -> tuple[list[tuple[str, Histogram]], tuple[Array, Array]]:
    """Histograms of the response's densities, and probabilities of signal in both samples."""
    rounded = replace(train, response=train.response.astype(np.float32).astype(np.float64))
    made, signal, background = response_densities(method, rounded)
    s, b = signal.value(train.response), background.value(train.response)
    written = [*made, *made[2:]]  # TMVA writes those that it reads back once for each sample
    return written, (np.where(s + b > 0, s / (s + b), -1), method.proba(response=test_response))


def _put(folder: Any, path: str, item: Item) -> None:
    if item is None:
        folder.mkdir(path)
    elif isinstance(item, Tree):
        write_tree(folder, path, item.branches, item.title)
    else:
        folder[path] = to_root(item, path.rpartition("/")[2])


def _branches(
    setup: Setup, sample: Sample, responses: dict[str, Array], probabilities: dict[str, Array]
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
    for title, values in sorted(probabilities.items()):
        out.append(Branch(f"prob_{title}", (f"prob_{title}",), "F", values.astype(np.float32)))
    return out
