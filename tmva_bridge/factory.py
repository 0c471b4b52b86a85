"""TMVA's Factory: methods are booked, trained, tested and compared."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, check_path, nearest
from hepml.ledger import atomic_path
from tmva_bridge.dataloader import DataLoader
from tmva_bridge.fitting import TRAININGS
from tmva_bridge.methods import Method
from tmva_bridge.options import Choice, Declared, Options, parse_options
from tmva_bridge.output import MethodOutput, write_output
from tmva_bridge.pykeras import PYKERAS, check_booking, pykeras
from tmva_bridge.ranking import Scored, classification_table, multiclass_table, regression_table, roc_integral
from tmva_bridge.weights import read_weights

__all__ = ["Booked", "Factory"]

_TRAININGS = {**TRAININGS, PYKERAS.kind: PYKERAS}
_QUIET, _LOUD = ("Warning", "Error", "Fatal"), ("Debug", "Verbose")
_DECLARED: dict[str, Declared] = {
    "V": False,
    "Verbose": False,
    "VerboseLevel": Choice(("Info", "Debug", "Verbose", "Warning", "Error", "Fatal")),
    "Color": True,
    "Silent": False,
    "DrawProgressBar": True,
    "Transformations": "I",
    "AnalysisType": Choice(("Auto", "Classification", "Regression", "Multiclass")),
    "Correlations": True,
    "ROC": True,
    "SilentFile": False,
    "ModelPersistence": True,
}


@dataclass
class Booked:
    """A booked method.

    Attributes:
        kind: TMVA's type, such as "BDT".
        options: every option with its value.
        weight_file: where its weights are put.
        method: what was trained, as `tmva_bridge.read_weights` reads it; None before.
        responses: to the training and to the test sample; empty before TestAllMethods.
    """

    loader: DataLoader
    kind: str
    title: str
    options: Options
    weight_file: Path
    custom_objects: Mapping[str, Any] = field(default_factory=dict)
    method: Method | None = None
    responses: tuple[NDArray[np.float64], ...] = ()

    def GetName(self) -> str:  # noqa: N802
        """The title."""
        return self.title


class Factory:
    """Trains, tests and compares methods, as `TMVA::Factory` does.

    Weights go to `<loader>/weights/<job>_<title>.weights.xml`; TMVA.root, if an output is given, is written by
    EvaluateAllMethods. Each file is written whole or not at all; files of an earlier run are replaced.

    Args:
        job: the name of the training, with which file names begin.
        output: TMVA.root: a path, or a `TFile` open for writing; none is written without, or with SilentFile.
        options: V, Verbose and VerboseLevel (more is told), Color, Silent (nothing is told), DrawProgressBar,
            Transformations (for the plots of input variables), AnalysisType, Correlations, ROC, SilentFile.
        keywords: options as keywords.

    Raises:
        DataError: an unknown option; ModelPersistence=False, since methods are tested from their files.

    Example:
        >>> import numpy as np
        >>> loader = DataLoader("dataset")
        >>> loader.AddVariable("x")
        >>> loader.AddVariable("y")
        >>> rng = np.random.default_rng(1)
        >>> for name, mean in (("Signal", 1.0), ("Background", -1.0)):
        ...     loader.AddTree({"x": rng.normal(mean, 1, 400), "y": rng.normal(0, 1, 400)}, name)
        >>> factory = Factory("Example", options="Silent:AnalysisType=Classification")
        >>> booked = factory.BookMethod(loader, "Fisher", "Fisher", "!H:!V")
        >>> factory.TrainAllMethods()
        >>> factory.TestAllMethods()
        >>> booked.weight_file.as_posix(), 0.85 < factory.GetROCIntegral(loader, "Fisher") < 0.97
        ('dataset/weights/Example_Fisher.weights.xml', True)
    """

    def __init__(self, job: str, output: Any = None, options: str | None = None, **keywords: Any) -> None:
        if options is None and isinstance(output, str) and not output.endswith(".root"):
            output, options = None, output
        self.job = str(job)
        if not self.job or "/" in self.job:
            raise DataError("not a name of a job", expected="a name without /", found=repr(self.job))
        self._output = getattr(output, "path", output)
        self._replaces = bool(getattr(output, "replaces", True))
        self._options = parse_options(options or "", _DECLARED, keywords)
        if not self._options["ModelPersistence"]:
            raise DataError(
                "ModelPersistence=False is not offered: methods are tested from their weight files",
                fix="leave it out, and remove the files afterwards",
            )
        if self._output is not None:
            check_path(self._output)
        self._booked: list[Booked] = []

    def SetVerbose(self, on: bool = True) -> None:  # noqa: N802
        """Whether more is told."""
        self._options["V"] = bool(on)

    def BookMethod(  # noqa: N802
        self,
        loader: DataLoader,
        kind: str,
        title: str,
        options: str = "",
        *,
        custom_objects: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> Booked:
        """Books a method, whose options are checked at once.

        Args:
            loader: its variables and events.
            kind: TMVA's type, as a text or of `TMVA.Types`.
            title: its name.
            options: as TMVA takes them.
            custom_objects: of PyKeras: what the model needs beyond Keras, by name.
            keywords: options as keywords.

        Raises:
            DataError: a method that is not trained, a title that is taken, an option that the method does not have,
                a colon that is missing.
        """
        if not isinstance(loader, DataLoader):
            raise DataError(
                "BookMethod without a DataLoader",
                expected="BookMethod(loader, type, title, options)",
                found=repr(loader),
                fix="make one: loader = TMVA.DataLoader('dataset')",
            )
        kind, title = str(kind), str(title)
        self._check_booking(loader, kind, title)
        if custom_objects is not None and kind != "PyKeras":
            raise DataError(f"{kind} takes no custom_objects")
        setup = loader.setup(str(self._options["AnalysisType"]))
        declared = _TRAININGS[kind].declared(setup)
        try:
            parsed = parse_options(str(options), declared, keywords)
        except DataError as error:
            parts = {name: part for name, part in error.parts.items() if name not in ("where", "nearest")}
            near = error.parts.get("nearest", "")
            where = f"method {title} ({kind}), {error.parts.get('where', 'its options')}"
            raise DataError(error.problem, where=where, nearest=[near.strip("'")] if near else [], **parts) from None
        if kind == "PyKeras":
            check_booking(parsed, setup, title, custom_objects or {})
            self._check_trained(str(parsed["FilenameTrainedModel"]))
        if parsed["H"]:
            self._tell(f"Options of {kind}: " + ", ".join(f"{name}={value}" for name, value in parsed.items()))
        file = Path(loader.name) / "weights" / f"{self.job}_{title}.weights.xml"
        booked = Booked(loader, kind, title, parsed, file, custom_objects or {})
        self._booked.append(booked)
        return booked

    def _check_booking(self, loader: DataLoader, kind: str, title: str) -> None:
        known = _TRAININGS
        if kind not in known:
            raise DataError(
                f"{kind} is not trained",
                where=f"method {title}",
                expected=", ".join(known),
                nearest=nearest(kind, known),
                fix="book one of these, or train it with ROOT: weight files of ten methods are read",
            )
        if not title or "/" in title or any(one.title == title and one.loader is loader for one in self._booked):
            raise DataError(
                f"the title {title!r} cannot be used", expected="a title for each method of a DataLoader, without /"
            )
        if self._output is not None and any(one.loader is not loader for one in self._booked):
            raise DataError(
                "two DataLoaders with one output file",
                found=f"{self._booked[0].loader.name}, {loader.name}",
                fix="use a Factory, and a file, for each DataLoader",
            )

    def _check_trained(self, name: str) -> None:
        if name and name in [one.options.get("FilenameTrainedModel") for one in self._booked]:
            raise DataError("two methods with one FilenameTrainedModel", found=name, fix="name a file for each")

    def TrainAllMethods(self) -> None:  # noqa: N802
        """Trains every booked method and writes its weight file.

        Raises:
            DataError: events, options or analyses that a method cannot be trained with.
            OutputError: a file that cannot be written.
        """
        with self._progress("training") as step:
            for booked in self._every("TrainAllMethods"):
                setup, train, _ = self._samples(booked.loader)
                begin = time.monotonic()
                if booked.options["VerbosityLevel"] not in _QUIET:
                    self._tell(f"Train method: {booked.title} for {setup.analysis}, {len(train)} events")
                training = pykeras(booked.custom_objects) if booked.kind == "PyKeras" else _TRAININGS[booked.kind]
                text = training.fit(train, setup, booked.options, title=booked.title, job=self.job)
                with atomic_path(booked.weight_file, overwrite=True) as temporary:
                    temporary.write_text(text, encoding="utf-8")
                booked.method = read_weights(booked.weight_file, booked.custom_objects)
                told = f"{booked.title} took {time.monotonic() - begin:.1f} s, weights in {booked.weight_file}"
                self._tell(told, verbose=not _is_loud(booked.options))
                step()

    def TestAllMethods(self) -> None:  # noqa: N802
        """Evaluates every trained method on the training and on the test sample."""
        with self._progress("testing") as step:
            for booked in self._every("TestAllMethods"):
                method = _trained(booked)
                _, *samples = self._samples(booked.loader)
                booked.responses = tuple(method.evaluate(sample.values) for sample in samples)
                self._tell(f"Test method: {booked.title}", verbose=True)
                step()

    def EvaluateAllMethods(self) -> None:  # noqa: N802
        """Prints TMVA's tables, and writes TMVA.root.

        Raises:
            DataError: methods that were not tested.
            OutputError: a file that cannot be written.
        """
        for loader in dict.fromkeys(one.loader for one in self._every("EvaluateAllMethods")):
            methods = [one for one in self._booked if one.loader is loader]
            setup, train, test = self._samples(loader)
            scored = [Scored(one.title, *_tested(one)) for one in methods]
            if self._options["ROC"] or setup.analysis == "Regression":
                table: Sequence[str]
                if setup.analysis == "Classification":
                    table = classification_table(loader.name, scored, train, test)
                elif setup.analysis == "Multiclass":
                    table = multiclass_table(loader.name, scored, train, test, setup.classes)
                else:
                    table = regression_table(
                        loader.name, scored, train, test, [target.label for target in setup.targets]
                    )
                for line in table:
                    self._tell(line)
            if self._output is not None and not self._options["SilentFile"]:
                write_output(
                    self._output,
                    setup,
                    train,
                    test,
                    [MethodOutput(one.kind, one.title, one.weight_file, *one.responses) for one in methods],
                    [text.strip() for text in str(self._options["Transformations"]).split(";") if text.strip()],
                    bool(self._options["Correlations"]),
                    overwrite=self._replaces,
                )
                self._tell(f"Wrote {self._output}; draw it with: hepml tmva report {self._output}")

    def GetROCIntegral(self, loader: DataLoader, title: str, index: int = 0) -> float:  # noqa: N802
        """The ROC integral of a tested method on the test sample; of a multiclass, of the class `index` against all.

        Raises:
            DataError: no such method, one that was not tested, a regression.
        """
        found = [one for one in self._booked if one.loader is loader and one.title == str(title)]
        titles = [one.title for one in self._booked]
        if not found:
            raise DataError(
                f"no method is booked as {title!r}", expected=", ".join(titles), nearest=nearest(title, titles)
            )
        setup, _, test = self._samples(loader)
        if setup.analysis == "Regression" or not 0 <= index < len(setup.classes):
            raise DataError("no ROC integral", where=f"method {title}", found=f"{setup.analysis}, class {index}")
        response = _tested(found[0])[1]
        column = response[:, index] if response.ndim == 2 else response
        return roc_integral(column, test.classes == index, test.weights)

    def _samples(self, loader: DataLoader) -> Any:
        return loader.samples(str(self._options["AnalysisType"]))

    def _every(self, call: str) -> Iterator[Booked]:
        if not self._booked:
            raise DataError(f"{call} without methods", fix="call BookMethod before")
        yield from self._booked

    def _tell(self, line: str, verbose: bool = False) -> None:
        quiet = self._options["Silent"] or self._options["VerboseLevel"] in _QUIET
        loud = self._options["V"] or self._options["Verbose"] or self._options["VerboseLevel"] in _LOUD
        if quiet or (verbose and not loud):
            return
        colour = self._options["Color"] and sys.stdout.isatty()
        head = "\x1b[1;34m--- Factory\x1b[0m" if colour else "--- Factory"
        print(f"{head} : {line}", flush=True)

    @contextmanager
    def _progress(self, what: str) -> Iterator[Any]:
        """A bar on a terminal's stderr; yields what is called after each method."""
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True, no_color=not self._options["Color"])
        off = bool(self._options["Silent"]) or not self._options["DrawProgressBar"] or not console.is_terminal
        with Progress(console=console, transient=True, disable=off) as bar:
            task = bar.add_task(what, total=len(self._booked))
            yield lambda: bar.advance(task)


def _is_loud(options: Options) -> bool:
    """Whether a method's own options ask for more."""
    return bool(options["V"]) or options["VerbosityLevel"] in _LOUD


def _trained(booked: Booked) -> Method:
    if booked.method is None:
        raise DataError(f"the method {booked.title!r} is not trained", fix="call TrainAllMethods before")
    return booked.method


def _tested(booked: Booked) -> tuple[NDArray[np.float64], ...]:
    if not booked.responses:
        raise DataError(f"the method {booked.title!r} was not tested", fix="call TestAllMethods before")
    return booked.responses
