"""Which function writes which Keras layer: the table of what can be exported.

A handler takes the layer, the values it is applied to and the network under construction, adds what it needs and
returns the value of the result. A module holds one family of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hepml.errors import UnsupportedLayerError, nearest
from hepml.export.layers import (
    attention,
    convolution,
    dense,
    earlier,
    merging,
    normalization,
    pooling,
    recurrent,
    reshaping,
)
from hepml.export.network import Network, Value, refuse

__all__ = ["CALL_HANDLERS", "HANDLERS", "MASKED", "Handler", "call_handler_of", "handler_of"]

Handler = Callable[[Any, list[Value], Network], Value]
CallHandler = Callable[[Any, dict[str, Any], Network], Value]  # takes the arguments of the call by name

HANDLERS: dict[str, Handler] = {
    "Dense": dense.dense,
    "Activation": dense.activation,
    "ReLU": dense.activation,
    "LeakyReLU": dense.activation,
    "ELU": dense.activation,
    "Softmax": dense.softmax,
    "PReLU": dense.prelu,
    "EinsumDense": dense.einsum_dense,
    **{f"Conv{n}D": convolution.convolution for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": convolution.transposed for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": convolution.depthwise for n in (1, 2)},
    **{f"SeparableConv{n}D": convolution.separable for n in (1, 2)},
    **{f"{kind}Pooling{n}D": pooling.pooling for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{f"Global{kind}Pooling{n}D": pooling.global_pooling for kind in ("Max", "Average") for n in (1, 2, 3)},
    "BatchNormalization": normalization.batch_normalization,
    "Normalization": normalization.normalization,
    "Rescaling": normalization.rescaling,
    "LayerNormalization": normalization.layer_normalization,
    "GroupNormalization": normalization.group_normalization,
    "RMSNormalization": normalization.rms_normalization,
    "UnitNormalization": normalization.unit_normalization,
    "Concatenate": merging.concatenate,
    "Add": merging.merge("add"),
    "Subtract": merging.merge("subtract"),
    "Multiply": merging.merge("multiply"),
    "Average": merging.merge("average"),
    "Maximum": merging.merge("maximum"),
    "Minimum": merging.merge("minimum"),
    "Dot": merging.dot,
    "Flatten": reshaping.flatten,
    "Reshape": reshaping.reshape,
    "Permute": reshaping.permute,
    "RepeatVector": reshaping.repeat_vector,
    **{f"ZeroPadding{n}D": reshaping.zero_padding for n in (1, 2, 3)},
    **{f"Cropping{n}D": reshaping.cropping for n in (1, 2, 3)},
    **{f"UpSampling{n}D": reshaping.upsampling for n in (1, 2, 3)},
    "LSTM": recurrent.recurrent,
    "GRU": recurrent.recurrent,
    "SimpleRNN": recurrent.recurrent,
    "Bidirectional": recurrent.bidirectional,
    "TimeDistributed": recurrent.time_distributed,
    "Masking": recurrent.masking,
    "Embedding": recurrent.embedding,
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

# Layers whose second value may be a mask; TimeDistributed(Dense) and the like have no use for it.
MASKED = frozenset({"LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed"})

CALL_HANDLERS: dict[str, CallHandler] = {
    "Attention": attention.attention,
    "AdditiveAttention": attention.attention,
    "MultiHeadAttention": attention.multi_head_attention,
    "GroupQueryAttention": attention.group_query_attention,
}
_CLASSES = {"GroupedQueryAttention": "GroupQueryAttention"}  # Keras exports it under the second name


def _spectral_normalization(layer: Any, values: list[Value], network: Network) -> Value:
    """The layer inside: its kernel is the normalised one."""
    return handler_of(layer.layer)(layer.layer, values, network)


HANDLERS["SpectralNormalization"] = _spectral_normalization


def kind_of(layer: Any) -> str:
    """The name of a layer's class in `keras.layers`."""
    kind = type(layer).__name__
    return _CLASSES.get(kind, kind)


# hepml's own layers for what Keras 3 no longer has
_EARLIER = "hepml.export.keras2.functions"
EARLIER: dict[str, Handler] = {
    "Highway": earlier.highway,
    "MaxoutDense": earlier.maxout,
    "SumOverSteps": earlier.sum_over_steps,
    "Swish": earlier.swish,
}


def handler_of(layer: Any) -> Handler:
    """The handler of a Keras layer.

    Raises:
        UnsupportedLayerError: no handler has exactly this class (a class of your own that derives from a Keras layer
            may compute something else), or the layer computes in another precision, or is quantised.
    """
    if type(layer).__module__ == _EARLIER and type(layer).__name__ in EARLIER:
        return EARLIER[type(layer).__name__]
    kind = _checked(layer, HANDLERS)
    return HANDLERS[kind]


def call_handler_of(layer: Any) -> CallHandler | None:
    """The same for layers whose calls have arguments of their own; None for others."""
    return CALL_HANDLERS[_checked(layer, CALL_HANDLERS)] if kind_of(layer) in CALL_HANDLERS else None


def _checked(layer: Any, table: Mapping[str, Any]) -> str:
    import keras

    kind = kind_of(layer)
    own = kind in table and type(layer) is not getattr(keras.layers, kind)
    known = [*HANDLERS, *CALL_HANDLERS]
    if kind not in table or own:
        raise UnsupportedLayerError(
            f"the layer {layer.name!r} of type {kind!r} cannot be exported",
            where=f"layer {layer.name!r}",
            expected="one of the Keras layers " + ", ".join(known),
            found=f"{type(layer).__module__}.{kind}",
            nearest=[] if own else nearest(kind, known),
            fix="only Keras' own classes are known to be reproduced" if own else None,
        )
    if layer.compute_dtype != "float32":
        raise refuse(layer, "dtype", layer.dtype_policy.name, "float32")
    if getattr(layer, "quantization_mode", None) is not None:
        raise refuse(layer, "dtype", f"quantised as {layer.quantization_mode}", "float32")
    return kind
