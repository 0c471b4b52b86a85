"""Small ROOT files of one electron and its towers an event, and ways to damage them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

__all__ = ["basket_of", "content", "layout", "numbered", "record_of", "write"]

N_ECAL, N_HCAL = 12, 5
_TOWER = ("ET", "E", "Eta", "Phi")


def content(n: int = 30, seed: int = 0) -> dict[str, Any]:
    """Branch -> array: `n` events of weight 1, each with an electron amid a dozen ECal and five HCal towers."""
    rng = np.random.default_rng(seed)
    eta, phi = rng.uniform(-2, 2, (n, 1)), rng.uniform(-3, 3, (n, 1))
    columns: dict[str, Any] = {
        "Electron_PT": rng.uniform(20, 60, (n, 1)),
        "Electron_Eta": eta,
        "Electron_Phi": phi,
    }
    for name, towers, size in (("ECal", N_ECAL, 0.05), ("HCal", N_HCAL, 0.2)):
        place = eta + rng.uniform(-size, size, (n, towers))
        energy = rng.exponential(5, (n, towers))
        values = (energy, energy * np.cosh(place), place, phi + rng.uniform(-size, size, (n, towers)))
        columns |= {f"{name}Towers_{key}": one for key, one in zip(_TOWER, values, strict=True)}
    jagged = {name: ak.from_regular(ak.Array(values.astype(np.float32))) for name, values in columns.items()}
    return {**jagged, "weight": ak.Array(np.ones(n))}


def write(path: Path, columns: Mapping[str, Any] | None = None, *trees: str, compression: Any = None) -> Path:
    """A ROOT file that holds the columns in each of the trees; "Delphes" if none is named."""
    columns = content() if columns is None else columns
    with uproot.recreate(path, compression=compression) as file:
        for name in trees or ("Delphes",):
            tree = file.mktree(name, {key: ak.type(values).content for key, values in columns.items()})
            tree.extend(columns)
    return path


def numbered(path: Path, numbers: list[int], seed: int) -> Path:
    """A file whose events have run, lumi and event numbers, which the line `event: {...}` of a layout reads."""
    one = ak.Array(np.ones(len(numbers), np.int64))
    more = {"run": one, "lumi": one, "event": ak.Array(np.array(numbers, np.int64))}
    return write(path, {**content(len(numbers), seed), **more})


def record_of(path: Path) -> Mapping[str, Any]:
    """What a data file says of its first input."""
    from hepml.dataset import Dataset

    entry: Mapping[str, Any] = Dataset.open(path).provenance["inputs"][0]
    return entry


def basket_of(path: Path, branch: str) -> tuple[int, int]:
    """Where the first basket of a branch begins in the file, behind its key, and how many bytes it has there."""
    with uproot.open(path) as file:
        key = file["Delphes"][branch].basket_key(0)
        return key.fSeekKey + key.fKeylen, key.fNbytes - key.fKeylen


def layout(folder: Path, *lines: str) -> Path:
    """The flat branches of `content` as a layout, with more lines."""
    towers = "{et: %s_ET, e: %s_E, eta: %s_Eta, phi: %s_Phi}"
    path = folder / "mine.yaml"
    path.write_text(
        "format: hepml-layout\nversion: 1\nname: mine\ntowers:\n"
        + "".join(
            f"  {key}: {towers % ((name,) * 4)}\n" for key, name in (("ecal", "ECalTowers"), ("hcal", "HCalTowers"))
        )
        + "objects:\n  electron: {pt: Electron_PT, eta: Electron_Eta, phi: Electron_Phi}\n"
        + "".join(f"{line}\n" for line in lines)
    )
    return path
