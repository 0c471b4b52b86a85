"""Convolutions of sequences, images and volumes (channels last)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.activations import activation_of
from hepml.export.network import Network, Value, refuse

__all__ = ["convolution", "depthwise", "places", "require_axes", "separable", "transposed"]


def require_axes(layer: Any, value: Value, n: int) -> None:
    """Raises UnsupportedLayerError unless the layer is channels_last and on `n` axes."""
    if layer.data_format != "channels_last":
        raise refuse(layer, "data_format", repr(layer.data_format), "'channels_last'")
    if len(value.shape) != n + 1:
        raise refuse(layer, "input shape", value.shape, f"{n} axes and channels")


def places(
    layer: Any, value: Value, reach: tuple[int, ...], strides: tuple[int, ...], padding: str | None = None
) -> tuple[int | None, ...]:
    """The axes of the result of a window that slides over the axes of a value."""
    padding = padding or layer.padding
    if padding not in ("same", "valid", "causal"):
        raise refuse(layer, "padding", repr(padding), "'same', 'valid' or 'causal'")
    found: list[int | None] = []
    for size, window, stride in zip(value.shape, reach, strides, strict=False):
        if size is None:
            found.append(None)
        elif padding == "valid":
            found.append((size - window) // stride + 1)
        else:
            found.append(-(-size // stride))
    return tuple(found)


def _numbers(layer: Any, key: str) -> tuple[int, ...]:
    return tuple(int(number) for number in getattr(layer, key))


def _reach(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))


def _finish(layer: Any) -> dict[str, Any]:
    return {
        "bias": np.asarray(layer.bias, dtype=np.float32) if layer.use_bias else np.zeros(0, np.float32),
        "activation": activation_of(layer, layer.activation),
    }


def convolution(layer: Any, values: list[Value], network: Network) -> Value:
    """Conv1D in lwtnn's layout (filters, channels, steps); the others (kernel axes, channels, filters), as Keras."""
    (value,) = values
    n = int(layer.rank)
    require_axes(layer, value, n)
    kernel, strides, dilation = (_numbers(layer, key) for key in ("kernel_size", "strides", "dilation_rate"))
    shape = (*places(layer, value, _reach(kernel, dilation), strides), int(layer.filters))
    groups = int(layer.groups)

    def write() -> dict[str, Any]:
        weights = np.asarray(layer.kernel, dtype=np.float32)
        if n == 1 and groups == 1:
            more = {} if strides == (1,) else {"strides": strides[0]}
            form = {"dilation_rate": dilation[0], "padding": layer.padding, **more, "filters": int(layer.filters)}
            entry = {"architecture": "conv1d", **form, "weights": weights.transpose(2, 1, 0), **_finish(layer)}
            if not layer.use_bias:  # lwtnn counts the filters by their bias
                entry["bias"] = np.zeros(int(layer.filters), np.float32)
            return entry
        return {
            "architecture": "groupedconv1d" if n == 1 else f"conv{n}d",
            "kernel_size": list(kernel),
            "filters": int(layer.filters),
            "strides": list(strides),
            "dilation_rate": list(dilation),
            **({} if groups == 1 else {"groups": groups}),
            "padding": layer.padding,
            "weights": weights,
            **_finish(layer),
        }

    return network.apply(layer, value, shape, write)


def _depthwise(layer: Any, value: Value, network: Network, kernel: Any, finish: dict[str, Any] | None) -> Value:
    n = int(layer.rank)
    require_axes(layer, value, n)
    size, strides, dilation = (_numbers(layer, key) for key in ("kernel_size", "strides", "dilation_rate"))
    multiplier = int(layer.depth_multiplier)
    shape = (*places(layer, value, _reach(size, dilation), strides), value.width * multiplier)

    def write() -> dict[str, Any]:
        return {
            "architecture": f"depthwiseconv{n}d",
            "kernel_size": list(size),
            "depth_multiplier": multiplier,
            "strides": list(strides),
            "dilation_rate": list(dilation),
            "padding": layer.padding,
            "weights": np.asarray(kernel, dtype=np.float32),
            **(finish or {"bias": np.zeros(0, np.float32), "activation": "linear"}),
        }

    return network.apply(layer, value, shape, write, "depthwise")


def depthwise(layer: Any, values: list[Value], network: Network) -> Value:
    """Every channel on its own: weights (kernel axes, channels, multiplier), as Keras."""
    return _depthwise(layer, values[0], network, layer.kernel, _finish(layer))


def separable(layer: Any, values: list[Value], network: Network) -> Value:
    """A depthwise convolution, and a dense layer on the channels of each pixel."""
    value = _depthwise(layer, values[0], network, layer.depthwise_kernel, None)

    def write() -> dict[str, Any]:
        kernel = np.asarray(layer.pointwise_kernel, dtype=np.float32).reshape(-1, int(layer.filters))
        return {"architecture": "dense", "weights": kernel.T, **_finish(layer)}

    return network.apply(layer, value, (*value.shape[:-1], int(layer.filters)), write, "pointwise")


def transposed(layer: Any, values: list[Value], network: Network) -> Value:
    """Conv1DTranspose and the others: weights (kernel axes, channels, filters)."""
    (value,) = values
    n = int(layer.rank)
    require_axes(layer, value, n)
    kernel, strides, dilation = (_numbers(layer, key) for key in ("kernel_size", "strides", "dilation_rate"))
    if any(d != 1 for d in dilation):
        raise refuse(layer, "dilation_rate", dilation, 1)
    if layer.output_padding is not None:
        raise refuse(layer, "output_padding", layer.output_padding, None)
    axes: list[int | None] = []
    for size, k, s in zip(value.shape, kernel, strides, strict=False):
        longer = 0 if layer.padding == "same" else max(k - s, 0)
        axes.append(None if size is None else size * s + longer)

    def write() -> dict[str, Any]:
        weights = np.asarray(layer.kernel, dtype=np.float32)  # (kernel axes, filters, channels)
        return {
            "architecture": f"conv{n}dtranspose",
            "kernel_size": list(kernel),
            "filters": int(layer.filters),
            "strides": list(strides),
            "padding": layer.padding,
            "weights": np.swapaxes(weights, -1, -2),
            **_finish(layer),
        }

    return network.apply(layer, value, (*axes, int(layer.filters)), write)
