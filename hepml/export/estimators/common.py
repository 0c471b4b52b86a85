"""What the readers of estimators share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, UnsupportedLayerError

__all__ = ["class_labels", "columns", "feature_names", "fitted", "knows_missing", "quiet", "refuse_argument"]

Array = NDArray[Any]


def refuse_argument(model: Any, argument: str, found: object, expected: object) -> UnsupportedLayerError:
    """The error for a setting of an estimator that cannot be reproduced."""
    name = type(model).__name__
    return UnsupportedLayerError(
        f"{argument}={found} of {name} cannot be exported",
        where=f"{name}, argument {argument!r}",
        expected=expected,
        found=found,
    )


def fitted(model: Any) -> None:
    """Raises DataError for an estimator that has not been fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        name = type(model).__name__
        raise DataError(f"{name} is not fitted", expected="a fitted estimator", fix="call fit before") from error


def feature_names(model: Any) -> tuple[str, ...] | None:
    """The names of the columns that the estimator was fitted with."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def class_labels(model: Any) -> tuple[str, ...]:
    """ "signal" for the second of two classes, else the names of all."""
    classes = model.classes_
    if len(classes) < 2:
        raise DataError(
            f"{type(model).__name__} was fitted with one class only", expected="two classes or more", found=str(classes)
        )
    return ("signal",) if len(classes) == 2 else tuple(str(one) for one in classes)


def columns(values: Array) -> Array:
    """(n, outputs); of the two columns of a binary classifier, the second."""
    values = values.reshape(len(values), -1)
    return values[:, 1:] if values.shape[1] == 2 else values


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning that arrays have no names: their columns are in the fitted order."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*valid feature names.*", category=UserWarning)
        yield


def knows_missing(predict: Callable[[Array], Any], n_features: int) -> bool:
    """Whether the library answers an event of missing values."""
    try:
        with quiet():
            predict(np.full((1, n_features), np.nan))
    except ValueError:
        return False
    return True
