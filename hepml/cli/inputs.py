"""Raw inputs from an npz or a data.h5, as several commands take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import DataError, HepmlError, InputFileError, nearest
from hepml.ledger import check_regular

if TYPE_CHECKING:
    from hepml.dataset import Dataset
    from hepml.evaluator import Evaluator

__all__ = [
    "Arrays",
    "Polynomials",
    "dataset_batches",
    "input_batches",
    "labelled_batches",
    "open_dataset",
    "polynomials_of",
    "read_npz",
]

Arrays = dict[str, NDArray[Any]]
Polynomials = Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]]  # of the ET images of both calorimeters
Labelled = tuple[Arrays, NDArray[Any], NDArray[np.float64]]
_EFP, _IMAGES = "efp", ("et", "ht")
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


def polynomials_of(evaluator: Evaluator) -> Polynomials | None:
    """What makes the input `efp` of a network from images; None where the file does not say."""
    return evaluator.efp if evaluator.metadata.get("efps") else None


def _stored(names: Sequence[str], efp: Polynomials | None) -> list[str]:
    """What is read for these inputs: images in the place of what is made from them."""
    if efp is None or _EFP not in names:
        return list(names)
    return list(dict.fromkeys([name for name in names if name != _EFP] + list(_IMAGES)))


def _batches(data: Dataset, names: Sequence[str], split: str, efp: Polynomials | None) -> Iterator[Labelled]:
    """Raw inputs, labels and weights of a split, 4096 rows at a time."""
    for x, y, weight in data.batches(_stored(names, efp), split, _CHUNK, shuffle=False):
        made = {} if efp is None or _EFP not in names else {_EFP: efp(x["et"], x["ht"])}
        yield {name: made[name] if name in made else x[name] for name in names}, y, weight


def open_dataset(
    path: Path, names: Sequence[str], convention: str | None = None, efp: Polynomials | None = None
) -> Dataset:
    """A data.h5 that holds these inputs, of the network's convention (None: any).

    Args:
        path: the file.
        names: of the inputs.
        convention: the network's.
        efp: what makes the input `efp` from images, which the file then has to hold.

    Raises:
        InputFileError: it cannot be read.
        DataError: an input is missing, or it is of another convention.
    """
    from hepml.dataset import Dataset

    data = Dataset.open(path)
    for name in _stored(names, efp):
        if name not in data.tokens:
            raise DataError(
                f"the data file does not hold the input {name!r}",
                where=path,
                expected=", ".join(_stored(names, efp)),
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


def dataset_batches(
    data: Dataset, names: Sequence[str], split: str, efp: Polynomials | None = None
) -> Iterator[Arrays]:
    """The raw inputs of a split, 4096 rows at a time."""
    return (x for x, _, _ in _batches(data, names, split, efp))


def input_batches(
    path: Path,
    names: Sequence[str],
    split: str = "train",
    *,
    convention: str | None = None,
    weighted: bool = False,
    efp: Polynomials | None = None,
) -> Iterator[tuple[Arrays, NDArray[np.float64] | None]]:
    """Raw inputs and weights, of an npz or of a split of a data.h5.

    Args:
        path: the file.
        names: of the inputs.
        split: of a data.h5.
        convention: that a data.h5 has to have.
        weighted: take the weights of a data.h5. Those of an npz are under the key `weight`, and taken if there.
        efp: what makes the input `efp` from the images of a data.h5.

    Yields:
        Arrays by name, and a weight for each event or None.
    """
    if path.suffix in _HDF5:
        data = open_dataset(path, names, convention, efp)
        for x, _, given in _batches(data, names, split, efp):
            yield x, given if weighted else None
        return
    arrays = read_npz(path, names, ("weight",))
    weight = _column(path, arrays, "weight") if "weight" in arrays else None
    yield arrays, weight


def labelled_batches(
    path: Path, names: Sequence[str], convention: str | None = None, efp: Polynomials | None = None
) -> Iterator[tuple[Arrays, NDArray[Any], NDArray[np.float64] | None]]:
    """Raw inputs, labels and weights: of the test split of a data.h5, or of an npz with the key `y` (and `weight`).

    Raises:
        DataError: at the end, if there was no event of label 0, or none of label 1.
    """
    counts = dict.fromkeys((0, 1), 0)
    for batch in _labelled(path, names, convention, efp):
        for label in counts:
            counts[label] += int(np.count_nonzero(np.asarray(batch[1]) == label))
        yield batch
    if not all(counts.values()):
        raise DataError(
            "a class is missing: decisions cannot be compared",
            where=path,
            expected="events of both" + (" in the test split" if path.suffix in _HDF5 else ""),
            found=", ".join(f"label {label}: {count}" for label, count in counts.items()),
        )


def _labelled(
    path: Path, names: Sequence[str], convention: str | None, efp: Polynomials | None
) -> Iterator[tuple[Any, Any, Any]]:
    if path.suffix in _HDF5:
        yield from _batches(open_dataset(path, names, convention, efp), names, "test", efp)
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
