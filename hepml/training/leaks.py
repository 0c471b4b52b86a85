"""A label among the inputs: a network that sees it learns nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import printable
from hepml.models import InputSpec

__all__ = ["warn_of_leaks"]

_LABELS = frozenset({"label", "labels", "y", "target", "truth", "class", "signal", "is_signal", "issignal"})
_CHUNK = 2048
_log = logging.getLogger("hepml")


def warn_of_leaks(specs: Sequence[InputSpec], columns: Mapping[str, Any], y: NDArray[np.float32], where: str) -> None:
    """Warns of every variable that is named as a label is, or is equal to it in every row.

    Args:
        specs: the inputs.
        columns: their values by name, as of `hepml.training.source.Source`.
        y: labels (n,) or targets (n, k).
        where: for the message.
    """
    for spec in specs:
        for number, name in enumerate(spec.variables):
            if _equal(columns[spec.name], number, y):
                reason = "is equal to it in every row"
            elif name.lower() in _LABELS:
                reason = "is named like one"
            else:
                continue
            _log.warning(
                "%s: the input %r may be the label: the variable %r %s",
                *(printable(text) for text in (where, spec.name, name, reason)),
            )


def _equal(column: Any, number: int, y: NDArray[np.float32]) -> bool:
    return y.ndim == 1 and all(
        np.array_equal(column.dense(slice(k, k + _CHUNK))[:, number], y[k : k + _CHUNK])
        for k in range(0, len(y), _CHUNK)
    )
