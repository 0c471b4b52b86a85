"""Runs against each other, on the candidates that all of them have a held-out score for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from hepml.errors import DataError
from hepml.evaluation.record import Evaluation
from hepml.metrics import Comparison, ScoredEvents, compare_scores

__all__ = ["compare"]


def compare(evaluations: Sequence[Evaluation], *, bootstrap: int = 1000, seed: int = 0) -> tuple[Comparison, ...]:
    """Paired differences between all pairs of two-class runs, on their common held-out candidates.

    A run with folds and one with splits share the test split of the latter.

    Args:
        evaluations: of runs on the same data with the same selection and reweighting.
        bootstrap: replicas for the rejection ratios.
        seed: of the bootstrap.

    Returns:
        One record a pair, in the order given; weights are those of the first of a pair.

    Raises:
        DataError: not two-class runs, other data, selection or reweighting, or no common candidates.

    Example:
        >>> compare([evaluate("runs/hl", "data.h5"), evaluate("runs/mass", "data.h5")])  # doctest: +SKIP
    """
    for one in evaluations:
        if one.events is None or one.identity is None:
            raise DataError(
                "only two-class runs can be compared candidate by candidate", where=one.name, found=f"task {one.task!r}"
            )
    kinds = {(e.provenance.get("data_sha256"), e.selection, e.reweighted) for e in evaluations}
    if len(kinds) > 1:
        raise DataError(
            "the runs were not evaluated alike",
            expected="the same data, selection and reweighting",
            found="; ".join(f"{e.name}: selection {e.selection}, reweighted {e.reweighted}" for e in evaluations),
        )
    if len(evaluations) < 2:
        return ()
    found: list[Comparison] = []
    for a, b in combinations(evaluations, 2):
        paired = compare_scores(*_common(a, b), (a.name, b.name), n=bootstrap, seed=seed)
        found.append(replace(paired, **_seeds(a, b)))
    return tuple(found)


def _seeds(first: Evaluation, second: Evaluation) -> dict[str, Any]:
    """Difference of the means over training seeds, where both are of the same candidates."""
    same = np.array_equal(np.sort(first.identity), np.sort(second.identity))  # type: ignore[arg-type]
    areas = [one.auc.seeds for one in (first, second) if one.auc is not None]
    if not same or len(areas) < 2 or max(len(values) for values in areas) < 2:
        return {}
    scatter = [np.var(values, ddof=1) / len(values) if len(values) > 1 else 0.0 for values in areas]
    return {
        "seeds_difference": float(np.mean(areas[0]) - np.mean(areas[1])),
        "seeds_error": float(np.sqrt(sum(scatter))),
    }


def _common(first: Evaluation, second: Evaluation) -> tuple[ScoredEvents, ScoredEvents]:
    """The candidates that both evaluations hold, in one order."""
    found = []
    for one, other in ((first, second), (second, first)):
        if one.events is None or one.identity is None or other.identity is None:
            raise DataError("an evaluation without candidates", where=one.name)
        rows = np.flatnonzero(np.isin(one.identity, other.identity))
        found.append(one.events.take(rows[np.argsort(one.identity[rows], kind="stable")]))
    if not len(found[0]):
        raise DataError("the runs share no held-out candidate", found=f"{first.name}, {second.name}")
    return found[0], found[1]
