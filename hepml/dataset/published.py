"""The published data files of arXiv:2011.01984: data.h5 with scaled arrays and unscaled_data.h5 with raw ones.

They hold the groups of hepml's dense layout and nothing else: no identities, no weights, no constants. They can be
loaded, and trained on as arrays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepml.dataset.guard import guarded, has_own, open_hdf5
from hepml.dataset.layout import SPLITS, check_split
from hepml.dataset.tokens import IMAGES, TOKENS
from hepml.errors import DataError, InputFileError

__all__ = ["PublishedFile"]


class PublishedFile:
    """A file of the published layout.

    Args:
        path: data.h5; raw values are in unscaled_data.h5 beside it.
        tokens: the inputs in it.
    """

    def __init__(self, path: str | Path, tokens: tuple[str, ...]) -> None:
        self.path = Path(path)
        self.tokens = tokens

    @classmethod
    def recognise(cls, path: str | Path) -> PublishedFile | None:
        """The file, or None if it is not of this layout.

        Raises:
            InputFileError: absent, not HDF5, truncated or damaged.
        """
        with open_hdf5(path) as file:
            tokens = tuple(token for token in TOKENS if has_own(file, token))
            labels = file["y"] if has_own(file, "y") else None
            published = isinstance(labels, h5py.Group) and all(split in labels for split in SPLITS)
            return cls(path, tokens) if published and tokens and "format" not in file.attrs else None

    def scaled(self, token: str, split: str) -> NDArray[np.float32]:
        """An input as the file has it."""
        return self._values(self.path, token, split)

    def raw(self, token: str, split: str) -> NDArray[np.float32]:
        """An input from the file of raw values beside this one.

        Raises:
            InputFileError: there is none.
        """
        name = self.path.name
        other = self.path if name.startswith("unscaled_") else self.path.with_name(f"unscaled_{name}")
        if not other.is_file():
            raise InputFileError("no file of unscaled values", where=self.path, expected=f"{other.name} beside it")
        return self._values(other, token, split)

    def y(self, split: str) -> NDArray[np.float32]:
        """The labels of a split, shape (n,)."""
        check_split(split)
        with open_hdf5(self.path) as file:
            return np.asarray(guarded(file, f"y/{split}")[()], dtype=np.float32).reshape(-1)

    def _values(self, path: Path, token: str, split: str) -> NDArray[np.float32]:
        check_split(split)
        if token not in self.tokens:
            raise DataError(f"the file holds no {token!r}", where=path, expected=", ".join(self.tokens))
        with open_hdf5(path) as file:
            node: Any = guarded(file, f"{token}/{split}")
            rows = len(guarded(file, f"y/{split}"))
            wanted = 4 if token in IMAGES else 2
            if node.ndim not in (wanted, wanted - 1) or len(node) != rows:
                raise InputFileError(
                    "a data set of another shape",
                    where=f"{path}:{token}/{split}",
                    expected=f"{rows} rows of " + ("images" if token in IMAGES else "variables"),
                    found=node.shape,
                )
            values = np.asarray(node[()], dtype=np.float32)
        return values if values.ndim == wanted else values[..., None]
