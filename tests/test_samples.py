"""samples.yaml: files and labels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepml.errors import DataError, HepmlError, InputFileError, SchemaError
from hepml.samples import load_samples

HEAD = "format: hepml-samples\nversion: 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a1.root", "a2.root", "b.root"):
        (tmp_path / name).touch()
    return tmp_path


def load(folder: Path, text: str) -> object:
    path = folder / "samples.yaml"
    path.write_text(HEAD + text)
    return load_samples(path)


def test_binary_samples(folder: Path) -> None:
    samples = load(
        folder,
        "task: binary\nlayout: delphes\nsamples:\n"
        "- {name: signal, files: ['a*.root'], label: 1, truth: prompt}\n"
        "- {name: dijets, files: 'b.root:Delphes', label: 0, weight: Event.Weight, cross_section: 8.4e+7,"
        " group: Id, layout: mine.yaml}\n",
    )
    assert samples.classes == ("background", "signal")
    signal, dijets = samples.samples
    assert [Path(file.path).name for file in signal.files] == ["a1.root", "a2.root"]
    assert (signal.label, signal.truth, signal.layout, signal.weight) == (1.0, "prompt", "delphes", None)
    assert (dijets.label, dijets.files[0].tree, dijets.cross_section) == (0.0, "Delphes", 8.4e7)
    assert dijets.layout == str(folder / "mine.yaml")


def test_classes_and_targets(folder: Path) -> None:
    samples = load(
        folder,
        "task: classes\nclasses: [jet, electron]\nsamples:\n"
        "- {name: one, files: a1.root, label: electron}\n- {name: two, files: b.root, label: jet}\n",
    )
    assert [sample.label for sample in samples.samples] == [1.0, 0.0]
    samples = load(
        folder,
        "task: regression\nsamples:\n- {name: one, files: a1.root, target: Event.Scale}\n"
        "- {name: two, files: b.root, label: 2.5}\n",
    )
    assert [(sample.label, sample.target) for sample in samples.samples] == [(None, "Event.Scale"), (2.5, None)]


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("task: binary\nsamples:\n- {name: a, files: a1.root, label: 1}\n", SchemaError, "a class has no sample"),
        ("task: binary\nsamples:\n- {name: a, files: a1.root, label: 2}\n", SchemaError, "none of the task's"),
        ("task: binary\nsamples:\n- {name: a, files: a1.root}\n", SchemaError, "a sample needs a label"),
        ("task: binary\nclasses: [a, b]\nsamples:\n- {name: a, files: b.root}\n", SchemaError, "a list of classes"),
        (
            "task: classes\nclasses: [jet, electron]\nsamples:\n- {name: a, files: a1.root, label: electrn}\n",
            SchemaError,
            "nearest:  'electron'",
        ),
        ("task: regression\nsamples:\n- {name: a, files: a1.root}\n", SchemaError, "a regression needs"),
        ("task: binary\nsamples:\n- {name: a, files: c.root, label: 1}\n", InputFileError, "no such file"),
        (
            "task: binary\nsamples:\n- {name: a, files: a1.root, label: 1, truth: pion}\n",
            SchemaError,
            "samples.0.truth",
        ),
        (
            "task: binary\nsamples:\n- {name: a, files: a1.root, label: 1}\n- {name: b, files: a1.root, label: 0}\n",
            DataError,
            "listed twice",
        ),
        (
            "task: binary\nsamples:\n- {name: a, files: a1.root, label: 1}\n- {name: a, files: b.root, label: 0}\n",
            SchemaError,
            "two samples are named",
        ),
    ],
)
def test_refusals(folder: Path, text: str, kind: type[HepmlError], problem: str) -> None:
    with pytest.raises(kind) as error:
        load(folder, text)
    assert problem in str(error.value)


def test_what_is_no_path_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="not a path"):
        load_samples(None)
