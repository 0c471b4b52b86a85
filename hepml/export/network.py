"""The network part of the file under construction: inputs, nodes and layers in lwtnn's graph form.

Nodes are numbered in the order in which they are added. A layer that is used twice is written once: nodes refer to it
by its index. What lwtnn has a kind of node for is written as that kind; the rest is a `layer` node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hepml.errors import DataError, UnsupportedLayerError
from hepml.export.lwtnn import ARCHITECTURES, ON_SEQUENCES, lwtnn_entry

__all__ = ["ARCHITECTURES", "Network", "Shape", "Value", "refuse"]

Shape = tuple[int | None, ...]  # of one event


@dataclass(frozen=True)
class Value:
    """What a node produces.

    Attributes:
        node: its index in the file.
        shape: the Keras shape of one event; the first axis of a sequence of any length is None.
        alone: whether a single call uses it.
    """

    node: int
    shape: tuple[int | None, ...]
    alone: bool = True

    @property
    def width(self) -> int:
        """Size of the last axis."""
        size = self.shape[-1]
        assert size is not None  # only the first axis of a sequence is not known
        return size

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, of what is no sequence of any length."""
        return tuple(size for size in self.shape if size is not None)

    @property
    def is_vector(self) -> bool:
        return len(self.shape) == 1


def refuse(layer: Any, argument: str, found: object, expected: object, fix: str | None = None) -> UnsupportedLayerError:
    """The error for an argument that cannot be reproduced.

    Example:
        >>> class Conv2D: name = "conv"
        >>> print(refuse(Conv2D(), "groups", 2, 1))
        groups=2 of layer 'conv' cannot be exported
          where:    layer 'conv' (Conv2D), argument 'groups'
          expected: 1
          found:    2
    """
    what = "operation" if type(layer).__module__.startswith("keras.src.ops") else "layer"
    return UnsupportedLayerError(
        f"{argument}={found} of {what} {layer.name!r} cannot be exported",
        where=f"{what} {layer.name!r} ({type(layer).__name__}), argument {argument!r}",
        expected=expected,
        found=found,
        fix=fix,
    )


def _kind(architecture: str, sources: list[Value]) -> str:
    """lwtnn's kind of node for a layer, or `layer`."""
    rank = len(sources[0].shape)
    if len(sources) > 1 or (architecture not in ARCHITECTURES and rank == 2) or sources[0].shape == (None,):
        return "layer"
    if rank != 2:
        return "feed_forward"
    return "sequence" if architecture in ON_SEQUENCES else "time_distributed"


