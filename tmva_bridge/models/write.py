"""Models of Keras, scikit-learn and XGBoost as weight files that TMVA's Reader books."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.atomic import atomic_path
from hepml.errors import DataError, VerificationError
from hepml.export.estimators import is_estimator
from tmva_bridge.declared import BDT, MLP, defaults
from tmva_bridge.fitting.outside import Transforms
from tmva_bridge.header import ANALYSES, Variable, as_variables
from tmva_bridge.methods import Method
from tmva_bridge.models.estimators import written_estimator
from tmva_bridge.models.keras import written_keras
from tmva_bridge.models.model import Written
from tmva_bridge.sample import Setup
from tmva_bridge.weights import parse_weights
from tmva_bridge.writing.common import Body, weight_file

__all__ = ["TOLERANCE", "write_weights"]

Array = NDArray[np.float64]
TOLERANCE = 1e-5  # of |a - b| / max(1, |b|): float32 weights and leaves, against the model's own sums
_EVENTS = 1000  # to compare with


def write_weights(
    model: Any,
    path: str | Path,
    *,
    variables: Sequence[str | Variable] | None = None,
    classes: Sequence[str] | None = None,
    targets: Sequence[str | Variable] | None = None,
    spectators: Sequence[str | Variable] = (),
    title: str | None = None,
    analysis: str | None = None,
    signal: int = 0,
    transforms: Transforms | None = None,
    sample: ArrayLike | None = None,
    without_missing: bool = False,
    overwrite: bool = False,
) -> Method:
    """Writes a model as a weight file, which TMVA's Reader books as it books its own.

    A dense network of Keras (or a perceptron or linear model of scikit-learn) becomes an MLP: linear, sigmoid and tanh
    may be mixed in hidden layers, or linear, relu and leaky_relu; what scales inputs is folded in, what acts only in
    training is dropped. Trees of scikit-learn (DecisionTree, RandomForest, ExtraTrees, GradientBoosting,
    HistGradientBoosting, AdaBoostClassifier, also behind scalers in a Pipeline) and XGBoost become a BDT. The file is
    read again and compared with the model, for trees at all their cuts, before it has its name.

    Args:
        model: fitted.
        path: of the file, such as "dataset/weights/TMVA_Net.weights.xml".
        variables: expressions, or "label := expression", in the order of the model's inputs; they must be those that
            the Reader gets. By default the names that the model was fitted with, else var0, var1 ...
        classes: names; of a classification the signal first. By default Signal and Background, or the model's.
        targets: of a regression.
        spectators: expressions of variables that the Reader's user will declare too.
        title: of the method; by default the part of the file's name behind the last "_".
        analysis: "Classification" for a network with one linear output that separates two classes.
        signal: of a network with two units of softmax, the unit of the signal; 0 as in TMVA's PyKeras.
        transforms: what `fit_transforms` gave, if the model was trained on transformed values.
        sample: (n, variables) raw events to compare at, too.
        without_missing: write trees although they have learned where NaN go: for events with NaN, TMVA answers -999.
        overwrite: replace a file.

    Returns:
        The method of the file. Of boosted trees the answer is 2 p - 1 with p the model's probability, of averaged
        trees p, of AdaBoost half of decision_function, of networks the output; of several classes their probabilities.

    Raises:
        UnsupportedLayerError: what TMVA cannot express, with the reason.
        DataError: names that do not fit the model, a model that is not fitted.
        VerificationError: the file does not give the model's numbers; nothing is left behind.
        OutputError: the file exists, or cannot be written.

    Example:
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> tree = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
        >>> method = write_weights(tree, "TMVA_Tree.weights.xml", variables=["pt"])
        >>> method.kind, method.title, method.evaluate({"pt": [0.4, 0.6]}).tolist()
        ('BDT', 'Tree', [0.0, 1.0])
    """
    if analysis is not None and analysis not in ANALYSES:
        raise DataError(f"unknown analysis {analysis!r}", expected=", ".join(ANALYSES))
    if signal not in (0, 1):
        raise DataError(f"no unit {signal!r} of two", expected="signal=0 or signal=1")
    if is_estimator(model) or type(model).__module__.split(".")[0] == "xgboost":
        written = written_estimator(model, without_missing)
        if analysis not in (None, written.analysis):
            raise DataError(f"{written.name} is no {analysis}", expected=written.analysis)
    else:
        written = written_keras(model, analysis, signal)
    setup = _setup(written, variables, classes, targets, spectators)
    name = title or Path(path).name.removesuffix(".xml").removesuffix(".weights").split("_")[-1]
    declared = defaults(BDT if written.kind == "BDT" else MLP)
    options = {**declared, **written.options}
    if transforms is not None:
        transforms.check(setup)
        options["VarTransform"] = transforms.text
    lowered = {key: str(options[key]).lower() for key in _LOWER if key in options}
    body = Body(
        written.kind,
        written.weights,
        {**options, **lowered},
        frozenset(written.options),
        () if transforms is None else transforms.chain.tags,
        0 if transforms is None else transforms.chain.identities,
    )
    text = weight_file(body, setup, name)
    method = parse_weights(text.encode(), str(path))
    _compare(written, method, transforms, sample)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return method


_LOWER = ("SeparationType", "PruneMethod", "NegWeightTreatment", "AdaBoostR2Loss")  # as TMVA writes them


def _setup(
    written: Written,
    variables: Sequence[str | Variable] | None,
    classes: Sequence[str] | None,
    targets: Sequence[str | Variable] | None,
    spectators: Sequence[str | Variable],
) -> Setup:
    names = as_variables(variables or written.variables or [f"var{i}" for i in range(written.inputs)])
    if len(names) != written.inputs:
        raise DataError(
            "variables that are not as many as the model's inputs",
            where=written.name,
            expected=f"{written.inputs} variables",
            found=f"{len(names)}: {', '.join(one.label for one in names)}",
        )
    labels = [one.label for one in names]
    if len(set(labels)) != len(labels):
        raise DataError("a variable comes twice", where=written.name, expected="different names", found=labels)
    goals = as_variables(targets or [f"target{i}" if written.outputs > 1 else "target" for i in range(written.outputs)])
    if written.analysis != "Regression":
        if targets:
            raise DataError("targets are of a regression", where=written.name, found=written.analysis)
        goals = ()
    elif len(goals) != written.outputs:
        raise DataError("another number of targets than outputs", expected=written.outputs, found=len(goals))
    wanted = {"Regression": 1, "Classification": 2, "Multiclass": written.outputs}[written.analysis]
    known = {"Regression": ("Regression",), "Classification": ("Signal", "Background")}.get(written.analysis)
    labelled = tuple(classes or known or written.classes or [f"class{i}" for i in range(wanted)])
    if len(labelled) != wanted or len(set(labelled)) != wanted:
        raise DataError(
            "classes that do not fit the model", where=written.name, expected=f"{wanted} names", found=labelled
        )
    return Setup("dataset", written.analysis, labelled, names, as_variables(spectators), goals)


def _events(written: Written, transforms: Transforms | None, sample: ArrayLike | None) -> Array:
    """Raw events to compare at: cuts and their neighbours, or what transforms were fitted to, and the sample."""
    rng = np.random.default_rng(1)
    parts = [rng.normal(scale=2, size=(_EVENTS, written.inputs)).astype(np.float32)]
    if transforms is not None:
        parts = [transforms.some]
    elif written.edges:
        columns = []
        for edges in written.edges:
            near = [edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))]
            columns.append(rng.permutation(np.concatenate(near)) if len(edges) else rng.normal(size=1))
        longest = max(len(column) for column in columns)
        rows = max(longest, _EVENTS)
        parts.append(np.stack([np.resize(column, rows) for column in columns], axis=1).astype(np.float32))
    if sample is not None:
        given = np.asarray(sample, np.float32)
        if given.ndim != 2 or given.shape[1] != written.inputs:
            raise DataError("a sample of another shape", expected=f"(n, {written.inputs})", found=given.shape)
        parts.append(given)
    joined = np.concatenate(parts).astype(np.float64)
    out: Array = joined[np.isfinite(joined).all(axis=1)]
    return out


def _compare(written: Written, method: Method, transforms: Transforms | None, sample: ArrayLike | None) -> None:
    x = _events(written, transforms, sample)
    expected = written.judge(x if transforms is None else transforms.apply(x).astype(np.float64))
    found = written.meaning(method.evaluate(x))
    distance = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    if not distance.max() <= TOLERANCE:
        at = int(np.argmax(np.where(np.isnan(distance), np.inf, distance).reshape(len(x), -1).max(axis=1)))
        raise VerificationError(
            f"the weight file does not give the numbers of {written.name}",
            where=f"the event {x[at].tolist()}",
            expected=expected[at],
            found=found[at],
            fix="scale the inputs to numbers near 1 before the first layer" if written.kind == "MLP" else None,
        )
