"""What is where in data.h5.

    et ht ee he / <split>                    images; layout "sparse": counts, index, value; layout "dense": the paper's
    hl mass et_mass ee_mass / <split>        (N, 7), (N, 1) float32
    y / <split>                              (N,) float32: 1 signal, 0 background; or class number; or target
    candidate / <split> / <column>           who the row is: see COLUMNS
    attributes of the file                   format, layout, geometry, scaling, task, provenance ... as JSON text

Splits are train, valid and test; a row has the same position in every group of its split. A sparse image is the list
of its non-zero cells: `counts` says how many, `index` is row * columns + column, ascending, `value` in GeV. HCal images
are stored as their 8x8 cells; the reader divides each into 4x4 pixels as the paper's layout has it.
"""

from __future__ import annotations

from hepml.errors import DataError, nearest
from hepml.identity import SPLITS

__all__ = ["COLUMNS", "EVENT_WEIGHT", "FORMAT", "FORMAT_VERSION", "SPLITS", "check_split"]

FORMAT = "hepml-data"
FORMAT_VERSION = 1

# column of candidate/<split>: its type and, if it has one, its second dimension
COLUMNS: dict[str, tuple[str, int | None]] = {
    "identity": ("<u8", None),  # hash of (run, lumi, event, index) or (content checksum, entry, index)
    "group": ("<u8", None),  # hash of the event, or of the user's group: decides the split
    "entry": ("<i8", None),  # entry of the tree
    "index": ("<i4", None),  # position in the seed collection
    "file_id": ("<i4", None),  # row of provenance.inputs
    "sample_id": ("<i4", None),  # row of provenance.samples
    "truth": ("|u1", None),  # code of hepml.truth.TRUTH_CLASSES
    "hard": ("|u1", None),  # 1 if it passes the preselection "hard"
    "weight": ("<f8", None),  # event weight, may be negative
    "pt": ("<f4", None),  # GeV
    "eta": ("<f4", None),
    "phi": ("<f4", None),
    "pileup": ("<f4", None),  # NaN where the layout names none
    "hcal_offset": ("<f8", 2),  # (deta, dphi) of the HCal window's centre from the ECal window's
}
# column that is there if the weights are normalised to cross sections: the weight as it was read
EVENT_WEIGHT = "event_weight"


def check_split(split: str) -> None:
    """Raises DataError unless `split` is train, valid or test."""
    if split not in SPLITS:
        raise DataError(f"no split is named {split!r}", expected=", ".join(SPLITS), nearest=nearest(str(split), SPLITS))
