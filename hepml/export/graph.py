"""From a Keras model to the nodes and layers of the file.

The walk follows tensors, not the list of layers: Keras records for each tensor which operation made it and in which of
its calls. Shared layers, activations that are used twice and nested models come out right by construction.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export.layers import MASKED, call_handler_of, handler_of
from hepml.export.network import Network, Value, refuse
from hepml.export.operations import BOOLEAN, write_operation

__all__ = ["Call", "add_model", "calls_of", "check_model", "consumers", "input_name", "key_of", "producer", "traced"]

Key = tuple[int, int, int]  # operation, which of its calls, which of the results


@dataclass(frozen=True)
class Call:
    """One application of a layer (or of a nested model) to tensors."""

    layer: Any
    node: Any

    @property
    def inputs(self) -> list[Any]:
        return list(self.node.input_tensors)

    @property
    def outputs(self) -> list[Any]:
        return list(self.node.output_tensors)


def key_of(tensor: Any) -> Key:
    """What identifies a symbolic tensor of a Keras model."""
    history = tensor._keras_history
    return id(history.operation), history.node_index, history.tensor_index


def producer(tensor: Any) -> Call:
    """The call that made a tensor."""
    history = tensor._keras_history
    return Call(history.operation, history.operation._inbound_nodes[history.node_index])


def input_name(tensor: Any) -> str:
    """The name of a model's input: that of its Input layer."""
    return str(tensor._keras_history.operation.name)


def check_model(model: Any) -> None:
    """Raises UnsupportedLayerError or DataError unless the model has a graph: a built Functional or Sequential one."""
    import keras

    name = f"{type(model).__name__} {getattr(model, 'name', '')!r}"
    if not isinstance(model, keras.Model):
        raise DataError("not a Keras model", expected="keras.Model", found=f"{type(model).__module__}.{name}")
    if not model.built or not getattr(model, "inputs", None):
        raise DataError(
            f"the model {name} is not built", expected="known input shapes", fix="begin it with keras.Input"
        )


def traced(model: Any, call: Call | None = None) -> Any:
    """A model whose graph can be read: the model itself, or, for a class of its own, its call on symbolic tensors.

    Args:
        model: a Keras model.
        call: how another model calls it; otherwise the inputs are those that the model was built with.

    Raises:
        UnsupportedLayerError: the call of the model does not work on symbolic tensors.
        DataError: not a model, or one without known inputs.
    """
    import keras

    if not isinstance(model, keras.Model) or isinstance(model, keras.Sequential) or hasattr(model, "operations"):
        check_model(model)
        return model
    name = f"{type(model).__name__} {model.name!r}"
    if call is None:
        shapes = getattr(model, "_build_shapes_dict", None)
        if not model.built or not shapes or len(shapes) != 1:
            raise DataError(
                f"the model {name} is not built, or has several inputs",
                expected="known shapes of one argument of its call",
                fix="call it on data once, or wrap its computation: keras.Model(inputs, outputs)",
            )
        (structure,) = shapes.values()
        given = _symbolic(structure)
    else:
        given = keras.tree.map_structure(lambda t: keras.Input(t.shape[1:], dtype=t.dtype), call.node.arguments.args[0])
    try:
        graph = keras.Model(given, model.call(given), name=model.name)
    except Exception as error:
        raise UnsupportedLayerError(
            f"the model {name} is a class of its own, and its graph cannot be traced",
            where=f"the call of {type(model).__module__}.{type(model).__name__}",
            expected="a call that works on symbolic tensors (keras.Input), or a Functional or Sequential model",
            found=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}",
            fix="use keras.ops in it, or wrap its computation: keras.Model(inputs, outputs)",
        ) from error
    check_model(graph)
    return graph


def _symbolic(structure: Any) -> Any:
    """Inputs of the shapes that a model was built with."""
    import keras

    if isinstance(structure, dict):
        return {key: keras.Input(tuple(shape)[1:], name=str(key)) for key, shape in structure.items()}
    if structure and isinstance(structure[0], list | tuple):
        return [keras.Input(tuple(shape)[1:]) for shape in structure]
    return keras.Input(tuple(structure)[1:])


def calls_of(model: Any) -> list[Call]:
    """The calls that a model's outputs need, each after those that it depends on; Input layers are left out."""
    begin = {key_of(tensor) for tensor in model.inputs}
    ordered: list[Call] = []
    done: set[int] = set()
    waiting: list[tuple[Call, bool]] = [
        (producer(tensor), False) for tensor in reversed(model.outputs) if key_of(tensor) not in begin
    ]
    while waiting:  # depth first, without recursion: networks may be deep
        call, ready = waiting.pop()
        if id(call.node) in done:
            continue
        if ready:
            done.add(id(call.node))
            ordered.append(call)
        else:
            waiting.append((call, True))
            waiting += [(producer(t), False) for t in reversed(call.inputs) if key_of(t) not in begin]
    return ordered


