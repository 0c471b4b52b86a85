"""The layers of a network file as ONNX operators, one entry a layer in `LAYERS`; what has none is refused by name.

Tensors keep hepml's axes (event, phi, eta, channel). ONNX has channels first in convolutions and poolings, so those
stand between two transpositions, which runtimes remove.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.export.onnx_parts import FIX, Graph, Value

__all__ = ["LAYERS"]

Layer = Mapping[str, Any]
Handler = Callable[[Graph, Layer, list[Value]], Value]


def _dense(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    (value,) = sources
    width = value.shape[-1]
    weights, bias = (np.asarray(layer[key], dtype=np.float32) for key in ("weights", "bias"))
    if weights.size:
        n = weights.size // width
        matrix = weights.reshape(n, width)
        if len(value.shape) == 1 and bias.size:
            names = [graph.constant(matrix), graph.constant(bias)]
            return graph.add("Gemm", [value, *names], (n,), transB=1)
        value = graph.add("MatMul", [value, graph.constant(matrix.T)], (*value.shape[:-1], n))
    return graph.add("Add", [value, graph.constant(bias)], value.shape) if bias.size else value


def _normalization(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    (value,) = sources
    for kind, key in (("Add", "bias"), ("Mul", "weights")):
        numbers = np.asarray(layer[key], dtype=np.float32)
        numbers = numbers if numbers.size == value.shape[-1] else numbers.reshape(value.shape)
        value = graph.add(kind, [value, graph.constant(numbers)], value.shape)
    return value


def _windows(layer: Layer, size: Sequence[int], dilation: Sequence[int], value: Value) -> tuple[list[int], list[int]]:
    """Padding (begins, then ends) and output shape; `same` pads the larger half at the high end, as Keras does."""
    begins, ends, out = [], [], []
    strides = layer.get("strides") or size
    for length, window, step, apart in zip(value.shape, size, strides, dilation, strict=False):
        reach = (window - 1) * apart + 1
        n = -(-length // step) if layer["padding"] == "same" else (length - reach) // step + 1
        total = max((n - 1) * step + reach - length, 0) if layer["padding"] == "same" else 0
        begins.append(total // 2)
        ends.append(total - total // 2)
        out.append(n)
    return [*begins, *ends], out


def _channels_first(
    graph: Graph, value: Value, kind: str, more: Sequence[str], shape: Sequence[int], **attributes: Any
) -> Value:
    rows, columns, channels = value.shape
    turned = graph.add("Transpose", [value], (channels, rows, columns), perm=[0, 3, 1, 2])
    found = graph.add(kind, [turned, *more], (shape[2], *shape[:2]), **attributes)
    return graph.add("Transpose", [found], shape, perm=[0, 2, 3, 1])


def _is_image(layer: Layer, value: Value) -> None:
    if len(value.shape) != 3:
        raise UnsupportedLayerError(
            f"{layer['architecture']!r} on a tensor of shape {value.shape} is not written as ONNX",
            expected="(rows, columns, channels)",
            fix=FIX,
        )


def _conv2d(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    (value,) = sources
    _is_image(layer, value)
    size, dilation = layer["kernel_size"], layer.get("dilation_rate") or [1, 1]
    pads, out = _windows(layer, size, dilation, value)
    weights = np.asarray(layer["weights"], dtype=np.float32)
    bias = np.asarray(layer["bias"], dtype=np.float32)
    if layer["architecture"] == "depthwiseconv2d":
        groups = value.shape[2]
        kernel = weights.reshape(*size, groups, -1)
        n = groups * kernel.shape[-1]
        kernel = kernel.transpose(2, 3, 0, 1).reshape(n, 1, *size)
    else:
        groups, n = 1, int(layer["filters"])
        kernel = weights.reshape(*size, value.shape[2], n).transpose(3, 2, 0, 1)
    names = [graph.constant(kernel), *([graph.constant(bias)] if bias.size else [])]
    numbers: dict[str, Any] = {
        "strides": layer["strides"],
        "dilations": dilation,
        "kernel_shape": size,
        "group": groups,
    }
    return _channels_first(graph, value, "Conv", names, (*out, n), pads=pads, **numbers)


def _pooling2d(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    (value,) = sources
    _is_image(layer, value)
    size = layer["pool_size"]
    pads, out = _windows(layer, size, [1, 1], value)
    kind = "MaxPool" if layer["architecture"].startswith("max") else "AveragePool"
    more = {"strides": layer.get("strides") or size, "kernel_shape": size}
    return _channels_first(graph, value, kind, [], (*out, value.shape[2]), pads=pads, **more)


def _global(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    (value,) = sources
    kind = "ReduceMax" if "max" in layer["architecture"] else "ReduceMean"
    return _reduced(graph, kind, value, range(len(value.shape) - 1), layer.get("keepdims", False))


_REDUCTIONS = {"sum": "ReduceSum", "mean": "ReduceMean", "maximum": "ReduceMax", "minimum": "ReduceMin"}


def _reduce(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    if layer["function"] not in _REDUCTIONS:
        raise UnsupportedLayerError(
            f"the function {layer['function']!r} of a layer 'reduce' is not written as ONNX",
            expected=", ".join(_REDUCTIONS),
            fix=FIX,
        )
    return _reduced(graph, _REDUCTIONS[layer["function"]], sources[0], layer["axes"], layer.get("keepdims", False))


def _reduced(graph: Graph, kind: str, value: Value, axes: Any, keepdims: bool) -> Value:
    axes = list(axes)
    kept = [1 if k in axes else n for k, n in enumerate(value.shape) if keepdims or k not in axes]
    names = [graph.constant([k + 1 for k in axes], np.int64)]
    return graph.add(kind, [value, *names], kept, keepdims=int(keepdims))


def _reshaped(graph: Graph, value: Value, shape: Sequence[int]) -> Value:
    return graph.add("Reshape", [value, graph.constant([-1, *shape], np.int64)], shape)


def _flatten(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    shape = layer.get("shape") or [int(np.prod(sources[0].shape))]
    return _reshaped(graph, sources[0], [int(n) for n in shape])


def _transpose(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    axes = [int(k) for k in layer["axes"]]
    shape = [sources[0].shape[k] for k in axes]
    return graph.add("Transpose", sources, shape, perm=[0, *(k + 1 for k in axes)])


def _concatenate(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    axis, shape = int(layer["axis"]), list(sources[0].shape)
    shape[axis] = sum(one.shape[axis] for one in sources)
    return graph.add("Concat", sources, shape, axis=axis + 1)


_ELEMENTWISE = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "power": "Pow",
}


def _elementwise(graph: Graph, layer: Layer, sources: list[Value]) -> Value:
    kind = _ELEMENTWISE[layer.get("architecture", "add")]
    if layer.get("weights"):
        numbers: NDArray[np.float32] = np.asarray(layer["weights"], dtype=np.float32).reshape(layer["shape"])
        shape = np.broadcast_shapes(sources[0].shape, numbers.shape)
        value = _of_rank(graph, sources[0], len(shape))
        pair: list[Value | str] = [value, graph.constant(numbers)]
        return graph.add(kind, pair[::-1] if layer.get("first") else pair, shape)
    value = sources[0]
    for other in sources[1:]:
        shape = np.broadcast_shapes(value.shape, other.shape)
        value = graph.add(kind, [_of_rank(graph, one, len(shape)) for one in (value, other)], shape)
    return value


def _of_rank(graph: Graph, value: Value, rank: int) -> Value:
    """Axes of length 1 behind that of the events, so that shapes are matched from the last one."""
    missing = rank - len(value.shape)
    return _reshaped(graph, value, [1] * missing + list(value.shape)) if missing > 0 else value


LAYERS: dict[str, Handler] = {
    "dense": _dense,
    "normalization": _normalization,
    "conv2d": _conv2d,
    "depthwiseconv2d": _conv2d,
    "maxpooling2d": _pooling2d,
    "averagepooling2d": _pooling2d,
    "globalmaxpooling": _global,
    "globalaveragepooling": _global,
    "reduce": _reduce,
    "flatten": _flatten,
    "reshape": _flatten,
    "transpose": _transpose,
    "concatenate": _concatenate,
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
}
