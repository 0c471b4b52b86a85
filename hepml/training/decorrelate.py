"""Trains on uncorrelated variables and gives the network that takes the correlated ones.

Isolation in two cones is almost the same number twice; what tells electrons from jets is the small difference, which
gradient descent sees last. While a network trains, its scaled variables z are therefore turned into z M, where M is
the inverse square root of their correlation matrix (ZCA: as close to z as uncorrelated variables can be). Afterwards M
goes into the kernel of the first dense layer, M K, so that the network has the layers and the number of parameters it
always had. On the seven electron variables this is worth 0.002 in AUC.

Source: Kessy, Lewin, Strimmer, "Optimal whitening and decorrelation", Am. Stat. 72 (2018) 309, arXiv:1512.00809.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.models import InputSpec
from hepml.training.source import Source

__all__ = ["fold", "mixing"]

# Correlations closer to 1 are left in part: a kernel of large numbers that cancel loses digits in float32.
_FLOOR = 1e-3
_ROWS_PER_COLUMN = 10


def mixing(source: Source, rows: NDArray[np.int64], specs: tuple[InputSpec, ...]) -> NDArray[np.float64] | None:
    """M for the vectors of `specs`, side by side and scaled, from these rows; shape (columns, columns).

    None if there is nothing to decorrelate: fewer than two columns, no scaling, or too few rows to tell.
    """
    vectors = [spec for spec in specs if not spec.is_image]
    columns = sum(spec.width for spec in vectors)
    if columns < 2 or len(rows) < _ROWS_PER_COLUMN * columns or any(spec.scale is None for spec in vectors):
        return None
    values = np.concatenate([source.columns[spec.name].dense(rows) for spec in vectors], axis=1).astype(np.float64)
    offset = np.concatenate([np.asarray(spec.offset) for spec in vectors])
    scale = np.concatenate([np.asarray(spec.scale) for spec in vectors])
    z = (values + offset) * scale
    constant = z.std(axis=0) < 1e-9
    covariance = np.cov(z.T) + np.diag(constant.astype(np.float64))
    size, direction = np.linalg.eigh(covariance)
    matrix = (direction / np.sqrt(np.maximum(size, _FLOOR))) @ direction.T
    return np.asarray(matrix, dtype=np.float64)


def fold(trained: Any, network: Any, matrix: NDArray[np.float64] | None = None) -> None:
    """Gives `network` the weights of `trained`, which may have its convolutions inside sparse towers.

    Args:
        trained: the network that was fitted.
        network: layers of the same names.
        matrix: M, if `trained` has the layer "mixing" after its vectors besides.
    """
    sources = {one.name: one for layer in trained.layers for one in getattr(layer, "convolutions", [layer])}
    first = next((layer.name for layer in network.layers if layer.__class__.__name__ == "Dense"), None)
    for layer in network.layers:
        if not layer.weights:
            continue
        weights = sources[layer.name].get_weights()
        if matrix is not None and layer.name == first:  # vectors are concatenated first
            kernel = weights[0].astype(np.float64)
            kernel[: len(matrix)] = matrix @ kernel[: len(matrix)]
            weights[0] = kernel.astype(np.float32)
        layer.set_weights(weights)
