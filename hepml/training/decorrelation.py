"""What the settings `plane` and `disco` say, and what becomes of the rows of a network that is trained so."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import SchemaError
from hepml.models import Settings
from hepml.training.disco import penalised_loss, with_variables
from hepml.training.feed import order, training_feed, validation_feed
from hepml.training.planing import Planing, fit_planing
from hepml.training.source import Source

__all__ = ["Feeding", "check_two_classes", "planed", "planing_of", "strengths", "variables_of"]

logger = logging.getLogger("hepml.training")
_PENALISED_ROWS = 1024  # of validation in one batch: the pairs of more would not fit into memory
_FEW = 100


def planed(settings: Settings) -> tuple[str, ...]:
    """The variables of `plane`.

    Raises:
        SchemaError: one is named twice.
    """
    names = tuple(name.strip() for name in settings.plane.split(",") if name.strip())
    if len(set(names)) < len(names):
        raise SchemaError("a variable is planed twice", where="setting 'plane'", found=settings.plane)
    return names


def strengths(settings: Settings) -> dict[str, float]:
    """The variables of `disco` with the strength of each penalty.

    Raises:
        SchemaError: not NAME=NUMBER, a number that is not positive, a variable twice.

    Example:
        >>> strengths(Settings(disco="mass=20, pt=1.5"))
        {'mass': 20.0, 'pt': 1.5}
    """
    found: dict[str, float] = {}
    for part in filter(None, settings.disco.split(",")):
        name, _, text = (one.strip() for one in part.partition("="))
        try:
            strength = float(text)
        except ValueError:
            strength = math.nan
        if not name or name in found or not 0 < strength < 1e6:
            raise SchemaError(
                f"{part.strip()!r} is no penalty",
                where="setting 'disco'",
                expected="NAME=STRENGTH, a variable once, a strength above 0, for example mass=20",
            )
        found[name] = strength
    return found


def variables_of(settings: Settings) -> tuple[str, ...]:
    """Every variable that the settings ask for, each once."""
    return tuple(dict.fromkeys([*planed(settings), *strengths(settings)]))


def check_two_classes(settings: Settings, source: Source) -> None:
    """Raises SchemaError if the settings ask for planing or a penalty and there are not two classes."""
    if (settings.plane or settings.disco) and source.task != "binary":
        raise SchemaError("planing and decorrelation need two classes", where=source.where, found=source.task)


def planing_of(settings: Settings, source: Source, rows: NDArray[np.int64]) -> Planing | None:
    """The planing weights of the training rows; None if there are none.

    Raises:
        DataError: they cannot be fitted.
    """
    names = planed(settings)
    if not names:
        return None
    weight = source.weight if settings.weights else np.ones(len(source))
    return fit_planing({name: source.variables[name][rows] for name in names}, source.y[rows], weight[rows])


@dataclass(frozen=True)
class Feeding:
    """The rows as a network is fed with them: with a penalty its variables belong to the target.

    Attributes:
        source: of all rows.
        weight: of all rows; with a penalty it is in the target too, and what is fed as weight is 1.
        loss: for `compile`; None is that of the task.
    """

    source: Source
    weight: NDArray[np.float32]
    loss: Any = None

    @classmethod
    def of(cls, settings: Settings, source: Source, weight: NDArray[np.float32]) -> Feeding:
        """With the penalty of the settings, if there is one."""
        penalties = strengths(settings)
        if not penalties:
            return cls(source, weight)
        share = float(np.mean(source.y == 0))
        if share * settings.batch_size < _FEW:
            logger.warning(
                "a batch of %d holds about %d background candidates: too few for a distance correlation, "
                "give a larger batch_size",
                settings.batch_size,
                round(share * settings.batch_size),
            )
        fed = with_variables(source, weight, {name: source.variables[name] for name in penalties})
        return cls(fed, weight, penalised_loss(tuple(penalties.values())))

    @property
    def _fed(self) -> NDArray[np.float32]:
        return self.weight if self.loss is None else np.ones_like(self.weight)

    def training(self, rows: NDArray[np.int64], names: list[str], batch_size: int, seed: int) -> Any:
        """Shuffled batches."""
        return training_feed(self.source, rows, self._fed, names, batch_size=batch_size, seed=seed)

    def validation(self, rows: NDArray[np.int64], names: list[str]) -> Any:
        """Batches that are always the same; with a penalty both classes are in each."""
        if self.loss is None:
            return validation_feed(self.source, rows, self._fed, names)
        return validation_feed(self.source, order(rows, 0, 0), self._fed, names, most=_PENALISED_ROWS)
