"""Where the scores of each input go."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hepml.errors import DataError
from hepml.ledger import check_not_input, check_output
from hepml.trees import Source

__all__ = ["outputs_of"]


def outputs_of(sources: list[Source], output: Path, overwrite: bool) -> list[Path]:
    """The output of each input, after the checks that need no work."""
    if output.suffix == ".root":
        if len(sources) > 1:
            raise DataError(
                "several inputs for one output file",
                where=output,
                found=f"{len(sources)} inputs",
                fix="give a folder: a name that does not end in .root",
            )
        paths = [output]
    else:
        paths = [output / name for name in _names([source.path for source in sources])]
    for path, source in zip(paths, sources, strict=True):
        if paths.count(path) > 1:
            raise DataError("two inputs have the same output", where=path, fix="apply them into different folders")
        if not source.remote:
            check_not_input(path, [source.path])
        check_output(path, overwrite)
    return paths


def _names(paths: list[str]) -> list[str]:
    """An output name for each input; inputs of equal base names get a hash of their full path."""
    stems = [Path(path).name.removesuffix(".root") for path in paths]
    full = [path if "://" in path else os.path.realpath(path) for path in paths]
    marks = [hashlib.sha256(os.fsencode(path)).hexdigest()[:16] for path in full]
    return [
        f"{stem}-{mark}.root" if stems.count(stem) > 1 else f"{stem}.root"
        for stem, mark in zip(stems, marks, strict=True)
    ]
