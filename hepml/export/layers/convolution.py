"""Convolution and pooling of images (rows, columns, channels)."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepml.export.activations import activation_of
from hepml.export.network import Network, Value, refuse

__all__ = ["conv2d", "max_pooling_2d"]


def _require_image(layer: Any, value: Value) -> None:
    if layer.data_format != "channels_last":
        raise refuse(layer, "data_format", repr(layer.data_format), "'channels_last'")
    if len(value.shape) != 3:
        raise refuse(layer, "input shape", value.shape, "(rows, columns, channels)")


def _size(layer: Any, value: Value, window: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the result of a window that slides over an image."""
    if layer.padding not in ("same", "valid"):
        raise refuse(layer, "padding", repr(layer.padding), "'same' or 'valid'")
    if layer.padding == "same":
        rows, columns = (-(-n // stride) for n, stride in zip(value.sizes, strides, strict=False))
    else:
        rows, columns = ((n - k) // s + 1 for n, k, s in zip(value.sizes, window, strides, strict=False))
    return rows, columns


def conv2d(layer: Any, values: list[Value], network: Network) -> Value:
    """`conv2d`: weights (kernel rows, kernel columns, channels, filters) in C order, as Keras."""
    (value,) = values
    _require_image(layer, value)
    if layer.groups != 1:
        raise refuse(layer, "groups", layer.groups, 1)
    strides = (int(layer.strides[0]), int(layer.strides[1]))
    dilation = (int(layer.dilation_rate[0]), int(layer.dilation_rate[1]))
    if strides != (1, 1) and dilation != (1, 1):
        raise refuse(layer, "dilation_rate", dilation, f"(1, 1) beside strides={strides}")
    kernel_size = (int(layer.kernel_size[0]), int(layer.kernel_size[1]))
    reach = ((kernel_size[0] - 1) * dilation[0] + 1, (kernel_size[1] - 1) * dilation[1] + 1)
    rows, columns = _size(layer, value, reach, strides)

    def write() -> dict[str, Any]:
        return {
            "architecture": "conv2d",
            "kernel_size": list(kernel_size),
            "filters": int(layer.filters),
            "strides": list(strides),
            "dilation_rate": list(dilation),
            "padding": layer.padding,
            "weights": np.asarray(layer.kernel, dtype=np.float32),
            "bias": np.asarray(layer.bias, dtype=np.float32) if layer.use_bias else np.zeros(0, np.float32),
            "activation": activation_of(layer, layer.activation),
        }

    return network.apply(layer, value, (rows, columns, int(layer.filters)), write)


def max_pooling_2d(layer: Any, values: list[Value], network: Network) -> Value:
    """`maxpooling2d`; padding `same` pads with minus infinity, the odd row or column at the high end."""
    (value,) = values
    _require_image(layer, value)
    window = (int(layer.pool_size[0]), int(layer.pool_size[1]))
    strides = (int(layer.strides[0]), int(layer.strides[1]))
    rows, columns = _size(layer, value, window, strides)

    def write() -> dict[str, Any]:
        return {
            "architecture": "maxpooling2d",
            "pool_size": list(window),
            "strides": list(strides),
            "padding": layer.padding,
        }

    return network.apply(layer, value, (rows, columns, value.width), write)
