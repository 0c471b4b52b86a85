"""Models of Keras from files of which nothing is trusted, and what TMVA asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, InputFileError
from tmva_bridge.pykeras.compiled import compile_as_stored
from tmva_bridge.sample import Setup

__all__ = ["SUFFIXES", "check_shape", "compiled_model", "outputs_of", "predicted", "read_model"]

SUFFIXES = (".keras", ".h5", ".hdf5")
_STEP = 8192  # events at once


def read_model(path: str | Path, custom_objects: Mapping[str, Any]) -> Any:
    """The model in a file, not compiled: .keras, or .h5 of Keras 1, 2 or 3.

    Raises:
        InputFileError: absent, damaged, of another kind, or holding anything but layers and their weights.
        UnsupportedLayerError: a layer of Keras 2 that is not read.
    """
    from hepml.models.stored import keras_version, load_model

    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputFileError("not a file of a model", where=path, expected=" or ".join(SUFFIXES), found=path.suffix)
    if path.suffix == ".keras" or keras_version(path).startswith("3"):
        return load_model(path, custom_objects)
    from hepml.export.keras2 import read_keras2

    return read_keras2(path)


def compiled_model(path: str | Path, custom_objects: Mapping[str, Any]) -> Any:
    """As `read_model`, compiled as the file says. Raises SchemaError, too, if it does not, or not with plain data."""
    from hepml.models.stored import compile_settings

    model = read_model(path, custom_objects)
    compile_as_stored(model, compile_settings(path), path, custom_objects)
    return model


def outputs_of(setup: Setup) -> int:
    """How many output nodes TMVA asks for."""
    return len(setup.targets) if setup.analysis == "Regression" else len(setup.classes)


def check_shape(model: Any, setup: Setup, where: object) -> None:
    """Raises DataError if a model does not take the variables, or does not give a value for each class or target."""
    wanted = (len(setup.variables),), (outputs_of(setup),)
    shapes = [tuple(one.shape[1:]) for one in (*model.inputs, *model.outputs)]
    if len(model.inputs) == len(model.outputs) == 1 and (shapes[0], shapes[1]) == wanted:
        return
    what = "target" if setup.analysis == "Regression" else "class"
    raise DataError(
        "the model does not fit the variables or the analysis",
        where=where,
        expected=f"one input of shape {wanted[0]}, and one output of shape {wanted[1]}: a node for each {what}",
        found=f"inputs {shapes[: len(model.inputs)]}, outputs {shapes[len(model.inputs) :]}",
        fix="a binary classification has two output nodes, signal first, such as Dense(2, activation='softmax')",
    )


def predicted(model: Any, values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The outputs of a model, (n, outputs)."""
    parts = [model.predict_on_batch(values[begin : begin + _STEP]) for begin in range(0, len(values), _STEP)]
    out: NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
    return out
