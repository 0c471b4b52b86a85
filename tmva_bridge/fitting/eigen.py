"""Eigenvectors of a symmetric matrix with the signs that ROOT gives them.

A sign has no meaning of its own, but what is fitted behind a principal component depends on it. The algorithm that ROOT
uses is that of EISPACK: reflections to a tridiagonal matrix (TRED2), then rotations until it is diagonal (TQL2); see
Wilkinson and Reinsch, Handbook for Automatic Computation, vol. 2, II/2 and II/4.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["eigenvectors"]

Array = NDArray[np.float64]
_MOST = 1000  # rotations of one eigenvalue


def eigenvectors(matrix: Array) -> Array:
    """Eigenvectors in columns, that of the largest eigenvalue first.

    Args:
        matrix: symmetric, (n, n).

    Example:
        >>> eigenvectors(np.diag([1.0, 3.0])).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    vectors, diagonal, beside = _tridiagonal(matrix)
    values = _rotated(vectors, diagonal, beside)
    return vectors[:, np.argsort(-values, kind="stable")]


def _tridiagonal(matrix: Array) -> tuple[Array, Array, Array]:
    """The product of the reflections, the diagonal, and below it the elements beside the diagonal."""
    v = np.array(matrix, np.float64)
    n = len(v)
    d, e = v[-1].copy(), np.zeros(n)
    for i in range(n - 1, 0, -1):
        size = float(np.abs(d[:i]).sum())
        h = 0.0
        if size == 0:
            e[i] = d[i - 1]
            d[:i] = v[i - 1, :i]
            v[i, :i] = v[:i, i] = 0
        else:
            d[:i] /= size
            h = float(d[:i] @ d[:i])
            last = float(d[i - 1])
            g = -math.copysign(math.sqrt(h), last) if last else math.sqrt(h)
            e[i] = size * g
            h -= last * g
            d[i - 1] = last - g
            below = np.tril(v[:i, :i])
            full = below + np.tril(below, -1).T
            v[:i, i] = d[:i]
            e[:i] = full @ d[:i] / h
            e[:i] -= float(e[:i] @ d[:i]) / (h + h) * d[:i]
            v[:i, :i] -= np.tril(np.outer(e[:i], d[:i]) + np.outer(d[:i], e[:i]))
            d[:i] = v[i - 1, :i]
            v[i, :i] = 0
        d[i] = h
    for i in range(n - 1):
        v[-1, i] = v[i, i]
        v[i, i] = 1
        if d[i + 1] != 0:
            reflected = v[: i + 1, i + 1] / d[i + 1]
            v[: i + 1, : i + 1] -= np.outer(reflected, v[: i + 1, i + 1] @ v[: i + 1, : i + 1])
        v[: i + 1, i + 1] = 0
    d = v[-1].copy()
    v[-1] = 0
    v[-1, -1] = 1
    return v, d, np.append(e[1:], 0.0)


def _rotated(v: Array, d: Array, e: Array) -> Array:
    """The eigenvalues; turns the columns of v into the eigenvectors."""
    n = len(d)
    shift, largest = 0.0, 0.0
    for low in range(n):
        largest = max(largest, abs(d[low]) + abs(e[low]))
        for _ in range(_MOST):
            m = next(k for k in range(low, n) if abs(e[k]) <= 2.0**-52 * largest)
            if m == low:
                break
            g = d[low]
            p = (d[low + 1] - g) / (2 * e[low])
            r = math.copysign(math.hypot(p, 1), p)
            d[low], d[low + 1] = e[low] / (p + r), e[low] * (p + r)
            beyond, step = d[low + 1], g - d[low]
            d[low + 2 :] -= step
            shift += step
            p = d[m]
            c = c2 = c3 = 1.0
            s = s2 = 0.0
            side = e[low + 1]
            for i in range(m - 1, low - 1, -1):
                c3, c2, s2 = c2, c, s
                g, h = c * e[i], c * p
                r = math.hypot(p, e[i])
                e[i + 1] = s * r
                s, c = e[i] / r, p / r
                p = c * d[i] - s * g
                d[i + 1] = h + s * (c * g + s * d[i])
                upper = v[:, i + 1].copy()
                v[:, i + 1] = s * v[:, i] + c * upper
                v[:, i] = c * v[:, i] - s * upper
            p = -s * s2 * c3 * side * e[low] / beyond
            e[low], d[low] = s * p, c * p
        d[low] += shift
        e[low] = 0.0
    return d
