"""Layouts: the schema, the user's own files, the examples on real files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from hepml.errors import InputFileError, SchemaError
from hepml.geometry import PAPER
from hepml.layouts import bind, layout_names, load_layout
from hepml.layouts.yamlfile import Lines
from hepml.trees import open_events
from hepml.truth import TRUTH_CLASSES, classify

EXAMPLES = Path(__file__).parents[2] / "examples" / "layouts"
HEAD = "format: hepml-layout\nversion: 1\nname: a\n"
OBJECTS = "objects: {electron: {pt: a, eta: b, phi: c}}\n"


@pytest.mark.parametrize("name", layout_names())
def test_shipped_layouts_have_the_papers_grids(name: str) -> None:
    layout = load_layout(name)
    assert layout.name == name
    assert layout.geometry == PAPER
    assert layout.seed == "electron"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "not a YAML file"),
        ("a: 1\na: 2\n", "not a YAML file"),
        ("- 1\n", "is not of type 'object'"),
        ("name: a\nobjects: {}\n", "is a required property"),
        (HEAD + OBJECTS + "towerz: {}\n", "the key 'towerz' is not known at the top level"),
        (HEAD + "objects: {electron: {pt: a, etta: b, phi: c}}\n", "'etta' is not known at objects.electron"),
        (HEAD + OBJECTS + "units: {energy: J}\n", "'J' is not one of"),
        (HEAD + OBJECTS + "geometry: {ecal: {n_eta: 0, n_phi: 3}}\n", "0 is less than the minimum of 1"),
        (HEAD + OBJECTS + "seed: muon\n", "the seed 'muon' is not one of the objects"),
        (HEAD + "objects: {electron: {pt: a, eta: b}}\n", "objects.electron does not say where an object is"),
        (HEAD + "towers: {ecal: {et: a, eta: b}, hcal: {et: a, eta: b, phi: c}}\n", "towers.ecal does not say"),
        (
            HEAD + "towers: {ecal: {et: a, eta: b, phi: c, eta_lo: d, eta_hi: e}, hcal: {et: a, eta: b, phi: c}}\n",
            "towers.ecal does not name all four sides",
        ),
        (
            HEAD + "objects: {electron: {pt: a, eta: b, phi: c, fields: {charge: d}, optional: [chargee]}}\n",
            "objects.electron lists 'chargee' as optional, but has no such column",
        ),
        (HEAD + OBJECTS + "event: {weight: w, optional: [w]}\n", "event lists 'w' as optional"),
        (HEAD, "names neither towers nor objects"),
    ],
)
def test_what_is_wrong_with_a_layout_is_said_once(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as error:
        load_layout(path)
    assert problem in str(error.value)
    assert re.fullmatch(re.escape(str(path)) + r"(, line \d+)?", error.value.parts["where"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("format: x\na:\n  - [1\nb: 2\n", 4),
        ("a: 1\nb: 2\na: 3\n", 3),
        (HEAD + OBJECTS + "# a comment\n\ntowerz: {}\n", 7),
        (HEAD + "objects:\n  electron:\n    pt: a\n    etta: b\n    phi: c\n", 7),
        (HEAD + "objects: &all\n  electron:\n    pt: a\n    eta: [1]\n    phi: c\n", 7),
        (HEAD + "objects:\n  electron: {pt: a, eta: b, phi: c, optional:\n   [pt,\n    3]}\n", 7),
    ],
)
def test_the_line_of_what_is_wrong_is_said(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as error:
        load_layout(path)
    assert error.value.parts["where"] == f"{path}, line {line}"


def test_lines_through_anchors_merges_and_loops() -> None:
    lines = Lines(yaml.compose("a: &one\n  x: p\nb: *one\nc: &loop\n  - q\n  - *loop\n  - r\n"))
    assert (lines.of("b"), lines.of("b", "x"), lines.of("c", 2), lines.of("c", 9), lines.of("d")) == (3, 2, 7, 4, 1)
    assert (lines.naming(["c"], "no 'r'"), lines.naming(["c"], "no 's'"), lines.naming([], "", "p")) == (7, 4, 2)
    assert Lines(yaml.compose("")).of("a") == 1


def test_code_in_yaml_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    canary = tmp_path / "canary"
    path.write_text(f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{canary}]]\n")
    with pytest.raises(SchemaError, match="not a YAML file"):
        load_layout(path)
    assert not canary.exists()


def test_missing_and_binary_layouts(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputFileError, match="cannot be read as text"):
        load_layout(tmp_path / "mine.yaml")
    with pytest.raises(InputFileError, match="no such file") as error:
        load_layout(tmp_path / "mime.yaml")
    assert error.value.parts["nearest"] == "'mine.yaml'"


def test_names_are_found_with_and_without_their_parents() -> None:
    layout = load_layout("delphes-2011.01984")
    leaves = [name for _, block in layout.blocks() for _, column in block.all_columns() for name in column.names]
    split = [f"{name.partition('.')[0]}/{name}" for name in leaves]
    for names in (leaves, split, [name.replace(".", "_") for name in leaves]):
        assert bind(layout, names).fits
    numbered = [name for name in leaves if not name.endswith("Edges")]
    numbered += [f"{tower}_Edges_{i}" for tower in ("ECalTowers", "HCalTowers") for i in range(4)]
    assert bind(layout, numbered).blocks["towers.ecal"]["phi_hi"] == "ECalTowers_Edges_3"


@pytest.mark.parametrize(
    ("file", "electrons", "with_run"),
    [
        ("coffea/nano_dy.root", 25, True),
        ("coffea/nano_dimuon.root", 17, True),
        ("coffea/missing_luminosityBlock.root", 0, False),
        ("unroot/NanoAODv5_sample.root", 1099, True),
        ("awkward-zipper/awkward-zipper_DYto2E.root", 2000, True),
        ("scikit-hep-testdata/nanoAOD_2015_CMS_Open_Data_ttbar.root", 69, True),
        ("scikit-hep-testdata/cmsopendata2015_ttbar_19980_NANOAOD_RNTupleImporter_rntuple_v1-0-0-1.root", 13, True),
    ],
)
def test_nanoaod_holds_objects_only(shared: Path, file: str, electrons: int, with_run: bool) -> None:
    events = open_events(shared / "public" / file, layout=EXAMPLES / "nanoaod.yaml")
    assert len(events.objects["electron"]) == electrons
    assert len(events.ecal) == len(events.hcal) == 0
    assert events.ecal.offsets.shape == (len(events) + 1,)
    assert (events.run is not None) is with_run


def test_nanoaod_has_truth_classes(shared: Path) -> None:
    events = open_events(shared / "public/coffea/nano_dy.root", layout=EXAMPLES / "nanoaod.yaml")
    electron = events.objects["electron"]
    row = np.repeat(np.arange(len(events)), electron.counts)
    classes = classify(events, row, electron.eta, electron.phi, pt=electron.pt)
    assert (classes == TRUTH_CLASSES.index("prompt")).sum() == 15


def test_pfnano_candidates_are_deposits(shared: Path) -> None:
    events = open_events(shared / "public/coffea/pfnano.root", layout=EXAMPLES / "pfnano.yaml")
    assert (len(events.ecal), len(events.hcal)) == (2463, 8920)
    np.testing.assert_allclose(events.ecal.e, events.ecal.et * np.cosh(events.ecal.eta))
    assert events.geometry.hcal.n_phi * events.geometry.hcal_expand == events.geometry.ecal.n_phi


def test_edm4hep_subsets_and_neutral_particles(shared: Path) -> None:
    events = open_events(shared / "public/coffea/test_FCC_Winter2023.root", layout=EXAMPLES / "edm4hep.yaml")
    assert (len(events.ecal), len(events.hcal)) == (2886, 240)
    electron = events.objects["electron"]
    assert len(electron) == 41
    assert set(np.abs(electron.fields["charge"]).tolist()) == {1.0}
    assert (electron.offsets[-1], len(electron.offsets)) == (41, 101)


def test_edm4hep_pandora_objects(shared: Path) -> None:
    events = open_events(shared / "public/unroot/edm4hep_266.root", layout=EXAMPLES / "edm4hep_pandora.yaml")
    assert len(events.objects["electron"]) == 14
    assert set(np.abs(events.objects["muon"].fields["pid"]).tolist()) == {13}


def test_a_number_with_an_exponent_needs_no_sign(tmp_path: Path) -> None:
    import yaml

    from hepml.layouts.yamlfile import _Loader

    assert yaml.load("[8.4e7, 1e-3, .5E2, e7, 1.5]", _Loader) == [8.4e7, 1e-3, 50.0, "e7", 1.5]
