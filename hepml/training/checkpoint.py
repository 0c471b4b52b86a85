"""Everything a training needs to go on after a kill, in one file that is replaced in one step.

Weights, optimizer, dropout state, the best weights so far and the counters of the watch. Since the batches of an
epoch depend on (seed, epoch) alone, the continued training is the uninterrupted one, bit for bit.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.errors import TrainingError
from hepml.ledger import atomic_path

__all__ = ["read_checkpoint", "restore", "write_checkpoint"]

Arrays = list[NDArray[Any]]


def write_checkpoint(path: Path, model: Any, best: Arrays, state: dict[str, Any]) -> None:
    """Writes the training's state, atomically."""
    arrays = {"state": np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)}
    if model is not None:
        arrays |= {f"variable_{k}": np.asarray(v) for k, v in enumerate(model.variables)}
        arrays |= {f"optimizer_{k}": np.asarray(v) for k, v in enumerate(model.optimizer.variables)}
    arrays |= {f"best_{k}": value for k, value in enumerate(best)}
    with atomic_path(path, overwrite=True) as temporary:
        np.savez(temporary, **arrays)


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Arrays]] | None:
    """State and arrays ("variable", "optimizer", "best") of a checkpoint; None if there is none.

    Raises:
        TrainingError: it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            state = json.loads(file["state"].tobytes())
            arrays: dict[str, Arrays] = {}
            for kind in ("variable", "optimizer", "best"):
                count = sum(name.startswith(f"{kind}_") for name in file.files)
                arrays[kind] = [file[f"{kind}_{k}"] for k in range(count)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(
            "the checkpoint cannot be read", where=path, found=error, fix="train again with overwrite (--overwrite)"
        ) from error
    return state, arrays


def restore(model: Any, arrays: dict[str, Arrays], where: Path) -> None:
    """Puts weights, dropout state and optimizer back into a compiled model.

    Raises:
        TrainingError: they are of another network.
    """
    model.optimizer.build(model.trainable_variables)
    for kind, variables in (("variable", model.variables), ("optimizer", model.optimizer.variables)):
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [array.shape for array in arrays[kind]]:
            raise TrainingError(
                "the checkpoint is of another network", where=where, fix="train again with overwrite (--overwrite)"
            )
        for variable, array in zip(variables, arrays[kind], strict=True):
            variable.assign(array)
