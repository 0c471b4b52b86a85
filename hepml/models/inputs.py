"""What a network takes: one record an input, with all that a file of the exported network must say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import SchemaError

__all__ = ["IMAGE_TOKENS", "InputSpec"]

IMAGE_TOKENS = ("et", "ee", "ht", "he")


@dataclass(frozen=True)
class InputSpec:
    """One input of a network; the network takes its raw values.

    Attributes:
        name: the token, which is the name of the Keras input.
        shape: of one event, (rows, columns, channels) for an image, (n,) for a vector, (steps, n) or (None, n) for a
            sequence.
        variables: names of the columns of a vector, or of a step; empty for an image.
        geometry: `Geometry.to_dict()` of the images that the input is or is computed from, or None.
        offset, scale: x' = (x + offset) * scale is what the first layer sees; per column for a vector or a step, one
            number for an image; None where the network does not rescale.
        minimum, maximum: of the raw values in training, as many numbers.
        reference: up to 16 raw events of the validation split, shape (n, *shape), float32, or None.
        convention: of candidates, images and variables; None is the correct one.
        collection: the objects that were the candidates ("electron", "jet" ...), None where unknown.
        towers: which towers of an event count, `{"max": N or None, "not_finite": "drop" or "keep"}`; None where all do.

    Example:
        >>> InputSpec("hl", (7,)).is_image
        False
    """

    name: str
    shape: tuple[int | None, ...]
    variables: tuple[str, ...] = ()
    geometry: dict[str, Any] | None = None
    offset: list[float] | None = None
    scale: list[float] | None = None
    minimum: list[float] | None = None
    maximum: list[float] | None = None
    reference: NDArray[np.float32] | None = None
    convention: str | None = None
    collection: str | None = None
    towers: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for key in ("offset", "scale", "minimum", "maximum"):
            value = getattr(self, key)
            if value is not None and len(value) != self.width:
                raise SchemaError(
                    f"input {self.name!r}: {key} does not fit the shape",
                    expected=f"{self.width} numbers for shape {self.shape}",
                    found=f"{len(value)}",
                )

    @property
    def is_image(self) -> bool:
        """Whether one event is (rows, columns, channels)."""
        return len(self.shape) == 3

    @property
    def width(self) -> int:
        """Columns of a vector or of a step, 1 for an image: how many numbers `offset` and the others hold."""
        return 1 if self.is_image else self.shape[-1] or 1

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings; the reference events are kept apart, as an array."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "variables": list(self.variables),
            "geometry": self.geometry,
            "offset": self.offset,
            "scale": self.scale,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "convention": self.convention,
            "collection": self.collection,
            "towers": self.towers,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any], reference: NDArray[np.float32] | None = None) -> InputSpec:
        """The inverse of `to_dict`; raises SchemaError on unknown or missing keys."""
        try:
            shape, variables = tuple(record["shape"]), tuple(record["variables"])
            return cls(**{**record, "shape": shape, "variables": variables, "reference": reference})
        except (KeyError, TypeError) as error:
            raise SchemaError("not the record of a network input", found=str(error)) from error
