"""Towers of a ROOT file as the plain numbers that trigger.cpp reads.

    python towers.py events.root towers.bin [--layout NAME|file.yaml]

One event is its leading object (pT, eta, phi) and the towers of both calorimeters: ET, eta and phi of the cell, E.
"""

import argparse
from pathlib import Path

import numpy as np

import hepml

MAGIC = b"towers01"


def write(source: str, target: Path, layout: str | None = None) -> int:
    """Little-endian: 8 bytes of magic; int64 events; float64 objects (events, 3); then for ECal and HCal int64 offsets
    (events + 1) and float64 towers (n, 4)."""
    events = hepml.open_events(source, layout=layout)
    candidates = hepml.select_candidates(events)
    rows = np.asarray(candidates.row)
    parts = [MAGIC, np.int64(len(rows)), np.column_stack([candidates.pt, candidates.eta, candidates.phi])]
    for towers in (events.ecal, events.hcal):
        eta, phi = towers.eta, towers.phi
        if towers.edges is not None:
            eta, phi = ((towers.edges[:, i] + towers.edges[:, i + 1]) / 2 for i in (0, 2))
        table = np.column_stack([towers.et, eta, phi, towers.e])
        spans = [slice(towers.offsets[row], towers.offsets[row + 1]) for row in rows]
        parts += [np.cumsum([0, *(part.stop - part.start for part in spans)], dtype=np.int64)]
        parts += [np.concatenate([table[part] for part in spans]) if spans else table[:0]]
    with target.open("wb") as file:
        for part in parts:
            file.write(part if isinstance(part, bytes) else np.asarray(part, np.asarray(part).dtype).tobytes())
    return len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target", type=Path)
    parser.add_argument("--layout")
    options = parser.parse_args()
    print(f"{write(options.source, options.target, options.layout)} events in {options.target}")
