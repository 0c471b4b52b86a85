"""Writes data.h5: rows are appended split by split as they come, memory does not grow with their number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepml.dataset.blocks import Block, Reblocker
from hepml.dataset.checksum import content_checksum
from hepml.dataset.layout import COLUMNS, EVENT_WEIGHT, FORMAT, FORMAT_VERSION, SPLITS
from hepml.dataset.pixels import expanded
from hepml.dataset.repeats import count_repeats
from hepml.dataset.scaling import fit_flat, fit_image
from hepml.dataset.sink import Sink
from hepml.dataset.tokens import IMAGES
from hepml.geometry import Geometry
from hepml.identity import split_of
from hepml.ledger import json_text

__all__ = ["Writer"]

_ROWS = 1 << 13  # rows that are taken together
_TOGETHER = 1 << 16  # bytes of a data set that are written together, at least


@dataclass(frozen=True)
class _Shape:
    """Type and shape of one row, how many rows are a chunk, and whether chunks are packed with deflate."""

    dtype: str
    tail: tuple[int, ...] = ()
    chunk: int = 1024
    pack: bool = False


class _Series:
    """A data set that grows, and the SHA-256 of its bytes. HDF5 keeps two of its chunks in memory, not 1 MB of them."""

    def __init__(self, parent: h5py.Group, name: str, shape: _Shape) -> None:
        packing = {"compression": "gzip", "compression_opts": 1} if shape.pack else {}
        self._data = parent.create_dataset(
            name,
            shape=(0, *shape.tail),
            maxshape=(None, *shape.tail),
            chunks=(shape.chunk, *shape.tail),
            dtype=shape.dtype,
            fletcher32=True,
            track_times=False,
            rdcc_nbytes=2 * shape.chunk * int(np.prod(shape.tail)) * np.dtype(shape.dtype).itemsize,
            **packing,
        )
        self._rows, self._tail = 0, shape.tail
        self._waiting: list[NDArray[Any]] = []
        self._digest = hashlib.sha256()

    def extend(self, values: NDArray[Any]) -> None:
        """Appends rows; they are written when they are worth a call of HDF5."""
        self._waiting.append(np.ascontiguousarray(values, dtype=self._data.dtype))
        if sum(one.nbytes for one in self._waiting) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        values = np.concatenate(self._waiting) if self._waiting else np.empty(0)
        self._waiting = []
        if not len(values):
            return
        start, self._rows = self._rows, self._rows + len(values)
        self._data.id.set_extent((self._rows, *self._tail))  # as resize and assignment do, in half the time
        place = self._data.id.get_space()
        place.select_hyperslab((start, *(0 for _ in self._tail)), values.shape)
        self._data.id.write(h5py.h5s.create_simple(values.shape), place, values)
        self._digest.update(values.data)

    def steps(self, rows: int = 1 << 20) -> Iterator[tuple[slice, NDArray[Any]]]:
        """What is there, so many rows at a time, and where."""
        for start in range(0, len(self._data), rows):
            where = slice(start, min(start + rows, len(self._data)))
            yield where, self._data[where]

    def multiply(self, factors: NDArray[np.float64], numbers: _Series) -> None:
        """Multiplies every value with the factor whose number another series has in its place."""
        self._digest = hashlib.sha256()
        for (where, values), (_, number) in zip(self.steps(), numbers.steps(), strict=True):
            scaled = values * factors[number]
            self._data[where] = scaled
            self._digest.update(scaled.tobytes())

    def close(self) -> None:
        self._data.attrs["sha256"] = self._digest.hexdigest()


class Writer:
    """Appends blocks of rows to a new data.h5.

    Args:
        sink: the new file.
        geometry: grids and windows of the images.
        variables: flat token -> names of its columns.
        dense: write images as the published files have them, (N, 31, 31, 1) and (N, 32, 32, 1).
        targets: columns of y; 0 for a label, shape (N,).
        normalised: weights will be multiplied at the end; as they were read they are kept in `event_weight`.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        geometry: Geometry,
        variables: Mapping[str, tuple[str, ...]],
        dense: bool = False,
        targets: int = 0,
        normalised: bool = False,
    ) -> None:
        self._sink = sink
        self._geometry = geometry
        self._dense = dense
        self._normalised = normalised
        self._variables = dict(variables)
        self._blocks = Reblocker(_ROWS)
        self._series: dict[str, _Series] = {}
        self._energy = dict.fromkeys(IMAGES, 0.0)  # of the training images
        self.rows = dict.fromkeys(SPLITS, 0)
        for token, names in self._variables.items():
            self._sink.group(token).attrs["variables"] = json_text(names)
        for split in SPLITS:
            self._create_split(split, (targets,) if targets else ())

    def _create_split(self, split: str, targets: tuple[int, ...]) -> None:
        for token, names in self._variables.items():
            self._create(f"{token}/{split}", _Shape("<f4", (len(names),)))
        for token, image in IMAGES.items():
            geometry, ecal = self._geometry, image.calorimeter == "ecal"
            if self._dense:
                side = geometry.ecal_window if ecal else geometry.hcal_pixels
                self._create(f"{token}/{split}", _Shape("<f4", (side, side, 1), chunk=128, pack=True))
            else:
                side = geometry.ecal_window if ecal else geometry.hcal_window
                self._sink.group(f"{token}/{split}").attrs["shape"] = (side, side)
                self._create(f"{token}/{split}/counts", _Shape("<u2"))
                self._create(f"{token}/{split}/index", _Shape("<u2", chunk=8192))
                self._create(f"{token}/{split}/value", _Shape("<f4", chunk=8192))
        self._create(f"y/{split}", _Shape("<f4", targets))
        for name, (dtype, width) in COLUMNS.items():
            self._create(f"candidate/{split}/{name}", _Shape(dtype, (width,) if width else ()))
        if self._normalised:
            self._create(f"candidate/{split}/{EVENT_WEIGHT}", _Shape("<f8"))

    def _create(self, name: str, shape: _Shape) -> None:
        above, _, last = name.rpartition("/")
        self._series[name] = _Series(self._sink.group(above), last, shape)

    def append(self, block: Block) -> None:
        """Appends rows; each goes to the split that the hash of its group says."""
        for full in self._blocks.add(block):
            self._write(full)

    def _write(self, block: Block) -> None:
        which = split_of(block.columns["group"])
        for number, split in enumerate(SPLITS):
            rows = np.flatnonzero(which == number)
            if not len(rows):
                continue
            part = block.take(rows)
            self.rows[split] += len(rows)
            self._series[f"y/{split}"].extend(part.y)
            for token in self._variables:  # in a fixed order: it decides where in the file the chunks are
                self._series[f"{token}/{split}"].extend(part.flats[token])
            for name in COLUMNS:
                self._series[f"candidate/{split}/{name}"].extend(part.columns[name])
            if self._normalised:
                self._series[f"candidate/{split}/{EVENT_WEIGHT}"].extend(part.columns["weight"])
            for token in IMAGES:
                images = part.images[token]
                if split == "train":
                    self._energy[token] += float(np.sum(images.value, dtype=np.float64))
                if self._dense:
                    self._series[f"{token}/{split}"].extend(expanded(images.dense(), token, self._geometry)[..., None])
                else:
                    self._series[f"{token}/{split}/counts"].extend(images.counts)
                    self._series[f"{token}/{split}/index"].extend(images.index)
                    self._series[f"{token}/{split}/value"].extend(images.value)

        self._sink.check()

    def flush(self) -> None:
        """Writes the rows that still wait for their block, or their data set, to fill."""
        for block in self._blocks.rest():
            self._write(block)
        for series in self._series.values():
            series.flush()

    def duplicates(self) -> int:
        """Rows whose identity an earlier row has; call after `flush`."""
        every = (self._series[f"candidate/{split}/identity"].steps(1 << 18) for split in SPLITS)
        values = (values for steps in every for _, values in steps)
        return count_repeats(values, sum(self.rows.values()), self._sink.folder)

    def finish(self, attributes: Mapping[str, Any], weight_factors: Sequence[float] = ()) -> None:
        """Fits the scaling, stores the attributes (as JSON, unless text or number) and the checksums.

        Args:
            weight_factors: what the weights of each sample are multiplied by; known only when all is read.
        """
        self.flush()
        file = self._sink.file
        if any(factor != 1.0 for factor in weight_factors):
            for split in SPLITS:
                samples = self._series[f"candidate/{split}/sample_id"]
                self._series[f"candidate/{split}/weight"].multiply(np.asarray(weight_factors), samples)
        for series in self._series.values():
            series.close()
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["layout"] = "dense" if self._dense else "sparse"
        file.attrs["geometry"] = json_text(self._geometry.to_dict())
        scaling = {token: fit_image(energy, self.rows["train"]) for token, energy in self._energy.items()}
        scaling |= {token: fit_flat(file[f"{token}/train"]) for token in self._variables}
        file.attrs["scaling"] = json_text(scaling)
        for key, value in attributes.items():
            file.attrs[key] = value if isinstance(value, str | int) else json_text(value)
        file.attrs["content_sha256"] = content_checksum(file)
