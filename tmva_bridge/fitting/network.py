"""A small dense network: its answer, and how its error changes with its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tmva_bridge.methods.mlp import rational_tanh

__all__ = ["ACTIVATIONS", "Goal", "Network"]

Array = NDArray[np.float64]

# name -> the activation, and its slope from argument and value
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "sigmoid": (expit, lambda z, a: a * (1 - a)),
    "tanh": (rational_tanh, lambda z, a: 1 - a * a),
    "ReLU": (lambda z: np.maximum(z, 0.0), lambda z, a: (z > 0).astype(np.float64)),
    "radial": (lambda z: np.exp(-z * z / 2), lambda z, a: -z * a),
    "linear": (lambda z: z, lambda z, a: np.ones_like(z)),
}


@dataclass(frozen=True)
class Goal:
    """What a network is trained to.

    Attributes:
        kind: "entropy" of one sigmoid, "squares", or "softmax".
        x: (n, inputs); wanted: (n, outputs); weights: (n,).
    """

    kind: str
    x: Array
    wanted: Array
    weights: Array

    def error(self, out: Array) -> float:
        """The sum over the events."""
        if self.kind == "entropy":
            out = np.clip(out, 1e-300, 1 - 1e-16)
            each = -(self.wanted * np.log(out) + (1 - self.wanted) * np.log1p(-out))
        elif self.kind == "squares":
            each = 0.5 * (out - self.wanted) ** 2
        else:
            each = self.wanted * (np.logaddexp.reduce(out, axis=1, keepdims=True) - out)
        return float(self.weights @ each.sum(axis=1))

    def slope(self, out: Array) -> Array:
        """Of the error of each event, by what enters the output neurons: for all kinds, what is too much."""
        if self.kind == "softmax":
            powers = np.exp(out - out.max(axis=1, keepdims=True))
            out = powers / powers.sum(axis=1, keepdims=True)
        return (out - self.wanted) * self.weights[:, None]

    def some(self, chosen: NDArray[np.int64]) -> Goal:
        return Goal(self.kind, self.x[chosen], self.wanted[chosen], self.weights[chosen])


class Network:
    """Kernels (inputs and bias, outputs) of each layer.

    Args:
        sizes: neurons of each layer, without biases.
        hidden: activation of the hidden layers.
        output: activation of the last.
        draw: gives numbers from 0 to 1: weights begin between -2 and 2.
    """

    def __init__(self, sizes: list[int], hidden: str, output: str, draw: Callable[[int], Array]) -> None:
        self.shapes = [(before + 1, after) for before, after in pairwise(sizes)]
        # neuron after neuron, each with its weights from the layer before
        self.kernels = [(4 * draw(a * b) - 2).reshape(b, a).T.copy() for a, b in self.shapes]
        self.kinds = [ACTIVATIONS[hidden]] * (len(sizes) - 2) + [ACTIVATIONS[output]]

    @property
    def flat(self) -> Array:
        return np.concatenate([kernel.ravel() for kernel in self.kernels])

    def put(self, flat: Array) -> None:
        """Replaces the weights."""
        begin = 0
        for i, (a, b) in enumerate(self.shapes):
            self.kernels[i] = flat[begin : begin + a * b].reshape(a, b).copy()
            begin += a * b

    def answer(self, x: Array) -> Array:
        return self._run(x)[1][-1]

    def _run(self, x: Array) -> tuple[list[Array], list[Array]]:
        """What enters each layer, and what each answers, the inputs first."""
        entering, answers = [], [x]
        for kernel, (function, _) in zip(self.kernels, self.kinds, strict=True):
            entering.append(answers[-1] @ kernel[:-1] + kernel[-1])
            answers.append(function(entering[-1]))
        return entering, answers

    def slopes(self, goal: Goal) -> Array:
        """Of the error, by each weight."""
        return np.concatenate(
            [part.sum(axis=0).ravel() for part in self.parts(goal.x, goal.slope(self.answer(goal.x)))]
        )

    def parts(self, x: Array, delta: Array) -> list[Array]:
        """For each event and layer, slopes (n, inputs and bias, outputs); delta is that by what enters the outputs."""
        entering, answers = self._run(x)
        out: list[Array] = []
        for i in range(len(self.kernels) - 1, -1, -1):
            before = np.concatenate([answers[i], np.ones((len(x), 1))], axis=1)
            out.insert(0, before[:, :, None] * delta[:, None, :])
            if i:
                delta = (delta @ self.kernels[i][:-1].T) * self.kinds[i - 1][1](entering[i - 1], answers[i])
        return out

    def learn(self, goal: Goal, order: NDArray[np.int64], rate: float) -> None:
        """One step down for each event, one after the other."""
        kernels, kinds = self.kernels, self.kinds
        last = len(kernels) - 1
        wide = np.concatenate([goal.x, np.ones((len(goal.x), 1))], axis=1)
        for event in order.tolist():
            entering, answers = [], [wide[event]]
            for i in range(last):
                z = answers[i] @ kernels[i]
                entering.append(z)
                a = np.ones(len(z) + 1)
                a[:-1] = kinds[i][0](z)
                answers.append(a)
            out = kinds[last][0](answers[last] @ kernels[last])
            if goal.kind == "softmax":
                powers = np.exp(out)
                out = powers / powers.sum()
            delta = (out - goal.wanted[event]) * goal.weights[event]
            deltas = [delta]
            for i in range(last, 0, -1):
                delta = (kernels[i][:-1] @ delta) * kinds[i - 1][1](entering[i - 1], answers[i][:-1])
                deltas.insert(0, delta)
            for i in range(last + 1):
                kernels[i] -= rate * answers[i][:, None] * deltas[i]