def consumers(model: Any) -> Counter[Key]:
    """How often each tensor is used: by calls and as an output of the model."""
    used = Counter(key_of(tensor) for call in calls_of(model) for tensor in call.inputs)
    used.update(key_of(tensor) for tensor in model.outputs)
    return used


def add_model(model: Any, values: dict[Key, Value], network: Network) -> list[Value]:
    """Adds the calls of a model.

    Args:
        model: a Keras model.
        values: what the tensors already known have become: at least those of the model's inputs.
        network: receives nodes and layers.

    Returns:
        The values of the model's outputs.

    Raises:
        UnsupportedLayerError: a layer, argument or way of calling it that cannot be reproduced.
    """
    used = consumers(model)

    def once(key: Key, value: Value) -> Value:
        return replace(value, alone=value.alone and used[key] == 1)

    values.update({key: once(key, values[key]) for key in map(key_of, model.inputs)})
    for call in calls_of(model):
        if all(key_of(tensor) in values for tensor in call.outputs):
            continue  # folded into the input
        found = [values[key_of(tensor)] for tensor in call.inputs]
        for tensor, value in zip(call.outputs, _add_call(call, found, network), strict=True):
            values[key_of(tensor)] = once(key_of(tensor), value)
    return [values[key_of(tensor)] for tensor in model.outputs]


def _add_call(call: Call, values: list[Value], network: Network) -> list[Value]:
    import keras

    layer = call.layer
    if not isinstance(layer, keras.layers.Layer):
        results = write_operation(layer, _arguments(call, values), network)
        for tensor in call.outputs:
            if tensor.dtype != "float32" and not (tensor.dtype == "bool" and type(layer).__name__ in BOOLEAN):
                raise refuse(layer, "dtype", f"{tensor.dtype} of the result", "float32")
    elif not isinstance(layer, keras.Model) and (handler := call_handler_of(layer)) is not None:
        _refuse_masks(call)
        results = [handler(layer, _arguments(call, values), network)]
    else:
        results = _add_layer(call, values, network)
    for result, tensor in zip(results, call.outputs, strict=True):
        expected = tuple(tensor.shape[1:])  # where Keras does not know a size, the graph may
        known = len(expected) == len(result.shape)
        if not known or any(n not in (None, m) for n, m in zip(expected, result.shape, strict=True)):
            raise refuse(layer, "output shape", expected, result.shape, "this is a defect of hepml: please report it")
        mask = tensor.dtype == "bool" and result.shape == (None,)
        if None in result.shape and not mask and not (len(result.shape) == 2 and result.shape[1] is not None):
            raise refuse(layer, "output shape", result.shape, "fixed sizes, or (any steps, variables)")
    return results


def _add_layer(call: Call, values: list[Value], network: Network) -> list[Value]:
    import keras

    layer = call.layer
    handler = None if isinstance(layer, keras.Model) else handler_of(layer)
    for argument, given in _call_arguments(call):
        if argument == "mask" and type(layer).__name__ in MASKED and len(values) == 2:
            continue
        raise refuse(layer, argument, given, f"a call without {argument}")
    if handler is not None:
        return [handler(layer, values, network)]
    inner = traced(layer, call)
    given_values = {key_of(tensor): value for tensor, value in zip(inner.inputs, values, strict=True)}
    return add_model(inner, given_values, network)


def _refuse_masks(call: Call) -> None:
    """Attention takes the masks of its inputs only as it runs, so that they are no arguments of the call."""
    import keras

    for tensor in call.inputs if isinstance(call.layer, keras.Layer) else ():
        if getattr(tensor, "_keras_mask", None) is not None:
            raise refuse(call.layer, "mask", "that of an input", "inputs without a mask")


def _arguments(call: Call, values: list[Value]) -> dict[str, Any]:
    """The arguments of a call by name, tensors as their values."""
    import keras

    known = {id(tensor): value for tensor, value in zip(call.inputs, values, strict=True)}
    given = call.node.arguments
    args, kwargs = keras.tree.map_structure(lambda x: known.get(id(x), x), (given.args, given.kwargs))
    return dict(inspect.signature(call.layer.call).bind(*args, **kwargs).arguments)


def _call_arguments(call: Call) -> Iterator[tuple[str, Any]]:
    """Arguments of a call that change what is computed, beyond the tensors themselves."""
    arguments = call.node.arguments
    for name, given in arguments.kwargs.items():
        if name in ("training", "mask") and (given is None or given is False):
            continue
        if name not in ("inputs", "x"):
            yield name, given
    for position, given in enumerate(arguments.args[1:], start=1):
        if given is not None and given is not False:
            yield f"call argument {position}", given
