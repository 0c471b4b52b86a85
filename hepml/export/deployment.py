"""What a file says about its use: what the inputs were in training, and what else the network is valid for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from hepml.errors import DataError
from hepml.export.inputs import InputRecord
from hepml.ranges import measure_ranges

__all__ = ["Ranges", "deployment"]

Ranges = Mapping[str, Any] | Callable[[Sequence[str]], Iterable[Mapping[str, ArrayLike]]]


def deployment(
    records: Sequence[InputRecord], ranges: Ranges | None, validity: Mapping[str, str] | None
) -> dict[str, Any]:
    """The keys `ranges` and `validity` of the block `hepml`.

    Args:
        records: the model's inputs.
        ranges: measured already, or a function that takes the names of the inputs and gives batches of raw arrays.
        validity: texts by key.

    Raises:
        DataError: data that do not fit the inputs, or a validity that is no text.
    """
    if callable(ranges):
        variables = {record.written_name or record.name: record.variables for record in records}
        ranges = measure_ranges(ranges(list(variables)), variables)
    for key, value in (validity or {}).items():
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise DataError("the validity is no text", where=f"validity, {key!r}", expected="text by key", found=value)
    return {"ranges": None if ranges is None else dict(ranges), "validity": dict(validity or {})}
