"""The input `efp` of a training: energy-flow polynomials that are chosen by name or by position."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hepml.errors import SchemaError

__all__ = ["with_polynomials"]


def with_polynomials(
    data: Any, tokens: Sequence[str], names: str | Sequence[str] | None, positions: Sequence[int] | None, efps: Any
) -> Any:
    """The data of a training with the polynomials that are chosen; as they are, if the features hold no `efp`.

    Args:
        data: a path, an open `hepml.dataset.Dataset`, or None for a training on arrays.
        tokens: the features.
        names, positions, efps: see `hepml.dataset.efp_input.chosen_columns`.

    Raises:
        SchemaError: polynomials without the feature `efp`, or the other way round.
        DataError, InputFileError: as `chosen_columns`.
    """
    chosen = names is not None or positions is not None
    if data is None or "efp" not in tokens:
        if chosen:
            raise SchemaError(
                "polynomials are chosen that no input takes",
                expected="a data.h5, and efp among the features",
                found="_and_".join(tokens),
                fix='features="hl_and_efp"',
            )
        return data
    from hepml.dataset import Dataset
    from hepml.dataset.efp_input import chosen_columns

    dataset = Dataset.open(data) if isinstance(data, str | Path) else data
    if not chosen and "efp" in dataset.tokens:
        return dataset
    columns = chosen_columns(names, positions, efps, dataset)
    if not columns:
        raise SchemaError(
            "the feature efp needs polynomials",
            expected="efp_names, or efp_positions with efps",
            fix='efp_names=("et_efp_2_1_0_k_1_b_1",), or --efp-names et_efp_2_1_0_k_1_b_1',
        )
    return dataset.with_efp(columns)
