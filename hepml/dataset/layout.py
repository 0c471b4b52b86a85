"""What is where in data.h5, and the guard that every HDF5 object passes before it is read.

    et ht ee he / <split>                    images; layout "sparse": counts, index, value; layout "dense": the paper's
    hl mass et_mass ee_mass / <split>        (N, 7), (N, 1) float32
    y / <split>                              (N,) float32: 1 signal, 0 background; or class number; or target
    candidate / <split> / <column>           who the row is: see COLUMNS
    attributes of the file                   format, layout, geometry, scaling, task, provenance ... as JSON text

Splits are train, valid and test; a row has the same position in every group of its split. A sparse image is the list
of its non-zero cells: `counts` says how many, `index` is row * columns + column, ascending, `value` in GeV. HCal images
are stored as their 8x8 cells; the reader divides each into 4x4 pixels as the paper's layout has it.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from hepml.errors import DataError, InputFileError, nearest

__all__ = ["COLUMNS", "FORMAT", "FORMAT_VERSION", "SPLITS", "check_split", "guarded", "open_hdf5"]

FORMAT = "hepml-data"
FORMAT_VERSION = 1
SPLITS = ("train", "valid", "test")

# column of candidate/<split>: its type and, if it has one, its second dimension
COLUMNS: dict[str, tuple[str, int | None]] = {
    "identity": ("<u8", None),  # hash of (run, lumi, event, index) or (content checksum, entry, index)
    "group": ("<u8", None),  # hash of the event, or of the user's group: decides the split
    "entry": ("<i8", None),  # entry of the tree
    "index": ("<i4", None),  # position in the seed collection
    "file_id": ("<i4", None),  # row of provenance.inputs
    "sample_id": ("<i4", None),  # row of provenance.samples
    "truth": ("|u1", None),  # code of hepml.truth.TRUTH_CLASSES
    "hard": ("|u1", None),  # 1 if it passes the preselection "hard"
    "weight": ("<f8", None),  # event weight, may be negative
    "pt": ("<f4", None),  # GeV
    "eta": ("<f4", None),
    "phi": ("<f4", None),
    "pileup": ("<f4", None),  # NaN where the layout names none
    "hcal_offset": ("<f8", 2),  # (deta, dphi) of the HCal window's centre from the ECal window's
}


def check_split(split: str) -> None:
    """Raises DataError unless `split` is train, valid or test."""
    if split not in SPLITS:
        raise DataError(f"no split is named {split!r}", expected=", ".join(SPLITS), nearest=nearest(str(split), SPLITS))


def open_hdf5(path: Any) -> h5py.File:
    """An HDF5 file, open for reading; use it in a `with`.

    Raises:
        InputFileError: absent, not HDF5, or truncated.
    """
    try:
        return h5py.File(path, "r")
    except FileNotFoundError as error:
        raise InputFileError("no such file", where=path) from error
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputFileError(
            "not an HDF5 file, or a truncated one", where=path, found=reason, fix="write it again with hepml convert"
        ) from error


def guarded(file: h5py.File, name: str) -> h5py.Dataset:
    """A data set of the file, refused unless it is plainly stored inside this file and no larger than it can be.

    Raises:
        InputFileError: absent, a link or stored elsewhere, or declared larger than the file could hold.
    """
    where = f"{file.filename}:{name}"
    node: Any = file
    for part in name.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            raise InputFileError("a data set is missing", where=where, fix="write the file again with hepml convert")
        if not isinstance(link, h5py.HardLink):
            raise InputFileError("a link where a data set is expected", where=where, fix="do not trust this file")
        node = node[part]
    if not isinstance(node, h5py.Dataset):
        raise InputFileError("a group where a data set is expected", where=where)
    if node.is_virtual or node.external:
        raise InputFileError("a data set that is stored in another file", where=where, fix="do not trust this file")
    # deflate packs 1032 : 1 at most; nothing else that hepml writes packs at all
    packed = 1100 if node.compression else 1
    if node.dtype.kind not in "fiu" or node.dtype.itemsize > 8:
        raise InputFileError("a data set of another type", where=where, expected="numbers", found=node.dtype)
    if node.size * node.dtype.itemsize > packed * max(node.id.get_storage_size(), 0) + (node.size == 0):
        raise InputFileError(
            "a data set is declared larger than what the file holds", where=where, found=f"shape {node.shape}"
        )
    return node


def read(file: h5py.File, name: str, dtype: Any, shape: tuple[int | None, ...]) -> np.ndarray[Any, Any]:
    """The values of a data set, checked.

    Args:
        dtype: the type it must have.
        shape: the shape it must have; None for any length.

    Raises:
        InputFileError: absent, of another shape or type, or its stored bytes are damaged.
    """
    node = guarded(file, name)
    where = f"{file.filename}:{name}"
    fits = len(node.shape) == len(shape) and all(
        want in (None, has) for want, has in zip(shape, node.shape, strict=True)
    )
    if node.dtype != np.dtype(dtype) or not fits:
        wanted = "(" + ", ".join("n" if size is None else str(size) for size in shape) + ")"
        raise InputFileError(
            "a data set of another shape or type",
            where=where,
            expected=f"{np.dtype(dtype)} {wanted}",
            found=f"{node.dtype} {node.shape}",
        )
    try:
        return np.asarray(node[()])
    except (OSError, RuntimeError) as error:
        raise InputFileError(
            "a data set is damaged", where=where, found=" ".join(str(error).split()), fix="write the file again"
        ) from error
