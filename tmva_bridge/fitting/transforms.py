"""The parameters of each transformation, for each class and for all, from the events of a training sample.

Each function takes values (n, k) float32 and weights (n,) of each class and of all, with the names of the sets, and
gives the element Transform without its Selection, and for each set what it does to (n, k) values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError
from tmva_bridge.fitting.densities import filled
from tmva_bridge.fitting.eigen import eigenvectors
from tmva_bridge.pdf import PDF, read_pdf
from tmva_bridge.smoothing import smooth
from tmva_bridge.transforms import Cumulative, Events, Linear, Map, Normalize
from tmva_bridge.writing.densities import Density, density
from tmva_bridge.writing.markup import Attributes, Tag, numbers, text_of
from tmva_bridge.xmlfile import parse_xml

__all__ = ["decorrelation", "gauss", "normalize", "pca", "uniform"]

Array = NDArray[np.float64]
Parts = Sequence[Events]
_FINEST = 2000  # bins at most for each class, by weight
_FEWEST = 10  # events of the least weight in a bin
_STEP = 1e-4  # of the first bin, below the first value


def normalize(parts: Parts, weights: Sequence[Array], names: Sequence[str]) -> tuple[Tag, list[Map]]:
    """The ranges."""
    sets: list[Tag] = []
    maps: list[Map] = []
    for i, part in enumerate(parts):
        low, high = part.min(axis=0), part.max(axis=0)
        if (low >= high).any():
            column = int(np.argmax(low >= high))
            raise DataError(
                "a constant column cannot be normalised",
                where=f"value {column} of the transformation, {names[i]}",
                expected="different values",
                found=f"{low[column]} in all events",
            )
        rows = [Tag("Range", {"Index": j, "Min": float(low[j]), "Max": float(high[j])}) for j in range(part.shape[1])]
        sets.append(Tag("Class", {"ClassIndex": i}, [Tag("Ranges", {}, rows)]))
        maps.append(Normalize.between(low, high, range(len(low))).forward)
    return Tag("Transform", {"Name": "Normalize"}, sets), maps


def decorrelation(parts: Parts, weights: Sequence[Array], names: Sequence[str]) -> tuple[Tag, list[Map]]:
    """The inverse of the symmetric root of the covariance."""
    sets: list[Tag] = []
    maps: list[Map] = []
    for part, weight, name in zip(parts, weights, names, strict=True):
        x = part.astype(np.float64)
        mean = weight @ x / weight.sum()
        covariance = (x * weight[:, None]).T @ x / weight.sum() - np.outer(mean, mean)
        sizes, directions = np.linalg.eigh(covariance)
        if not sizes[0] > 1e-13 * abs(sizes[-1]):
            raise DataError(
                "variables that depend on each other cannot be decorrelated",
                where=name,
                expected="a covariance of full rank",
                found=f"eigenvalues from {sizes[0]:.3g} to {sizes[-1]:.3g}",
                fix="take out a constant variable, or one that is a sum of others",
            )
        matrix = (directions / np.sqrt(sizes)) @ directions.T
        shape = {"Rows": len(matrix), "Columns": len(matrix)}
        sets.append(Tag("Matrix", shape, numbers(matrix, 15)))
        maps.append(Linear(np.zeros(len(matrix)), matrix.T).forward)
    return Tag("Transform", {"Name": "Decorrelation"}, sets), maps


def pca(parts: Parts, weights: Sequence[Array], names: Sequence[str]) -> tuple[Tag, list[Map]]:
    """Means and principal components, largest first, without weights."""
    if parts[0].shape[1] < 2:
        raise DataError("principal components of one variable", expected="at least two variables", found="one")
    means: list[Tag] = []
    vectors: list[Tag] = []
    maps: list[Map] = []
    for i, (part, name) in enumerate(zip(parts, names, strict=True)):
        x = part.astype(np.float64)
        mean = x.mean(axis=0)
        covariance = (x - mean).T @ (x - mean)
        directions = eigenvectors(covariance / np.trace(covariance))
        size = len(mean)
        of: Attributes = {"Class": name, "ClassIndex": i, "NRows": size}
        means.append(Tag("Statistics", of, numbers(mean, 8)))
        vectors.append(Tag("Eigenvectors", {**of, "NCols": size}, numbers(directions, 8)))
        maps.append(Linear(mean, directions).forward)
    return Tag("Transform", {"Name": "PCA"}, [*means, *vectors]), maps


def uniform(parts: Parts, weights: Sequence[Array], names: Sequence[str]) -> tuple[Tag, list[Map]]:
    """Cumulants, as for `gauss`."""
    return _cumulants(parts, weights, True)


def gauss(parts: Parts, weights: Sequence[Array], names: Sequence[str]) -> tuple[Tag, list[Map]]:
    """The cumulant of each value: a smoothed histogram whose bins hold equal weights, summed up."""
    return _cumulants(parts, weights, False)


def _cumulants(parts: Parts, weights: Sequence[Array], flat: bool) -> tuple[Tag, list[Map]]:
    variables = []
    tables: list[list[PDF]] = [[] for _ in parts]
    for j in range(parts[0].shape[1]):
        sets = []
        for i, (part, weight) in enumerate(zip(parts, weights, strict=True)):
            edges, contents = _cumulant(part[:, j], weight)
            made = Density(
                f"GaussTransform var{j} cls{i}",
                f"Cumulative_Var{j}_cls{i}_original",
                contents,
                edges,
                interpolation=1,
                kernel=(0, 1, 1, 0.0),
                equal=False,
            )
            tag = density(made)
            tables[i].append(read_pdf(parse_xml(text_of(tag).encode(), "cumulant"), normalised=False))
            sets.append(Tag(f"CumulativePDF_cls{i}", {}, [tag]))
        variables.append(Tag("Variable", {"VarIndex": j}, sets))
    kind = {"Name": "Gauss", "FlatOrGauss": "Flat" if flat else "Gauss"}
    return Tag("Transform", kind, variables), [
        Cumulative(tuple(row), flat, tuple(range(len(row)))).forward for row in tables
    ]


def _cumulant(values: Events, weights: Array) -> tuple[Array, NDArray[np.float32]]:
    """Edges, float32 as float64, and the part of the weight up to and with each bin."""
    order = np.argsort(values, kind="stable")
    x, w = values[order], weights[order].astype(np.float32)
    least = np.float32(max(w.sum(dtype=np.float64) / _FINEST, float(w.min()) * _FEWEST))
    edges = [np.float32(float(x[0]) - _STEP), x[0]]
    total = np.float32(0)
    for value, weight in zip(x, w, strict=True):
        total += weight
        if total >= least and value > edges[-1]:
            edges.append(value)
            total = np.float32(0)
    if total != 0 and x[-1] > edges[-1]:
        edges.append(x[-1])
    if len(edges) < 3:
        raise DataError("a constant variable has no cumulant", expected="different values", found=float(x[0]))
    sums = np.cumsum(np.maximum(smooth(filled(values, weights, np.array(edges, np.float64)), 1), 0), dtype=np.float32)
    return np.array(edges, np.float64), (sums / sums[-1]).astype(np.float32)
