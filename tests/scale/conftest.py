"""The bundled sample cut into files, as a batch of jobs would find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepml.trees import Events
from hepml.trees.skimming import skim

EDGES = (0, 700, 800, 1900, 2500)


@pytest.fixture(scope="session")
def files(sample: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Four files of each class, of 700, 100, 1100 and 600 events."""
    folder = tmp_path_factory.mktemp("files")

    def between(first: int, last: int) -> object:
        def keep(events: Events) -> np.ndarray:
            return (events.entry >= first) & (events.entry < last)

        return keep

    made: dict[str, list[Path]] = {}
    for name, path in sample.items():
        made[name] = [folder / f"{name}{number}.root" for number in range(len(EDGES) - 1)]
        for output, first, last in zip(made[name], EDGES, EDGES[1:], strict=False):
            skim(path, output, between(first, last))
    return made
