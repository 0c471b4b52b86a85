"""What a killed command leaves: is it whole, and what it should be?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hepml.ledger import sealed

# command -> the run folders that it fills
RUNS = {"train": ["run"], "guide": ["guided/pass0", "guided/pass1"], "run": ["out/runs/hl"], "demo": ["demo/runs/hl"]}


def same(one: Path, other: Path) -> bool:
    """Whether two outputs are equal: byte for byte, ROOT files in content; logs of times and hosts always are."""
    if one.name == "log.txt" or one.name.endswith(".log.json"):
        return True
    if one.name == "ledger.json":
        return _ledger(one) == _ledger(other)
    if one.suffix != ".root":
        return one.read_bytes() == other.read_bytes()
    return bool(_content(one) == _content(other))


def _ledger(path: Path) -> dict[str, Any]:
    """The ledger of `hepml run` without the checksums of ROOT files, which hold their date."""
    from hepml.workflow.books import Books

    steps = Books(path.parent).entries  # raises what is wrong with it
    return {
        name: step | {"outputs": {k: None if k.endswith(".root") else v for k, v in step["outputs"].items()}}
        for name, step in steps.items()
    }


def _content(path: Path) -> dict[str, Any]:
    import uproot

    with uproot.open(path) as file:
        return {key: _told(file[key]) for key in file.keys(cycle=False)}


def _told(thing: Any) -> str:
    """All values of a tree, a histogram, a profile or a text; a directory's are told of each in it."""
    if hasattr(thing, "arrays"):
        return repr(thing.arrays(library="ak").tolist())
    if hasattr(thing, "to_numpy"):
        return repr([each.tolist() for each in thing.to_numpy()])
    if hasattr(thing, "keys"):
        return "directory"
    if hasattr(thing, "errors"):  # a profile
        return repr([thing.values().tolist(), thing.errors().tolist()])
    text = str(thing)
    assert " at 0x" not in text, text
    return text


def visible(folder: Path) -> dict[str, Path]:
    """The files below a folder that are not hidden, nor in a hidden folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(files)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def hidden(folder: Path) -> list[str]:
    """What is left behind; the known checksums of `hepml run` are there to stay."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob(".*")]
    return [name for name in names if name != "out/.checksums.json"]


def wrong(command: str, folder: Path, begun: dict[str, bytes], whole: dict[str, Path]) -> list[str]:
    """Files under their own names that are neither as they were nor as they are to be."""
    runs = RUNS.get(command, [])
    found = [one for run in runs for one in _wrong_run(folder, run, whole)]
    for name, path in visible(folder).items():
        if any(name.startswith(f"{run}/") for run in runs) or begun.get(name) == path.read_bytes():
            continue
        if name == "guided/state.json":  # it says how far the search is
            found += _wrong_state(path, whole[name])
            continue
        if path.name == "ledger.json":  # it says how far the steps are
            try:
                _ledger(path)
            except Exception as error:
                found.append(f"{name}: {error!r}")
        elif name not in whole or not same(path, whole[name]):
            found.append(name)
    return found


def _wrong_state(path: Path, whole: Path) -> list[str]:
    """The state of a search whose last choices are still to come."""
    now, then = (json.loads(one.read_text()) for one in (path, whole))
    chosen = then["chosen"][: len(now["chosen"])]
    return [] if sealed({**then, "chosen": chosen}) == now else [path.name]


def _wrong_run(folder: Path, where: str, whole: dict[str, Path]) -> list[str]:
    """A run that has not ended is refused as a whole; each of its files is whole all the same."""
    import numpy as np

    from hepml.errors import HepmlError
    from hepml.training import load_run

    run = folder / where
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
    return [name for name, path in visible(run).items() if not same(path, whole[f"{where}/{name}"])]
