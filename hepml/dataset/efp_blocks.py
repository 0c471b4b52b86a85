"""Blocks of polynomials: computed from the images of a data.h5, or read as a command that was killed has left them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import interruption, ledger
from hepml.atomic import writing
from hepml.dataset.efps import CHUNK
from hepml.dataset.layout import SPLITS
from hepml.dataset.pixels import Pixels
from hepml.dataset.reader import Dataset
from hepml.efp.columns import compute_columns, parse_column
from hepml.efp.graphs import Graph
from hepml.efp.graphs import graphs as graphs_of
from hepml.efp.identities import grid_names, identities
from hepml.errors import DataError, check_names
from hepml.geometry import PAPER, Geometry
from hepml.images import SparseImages

__all__ = ["EFPBlocks", "check_images", "image_columns", "row_columns", "tokens_of"]

_TOKENS = {"ecal": "et", "hcal": "ht"}
_STEP = 128  # rows between two signs of progress
_DENSE = 4096  # images that are dense at a time
Progress = Callable[[str, int, int], None]


class EFPBlocks:
    """The polynomials of a data file that a command asks for.

    Args:
        path: the data file.
        parts: folder of the blocks that are done.
        graphs, kappa, beta, calorimeters, splits, dtype: as for `write_efps`.

    Attributes:
        data: the data file.
        names: token -> columns to be stored.
        aliases: the others -> the stored one that each equals.
        rows: split -> rows.
        dtype: of the values.
        provenance: the data file with its checksum, code, configuration.

    Raises:
        InputFileError, DataError: as `write_efps`.
    """

    def __init__(
        self,
        path: str | Path,
        parts: Path,
        *,
        graphs: str | Sequence[str],
        kappa: float | Sequence[float],
        beta: float | Sequence[float],
        calorimeters: str | Sequence[str],
        splits: str | Sequence[str],
        dtype: str,
    ) -> None:
        self.path, self._parts = Path(path), parts
        chosen = sorted({one for some in check_names("graphs", graphs) for one in graphs_of(some)}, key=_order)
        config: dict[str, Any] = {
            "graphs": [graph.name for graph in chosen],
            "kappa": _exponents("kappa", kappa),
            "beta": _exponents("beta", beta),
            "calorimeters": _some("calorimeters", calorimeters, tuple(_TOKENS)),
            "splits": _some("splits", splits, SPLITS),
            "dtype": dtype,
        }
        if not chosen:
            raise DataError("no graph is chosen", found=repr(graphs))
        if dtype not in ("float64", "float32"):
            raise DataError(f"values cannot be stored as {dtype!r}", expected="float64 or float32")
        self.dtype = dtype
        grids = {
            _TOKENS[one]: grid_names([one], chosen, config["kappa"], config["beta"]) for one in config["calorimeters"]
        }
        self.aliases = {name: kept for names in grids.values() for name, kept in identities(names).items()}
        self.names = {key: [name for name in names if name not in self.aliases] for key, names in grids.items()}
        self._state = ledger.file_state(path)
        self.data = Dataset.open(path)
        check_images(self.data, list(self.names))
        self.rows = {split: self.data.n(split) for split in config["splits"]}
        self.provenance = {
            "code": ledger.code_version(),
            "config": config,
            "config_hash": ledger.config_hash(config),
            "input": {
                "name": self.path.name,
                "size": self._state[1],
                "sha256": ledger.sha256_file(path),
                "content_sha256": self.data.checksum,
            },
        }
        self._key = ledger.config_hash(self.provenance).encode()

    def __len__(self) -> int:
        return len(self.names) * sum(-(-rows // CHUNK[0]) for rows in self.rows.values())

    def block(
        self, token: str, split: str, start: int, *, threads: int | None, progress: Progress | None
    ) -> tuple[NDArray[Any], bool]:
        """The columns of a calorimeter for the rows of a split from `start` on, and whether they were computed before.

        Raises:
            DataError: a value that the type cannot hold.
        """
        stop = min(start + CHUNK[0], self.rows[split])
        total = len(self.names) * sum(self.rows.values())
        part = self._parts / f"{token}-{split}-{start // CHUNK[0]}"
        values = self._done(part, (stop - start, len(self.names[token])))
        if values is not None:
            if progress is not None:
                progress(str(self.path), stop - start, total)
            return values, True
        values = np.empty((stop - start, len(self.names[token])), self.dtype)
        for first in range(start, stop, _STEP):
            interruption.check()
            last = min(first + _STEP, stop)
            found = row_columns(self.data, self.names[token], (split, first, last), threads=threads)
            values[first - start : last - start] = self._fitting(found, token)
            if progress is not None:
                progress(str(self.path), last - first, total)
        with writing(part):
            self._parts.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(values.data)
                file.write(self._digest(values))
        return values, False

    def _done(self, part: Path, shape: tuple[int, int]) -> NDArray[Any] | None:
        """A block as an earlier command left it; None if it is absent, cut short, damaged, or of another command."""
        values = np.empty(shape, self.dtype)
        try:
            with part.open("rb") as file:
                file.readinto(values.data.cast("B"))
                whole = file.read() == self._digest(values)
        except OSError:
            return None
        return values if whole else None

    def _digest(self, values: NDArray[Any]) -> bytes:
        """Of the values, and of all that they depend on."""
        digest = hashlib.sha256(self._key)
        digest.update(values.data)
        return digest.digest()

    def _fitting(self, found: NDArray[np.float64], token: str) -> NDArray[Any]:
        """The values in the type that is stored."""
        if self.dtype == "float64":
            return found
        size, limits = np.abs(found), np.finfo(np.float32)
        for wrong, expected, fix in (
            (size > limits.max, f"at most {limits.max:.2g}", "store float64, or leave the kappas below 0 out"),
            (
                (size > 0) & (size < limits.tiny),
                f"0, or at least {limits.tiny:.2g}",
                "store float64, or leave the largest kappas and betas out",
            ),
        ):
            if wrong.any():
                columns = np.flatnonzero(wrong.any(axis=0))
                raise DataError(
                    "polynomials that float32 cannot hold",
                    where=f"{self.path}, {len(columns)} columns, as {self.names[token][columns[0]]}",
                    expected=expected,
                    found=f"{size[wrong][0]:.3g}",
                    fix=fix,
                )
        return found.astype(np.float32)

    def check_unchanged(self) -> None:
        """Raises InputFileError if the data file was written to meanwhile."""
        ledger.check_unchanged(self.path, self._state)


def image_columns(
    images: Mapping[str, SparseImages], names: Sequence[str], geometry: Geometry, *, threads: int | None = None
) -> NDArray[np.float64]:
    """Some columns of some images, as blocks and data files hold them, a few thousand made dense at a time."""
    pixels = {token: Pixels(images[token], token, geometry) for token in tokens_of(names)}
    n = len(next(iter(pixels.values()))) if pixels else 0
    values = np.empty((n, len(names)))
    for start in range(0, n, _DENSE):
        rows = slice(start, min(start + _DENSE, n))
        dense: dict[str, Any] = dict.fromkeys(_TOKENS.values())
        dense |= {token: one.dense(rows) for token, one in pixels.items()}
        values[rows] = compute_columns(dense["et"], dense["ht"], names, threads=threads)
    return values


def row_columns(
    data: Dataset, names: Sequence[str], rows: tuple[str, int, int], *, threads: int | None = None
) -> NDArray[np.float64]:
    """Some columns of some rows (a split, from one, to before another) of a data file; nothing is kept."""
    images = {token: next(iter(data.parts(token, [rows]))) for token in tokens_of(names)}
    return image_columns(images, names, data.geometry, threads=threads)


def tokens_of(names: Sequence[str]) -> list[str]:
    """The images that columns are computed from."""
    found = {parse_column(name).calorimeter for name in names}
    return [token for calorimeter, token in _TOKENS.items() if calorimeter in found]


def check_images(data: Dataset, tokens: Sequence[str]) -> None:
    """Raises DataError unless the data hold these images, of the cells and windows that the polynomials know."""
    for token in tokens:
        data.shape(token)  # tells which there are
    if data.geometry != PAPER:
        raise DataError(
            "polynomials are of the images of arXiv:2011.01984, and these are of other cells or windows",
            where=data.path,
            expected=f"{PAPER.ecal.describe()}; {PAPER.hcal.describe()}",
            found=f"{data.geometry.ecal.describe()}; {data.geometry.hcal.describe()}",
        )


def _order(graph: Graph) -> tuple[int, ...]:
    return graph.order


def _exponents(option: str, given: float | Sequence[float]) -> list[float]:
    try:
        found = np.atleast_1d(np.asarray(given, dtype=np.float64)).tolist()
    except (TypeError, ValueError) as error:
        raise DataError(f"{option} is no number", found=repr(given)) from error
    if not found or not np.isfinite(found).all() or len(set(found)) < len(found):
        raise DataError(f"{option} is one finite number, or several different ones", found=repr(given))
    return [float(one) for one in found]


def _some(option: str, given: str | Sequence[str], known: Sequence[str]) -> list[str]:
    """Some of the known names, in their order."""
    names = check_names(option, given)
    if not names or not {*names} <= {*known}:
        raise DataError(f"the option {option!r} cannot be {given!r}", expected="some of " + ", ".join(known))
    return [name for name in known if name in names]
