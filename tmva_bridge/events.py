"""Trees, weights and cuts, as the events of training and testing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.expressions import Rows, parse_expression
from tmva_bridge.sample import Sample, Setup
from tmva_bridge.splitting import Pools, Random, Wanted, mixed, renormalised, split
from tmva_bridge.trees import read_columns

__all__ = ["Tree", "make_samples"]

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Tree:
    """A tree as it was added: where its events come from, and what they are for.

    Attributes:
        source: as `tmva_bridge.trees.check_source` gives it.
        weight: of every event.
        cut: an expression, or "".
        purpose: "both", "train" or "test".
        where: the tree, for messages.
    """

    source: Any
    class_name: str
    weight: float
    cut: str
    purpose: str
    where: str


@dataclass(frozen=True)
class _Events:
    """Events of a tree that fulfil the cuts, and how many there were; columns: variables, targets, spectators."""

    values: NDArray[np.float32]
    weights: NDArray[np.float64]
    before: int


def make_samples(
    setup: Setup,
    trees: Sequence[Tree],
    weights: Mapping[str, str],
    cuts: Mapping[str, Sequence[str]],
    options: Mapping[str, Any],
) -> tuple[Sample, Sample]:
    """The events for training and for testing.

    Args:
        setup: what the values are.
        trees: of all classes.
        weights: expressions by class, in lower case; "" for all others.
        cuts: expressions by class, in lower case; those of "" count for all.
        options: of PrepareTrainingAndTestTree, with nTrain and nTest of every class.

    Raises:
        DataError: too few events, infinite values or weights, branches that are no numbers or of different lengths.
        MissingBranchError, InputFileError: as `tmva_bridge.trees.read_columns`.
    """
    random = Random(options["SplitSeed"])
    parts: list[_Events] = []
    classes: list[NDArray[np.int32]] = []
    groups: list[Pools] = []
    wanted: list[Wanted] = []
    at = 0
    for index, name in enumerate(setup.classes):
        pools: dict[str, list[Indices]] = {"both": [], "train": [], "test": []}
        before = after = 0
        for tree in (one for one in trees if one.class_name == name):
            lower = name.lower()
            events = _read(setup, tree, weights.get(lower, weights.get("")), [*cuts.get("", []), *cuts.get(lower, [])])
            n = len(events.weights)
            pools[tree.purpose].append(np.arange(at, at + n))
            parts.append(events)
            classes.append(np.full(n, index, np.int32))
            before, after, at = before + events.before, after + n, at + n
        groups.append(Pools(**{key: np.concatenate([np.empty(0, np.int64), *one]) for key, one in pools.items()}))
        share = after / before if options["ScaleWithPreselEff"] and before else 1.0
        counts = [options[f"n{kind}_{name}"] for kind in ("Train", "Test")]
        wanted.append(Wanted(*(max(int(count * share), min(count, 1)) for count in counts)))  # 0 would mean the rest
    chosen = split(groups, wanted, options["SplitMode"], random, setup.classes)
    mode = options["SplitMode"] if options["MixMode"] == "SameAsSplitMode" else options["MixMode"]
    train, test = (mixed(one, mode, random) for one in zip(*chosen, strict=True))
    values, numbers = np.concatenate([one.values for one in parts]), np.concatenate(classes)
    given = np.concatenate([one.weights for one in parts])
    scaled = renormalised(given[train], numbers[train], setup.classes, options["NormMode"])
    return (
        _sample(setup, values[train], numbers[train], scaled),
        _sample(setup, values[test], numbers[test], given[test]),
    )


def _sample(
    setup: Setup, values: NDArray[np.float32], classes: NDArray[np.int32], weights: NDArray[np.float64]
) -> Sample:
    ends = np.cumsum([len(setup.variables), len(setup.targets)])
    variables, targets, spectators = np.split(values, ends, axis=1)
    return Sample(variables, spectators, targets, classes, weights)


def _read(setup: Setup, tree: Tree, weight: str | None, cuts: Sequence[str]) -> _Events:
    """The events of a tree that fulfil the cuts; those with NaN are left out, and told."""
    wanted = (*setup.variables, *setup.targets, *setup.spectators)
    expressions = [parse_expression(one.expression) for one in wanted]
    conditions = [parse_expression(text) for text in (*cuts, tree.cut) if text]
    scales = [parse_expression(weight)] if weight else []
    used = [*expressions, *conditions, *scales]
    columns = read_columns(tree.source, frozenset().union(*(one.names for one in used)), tree.where)
    rows = Rows(columns, frozenset().union(*(one.spread for one in used)), tree.where)
    values = [expression(rows) for expression in expressions]
    weights = tree.weight * (scales[0](rows) if scales else np.ones(len(rows)))
    passed = [condition(rows) for condition in conditions]
    cut = np.logical_and.reduce([~(one < 0.5) for one in passed]) if passed else np.ones(len(rows), dtype=bool)
    bad = cut & np.isnan(np.stack([*values, weights, *passed])).any(axis=0)
    if bad.any():
        warnings.warn(f"{bad.sum()} of {cut.sum()} events of {tree.where} hold NaN and are left out", stacklevel=5)
    kept = cut & ~bad
    out = np.empty((int(kept.sum()), len(values)), np.float32)
    with np.errstate(over="ignore"):
        for place, column in enumerate(values):
            out[:, place] = column[kept]
            _check(out[:, place], repr(wanted[place].label), tree)
    _check(weights[kept], "the weight", tree)
    return _Events(out, weights[kept], len(rows))


def _check(values: NDArray[Any], what: str, tree: Tree) -> None:
    infinite = int((~np.isfinite(values)).sum())
    if infinite:
        raise DataError(
            f"{what} is infinite in {infinite} events",
            where=tree.where,
            expected="values within the range of float32",
            fix="leave them out with a cut",
        )
