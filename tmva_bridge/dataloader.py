"""TMVA's DataLoader: variables, trees, weights and cuts, as events for training and testing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hepml.errors import DataError
from tmva_bridge.events import Tree, make_samples
from tmva_bridge.expressions import parse_expression
from tmva_bridge.header import ANALYSES, Variable, internal_name
from tmva_bridge.options import Choice, Declared, parse_options
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.trees import check_source

__all__ = ["DataLoader"]

_KINDS = ("F", "I", "f", "i")
_SIGNAL, _BACKGROUND, _REGRESSION = "Signal", "Background", "Regression"
_MODES = ("Random", "Alternate", "Block")
_PREPARE: dict[str, Declared] = {
    "SplitMode": Choice(_MODES),
    "MixMode": Choice(("SameAsSplitMode", *_MODES)),
    "SplitSeed": 100,
    "NormMode": Choice(("EqualNumEvents", "NumEvents", "None")),
    "ScaleWithPreselEff": False,
    "V": False,
    "VerboseLevel": Choice(("Info", "Debug", "Verbose")),
}


class DataLoader:
    """Collects what a training is made of, as `TMVA::DataLoader` does; nothing is read before the events are asked for.

    A tree is one of uproot, "file.root:tree", a mapping of arrays, or a DataFrame. Expressions are parsed, never
    executed; an array in them makes an event of each of its elements. They are computed in float64; values become
    float32, as in TMVA. The signal of a classification is class 0, whichever tree comes first.

    Args:
        name: its folder, in which weight files are put.

    Example:
        >>> loader = DataLoader("dataset")
        >>> loader.AddVariable("total := x+y", "Sum", "GeV", "F")
        >>> loader.AddVariable("y")
        >>> loader.AddSignalTree({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 1.0, 2.0, 2.0]})
        >>> loader.AddBackgroundTree({"x": [0.0, -1.0, 0.0, -1.0], "y": [1.0, 2.0, 3.0, 4.0]}, 0.5)
        >>> loader.PrepareTrainingAndTestTree("y < 4", "SplitMode=Block:NormMode=NumEvents:nTest_Signal=1")
        >>> setup, train, test = loader.samples()
        >>> setup.classes, train.values.tolist(), train.weights.tolist(), len(test)
        (('Signal', 'Background'), [[2.0, 1.0], [3.0, 1.0], [5.0, 2.0], [1.0, 1.0]], [1.0, 1.0, 1.0, 1.0], 2)
    """

    def __init__(self, name: str = "default") -> None:
        self.name = str(name)
        if not re.fullmatch(r"[^\s:;]+", self.name):
            raise DataError("not a name of a DataLoader", expected="the name of a folder", found=repr(self.name))
        self._variables: list[Variable] = []
        self._spectators: list[Variable] = []
        self._targets: list[Variable] = []
        self._trees: list[Tree] = []
        self._classes: list[str] = []
        self._weights: dict[str, str] = {}
        self._cuts: dict[str, list[str]] = {}
        self._prepared: tuple[str, dict[str, Any]] = ("", {})
        self._made: dict[str, tuple[Setup, Sample, Sample]] = {}

    def GetName(self) -> str:  # noqa: N802
        """The name, which is the folder."""
        return self.name

    def AddVariable(self, expression: str, *arguments: Any) -> None:  # noqa: N802
        """An input: `AddVariable(expression[, type])` or `AddVariable(expression, title, unit[, type])`.

        Args:
            expression: of branches; "label := expression" names it.
            arguments: title and unit for axes, and "F" or "I", the type.

        Raises:
            DataError: not an expression; a label twice; a range (min, max), which TMVA overwrites.
        """
        self._add(self._variables, expression, arguments)

    def AddSpectator(self, expression: str, *arguments: Any) -> None:  # noqa: N802
        """A value that is kept with the events and not trained on. As `AddVariable`."""
        self._add(self._spectators, expression, arguments)

    def AddTarget(self, expression: str, *arguments: Any) -> None:  # noqa: N802
        """What a regression shall find. As `AddVariable`."""
        self._add(self._targets, expression, arguments)

    def _add(self, group: list[Variable], text: str, arguments: tuple[Any, ...]) -> None:
        label, sign, expression = (part.strip() for part in str(text).rpartition(":="))
        expression = expression.replace(" ", "")
        label = label.replace(" ", "") if sign else expression
        words = [str(one) for one in arguments if not isinstance(one, int | float)]
        if len(words) == 1 and words[0] in _KINDS:
            words = ["", "", *words]
        title, unit, kind = (*words[:3], *("", "", "F")[len(words[:3]) :])
        ranged = any(one for one in arguments if isinstance(one, int | float))
        if len(words) > 3 or kind not in _KINDS or ranged:
            raise DataError(
                f"cannot use {', '.join(map(repr, arguments))} for {label!r}",
                expected="(expression[, type]) or (expression, title, unit[, type]), type 'F' or 'I'",
                fix="leave out a range: it is taken from the events" if ranged else None,
            )
        if any(label == one.label for one in (*self._variables, *self._spectators, *self._targets)):
            raise DataError(f"{label!r} is there already", fix="name it: 'other := " + expression + "'")
        parse_expression(expression)
        group.append(Variable(label, expression, internal_name(label), kind.upper(), title or label, unit))
        self._made.clear()

    def AddSignalTree(self, tree: Any, weight: float = 1.0, purpose: Any = "") -> None:  # noqa: N802
        """A tree of signal. As `AddTree`."""
        self.AddTree(tree, _SIGNAL, weight, "", purpose)

    def AddBackgroundTree(self, tree: Any, weight: float = 1.0, purpose: Any = "") -> None:  # noqa: N802
        """A tree of background. As `AddTree`."""
        self.AddTree(tree, _BACKGROUND, weight, "", purpose)

    def AddRegressionTree(self, tree: Any, weight: float = 1.0, purpose: Any = "") -> None:  # noqa: N802
        """A tree of a regression. As `AddTree`."""
        self.AddTree(tree, _REGRESSION, weight, "", purpose)

    def AddTree(  # noqa: N802
        self, tree: Any, class_name: str, weight: float = 1.0, cut: Any = "", purpose: Any = ""
    ) -> None:
        """A tree of a class.

        Args:
            tree: of uproot, a file "file.root:tree", a mapping of arrays (entries,) or a DataFrame.
            weight: of every event of the tree.
            cut: an expression; events with less than 0.5 are left out.
            purpose: "Training" or "Test"; both if empty.

        Raises:
            DataError: not a tree; a weight that is not finite.
            InputFileError: a file that is not there.
        """
        name = str(class_name)
        if not np.isfinite(weight):
            raise DataError("a weight that is not finite", where=f"the tree of {name}", found=weight)
        named = {known.lower(): known for known in (_SIGNAL, _BACKGROUND, _REGRESSION, *self._classes)}
        name = named.get(name.lower(), name)
        if name not in self._classes:
            self._classes.append(name)
        number = sum(one.class_name == name for one in self._trees)
        where = str(tree) if isinstance(tree, str) else f"tree {number} of the class {name}"
        self._trees.append(Tree(check_source(tree), name, float(weight), str(cut).strip(), _purpose(purpose), where))
        self._made.clear()

    def SetSignalWeightExpression(self, expression: str) -> None:  # noqa: N802
        """The weight of signal events, times that of their tree. As `SetWeightExpression`."""
        self.SetWeightExpression(expression, _SIGNAL)

    def SetBackgroundWeightExpression(self, expression: str) -> None:  # noqa: N802
        """The weight of background events, times that of their tree. As `SetWeightExpression`."""
        self.SetWeightExpression(expression, _BACKGROUND)

    def SetWeightExpression(self, expression: str, class_name: str = "") -> None:  # noqa: N802
        """The weight of the events of a class, or of all, times that of their tree. Raises DataError: no expression."""
        parse_expression(str(expression))
        self._weights[str(class_name).lower()] = str(expression)
        self._made.clear()

    def SetCut(self, cut: Any, class_name: str = "") -> None:  # noqa: N802
        """What events of a class, or of all, must fulfil, instead of earlier cuts. Raises DataError: no expression."""
        self._cuts.pop(str(class_name).lower(), None)
        self.AddCut(cut, class_name)

    def AddCut(self, cut: Any, class_name: str = "") -> None:  # noqa: N802
        """As `SetCut`, besides earlier cuts."""
        if str(cut).strip():
            parse_expression(str(cut).strip())
            self._cuts.setdefault(str(class_name).lower(), []).append(str(cut).strip())
        self._made.clear()

    def PrepareTrainingAndTestTree(self, cut: Any = "", *arguments: Any, **options: Any) -> None:  # noqa: N802
        """How events are split: `(cut, options)`, `(cut of signal, of background, options)`, or `(cut, nTrain, nTest)`.

        Args:
            cut: an expression that all events must fulfil, besides earlier cuts.
            arguments: the options "nTrain_<Class>", "nTest_<Class>", "SplitMode", "MixMode", "SplitSeed", "NormMode",
                "ScaleWithPreselEff", as a string.
            options: the same, as keywords.

        Raises:
            DataError: no expression, an unknown option, or a value that is not possible.
        """
        words = list(arguments)
        text = (
            words.pop()
            if words and not isinstance(words[-1], int) and (len(words) == 1 or _is_options(words[-1]))
            else ""
        )
        numbers = [one for one in words if isinstance(one, int)]
        cuts = [cut, *(one for one in words if not isinstance(one, int))]
        if len(numbers) not in (0, 2, 4) or len(cuts) > 2:
            raise DataError(
                "cannot use these arguments of PrepareTrainingAndTestTree",
                expected="(cut, options), (cut, cut, options), (cut, nTrain, nTest) or (cut, 4 numbers, options)",
                found=", ".join(map(repr, arguments)),
            )
        for one, name in zip(cuts, (_SIGNAL, _BACKGROUND) if len(cuts) == 2 else ("",), strict=True):
            self.AddCut(one, name)
        order = [("train", _SIGNAL), ("train", _BACKGROUND), ("test", _SIGNAL), ("test", _BACKGROUND)]
        if len(numbers) == 2:
            numbers = [numbers[0], numbers[0], numbers[1], numbers[1]]
        given = {f"n{kind.capitalize()}_{name}": n for (kind, name), n in zip(order, numbers, strict=False)}
        self._prepared = (str(text), given | options)
        self._options([*self._classes, *re.findall(r"n(?:train|test)_(\w+)", str(text), re.IGNORECASE)])
        self._made.clear()

    def _options(self, classes: Iterable[str]) -> dict[str, Any]:
        counts = {f"n{kind}_{name}": 0 for name in dict.fromkeys(classes) for kind in ("Train", "Test")}
        return parse_options(self._prepared[0], counts | _PREPARE, self._prepared[1])

    def analysis(self, wanted: str = "Auto") -> str:
        """The analysis that these variables and classes are for.

        Args:
            wanted: "Classification", "Regression", "Multiclass" or "Auto".

        Raises:
            DataError: the targets or classes do not fit.
        """
        classes, targets = self._classes, len(self._targets)
        natural = "Regression" if targets else "Multiclass" if len(classes) > 2 else "Classification"
        chosen = natural if wanted == "Auto" else wanted
        fits = {
            "Classification": not targets and sorted(classes) == [_BACKGROUND, _SIGNAL],
            "Regression": targets > 0 and classes == [_REGRESSION],
            "Multiclass": not targets and len(classes) >= 2 and _REGRESSION not in classes,
        }
        if chosen not in ANALYSES or not fits[chosen]:
            raise DataError(
                f"the DataLoader {self.name!r} is not set for a {chosen}",
                expected="Classification: classes Signal and Background; Multiclass: two classes or more; "
                "Regression: targets, and trees by AddRegressionTree",
                found=f"classes {', '.join(classes) or 'none'}; {targets} targets",
            )
        return chosen

    def samples(self, analysis: str = "Auto") -> tuple[Setup, Sample, Sample]:
        """What was declared, and the events for training and for testing; read at the first call.

        Raises:
            DataError: no variables, classes that do not fit the analysis, too few events, infinite values or weights,
                branches that are no numbers or arrays of different lengths.
            MissingBranchError, InputFileError: as `tmva_bridge.trees.read_columns`.
        """
        setup = self.setup(analysis)
        if setup.analysis not in self._made:
            options = self._options(setup.classes)
            samples = make_samples(setup, self._trees, self._weights, self._cuts, options)
            self._made[setup.analysis] = (setup, *samples)
            if options["V"] or options["VerboseLevel"] != "Info":
                for line in _counts(setup, *samples):
                    print(f"--- DataSetFactory : {line}")
        return self._made[setup.analysis]

    def setup(self, analysis: str = "Auto") -> Setup:
        """What was declared; reads no events. Raises DataError: no variables, or classes that do not fit."""
        chosen = self.analysis(analysis)
        if not self._variables:
            raise DataError(f"the DataLoader {self.name!r} has no variables", fix="call AddVariable")
        classes = (_SIGNAL, _BACKGROUND) if chosen == "Classification" else tuple(self._classes)
        groups = (tuple(group) for group in (self._variables, self._spectators, self._targets))
        return Setup(self.name, chosen, classes, *groups)


def _counts(setup: Setup, train: Sample, test: Sample) -> Iterator[str]:
    """How many events there are, and their weights."""
    wide = max(map(len, setup.classes))
    for what, sample in (("training", train), ("test", test)):
        for index, name in enumerate(setup.classes):
            weights = sample.weights[sample.classes == index]
            yield f"{name:<{wide}} -- {what:<8} events: {len(weights)}, sum of weights: {weights.sum():.6g}"


def _purpose(given: Any) -> str:
    """What a tree is for, from TMVA's words or numbers."""
    text = str(given).lower()
    known = {"": "both", "0": "train", "1": "test", "2": "both"}
    if text in known:
        return known[text]
    purposes = [word for word in ("train", "test") if word in text]
    if not purposes:
        raise DataError("not a purpose of a tree", expected="Training, Test or nothing for both", found=repr(given))
    return purposes[0] if len(purposes) == 1 else "both"


def _is_options(text: Any) -> bool:
    return str(text).strip() == "" or bool(re.search(r"[:=]|^!?\w+$", str(text)))
