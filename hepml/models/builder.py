"""The generic network: a convolutional tower per image, vectors beside them, dense layers on top.

    et  -> scale -> [conv conv pool] x blocks -> flatten --+
    ht  -> scale -> [conv conv pool] x blocks -> flatten --+-> concatenate -> dense x layers -> output
    hl  -> (x + offset) * scale ---------------------------+   (vectors first)

Inputs are raw values: the scaling is a layer of constants, so that a saved or exported file is the whole function.
Source: arXiv:2011.01984, sec. on networks, and the authors' builder.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, SchemaError
from hepml.models.inputs import InputSpec
from hepml.models.settings import Settings
from hepml.models.tower import sparse_tower

__all__ = ["build_layers", "build_model", "seeded"]

OUTPUT_ACTIVATION = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Layers made inside draw their initial weights and dropout from `seed`; no global state is left changed.

    Keras takes the seed of an initializer that was given none from Python's generator.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def build_model(
    inputs: Sequence[InputSpec],
    settings: Settings,
    seed: int = 0,
    *,
    task: str | None = None,
    n_outputs: int = 1,
    dtype: str | None = None,
    mixing: NDArray[np.float64] | None = None,
    sparse: bool = False,
) -> Any:
    """The network of `settings` on these inputs, which it takes raw.

    Args:
        inputs: one record an input, any order; the model takes images first, then vectors, each in the given order.
        settings: hyper-parameters.
        seed: of the initial weights and of the dropout.
        task: "binary" (sigmoid, the default), "multiclass" (softmax) or "regression" (linear).
        n_outputs: classes or targets.
        dtype: Keras precision policy of the hidden layers; float32 by default.
        mixing: matrix that the scaled vectors, side by side, are multiplied with by an extra, constant layer
            "mixing"; for training only, see `hepml.training.decorrelate`.
        sparse: compute the towers where the images are not empty; for training only, see `hepml.models.tower`.

    Returns:
        A `keras.Model`, not compiled; inputs are named by token and the output layer is named "output". Scaling adds
        no parameters. With one vector and no images there is no concatenation.

    Raises:
        SchemaError: no inputs, two of the same name, or no hidden layer that an image could feed.

    Example:
        >>> spec = InputSpec("mass", (1,))
        >>> build_model([spec], Settings(layers=3, units=10)).count_params()
        251
    """
    import keras

    names = [spec.name for spec in inputs]
    if not names or len(set(names)) != len(names):
        raise SchemaError("a network needs inputs with different names", found=", ".join(names) or "none")
    kind = task or ("binary" if settings.task == "auto" else settings.task)
    images = [spec for spec in inputs if spec.is_image]
    vectors = [spec for spec in inputs if not spec.is_image]
    layers = keras.layers
    with seeded(seed):
        tensors = {spec.name: keras.Input(spec.shape, name=spec.name) for spec in (*images, *vectors)}
        joined = [_scaled(spec, tensors[spec.name]) for spec in vectors]
        if mixing is not None:
            x = joined[0] if len(joined) == 1 else layers.Concatenate(name="vectors")(joined)
            constant = keras.initializers.Constant(mixing)
            mixed = layers.Dense(
                len(mixing), use_bias=False, kernel_initializer=constant, name="mixing", dtype="float32"
            )
            mixed.trainable = False
            joined = [mixed(x)]
        joined += [_tower(spec, _scaled(spec, tensors[spec.name]), settings, dtype, sparse) for spec in images]
        x = joined[0] if len(joined) == 1 else layers.Concatenate(name="concatenate")(joined)
        for number in range(1, settings.layers + 1):
            x = layers.Dense(settings.units, activation=settings.activation, name=f"dense_{number}", dtype=dtype)(x)
            if settings.dropout > 0 and number < settings.layers:
                x = layers.Dropout(settings.dropout, name=f"dropout_{number}", dtype=dtype)(x)
        x = layers.Dense(n_outputs, activation=OUTPUT_ACTIVATION[kind], name="output", dtype="float32")(x)
        entries = list(tensors.values())
        return keras.Model(entries if len(entries) > 1 else entries[0], x, name="_and_".join(names))


def build_layers(layers: Sequence[Any], spec: InputSpec, seed: int = 0) -> Any:
    """A stack of Keras layers as a model on one raw input, with its scaling in front.

    The layers are recipes: the model is made of fresh ones with the same configuration.

    Raises:
        SchemaError: no layers, or something that is not a Keras layer.
    """
    import keras

    wrong = [type(layer).__name__ for layer in layers if not isinstance(layer, keras.layers.Layer)]
    if not layers or wrong:
        raise SchemaError(
            "a network needs Keras layers", expected="keras.layers.Layer", found=", ".join(wrong) or "none"
        )
    with seeded(seed):
        tensor = keras.Input(spec.shape, name=spec.name)
        x = _scaled(spec, tensor)
        for layer in layers:
            x = layer.__class__.from_config(layer.get_config())(x)
        return keras.Model(tensor, x, name="network")


def _scaled(spec: InputSpec, x: Any) -> Any:
    """(x + offset) * scale as a layer of constants."""
    import keras

    if spec.scale is None or spec.offset is None:
        return x
    offset, scale = np.asarray(spec.offset, dtype=np.float64), np.asarray(spec.scale, dtype=np.float64)
    if not (np.all(np.isfinite(offset)) and np.all(np.isfinite(scale)) and np.all(scale > 0)):
        raise DataError(f"the scaling of input {spec.name!r} is not usable", found=f"offset {offset}, scale {scale}")
    name = f"{spec.name}_scaling"
    if spec.is_image:
        factor, shift = float(scale[0]), float(offset[0] * scale[0])
        return keras.layers.Rescaling(factor, offset=shift, name=name, dtype="float32")(x)
    mean, variance = (-offset).tolist(), (1.0 / scale**2).tolist()
    return keras.layers.Normalization(mean=mean, variance=variance, name=name, dtype="float32")(x)


def _tower(spec: InputSpec, x: Any, settings: Settings, dtype: str | None, sparse: bool) -> Any:
    """Blocks of two 3x3 convolutions and a 2x2 pooling, then flat (channels last, row-major)."""
    import keras

    layers = keras.layers
    convolutions = [
        layers.Conv2D(
            settings.filters,
            3,
            padding="same",
            activation=settings.activation,
            name=f"{spec.name}_conv{block}{half}",
            dtype=dtype,
        )
        for block in range(1, settings.conv_blocks + 1)
        for half in "ab"
    ]
    if sparse:
        return sparse_tower(convolutions, f"{spec.name}_tower")(x)
    for number, convolution in enumerate(convolutions):
        x = convolution(x)
        if number % 2:
            name = f"{spec.name}_pool{number // 2 + 1}"
            x = layers.MaxPooling2D(2, strides=2, padding="same", name=name, dtype=dtype)(x)
    return layers.Flatten(name=f"{spec.name}_flatten", dtype=dtype)(x)
