"""What the inputs of a network were in training: the numbers that a monitor of its inputs compares with.

A vector is monitored variable by variable, a sequence also by its number of steps, an image by three numbers that an
operator watches: the sum of its cells, the largest one, and how many are above zero. Values are raw. The bins lie
between quantiles, so that each holds a known part of the training sample wherever the values are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml import _core
from hepml.errors import DataError

__all__ = ["IMAGE_QUANTITIES", "LEVELS", "measure_ranges", "quantities_of"]

LEVELS = (0.01, *(round(0.05 * k, 2) for k in range(1, 20)), 0.99)
"""The probabilities whose quantiles are stored: 1 %, every 5 %, 99 %."""

IMAGE_QUANTITIES = ("sum", "maximum", "cells")

Floats = NDArray[np.float64]


def quantities_of(name: str, values: ArrayLike, variables: Sequence[str] = ()) -> dict[tuple[str, str], Floats]:
    """The monitored numbers of one input.

    Args:
        name: of the input, for messages.
        values: raw, (n, variables), (n, steps, variables), or (n, rows, columns, channels) as float32.
        variables: names of the variables of a vector or a step; empty for an image.

    Returns:
        ("variable" or "quantity", name) -> values: one an event, or one a step; no events give empty arrays. NaN where
        an image has a cell that is not finite.

    Raises:
        DataError: the values do not have the shape of such an input.

    Example:
        >>> found = quantities_of("et", np.array([[[[1.0], [0.0]], [[2.5], [0.0]]]]))
        >>> {name: numbers.tolist() for (_, name), numbers in found.items()}
        {'sum': [3.5], 'maximum': [2.5], 'cells': [2.0]}
    """
    array = np.ascontiguousarray(values, dtype=np.float32)
    if not variables and array.ndim >= 3:
        summaries: Floats = _core.image_summaries(array)
        return {("quantity", one): summaries[:, k] for k, one in enumerate(IMAGE_QUANTITIES)}
    if array.ndim not in (2, 3) or array.shape[-1] != len(variables):
        raise DataError(
            f"the input {name!r} has the wrong shape",
            expected=f"(n, {len(variables)}) or (n, steps, {len(variables)})"
            if variables
            else "(n, rows, columns, ...)",
            found=array.shape,
        )
    wide = array.astype(np.float64)
    found = {("variable", one): wide[..., k].ravel() for k, one in enumerate(variables)}
    if array.ndim == 3:
        found[("quantity", "steps")] = np.full(len(array), array.shape[1], dtype=np.float64)
    return found


def measure_ranges(
    batches: Iterable[Mapping[str, ArrayLike]], variables: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The object `ranges` of a network file.

    Args:
        batches: raw arrays by input name, a part of the events at a time; each event counts once, without a weight.
        variables: the inputs to look at: name -> names of its variables, empty for an image.

    Returns:
        events, levels, and for each quantity: input, variable or quantity, entries, not_finite, minimum, maximum, the
        quantiles at the levels (each a value of the sample: the smallest one with so much of the sample at or below it)
        and the entries in the bins between them, (lower, upper].

    Raises:
        DataError: no events, an input that is absent or has another shape, or a quantity without one finite value.

    Example:
        >>> record = measure_ranges([{"x": np.arange(1000.0)[:, None]}], {"x": ["a"]})
        >>> record["events"], record["quantities"][0]["quantiles"][:3], record["quantities"][0]["bins"][:3]
        (1000, [9.0, 49.0, 99.0], [10, 40, 50])
    """
    parts: dict[tuple[str, str, str], list[Floats]] = {}
    events = 0
    for batch in batches:
        lengths = set()
        for name, names in variables.items():
            if name not in batch:
                raise DataError(f"the input {name!r} is missing", expected=", ".join(variables), found=", ".join(batch))
            lengths.add(len(np.asarray(batch[name])))
            for (kind, one), values in quantities_of(name, batch[name], names).items():
                parts.setdefault((name, kind, one), []).append(values)
        if len(lengths) > 1:
            raise DataError("the inputs differ in the number of events", found=sorted(lengths))
        events += max(lengths, default=0)
    if not events:
        raise DataError("no events to measure the ranges of the inputs on")
    quantities = [_measured(key, np.concatenate(values)) for key, values in parts.items()]
    return {"events": events, "levels": list(LEVELS), "quantities": quantities}


def _measured(key: tuple[str, str, str], values: Floats) -> dict[str, Any]:
    name, kind, one = key
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        raise DataError(f"no finite value of {name}.{one}", fix="leave this variable out, or give other data")
    quantiles = np.quantile(finite, LEVELS, method="inverted_cdf")
    bins = np.bincount(np.searchsorted(quantiles, finite, side="left"), minlength=len(LEVELS) + 1)
    return {
        "input": name,
        kind: one,
        "entries": len(values),
        "not_finite": len(values) - len(finite),
        "minimum": float(finite[0]),
        "maximum": float(finite[-1]),
        "quantiles": quantiles.tolist(),
        "bins": bins.tolist(),
    }
