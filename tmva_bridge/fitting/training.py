"""A training of TMVA: its options, and from a sample to the text of a weight file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, nearest
from tmva_bridge.fitting.chain import FittedChain, fit_chain
from tmva_bridge.options import boolean
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.writing.common import Body, weight_file
from tmva_bridge.writing.markup import Tag

__all__ = ["COMMON", "Outcome", "Task", "Training", "Value"]

Value = bool | int | float | str

# what every method of TMVA declares
COMMON: dict[str, Value] = {
    "V": False,
    "VerbosityLevel": "Default",
    "VarTransform": "None",
    "H": False,
    "CreateMVAPdfs": False,
    "IgnoreNegWeightsInTraining": False,
}


@dataclass(frozen=True)
class Task:
    """What a method is fitted to.

    Attributes:
        sample: events as given; with IgnoreNegWeightsInTraining, those of positive weight.
        setup: variables, classes, targets.
        options: all, of their declared types.
        chain: fitted transformations.
    """

    sample: Sample
    setup: Setup
    options: dict[str, Value]
    chain: FittedChain

    def number(self, name: str) -> float:
        return float(self.options[name])

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
    settled: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """A method of TMVA that can be trained.

    Attributes:
        kind: TMVA's type, such as "Fisher".
        options: every declared option with its default, which gives its type.
        run: the training itself.
        analyses: what it can do.
        choices: values that an option may have.
        arrays: options that may also be given for one variable, as in NSmoothSig[0].
        unwritten: declared options that TMVA does not write into the file.

    Example:
        >>> from tmva_bridge.fitting import TRAININGS
        >>> TRAININGS["Fisher"].options["Method"]
        'Fisher'
    """

    kind: str
    options: dict[str, Value]
    run: Callable[[Task], Outcome]
    analyses: tuple[str, ...] = ("Classification",)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    arrays: frozenset[str] = frozenset()
    unwritten: frozenset[str] = frozenset()

    def fit(self, sample: Sample, setup: Setup, options: Mapping[str, Value], *, title: str, job: str) -> str:
        """The text of the weight file of a training.

        Args:
            sample: the training events, weights after NormMode.
            setup: variables, classes, targets.
            options: those that differ from the defaults, or all; text is converted.
            title: of the method; job: of the Factory, for messages.

        Returns:
            The XML, which TMVA's Reader and `tmva_bridge.parse_weights` read.

        Raises:
            DataError: an option that is unknown, of another type, without meaning here, or not offered; an analysis
                that the method does not have; events that cannot be trained on.
        """
        where = f"{job}, method {title} ({self.kind})"
        values = self._settled(options, where)
        self._check(sample, setup, where)
        if values["CreateMVAPdfs"]:
            raise DataError("CreateMVAPdfs is not offered yet", where=where, expected="CreateMVAPdfs=False")
        chain = fit_chain(str(values["VarTransform"]), sample, setup)
        used = sample
        if values["IgnoreNegWeightsInTraining"]:
            keep = sample.weights > 0
            used = Sample(*(getattr(sample, name)[keep] for name in Sample.__dataclass_fields__))
        task = Task(used, setup, values, chain)
        outcome = self.run(task)
        body = Body(
            self.kind,
            outcome.weights,
            {name: value for name, value in {**values, **outcome.settled}.items() if self._is_written(name)},
            frozenset(name for name in values if values[name] != self.options.get(name)),
            chain.tags,
            chain.identities,
        )
        return weight_file(body, setup, title, sample)

    def _is_written(self, name: str) -> bool:
        return name.split("[", maxsplit=1)[0] not in self.unwritten

    def _settled(self, options: Mapping[str, Value], where: str) -> dict[str, Value]:
        names = {name.lower(): name for name in self.options}
        values = dict(self.options)
        for given, value in options.items():
            bare, index = re.fullmatch(r"([^\[]*)(\[\d+\])?", given, re.DOTALL).groups() if given else ("", None)  # type: ignore[union-attr]
            name = names.get(bare.strip().lower())
            if name is None or (index and name not in self.arrays):
                raise DataError(
                    f"unknown option {given!r}",
                    where=where,
                    expected=", ".join(self.options),
                    nearest=nearest(bare, self.options),
                )
            values[name + (index or "")] = self._typed(name, value, where)
        return values

    def _typed(self, name: str, value: Value, where: str) -> Value:
        kind = type(self.options[name])
        try:
            typed = boolean(str(value)) if kind is bool else kind(value)
            if kind is int and float(value) != typed:
                raise ValueError
        except (ValueError, TypeError, DataError):
            raise DataError(f"the option {name!r} cannot be {value!r}", where=where, expected=_KINDS[kind]) from None
        known = {one.lower(): one for one in self.choices.get(name, ())}
        if known and str(typed).lower() not in known:
            raise DataError(
                f"the option {name!r} cannot be {typed!r}",
                where=where,
                expected=", ".join(known.values()),
                nearest=nearest(str(typed), known.values()),
            )
        return known.get(str(typed).lower(), typed) if known else typed

    def _check(self, sample: Sample, setup: Setup, where: str) -> None:
        if setup.analysis not in self.analyses:
            raise DataError(
                f"{self.kind} has no training for {setup.analysis}", where=where, expected=", ".join(self.analyses)
            )
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


_KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
