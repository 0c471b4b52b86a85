"""Towers -> ET and E images of the ECal and of the HCal around each candidate, filled in C++.

    ECal  31 x 31 pixels of one cell, the hottest cell in the middle
    HCal  8 x 8 cells around the HCal cell below it, stored as cells; shown as 32 x 32 pixels of a quarter of a cell

Row 0 is the largest phi, columns go up in eta. A cell is found from integer cell indices, phi wraps, sums are made in
float64 in the order of the towers and rounded once to float32. Two or three pixels in a hundred hold energy, so images
are kept sparse and made dense when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml import _core
from hepml.candidates import Candidates, core_geometry, fill_sparse
from hepml.errors import DataError, check_kind
from hepml.geometry import Geometry
from hepml.trees import Events
from hepml.trees.placing import TowerArrays, towers_at_cells

__all__ = ["IMAGE_NAMES", "Images", "SparseImages", "expand_hcal", "images_at", "make_images"]

IMAGE_NAMES = ("et", "ee", "ht", "he")


@dataclass(frozen=True)
class SparseImages:
    """Images as the numbers and values of the pixels that are not zero.

    Attributes:
        counts: pixels of each image, uint16, shape (n,).
        index: row * columns + column, ascending in an image, one image after another, uint16, shape (counts.sum(),).
        value: float32, shape (counts.sum(),).
        shape: rows and columns of an image.
    """

    counts: NDArray[np.uint16]
    index: NDArray[np.uint16]
    value: NDArray[np.float32]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        total = int(self.counts.sum(dtype=np.int64))
        if len(self.index) != total or len(self.value) != total:
            raise DataError(
                "sparse images of which the parts do not fit",
                expected=f"{total} pixels, the sum of counts",
                found=f"{len(self.index)} pixel numbers, {len(self.value)} values",
            )
        if total and int(self.index.max()) >= self.shape[0] * self.shape[1]:
            raise DataError(
                "a pixel outside of its image",
                expected=f"numbers below {self.shape[0]} x {self.shape[1]}",
                found=int(self.index.max()),
            )

    def __len__(self) -> int:
        return len(self.counts)

    def dense(self) -> NDArray[np.float32]:
        """All pixels, float32, shape (n, rows, columns)."""
        pixels = np.zeros((len(self), self.shape[0] * self.shape[1]), np.float32)
        pixels[np.repeat(np.arange(len(self)), self.counts), self.index] = self.value
        return pixels.reshape(len(self), *self.shape)

    def sums(self) -> NDArray[np.float64]:
        """Sum of each image in float64, shape (n,)."""
        image = np.repeat(np.arange(len(self)), self.counts)
        sums = np.bincount(image, weights=self.value.astype(np.float64), minlength=len(self))
        return np.asarray(sums, dtype=np.float64)

    def take(self, which: ArrayLike | slice) -> SparseImages:
        """Some images, by mask, position or slice, in the given order."""
        if isinstance(which, slice) and which.step in (None, 1):
            first, last, _ = which.indices(len(self))
            before = int(self.counts[:first].sum(dtype=np.int64))
            pixels = slice(before, before + int(self.counts[first:last].sum(dtype=np.int64)))
            return SparseImages(self.counts[which], self.index[pixels], self.value[pixels], self.shape)
        rows = np.arange(len(self))[which if isinstance(which, slice) else np.asarray(which)]
        counts = self.counts[rows]
        ends = np.cumsum(counts, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])[rows]
        pixel = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)
        return SparseImages(counts, self.index[pixel], self.value[pixel], self.shape)

    @classmethod
    def from_dense(cls, images: ArrayLike) -> SparseImages:
        """From all pixels, shape (n, rows, columns) or (n, rows, columns, 1)."""
        dense = np.asarray(images, dtype=np.float32)
        if dense.ndim == 4 and dense.shape[3] == 1:
            dense = dense[..., 0]
        if dense.ndim != 3 or dense.shape[1] * dense.shape[2] > 65535:
            raise DataError("not images", expected="shape (n, rows, columns), at most 65535 pixels", found=dense.shape)
        n, rows, columns = dense.shape
        flat = dense.reshape(n, rows * columns)
        image, index = np.nonzero(flat)
        counts = np.bincount(image, minlength=n).astype(np.uint16)
        return cls(counts, index.astype(np.uint16), flat[image, index], (rows, columns))

    @classmethod
    def concatenate(cls, parts: Sequence[SparseImages]) -> SparseImages:
        """The images of several, one after another. Raises DataError for none, or of different shapes."""
        shapes = {part.shape for part in parts}
        if len(shapes) != 1:
            raise DataError("images that cannot be joined", expected="one shape", found=sorted(shapes) or "no images")
        counts, index, value = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("counts", "index", "value")
        )
        return cls(counts, index, value, shapes.pop())


@dataclass(frozen=True)
class Images:
    """The four images of each candidate.

    Dense views are made anew at each call (3.8 kB an ECal image, 4 kB an HCal image).

    Attributes:
        geometry: grids and windows.
        sparse: "et" and "ee" (ET and E of the ECal), "ht" and "he" (of the HCal, as cells that are not expanded), GeV;
            those of E are absent where they were not asked for.
        entry: tree entry of each candidate's event, int64, shape (n,).
        hcal_offset: (deta, dphi) from the centre of the ECal image to that of the HCal image, float64, shape (n, 2).
        convention: as given to `select_candidates`.
    """

    geometry: Geometry
    sparse: Mapping[str, SparseImages]
    entry: NDArray[np.int64]
    hcal_offset: NDArray[np.float64]
    convention: str | None = None

    def __len__(self) -> int:
        return len(self.entry)

    def cells_of(self, name: str) -> SparseImages:
        """One of `sparse`. Raises DataError for images that were not made."""
        if name not in self.sparse:
            raise DataError(
                f"there are no images {name!r}",
                expected="images of ET and of E",
                found=", ".join(map(repr, self.sparse)),
                fix="make them with energy=True",
            )
        return self.sparse[name]

    @property
    def ecal_et(self) -> NDArray[np.float32]:
        """ET in GeV of the ECal, float32, shape (n, 31, 31, 1)."""
        return self.cells_of("et").dense()[..., None]

    @property
    def ecal_e(self) -> NDArray[np.float32]:
        """E in GeV of the ECal, float32, shape (n, 31, 31, 1)."""
        return self.cells_of("ee").dense()[..., None]

    @property
    def hcal_et(self) -> NDArray[np.float32]:
        """ET in GeV of the HCal, a sixteenth of a cell in each pixel, float32, shape (n, 32, 32, 1)."""
        return expand_hcal(self.cells_of("ht").dense(), self.geometry.hcal_expand)[..., None]

    @property
    def hcal_e(self) -> NDArray[np.float32]:
        """E in GeV of the HCal, a sixteenth of a cell in each pixel, float32, shape (n, 32, 32, 1)."""
        return expand_hcal(self.cells_of("he").dense(), self.geometry.hcal_expand)[..., None]

    def take(self, which: NDArray[np.bool_] | NDArray[np.integer[Any]]) -> Images:
        """The images of some candidates, by mask or position, in the given order."""
        sparse = {name: images.take(which) for name, images in self.sparse.items()}
        return replace(self, sparse=sparse, entry=self.entry[which], hcal_offset=self.hcal_offset[which])


def make_images(candidates: Candidates) -> Images:
    """The ET and E images of both calorimeters around each candidate.

    With ``convention="2011.01984"`` (given to `select_candidates`) the HCal images are those of the published macro:
    towers at their smeared positions in a histogram that spans -4 to +4 cells of the HCal cell's centre, so that the
    outermost half column is lost. Otherwise the energy inside the windows is conserved.

    Args:
        candidates: from `select_candidates`.

    Returns:
        As many images as candidates, none for none.

    Raises:
        DataError: something else than candidates.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> images = make_images(hepml.select_candidates(events))
        >>> images.ecal_et.shape[1:], images.hcal_et.shape[1:]
        ((31, 31, 1), (32, 32, 1))

    Source:
        arXiv:2011.01984, Sec. II; window and order as in its image macro.
    """
    check_kind(candidates, Candidates, "select_candidates(events)")
    places = (candidates.row, candidates.cell, candidates.hcal_first)
    sparse = _filled(candidates.geometry, candidates.convention, candidates.cells, places)
    return Images(candidates.geometry, sparse, candidates.entry, candidates.hcal_offset, candidates.convention)


def images_at(
    events: Events,
    eta: ArrayLike,
    phi: ArrayLike,
    row: ArrayLike | None = None,
    *,
    geometry: Geometry | None = None,
    overlap: str = "share",
    energy: bool = True,
) -> tuple[Images, NDArray[np.uint8]]:
    """The images around given positions: no candidates, no search for the hottest cell.

    The ECal cell that holds a position is the centre of its image; all else is as in `make_images`.

    Args:
        events: from `open_events` or `iterate_events`.
        eta, phi: positions, shape (n,), radians.
        row: row of each position's event in `events`, integers, shape (n,); default: one position an event.
        geometry, overlap: as for `select_candidates`.
        energy: make the images of E too; without them it takes less time.

    Returns:
        images: of the positions that have any, in order; none for no events.
        status: code of `hepml.candidates.STATUS_NAMES` of every position, uint8, shape (n,): 0 has images; the others
            lie "outside_grid" or so near its end that an image leaves it ("image_window"), or are "not_finite", they
            or a tower of their event.

    Raises:
        DataError: not events; eta, phi and row of different lengths; rows that are not there.
        GranularityError: towers that do not nest, with ``overlap="refuse"``.
        SchemaError: a geometry from which no image can be cut.

    Example:
        >>> from importlib.resources import files
        >>> import hepml
        >>> events = hepml.open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=20)
        >>> images, status = images_at(events, np.zeros(20), np.linspace(-3, 3, 20))
        >>> len(images), status.max()
        (20, 0)
    """
    check_kind(events, Events, "open_events(PATH)")
    geometry = events.geometry if geometry is None else geometry
    check_kind(geometry, Geometry, "Geometry(...)")
    core = core_geometry(replace(geometry, search=0))
    at = [np.ascontiguousarray(values, dtype=np.float64) for values in (eta, phi)]
    rows = np.arange(len(events)) if row is None else np.ascontiguousarray(row, dtype=np.int64)
    if not rows.ndim == at[0].ndim == at[1].ndim == 1 or not len(rows) == len(at[0]) == len(at[1]):
        raise DataError(
            "positions that cannot be used",
            expected=f"as many of each, {len(events)} (one an event) where row is not given",
            found=f"eta {at[0].shape}, phi {at[1].shape}, row {rows.shape}",
        )
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(events):
        raise DataError(
            "rows of events that are not there", expected=f"0 to {len(events) - 1}", found=rows.tolist()[:5]
        )
    cells, _ = towers_at_cells(events, geometry, False, overlap, count=False)
    status, cell, hcal_first, hcal_offset = _core.find_candidates(core, 0, *cells, rows, *at)
    kept = np.flatnonzero(status == 0)
    sparse = _filled(geometry, None, cells, (rows[kept], cell[kept], hcal_first[kept]), energy)
    return Images(geometry, sparse, events.entry[rows[kept]], hcal_offset[kept]), status


def _filled(
    geometry: Geometry,
    convention: str | None,
    cells: tuple[TowerArrays, TowerArrays],
    places: tuple[Any, Any, Any],
    energy: bool = True,
) -> dict[str, SparseImages]:
    """The images of candidates at `places` (row, cell, hcal_first): all four, or those of ET."""
    parts = fill_sparse(core_geometry(geometry), convention, cells, places, energy)
    sides = {"et": geometry.ecal_window, "ee": geometry.ecal_window} | dict.fromkeys(("ht", "he"), geometry.hcal_window)
    names = IMAGE_NAMES if energy else ("et", "ht")
    return {
        name: SparseImages(part[0], part[1], part[2], (sides[name], sides[name]))
        for name, part in zip(names, parts, strict=True)
    }


def expand_hcal(cells: ArrayLike, expand: int = 4) -> NDArray[np.float32]:
    """HCal cells as pixels: each cell divided equally over `expand` x `expand` pixels; the sum stays.

    Args:
        cells: shape (n, side, side), GeV.
        expand: pixels along each axis of a cell.

    Returns:
        float32, shape (n, side * expand, side * expand); none for none.

    Raises:
        DataError: another shape, or a division that makes no sense.

    Example:
        >>> expand_hcal(np.full((1, 8, 8), 16.0)).shape
        (1, 32, 32)
    """
    array = np.asarray(cells, dtype=np.float32)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or not 1 <= expand <= 64:
        raise DataError(
            "not cells to expand",
            expected="shape (n, side, side), expand from 1 to 64",
            found=f"shape {array.shape}, expand {expand}",
        )
    n, side, _ = array.shape
    flat = np.ascontiguousarray(array.reshape(n, side * side))
    pixels: NDArray[np.float32] = _core.expand_hcal(flat, side, expand)
    return pixels.reshape(n, side * expand, side * expand)
