"""The truth class of a candidate, from the generator particles and tracks in its file.

What a candidate is truly is decided in this order; the first line that applies gives the class.

| # | the candidate | class |
|---|---|---|
| 1 | coincides with a track (within 0.02) whose true identity is a hadron | hadron |
| 2 | no such track; the hardest charged stable particle within 0.05 (with half of its pT) is a hadron | hadron |
| 3 | neither, but a stable photon is within 0.05 | conversion |
| 4 | neither, but a neutral hadron is within 0.05 | hadron |
| | otherwise, its track or that particle is an electron or muon. Its ancestors, where they are stored: | |
| 5 | a hadron with a b or c quark comes first (tau leptons are passed over) | heavy_flavour |
| 6 | a photon (not of the hard process), a pi0, eta, eta', rho, omega or phi (Dalitz decays) | conversion |
| 7 | another hadron: decays in flight | hadron |
| 8 | anything else: W, Z, Z', H, a parton, the beam | prompt |
| | Files that keep no ancestors (slimmed): the company it keeps | |
| 9 | the same lepton in the hard process (status 21 to 29) within 0.3 | prompt |
| 10 | its own antineutrino, a b or c hadron, or a b or c parton of the hard process within 0.4 | heavy_flavour |
| 11 | an electron with an electron of the other sign, or a photon, within 0.1 | conversion |
| 12 | a resonance (Z, W, H, Z' ...) anywhere in the event | prompt |
| 13 | a b or c parton of the hard process anywhere in the event | heavy_flavour |
| 14 | none of these, or no generator record at all | unknown |

Jets as candidates: a prompt lepton with half of the pT within 0.2 makes them prompt, a b or c hadron or parton within
0.4 heavy_flavour, any parton or hadron within 0.4 hadron. Sources: the numbering of the Particle Data Group, the status
codes of Pythia 8. Truth classes are for evaluation; they are never inputs of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hepml.errors import DataError
from hepml.geometry import delta_phi
from hepml.trees import Events, Objects

__all__ = ["TRUTH_CLASSES", "classify"]

TRUTH_CLASSES = ("unknown", "prompt", "heavy_flavour", "conversion", "hadron")
UNKNOWN, PROMPT, HEAVY, CONVERSION, HADRON = range(5)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
_Number = TypeVar("_Number", np.int64, np.float64)

_LEPTONS = (11, 13)
_DALITZ = (111, 221, 331, 113, 223, 333)
_RESONANCES = (23, 24, 25, 32, 33, 34, 35, 36, 37)
_TRACK, _PARTICLE, _COPY, _NEAR, _PAIR, _JET_LEPTON = 0.02, 0.05, 0.3, 0.4, 0.1, 0.2
_MAX_PAIRS = 4_000_000
_MAX_ANCESTORS = 200


@dataclass(frozen=True)
class _Seeds:
    """The candidates: row of the event, direction, and pT (0 if it is not known)."""

    row: Ints
    eta: Floats
    phi: Floats
    pt: Floats

    def __len__(self) -> int:
        return int(self.row.shape[0])


def classify(
    events: Events,
    row: ArrayLike,
    eta: ArrayLike,
    phi: ArrayLike,
    *,
    pt: ArrayLike | None = None,
    collection: str = "electron",
) -> NDArray[np.uint8]:
    """Truth class of each candidate, as an index of `TRUTH_CLASSES`; the table is in the module's docstring.

    Args:
        events: the events; objects "particle" (pid, status, perhaps mother) and "track" (pid) are used.
        row: row of the candidate's event, integers, shape (n,).
        eta, phi: direction of the candidate, shape (n,).
        pt: its transverse momentum in GeV, shape (n,); without it softer particles may be taken for it.
        collection: what the candidates are; "jet" has its own rules.

    Returns:
        uint8, shape (n,); all 0 (unknown) if the file holds neither generator particles nor identified tracks.

    Raises:
        DataError: the shapes of row, eta, phi and pt differ.

    Example:
        >>> from importlib.resources import files
        >>> from hepml.trees import open_events
        >>> events = open_events(files("hepml") / "data" / "sample_electrons.root", entry_stop=3)
        >>> electron = events.objects["electron"]
        >>> first = electron.offsets[:-1]
        >>> TRUTH_CLASSES[classify(events, range(3), electron.eta[first], electron.phi[first])[0]]
        'prompt'

    Source:
        Particle Data Group numbering scheme; Pythia 8 status codes.
    """
    rows = np.atleast_1d(np.asarray(row, dtype=np.int64))
    momenta = np.zeros(rows.shape) if pt is None else np.atleast_1d(np.asarray(pt, dtype=np.float64))
    seeds = _Seeds(
        rows,
        np.atleast_1d(np.asarray(eta, dtype=np.float64)),
        np.atleast_1d(np.asarray(phi, dtype=np.float64)),
        momenta,
    )
    shapes = {values.shape for values in (seeds.row, seeds.eta, seeds.phi, seeds.pt)}
    if len(shapes) != 1:
        raise DataError("row, eta, phi and pt have different shapes", found=", ".join(map(str, sorted(shapes))))
    if not len(seeds):
        return np.zeros(0, np.uint8)
    record = events.objects.get("particle")
    if record is not None and not {"pid", "status"} <= set(record.fields):
        record = None
    if collection == "jet":
        code = _classify_jets(record, seeds) if record is not None else np.zeros(len(seeds), np.int64)
    else:
        code = _classify_tracks(record, events.objects.get("track"), seeds)
    return code.astype(np.uint8)


def _classify_tracks(record: Objects | None, track: Objects | None, seeds: _Seeds) -> Ints:
    code = np.full(len(seeds), UNKNOWN, dtype=np.int64)
    identity = np.zeros(len(seeds), np.int64)
    if track is not None and "pid" in track.fields:
        match = _closest(track, np.ones(len(track), np.bool_), seeds, _TRACK)
        identity = np.where(match >= 0, _pick(_field(track, "pid"), match), 0)
    if record is not None:
        unmatched = identity == 0
        stable = _field(record, "status") == 1
        pid = _field(record, "pid")
        charged = stable & (np.isin(np.abs(pid), _LEPTONS) | _is_charged_hadron(record))
        match = _closest(record, charged, seeds, _PARTICLE, hardest=True)
        identity = np.where(unmatched & (match >= 0), _pick(pid, match), identity)
        photon = _closest(record, stable & (pid == 22), seeds, _PARTICLE, hardest=True) >= 0
        neutral = _closest(record, stable & (np.abs(pid) > 100), seeds, _PARTICLE, hardest=True) >= 0
        code[(identity == 0) & neutral] = HADRON
        code[(identity == 0) & photon] = CONVERSION
    code[np.abs(identity) > 100] = HADRON
    if record is not None:
        lepton = np.isin(np.abs(identity), _LEPTONS)
        code[lepton] = _classify_leptons(record, _take(seeds, lepton), identity[lepton])
    return code


def _classify_leptons(record: Objects, seeds: _Seeds, identity: Ints) -> Ints:
    """Classes of candidates that are truly electrons or muons of signed identity `identity`."""
    if not len(seeds):
        return np.zeros(0, np.int64)
    if "mother" not in record.fields:
        return _company(record, seeds, identity)
    pid, status = _field(record, "pid"), _field(record, "status")
    match = np.full(len(seeds), -1, dtype=np.int64)
    for value in np.unique(identity):
        mine = identity == value
        match[mine] = _closest(record, (status == 1) & (pid == value), _take(seeds, mine), _PARTICLE)
    known = match >= 0
    code = np.full(len(seeds), UNKNOWN, dtype=np.int64)
    code[known] = _ancestry(record, match[known])
    return code


def _ancestry(record: Objects, start: Ints) -> Ints:
    """Class of stable leptons by the first ancestor that is not a lepton; `start` indexes the flat record."""
    pid, status = np.abs(_field(record, "pid")), np.abs(_field(record, "status"))
    begin = np.repeat(record.offsets[:-1], record.counts)
    end = np.repeat(record.offsets[1:], record.counts)
    mother = _field(record, "mother")
    above = np.where(mother >= 0, mother + begin, -1)
    above = np.where(above < end, above, -1)
    pileup = record.fields.get("pileup")
    from_pileup = np.zeros(len(record), np.bool_) if pileup is None else np.asarray(pileup) != 0
    code = np.full(len(start), UNKNOWN, dtype=np.int64)
    active, current = np.arange(len(start)), start.copy()
    for _ in range(_MAX_ANCESTORS):
        if not len(active):
            break
        current = above[current]
        orphan = current < 0
        code[active[orphan]] = np.where(from_pileup[start[active[orphan]]], UNKNOWN, PROMPT)
        active, current = active[~orphan], current[~orphan]
        kind = pid[current]
        photon = (kind == 22) & ~(((status[current] >= 21) & (status[current] <= 29)) | (status[current] == 62))
        hadron = (kind > 100) & (mother[current] >= 0) & (status[current] != 4)  # 4: the beam
        rules = (
            (_is_heavy(kind), HEAVY),
            (photon | (hadron & np.isin(kind, _DALITZ)), CONVERSION),
            (hadron, HADRON),
            (~np.isin(kind, (11, 13, 15)), PROMPT),
        )
        answer = np.select([rule for rule, _ in rules], [value for _, value in rules], default=-1)
        decided = answer >= 0
        code[active[decided]] = answer[decided]
        active, current = active[~decided], current[~decided]
    return code


def _company(record: Objects, seeds: _Seeds, identity: Ints) -> Ints:
    """Class of leptons in files without ancestors, by what is stored near them."""
    pid, status = _field(record, "pid"), _field(record, "status")
    stable, hard = status == 1, (np.abs(status) >= 21) & (np.abs(status) <= 29)
    code = np.full(len(seeds), UNKNOWN, dtype=np.int64)
    heavy_parton = hard & np.isin(np.abs(pid), (4, 5))
    flavoured = _is_heavy(np.abs(pid)) | heavy_parton
    with_resonance = _any(record, np.isin(np.abs(pid), _RESONANCES))[seeds.row]
    with_parton = _any(record, heavy_parton)[seeds.row]
    for value in np.unique(identity):
        mine = identity == value
        own = _take(seeds, mine)
        neutrino = stable & (pid == -(value + int(np.sign(value))))
        pair = stable & ((pid == -value) | (pid == 22)) & (abs(value) == 11)
        rules = (
            (_closest(record, hard & (pid == value), own, _COPY) >= 0, PROMPT),
            (_closest(record, neutrino | flavoured, own, _NEAR) >= 0, HEAVY),
            (_closest(record, pair, own, _PAIR) >= 0, CONVERSION),
            (with_resonance[mine], PROMPT),
            (with_parton[mine], HEAVY),
        )
        code[mine] = np.select([rule for rule, _ in rules], [answer for _, answer in rules], default=UNKNOWN)
    return code


def _classify_jets(record: Objects, seeds: _Seeds) -> Ints:
    pid, status = _field(record, "pid"), _field(record, "status")
    kind = np.abs(pid)
    hard = (np.abs(status) >= 21) & (np.abs(status) <= 29)
    lepton = _closest(record, (status == 1) & np.isin(kind, _LEPTONS), seeds, _JET_LEPTON, hardest=True)
    found = lepton >= 0
    prompt = np.zeros(len(seeds), np.bool_)
    at_lepton = _Seeds(seeds.row, _pick(record.eta, lepton), _pick(record.phi, lepton), _pick(record.pt, lepton))
    prompt[found] = _classify_leptons(record, _take(at_lepton, found), _pick(pid, lepton)[found]) == PROMPT
    heavy = _closest(record, _is_heavy(kind) | (hard & np.isin(kind, (4, 5))), seeds, _NEAR) >= 0
    coloured = _closest(record, (hard & ((kind <= 6) | (kind == 21))) | (kind > 100), seeds, _NEAR) >= 0
    return np.select([prompt, heavy, coloured], [PROMPT, HEAVY, HADRON], default=UNKNOWN)


def _is_heavy(kind: Ints) -> Bools:
    """Hadrons that hold a b or c quark, by the digits of the identity."""
    base = kind % 10_000
    return (kind > 100) & (np.isin((base // 100) % 10, (4, 5)) | np.isin((base // 1000) % 10, (4, 5)))


def _is_charged_hadron(record: Objects) -> Bools:
    """Charged hadrons by the digits of the identity: mesons of unlike quark type, charged baryons."""
    kind = np.abs(_field(record, "pid")) % 10_000
    q1, q2, q3 = (kind // 1000) % 10, (kind // 100) % 10, (kind // 10) % 10
    charge = np.where(q1 == 0, 3 * ((q2 % 2 == 0) ^ (q3 % 2 == 0)), sum(_thirds(q) for q in (q1, q2, q3)))
    neutral_kaons = np.isin(kind, (130, 310))
    return np.asarray((np.abs(_field(record, "pid")) > 100) & (charge != 0) & ~neutral_kaons, dtype=np.bool_)


def _thirds(quark: Ints) -> Ints:
    return np.where(quark % 2 == 0, 2, -1)


def _any(objects: Objects, mask: Bools) -> Bools:
    """Whether an event holds any of the masked objects, shape (n_events,)."""
    return np.asarray(np.diff(np.concatenate([[0], np.cumsum(mask)])[objects.offsets]) > 0, dtype=np.bool_)


def _field(objects: Objects, name: str) -> Ints:
    return np.asarray(objects.fields[name]).astype(np.int64)


def _pick(values: NDArray[_Number], index: Ints) -> NDArray[_Number]:
    """values[index], with 0 where the index is -1."""
    padded = np.append(values, np.zeros(1, values.dtype))
    return np.asarray(padded[index], dtype=values.dtype)


def _take(seeds: _Seeds, keep: Bools) -> _Seeds:
    return _Seeds(seeds.row[keep], seeds.eta[keep], seeds.phi[keep], seeds.pt[keep])


def _closest(objects: Objects, mask: Bools, seeds: _Seeds, radius: float, hardest: bool = False) -> Ints:
    """Flat index of the masked object nearest to each seed within `radius`; -1 if there is none.

    With `hardest` it is the one with the largest pT, and must have half of the seed's.
    """
    chosen = np.flatnonzero(mask)
    offsets = np.concatenate([[0], np.cumsum(mask)])[objects.offsets]
    counts = np.diff(offsets)[seeds.row]
    best = np.full(len(seeds), -1, dtype=np.int64)
    bounds = np.searchsorted(np.cumsum(counts), np.arange(0, counts.sum() + _MAX_PAIRS, _MAX_PAIRS), side="right")
    bounds[0] = 0
    for low, high in zip(bounds, [*bounds[1:], len(seeds)], strict=True):
        number = counts[low:high]
        seed = np.repeat(np.arange(low, high), number)
        within = np.arange(len(seed)) - np.repeat(np.cumsum(number) - number, number)
        index = chosen[offsets[seeds.row[seed]] + within]
        distance = np.hypot(objects.eta[index] - seeds.eta[seed], delta_phi(objects.phi[index], seeds.phi[seed]))
        near = distance < radius
        if hardest:
            near &= objects.pt[index] >= 0.5 * seeds.pt[seed]
        seed, index, distance = seed[near], index[near], distance[near]
        order = np.lexsort((-objects.pt[index] if hardest else distance, seed))
        first = np.unique(seed[order], return_index=True)[1]
        best[seed[order][first]] = index[order][first]
    return best
