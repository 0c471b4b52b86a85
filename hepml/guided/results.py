"""What a guided search found, and the one look at the test split that measures it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.efp.columns import parse_column
from hepml.errors import DataError
from hepml.guided.problem import Problem
from hepml.metrics import (
    Auc,
    DecisionOrdering,
    DisorderedPairs,
    auc,
    average_decision_ordering,
    make_events,
)
from hepml.metrics.bootstrap import repetitions
from hepml.metrics.results import Floats

__all__ = ["Chosen", "Guided", "Step", "look"]


@dataclass(frozen=True)
class Chosen:
    """A polynomial as it was chosen, on training and validation candidates.

    Attributes:
        name: of the column.
        ordering: its average decision ordering with the benchmark, folded, on the pairs that the network before it
            orders otherwise than the benchmark. The best of many: it is biased upward, that of `Step` is not.
        pairs, fraction: how many these are, and their share of all pairs.
        candidates: how many polynomials it was chosen from.
        next: the next best, (name, ordering).
    """

    name: str
    ordering: float
    pairs: int
    fraction: float
    candidates: int
    next: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Step:
    """A pass, measured on the test split; errors are one standard deviation for fixed networks.

    Attributes:
        number: 0 is the network on the variables alone.
        chosen: the polynomial of this pass; None in pass 0.
        calorimeter, graph, edges, kappa, beta: what it is; edges as pairs of vertices.
        ordering: of the polynomial and the benchmark on the test pairs that the network of the pass before orders
            otherwise than the benchmark; None where they have no positive weight.
        efp_auc: of the polynomial alone, folded.
        network_ordering: of this pass's network and the benchmark on all test pairs.
        auc: of this pass's network; the error is that of the bootstrap, seeds beside it.
        gap: AUC of the benchmark minus this one, with the error of the paired bootstrap.
        valid_auc: of this pass's network on the validation split, which stops the search.
    """

    number: int
    chosen: Chosen | None
    calorimeter: str | None
    graph: str | None
    edges: tuple[tuple[int, int], ...] | None
    kappa: float | None
    beta: float | None
    ordering: DecisionOrdering | None
    efp_auc: Auc | None
    network_ordering: DecisionOrdering
    auc: Auc
    gap: Auc
    valid_auc: float


@dataclass(frozen=True)
class Guided:
    """A finished search.

    Attributes:
        path: its folder; pass0, pass1 ... in it are the runs.
        start: the variables that it began with.
        kappa: the only exponent allowed, or None.
        steps: pass 0 and one for each polynomial.
        benchmark: AUC on the test split.
        benchmark_valid_auc: on the validation split.
        target: the validation AUC at which the search stops.
        stopped: why it did.
        n_signal, n_background: test candidates.
        bootstrap, seeds: resampled sets of test candidates, and training seeds.
    """

    path: Path
    start: str
    kappa: float | None
    steps: tuple[Step, ...]
    benchmark: Auc
    benchmark_valid_auc: float
    target: float
    stopped: str
    n_signal: int
    n_background: int
    bootstrap: int
    seeds: int

    @property
    def names(self) -> tuple[str, ...]:
        """The polynomials that were chosen, in order."""
        return tuple(step.chosen.name for step in self.steps if step.chosen is not None)


def look(
    problem: Problem,
    scores: Sequence[Floats],
    chosen: Sequence[Chosen],
    *,
    bootstrap: int,
    seed: int,
    about: Mapping[str, Any],
) -> Guided:
    """Measures a finished search on the test split.

    Args:
        problem: what was searched.
        scores: of the network of each pass, (n, seeds), the stored network's first.
        chosen: a polynomial for each pass but the first.
        bootstrap: resampled sets of test candidates.
        seed: of these.
        about: the other attributes of the result.

    Raises:
        DataError: fewer than two resampled sets; no polynomial of a name.
    """
    if bootstrap < 2:
        raise DataError("an error needs resampled sets", expected="at least 2", found=bootstrap)
    test, valid = problem.rows("test"), problem.rows("valid")
    label, weight = problem.label[test], problem.weight[test]
    group = None if problem.group is None else problem.group[test]
    events = make_events(problem.benchmark[test, 0], label, weight, group)
    counts = [*repetitions(events, bootstrap, seed)]
    area = _Areas(label, weight, counts)
    benchmark, of_benchmark = area.of(problem.benchmark[test])
    efps = problem.read([one.name for one in chosen], ["test"]) if chosen else np.empty((len(label), 0))
    steps = []
    for number, score in enumerate(scores):
        found, replicas = area.of(score[test])
        gap = Auc(benchmark.value - found.value, float(np.std(of_benchmark - replicas, ddof=1)))
        own = chosen[number - 1] if number else None
        values = efps[:, number - 1] if number else None
        pairs = (problem.benchmark[test, 0], scores[number - 1][test, 0], label, weight, group) if number else None
        steps.append(
            Step(
                number=number,
                chosen=own,
                **_described(own),
                ordering=_ordering(values, pairs),
                efp_auc=None if values is None else area.folded(values),
                network_ordering=average_decision_ordering(
                    score[test, 0], problem.benchmark[test, 0], label, weight, group=group
                ),
                auc=found,
                gap=gap,
                valid_auc=auc(score[valid, 0], problem.label[valid], problem.weight[valid]),
            )
        )
    sizes = (int(np.count_nonzero(label == one)) for one in (1, 0))
    return Guided(
        steps=tuple(steps),
        benchmark=benchmark,
        benchmark_valid_auc=auc(problem.benchmark[valid, 0], problem.label[valid], problem.weight[valid]),
        n_signal=next(sizes),
        n_background=next(sizes),
        bootstrap=bootstrap,
        **about,
    )


def _described(own: Chosen | None) -> dict[str, Any]:
    if own is None:
        return dict.fromkeys(("calorimeter", "graph", "edges", "kappa", "beta"))
    column = parse_column(own.name)
    graph = column.graph
    exponents = {"kappa": column.kappa, "beta": column.beta}
    return {"calorimeter": column.calorimeter, "graph": graph.name, "edges": graph.edges, **exponents}


def _ordering(values: Floats | None, pairs: Any) -> DecisionOrdering | None:
    if values is None:
        return None
    some = DisorderedPairs(*pairs)
    return some.measure(values) if some.fraction > 0 else None  # negative weights may outweigh the others


@dataclass(frozen=True)
class _Areas:
    """AUCs of test candidates, and of the same resampled sets of them for all that is compared."""

    label: Floats
    weight: Floats
    counts: Sequence[NDArray[np.int64]]

    def of(self, score: Floats) -> tuple[Auc, Floats]:
        """Of (n, seeds) scores: the first seed's with its error, and its replicas."""
        replicas = np.array([auc(score[:, 0], self.label, self.weight * counts) for counts in self.counts])
        values = tuple(auc(one, self.label, self.weight) for one in score.T)
        more: dict[str, float] = {}
        if len(values) > 1:
            more = {"mean": float(np.mean(values)), "spread": float(np.std(values, ddof=1))}
        return Auc(values[0], float(np.std(replicas, ddof=1)), values, **more), replicas

    def folded(self, values: Floats) -> Auc:
        """Of one column, whichever sign separates."""
        found, _ = self.of(values[:, None])
        return Auc(max(found.value, 1 - found.value), found.error)
