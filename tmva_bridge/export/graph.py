"""The nodes and layers of a network file while they are written, all of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Graph", "Vector", "sublayer"]


@dataclass(frozen=True)
class Vector:
    """What a node gives: its place in the file, and how many numbers."""

    node: int
    size: int


@dataclass
class Graph:
    """A network of one input, node 0.

    Example:
        >>> graph = Graph(3)
        >>> graph.chosen(graph.input, (2, 0))
        Vector(node=1, size=2)
        >>> graph.layers
        [{'architecture': 'gather', 'index': (2, 0)}]
    """

    size: int
    nodes: list[dict[str, Any]] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nodes.append({"type": "input", "sources": [0], "size": self.size})

    @property
    def input(self) -> Vector:
        return Vector(0, self.size)

    def apply(self, entry: dict[str, Any], *sources: Vector, size: int | None = None) -> Vector:
        """A layer on vectors; its value has the size of the first, if none is said."""
        self.layers.append(entry)
        kind = "feed_forward" if len(sources) == 1 else "layer"
        return self._node(
            {"type": kind, "sources": [source.node for source in sources], "layer_index": len(self.layers) - 1},
            sources[0].size if size is None else size,
        )

    def joined(self, *sources: Vector) -> Vector:
        """Vectors one behind the other."""
        node = {"type": "concatenate", "sources": [source.node for source in sources]}
        return self._node(node, sum(source.size for source in sources))

    def chosen(self, source: Vector, index: Sequence[int]) -> Vector:
        """Some of its elements; nothing is written for all of them in order."""
        if tuple(index) == tuple(range(source.size)):
            return source
        return self.apply({"architecture": "gather", "index": tuple(index)}, source, size=len(index))

    def replaced(self, source: Vector, new: Vector, index: Sequence[int]) -> Vector:
        """`source` with `new` at the places of `index`."""
        if tuple(index) == tuple(range(source.size)):
            return new
        places = list(range(source.size))
        for i, place in enumerate(index):
            places[place] = source.size + i
        return self.chosen(self.joined(source, new), places)

    def dense(self, source: Vector, sublayers: Sequence[dict[str, Any]], size: int, precision: str) -> Vector:
        """Dense layers in double precision, or with every partial sum rounded to float32."""
        entry = {"architecture": "perceptron", "precision": precision, "sublayers": list(sublayers)}
        return self.apply(entry, source, size=size)

    def scaled(self, source: Vector, scale: ArrayLike, shift: ArrayLike) -> Vector:
        """scale * (x + shift) in float32, element by element."""
        entry = {
            "architecture": "normalization",
            "weights": np.broadcast_to(np.asarray(scale, np.float32), source.size),
            "bias": np.broadcast_to(np.asarray(shift, np.float32), source.size),
        }
        return self.apply(entry, source)

    def _node(self, record: dict[str, Any], size: int) -> Vector:
        self.nodes.append(record)
        return Vector(len(self.nodes) - 1, size)


def sublayer(
    weights: ArrayLike = (), bias: ArrayLike = (), *, join: str = "sum", activation: str = "linear"
) -> dict[str, Any]:
    """An entry of `sublayers`: weights (out, in), or none; numbers in double precision."""
    return {
        "weights": np.asarray(weights, np.float64),
        "bias": np.asarray(bias, np.float64),
        "join": join,
        "activation": activation,
    }
