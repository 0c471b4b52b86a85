"""Every number that a training depends on, in one validated record.

The defaults are those of the published training loop (arXiv:2011.01984): Adam, batches of 128, at most 100 epochs,
early stopping on the validation loss with patience 10, learning rate times 0.3 after 5 epochs without progress.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hepml.errors import SchemaError, nearest

__all__ = ["REFERENCE_NAMES", "TASKS", "Settings"]

TASKS = ("auto", "binary", "multiclass", "regression")
ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "selu", "softplus", "leaky_relu", "silu", "gelu", "linear")
OPTIMIZERS = ("adam", "sgd", "rmsprop", "adamw", "nadam")
PRECISIONS = ("float32", "mixed_bfloat16")

# names in the reference's hyper-parameter dictionary -> names here; used in messages only
REFERENCE_NAMES = {
    "numLayers": "layers",
    "numConvBlocks": "conv_blocks",
    "lr": "learning_rate",
    "dp": "dropout",
    "batchSize": "batch_size",
}

# key -> (lowest, highest allowed); None is open
_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "layers": (0, 100),
    "units": (1, 100_000),
    "conv_blocks": (0, 12),
    "filters": (1, 10_000),
    "learning_rate": (1e-12, 1e3),
    "dropout": (0.0, 0.999),
    "batch_size": (1, None),
    "epochs": (1, None),
    "patience": (0, None),
    "min_delta": (0.0, None),
    "plateau_patience": (0, None),
    "plateau_factor": (1e-6, 1.0),
    "steps_per_execution": (0, None),
    "memory": (0.0, None),
    "retries": (0, 100),
}
_CHOICES = {"task": TASKS, "activation": ACTIVATIONS, "optimizer": OPTIMIZERS, "precision": PRECISIONS}


@dataclass(frozen=True)
class Settings:
    """Hyper-parameters of a network and of its training.

    Attributes:
        layers, units, dropout: hidden dense layers, units of each, and the fraction dropped after each but the last.
        conv_blocks, filters: blocks (two 3x3 convolutions and a 2x2 pooling) of each image's tower, filters of each.
        activation: of every hidden layer.
        task: "binary", "multiclass" or "regression"; "auto" reads it from the labels.
        optimizer, learning_rate, batch_size, epochs: the fit; `epochs` is the most that are run.
        patience, min_delta: stop after so many epochs without the validation loss falling by min_delta; 0 never stops.
        plateau_patience, plateau_factor: multiply the learning rate by the factor after so many epochs without
            progress; 0 never does.
        normalise: put the scaling fitted on the training split in front of the network.
        decorrelate: fit the network on decorrelated vectors and fold the rotation into its first dense layer.
        sparse: fit the convolutions where the images are not empty: the same network, several times faster on a CPU.
        weights: train with the stored event weights, which may be negative.
        balance: scale the weights so that every class counts the same.
        plane: variables in which signal and background are weighted alike, "pt,eta"; see `hepml.training.planing`.
        disco: variables that the score of the background must not depend on, each with the strength of its penalty,
            "mass=20"; see `hepml.training.disco`.
        retries: new seeds tried, each with half the learning rate, when a training collapses.
        precision: "mixed_bfloat16" trains faster on processors that have it; the saved model is float32 always.
        steps_per_execution: batches run between two looks of Python; 0 chooses (16, or 1 with images).
        memory: GB that the images of a data.h5 may take; larger ones stay in the file, and the rows of an epoch are
            shuffled in windows of that size. 0 is no bound.

    Raises:
        SchemaError: a value out of range or of the wrong type.

    Example:
        >>> Settings(units=149).replace(layers=5).layers
        5
    """

    layers: int = 3
    units: int = 100
    dropout: float = 0.0
    conv_blocks: int = 1
    filters: int = 16
    activation: str = "relu"
    task: str = "auto"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    batch_size: int = 128
    epochs: int = 100
    patience: int = 10
    min_delta: float = 0.0
    plateau_patience: int = 5
    plateau_factor: float = 0.3
    normalise: bool = True
    decorrelate: bool = True
    sparse: bool = True
    weights: bool = True
    balance: bool = False
    plane: str = ""
    disco: str = ""
    retries: int = 3
    precision: str = "float32"
    steps_per_execution: int = 0
    memory: float = 4.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field.name, type(field.default), getattr(self, field.name)))

    def replace(self, **changes: Any) -> Settings:
        """These settings with some changed; an unknown name is a SchemaError that lists the nearest."""
        for name in changes:
            _check_name(name)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as run.json records them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Settings:
        """The inverse of `to_dict`; absent keys take the defaults."""
        return cls().replace(**record)

    @classmethod
    def parse(cls, assignments: list[str]) -> dict[str, Any]:
        """Changes written as on the command line, ["units=20", "balance=true"], with their types.

        Raises:
            SchemaError: no "=", an unknown name, or a value that is not of the setting's type.

        Example:
            >>> Settings.parse(["units=20", "learning_rate=1e-4"])
            {'units': 20, 'learning_rate': 0.0001}
        """
        changes = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            name = name.strip()
            if not equals:
                raise SchemaError(f"{text!r} is not a setting", expected="KEY=VALUE", fix="for example units=100")
            _check_name(name)
            changes[name] = _checked(name, type(getattr(cls(), name)), _literal(value.strip()))
        return changes


def _check_name(name: str) -> None:
    known = [field.name for field in dataclasses.fields(Settings)]
    if name in known:
        return
    meant = REFERENCE_NAMES.get(name)
    raise SchemaError(
        f"no setting is called {name!r}",
        expected="one of " + ", ".join(known),
        nearest=[meant] if meant else nearest(name, known),
        fix=f"{name!r} of the reference is {meant!r} here" if meant else None,
    )


def _literal(text: str) -> Any:
    """A number or a truth value where the text is one; the text otherwise."""
    truth = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() in truth:
        return truth[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _checked(name: str, kind: type, value: Any) -> Any:
    wanted = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a name"}[kind.__name__]
    is_bool = type(value).__name__ in ("bool", "bool_")
    try:
        fits = is_bool if kind is bool else isinstance(value, str) if kind is str else not is_bool
        if not fits or (kind is int and float(value) != int(value)):
            raise ValueError
        value = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise SchemaError(f"setting {name!r} cannot be {value!r}", expected=wanted, found=repr(value)) from None
    if name in _CHOICES and value not in _CHOICES[name]:
        raise SchemaError(
            f"setting {name!r} cannot be {value!r}",
            expected="one of " + ", ".join(_CHOICES[name]),
            found=repr(value),
            nearest=nearest(value, _CHOICES[name]),
        )
    low, high = _BOUNDS.get(name, (None, None))
    # written so that NaN fails
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        bounds = f"{wanted} from {low:g}" + (f" to {high:g}" if high is not None else "")
        raise SchemaError(f"setting {name!r} cannot be {value!r}", expected=bounds, found=repr(value))
    return value
