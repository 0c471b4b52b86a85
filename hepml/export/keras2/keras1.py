"""Keras 1 in the words of Keras 2: names of arguments and of arrays.

Only the layers that lwtnn's converter for Keras 1 has, merged inputs excepted. A convolution of Keras 1 is refused: its
axes, and whether Theano turned the kernel round, are not in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hepml.errors import UnsupportedLayerError, nearest
from hepml.export.keras2.files import Arrays

__all__ = ["arrays_of", "config_of"]


@dataclass(frozen=True)
class _Kind:
    """A layer of Keras 1: new names of arguments, arguments that it lacked, arguments that do not matter, gates."""

    renamed: dict[str, str] = field(default_factory=dict)
    added: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    gates: str = ""


_DENSE = {"output_dim": "units", "bias": "use_bias"}
_RECURRENT = {"output_dim": "units", "inner_activation": "recurrent_activation"}
_NEVER = frozenset(
    {
        *("init", "inner_init", "forget_bias_init", "transform_bias", "weights", "bias", "input_dim", "consume_less"),
        *("W_regularizer", "U_regularizer", "b_regularizer", "W_constraint", "b_constraint", "dropout_U", "dropout_W"),
    }
)
_KINDS = {
    "Dense": _Kind(_DENSE, {"use_bias": True}),
    "Activation": _Kind(),
    "Flatten": _Kind(),
    "Masking": _Kind(),
    "Dropout": _Kind({"p": "rate"}),
    "LeakyReLU": _Kind(),
    "ELU": _Kind(),
    "BatchNormalization": _Kind({}, {"center": True, "scale": True}, ("beta_init", "gamma_init")),
    "SimpleRNN": _Kind(_RECURRENT, {"use_bias": True}, gates="h"),
    "LSTM": _Kind(_RECURRENT, {"use_bias": True}, gates="ifco"),
    "GRU": _Kind(_RECURRENT, {"use_bias": True}, gates="zrh"),
    "MaxoutDense": _Kind(),
    "Highway": _Kind(),
    "TimeDistributed": _Kind(),
}


def config_of(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a layer of Keras 1 under the names of Keras 2.

    Raises:
        UnsupportedLayerError: another layer, or a `mode` of BatchNormalization that Keras 2 does not have.
    """
    if kind not in _KINDS:
        raise UnsupportedLayerError(
            f"the Keras 1 layer {name!r} of type {kind!r} cannot be read",
            where=f"layer {name!r}",
            expected="one of " + ", ".join(_KINDS),
            found=kind,
            nearest=nearest(kind, _KINDS),
            fix="write the network again with Keras 2 or 3",
        )
    rule = _KINDS[kind]
    config = dict(config)
    mode = config.pop("mode", 0) if kind == "BatchNormalization" else 0
    if mode != 0:
        raise UnsupportedLayerError(
            f"mode={mode!r} of layer {name!r} cannot be read",
            where=f"layer {name!r} ({kind}), argument 'mode'",
            expected=0,
            found=mode,
        )
    found = dict(rule.added)
    for argument, value in config.items():
        if argument in rule.renamed:
            found[rule.renamed[argument]] = value
        elif argument not in _NEVER and argument not in rule.dropped:
            found[argument] = value
    if kind in ("MaxoutDense", "Highway") and config.get("bias", True) is not True:
        raise UnsupportedLayerError(
            f"bias=False of layer {name!r} cannot be read", where=f"layer {name!r} ({kind})", expected=True, found=False
        )
    return found


_NAMES = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",  # a variance, in spite of its name
}


def arrays_of(name: str, kind: str, arrays: Arrays) -> Arrays:
    """The arrays of a layer of Keras 1 under the names of Keras 2, its gates side by side."""
    short = {_short(name, stored): array for stored, array in arrays.items()}
    gates = _KINDS[kind].gates if kind in _KINDS else ""
    if gates and f"W_{gates[0]}" in short:
        try:
            return {
                new: np.concatenate([short.pop(f"{old}_{gate}") for gate in gates], axis=-1)
                for old, new in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias"))
            } | short
        except (KeyError, ValueError) as error:
            raise UnsupportedLayerError(
                f"the arrays of layer {name!r} cannot be read",
                where=f"layer {name!r} ({kind})",
                expected=", ".join(f"{old}_{gate}" for old in "WUb" for gate in gates),
                found=", ".join(arrays),
            ) from error
    if gates:  # SimpleRNN keeps one of each
        return {{"W": "kernel", "U": "recurrent_kernel", "b": "bias"}.get(key, key): a for key, a in short.items()}
    if kind in ("MaxoutDense", "Highway"):
        return short
    return {_NAMES.get(key, key): array for key, array in short.items()}


def _short(name: str, stored: str) -> str:
    """`dense_1_W` of layer `dense_1` is `W`; a layer inside of another one has a number of its own."""
    leaf = stored.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]
    if leaf.startswith(f"{name}_"):
        return leaf[len(name) + 1 :]
    parts = leaf.split("_")
    return "_".join(parts[2:]) if len(parts) > 2 and parts[1].isdigit() else leaf
