"""Dense networks as MLP files.

TMVA's MLP has one kind of hidden neuron, sums in double precision and weights in float32. What is linear is folded into
the next layer; tanh(z) = 2 sigmoid(2 z) - 1 becomes a sigmoid, because TMVA's tanh is an approximation; a leaky ReLU is
relu(z) - slope relu(-z), two neurons. So linear, sigmoid and tanh may be mixed, and linear, ReLU and leaky ReLU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.export.estimators.ensemble import Reading
from tmva_bridge.models.model import Written
from tmva_bridge.options import Scalar
from tmva_bridge.writing.layers import Affine, layout

__all__ = ["Step", "written_layers", "written_network"]

Array = NDArray[np.float64]
Step = Affine | str | dict[str, Any]  # or the name of an activation

_KINDS = {"sigmoid": "sigmoid", "tanh": "sigmoid", "rectified": "ReLU", "leakyrelu": "ReLU"}


def written_network(
    name: str,
    steps: Sequence[Step],
    inputs: int,
    judge: Callable[[Array], Array],
    *,
    analysis: str | None = None,
    signal: int = 0,
    variables: tuple[str, ...] | None = None,
    classes: tuple[str, ...] | None = None,
) -> Written:
    """What the file of a chain of affine maps and activations says.

    Args:
        name: of the model, for messages.
        steps: in order.
        inputs: number of variables.
        judge: (n, inputs) -> (n, outputs) of the model.
        analysis: what the outputs are, if not what their activation says.
        signal: the unit of two with softmax that is the signal's.
        variables, classes: their names, where the model knows them.

    Raises:
        UnsupportedLayerError: what an MLP cannot express, with the reason.
    """
    layers, hidden, last = _alternating(name, steps, inputs)
    outputs = layers[-1][0].shape[1]
    meant, answer = _output(name, last, outputs, analysis, signal)
    if last == "softmax" and meant == "Classification":
        kernel, bias = layers[-1]
        layers[-1] = (kernel[:, [signal]] - kernel[:, [1 - signal]], bias[[signal]] - bias[[1 - signal]])
    kind = _one_kind(name, layers, hidden)
    units = ",".join(str(kernel.shape[1]) for kernel, _ in layers[:-1])
    estimator = "CE" if last in ("sigmoid", "softmax") and meant == "Classification" else "MSE"
    options: dict[str, Scalar] = {"HiddenLayers": units, "NeuronType": kind, "EstimatorType": estimator}
    return Written(
        name=name,
        kind="MLP",
        analysis=meant,
        weights=layout(layers),
        options=options,
        inputs=inputs,
        variables=variables,
        classes=classes,
        judge=lambda x: answer(judge(x)),
        meaning=lambda found: found,
        outputs=layers[-1][0].shape[1],
    )


def written_layers(reading: Reading) -> Written:
    """A linear model or perceptron of scikit-learn."""
    steps: list[Step] = []
    if reading.offset is not None and reading.scale is not None:
        steps.append((np.diag(reading.scale), reading.offset * reading.scale))
    for layer in reading.layers:
        steps += [(np.asarray(layer["weights"], np.float64).T, np.asarray(layer["bias"], np.float64))]
        steps += [layer["activation"]]
    return written_network(
        reading.name,
        steps,
        reading.n_features,
        lambda x: np.asarray(reading.judge(x).outputs, np.float64),
        variables=reading.variables,
        classes=reading.labels,
    )


def _alternating(name: str, steps: Sequence[Step], inputs: int) -> tuple[list[Affine], list[Any], str]:
    """Affine maps, the activations between them, and that of the output: "linear", "sigmoid" or "softmax"."""
    layers: list[Affine] = [(np.eye(inputs), np.zeros(inputs))]
    activations: list[Any] = []
    for step in steps:
        if isinstance(step, tuple):
            kernel, bias = step
            before, shift = layers[-1]
            layers[-1] = (before @ kernel, shift @ kernel + bias)
        elif step != "linear":
            width = layers[-1][0].shape[1]
            activations.append(step)
            layers.append((np.eye(width), np.zeros(width)))
    last = "linear"
    ends_open = bool(steps) and activations and steps[-1] != "linear" and not isinstance(steps[-1], tuple)
    if ends_open and activations[-1] in ("sigmoid", "softmax"):
        last = activations.pop()
        layers.pop()
    for one in activations:
        kind = one["function"] if isinstance(one, dict) else one
        if kind not in _KINDS:
            raise UnsupportedLayerError(
                f"{name} cannot be written for TMVA: its MLP has no {kind}",
                where=name,
                expected="hidden layers of linear, sigmoid and tanh, or of linear, relu and leaky_relu; "
                "an output of sigmoid, softmax or linear",
                found=kind,
            )
    if not activations:  # an MLP has a hidden layer
        layers.append((np.eye(layers[-1][0].shape[1]), np.zeros(layers[-1][0].shape[1])))
    return layers, activations, last


def _output(
    name: str, last: str, outputs: int, analysis: str | None, signal: int
) -> tuple[str, Callable[[Array], Array]]:
    """The analysis, and what of the model's answer is compared."""
    if last == "softmax" and outputs < 2:
        raise UnsupportedLayerError(f"{name} cannot be written for TMVA: softmax of one unit is always 1")
    found = "Regression"
    if last == "softmax":
        found = "Classification" if outputs == 2 and analysis != "Multiclass" else "Multiclass"
    elif last == "sigmoid" and outputs == 1:
        found = "Classification"
    if last == "sigmoid" and outputs > 1:
        raise UnsupportedLayerError(
            f"{name} cannot be written for TMVA: its {outputs} outputs of sigmoid are separate probabilities",
            expected="one unit of sigmoid, or softmax",
            found=f"{outputs} units of sigmoid",
        )
    wanted = analysis or found
    if wanted != found and not (wanted == "Classification" and last == "linear" and outputs == 1):
        raise UnsupportedLayerError(
            f"{name} cannot be written as {wanted}", expected=found, found=f"{outputs} outputs of {last}"
        )
    column = signal if last == "softmax" else 0
    if wanted == "Classification":
        return wanted, lambda answers: answers[:, column]
    return wanted, lambda answers: answers if outputs > 1 else answers[:, 0]


def _one_kind(name: str, layers: list[Affine], activations: Sequence[Any]) -> str:
    """Turns the layers into those of one kind of neuron, and names it."""
    names = [one["function"] if isinstance(one, dict) else one for one in activations]
    kinds = sorted({_KINDS[one] for one in names})
    if len(kinds) > 1:
        raise UnsupportedLayerError(
            f"{name} cannot be written for TMVA: all hidden neurons of its MLP are of one kind",
            expected="sigmoid and tanh, or relu and leaky_relu",
            found=", ".join(dict.fromkeys(names)),
        )
    for i, one in enumerate(activations):
        (kernel, bias), (following, shift) = layers[i], layers[i + 1]
        if names[i] == "tanh":
            layers[i], layers[i + 1] = (2 * kernel, 2 * bias), (2 * following, shift - following.sum(axis=0))
        elif names[i] == "leakyrelu":
            layers[i] = np.concatenate([kernel, -kernel], axis=1), np.concatenate([bias, -bias])
            layers[i + 1] = np.concatenate([following, -one["alpha"] * following]), shift
    return kinds[0] if kinds else "linear"
