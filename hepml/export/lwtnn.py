"""What lwtnn 2.14 can read, and evaluates to the same numbers: the rules of `--lwtnn`.

lwtnn ignores keys that it does not know, so a layer with such a key would load and give something else; those are
refused by the layer's name. One difference is written away: Keras pads a convolution of an even window with the odd
zero behind, lwtnn before, so without dilation the window gets a tap of zeros in front.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError

__all__ = ["ARCHITECTURES", "ON_SEQUENCES", "lwtnn_entry"]

_ON_VECTORS = frozenset({"dense", "normalization", "maxout", "highway"})
ON_SEQUENCES = frozenset({"lstm", "gru", "simplernn", "conv1d"})
ARCHITECTURES = _ON_VECTORS | ON_SEQUENCES
_FUNCTIONS = frozenset(
    {"linear", "rectified", "sigmoid", "hard_sigmoid", "tanh", "softmax", "abs", "elu", "leakyrelu", "swish"}
)
_LACKING = ("strides", "groups", "reset_after", "go_backwards", "zero_output_for_mask")
_LAYERS = (
    "Dense, BatchNormalization, Normalization, Rescaling, Conv1D, LSTM, GRU, SimpleRNN, TimeDistributed, Concatenate, "
    "Add and activations"
)


def _refuse(layer: Any, message: str, expected: object, found: object) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"lwtnn has no {message} for {layer.name!r} ({type(layer).__name__})",
        where=f"layer {layer.name!r}",
        expected=expected,
        found=found,
        fix="export without --lwtnn and evaluate with hepml",
    )


def lwtnn_entry(layer: Any, entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """An entry of `layers` as lwtnn reads it.

    Args:
        layer: the Keras layer, which messages name.
        entry: what its handler wrote.
        kind: of the node that applies it.

    Raises:
        UnsupportedLayerError: lwtnn cannot read it, or would evaluate something else.
    """
    architecture = str(entry["architecture"])
    if architecture not in ARCHITECTURES:
        raise _refuse(layer, "layer", _LAYERS, type(layer).__name__)
    if kind == "layer":
        raise _refuse(layer, "node", "one vector or sequence", "several inputs, or a tensor of another rank")
    for key in _LACKING:
        if key in entry:
            raise _refuse(layer, f"argument {key}", f"no {key}", f"{key}={entry[key]}")
    for key, function in _functions(entry):
        if function not in _FUNCTIONS:
            raise _refuse(layer, f"{key} {function!r}", ", ".join(sorted(_FUNCTIONS)), function)
    return _conv1d(layer, entry) if architecture == "conv1d" else entry


def _functions(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("activation", "inner_activation"):
        form = entry.get(key, "linear")
        yield key, str(form["function"] if isinstance(form, dict) else form)


def _conv1d(layer: Any, entry: dict[str, Any]) -> dict[str, Any]:
    if entry["activation"] == "softmax":
        raise _refuse(layer, "softmax over channels", "a Softmax layer of its own", "activation='softmax'")
    weights, dilation = np.asarray(entry["weights"]), int(entry["dilation_rate"])  # (filters, channels, taps)
    if entry["padding"] != "same" or (weights.shape[-1] - 1) * dilation % 2 == 0:
        return entry
    if dilation != 1:
        raise _refuse(layer, "padding 'same' of an even window", "an odd window", f"dilation_rate={dilation}")
    return {**entry, "weights": np.pad(weights, ((0, 0), (0, 0), (1, 0)))}
