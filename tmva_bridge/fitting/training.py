"""A training of TMVA: its options, and from a sample to the text of a weight file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.fitting.chain import FittedChain, fit_chain
from tmva_bridge.fitting.densities import density_options, recipe, response_densities
from tmva_bridge.options import Array, Choice, Declared, Scalar, parse_options
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.weights import parse_weights
from tmva_bridge.writing.common import Body, weight_file
from tmva_bridge.writing.markup import Tag

__all__ = ["Outcome", "Task", "Training", "used"]

_RESPONSE = "MVAPdf"  # suffix of the options of the response's densities


@dataclass(frozen=True)
class Task:
    """What a method is fitted to.

    Attributes:
        title: of the method.
        sample: events as given; with IgnoreNegWeightsInTraining, those of positive weight.
        setup: variables, classes, targets.
        options: all, of their declared types.
        chain: fitted transformations.
    """

    title: str
    sample: Sample
    setup: Setup
    options: dict[str, Scalar | Array]
    chain: FittedChain

    def number(self, name: str) -> float:
        return float(str(self.options[name]))

    def values(self, which: int | None = None) -> NDArray[np.float64]:
        """Transformed variables, (n, variables)."""
        return self.chain.forward(self.sample, which)[0].astype(np.float64)

    def targets(self) -> NDArray[np.float64]:
        """Transformed targets, (n, targets)."""
        return self.chain.forward(self.sample)[1].astype(np.float64)


@dataclass(frozen=True)
class Outcome:
    """The element Weights, and options as the training settled them."""

    weights: Tag
    settled: Mapping[str, Scalar] = field(default_factory=dict)
    custom_objects: Mapping[str, Any] = field(default_factory=dict)  # what reading it needs, of PyKeras


@dataclass(frozen=True)
class Training:
    """A method of TMVA that can be trained.

    Attributes:
        kind: TMVA's type, such as "Fisher".
        options: every declared option with its default, as `parse_options` takes them; an array has one element here.
        run: the training itself.
        analyses: what it can do.
        unwritten: declared options that TMVA does not write into the file.
        regression: defaults of a regression, where they are others.

    Example:
        >>> from tmva_bridge.fitting import TRAININGS
        >>> TRAININGS["Fisher"].options["Method"].values
        ('Fisher', 'Mahalanobis')
    """

    kind: str
    options: dict[str, Declared]
    run: Callable[[Task], Outcome]
    analyses: tuple[str, ...] = ("Classification",)
    unwritten: frozenset[str] = frozenset()
    regression: Mapping[str, Scalar] = field(default_factory=dict)

    def declared(self, setup: Setup) -> dict[str, Declared]:
        """All options, for `parse_options`; arrays are as long as there are variables."""
        own = {**self.options, **(density_options(_RESPONSE) if "Classification" in self.analyses else {})}
        for name, value in self.regression.items() if setup.analysis == "Regression" else ():
            default = own[name]
            own[name] = Choice((str(value), *default.values)) if isinstance(default, Choice) else value
        return {
            name: value * len(setup.variables) if isinstance(value, tuple) else value for name, value in own.items()
        }

    def fit(
        self, sample: Sample, setup: Setup, options: str | Mapping[str, Any], *, title: str, job: str = "TMVA"
    ) -> str:
        """The text of the weight file of a training.

        Args:
            sample: the training events, weights after NormMode.
            setup: variables, classes, targets.
            options: a text such as "!H:VarTransform=N", or a mapping of some or all.
            title: of the method; job: of the Factory, for messages.

        Returns:
            The XML, which TMVA's Reader and `tmva_bridge.parse_weights` read.

        Raises:
            DataError: an option that is unknown, of another type, without meaning here, or not offered; an analysis
                that the method does not have; events that cannot be trained on.
        """
        where = f"{job}, method {title} ({self.kind})"
        declared = self.declared(setup)
        text, given = (options, {}) if isinstance(options, str) else ("", options)
        values = parse_options(text, declared, given)
        self._check(sample, setup, values, where)
        chain = fit_chain(str(values["VarTransform"]), sample, setup)
        task = Task(title, used(sample, bool(values["IgnoreNegWeightsInTraining"])), setup, values, chain)
        outcome = self.run(task)
        written = {name: value for name, value in {**values, **outcome.settled}.items() if self._is_written(name)}
        body = Body(
            self.kind,
            outcome.weights,
            {name: value for name, value in written.items() if not isinstance(value, tuple)},
            frozenset(name for name, value in values.items() if value != _default(declared[name])),
            chain.tags,
            chain.identities,
        )
        file = weight_file(body, setup, title, sample)
        if values["CreateMVAPdfs"]:
            response = parse_weights(file.encode(), where, outcome.custom_objects).evaluate(sample.values)
            how = recipe(values, _RESPONSE)
            pdfs = response_densities(self.kind, title, response, sample, how)
            file = weight_file(replace(body, densities=pdfs), setup, title, sample)
        return file

    def _is_written(self, name: str) -> bool:
        return name not in self.unwritten and name not in density_options(_RESPONSE)

    def _check(self, sample: Sample, setup: Setup, values: Mapping[str, object], where: str) -> None:
        if setup.analysis not in self.analyses:
            raise DataError(
                f"{self.kind} has no training for {setup.analysis}", where=where, expected=", ".join(self.analyses)
            )
        if values["CreateMVAPdfs"] and setup.analysis != "Classification":
            raise DataError("CreateMVAPdfs is for a classification", where=where, found=setup.analysis)
        if not len(sample):
            raise DataError("no training events", where=where, expected="at least one event of each class")
        arrays: dict[str, NDArray[Any]] = {
            "values": sample.values,
            "targets": sample.targets,
            "weights": sample.weights,
        }
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise DataError(f"{name} that are not finite", where=where, expected="finite training events")
        for i, name in enumerate(setup.classes):
            if not (sample.classes == i).any():
                raise DataError(f"no training events of the class {name!r}", where=where, expected="at least one")


def _default(declared: Declared) -> Scalar | Array:
    return declared.values[0] if isinstance(declared, Choice) else declared


def used(sample: Sample, positive: bool) -> Sample:
    """The events, or those of positive weight."""
    if not positive:
        return sample
    keep = sample.weights > 0
    return Sample(*(getattr(sample, name)[keep] for name in Sample.__dataclass_fields__))
