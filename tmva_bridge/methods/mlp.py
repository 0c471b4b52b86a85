"""MLP: a dense network; weights are read as float32, sums are double."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from tmva_bridge.header import Header
from tmva_bridge.methods.method import Events, Respond, softmax
from tmva_bridge.xmlfile import Element

__all__ = ["MLP", "kernels", "read"]

Array = NDArray[np.float64]

_RATIONAL_TANH = (4, 2, 1)  # from this release on
_ESTIMATORS = (4, 1, 0)  # before it, there was no choice: MSE, linear
_MOST = 100_000  # neurons of a layer


@dataclass(frozen=True)
class MLP:
    """A dense network.

    Attributes:
        kernels: (inputs and bias, outputs) of each layer.
        join: "sum", "sqsum" or "abssum".
        hidden, last: activations: "sigmoid", "rational" (TMVA's tanh), "tanh", "ReLU", "radial" or "linear".
        analysis: "Classification", "Regression" or "Multiclass", whose outputs go through a softmax.
    """

    kernels: tuple[Array, ...]
    join: str
    hidden: str
    last: str
    analysis: str

    def __call__(self, events: Events) -> Array:
        values = events.transformed().astype(np.float64)
        for i, kernel in enumerate(self.kernels):
            activate = _ACTIVATIONS[self.last if i == len(self.kernels) - 1 else self.hidden]
            values = activate(_SUMS[self.join](values, kernel))
        if self.analysis == "Multiclass":
            return softmax(values)
        return values if self.analysis == "Regression" else values[:, 0]


def read(weights: Element, header: Header) -> Respond:
    """Reads `Layout` of `Layer`s of `Neuron`s, each with its weights to the next layer; the last neuron is the bias."""
    default = "MSE" if header.release < _ESTIMATORS else None
    estimator = header.one_of("EstimatorType", ("CE", "MSE"), default)
    join = header.one_of("NeuronInputType", tuple(_SUMS), "sum")
    kind = header.one_of("NeuronType", ("sigmoid", "tanh", "ReLU", "radial", "linear"))
    hidden = "rational" if kind == "tanh" and header.release >= _RATIONAL_TANH else kind
    return MLP(
        tuple(kernels(weights, header)), join, hidden, "sigmoid" if estimator == "CE" else "linear", header.analysis
    )


def kernels(weights: Element, header: Header) -> list[Array]:
    """The kernels (inputs and bias, outputs) of all layers but the first."""
    layout = weights.child("Layout")
    layers = layout.every("Layer")
    if layout.whole("NLayers", 2, 1000) != len(layers):
        layout.wrong("another number of layers than it says", expected=layout.get("NLayers"), found=len(layers))
    sizes = []
    for place, layer in enumerate(layers):
        if layer.whole("Index") != place:
            layer.wrong("layers out of order", expected=f"Index={place}", found=layer.get("Index"))
        sizes.append(layer.whole("NNeurons", 1, _MOST) - (place < len(layers) - 1))
    if (sizes[0], sizes[-1]) != (len(header.variables), header.outputs):
        layout.wrong(
            "a network of another shape than its inputs and outputs",
            expected=f"{len(header.variables)} inputs and a bias, {header.outputs} outputs",
            found=f"{sizes[0]} and a bias, {sizes[-1]}",
        )
    found = []
    for layer, size, following in zip(layers[:-1], sizes[:-1], sizes[1:], strict=True):
        neurons = layer.every("Neuron")
        if len(neurons) != size + 1:
            layer.wrong("another number of neurons than it says", expected=f"NNeurons={size + 1}", found=len(neurons))
        for neuron in neurons:
            if neuron.whole("NSynapses") != following:
                neuron.wrong("another number of synapses", expected=following, found=neuron.get("NSynapses"))
        rows = np.stack([neuron.numbers(following) for neuron in neurons])
        found.append(rows.astype(np.float32).astype(np.float64))
    return found


def _joined(step: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """The sum over the inputs and the bias of what `step` makes of weight times value, in their order."""

    def join(values: Array, kernel: Array) -> Array:
        out = np.zeros((len(values), kernel.shape[1]))
        for i in range(values.shape[1]):
            out += step(values[:, i : i + 1] * kernel[i])
        return out + step(kernel[-1])

    return join


def rational_tanh(x: Array) -> Array:
    """TMVA's approximation of tanh, rounded to float32 where TMVA rounds; beyond 5 it grows."""
    square = np.square(x).astype(np.float32)
    a, b, c, d, e, f = np.array([135135, 17325, 378, 62370, 3150, 28], np.float32)
    over = (x * (a + square * (b + square * (c + square)))).astype(np.float32)
    under = a + square * (d + square * (e + square * f))
    out: Array = (over / under).astype(np.float64)
    return out


_SUMS = {"sum": _joined(lambda x: x), "sqsum": _joined(np.square), "abssum": _joined(np.abs)}
_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": expit,
    "rational": rational_tanh,
    "tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, 0),
    "radial": lambda x: np.exp(-x * x / 2),
    "linear": lambda x: x,
}
