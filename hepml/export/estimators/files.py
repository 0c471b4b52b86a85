"""Which files are XGBoost's."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["is_booster_file"]


def is_booster_file(path: Path) -> bool:
    """Whether a path names a model file of XGBoost: .ubj, or a .json that begins as XGBoost's does.

    Example:
        >>> is_booster_file(Path("model.ubj")), is_booster_file(Path("model.keras"))
        (True, False)
    """
    if path.suffix != ".json" or not path.is_file():
        return path.suffix == ".ubj"
    with path.open("rb") as stream:
        return re.match(rb'\s*\{\s*"(learner|version)"', stream.read(256)) is not None
