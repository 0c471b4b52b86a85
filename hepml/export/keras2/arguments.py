"""The allow-list: which layers of Keras 2 are read, and what becomes of each of their arguments.

An argument is taken, or must have one value, or only matters in training; any other is refused by name. What Keras 3
would otherwise choose by itself has to be in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hepml.errors import UnsupportedLayerError, nearest

__all__ = ["LAYERS", "Row", "arguments_of"]

_LAST = {"data_format": "channels_last"}
_IN_TRAINING = frozenset(
    {
        *("name", "trainable", "batch_input_shape", "input_dtype", "input_dim", "input_length", "optional"),
        *("seed", "noise_shape", "momentum", "fused", "synchronized", "implementation", "unroll"),
        *("dropout", "recurrent_dropout", "unit_forget_bias"),
    }
)
_IN_TRAINING_SUFFIXES = ("_initializer", "_regularizer", "_constraint")


@dataclass(frozen=True)
class Row:
    """How one layer is read.

    Attributes:
        taken: arguments that the file must have.
        default: arguments that older versions did not write, with what they then meant.
        fixed: arguments with the only value that is read.
        renamed: names in Keras 3 where those differ.
    """

    taken: tuple[str, ...] = ()
    default: dict[str, Any] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)


def _row(
    taken: str = "", default: dict[str, Any] | None = None, fixed: dict[str, Any] | None = None, **renamed: str
) -> Row:
    return Row(tuple(taken.split()), default or {}, fixed or {}, renamed)


_CONVOLUTION = "filters kernel_size strides padding dilation_rate activation use_bias"
_RECURRENT = "units activation use_bias return_sequences"
_WINDOW = "pool_size strides padding"
_STATELESS = {"return_state": False, "stateful": False, "time_major": False, "input_spec": None}
_RECURRENT_DEFAULT = {"go_backwards": False, "zero_output_for_mask": False}

LAYERS: dict[str, Row] = {
    "Dense": _row("units activation use_bias"),
    "Activation": _row("activation"),
    "ReLU": _row("max_value", {"negative_slope": 0.0, "threshold": 0.0}),
    "LeakyReLU": _row("alpha", alpha="negative_slope"),
    "ELU": _row("alpha"),
    "PReLU": _row("shared_axes"),
    "Softmax": _row("axis"),
    "Swish": _row("beta"),
    "BatchNormalization": _row(
        "axis epsilon center scale", fixed={"renorm": False, "virtual_batch_size": None, "adjustment": None}
    ),
    "LayerNormalization": _row("axis epsilon center scale"),
    **{f"Conv{n}D": _row(_CONVOLUTION, {"groups": 1}, _LAST) for n in (1, 2, 3)},
    "DepthwiseConv2D": _row(
        "kernel_size strides padding depth_multiplier activation use_bias",
        {"dilation_rate": [1, 1]},
        {**_LAST, "groups": 1},
    ),
    **{f"SeparableConv{n}D": _row(f"{_CONVOLUTION} depth_multiplier", fixed={**_LAST, "groups": 1}) for n in (1, 2)},
    "Conv2DTranspose": _row(
        "filters kernel_size strides padding activation use_bias",
        {"dilation_rate": [1, 1]},
        {**_LAST, "output_padding": None, "groups": 1},
    ),
    **{f"{kind}Pooling{n}D": _row(_WINDOW, fixed=_LAST) for kind in ("Max", "Average") for n in (1, 2, 3)},
    **{
        f"Global{kind}Pooling{n}D": _row("", {"keepdims": False}, _LAST)
        for kind in ("Max", "Average")
        for n in (1, 2, 3)
    },
    **{f"ZeroPadding{n}D": _row("padding", fixed={} if n == 1 else _LAST) for n in (1, 2, 3)},
    **{f"Cropping{n}D": _row("cropping", fixed={} if n == 1 else _LAST) for n in (1, 2, 3)},
    "UpSampling1D": _row("size"),
    "UpSampling2D": _row("size", {"interpolation": "nearest"}, _LAST),
    "UpSampling3D": _row("size", fixed=_LAST),
    "Flatten": _row(fixed=_LAST),
    "Reshape": _row("target_shape"),
    "Permute": _row("dims"),
    "RepeatVector": _row("n"),
    "Concatenate": _row("axis"),
    **{name: _row() for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")},
    "Embedding": _row("input_dim output_dim", fixed={"mask_zero": False, "sparse": False}),
    "Masking": _row("mask_value"),
    "SimpleRNN": _row(_RECURRENT, _RECURRENT_DEFAULT, _STATELESS),
    "LSTM": _row(f"{_RECURRENT} recurrent_activation", _RECURRENT_DEFAULT, _STATELESS),
    "GRU": _row(f"{_RECURRENT} recurrent_activation", {"reset_after": False, **_RECURRENT_DEFAULT}, _STATELESS),
    "TimeDistributed": _row("layer"),
    "Bidirectional": _row("layer merge_mode"),
    # a layer that users of lwtnn write themselves, and those of Keras 1
    "Sum": _row(),
    "Highway": _row("activation"),
    "MaxoutDense": _row("output_dim nb_feature", output_dim="units"),
    # nothing outside training
    "Dropout": _row("rate"),
    **{f"SpatialDropout{n}D": _row("rate", fixed={} if n == 1 else _LAST) for n in (1, 2, 3)},
    "AlphaDropout": _row("rate"),
    "GaussianDropout": _row("rate"),
    "GaussianNoise": _row("stddev"),
    "ActivityRegularization": _row("", {"l1": 0.0, "l2": 0.0}),
}

# Keras 2 name -> Keras 3 name; those that are no longer what they were are functions of hepml
_SAME = "linear relu sigmoid tanh softmax elu selu gelu softplus softsign exponential mish silu relu6 leaky_relu"
_ACTIVATIONS = {**{name: name for name in _SAME.split()}, "swish": "silu"}
_ACTIVATION_ARGUMENTS = ("activation", "recurrent_activation")


def _refuse(name: str, kind: str, argument: str, found: Any, expected: Any, **parts: Any) -> UnsupportedLayerError:
    text = f"{found!r}"
    text = text if len(text) <= 120 else f"{text[:120]} ..."
    return UnsupportedLayerError(
        f"{argument}={text} of layer {name!r} cannot be read",
        where=f"layer {name!r} ({kind}), argument {argument!r}",
        expected=expected,
        found=text,
        **parts,
    )


def arguments_of(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The Keras 3 arguments of a layer of the file.

    Args:
        name: the layer's name, for messages.
        kind: its class in Keras 2.
        config: its arguments there.

    Raises:
        UnsupportedLayerError: a class or an argument that is not in the allow-list, or an argument that is missing.
    """
    if kind not in LAYERS:
        raise UnsupportedLayerError(
            f"the layer {name!r} of type {kind!r} cannot be read",
            where=f"layer {name!r}",
            expected="one of " + ", ".join(LAYERS),
            found=kind,
            nearest=nearest(kind, LAYERS),
            fix="code in a model file is never run" if kind == "Lambda" else None,
        )
    row = LAYERS[kind]
    _check_precision(name, kind, config.get("dtype", "float32"))
    found: dict[str, Any] = dict(row.default)
    for argument, value in config.items():
        if argument in row.fixed:
            if value != row.fixed[argument]:
                raise _refuse(name, kind, argument, value, repr(row.fixed[argument]))
        elif argument in row.taken or argument in row.default:
            found[argument] = _value(name, kind, argument, value)
        elif argument != "dtype" and argument not in _IN_TRAINING and not argument.endswith(_IN_TRAINING_SUFFIXES):
            known = [*row.taken, *row.default, *row.fixed]
            raise _refuse(
                name, kind, argument, value, "only " + (", ".join(known) or "none"), nearest=nearest(argument, known)
            )
    for argument in row.taken:
        if argument not in found:
            raise _refuse(name, kind, argument, "missing", "a value: Keras 2 and 3 differ in what they take by default")
    if "data_format" in row.fixed:
        found["data_format"] = row.fixed["data_format"]
    return {row.renamed.get(argument, argument): value for argument, value in found.items()}


