"""Which events train and which test: TMVA's splitting, event by event as TMVA itself chooses.

Random splits follow TMVA 4.2 (std::random_shuffle over ROOT's TRandom3); later releases of ROOT use std::shuffle, whose
order depends on the C++ library.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError

__all__ = ["Pools", "Random", "Wanted", "mixed", "renormalised", "split"]

Indices = NDArray[np.int64]
_STEP = 2.3283064365386963e-10  # ROOT's 1/2^32


class Random:
    """ROOT's TRandom3: a Mersenne Twister, seeded as Knuth does; a seed of 0 takes one from the system.

    Example:
        >>> Random(100).shuffled(np.arange(5)).tolist()
        [0, 3, 4, 1, 2]
    """

    def __init__(self, seed: int) -> None:
        if not 0 <= seed < 2**32:
            raise DataError(f"SplitSeed cannot be {seed}", expected=f"0 to {2**32 - 1}; 0 takes a new one each time")
        self.seed = seed or 1 + secrets.randbelow(2**32 - 1)
        self._twister = np.random.RandomState(self.seed)

    def uniform(self, n: int) -> NDArray[np.float64]:
        """The next n numbers, 0 < number < 1: ROOT leaves out zeros."""
        out = np.empty(0, np.uint64)
        while len(out) < n:
            raw = self._twister.randint(0, 2**32, n - len(out), dtype=np.uint32)
            out = np.concatenate([out, raw[raw > 0].astype(np.uint64)])
        return out * _STEP

    def shuffled(self, items: Indices) -> Indices:
        """The items in a random order: each is swapped with one of those up to it."""
        out = items.tolist()
        places = (np.arange(2, len(out) + 1) * self.uniform(max(len(out) - 1, 0))).astype(np.int64).tolist()
        for i, j in enumerate(places, start=1):
            out[i], out[j] = out[j], out[i]
        return np.array(out, dtype=np.int64)


@dataclass(frozen=True)
class Pools:
    """The events of a class: those of trees for both purposes, for training only, and for testing only."""

    both: Indices
    train: Indices
    test: Indices

    def __len__(self) -> int:
        return len(self.both) + len(self.train) + len(self.test)


@dataclass(frozen=True)
class Wanted:
    """How many events of a class shall train and test; 0 for "the rest", or half of all if both are 0."""

    train: int
    test: int


def split(
    pools: Sequence[Pools], wanted: Sequence[Wanted], mode: str, random: Random, names: Sequence[str]
) -> list[tuple[Indices, Indices]]:
    """The training and the test events of each class.

    As TMVA does: the events for both purposes are shuffled (Random), what nobody asks for is shared by both purposes,
    and each is then cut to its number: by leaving out random ones (Random), or the last ones.

    Args:
        mode: "Random", "Alternate" or "Block".
        names: of the classes, for messages.

    Raises:
        DataError: fewer events than wanted.
    """
    shuffled = [random.shuffled(one.both) if mode == "Random" else one.both for one in pools]
    out = []
    for one, both, numbers, name in zip(pools, shuffled, wanted, names, strict=True):
        n_train, n_test, share = _numbers(one, numbers, name)
        chosen = np.arange(len(both)) < share
        if mode == "Alternate":
            chosen = (np.arange(len(both)) % 2 == 0) & (np.arange(len(both)) < 2 * max(n_train - len(one.train), 0))
        train, test = np.concatenate([one.train, both[chosen]]), np.concatenate([one.test, both[~chosen]])
        for purpose, n, items in (("training", n_train, train), ("test", n_test, test)):
            if len(items) < n:  # in turn, half of the events is the most
                raise _too_few(name, purpose, n, len(items), one)
        out.append((_shortened(train, n_train, mode, random), _shortened(test, n_test, mode, random)))
    return out


def _shortened(items: Indices, n: int, mode: str, random: Random) -> Indices:
    """The first n; of a Random split n random ones, in their order."""
    if mode != "Random" or len(items) <= n:
        return items[:n]
    kept = np.ones(len(items), dtype=bool)
    kept[random.shuffled(np.arange(len(items)))[: len(items) - n]] = False
    out: Indices = items[kept]
    return out


def _numbers(pools: Pools, wanted: Wanted, name: str) -> tuple[int, int, int]:
    """How many events train and test, and how many of those for both purposes may train."""
    if min(wanted.train, wanted.test) < 0:
        raise DataError(f"nTrain_{name} or nTest_{name} is negative", expected="0 or more", found=wanted)
    both, train, test = len(pools.both), len(pools.train), len(pools.test)
    if wanted.train and wanted.test:
        needs = [max(wanted.train - train, 0), max(wanted.test - test, 0)]
        if sum(needs) > both:
            raise _too_few(name, "training and test", wanted.train + wanted.test, len(pools), pools)
        return wanted.train, wanted.test, needs[0] + (both - sum(needs)) // 2
    if wanted.train:
        n_train, n_test = wanted.train, len(pools) - max(wanted.train, train)
    elif wanted.test:
        n_train, n_test = len(pools) - max(wanted.test, test), wanted.test
    elif both >= abs(train - test):
        n_train = n_test = len(pools) // 2
    else:
        n_train, n_test = (train + both, test) if train < test else (train, test + both)
    for purpose, n, there in (("training", n_train, train + both), ("test", n_test, test + both)):
        if n > there or n <= 0:
            raise _too_few(name, purpose, n, there, pools)
    return n_train, n_test, max(n_train - train, 0) if not wanted.test else both - max(n_test - test, 0)


def _too_few(name: str, purpose: str, wanted: int, there: int, pools: Pools) -> DataError:
    return DataError(
        f"too few {purpose} events of the class {name!r}",
        expected=f"{max(wanted, 1)} or more",
        found=f"{there} of {len(pools)}, after the cuts",
        fix=f"lower nTrain_{name} or nTest_{name}; 0 takes the rest",
    )


def mixed(classes: Sequence[Indices], mode: str, random: Random) -> Indices:
    """The events of all classes in one order: shuffled, in turn, or one class after another.

    Args:
        classes: the events of each class.
        mode: "Random", "Alternate" or "Block".
    """
    out = np.concatenate(classes) if mode != "Alternate" else classes[0]
    if mode == "Random":
        return random.shuffled(out)
    if mode == "Alternate":
        for number, items in enumerate(classes[1:], start=1):
            out = np.insert(out, np.minimum(number * np.arange(1, len(items) + 1), len(out)), items)
    return out


def renormalised(
    weights: NDArray[np.float64], classes: NDArray[np.int32], names: Sequence[str], mode: str
) -> NDArray[np.float64]:
    """Training weights after NormMode.

    Args:
        weights: (n,) of the training events.
        classes: (n,) their classes.
        names: of the classes, for messages.
        mode: "None"; "NumEvents": the weights of a class sum to its number of events; "EqualNumEvents": to that of
            the first class.

    Raises:
        DataError: the weights of a class do not sum to more than 0.
    """
    out = weights.copy()
    first = int((classes == 0).sum())
    for index, name in enumerate(names):
        mine = classes == index
        total = float(weights[mine].sum())
        if mode != "None":
            if not total > 0:
                raise DataError(
                    f"the training weights of the class {name!r} cannot be normalised",
                    expected="a sum above 0",
                    found=total,
                    fix="NormMode=None, or other weights",
                )
            out[mine] *= (first if mode == "EqualNumEvents" else int(mine.sum())) / total
    return out
