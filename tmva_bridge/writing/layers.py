"""Dense layers as TMVA's files hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tmva_bridge.writing.markup import Tag, numbers

__all__ = ["Affine", "layout"]

Affine = tuple[NDArray[np.float64], NDArray[np.float64]]  # kernel (inputs, outputs), bias (outputs,)


def layout(layers: Sequence[Affine]) -> Tag:
    """The element Weights of a network: each layer's neurons, the bias last, with their weights to the next layer."""
    sizes = [len(kernel) for kernel, _ in layers] + [layers[-1][0].shape[1]]
    tags = []
    for i, (kernel, bias) in enumerate(layers):
        rows = np.concatenate([kernel, bias[None, :]]).astype(np.float32)
        neurons = [Tag("Neuron", {"NSynapses": len(row)}, numbers(row, 16)) for row in rows]
        tags.append(Tag("Layer", {"Index": i, "NNeurons": sizes[i] + 1}, neurons))
    last = [Tag("Neuron", {"NSynapses": 0})] * sizes[-1]
    tags.append(Tag("Layer", {"Index": len(layers), "NNeurons": sizes[-1]}, last))
    return Tag("Weights", {}, [Tag("Layout", {"NLayers": len(sizes)}, tags)])
