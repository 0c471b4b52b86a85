"""Reads data.h5: raw values and their scaling, candidate columns, batches."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hepml.dataset.checksum import damages
from hepml.dataset.guard import checked, guarded, has_own, open_hdf5, read
from hepml.dataset.layout import COLUMNS, FORMAT, FORMAT_VERSION, SPLITS, check_split
from hepml.dataset.pixels import Pixels, folded
from hepml.dataset.scaling import apply_scaling, fit_flat
from hepml.dataset.shape import NUMBER, check_shape
from hepml.dataset.tokens import FLATS, IMAGES, TOKENS
from hepml.errors import DataError, InputFileError, VerificationError, check_path, nearest
from hepml.geometry import Geometry
from hepml.identity import fold_of
from hepml.images import SparseImages

if TYPE_CHECKING:
    from hepml.dataset.efps import EFPFile

__all__ = ["Dataset"]

_TEXT = (str, type(None))
_SHAPE = {
    "convention": str,
    "content_sha256": str,
    "task": {"kind": str, "names": [str]},
    "provenance": {
        "cut_flow": {str: int},
        "inputs": [{"name": str, "sample": str, "layout": _TEXT, "sha256": _TEXT, "read": int, "written": int}],
        "samples": [{"name": str, "cut_flow": {str: int}}],
    },
}


class Dataset:
    """A data.h5, read part by part as it is asked for; what was read stays in memory, images as sparse lists.

    Attributes:
        path: the file.
        tokens: the inputs in it, in the order of `TOKENS`.
        layout: "sparse" or "dense".
        geometry: grids and windows of the images.
        scaling: token -> {"offset": [...], "scale": [...]}, fitted on the training split; x' = (x + offset) * scale.
        convention: None, or the convention that the images were made in.
        collection: the objects that are the candidates, or None where that was not recorded.
        towers: which towers of an event count, `{"max": N or None, "not_finite": "drop" or "keep"}`; None where all do.
        task: {"kind": "binary" | "classes" | "regression", "names": [...]}.
        provenance: inputs with checksums, samples, code, configuration.
        cut_flow: name -> candidates, first "read", last "written"; read = written + the others.
        checksum: SHA-256 of the content.

    Example:
        >>> from hepml.dataset import Dataset
        >>> Dataset.open("data.h5").raw("hl", "test").shape  # doctest: +SKIP
        (7731, 7)
    """

    def __init__(
        self, path: str | Path, attributes: dict[str, Any], sizes: dict[str, int], tokens: Sequence[str]
    ) -> None:
        self.path = Path(path)
        self.tokens: tuple[str, ...] = tuple(token for token in TOKENS if token in tokens)
        self.layout: str = attributes["layout"]
        self.geometry = Geometry.from_dict(attributes["geometry"])
        self.scaling: dict[str, dict[str, list[float]]] = attributes["scaling"]
        self.convention: str | None = attributes["convention"] or None
        config = attributes["provenance"].get("config", {})
        self.collection: str | None = config.get("collection")
        towers = {"max": config.get("max_towers"), "not_finite": config.get("not_finite", "drop")}
        self.towers: dict[str, Any] | None = None if towers == {"max": None, "not_finite": "drop"} else towers
        self.task: dict[str, Any] = attributes["task"]
        self.provenance: dict[str, Any] = attributes["provenance"]
        self.cut_flow: dict[str, int] = attributes["provenance"]["cut_flow"]
        self.checksum: str = attributes["content_sha256"]
        self._variables: dict[str, tuple[str, ...]] = attributes["variables"]
        self._sizes = sizes
        self._pixels: dict[tuple[str, str], Pixels] = {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._efps: EFPFile | None = None

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Dataset:
        """Opens a file that `hepml convert` wrote.

        Args:
            verify: compare every data set with its stored checksum.

        Raises:
            DataError: not a path.
            InputFileError: absent, not HDF5, not hepml's, truncated, or written by a newer hepml.
            VerificationError: `verify` found data that do not agree with their checksum.
        """
        with open_hdf5(check_path(path)) as file:
            if file.attrs.get("format") != FORMAT:
                raise InputFileError(
                    "an HDF5 file, but not one of hepml's data files",
                    where=path,
                    expected=f"attribute format = {FORMAT!r}",
                    found="groups " + (", ".join(repr(name) for name in list(file)[:8]) or "none"),
                    fix="write it with hepml convert",
                )
            if int(file.attrs.get("format_version", 0)) > FORMAT_VERSION:
                raise InputFileError(
                    "a data file of a newer hepml",
                    where=path,
                    expected=f"format_version {FORMAT_VERSION}",
                    found=file.attrs["format_version"],
                    fix="update hepml",
                )
            if verify and (broken := damages(path)):
                raise VerificationError(
                    "the file does not agree with its checksums",
                    where=path,
                    found="damaged: " + ", ".join(broken),
                    fix="write it again with hepml convert",
                )
            attributes = _attributes(file)
            tokens = [token for token in TOKENS if has_own(file, token)]
            sizes = {split: len(guarded(file, f"y/{split}")) for split in SPLITS}
            return cls(path, attributes, sizes, tokens)

    def with_efp(self, names: Sequence[str], efps: EFPFile | None = None) -> Dataset:
        """The same file with one more input, `efp`: columns of energy-flow polynomials.

        They are computed from the images when they are first asked for, in float64, and rounded once to float32. No
        names give the file as it is.

        Args:
            names: of the columns, see `hepml.efp.columns`.
            efps: take the values from this file of `hepml efp` instead; the last bit may differ.

        Raises:
            DataError: no such column; no images, or of other cells than those of arXiv:2011.01984; later, a column that
                float32 cannot hold.

        Example:
            >>> data = Dataset.open("data.h5").with_efp(["et_efp_2_1_0_k_1_b_1"])  # doctest: +SKIP
            >>> data.raw("efp", "test").shape  # doctest: +SKIP
            (7718, 1)
        """
        if not names:
            return self
        from hepml.dataset.efp_blocks import check_images, tokens_of

        check_images(self, tokens_of(names))
        other = copy.copy(self)
        other.tokens = tuple(token for token in TOKENS if token in {*self.tokens, "efp"})
        other._variables = self._variables | {"efp": tuple(names)}
        other._arrays, other._pixels = dict(self._arrays), dict(self._pixels)
        other._efps = efps
        return other

    def n(self, split: str) -> int:
        """Rows of a split."""
        check_split(split)
        return self._sizes[split]

    def shape(self, token: str) -> tuple[int, ...]:
        """Shape of one row of an input: (7,), (31, 31, 1) ..."""
        self._check(token)
        if token in IMAGES:
            ecal = IMAGES[token].calorimeter == "ecal"
            side = self.geometry.ecal_window if ecal else self.geometry.hcal_pixels
            return (side, side, 1)
        return (len(self._variables[token]),)

    def variables(self, token: str) -> tuple[str, ...]:
        """Names of the columns of a flat input; empty for an image."""
        self._check(token)
        return self._variables.get(token, ())

    def _check(self, token: str) -> None:
        if token in self.tokens:
            return
        known = token in TOKENS
        raise DataError(
            f"the file holds no {token!r}" if known else f"no feature is named {token!r}",
            where=self.path,
            expected=", ".join(self.tokens),
            nearest=() if known else nearest(token, TOKENS),
            fix="name the polynomials: efp_names (--efp-names)" if token == "efp" else None,
        )

    def _read(self, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name not in self._arrays:
            with open_hdf5(self.path) as file:
                if file.attrs.get("content_sha256") != self.checksum:
                    raise InputFileError("the file was replaced while it was used", where=self.path)
                self._arrays[name] = read(file, name, dtype, shape)
        return self._arrays[name]

    def pixels(self, token: str, split: str) -> Pixels:
        """The images of a split as they are kept in memory; `.dense(rows)` gives any of them as an array."""
        self._check(token)
        check_split(split)
        if token not in IMAGES:
            raise DataError(f"{token!r} is not an image", expected=", ".join(IMAGES))
        if (token, split) not in self._pixels:
            (images,) = self.parts(token, [(split, 0, self._sizes[split])])
            self._pixels[token, split] = Pixels(images, token, self.geometry)
        return self._pixels[token, split]

    def parts(self, token: str, ranges: Sequence[tuple[str, int, int]]) -> Iterator[SparseImages]:
        """Images straight from the file, for each range those from row `start` to before `stop` of a split.

        Nothing is kept in memory but where the images begin, 8 B each.

        Raises:
            InputFileError: the file was replaced or is damaged.
        """
        with open_hdf5(self.path) as file:
            if file.attrs.get("content_sha256") != self.checksum:
                raise InputFileError("the file was replaced while it was used", where=self.path)
            # each data set is checked once
            node = functools.cache(functools.partial(checked, file))
            one = self._sparse if self.layout == "sparse" else self._from_dense
            for each in ranges:
                yield one(node, token, *each)

    def offsets(self, token: str, split: str) -> NDArray[np.int64]:
        """Where the cells of each image of a sparse file begin, shape (n + 1,)."""
        key = f"{token}/{split}/offsets"
        if key not in self._arrays:
            counts = self._read(f"{token}/{split}/counts", "<u2", (self._sizes[split],))
            del self._arrays[f"{token}/{split}/counts"]
            self._arrays[key] = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        return self._arrays[key]

    def _sparse(self, node: Any, token: str, split: str, start: int, stop: int) -> SparseImages:
        side = self.geometry.ecal_window if IMAGES[token].calorimeter == "ecal" else self.geometry.hcal_window
        name, offsets = f"{token}/{split}", self.offsets(token, split)
        cells, total = slice(offsets[start], offsets[stop]), int(offsets[-1])
        index = np.asarray(node(f"{name}/index", "<u2", (total,))[cells])
        value = np.asarray(node(f"{name}/value", "<f4", (total,))[cells])
        if index.size and int(index.max()) >= side * side:
            raise InputFileError(
                "an image has a cell outside its window",
                where=f"{self.path}:{name}/index",
                expected=f"below {side * side}",
                found=int(index.max()),
            )
        return SparseImages(np.diff(offsets[start : stop + 1]).astype(np.uint16), index, value, (side, side))

    def _from_dense(self, node: Any, token: str, split: str, start: int, stop: int) -> SparseImages:
        shape = self.shape(token)
        images = node(f"{token}/{split}", "<f4", (self._sizes[split], *shape))
        parts = []
        for first in range(start, max(stop, start + 1), 4096):  # once for none
            block = np.asarray(images[first : min(first + 4096, stop)])[..., 0]
            parts.append(SparseImages.from_dense(folded(block, token, self.geometry)))
        return SparseImages.concatenate(parts)

    def sparse(self, token: str, split: str) -> SparseImages:
        """The images of a split as lists of their non-zero cells; those of the HCal as 8x8 cells."""
        return self.pixels(token, split).images

    def raw(self, token: str, split: str) -> NDArray[np.float32]:
        """The values of an input as the detector gave them: GeV, shape (n, *shape(token)), float32."""
        self._check(token)
        check_split(split)
        if token in IMAGES:
            return self.pixels(token, split).dense()
        if token == "efp":
            return self._efp(split)
        return self._read(f"{token}/{split}", "<f4", (self._sizes[split], *self.shape(token)))

    def _efp(self, split: str) -> NDArray[np.float32]:
        key = f"efp/{split}"
        if key not in self._arrays:
            from hepml.dataset.efp_input import efp_values

            self._arrays[key] = efp_values(self, self._variables["efp"], split, self._efps)
        return self._arrays[key]

    def scaled(self, token: str, split: str) -> NDArray[np.float32]:
        """The values of an input, scaled with the constants of the training split."""
        known = self.scaling.get(token)  # the file has none of polynomials
        return apply_scaling(self.raw(token, split), fit_flat(self.raw(token, "train")) if known is None else known)

    def y(self, split: str) -> NDArray[np.float32]:
        """Labels (1 signal, 0 background), class numbers or targets of a split, float32."""
        check_split(split)
        targets = len(self.task["names"]) if self.task["kind"] == "regression" else 1
        shape = (self._sizes[split],) if targets == 1 else (self._sizes[split], targets)
        return self._read(f"y/{split}", "<f4", shape)

    def column(self, name: str, split: str) -> NDArray[Any]:
        """A candidate column of a split: identity, group, weight, truth, pt ... see `layout.COLUMNS`."""
        check_split(split)
        if name == "y":
            return self.y(split)
        if name not in COLUMNS:
            raise DataError(
                f"no column is named {name!r}",
                where=self.path,
                expected=", ".join(COLUMNS),
                nearest=nearest(name, COLUMNS),
            )
        dtype, width = COLUMNS[name]
        return self._read(
            f"candidate/{split}/{name}", dtype, (self._sizes[split], width) if width else (self._sizes[split],)
        )

    def fold(self, k: int, split: str) -> NDArray[np.int8]:
        """The fold, 0 to k - 1, of every row of a split: a hash of its group, independent of the splits."""
        return fold_of(self.column("group", split), k)

    def batches(
        self,
        tokens: Sequence[str],
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        epoch: int = 0,
        shuffle: bool = True,
        rows: NDArray[np.int64] | None = None,
    ) -> Iterator[tuple[dict[str, NDArray[np.float32]], NDArray[np.float32], NDArray[np.float64]]]:
        """Raw inputs, y and weights in batches, in an order that depends on (seed, epoch) alone.

        Args:
            tokens: inputs.
            rows: only these rows of the split.

        Yields:
            ({token: (b, ...) float32}, y (b,), weight (b,)); the last batch may be shorter.
        """
        order = np.arange(self.n(split)) if rows is None else np.asarray(rows)
        if shuffle:
            order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(order)
        y, weight = self.y(split), self.column("weight", split)
        pixels = {token: self.pixels(token, split) for token in tokens if token in IMAGES}
        flats = {token: self.raw(token, split) for token in tokens if token not in IMAGES}
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            x = {token: pixels[token].dense(batch) if token in pixels else flats[token][batch] for token in tokens}
            yield x, y[batch], weight[batch]

    def __repr__(self) -> str:
        sizes = " + ".join(str(self._sizes[split]) for split in SPLITS)
        return f"<hepml.Dataset {str(self.path)!r}: {sizes} candidates, {' '.join(self.tokens)}>"


def _attributes(file: h5py.File) -> dict[str, Any]:
    """The attributes of a file, JSON read and checked."""
    found: dict[str, Any] = {key: file.attrs[key] for key in ("layout", "convention", "content_sha256")}
    for key in ("geometry", "scaling", "task", "provenance"):
        found[key] = json.loads(file.attrs[key])
    tokens = [token for token in TOKENS if has_own(file, token)]
    scaling = {token: {"offset": [NUMBER], "scale": [NUMBER]} for token in tokens}
    check_shape(found, {**_SHAPE, "scaling": scaling}, "attributes")
    if "config" in found["provenance"]:  # not in a file that a program wrote
        check_shape(found["provenance"], {"config": dict}, "attributes.provenance")
    for key, value, known in (
        ("layout", found["layout"], ("sparse", "dense")),
        ("task.kind", found["task"]["kind"], ("binary", "classes", "regression")),
    ):
        if value not in known:
            raise ValueError(f"attributes.{key} is {value[:100]!r}")
    if re.fullmatch("[0-9a-f]{64}", found["content_sha256"]) is None:
        raise ValueError("attributes.content_sha256 is no checksum")
    flats = [token for token in tokens if token in FLATS]
    found["variables"] = {token: tuple(json.loads(file[token].attrs["variables"])) for token in flats}
    return found