def _check_precision(name: str, kind: str, dtype: Any) -> None:
    if isinstance(dtype, dict):  # a policy
        dtype = dtype.get("config", {}).get("name") if isinstance(dtype.get("config"), dict) else None
    if dtype not in ("float32", None):
        raise _refuse(name, kind, "dtype", dtype, "float32")


def _value(name: str, kind: str, argument: str, value: Any) -> Any:
    if argument in _ACTIVATION_ARGUMENTS:
        return _activation(name, kind, argument, value)
    if argument == "layer":
        return value  # the builder reads it like any other layer
    if isinstance(value, dict) and set(value) >= {"value"} and value.get("type") == "ndarray":
        value = value["value"]  # how some versions write an alpha
    if argument == "axis" and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list):
        return tuple(_value(name, kind, argument, item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise _refuse(name, kind, argument, value, "a number, a text or a list of numbers")


def _activation(name: str, kind: str, argument: str, value: Any) -> Any:
    from hepml.export.keras2 import functions

    own = {"hard_sigmoid": functions.hard_sigmoid, "abs": functions.absolute}
    if value is None:
        return "linear"
    if isinstance(value, str) and (value in own or value in _ACTIVATIONS):
        return own.get(value) or _ACTIVATIONS[value]
    known = sorted({*own, *_ACTIVATIONS})
    near = nearest(value, known) if isinstance(value, str) else ()
    raise _refuse(name, kind, argument, value, "one of " + ", ".join(known), nearest=near)
