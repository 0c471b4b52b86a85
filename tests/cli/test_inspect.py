"""`hepml inspect`: facts about real files on stdout, one message otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hepml
from hepml.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def report(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, out, _ = run(capsys, "--json", *arguments)
    assert code == 0
    record: dict[str, Any] = json.loads(out)
    return record


def test_the_sample(capsys: pytest.CaptureFixture[str], sample: dict[str, Path]) -> None:
    tree = report(capsys, sample["electrons"])["trees"][0]
    assert (tree["name"], tree["entries"], len(tree["branches"])) == ("Delphes", 2500, 56)
    assert [(fit["layout"], fit["fits"]) for fit in tree["fits"]] == [("delphes-2011.01984", True), ("delphes", False)]
    electrons = tree["content"]["objects"]["electron"]
    assert (electrons["total"], electrons["events_with"]) == (3476, 2500)
    assert 0.36 < sum(electrons["multiplicity"][2:]) / 2500 < 0.38
    eta, phi, share = tree["content"]["towers"]["ecal"]["cells"][0]
    assert abs(eta - 0.025) < 1e-6
    assert abs(phi - 3.14159265 / 126) < 1e-6
    assert share > 0.99
    assert tree["content"]["towers"]["hcal"]["nested"] == 1


def test_text(capsys: pytest.CaptureFixture[str], sample: dict[str, Path]) -> None:
    code, out, err = run(capsys, sample["jets"])
    assert (code, err) == (0, "")
    for text in ("layout delphes-2011.01984: fits", "Tower.Eem", "nearest: HCalTowers.E", "pi/126", "TTree Delphes"):
        assert text in out
    assert "ECalTowers/ECalTowers.Edges[4]" in run(capsys, "--branches", sample["jets"])[1]


def test_other_granularity_shows(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    tree = report(capsys, shared / "public/coffea/delphes.root")["trees"][0]
    assert tree["content"]["layout"] == "delphes"
    assert tree["content"]["towers"]["ecal"]["nested"] < 0.5
    assert len(tree["branches"]) == 1138


def test_events_without_electrons_are_counted(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    tree = report(capsys, shared / "electrons/noselection_jets.root")["trees"][0]
    assert tree["content"]["objects"]["electron"]["multiplicity"][0] == 70


def test_what_does_not_fit(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    code, out, _ = run(capsys, shared / "electrons/layouts/bg200_unsplit.root")
    assert code == 0
    assert "ECalTowers (TClonesArray) is not split" in out
    trees = report(capsys, shared / "public/unroot/edm4hep_266.root")["trees"]
    assert [tree["name"] for tree in trees] == ["runs", "events", "podio_metadata"]
    assert not any(fit["fits"] for tree in trees for fit in tree["fits"])
    layout = Path(__file__).parents[2] / "examples/layouts/edm4hep_pandora.yaml"
    trees = report(capsys, f"{shared / 'public/unroot/edm4hep_266.root'}:events", "--layout", layout)["trees"]
    assert trees[0]["content"]["objects"]["electron"]["total"] == 14
    assert trees[0]["content"]["towers"] == {}


@pytest.mark.parametrize("name", ["zero_bytes", "text_named", "simple_bad_magic", "delphes_truncated_half"])
def test_bad_files(capsys: pytest.CaptureFixture[str], shared: Path, name: str) -> None:
    code, out, err = run(capsys, shared / f"public/damaged/{name}.root")
    assert (code, out) == (1, "")
    assert err.startswith("InputFileError: ")
    assert f"{name}.root" in err
    assert "Traceback" not in err


def test_several_files_are_refused(capsys: pytest.CaptureFixture[str], sample: dict[str, Path]) -> None:
    code, out, err = run(capsys, f"{sample['jets'].parent}/sample_*.root")
    assert (code, out) == (1, "")
    assert err.startswith("DataError: several files where one is read")


def test_inspect_and_candidates_agree_on_what_nests(capsys: pytest.CaptureFixture[str], shared: Path) -> None:
    path = shared / "public/coffea/delphes.root"
    towers = report(capsys, path)["trees"][0]["content"]["towers"]
    found = hepml.select_candidates(hepml.open_events(path)).towers
    for name, told in towers.items():
        inside = told["towers"] * (1 - told["outside"])
        assert round(inside) == told["towers"] - found[f"{name}_outside"]
        assert round(inside * (1 - told["nested"])) == found[f"{name}_shared"] > 0
