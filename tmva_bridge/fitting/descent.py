"""How TMVA's MLP goes down: event by event, batch by batch, or by BFGS with a line search."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hepml.errors import TrainingError
from tmva_bridge.fitting.network import Goal, Network
from tmva_bridge.splitting import Random

__all__ = ["Plan", "minimise"]

Array = NDArray[np.float64]
_LATE = 0.95  # part of the cycles after which the learning rate falls faster
_SEARCH = 100  # steps of a line search
_FIRST, _WIDEST, _FARTHEST = 0.01, 2.0, 10_000.0  # of its steps
_PATIENCE = 5  # cycles of BFGS before regulators change


@dataclass(frozen=True)
class Plan:
    """TMVA's options of the training.

    Attributes:
        method: "BP" or "BFGS"; batch: events of a step of BP, 1 for sequential.
        cycles: epochs; test_rate: of them between looks at the error, and between samplings.
        rate, decay: learning rate of BP, and what it loses in a cycle.
        sampling, sampling_until: part of the events of a cycle, and part of the cycles that sample.
        improvement, tests: it has converged after so many looks without so much improvement; tests < 0: never.
        reset, tau: of BFGS: cycles after which it forgets, factor of its line search.
        regulators: at most so many changes of the regulators, 0 for none.
    """

    method: str
    batch: int
    cycles: int
    test_rate: int
    rate: float
    decay: float
    sampling: float
    sampling_until: float
    improvement: float
    tests: int
    reset: int
    tau: float
    regulators: int


class _Convergence:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.count, self.best = plan, -1, np.inf

    def reached(self, error: float) -> bool:
        if self.plan.tests < 0 or self.plan.improvement < 0:
            return False
        if self.count < 0:
            self.best, self.count = error, 0
        if self.best - error <= self.plan.improvement:
            self.count += 1
        else:
            self.count, self.best = 0, error
        return self.count >= self.plan.tests


def minimise(network: Network, goal: Goal, plan: Plan, random: Random) -> None:
    """Trains the network in place.

    Raises:
        TrainingError: its weights or its error are no longer finite.
    """
    convergence = _Convergence(plan)
    steps = _bfgs(network, plan) if plan.method == "BFGS" else _back_propagation(network, plan, random)
    next(steps)
    some = goal
    cycle = 0
    while cycle < plan.cycles:
        sampled = cycle < plan.sampling_until * plan.cycles and plan.sampling < 1
        if not sampled:
            some = goal
        elif cycle == 0 or (cycle + 1) % plan.test_rate == 0:
            wanted = max(1, int(plan.sampling * len(goal.x)))
            some = goal.some(np.sort(random.shuffled(np.arange(len(goal.x)))[:wanted]))
        if not steps.send((some, cycle)):
            break
        if (cycle + 1) % plan.test_rate == 0:
            error = goal.error(network.answer(goal.x)) / len(goal.x)
            if not np.isfinite(error):
                raise TrainingError(
                    f"the MLP has lost its way in cycle {cycle + 1}: its error is {error}",
                    fix="lower LearningRate, scale the inputs (VarTransform=N), or use TrainingMethod=BFGS",
                )
            if convergence.reached(error):
                if not sampled:
                    break
                convergence = _Convergence(plan)
                cycle = int(plan.sampling_until * plan.cycles)
        cycle += 1
    if not np.isfinite(network.flat).all():
        raise TrainingError("the weights of the MLP are not finite", fix="lower LearningRate, or use VarTransform=N")


# sent the events and the number of a cycle, it makes the cycle, and says whether it moved
Steps = Generator[bool, tuple[Goal, int], None]


def _back_propagation(network: Network, plan: Plan, random: Random) -> Steps:
    rate = plan.rate
    goal, cycle = yield True
    while True:
        order = random.shuffled(np.arange(len(goal.x)))
        if plan.batch == 1:
            network.learn(goal, order, rate)
        else:
            size = len(order) if plan.batch < 1 else plan.batch
            for begin in range(0, len(order) - size + 1, size):
                batch = goal.some(order[begin : begin + size])
                network.put(network.flat - rate * network.slopes(batch) / size)
        rate *= 1 - (np.sqrt(plan.decay) if cycle >= int(plan.cycles * _LATE) - 1 else plan.decay)
        goal, cycle = yield True


class _Regulators:
    """Bayesian weight decay: a strength for each group of weights, from how many of them the data determine.

    Groups are the weights of each input, and of each layer behind the first, and the biases of each layer (MacKay,
    Neural Computation 4 (1992) 448).
    """

    def __init__(self, network: Network, most: int) -> None:
        groups, number = [], 0
        for i, (before, after) in enumerate(network.shapes):
            rows = np.arange(before) if i == 0 else np.minimum(np.arange(before), before - 1) // max(1, before - 1)
            groups.append(np.repeat(number + rows, after))
            number += int(rows.max()) + 1
        self.group = np.concatenate(groups)
        self.strength = np.zeros(number)
        self.left = most

    def prior(self, flat: Array) -> float:
        return float(0.5 * (self.strength[self.group] * flat * flat).sum())

    def slopes(self, flat: Array) -> Array:
        out: Array = self.strength[self.group] * flat
        return out

    def update(self, network: Network, goal: Goal) -> None:
        self.left -= 1
        flat = network.flat
        out = network.answer(goal.x)
        curvature = out * (1 - out) if goal.kind == "entropy" else np.ones_like(out)
        noise = 1.0
        if goal.kind == "squares":
            noise = len(goal.x) / max(2 * goal.error(out), 1e-300)
        hessian = np.diag(self.strength[self.group] + 1e-6)
        for k in range(out.shape[1]):
            of_one = np.zeros_like(out)
            of_one[:, k] = 1.0
            parts = network.parts(goal.x, of_one)
            rows = np.concatenate([part.reshape(len(goal.x), -1) for part in parts], axis=1)
            hessian += noise * (rows * (goal.weights * curvature[:, k])[:, None]).T @ rows
        variance = np.diag(np.linalg.inv(hessian))
        for number in range(len(self.strength)):
            mine = self.group == number
            known = max(0.0, mine.sum() - self.strength[number] * variance[mine].sum())
            self.strength[number] = known / max(float((flat[mine] ** 2).sum()), 1e-10) / noise


def _bfgs(network: Network, plan: Plan) -> Steps:
    regulators = _Regulators(network, plan.regulators)
    count = len(network.flat)
    inverse, former, last = np.eye(count), None, 0.0
    since, gained = 0, 0.0
    goal, cycle = yield True
    while True:
        flat = network.flat
        slopes = network.slopes(goal) + regulators.slopes(flat)
        if former is None or (plan.reset > 0 and cycle % plan.reset == 0 and cycle < plan.cycles / 2):
            inverse, since = np.eye(count), 0
        else:
            inverse = _updated(inverse, flat - former[0], slopes - former[1])
            since += 1
        direction = -inverse @ slopes
        if direction @ slopes > 0:
            inverse, direction, since = np.eye(count), -slopes, 0
        former = flat, slopes

        found = _line(partial(_error_along, network, goal, regulators, flat, direction), last, plan.tau)
        if found is None:
            inverse, direction, since = np.eye(count), -slopes / max(1.0, float(np.abs(slopes).max())), 0
            found = _line(partial(_error_along, network, goal, regulators, flat, direction), 0.0, plan.tau)
        if found is None:  # nothing is lower: the minimum
            network.put(flat)
            goal, cycle = yield False
            continue
        last, gain = found
        network.put(flat + last * direction)
        gained += gain
        if regulators.left > 0 and since >= _PATIENCE and abs(gain) < 0.1 * gained:
            regulators.update(network, goal)
            former, since, gained = None, 0, 0.0
        goal, cycle = yield True


def _error_along(  # noqa: PLR0917
    network: Network, goal: Goal, regulators: _Regulators, flat: Array, direction: Array, step: float
) -> float:
    network.put(flat + step * direction)
    found = goal.error(network.answer(goal.x)) + regulators.prior(network.flat)
    return found if np.isfinite(found) else np.inf


def _updated(inverse: Array, moved: Array, turned: Array) -> Array:
    """Broyden, Fletcher, Goldfarb and Shanno."""
    product = float(moved @ turned)
    if product == 0:
        return np.eye(len(moved))
    bent = inverse @ turned
    cross = np.outer(moved, bent)
    out: Array = (
        inverse + (1 + turned @ bent / product) * np.outer(moved, moved) / product - (cross + cross.T) / product
    )
    return out


def _line(error: Callable[[float], float], last: float, tau: float) -> tuple[float, float] | None:
    """The best step along a direction, by a parabola through three, and what it gains; None if none is better."""
    begin = first = error(0.0)
    a, b = 0.0, min(max(2 * last, _FIRST), _WIDEST)
    middle = error(b)
    if first > middle:
        c, right = b, middle
        for _ in range(_SEARCH):
            c *= tau
            right = error(c)
            if right > middle:
                break
            a, first, b, middle = b, middle, c, right
        else:
            return b, begin - middle
    else:
        c, right = b, middle
        for _ in range(_SEARCH):
            b /= tau
            middle = error(b)
            if first > middle:
                break
            c, right = b, middle
        else:
            return None
    slope = (right - middle) / (c - b)
    bend = slope - (middle - first) / (b - a)
    step = 0.5 * (a + c - (right - first) / bend) if np.isfinite(bend) and bend != 0 else b
    step = min(step, _FARTHEST) if step > 0 else b
    found = error(step)
    return (step, begin - found) if found <= middle else (b, begin - middle)
