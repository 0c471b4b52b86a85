"""The report of a TMVA.root: a folder of figures and numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hepml.errors import OutputError
from hepml.ledger import atomic_folder, check_not_input, read_json, write_json
from tmva_bridge.report.reading import open_output

__all__ = ["report"]

_FORMAT, _NAME = "hepml-tmva-report", "report.json"


def report(
    path: str | Path,
    folder: str | Path,
    *,
    loader: str | None = None,
    overwrite: bool = False,
    telling: Callable[[str], object] = lambda _line: None,
) -> dict[str, Any]:
    """Draws what TMVA's GUI draws of an output file, and writes report.json.

    Args:
        path: of a TMVA.root, of TMVA's Factory or of `write_output`.
        folder: to make; whole or not at all.
        loader: the DataLoader, if the file holds several.
        overwrite: replace a folder that an earlier report made.
        telling: gets a line for each figure.

    Returns:
        What report.json holds: file, loader, analysis, classes, methods with ROC integral and overtraining test,
        and names of the figures, each of which is there as .pdf, .png and .json.

    Raises:
        InputFileError, DataError: as `open_output`.
        OutputError: the folder exists, or holds something else than a report, or cannot be written.
    """
    from tmva_bridge.report.figures import figures, numbers

    folder = Path(folder)
    check_not_input(folder, [path])
    if overwrite and folder.is_dir() and any(folder.iterdir()) and not _is_report(folder):
        raise OutputError(
            "the folder holds something else than a report", where=folder, fix="choose another name, or remove it"
        )
    with open_output(path, loader) as output, atomic_folder(folder, overwrite) as temporary:
        names = []
        for name, figure in figures(output):
            telling(f"draw {name}")
            figure.save(temporary, name)
            names.append(name)
        record = {
            "format": _FORMAT,
            "format_version": 1,
            "file": Path(path).name,
            "loader": output.loader,
            "analysis": output.analysis,
            "classes": list(output.classes),
            "methods": numbers(output),
            "figures": names,
        }
        write_json(temporary / _NAME, record)
    return record


def _is_report(folder: Path) -> bool:
    found = folder / _NAME
    return found.is_file() and read_json(found).get("format") == _FORMAT
