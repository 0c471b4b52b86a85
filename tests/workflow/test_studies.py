"""`hepml run`: what a study of varied towers depends on, and where its towers are looked for."""

from __future__ import annotations

import shutil

import pytest
import yaml
from workflow.analyses import SAMPLE, content, written

from hepml.errors import InputFileError
from hepml.workflow import actions, load_analysis, make, plan
from hepml.workflow.steps import Made

STUDY = "study/pu"


@pytest.fixture
def varied(tmp_path, monkeypatch):
    """An analysis with a study of pile-up samples, made but for the trainings and the numbers."""
    for name in ("s", "b1", "b2"):
        shutil.copyfile(SAMPLE["signal" if name == "s" else "background"], tmp_path / f"{name}.root")
    samples = [
        {"name": "e", "files": ["s.root"], "label": 1},
        {"name": "j", "files": ["b1.root", "b2.root"], "label": 0},
    ]
    table = {"format": "hepml-samples", "version": 1, "task": "binary", "samples": samples}
    (tmp_path / "pu.yaml").write_text(yaml.safe_dump(table))
    given = []

    def training(_data, _features, output, place, **_options):
        (place.folder / output).mkdir(parents=True)
        (place.folder / output / "run.json").write_text("{}")
        return Made()

    def evaluation(run, _data, _figures, place, **_options):
        (place.folder / run / "metrics.json").write_text("{}")
        return Made()

    def study(_runs, _data, output, _figures, place, **options):
        given.append(options)
        (place.folder / output).mkdir(parents=True)
        (place.folder / output / "metrics.json").write_text("{}")
        return Made()

    for name, stand_in in (("train_model", training), ("evaluate_model", evaluation), ("study_models", study)):
        monkeypatch.setattr(actions, name, stand_in)
    document = content(
        inputs={"main": {"signal": "s.root", "background": "b1.root"}},
        models={"hl": {"features": "hl"}},
        studies={"pu": {"vary": ["scale=1.01", "pileup=pu.yaml"]}},
        figures={"draw": False},
    )
    path = written(tmp_path, document)
    make(load_analysis(path))
    assert {one.state for one in plan(load_analysis(path))} == {"up to date"}
    return path, given


def stale(path):
    return {one.step: one.why for one in plan(load_analysis(path)) if one.state == "stale"}


def test_a_changed_root_file_of_pile_up_samples_makes_the_study_stale(varied):
    path, given = varied
    (path.parent / "b2.root").write_bytes((path.parent / "s.root").read_bytes())
    assert stale(path) == {STUDY: "input vary/j/b2.root has changed"}
    make(load_analysis(path))
    assert len(given) == 2
    assert stale(path) == {}


def test_a_changed_table_or_layout_makes_the_study_stale(varied):
    path, _ = varied
    table = path.parent / "pu.yaml"
    table.write_text(table.read_text().replace("label: 1", "label: 1\n  cross_section: 2.0"))
    assert stale(path) == {STUDY: "input vary/pu.yaml has changed"}
    (path.parent / "own.yaml").write_text("a layout")
    table.write_text(table.read_text().replace("label: 1", "label: 1\n  layout: own.yaml"))
    assert "input vary/e/own.yaml is new" in stale(path)[STUDY]


def test_every_file_of_a_glob_counts(varied):
    path, _ = varied
    text = path.read_text().replace("pileup=pu.yaml", "pileup.signal=s.root+pileup.background=b*.root")
    path.write_text(text)
    make(load_analysis(path))
    (path.parent / "b2.root").write_bytes((path.parent / "s.root").read_bytes())
    assert stale(path) == {STUDY: "input vary/b2.root has changed"}


@pytest.mark.parametrize("name", ["b2.root", "pu.yaml"])
def test_a_file_that_is_moved_away_is_one_clear_error(varied, name):
    path, _ = varied
    (path.parent / name).rename(path.parent / "elsewhere")
    with pytest.raises(InputFileError) as error:
        load_analysis(path)
    where = error.value.parts["where"]
    assert where.startswith(f"{path}, ")
    assert "studies.pu: " in where
    assert where.endswith(name)


def test_towers_are_looked_for_where_the_file_has_them(varied):
    path, given = varied
    (path.parent / "moved").mkdir()
    (path.parent / "s.root").rename(path.parent / "moved/s.root")
    for file in (path, path.parent / "pu.yaml"):
        file.write_text(file.read_text().replace("s.root", "moved/s.root"))
    outcomes = {one.step: one.state for one in make(load_analysis(path))}
    assert outcomes["convert/main"] == "up to date"  # the place of an input does not count
    assert outcomes[STUDY] == "done"
    assert given[-1]["towers"] == [str(path.parent / "moved/s.root"), str(path.parent / "b1.root")]
