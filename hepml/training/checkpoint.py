"""Everything a training needs to go on after a kill, in one file that is replaced in one step.

Weights, optimizer, dropout state, the best weights so far and the counters of the watch. Since the batches of an
epoch depend on (seed, epoch) alone, the continued training is the uninterrupted one, bit for bit.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml.dataset.npz import UNREADABLE, arrays_of
from hepml.errors import TrainingError
from hepml.ledger import atomic_path, check_regular

__all__ = ["checkpoint", "read_arrays", "read_checkpoint", "restore", "write_arrays"]

Arrays = list[NDArray[Any]]
_FIX = "train again with overwrite (--overwrite)"


def checkpoint(model: Any, best: Arrays, state: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The training's state at this moment, as arrays for `write_arrays`."""
    arrays = {"state": np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)}
    if model is not None:
        arrays |= {f"variable_{k}": np.asarray(v) for k, v in enumerate(model.variables)}
        arrays |= {f"optimizer_{k}": np.asarray(v) for k, v in enumerate(model.optimizer.variables)}
    arrays |= {f"best_{k}": value for k, value in enumerate(best)}
    return arrays


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Arrays]] | None:
    """State and arrays ("variable", "optimizer", "best") of a checkpoint; None if there is none.

    Raises:
        TrainingError: it cannot be read.
    """
    if not path.exists():
        return None
    found = read_arrays(path)
    try:
        state = json.loads(found["state"].tobytes())
    except (KeyError, ValueError) as error:
        raise TrainingError("not a checkpoint", where=path, fix=_FIX) from error
    arrays = {
        kind: [found[f"{kind}_{k}"] for k in range(sum(name.startswith(f"{kind}_") for name in found))]
        for kind in ("variable", "optimizer", "best")
    }
    return state, arrays


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Writes an .npz whose bytes depend on the arrays alone, atomically."""
    buffer = io.BytesIO()  # on a full disk an open zip file would complain again when it is forgotten
    np.savez(buffer, **arrays)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz.

    Raises:
        InputFileError: a pipe.
        TrainingError: absent, truncated or damaged.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return arrays_of(file)
    except UNREADABLE as error:
        raise TrainingError("a file of the run cannot be read", where=path, found=error, fix=_FIX) from error


def restore(model: Any, arrays: dict[str, Arrays], where: Path) -> None:
    """Puts weights, dropout state and optimizer back into a compiled model.

    Raises:
        TrainingError: they are of another network.
    """
    model.optimizer.build(model.trainable_variables)
    for kind, variables in (("variable", model.variables), ("optimizer", model.optimizer.variables)):
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [array.shape for array in arrays[kind]]:
            raise TrainingError("the checkpoint is of another network", where=where, fix=_FIX)
        for variable, array in zip(variables, arrays[kind], strict=True):
            variable.assign(array)
