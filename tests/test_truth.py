"""Truth classes: the decision table line by line on made-up records, and on real files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hepml.errors import DataError
from hepml.geometry import PAPER
from hepml.trees import Events, Objects, Towers, open_events
from hepml.truth import TRUTH_CLASSES, classify

# pid, status, mother, pt, eta, phi
Particle = tuple[int, int, int, float, float, float]


def event(*particles: Particle, ancestors: bool = True, tracks: tuple[tuple[int, float], ...] = ()) -> Events:
    """One event with generator particles, and tracks (identity, eta) at phi 0."""
    columns = [np.array(column, dtype=float) for column in zip(*particles, strict=True)] or [np.zeros(0)] * 6
    pid, status, mother, pt, eta, phi = columns
    fields = {"pid": pid.astype(int), "status": status.astype(int)}
    if ancestors:
        fields["mother"] = mother.astype(int)
    objects = {"particle": Objects(np.array([0, len(pid)]), pt, eta, phi, fields)}
    if tracks:
        track_pid, track_eta = (np.array(column) for column in zip(*tracks, strict=True))
        zeros = np.zeros(len(tracks))
        objects["track"] = Objects(np.array([0, len(tracks)]), zeros + 20, track_eta, zeros, {"pid": track_pid})
    nothing = Towers.empty(1)
    return Events(
        "a.root", "Delphes", "made-up", np.zeros(1, int), nothing, nothing, objects, np.ones(1), geometry=PAPER
    )


def truth(events: Events, pt: float = 20.0, collection: str = "electron") -> str:
    return TRUTH_CLASSES[classify(events, [0], [0.0], [0.0], pt=[pt], collection=collection)[0]]


E = (11, 1)  # a stable electron


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ([(23, 62), (11, 23), (11, 1)], "prompt"),
        ([(24, 62), (15, 2), (11, 1)], "prompt"),
        ([(2, 21), (11, 1)], "prompt"),
        ([(5, 23), (521, 2), (11, 1)], "heavy_flavour"),
        ([(521, 2), (15, 2), (11, 1)], "heavy_flavour"),
        ([(443, 2), (11, 1)], "heavy_flavour"),
        ([(4, 71), (4122, 2), (11, 1)], "heavy_flavour"),
        ([(521, 2), (111, 2), (11, 1)], "conversion"),
        ([(111, 2), (22, 1), (11, 1)], "conversion"),
        ([(1, 23), (22, 51), (11, 1)], "conversion"),
        ([(22, 22), (11, 1)], "prompt"),
        ([(321, 2), (11, 1)], "hadron"),
        ([(2212, 4), (11, 1)], "prompt"),
    ],
)
def test_ancestors_decide(chain: list[tuple[int, int]], expected: str) -> None:
    particles = [(pid, status, i - 1, 20.0, 0.0, 0.0) for i, (pid, status) in enumerate(chain)]
    assert (
        truth(event((2212, 4, -1, 0.0, 9.0, 0.0), *((a, b, c + 1, d, e, f) for a, b, c, d, e, f in particles)))
        == expected
    )


@pytest.mark.parametrize(
    ("company", "expected"),
    [
        ([(11, 23, -1, 21.0, 0.1, 0.0)], "prompt"),
        ([(-12, 1, -1, 8.0, 0.2, 0.1)], "heavy_flavour"),
        ([(12, 1, -1, 8.0, 0.2, 0.1)], "unknown"),
        ([(511, 2, -1, 40.0, 0.2, 0.1)], "heavy_flavour"),
        ([(-11, 1, -1, 4.0, 0.05, 0.0)], "conversion"),
        ([(22, 1, -1, 4.0, 0.05, 0.0)], "conversion"),
        ([(32, 62, -1, 40.0, 2.0, 3.0)], "prompt"),
        ([(5, 23, -1, 40.0, 2.0, 3.0)], "heavy_flavour"),
        ([(21, 23, -1, 40.0, 2.0, 3.0)], "unknown"),
        ([], "unknown"),
    ],
)
def test_company_decides_without_ancestors(company: list[Particle], expected: str) -> None:
    assert truth(event((11, 1, -1, 20.0, 0.0, 0.0), *company, ancestors=False)) == expected


def test_what_is_not_a_lepton() -> None:
    assert truth(event((211, 1, -1, 20.0, 0.01, 0.0))) == "hadron"
    assert truth(event((22, 1, -1, 20.0, 0.01, 0.0))) == "conversion"
    assert truth(event((2112, 1, -1, 20.0, 0.01, 0.0))) == "hadron"
    assert truth(event((211, 1, -1, 20.0, 0.2, 0.0))) == "unknown"
    assert truth(event()) == "unknown"
    assert (
        truth(event((211, 1, -1, 5.0, 0.01, 0.0), (11, 23, -1, 20.0, 0.0, 0.0), (11, 1, 1, 19.0, 0.02, 0.0)))
        == "prompt"
    )


def test_the_track_has_the_first_word() -> None:
    soft_electron: Particle = (11, 1, -1, 15.0, 0.01, 0.0)
    assert truth(event(soft_electron, tracks=((-321, 0.0),))) == "hadron"
    assert truth(event(soft_electron, tracks=((-321, 0.5), (11, 0.001)))) == "prompt"


def test_phi_wraps() -> None:
    events = event((13, 1, -1, 20.0, 0.0, -3.14))
    assert classify(events, [0], [0.0], [3.14], collection="muon").tolist() == [1]


def test_mothers_that_point_nowhere_end_the_climb() -> None:
    assert truth(event((11, 1, 99, 20.0, 0.0, 0.0))) == "prompt"
    assert truth(event((11, 1, 1, 20.0, 0.0, 0.0), (11, 2, 0, 20.0, 0.0, 0.0))) == "unknown"


def test_jets() -> None:
    assert truth(event((21, 23, -1, 40.0, 0.2, 0.0)), collection="jet") == "hadron"
    assert truth(event((21, 23, -1, 40.0, 0.2, 0.0), (511, 2, 0, 20.0, 0.1, 0.0)), collection="jet") == "heavy_flavour"
    assert truth(event((23, 62, -1, 40.0, 2.0, 0.0), (11, 1, 0, 20.0, 0.1, 0.0)), collection="jet") == "prompt"


def leading(events: Events, collection: str) -> np.ndarray:
    objects = events.objects[collection]
    rows = np.flatnonzero(objects.counts)
    index = [objects.offsets[row] + np.argmax(objects.pt[slice(*objects.offsets[row : row + 2])]) for row in rows]
    codes = classify(events, rows, objects.eta[index], objects.phi[index], pt=objects.pt[index], collection=collection)
    return np.bincount(codes, minlength=len(TRUTH_CLASSES)) / len(rows)


def test_real_samples(sample: dict[str, Path], shared: Path) -> None:
    shares = dict(zip(TRUTH_CLASSES, leading(open_events(sample["electrons"]), "electron"), strict=True))
    assert shares["prompt"] > 0.95
    assert shares["hadron"] == shares["heavy_flavour"] == 0
    shares = dict(zip(TRUTH_CLASSES, leading(open_events(sample["jets"]), "electron"), strict=True))
    assert shares["hadron"] > 0.95
    assert shares["prompt"] == 0
    assert 0 < shares["heavy_flavour"] < 0.03
    assert leading(open_events(shared / "muons/muon_dev_bb.root"), "muon")[2] == 1
    assert leading(open_events(shared / "muons/muon_dev_prompt.root"), "muon")[1] > 0.94
    assert leading(open_events(shared / "electrons/unslimmed_electrons.root"), "electron")[1] == 1
    assert leading(open_events(shared / "electrons/unslimmed_jets.root"), "electron")[4] == 35 / 36


def test_refusals_and_empty_input(sample: dict[str, Path]) -> None:
    events = open_events(sample["jets"], entry_stop=2)
    assert classify(events, [], [], []).shape == (0,)
    with pytest.raises(DataError, match="different shapes"):
        classify(events, [0, 1], [0.0], [0.0])
    without = open_events(sample["jets"], entry_stop=2, collections=["electron"])
    assert classify(without, [0, 1], [0.0, 0.0], [0.0, 0.0]).tolist() == [0, 0]
