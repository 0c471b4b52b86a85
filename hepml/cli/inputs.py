"""Raw inputs from an npz or a data.h5, as several commands take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, HepmlError, InputFileError, nearest
from hepml.ledger import check_regular

if TYPE_CHECKING:
    from hepml.dataset import Dataset

__all__ = ["Arrays", "dataset_batches", "input_batches", "labelled_batches", "open_dataset", "read_npz"]

Arrays = dict[str, NDArray[Any]]
_CHUNK = 4096
_HDF5 = (".h5", ".hdf5")


def read_npz(path: Path, names: Sequence[str], more: Sequence[str] = ()) -> Arrays:
    """The arrays of an npz whose keys are exactly `names`; nothing in it is executed.

    Args:
        path: the file.
        names: of the network's inputs.
        more: keys that may be there too.

    Raises:
        InputFileError: absent, not an npz, damaged.
        DataError: other keys.
    """
    from hepml.dataset.npz import UNREADABLE, arrays_of

    expected = "an npz file with the keys " + ", ".join(names)
    check_regular(path)
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputFileError(
                    "a single array instead of an npz",
                    where=path,
                    expected=expected,
                    fix=f"np.savez(path, {names[0]}=array) names the input",
                )
            with file:
                _check_keys(path, file.files, names, more)
                return arrays_of(file)
    except HepmlError:
        raise
    except UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputFileError("the inputs cannot be read", where=path, expected=expected, found=reason) from error


def _check_keys(path: Path, keys: Sequence[str], names: Sequence[str], more: Sequence[str]) -> None:
    for key in keys:
        if key not in names and key not in more:
            raise DataError(
                f"the network has no input {key!r}",
                where=path,
                expected="exactly the keys " + ", ".join(names),
                found=", ".join(keys),
                nearest=nearest(key, names),
            )
    for name in names:
        if name not in keys:
            raise DataError(
                f"the input {name!r} is missing",
                where=path,
                expected="exactly the keys " + ", ".join(names),
                found=", ".join(keys) or "no arrays",
            )


def open_dataset(path: Path, names: Sequence[str], convention: str | None = None) -> Dataset:
    """A data.h5 that holds these inputs, of the network's convention (None: any).

    Raises:
        InputFileError: it cannot be read.
        DataError: an input is missing, or it is of another convention.
    """
    from hepml.dataset import Dataset

    data = Dataset.open(path)
    for name in names:
        if name not in data.tokens:
            raise DataError(
                f"the data file does not hold the input {name!r}",
                where=path,
                expected=", ".join(names),
                found=", ".join(data.tokens),
            )
    if convention is not None and convention != data.convention:
        raise DataError(
            "the network and the data are of different conventions",
            where=path,
            expected=convention,
            found=data.convention,
        )
    return data


def dataset_batches(data: Dataset, names: Sequence[str], split: str) -> Iterator[Arrays]:
    """The raw inputs of a split, 4096 rows at a time."""
    for x, _, _ in data.batches(list(names), split, _CHUNK, shuffle=False):
        yield dict(x)


def input_batches(
    path: Path, names: Sequence[str], split: str = "train", *, convention: str | None = None, weighted: bool = False
) -> Iterator[tuple[Arrays, NDArray[np.float64] | None]]:
    """Raw inputs and weights, of an npz or of a split of a data.h5.

    Args:
        path: the file.
        names: of the inputs.
        split: of a data.h5.
        convention: that a data.h5 has to have.
        weighted: take the weights of a data.h5. Those of an npz are under the key `weight`, and taken if there.

    Yields:
        Arrays by name, and a weight for each event or None.
    """
    if path.suffix in _HDF5:
        data = open_dataset(path, names, convention)
        for x, _, given in data.batches(list(names), split, _CHUNK, shuffle=False):
            yield dict(x), given if weighted else None
        return
    arrays = read_npz(path, names, ("weight",))
    weight = _column(path, arrays, "weight") if "weight" in arrays else None
    yield arrays, weight


def labelled_batches(
    path: Path, names: Sequence[str], convention: str | None = None
) -> Iterator[tuple[Arrays, NDArray[Any], NDArray[np.float64] | None]]:
    """Raw inputs, labels and weights: of the test split of a data.h5, or of an npz with the key `y` (and `weight`)."""
    if path.suffix in _HDF5:
        data = open_dataset(path, names, convention)
        yield from data.batches(list(names), "test", _CHUNK, shuffle=False)
        return
    arrays = read_npz(path, [*names, "y"], ("weight",))
    weight = _column(path, arrays, "weight") if "weight" in arrays else None
    yield arrays, _column(path, arrays, "y"), weight


def _column(path: Path, arrays: Arrays, key: str) -> NDArray[np.float64]:
    """Takes out an array of one number an event."""
    array = arrays.pop(key)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise DataError(
            f"the array {key!r} is not one number for each event",
            where=path,
            expected="(n,) of integers or floats",
            found=f"{array.shape} of {array.dtype}",
        )
    return array.astype(np.float64)
