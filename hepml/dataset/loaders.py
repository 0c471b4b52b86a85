"""The loaders of the published study, with its arguments and results, on hepml's data files.

    load_data("hl", "train") -> [x, y]        load_combined_data("et_and_hl", "train") -> [[et, hl], y]

Arrays are scaled, as those of the published data.h5; `unscaled=True` gives raw values, as unscaled_data.h5 did. The
published files themselves can be read too; their raw values are in the file beside them.
Source: arXiv:2011.01984 and its public code.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hepml.dataset.published import PublishedFile
from hepml.dataset.reader import Dataset
from hepml.dataset.tokens import TOKENS, parse_features
from hepml.errors import DataError, check_names, check_path, nearest

__all__ = ["load_combined_data", "load_data"]


def load_data(
    feature: str,
    dset: str,
    only_x: bool = False,
    unscaled: bool = False,
    *,
    path: str | Path = "data.h5",
) -> Any:
    """One input and the labels of a split.

    Args:
        feature: a token: et, ht, ee, he (images), hl, mass, et_mass, ee_mass.
        dset: train, valid or test.
        only_x: leave the labels out.
        unscaled: raw values, as networks take them; otherwise scaled with the constants of the training split.
        path: the data file.

    Returns:
        [x, y], or x alone; x is float32 of shape (n, 31, 31, 1), (n, 32, 32, 1), (n, 7) or (n, 1), y is (n,).

    Raises:
        DataError: no such feature or split.
        InputFileError: the file cannot be read.

    Example:
        >>> x, y = load_data("mass", "test", path="data.h5")  # doctest: +SKIP
        >>> x.shape, y.shape  # doctest: +SKIP
        ((7731, 1), (7731,))
    """
    data = _open(path)
    if feature not in TOKENS:
        raise DataError(
            f"no feature is named {feature!r}",
            where=path,
            expected=", ".join(data.tokens),
            nearest=nearest(feature, TOKENS),
            fix="use load_combined_data for several" if "and" in str(feature) else None,
        )
    x = _values(data, feature, dset, unscaled)
    return x if only_x else [x, data.y(dset)]


def load_combined_data(
    feature: str | Sequence[str], dset: str, unscaled: bool = False, *, path: str | Path = "data.h5"
) -> list[Any]:
    """Several inputs and the labels of a split.

    Args:
        feature: tokens joined by `_and_`, ` and `, `+` or `,`, or a list of them.
        dset, unscaled, path: as in `load_data`.

    Returns:
        [list of arrays, y]; the list has the order of `TOKENS` (et, ht, ee, he, hl, mass ...) and is a list for one
        input too.

    Raises:
        DataError: no such feature or split.
        InputFileError: the file cannot be read.

    Example:
        >>> (et, hl), y = load_combined_data("et_and_hl", "test", path="data.h5")  # doctest: +SKIP
        >>> et.shape, hl.shape  # doctest: +SKIP
        ((7731, 31, 31, 1), (7731, 7))
    """
    tokens = parse_features(check_names("feature", feature))
    data = _open(path)
    return [[_values(data, token, dset, unscaled) for token in tokens], data.y(dset)]


def _open(path: str | Path) -> Dataset | PublishedFile:
    path = check_path(path)
    return PublishedFile.recognise(path) or Dataset.open(path)


def _values(data: Dataset | PublishedFile, token: str, dset: str, unscaled: bool) -> NDArray[Any]:
    return data.raw(token, dset) if unscaled else data.scaled(token, dset)
