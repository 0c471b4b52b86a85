"""What a killed command leaves: is it whole, and what it should be?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def same(one: Path, other: Path) -> bool:
    """Whether two outputs are equal: byte for byte, ROOT files in content; logs of times and hosts always are."""
    if one.name == "log.txt" or one.name.endswith(".log.json"):
        return True
    if one.suffix != ".root":
        return one.read_bytes() == other.read_bytes()
    return bool(_content(one) == _content(other))


def _content(path: Path) -> dict[str, Any]:
    import uproot

    with uproot.open(path) as file:
        trees = {key: file[key] for key in file.keys(cycle=False)}
        return {
            key: (tree.arrays(library="ak").tolist().__repr__() if hasattr(tree, "arrays") else str(tree))
            for key, tree in trees.items()
        }


def visible(folder: Path) -> dict[str, Path]:
    """The files below a folder that are not hidden, nor in a hidden folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(files)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def hidden(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name.startswith(".")]


def wrong(command: str, folder: Path, begun: dict[str, bytes], whole: dict[str, Path]) -> list[str]:
    """Files under their own names that are neither as they were nor as they are to be."""
    if command == "train":
        return _wrong_run(folder / "run", whole)
    return [
        name
        for name, path in visible(folder).items()
        if begun.get(name) != path.read_bytes() and not (name in whole and same(path, whole[name]))
    ]


def _wrong_run(run: Path, whole: dict[str, Path]) -> list[str]:
    """A run that has not ended is refused as a whole; each of its files is whole all the same."""
    import numpy as np

    from hepml.errors import HepmlError
    from hepml.training import load_run

    try:
        load_run(run)
    except HepmlError:
        wrong = []
        for name, path in visible(run).items():
            try:
                if path.suffix == ".json":
                    json.loads(path.read_text())
                elif path.suffix == ".npz":
                    with np.load(path, allow_pickle=False) as file:
                        assert all(file[key] is not None for key in file.files)
                elif path.suffix == ".csv":
                    assert np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2).shape[1] == 4
                elif path.suffix == ".keras":
                    import zipfile

                    with zipfile.ZipFile(path) as file:
                        assert file.testzip() is None
            except Exception as error:
                wrong.append(f"{name}: {error!r}")
        return wrong
    return [name for name, path in visible(run).items() if not same(path, whole[f"run/{name}"])]
