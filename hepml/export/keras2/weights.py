"""Arrays of the file to the variables of the layers built from it, by name; every array has to find its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import UnsupportedLayerError
from hepml.export.keras2.files import Arrays

__all__ = ["check_input_width", "set_weights"]

_LEAF = re.compile(r"(?P<name>.*?)(_\d+)?(:\d+)?")  # kernel:0, kernel_1:0


def _leaf(stored: str) -> str:
    found = _LEAF.fullmatch(stored.rsplit("/", 1)[-1])
    assert found is not None  # the pattern matches every text
    return found["name"]


def _wrong(layer: Any, message: str, expected: object, found: object) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"{message} of layer {layer.name!r}",
        where=f"layer {layer.name!r} ({type(layer).__name__})",
        expected=expected,
        found=found,
        fix="are architecture and weights of the same network?",
    )


def _variables(layer: Any) -> dict[str, Any]:
    """The variables of a layer by the names that Keras 2 stores; the halves of a Bidirectional keep their prefix."""
    import keras

    if isinstance(layer, keras.layers.Bidirectional):
        halves = {"forward": layer.forward_layer, "backward": layer.backward_layer}
        return {f"{side}/{name}": v for side, half in halves.items() for name, v in _variables(half).items()}
    return {str(variable.name): variable for variable in layer.weights}


def _names(layer: Any, arrays: Arrays) -> Iterator[tuple[str, NDArray[np.float32]]]:
    import keras

    for stored, array in arrays.items():
        side = ""
        if isinstance(layer, keras.layers.Bidirectional):
            parts = stored.split("/")[:-1]
            sides = [side for side in ("forward", "backward") if any(part.startswith(f"{side}_") for part in parts)]
            if len(sides) != 1:
                raise _wrong(layer, "an array belongs to neither direction", "forward_... or backward_...", stored)
            side = f"{sides[0]}/"
        name = _leaf(stored)
        if name == "depthwise_kernel" and isinstance(layer, keras.layers.DepthwiseConv2D):
            name = "kernel"
        yield side + name, array


def set_weights(layer: Any, arrays: Arrays) -> None:
    """Sets the variables of a built layer, or of a built model of layers.

    Raises:
        UnsupportedLayerError: arrays that are missing, left over, or of another shape.
    """
    import keras

    if isinstance(layer, keras.Model):
        _set_nested(layer, arrays)
        return
    variables = _variables(layer)
    named = list(_names(layer, arrays))
    if sorted(name for name, _ in named) != sorted(variables):
        raise _wrong(layer, "the arrays in the file are not those", sorted(variables), sorted(arrays))
    for name, array in named:
        if tuple(variables[name].shape) != array.shape:
            raise _wrong(layer, f"the array {name!r} has not the shape", tuple(variables[name].shape), array.shape)
        variables[name].assign(array)


def _leaves(model: Any) -> Iterator[Any]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _set_nested(model: Any, arrays: Arrays) -> None:
    """A model inside of a model is stored as one list of arrays; their paths name the layers."""
    owners = {str(layer.name): layer for layer in _leaves(model) if layer.weights}
    if len(owners) != sum(1 for layer in _leaves(model) if layer.weights):
        raise _wrong(model, "two layers of one name, so that arrays cannot be told apart", "different names", "")
    shares: dict[str, Arrays] = {name: {} for name in owners}
    for stored, array in arrays.items():
        found = [part for part in dict.fromkeys(stored.split("/")[:-1]) if part in owners]
        if len(found) != 1:
            raise _wrong(model, f"the array {stored!r} does not name its layer", ", ".join(owners), stored)
        shares[found[0]][stored] = array
    for name, layer in owners.items():
        set_weights(layer, shares[name])


def check_input_width(layer: Any, arrays: Arrays, width: int | None) -> None:
    """Raises UnsupportedLayerError if a kernel in the file is for another number of inputs.

    Before the layer is built, so that a wrong file does not claim memory for a matrix of its fancy.
    """
    import keras

    if not isinstance(layer, keras.layers.Dense | keras.layers.LSTM | keras.layers.GRU | keras.layers.SimpleRNN):
        return
    shapes = [array.shape for stored, array in arrays.items() if _leaf(stored) == "kernel"]
    units = int(layer.units)
    if not shapes or len(shapes[0]) != 2 or shapes[0][0] != width or shapes[0][1] % units:
        raise _wrong(layer, "the kernel does not fit the inputs", f"({width}, a multiple of {units})", shapes)
