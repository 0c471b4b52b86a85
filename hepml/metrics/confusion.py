"""Who is taken for whom: confusion matrix, precision, recall and F1, for two classes at a cut or for many.

Sums are weighted; the unweighted counts stand beside them. Precision depends on the mixture of classes in the sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepml.errors import DataError
from hepml.metrics.results import Confusion, ScoredEvents

__all__ = ["confusion_at", "confusion_matrix"]


def confusion_matrix(
    truth: ArrayLike, decision: ArrayLike, weight: ArrayLike | None = None, labels: tuple[str, ...] = ()
) -> Confusion:
    """Confusion matrix of class numbers.

    Args:
        truth, decision: class numbers from 0, shape (n,), n > 0.
        weight: event weights, ones if None.
        labels: names of the classes; numbers if empty.

    Returns:
        matrix[i, j] = weight of class i decided as j. A class that never occurs (or is never decided) has recall
        (precision) nan.

    Raises:
        DataError: no candidates, lengths that differ, a number that no label names.

    Example:
        >>> confusion_matrix([0, 1, 1], [0, 1, 0], labels=("background", "signal")).counts.tolist()
        [[1, 0], [1, 1]]

    Source:
        van Rijsbergen, Information Retrieval (1979), chapter 7 (precision, recall, F).
    """
    t, d = np.asarray(truth).astype(np.int64), np.asarray(decision).astype(np.int64)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=np.float64)
    if len(t) == 0 or not (len(t) == len(d) == len(w)):
        raise DataError("a confusion matrix needs as many decisions as candidates", found=(len(t), len(d), len(w)))
    n = len(labels) or int(max(t.max(), d.max())) + 1
    if min(t.min(), d.min()) < 0 or max(t.max(), d.max()) >= n:
        raise DataError("class number out of range", expected=f"0 to {n - 1}", found=int(max(t.max(), d.max())))
    cell = t * n + d
    counts = np.bincount(cell, minlength=n * n).reshape(n, n)
    matrix = np.bincount(cell, weights=w, minlength=n * n).reshape(n, n).astype(np.float64)
    right = np.diag(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = right / matrix.sum(axis=1), right / matrix.sum(axis=0)
        f1 = 2 * right / (matrix.sum(axis=1) + matrix.sum(axis=0))
        accuracy = float(right.sum() / matrix.sum())
    names = labels or tuple(str(i) for i in range(n))
    return Confusion(names, counts.astype(np.int64), matrix, precision, recall, f1, accuracy)


def confusion_at(events: ScoredEvents, threshold: float, signal_efficiency: float | None = None) -> Confusion:
    """Confusion matrix of signal and background at a cut, score >= threshold.

    Args:
        events: checked by `make_events`.
        threshold: the cut.
        signal_efficiency: the working point's, carried into the record.

    Example:
        >>> from hepml.metrics import make_events
        >>> confusion_at(make_events([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 0.5).accuracy
        0.75
    """
    found = confusion_matrix(events.label, events.score >= threshold, events.weight, labels=("background", "signal"))
    values = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return Confusion(**{**values, "threshold": float(threshold), "signal_efficiency": signal_efficiency})
