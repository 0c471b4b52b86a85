"""Which function writes which Keras layer: the table of what can be exported.

A handler takes the layer, the values it is applied to and the network under construction, adds what it needs and
returns the value of the result. A module holds one family of layers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hepml.errors import UnsupportedLayerError, nearest
from hepml.export.layers import convolution, dense, merging, normalization, reshaping
from hepml.export.network import Network, Value, refuse

__all__ = ["HANDLERS", "Handler", "handler_of"]

Handler = Callable[[Any, list[Value], Network], Value]

HANDLERS: dict[str, Handler] = {
    "Dense": dense.dense,
    "Activation": dense.activation,
    "ReLU": dense.activation,
    "LeakyReLU": dense.activation,
    "ELU": dense.activation,
    "Softmax": dense.activation,
    "Conv2D": convolution.conv2d,
    "MaxPooling2D": convolution.max_pooling_2d,
    "BatchNormalization": normalization.batch_normalization,
    "Normalization": normalization.normalization,
    "Rescaling": normalization.rescaling,
    "Concatenate": merging.concatenate,
    "Add": merging.add,
    "Flatten": reshaping.flatten,
    "Reshape": reshaping.reshape,
    # Without effect outside training
    "Identity": reshaping.identity,
    "Dropout": reshaping.identity,
    "SpatialDropout1D": reshaping.identity,
    "SpatialDropout2D": reshaping.identity,
    "SpatialDropout3D": reshaping.identity,
    "AlphaDropout": reshaping.identity,
    "GaussianDropout": reshaping.identity,
    "GaussianNoise": reshaping.identity,
    "ActivityRegularization": reshaping.identity,
}


def handler_of(layer: Any) -> Handler:
    """The handler of a Keras layer.

    Raises:
        UnsupportedLayerError: no handler has exactly this class (a class of your own that derives from a Keras layer
            may compute something else), or the layer computes in another precision, or is quantised.
    """
    import keras

    kind = type(layer).__name__
    own = kind in HANDLERS and type(layer) is not getattr(keras.layers, kind)
    if kind not in HANDLERS or own:
        what = "layer" if isinstance(layer, keras.layers.Layer) else "operation"
        raise UnsupportedLayerError(
            f"the {what} {layer.name!r} of type {kind!r} cannot be exported",
            where=f"{what} {layer.name!r}",
            expected="one of the Keras layers " + ", ".join(HANDLERS),
            found=f"{type(layer).__module__}.{kind}",
            nearest=[] if own else nearest(kind, HANDLERS),
            fix="only Keras' own classes are known to be reproduced" if own else None,
        )
    if layer.compute_dtype != "float32":
        raise refuse(layer, "dtype", layer.dtype_policy.name, "float32")
    if getattr(layer, "quantization_mode", None) is not None:
        raise refuse(layer, "dtype", f"quantised as {layer.quantization_mode}", "float32")
    return HANDLERS[kind]
