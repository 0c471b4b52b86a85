"""From an architecture and arrays to a Keras 3 model: layers of the allow-list, called as the file says.

Nothing in the files is run: no `load_model`, no `from_config` of a class that the file names, no custom objects.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepml.errors import HepmlError, InputFileError, UnsupportedLayerError
from hepml.export.keras2 import keras1
from hepml.export.keras2.arguments import arguments_of
from hepml.export.keras2.files import Architecture, Arrays, is_whole_model, read_architecture, read_arrays
from hepml.export.keras2.weights import check_input_width, set_weights

__all__ = ["read_keras2"]

_log = logging.getLogger("hepml")
_MODELS = ("Model", "Functional", "Sequential")
_DEPTH = 16  # of models in models
_INPUTS = ("float32", "int32", "int64")
_SMALL = 1024
_SIZES = ("units", "filters", "nb_feature", "input_dim", "output_dim", "depth_multiplier")
# arguments of a call without effect
_KEPT_CALLS: tuple[dict[str, Any], ...] = ({}, {"training": False}, {"training": None}, {"mask": None})


@dataclass(frozen=True)
class _Entry:
    """A layer of the file."""

    kind: str
    name: str
    config: dict[str, Any]
    inbound: list[Any]


def read_keras2(architecture: str | Path, weights: str | Path | None = None, *, as_lwtnn: bool = False) -> Any:
    """A network of Keras 2 (or of Keras 1, for the layers that lwtnn converts) as a Keras 3 model.

    Args:
        architecture: the JSON of `model.to_json()`, or a whole model .h5.
        weights: the .h5 of `model.save_weights()`; not needed with a whole model.
        as_lwtnn: read sequences as lwtnn's converters do: of any number of steps, whatever number the network was
            trained with, and without padding, so that Masking layers are left out.

    Returns:
        A built Functional or Sequential model with the file's weights and layer names.

    Raises:
        InputFileError: a file is absent, damaged or of another kind.
        UnsupportedLayerError: a layer or an argument that is not in the allow-list, or weights that do not fit; the
            message names the layer.
    """
    path = Path(architecture)
    found = read_architecture(path)
    if weights is None and not is_whole_model(path):
        raise InputFileError(
            "the architecture needs weights",
            where=path,
            expected="the weights .h5 of the same network",
            fix="hepml export architecture.json --weights weights.h5 -o net.json",
        )
    builder = _Builder(found, read_arrays(Path(weights) if weights is not None else path), as_lwtnn)
    return builder.build()


def _last_axis(layer: Any, last: int) -> bool:
    """Does the layer work along this axis? Keras 2 wrote it as a number or as a list of one."""
    axis = getattr(layer, "axis", None)
    return axis == last or axis in ([last], (last,))


class _Builder:
    def __init__(self, architecture: Architecture, arrays: dict[str, Arrays], as_lwtnn: bool) -> None:
        self.architecture = architecture
        self.arrays = arrays
        self.as_lwtnn = as_lwtnn
        self.depth = 0

    def build(self) -> Any:
        document = self.architecture.config
        config = document["config"]
        name = config.get("name") if isinstance(config, dict) else None
        model = self._model(str(document["class_name"]), str(name or "model"), config, self.arrays)
        if not getattr(model, "inputs", None):
            raise self._damaged("the first layer has no batch_input_shape", "known input shapes")
        left = sorted(name for name, arrays in self.arrays.items() if arrays and name not in self._weighted(model))
        if left:
            raise InputFileError(
                "the weights hold layers that the architecture does not have",
                where=self.architecture.path,
                expected=", ".join(sorted(self._weighted(model))),
                found=", ".join(left),
                fix="are architecture and weights of the same network?",
            )
        return model

    @staticmethod
    def _weighted(model: Any) -> set[str]:
        return {str(layer.name) for layer in model.layers if layer.weights}

    def _damaged(self, message: str, expected: object, found: object = None) -> InputFileError:
        return InputFileError(message, where=self.architecture.path, expected=expected, found=found)

    def _model(self, kind: str, name: str, config: Any, arrays: dict[str, Arrays] | None) -> Any:
        """A model; `arrays` is None for one whose arrays its parent sets."""
        if kind not in _MODELS:
            raise UnsupportedLayerError(
                f"the model {name!r} of type {kind!r} cannot be read",
                where=f"model {name!r}",
                expected="a Functional or Sequential model",
                found=kind,
            )
        self.depth += 1
        if self.depth > _DEPTH:
            raise self._damaged("models inside of models too deep", f"at most {_DEPTH}")
        layers = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
        if not isinstance(layers, list):
            raise self._damaged(
                "the architecture is damaged", f"a list of layers of model {name!r}", type(layers).__name__
            )
        entries = [self._entry(layer) for layer in layers]
        build = self._sequential if kind == "Sequential" else self._functional
        try:
            model = build(name, config, entries, arrays)
        except HepmlError:
            raise
        except Exception as error:  # whatever Keras raises for a graph that is none
            raise self._refused(_Entry(kind, name, {}, []), error) from error
        self.depth -= 1
        return model

    def _entry(self, layer: Any) -> _Entry:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict | list) or "class_name" not in layer:
            raise self._damaged("the architecture is damaged", "layers with class_name and config", str(layer)[:100])
        config = layer["config"]
        named = config.get("name") if isinstance(config, dict) else None
        name = str(layer.get("name") or named or str(layer["class_name"]).lower())
        inbound = layer.get("inbound_nodes", [])
        return _Entry(str(layer["class_name"]), name, config, inbound if isinstance(inbound, list) else [])

    # layers

    def _layer(self, entry: _Entry) -> Any:
        """A layer that is not built; None for one that is left out."""
        import keras

        from hepml.export.keras2 import functions

        kind, name, config = entry.kind, entry.name, entry.config
        if kind in _MODELS:
            return self._model(kind, name, config, None)
        if not isinstance(config, dict):
            raise self._damaged("the architecture is damaged", f"arguments of layer {name!r}", type(config).__name__)
        if kind == "Masking" and self.as_lwtnn:
            _log.warning("left out the Masking layer %r: give sequences without the steps that it masks", name)
            return None
        if self.architecture.major == 1:
            config = keras1.config_of(name, kind, config)
        arguments = arguments_of(name, kind, config)
        if kind.startswith(("Conv", "SeparableConv", "DepthwiseConv")) and self.architecture.backend == "theano":
            raise UnsupportedLayerError(
                f"the layer {name!r} ({kind}) was trained with Theano, which turns kernels round",
                where=f"layer {name!r}",
                expected="a convolution of the TensorFlow back end",
                found=f"backend {self.architecture.backend!r}",
            )
        if "layer" in arguments:
            arguments["layer"] = self._layer(self._entry(arguments["layer"]))
            if arguments["layer"] is None:
                return None
        self._check_sizes(name, kind, arguments)
        if kind == "Swish":
            stored = [array for array in self.arrays.get(name, {}).values() if array.size == 1]
            arguments["beta"] = float(stored[0].ravel()[0]) if stored else float(arguments["beta"])
            self.arrays[name] = {}
        own = {"Highway": functions.Highway, "MaxoutDense": functions.MaxoutDense, "Sum": functions.SumOverSteps}
        made = own.get(kind) or (functions.Swish if kind == "Swish" else getattr(keras.layers, kind))
        try:
            return made(**arguments, name=name)
        except Exception as error:  # Keras checks the values, and raises whatever it likes
            raise self._refused(entry, error) from error

    def _check_sizes(self, name: str, kind: str, arguments: dict[str, Any]) -> None:
        """No layer is larger than the arrays of the file, so that a number in it does not claim memory."""
        most = max(_SMALL, sum(array.size for arrays in self.arrays.values() for array in arrays.values()))
        for argument in _SIZES:
            size = arguments.get(argument, 1)
            if not isinstance(size, int) or not 0 < size <= most:
                raise UnsupportedLayerError(
                    f"{argument}={size!r} of layer {name!r} cannot be read",
                    where=f"layer {name!r} ({kind}), argument {argument!r}",
                    expected=f"a whole number from 1 to {most}: the file has no more weights",
                    found=size,
                )

    @staticmethod
    def _refused(entry: _Entry, error: Exception) -> UnsupportedLayerError:
        lines = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        return UnsupportedLayerError(
            f"Keras does not take layer {entry.name!r} ({entry.kind}) as the file has it",
            where=f"layer {entry.name!r}",
            found=f"{type(error).__name__}: {lines[:300]}",
        )

    def _call(self, layer: Any, entry: _Entry, tensors: list[Any], arrays: dict[str, Arrays] | None) -> Any:
        """Applies a layer, and sets its weights the first time."""
        first = not layer.built or (arrays is not None and not layer._inbound_nodes)
        own = (arrays or {}).get(entry.name, {})
        if self.architecture.major == 1:
            own = keras1.arrays_of(entry.name, entry.kind, own)
        try:
            if entry.kind == "TimeDistributed" and _last_axis(layer.layer, len(tensors[0].shape) - 2):
                layer.layer.axis = -1
            if first and arrays is not None:
                check_input_width(layer, own, tensors[0].shape[-1])
            result = layer(tensors if len(tensors) > 1 else tensors[0])
        except HepmlError:
            raise
        except Exception as error:  # whatever Keras raises for shapes that do not fit
            raise self._refused(entry, error) from error
        if first and arrays is not None and (layer.weights or own):
            set_weights(layer, own)
        return result

    def _input(self, entry: _Entry, integer: bool) -> Any:
        import keras

        config = entry.config if isinstance(entry.config, dict) else {}
        shape = config.get("batch_input_shape", config.get("batch_shape"))
        sizes = shape if isinstance(shape, list) else []
        if len(sizes) < 2 or not all(n is None or (type(n) is int and n > 0) for n in sizes):
            raise self._damaged(f"the input {entry.name!r} has no usable shape", "batch_input_shape", shape)
        if config.get("sparse") or config.get("ragged"):
            raise UnsupportedLayerError(f"the input {entry.name!r} is sparse or ragged", where=f"input {entry.name!r}")
        if self.as_lwtnn and len(sizes) == 3:
            sizes = [sizes[0], None, sizes[2]]
        dtype = config.get("dtype") or config.get("input_dtype") or "float32"
        if dtype not in _INPUTS:
            raise UnsupportedLayerError(
                f"dtype={dtype!r} of input {entry.name!r} cannot be read",
                where=f"input {entry.name!r}",
                expected=", ".join(_INPUTS),
                found=dtype,
            )
        if integer and dtype == "float32":
            dtype = "int32"
        try:
            return keras.Input(tuple(sizes[1:]), name=entry.name, dtype=dtype)
        except Exception as error:
            raise self._refused(entry, error) from error

    # models

    def _sequential(self, name: str, _config: Any, entries: list[_Entry], arrays: dict[str, Arrays] | None) -> Any:
        import keras

        if not entries:
            raise self._damaged("a model without layers", f"layers of {name!r}")
        first = entries[0]
        begin = None
        if first.kind == "InputLayer":
            begin = self._input(first, len(entries) > 1 and entries[1].kind == "Embedding")
            entries = entries[1:]
        elif isinstance(first.config, dict) and "batch_input_shape" in first.config:
            begin = self._input(
                _Entry("InputLayer", f"{first.name}_input", first.config, []), first.kind == "Embedding"
            )
        model = keras.Sequential(name=name)
        if begin is None:
            if arrays is not None:
                raise self._damaged("the first layer has no batch_input_shape", "the shape of the inputs")
            for entry in entries:
                if (layer := self._layer(entry)) is not None:
                    model.add(layer)
            return model
        tensor = begin
        layers = []
        for entry in entries:
            layer = self._layer(entry)
            if layer is not None:
                tensor = self._call(layer, entry, [tensor], arrays)
                layers.append(layer)
        return (
            keras.Model(begin, tensor, name=name) if arrays is None else keras.Sequential([begin, *layers], name=name)
        )

    def _functional(self, name: str, config: Any, entries: list[_Entry], arrays: dict[str, Arrays] | None) -> Any:
        import keras

        users: dict[str, set[str]] = {}
        for entry in entries:
            for call in entry.inbound:
                for source, _ in self._sources(entry, call):
                    users.setdefault(source, set()).add(entry.kind)
        tensors: dict[tuple[str, int], Any] = {}
        layers: dict[str, Any] = {}
        waiting: list[tuple[_Entry, int, list[tuple[str, int]]]] = []
        for entry in entries:
            if entry.kind == "InputLayer":
                tensors[entry.name, 0] = self._input(entry, users.get(entry.name) == {"Embedding"})
                continue
            if entry.name in layers:
                raise self._damaged("two layers of one name", "different names", entry.name)
            layers[entry.name] = self._layer(entry)
            waiting += [(entry, k, self._sources(entry, call)) for k, call in enumerate(entry.inbound)]
        inputs, outputs = (self._places(config, key) for key in ("input_layers", "output_layers"))
        begin = self._first_calls(outputs, waiting)
        while waiting:
            later = []
            for entry, k, sources in waiting:
                keys = [(source, index - begin.get(source, 0)) for source, index in sources]
                # calls of one layer are numbered in order
                if any(key not in tensors for key in keys) or (k > 0 and (entry.name, k - 1) not in tensors):
                    later.append((entry, k, sources))
                    continue
                layer, given = layers[entry.name], [tensors[key] for key in keys]
                tensors[entry.name, k] = given[0] if layer is None else self._call(layer, entry, given, arrays)
            if len(later) == len(waiting):
                missing = ", ".join(sorted({entry.name for entry, _, _ in later})[:5])
                raise self._damaged("the graph of layers is not closed", "inbound_nodes that name layers", missing)
            waiting = later
        ends = [
            [self._tensor((name, index - begin.get(name, 0)), tensors) for name, index, _ in places]
            for places in (inputs, outputs)
        ]
        begins, results = (one[0] if len(one) == 1 else one for one in ends)
        return keras.Model(begins, results, name=name)

    def _sources(self, entry: _Entry, call: Any) -> list[tuple[str, int]]:
        """(layer, which of its calls) of the tensors of a call."""
        found = []
        for source in call if isinstance(call, list) else [call]:
            if not _is_place(source):
                raise UnsupportedLayerError(
                    f"a call of layer {entry.name!r} ({entry.kind}) cannot be read",
                    where=f"layer {entry.name!r}, inbound_nodes",
                    expected="[layer, call, 0, {}] for every tensor",
                    found=str(source)[:200],
                )
            if len(source) > 3 and source[3] not in _KEPT_CALLS:
                raise UnsupportedLayerError(
                    f"layer {entry.name!r} ({entry.kind}) is called with arguments",
                    where=f"layer {entry.name!r}, inbound_nodes",
                    expected="{}",
                    found=str(source[3])[:200],
                )
            found.append((source[0], source[1]))
        return found

    @staticmethod
    def _first_calls(ends: list[Any], waiting: list[Any]) -> dict[str, int]:
        """The number of each layer's first call: Keras counts the making of an inner model as its call 0."""
        known: dict[str, list[int]] = {}
        for _, _, sources in waiting:
            for name, index in sources:
                known.setdefault(name, []).append(index)
        for name, index, _ in ends:
            known.setdefault(name, []).append(index)
        return {name: min(indices) for name, indices in known.items()}

    def _places(self, config: Any, key: str) -> list[Any]:
        """The entries of `input_layers` or `output_layers`; a single one may stand without its list."""
        found = config.get(key) if isinstance(config, dict) else None
        found = [found] if _is_place(found) else found
        if not isinstance(found, list) or not found or not all(_is_place(end) and len(end) == 3 for end in found):
            raise self._damaged("the architecture is damaged", f"{key}: a list of [layer, call, 0]", str(found)[:100])
        return found

    def _tensor(self, key: tuple[str, int], tensors: dict[tuple[str, int], Any]) -> Any:
        if key not in tensors:
            raise self._damaged("the architecture is damaged", "input_layers and output_layers that name layers", key)
        return tensors[key]


def _is_place(source: Any) -> bool:
    """Whether it is [layer, call, 0, ...]."""
    return (
        isinstance(source, list)
        and len(source) > 2
        and isinstance(source[0], str)
        and type(source[1]) is int
        and source[2] == 0
    )
