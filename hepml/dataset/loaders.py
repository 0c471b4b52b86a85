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

from hepml.dataset.efp_input import chosen_columns
from hepml.dataset.efps import EFPFile
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
    efp_names: str | Sequence[str] | None = None,
    efp_positions: Sequence[int] | None = None,
    efps: str | Path | EFPFile | None = None,
) -> Any:
    """One input and the labels of a split.

    Args:
        feature: a token: et, ht, ee, he (images), hl, mass, et_mass, ee_mass; or efp, with the three last arguments.
        dset: train, valid or test.
        only_x: leave the labels out.
        unscaled: raw values, as networks take them; otherwise scaled with the constants of the training split.
        path: the data file.
        efp_names, efp_positions, efps: energy-flow polynomials by their names, or by their positions in the names of
            the file `efps` of `hepml efp`. Their values are those of that file, or computed from the images.

    Returns:
        [x, y], or x alone; x is float32 of shape (n, 31, 31, 1), (n, 32, 32, 1), (n, 7) or (n, columns), y is (n,).

    Raises:
        DataError: no such feature or split.
        InputFileError: the file cannot be read.

    Example:
        >>> x, y = load_data("mass", "test", path="data.h5")  # doctest: +SKIP
        >>> x.shape, y.shape  # doctest: +SKIP
        ((7731, 1), (7731,))
    """
    data = _open(path, efp_names, efp_positions, efps)
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
    feature: str | Sequence[str],
    dset: str,
    unscaled: bool = False,
    *,
    path: str | Path = "data.h5",
    efp_names: str | Sequence[str] | None = None,
    efp_positions: Sequence[int] | None = None,
    efps: str | Path | EFPFile | None = None,
) -> list[Any]:
    """Several inputs and the labels of a split.

    Args:
        feature: tokens joined by `_and_`, ` and `, `+` or `,`, or a list of them.
        dset, unscaled, path, efp_names, efp_positions, efps: as in `load_data`.

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
    data = _open(path, efp_names, efp_positions, efps)
    return [[_values(data, token, dset, unscaled) for token in tokens], data.y(dset)]


def _open(
    path: str | Path,
    names: str | Sequence[str] | None,
    positions: Sequence[int] | None,
    efps: str | Path | EFPFile | None,
) -> Dataset | PublishedFile:
    path = check_path(path)
    published = PublishedFile.recognise(path)
    if names is None and positions is None:
        return published or Dataset.open(path)
    if published is not None:
        raise DataError("polynomials cannot be chosen in a published file", where=path, expected="a data.h5 of hepml")
    data = Dataset.open(path)
    file = EFPFile.open(efps) if isinstance(efps, str | Path) else efps
    return data.with_efp(chosen_columns(names, positions, file, data), file)


def _values(data: Dataset | PublishedFile, token: str, dset: str, unscaled: bool) -> NDArray[Any]:
    return data.raw(token, dset) if unscaled else data.scaled(token, dset)
