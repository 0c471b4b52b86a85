"""An ONNX graph that grows, and the activations in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hepml.errors import UnsupportedLayerError

__all__ = ["FIX", "Graph", "Value", "activated"]

FIX = "evaluate it with hepml, or replace the layer"


@dataclass(frozen=True)
class Value:
    """A tensor: its name, and its shape without the events."""

    name: str
    shape: tuple[int, ...]


@dataclass
class Graph:
    """An ONNX graph that grows.

    Attributes:
        helper, numpy_helper: of the onnx package.
        nodes, constants, inputs, outputs: the parts so far.
    """

    helper: Any
    numpy_helper: Any
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)

    def constant(self, values: ArrayLike, dtype: Any = np.float32) -> str:
        """A constant's name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def add(self, kind: str, sources: Sequence[Value | str], shape: Sequence[int], **attributes: Any) -> Value:
        """A node of one operator; its value."""
        name = f"value_{len(self.nodes)}"
        names = [one if isinstance(one, str) else one.name for one in sources]
        self.nodes.append(self.helper.make_node(kind, names, [name], **attributes))
        return Value(name, tuple(shape))


_SAME = {
    "rectified": "Relu",
    "hard_silu": "HardSwish",
    "log_softmax": "LogSoftmax",
    "negative": "Neg",
    "arctan": "Atan",
    "arcsinh": "Asinh",
    **{name: name.capitalize() for name in ("sigmoid", "tanh", "softmax", "abs", "elu", "selu", "gelu", "mish")},
    **{name: name.capitalize() for name in ("softplus", "softsign", "exp", "log", "sqrt", "reciprocal", "sign")},
    **{name: name.capitalize() for name in ("erf", "sinh", "cosh", "round", "floor", "ceil", "sin", "cos", "tan")},
}
_ATTRIBUTES: dict[str, dict[str, Any]] = {"softmax": {"axis": -1}, "log_softmax": {"axis": -1}}
_NEAR: dict[str, tuple[str, dict[str, Any]]] = {  # operators under other names, or with numbers
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 0.2, "beta": 0.5}),
    "keras_hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}
_WITH_ALPHA = {"elu": "Elu", "leakyrelu": "LeakyRelu", "celu": "Celu"}


def activated(graph: Graph, activation: Any, value: Value) -> Value:
    """The value after an activation of a network file, a name or an object with `function`.

    Raises:
        UnsupportedLayerError: it has no entry here.
    """
    name = activation if isinstance(activation, str) else activation["function"]
    numbers = {} if isinstance(activation, str) else {k: v for k, v in activation.items() if k != "function"}
    if name == "linear":
        return value
    if not numbers and name in _SAME:
        return graph.add(_SAME[name], [value], value.shape, **_ATTRIBUTES.get(name, {}))
    if not numbers and name in _NEAR:
        kind, attributes = _NEAR[name]
        return graph.add(kind, [value], value.shape, **attributes)
    if set(numbers) == {"alpha"} and name in _WITH_ALPHA:
        return graph.add(_WITH_ALPHA[name], [value], value.shape, alpha=float(numbers["alpha"]))
    if name == "swish":
        scaled = graph.add("Mul", [value, graph.constant(numbers.get("alpha", 1.0))], value.shape)
        return graph.add("Mul", [value, graph.add("Sigmoid", [scaled], value.shape)], value.shape)
    if name == "square":
        return graph.add("Mul", [value, value], value.shape)
    if name == "clip" or (name == "relu" and numbers.get("low", 0) == 0):
        if name == "relu":
            value = graph.add("LeakyRelu", [value], value.shape, alpha=float(numbers.get("alpha", 0)))
        limits = [graph.constant(numbers[key]) if key in numbers else "" for key in ("low", "high")]
        limits[0] = "" if name == "relu" else limits[0]
        return graph.add("Clip", [value, *limits], value.shape) if any(limits) else value
    raise UnsupportedLayerError(
        f"the activation {name!r} is not written as ONNX",
        expected=", ".join(sorted({"linear", "swish", "square", "clip", "relu", *_SAME, *_NEAR, *_WITH_ALPHA})),
        found=activation,
        fix=FIX,
    )