def _numbers(entry: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arrays of an entry of `layers`, of its components and of its sublayers."""
    for part in (entry, *entry.get("components", {}).values(), *entry.get("sublayers", ())):
        for key in ("weights", "bias", "U", "recurrent_bias"):
            yield key, part.get(key, ())


@dataclass
class Network:
    """The lists of the file, and the layers already written.

    Attributes:
        lwtnn: refuse whatever lwtnn 2.14 cannot read.
    """

    lwtnn: bool = False
    inputs: list[dict[str, Any]] = field(default_factory=list)
    input_sequences: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    _written: dict[tuple[int, str, tuple[tuple[int | None, ...], ...]], int] = field(default_factory=dict)

    def add_input(self, record: dict[str, Any], shape: tuple[int | None, ...]) -> Value:
        """A node for the next entry of `inputs`, or of `input_sequences` for steps x variables."""
        if len(shape) == 2:
            self.input_sequences.append(record)
            node = {"type": "input_sequence", "sources": [len(self.input_sequences) - 1], "size": shape[1]}
            return self._node(node, shape)
        if self.lwtnn and len(shape) != 1:
            raise UnsupportedLayerError(
                f"lwtnn has no images: input {record['name']!r} cannot be written for it",
                where=f"input {record['name']!r}",
                expected="a vector of variables",
                found=f"shape {shape}",
                fix="export without --lwtnn and evaluate with hepml",
            )
        self.inputs.append(record)
        size = int(np.prod([n for n in shape if n is not None]))
        return self._node({"type": "input", "sources": [len(self.inputs) - 1], "size": size}, shape)

    def apply(
        self,
        layer: Any,
        sources: Value | list[Value],
        shape: tuple[int | None, ...],
        write: Callable[[], dict[str, Any]],
        part: str = "",
    ) -> Value:
        """A node that applies a layer to the values of other nodes.

        Args:
            layer: the Keras layer; its second use refers to the entry of the first.
            sources: what it is applied to.
            shape: of the result.
            write: makes the entry of `layers`.
            part: tells apart the entries of a layer that is written as several.
        """
        sources = [sources] if isinstance(sources, Value) else sources
        key = (id(layer), part, tuple(source.shape for source in sources))
        if key not in self._written:
            entry = write()
            self._check(layer, entry)
            if self.lwtnn:
                entry = lwtnn_entry(layer, entry, _kind(entry["architecture"], sources))
            self._written[key] = len(self.layers)
            self.layers.append(entry)
        index = self._written[key]
        kind = _kind(self.layers[index]["architecture"], sources)
        return self._node({"type": kind, "sources": [s.node for s in sources], "layer_index": index}, shape)

    def merge(self, kind: str, sources: list[Value], shape: tuple[int | None, ...]) -> Value:
        """A `concatenate` or `add` node, of values that are no sequences."""
        return self._node({"type": kind, "sources": [source.node for source in sources]}, shape)

    def set_activation(self, value: Value, activation: Any) -> bool:
        """Gives an activation to the convolution behind a node; False if that would change anything else."""
        node = self.nodes[value.node]
        index = node.get("layer_index")
        if not value.alone or index is None or self.layers[index].get("architecture") != "conv2d":
            return False
        if self.layers[index]["activation"] != "linear":
            return False
        key = next(key for key, written in self._written.items() if written == index)
        layer, part, shapes = key
        new = (layer, f"{part}+{activation}", shapes)
        if new not in self._written and sum(other.get("layer_index") == index for other in self.nodes) == 1:
            self.layers[index]["activation"] = activation
            self._written[new] = self._written.pop(key)
        elif new not in self._written:  # shared: the others stay linear
            self._written[new] = len(self.layers)
            self.layers.append({**self.layers[index], "activation": activation})
        node["layer_index"] = self._written[new]
        return True

    @property
    def parameters(self) -> int:
        """Numbers in the layers."""
        return sum(int(np.size(numbers)) for entry in self.layers for _, numbers in _numbers(entry))

    def drop_unused(self, outputs: list[Value]) -> list[Value]:
        """Removes nodes that no output needs and layers that no node refers to, and numbers the others again.

        Returns:
            The outputs under their new numbers.

        Raises:
            DataError: no output needs an input.
        """
        needed: set[int] = set()
        waiting = [value.node for value in outputs]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                node = self.nodes[index]
                waiting += [] if node["type"].startswith("input") else node["sources"]
        for index, node in enumerate(self.nodes):
            if index not in needed and node["type"].startswith("input"):
                inputs = self.inputs if node["type"] == "input" else self.input_sequences
                name = inputs[node["sources"][0]]["name"]
                raise DataError(
                    f"no output needs the input {name!r}",
                    where=f"input {name!r}",
                    fix="leave it out: keras.Model(inputs, outputs)",
                )
        kept = sorted(needed)
        places = {index: number for number, index in enumerate(kept)}
        self.nodes = [self.nodes[index] for index in kept]
        used = sorted({node["layer_index"] for node in self.nodes if "layer_index" in node})
        self.layers = [self.layers[index] for index in used]
        again = {index: number for number, index in enumerate(used)}
        for node in self.nodes:
            if "layer_index" in node:
                node["layer_index"] = again[node["layer_index"]]
            if not node["type"].startswith("input"):
                node["sources"] = [places[source] for source in node["sources"]]
        return [replace(value, node=places[value.node]) for value in outputs]

    def _node(self, record: dict[str, Any], shape: tuple[int | None, ...]) -> Value:
        self.nodes.append(record)
        return Value(len(self.nodes) - 1, shape)

    def _check(self, layer: Any, entry: dict[str, Any]) -> None:
        for key, numbers in _numbers(entry):
            array = np.asarray(numbers, dtype=np.float64)
            with np.errstate(over="ignore"):
                bad = np.flatnonzero(~np.isfinite(array.astype(np.float32)))
            if len(bad):
                raise DataError(
                    f"layer {layer.name!r} holds values that are not finite",
                    where=f"layer {layer.name!r} ({type(layer).__name__}), {key}",
                    expected="finite float32 numbers",
                    found=f"{array.flat[bad[0]]} and {len(bad) - 1} more" if len(bad) > 1 else str(array.flat[bad[0]]),
                    fix="the training diverged: train again, for example with a smaller learning rate",
                )
